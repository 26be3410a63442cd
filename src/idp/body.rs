//! The body of a request: a form (RFC 6749 appendix B) or a JSON object (RFC 8259).

use super::parameters::Parameters;
use crate::document::Document;
use crate::wire::request::Request;

/// A body, parsed once; `Err` says what is wrong with it.
pub enum Body {
    /// A form.
    Form(Result<Parameters, &'static str>),
    /// A JSON object, and its members as parameters, which Auth0 accepts at its token endpoint.
    Json(Result<Document, &'static str>, Result<Parameters, &'static str>),
    /// Neither.
    Other,
}

impl Body {
    /// The body in these octets, by the request's media type.
    pub fn parse(request: &Request, octets: &[u8]) -> Body {
        let media_type = request.header("Content-Type").unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match media_type.as_str() {
            "application/x-www-form-urlencoded" => Body::Form(Parameters::of_form(&String::from_utf8_lossy(octets))),
            "application/json" => {
                let object = Document::parse(octets).map_err(|_| NO_OBJECT);
                let parameters = object.as_ref().map_err(|wrong| *wrong).and_then(Parameters::of_object);
                Body::Json(object, parameters)
            }
            _ => Body::Other,
        }
    }

    /// One parameter of the form or the JSON object.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        match self {
            Body::Form(Ok(parameters)) | Body::Json(_, Ok(parameters)) => parameters.one(name),
            _ => None,
        }
    }

    /// The parameters of the form or the JSON object.
    pub fn parameters(self) -> Result<Parameters, &'static str> {
        match self {
            Body::Form(parameters) | Body::Json(_, parameters) => parameters,
            Body::Other => Err(NO_FORM),
        }
    }

    /// The parameters of the form.
    pub fn form(self) -> Result<Parameters, &'static str> {
        match self {
            Body::Form(parameters) => parameters,
            _ => Err(NO_FORM),
        }
    }

    /// The JSON object.
    pub fn object(self) -> Result<Document, &'static str> {
        match self {
            Body::Json(object, _) => object,
            _ => Err(NO_OBJECT),
        }
    }
}

const NO_FORM: &str = "the body must be application/x-www-form-urlencoded";

const NO_OBJECT: &str = "the body must be a JSON object";
