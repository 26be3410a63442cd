//! The scope: RFC 6749 section 3.3.

use crate::document::Document;
use crate::error::Error;

/// A scope as requested or stored: one or more names, in order.
pub struct Scope(String);

impl Scope {
    /// The scope in an option's value.
    pub fn parse(text: &str) -> Result<Scope, Error> {
        if is_scope(text) {
            Ok(Scope(text.to_owned()))
        } else {
            Err(Error::usage(format!("scope: {SCOPE}")).about("scope"))
        }
    }

    /// The scope of the document, if any.
    pub fn from_document(document: &Document) -> Result<Option<Scope>, Error> {
        match document.text("scope")?.filter(|scope| !scope.is_empty()) {
            Some(scope) if !is_scope(&scope) => Err(document.wrong("scope", SCOPE)),
            scope => Ok(scope.map(Scope)),
        }
    }

    /// The names, separated by single spaces.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The scope with those names of `other` that it lacks, at its end.
    pub fn with(&self, other: &Scope) -> Scope {
        let missing = other.0.split(' ').filter(|name| !contains(&self.0, name));
        Scope([self.as_str()].into_iter().chain(missing).collect::<Vec<_>>().join(" "))
    }
}

/// Whether a scope that may be malformed, such as one that a server granted, has this name.
pub fn contains(scope: &str, name: &str) -> bool {
    scope.split(' ').any(|other| other == name)
}

/// The names that were requested and are missing from a scope; GitHub and Slack separate names by commas.
pub fn missing<'a>(requested: &'a str, scope: &str) -> Vec<&'a str> {
    let granted: Vec<&str> = names(scope).collect();
    names(requested).filter(|name| !granted.contains(name)).collect()
}

fn names(scope: &str) -> impl Iterator<Item = &str> {
    scope.split([' ', ',']).filter(|name| !name.is_empty())
}

fn is_scope(text: &str) -> bool {
    let token = |octet: u8| matches!(octet, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    text.split(' ').all(|name| !name.is_empty() && name.bytes().all(token))
}

/// The message for a text that is no scope.
pub const SCOPE: &str = "must be names separated by single spaces, without \" and \\";
