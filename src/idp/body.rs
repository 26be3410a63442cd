//! The body of a request: a form (RFC 6749 appendix B) or a JSON object (RFC 8259).

use super::parameters::Parameters;
use crate::document::Document;
use crate::wire::request::Request;

/// A body, parsed once.
pub enum Body {
    /// A form.
    Form(Parameters),
    /// A JSON object, and its members as parameters, which Auth0 accepts at its token endpoint.
    Json(Document, Result<Parameters, &'static str>),
    /// Neither, and why.
    Invalid(&'static str),
}

impl Body {
    /// The body in these octets, by the request's media type.
    pub fn parse(request: &Request, octets: &[u8]) -> Body {
        let media_type = request.header("Content-Type").unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match media_type.as_str() {
            "application/x-www-form-urlencoded" => {
                Parameters::of_form(&String::from_utf8_lossy(octets)).map_or_else(Body::Invalid, Body::Form)
            }
            "application/json" => match Document::parse(octets) {
                Ok(object) => {
                    let parameters = Parameters::of_object(&object);
                    Body::Json(object, parameters)
                }
                Err(_) => Body::Invalid("the body must be a JSON object"),
            },
            _ => Body::Invalid("the body must be application/x-www-form-urlencoded"),
        }
    }

    /// One parameter of the form or the JSON object.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        match self {
            Body::Form(parameters) | Body::Json(_, Ok(parameters)) => parameters.one(name),
            _ => None,
        }
    }

    /// The parameters of the form or the JSON object, or what is wrong with them.
    pub fn parameters(self) -> Result<Parameters, &'static str> {
        match self {
            Body::Form(parameters) => Ok(parameters),
            Body::Json(_, parameters) => parameters,
            Body::Invalid(wrong) => Err(wrong),
        }
    }

    /// The parameters of the form, or what is wrong with them.
    pub fn form(self) -> Result<Parameters, &'static str> {
        match self {
            Body::Json(..) => Err("the body must be application/x-www-form-urlencoded"),
            other => other.parameters(),
        }
    }

    /// The JSON object.
    pub fn object(self) -> Option<Document> {
        match self {
            Body::Json(object, _) => Some(object),
            _ => None,
        }
    }
}
