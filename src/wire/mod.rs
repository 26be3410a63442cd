//! The wire formats: URLs, forms, HTTP requests and responses, HTML pages.

pub mod form;
pub mod http;
pub mod page;
pub mod reference;
pub mod request;
pub mod url;
pub mod www_authenticate;
