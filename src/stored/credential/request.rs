//! What programs request from a credential helper: the operation as an argument, the rest on standard input.

use zeroize::Zeroizing;

use super::host::Server;
use crate::document::Document;
use crate::error::Error;
use crate::process::{environment, input};
use crate::wire::www_authenticate::challenges;

/// What a program requests.
pub enum Request {
    /// The token.
    Token(Target),
    /// Nothing: this server refused this token.
    Refused(Target, Zeroizing<String>),
    /// The hosts that there is a token for.
    List,
    /// Nothing that has a response.
    Ignored,
}

/// The server that requires the token, and how it can be sent.
#[derive(Default)]
pub struct Target {
    /// The server; `None` if it is none to which a token is sent.
    pub server: Option<Server>,
    /// The server as docker names it.
    pub server_url: String,
    /// The user name, if the program knows one.
    pub username: Option<String>,
    /// Whether the token may be sent with the scheme Bearer.
    pub takes_bearer: bool,
}

/// A program that runs the command, and reads what it prints.
pub fn none(operation: &[String]) -> Result<Request, Error> {
    match operation {
        [] => Ok(Request::Token(Target::default())),
        _ => Err(Error::usage("OPERATION: not used with this format")),
    }
}

/// git-credential(1): `get`, `store` or `erase`, and attributes. Other operations are to be ignored.
pub fn git(operation: &[String]) -> Result<Request, Error> {
    let [operation] = operation else { return Err(wrong_operation("get, store or erase; git adds it")) };
    let is_erased = operation == "erase";
    if !is_erased && operation != "get" {
        return Ok(Request::Ignored);
    }
    let attributes = Attributes::from_stdin()?;
    let target = attributes.target()?;
    if !is_erased {
        return Ok(Request::Token(target));
    }
    // What is not UTF-8 is no token of ours.
    let token = ["credential", "password"].into_iter().find_map(|name| attributes.values(name).last());
    let token = token.and_then(|token| std::str::from_utf8(token).ok());
    Ok(token.map_or(Request::Ignored, |token| Request::Refused(target, Zeroizing::new(token.to_owned()))))
}

/// docker-credential-helpers: `get`, with the server on standard input. This login is neither stored nor erased by it.
pub fn docker(operation: &[String]) -> Result<Request, Error> {
    match operation.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["get"] => {}
        ["list"] => return Ok(Request::List),
        ["store"] => return Err(Error::usage(NOT_STORED)),
        ["erase"] => return Err(Error::usage(NOT_REMOVED)),
        _ => return Err(wrong_operation("get or list; docker adds it")),
    }
    let input = input::all()?;
    let name = std::str::from_utf8(&input).map_err(|_| malformed("not UTF-8"))?.trim();
    let server = Server::from_url(name, || malformed("not a host"))?;
    Ok(Request::Token(Target { server, server_url: name.to_owned(), ..Target::default() }))
}

/// Cargo's `cargo:token-from-stdout`: the registry's index is in the environment.
pub fn cargo(operation: &[String]) -> Result<Request, Error> {
    none(operation)?;
    let wrong = |wrong: &str| Error::usage(format!("{CARGO_INDEX}: {wrong}"));
    let index = environment::variable(CARGO_INDEX)
        .ok_or_else(|| wrong("not set").hint("to try it without cargo, set it to the URL of the index"))?;
    let server = Server::from_url(index.strip_prefix("sparse+").unwrap_or(&index), || wrong("not a URL with a host"))?;
    // There is no response for a server without a token.
    let server = server.ok_or_else(|| wrong("not an http or https URL without a user name"))?;
    Ok(Request::Token(Target { server: Some(server), ..Target::default() }))
}

/// The Credential Helper Specification of Bazel and others: `get`, with a URI on standard input.
pub fn bazel(operation: &[String]) -> Result<Request, Error> {
    if !matches!(operation, [operation] if operation == "get") {
        return Err(wrong_operation("get; bazel adds it"));
    }
    let request = Document::parse(&input::all()?).map_err(|wrong| malformed(&wrong))?;
    let uri = request.need("uri").map_err(|error| error.within(SUBJECT))?;
    if !uri.contains("://") {
        return Err(malformed("uri: not an absolute URI"));
    }
    Ok(Request::Token(Target {
        server: Server::from_url(&uri, || malformed("uri: not a URI with a host"))?,
        ..Target::default()
    }))
}

/// Terraform's credentials helper: `get` and a host.
pub fn terraform(operation: &[String]) -> Result<Request, Error> {
    match operation {
        [operation, host] if operation == "get" => {
            let server = Server::new("https", host, || Error::usage("OPERATION: not a host"))?;
            Ok(Request::Token(Target { server, ..Target::default() }))
        }
        [operation, ..] if operation == "store" => Err(Error::usage(NOT_STORED)),
        [operation, ..] if operation == "forget" => Err(Error::usage(NOT_REMOVED)),
        _ => Err(wrong_operation("get and a host; terraform adds them")),
    }
}

/// The attributes of git-credential(1), one a line. Only those that are used must be UTF-8.
struct Attributes(Vec<Zeroizing<Vec<u8>>>);

impl Attributes {
    fn from_stdin() -> Result<Attributes, Error> {
        let lines = input::lines()?;
        if !lines.iter().all(|line| line.contains(&b'=') && !line.contains(&0)) {
            return Err(malformed("not lines of KEY=VALUE"));
        }
        Ok(Attributes(lines))
    }

    /// The values of this attribute.
    fn values<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter_map(move |line| line.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
    }

    /// The values of this list since an empty one, which clears it.
    fn list<'a>(&'a self, name: &'static str) -> Vec<&'a [u8]> {
        let values: Vec<&[u8]> = self.values(name).collect();
        values.rsplit(|value| value.is_empty()).next().unwrap_or_default().to_vec()
    }

    /// The value of this attribute; the last one counts.
    fn value(&self, name: &'static str) -> Result<Option<&str>, Error> {
        let text = self.values(name).last().map(std::str::from_utf8).transpose();
        let text = text.map_err(|_| malformed(&format!("{name}: not UTF-8")))?;
        if text.is_some_and(|text| text.contains(char::is_control)) {
            return Err(malformed(&format!("{name}: contains a control character")));
        }
        Ok(text)
    }

    fn needed(&self, name: &'static str) -> Result<&str, Error> {
        self.value(name)?.ok_or_else(|| malformed(&format!("{name}: missing")))
    }

    fn target(&self) -> Result<Target, Error> {
        let (protocol, host) = (self.needed("protocol")?, self.needed("host")?);
        if protocol.is_empty() {
            return Err(malformed("protocol: empty"));
        }
        Ok(Target {
            server: Server::new(protocol, host, || malformed("host: not a host"))?,
            username: self.value("username")?.filter(|name| !name.is_empty()).map(str::to_owned),
            takes_bearer: self.list("capability[]").contains(&b"authtype".as_slice())
                && self.is_challenged_for_bearer(),
            ..Target::default()
        })
    }

    /// Whether the server's challenges name Bearer. Without any, it may take a token so.
    fn is_challenged_for_bearer(&self) -> bool {
        let lines: Vec<_> = self.list("wwwauth[]").into_iter().map(String::from_utf8_lossy).collect();
        let is_bearer = |scheme: &str| scheme.eq_ignore_ascii_case("Bearer");
        let names_bearer = |line: &str| match challenges(line) {
            Some(challenges) => challenges.iter().any(|challenge| is_bearer(&challenge.scheme)),
            // Some servers do not quote the values of parameters.
            None => line.split_whitespace().next().is_some_and(is_bearer),
        };
        lines.is_empty() || lines.iter().any(|line| names_bearer(line))
    }
}

fn wrong_operation(expected: &str) -> Error {
    Error::usage(format!("OPERATION: must be {expected}"))
}

fn malformed(wrong: &str) -> Error {
    Error::usage(format!("{SUBJECT}: {wrong}"))
}

const NOT_STORED: &str = "OPERATION: not supported: a login that ends in pkce-store stores the token";

const NOT_REMOVED: &str = "OPERATION: not supported: pkce-store --remove NAME removes the stored login";

const SUBJECT: &str = "standard input";

/// The variable in which cargo gives a credential provider the URL of the registry's index.
const CARGO_INDEX: &str = "CARGO_REGISTRY_INDEX_URL";
