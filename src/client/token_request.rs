//! How a token request is sent, beside its grant: the exchange is told, and each refresh must do the same.

use std::collections::BTreeMap;

use clap::ValueEnum;

use crate::client::authentication::{AuthMethod, Caller, remembered_method};
use crate::client::parameter;
use crate::client::post::Format;
use crate::client::scope::Scope;
use crate::document::Document;
use crate::document::members::TOKEN_REQUEST;
use crate::error::Error;

/// What options, or the document's `token_request`, say about a token request; it has no secret.
#[derive(Default)]
pub struct TokenRequest {
    format: Option<Format>,
    auth_method: Option<AuthMethod>,
    parameters: BTreeMap<String, String>,
}

impl TokenRequest {
    /// What the options say: the format, the parameters of `--param`, and the scope, which is one of them. They and the
    /// caller's are checked as far as that is possible without the document.
    pub fn from_options(
        format: Option<Format>,
        scope: Option<&str>,
        parameters: &[(String, String)],
        caller: &Caller,
    ) -> Result<TokenRequest, Error> {
        let scope = scope.map(Scope::parse).transpose()?;
        parameter::check_added(parameters)?;
        let mut parameters: BTreeMap<String, String> = parameters.iter().cloned().collect();
        if let Some(scope) = scope
            && parameters.insert("scope".to_owned(), scope.as_str().to_owned()).is_some()
        {
            return Err(Error::usage("--param: scope: duplicate").hint("set it with --scope"));
        }
        caller.prepare()?;
        Ok(TokenRequest { format, auth_method: caller.chosen_method(), parameters })
    }

    /// What the document says, as earlier steps recorded it. It may be written by hand: a member that could steer the
    /// request in another way is an error.
    pub fn from_document(document: &Document) -> Result<TokenRequest, Error> {
        let auth_method = remembered_method(document)?;
        let Some(member) = document.object(TOKEN_REQUEST)? else { return Ok(TokenRequest::default()) };
        let format = match member.text("format")?.map(|name| Format::from_str(&name, false)) {
            Some(Err(_)) => return Err(member.wrong("format", "must be form or json")),
            format => format.and_then(Result::ok),
        };
        let mut parameters = BTreeMap::new();
        let given = member.object("parameters")?.unwrap_or_default();
        for name in given.names() {
            let value = given.need(name)?;
            if let Some(wrong) = parameter::fault(name, &value) {
                return Err(given.wrong(name, wrong));
            }
            if parameter::is_other_client(name, &value, document)? {
                return Err(given.wrong(name, parameter::OTHER_CLIENT));
            }
            parameters.insert(name.to_owned(), value);
        }
        Ok(TokenRequest { format, auth_method, parameters })
    }

    /// The request with what the options say, which override this.
    pub fn with(mut self, options: &TokenRequest) -> TokenRequest {
        self.format = options.format.or(self.format);
        self.auth_method = options.auth_method.or(self.auth_method);
        self.parameters.extend(options.parameters.clone());
        self
    }

    /// Fails for a parameter that would name another client than the document's: status 2.
    pub fn check_client(&self, document: &Document) -> Result<(), Error> {
        parameter::check_client(&self.parameters, document)
    }

    /// Records it in the document for the next refresh; what is the default anyway is left out.
    pub fn record(&self, document: &mut Document) -> Result<(), Error> {
        let mut member = document.object(TOKEN_REQUEST)?.unwrap_or_default();
        member.remove(&MEMBERS);
        if self.format == Some(Format::Json) {
            member.set("format", "json");
        }
        let method = self.auth_method.map(AuthMethod::name);
        if method != document.text("token_endpoint_auth_method")? {
            member.set_given("auth_method", method.as_deref());
        }
        let mut parameters = Document::default();
        for (name, value) in &self.parameters {
            parameters.set(name, value);
        }
        if !self.parameters.is_empty() {
            member.set_object("parameters", &parameters)?;
        }
        document.remove(&[TOKEN_REQUEST]);
        if member.names().next().is_some() {
            document.set_object(TOKEN_REQUEST, &member)?;
        }
        Ok(())
    }

    /// The format of the body.
    pub fn format(&self) -> Format {
        self.format.unwrap_or(Format::Form)
    }

    /// The scope to request, if any.
    pub fn scope(&self) -> Option<&str> {
        self.parameters.get("scope").map(String::as_str)
    }

    /// The parameters to add.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// The members of `token_request`.
const MEMBERS: [&str; 3] = ["auth_method", "format", "parameters"];
