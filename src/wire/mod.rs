//! What goes over the wire: URLs, forms, requests in and out, pages.

pub mod form;
pub mod http;
pub mod page;
pub mod request;
pub mod url;
