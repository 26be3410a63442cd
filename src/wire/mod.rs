//! The wire formats: URLs, forms, HTTP requests and responses, HTML pages.

pub mod form;
pub mod http;
pub mod page;
pub mod request;
pub mod url;
