//! The redirect back: RFC 6749 section 4.1.2, RFC 9207, RFC 8252 section 7.3.

mod browser;
mod listener;
mod page;
mod terminal;
mod wait;

use std::path::PathBuf;
use std::time::Duration;

use crate::url::Url;
use crate::{Document, Error, authorize, endpoint, form, metadata, tool};

/// How the code is to be got.
pub struct Options {
    /// In how long a time.
    pub timeout: Duration,
    /// From a file that a script writes.
    pub response_file: Option<PathBuf>,
    /// From the terminal alone.
    pub paste: bool,
    /// Without a browser being opened.
    pub no_browser: bool,
    /// A pasted code without a state is enough.
    pub allow_bare_code: bool,
}

/// Gets the code of the document's authorization request, and adds it.
pub fn receive(mut document: Document, options: &Options) -> Result<Document, Error> {
    let request = authorization_url(&document)?;
    let redirect_uri = authorize::redirect_uri(&document)?;
    let loopback = Url::parse("redirect_uri", &redirect_uri).ok().filter(Url::is_loopback);
    let listens = !options.paste && options.response_file.is_none();
    if !listens && loopback.as_ref().is_some_and(|url| url.port() == Some(0)) {
        let error = Error::member("redirect_uri", "port 0 is for a listener, and there is none here");
        return Err(error.hint("name a port: pkce-url --redirect-uri http://127.0.0.1:8080/callback"));
    }
    let mut expected = Expected::of(&document, redirect_uri, options.allow_bare_code)?;
    let mut wait = wait::Wait::new(options.timeout)?;
    if let Some(file) = &options.response_file {
        wait.read(file)?;
    } else if options.paste {
        wait.ask()?;
    } else {
        let Some(url) = loopback else {
            let error = Error::member("redirect_uri", "not on this machine, so nothing can listen there");
            return Err(error.hint("--paste asks for the address that the browser ends up at"));
        };
        let port = wait.listen(&url)?;
        if url.port() == Some(0) {
            let bound = with_port(&expected.redirect_uri, port);
            let opened = with_redirect_uri(request.as_str(), &expected.redirect_uri, &bound)?;
            document.set("redirect_uri", &bound);
            document.set("authorization_url", &opened);
            expected.redirect_uri = bound;
        }
        wait.accept_paste();
    }
    let opened = document.need("authorization_url")?;
    tool::say(&format!("{}: to log in, open this URL in a browser:\n{opened}", tool::name()));
    if options.response_file.is_none() && !options.no_browser {
        wait.open(&opened)?;
    }
    let (code, iss) = wait.until_redirect(&expected)?;
    document.set("code", &code);
    document.set_given("iss", iss.as_deref());
    Ok(document)
}

/// What the redirect of this login must bring.
pub struct Expected {
    redirect_uri: String,
    state: String,
    issuer: Option<String>,
    iss_required: bool,
    allow_bare_code: bool,
}

/// What a redirect turns out to be.
pub enum Outcome {
    /// It does not belong to this login: a reason in words, and the wait goes on.
    Ignored(&'static str),
    /// The code, and the issuer where the redirect names it.
    Code(String, Option<String>),
    /// It belongs to this login, and ends it.
    Failed(Error),
}

impl Expected {
    fn of(document: &Document, redirect_uri: String, allow_bare_code: bool) -> Result<Expected, Error> {
        let state = document.need("state")?;
        if state.is_empty() {
            return Err(Error::member("state", "must not be empty"));
        }
        let issuer = document.text("issuer")?;
        if issuer.is_none() {
            tool::note("the document has no issuer, so it cannot be checked whose redirect this will be");
        }
        Ok(Expected {
            redirect_uri,
            state,
            issuer,
            iss_required: document.flag("authorization_response_iss_parameter_supported")?,
            allow_bare_code,
        })
    }

    /// The redirect with this query.
    pub fn outcome(&self, query: &str) -> Outcome {
        let values = |name: &str| -> Vec<Option<String>> {
            form::pairs(query)
                .filter(|(other, _)| form::decode(other).as_deref() == Some(name))
                .map(|(_, value)| form::decode(value))
                .collect()
        };
        match values("state").as_slice() {
            [Some(state)] if *state == self.state => {}
            [] => return Outcome::Ignored("it has no state"),
            _ => return Outcome::Ignored("it has another state"),
        }
        let iss = match values("iss").as_slice() {
            [] => None,
            [Some(iss)] => Some(iss.clone()),
            _ => return failed("iss: there twice, or not readable"),
        };
        if let Err(error) = self.check_iss(iss.as_deref()) {
            return Outcome::Failed(error);
        }
        match (values("error").as_slice(), values("code").as_slice()) {
            ([Some(code)], []) => {
                let about = |name| values(name).into_iter().next().flatten().filter(|text| !text.is_empty());
                Outcome::Failed(refusal(code, about("error_description"), about("error_uri")))
            }
            ([], [Some(code)]) if code.is_empty() || !form::is_visible(code) => {
                failed("code: must be visible ASCII characters, one at least")
            }
            ([], [Some(_)]) if MIXED.iter().any(|name| !values(name).is_empty()) => {
                failed("there are tokens in it, which only the token endpoint may give")
            }
            ([], [Some(code)]) => Outcome::Code(code.clone(), iss),
            ([], []) => failed("code: missing"),
            ([], _) => failed("code: there twice, or not readable"),
            _ => failed("error: beside a code, or not readable"),
        }
    }

    /// The redirect that a person pasted: its URL, its query, `CODE#STATE`, or the code where that is allowed.
    fn pasted(&self, text: &str) -> Outcome {
        let text = text.trim_matches(|character: char| character.is_whitespace() || "\"'<>".contains(character));
        if let Some((before, after)) = text.split_once('?') {
            let same = before == self.redirect_uri || before.strip_suffix('/') == Some(&self.redirect_uri);
            if !before.is_empty() && !same {
                return Outcome::Ignored("it is not the address that this login leads back to");
            }
            return self.outcome(after.split('#').next().unwrap_or_default());
        }
        if text.contains('=') && text.contains('&') {
            return self.outcome(text);
        }
        if let Some((code, state)) = text.split_once('#').filter(|(before, _)| !before.contains("://")) {
            return self.outcome(&form::encoded([("code", code), ("state", state)]));
        }
        if text.is_empty() || text.contains("://") || !text.bytes().all(|octet| octet.is_ascii_graphic()) {
            return Outcome::Ignored("it has no code");
        }
        if self.allow_bare_code {
            tool::note("a bare code: its state and issuer could not be checked");
            return Outcome::Code(text.to_owned(), None);
        }
        Outcome::Ignored("it is a code without its state; paste the whole address (or use --allow-bare-code)")
    }

    /// `iss` is the issuer that was asked, to the letter (RFC 9207 section 2.4).
    fn check_iss(&self, iss: Option<&str>) -> Result<(), Error> {
        match (&self.issuer, iss) {
            (Some(issuer), Some(iss)) if issuer != iss => Err(untrusted("iss: not the issuer that was asked")),
            (_, None) if self.iss_required => Err(untrusted("iss: missing, and the server says that it sends it")),
            _ => Ok(()),
        }
    }
}

/// The URL to open: safe to open, and pushed where the server wants that (RFC 9126 section 5).
fn authorization_url(document: &Document) -> Result<Url, Error> {
    let url = metadata::endpoint(document, "authorization_url")?;
    let pushed = form::pairs(url.query().unwrap_or_default()).any(|(name, _)| name == "request_uri");
    if document.flag("require_pushed_authorization_requests")? && !pushed {
        let error = Error::member("authorization_url", "the server takes only requests that were pushed to it");
        return Err(error.hint("put pkce-push between pkce-url and pkce-callback"));
    }
    Ok(url)
}

/// The error that the server's redirect tells.
fn refusal(code: &str, description: Option<String>, uri: Option<String>) -> Error {
    let mut error = endpoint::refusal(code);
    error.report.message = match &description {
        Some(description) => format!("authorization endpoint: {code}: {description}"),
        None => format!("authorization endpoint: {code}"),
    };
    error.report.error_description = description;
    error.report.error_uri = uri;
    error
}

fn failed(wrong: &str) -> Outcome {
    Outcome::Failed(untrusted(wrong))
}

fn untrusted(wrong: &str) -> Error {
    Error::untrusted(format!("redirect: {wrong}"))
}

/// The redirect URI with the port that was found for its port 0.
fn with_port(redirect_uri: &str, port: u16) -> String {
    redirect_uri.replacen(":0", &format!(":{port}"), 1)
}

/// The authorization URL with another redirect URI in place of `old`.
fn with_redirect_uri(url: &str, old: &str, new: &str) -> Result<String, Error> {
    let (endpoint, query) = url.split_once('?').unwrap_or((url, ""));
    let mut found = false;
    let pairs: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some(("redirect_uri", value)) if form::decode(value).as_deref() == Some(old) => {
                found = true;
                format!("redirect_uri={}", form::encode(new))
            }
            _ => pair.to_owned(),
        })
        .collect();
    match found {
        true => Ok(format!("{endpoint}?{}", pairs.join("&"))),
        false => {
            let error = Error::member("authorization_url", "does not have the document's redirect_uri with its port 0");
            Err(error.hint("a pushed request needs a port: pkce-url --redirect-uri http://127.0.0.1:8080/callback"))
        }
    }
}

/// What belongs to other flows, and may not come with a code.
const MIXED: [&str; 3] = ["access_token", "id_token", "response"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn puts_the_port_it_found_into_both_places() {
        let old = "http://[::1]:0/a:0";
        let new = with_port(old, 4711);
        assert_eq!(new, "http://[::1]:4711/a:0");
        let url = format!("https://a.b/c?x=1&redirect_uri={}&y", form::encode(old));
        let expected = format!("https://a.b/c?x=1&redirect_uri={}&y", form::encode(&new));
        assert_eq!(with_redirect_uri(&url, old, &new).ok(), Some(expected));
        assert!(with_redirect_uri("https://a.b/c", old, &new).is_err());
    }

    #[test]
    fn reads_what_a_person_may_paste() {
        let expected = |allow_bare_code| Expected {
            redirect_uri: "https://app.example/callback".to_owned(),
            state: "st".to_owned(),
            issuer: None,
            iss_required: false,
            allow_bare_code,
        };
        let code = |text: &str, allow_bare_code| match expected(allow_bare_code).pasted(text) {
            Outcome::Code(code, _) => code,
            Outcome::Ignored(_) => "ignored".to_owned(),
            Outcome::Failed(_) => "failed".to_owned(),
        };
        assert_eq!(code("https://app.example/callback?code=a&state=st", false), "a");
        assert_eq!(code("  \"https://app.example/callback/?code=a&state=st#_=_\"\r", false), "a");
        assert_eq!(code("?code=a&state=st", false), "a");
        assert_eq!(code("code=a&state=st", false), "a");
        assert_eq!(code("a#st", false), "a");
        assert_eq!(code("a#other", false), "ignored");
        assert_eq!(code("https://evil.example/callback?code=a&state=st", false), "ignored");
        assert_eq!(code("https://app.example/callback?error=access_denied&state=st", false), "failed");
        assert_eq!(code("a", false), "ignored");
        assert_eq!(code("a", true), "a");
        assert_eq!(code("a b", true), "ignored");
        assert_eq!(code("", true), "ignored");
    }
}
