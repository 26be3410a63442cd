//! The parameters of a request: RFC 6749 sections 3.1 and 3.2, RFC 8707 section 2.

use crate::document::Document;
use crate::wire::form;

/// The parameters of a request: only `resource` more than once, none empty (RFC 6749 section 3.1).
#[derive(Clone, Default)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// The parameters of a query or a form.
    pub fn of_form(text: &str) -> Result<Parameters, &'static str> {
        let pairs = form::pairs(text).map(|(name, value)| Some((form::decode(name)?, form::decode(value)?)));
        let pairs: Option<Vec<_>> = pairs.take(MAX + 1).collect();
        Parameters::of(pairs.ok_or("a parameter is not percent-encoded UTF-8")?)
    }

    /// The members of a JSON object, each a string or an array of strings.
    pub fn of_object(object: &Document) -> Result<Parameters, &'static str> {
        let mut pairs = Vec::new();
        for name in object.names() {
            let values = object.texts(name).map_err(|_| "a parameter must be a string")?;
            pairs.extend(values.unwrap_or_default().into_iter().take(MAX + 1).map(|value| (name.to_owned(), value)));
        }
        Parameters::of(pairs)
    }

    fn of(mut pairs: Vec<(String, String)>) -> Result<Parameters, &'static str> {
        if pairs.len() > MAX {
            return Err("more than 100 parameters");
        }
        pairs.retain(|(_, value)| !value.is_empty());
        let mut names: Vec<&str> =
            pairs.iter().map(|(name, _)| name.as_str()).filter(|name| *name != "resource").collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        if names.len() < all {
            return Err("duplicate parameter");
        }
        Ok(Parameters(pairs))
    }

    /// The size of all names and values in octets.
    pub fn size(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    /// The value of the parameter.
    pub fn one(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of the parameter, for `resource`.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = self.0.iter().filter(move |(other, _)| other == name);
        named.map(|(_, value)| value.as_str())
    }
}

/// Maximum number of parameters; a request has about ten.
const MAX: usize = 100;
