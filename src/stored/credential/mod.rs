//! What programs read from a credential helper: a token in the form that each of them expects.

mod host;
mod request;

use std::time::{Duration, UNIX_EPOCH};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use zeroize::Zeroizing;

use super::refresh::Login;
use super::token::{Credential, Token};
use crate::document::Document;
use crate::error::Error;
use crate::id_token::jws;
use crate::message;
use host::{Host, Server};
use request::{Request, Target};

/// Text that is wiped when dropped.
type Text = Zeroizing<String>;

/// How a program requests a token, and the response that it expects.
pub struct Format {
    name: &'static str,
    request: fn(&[String]) -> Result<Request, Error>,
    hosts: Hosts,
    has_username: bool,
    response: fn(&Credential, &Target, &Helper) -> Result<Text, Error>,
}

/// What a credential helper is to do.
enum Action {
    /// Respond with the token.
    Respond(Target),
    /// Expire this token, which a server refused.
    Expire(Text),
    /// Print this text, and end with this status.
    Print(Text, u8),
}

/// What `--host` is for.
enum Hosts {
    /// Nothing, since the program does not say where the token goes.
    Unused,
    /// The program is told for which hosts the token is.
    Told,
    /// The program names the server; for another host it gets this.
    Named(Elsewhere),
}

/// What a program gets that requests a token for another host.
enum Elsewhere {
    /// This text, and this exit status.
    Response(&'static str, u8),
    /// An error.
    Error,
}

/// The table of the formats.
static FORMATS: [Format; 11] = [
    // gitcredentials(7): git then tries its other helpers, and prompts the user.
    Format {
        name: "git",
        request: request::git,
        hosts: Hosts::Named(Elsewhere::Response("", 0)),
        has_username: true,
        response: git,
    },
    // https://kubernetes.io/docs/reference/config-api/client-authentication.v1/
    Format {
        name: "kubernetes",
        request: request::none,
        hosts: Hosts::Unused,
        has_username: false,
        response: kubernetes,
    },
    // https://github.com/docker/docker-credential-helpers: the text is part of the protocol.
    Format {
        name: "docker",
        request: request::docker,
        hosts: Hosts::Named(Elsewhere::Response("credentials not found in native keychain", 1)),
        has_username: true,
        response: docker,
    },
    // https://doc.rust-lang.org/cargo/reference/registry-authentication.html#cargotoken-from-stdout-command-args
    Format {
        name: "cargo",
        request: request::cargo,
        hosts: Hosts::Named(Elsewhere::Error),
        has_username: false,
        response: bearer,
    },
    // https://github.com/EngFlow/credential-helper-spec
    Format {
        name: "bazel",
        request: request::bazel,
        hosts: Hosts::Named(Elsewhere::Response(r#"{"headers":{}}"#, 0)),
        has_username: false,
        response: bazel,
    },
    // https://developer.hashicorp.com/terraform/internals/credentials-helpers
    Format {
        name: "terraform",
        request: request::terraform,
        hosts: Hosts::Named(Elsewhere::Response("{}", 0)),
        has_username: false,
        response: terraform,
    },
    // https://google.aip.dev/auth/4117, "executable-sourced"
    Format { name: "gcp", request: request::none, hosts: Hosts::Unused, has_username: false, response: gcp },
    Format { name: "headers", request: request::none, hosts: Hosts::Unused, has_username: false, response: headers },
    Format { name: "netrc", request: request::none, hosts: Hosts::Told, has_username: true, response: netrc },
    // curl(1), --config and --oauth2-bearer, which it sends over HTTP, IMAP, POP3, SMTP and LDAP.
    Format { name: "curl", request: request::none, hosts: Hosts::Unused, has_username: false, response: curl },
    Format { name: "bearer", request: request::none, hosts: Hosts::Unused, has_username: false, response: bearer },
];

impl Format {
    /// Parses the name of a format.
    pub fn parser() -> impl TypedValueParser<Value = &'static Format> {
        let names = PossibleValuesParser::new(FORMATS.each_ref().map(|format| format.name));
        names.try_map(|name| FORMATS.iter().find(|format| format.name == name).ok_or("not a format"))
    }
}

/// The options of a credential helper.
#[derive(clap::Args)]
pub struct Options {
    /// Print what this program reads from a credential helper
    #[arg(long = "as", value_name = "FORMAT", value_parser = Format::parser())]
    #[arg(conflicts_with_all = ["command", "header", "raw"])]
    format: Option<&'static Format>,
    /// With --as: a host to which the token may be sent; may be repeated
    #[arg(long, value_name = "HOST[:PORT]", value_parser = Host::parse, requires = "format")]
    host: Vec<Host>,
    /// With --as git, docker or netrc: the user name beside the token [default: oauth2]
    #[arg(long, value_name = "USERNAME", value_parser = username, requires = "format")]
    username: Option<String>,
    /// With --as: what the program adds, such as get
    #[arg(value_name = "OPERATION", requires = "format")]
    operation: Vec<String>,
}

impl Options {
    /// Whether a program is responded to.
    pub fn is_helper(&self) -> bool {
        self.format.is_some()
    }

    /// The helper that the options describe; `None` without `--as`.
    pub fn helper(&self) -> Result<Option<Helper<'_>>, Error> {
        self.format.map(|format| Helper::new(format, self)).transpose()
    }
}

/// A credential helper for one program.
pub struct Helper<'a> {
    format: &'static Format,
    hosts: &'a [Host],
    username: Option<&'a str>,
    operation: &'a [String],
}

impl<'a> Helper<'a> {
    fn new(format: &'static Format, options: &'a Options) -> Result<Helper<'a>, Error> {
        let (hosts, username) = (options.host.as_slice(), options.username.as_deref());
        let wrong = |option: &str, wrong: &str| Err(Error::usage(format!("{option}: {wrong} --as {}", format.name)));
        match format.hosts {
            Hosts::Told if hosts.iter().any(Host::has_port) => {
                return Err(Error::usage("--host: netrc cannot hold a port"));
            }
            Hosts::Unused if !hosts.is_empty() => return wrong("--host", "not used with"),
            Hosts::Told | Hosts::Named(_) if hosts.is_empty() => return wrong("--host", "required with"),
            _ => {}
        }
        if username.is_some() && !format.has_username {
            return wrong("--username", "not used with");
        }
        Ok(Helper { format, hosts, username, operation: &options.operation })
    }

    /// The response to the program, which may be empty, and the exit status.
    pub fn respond(&self, login: &Login) -> Result<(Text, u8), Error> {
        // The operation stands in the place of a name that is missing.
        let is_nameless = self.operation.is_empty() && OPERATIONS.contains(&login.name.as_str());
        let action = self.action();
        match action.map_err(|error| if is_nameless { Error::usage(NO_NAME) } else { error })? {
            Action::Print(text, status) => Ok((text, status)),
            Action::Expire(refused) => login.expire(&refused).map(|()| (Text::default(), 0)),
            Action::Respond(target) => {
                // A program may read both streams as one.
                message::suppress_notes();
                Ok(((self.format.response)(&login.credential()?, &target, self)?, 0))
            }
        }
    }

    /// What to do for the program. For a server that is none of the hosts, that is nothing.
    fn action(&self) -> Result<Action, Error> {
        let request = (self.format.request)(self.operation)?;
        if let (Hosts::Named(elsewhere), Request::Token(target) | Request::Refused(target, _)) =
            (&self.format.hosts, &request)
            && !target.server.as_ref().is_some_and(|server| server.is_one_of(self.hosts))
        {
            let why = target.server.as_ref().and_then(|server| self.why_not(server));
            return match elsewhere {
                Elsewhere::Response(text, status) => {
                    if let (Request::Token(_), Some(why)) = (&request, why) {
                        message::note(&format!("{why}: no token is printed"));
                    }
                    Ok(Action::Print(Text::new((*text).to_owned()), *status))
                }
                Elsewhere::Error => {
                    let host = target.server.as_ref().map_or("", Server::authority);
                    Err(Error::refused(why.unwrap_or_else(|| format!("--host does not name {host}"))))
                }
            };
        }
        Ok(match request {
            Request::Token(target) => Action::Respond(target),
            Request::Refused(_, token) => Action::Expire(token),
            Request::List => Action::Print(self.list(), 0),
            Request::Ignored => Action::Print(Text::default(), 0),
        })
    }

    /// Why a server has no token whose name is that of one of the hosts.
    fn why_not(&self, server: &Server) -> Option<String> {
        let authority = server.authority();
        let host = server.named_by(self.hosts)?;
        Some(if server.is_plain() {
            format!("{authority}: {PLAIN_HTTP}")
        } else {
            format!("--host names {}, not {authority}", host.as_str())
        })
    }

    /// The hosts, each with the user name.
    fn list(&self) -> Text {
        let mut list = Document::default();
        for host in self.hosts {
            list.set(host.as_str(), self.username(&Target::default()));
        }
        line(&list)
    }

    /// The user name that goes with the token: the program's, the option's, or one that servers ignore.
    fn username<'b>(&'b self, target: &'b Target) -> &'b str {
        target.username.as_deref().or(self.username).unwrap_or("oauth2")
    }
}

/// Parses a `--username`: what HTTP Basic and netrc can hold.
fn username(text: &str) -> Result<String, String> {
    if text.is_empty() || !text.bytes().all(|octet| octet.is_ascii_graphic() && !b":\"#\\".contains(&octet)) {
        return Err("must be one or more visible ASCII characters, without colon, quote, # and backslash".to_owned());
    }
    Ok(text.to_owned())
}

/// git-credential(1). A password is what all of its versions and most servers know.
fn git(credential: &Credential, target: &Target, helper: &Helper) -> Result<Text, Error> {
    let token = credential.text.as_str();
    let sent = if target.takes_bearer {
        // No other helper stores it.
        format!("capability[]=authtype\nauthtype=Bearer\ncredential={token}\nephemeral=1")
    } else {
        format!("username={}\npassword={token}", helper.username(target))
    };
    let sent = Zeroizing::new(sent);
    let expiry = credential.expires_at.map(|seconds| format!("\npassword_expiry_utc={seconds}"));
    Ok(Zeroizing::new(format!("{}{}", *sent, expiry.unwrap_or_default())))
}

fn kubernetes(credential: &Credential, _: &Target, _: &Helper) -> Result<Text, Error> {
    let mut status = Document::default();
    status.set("token", &credential.text);
    status.set_given("expirationTimestamp", credential.expires_at.and_then(timestamp).as_deref());
    let mut response = Document::default();
    response.set("apiVersion", "client.authentication.k8s.io/v1");
    response.set("kind", "ExecCredential");
    response.set_object("status", &status)?;
    Ok(line(&response))
}

fn docker(credential: &Credential, target: &Target, helper: &Helper) -> Result<Text, Error> {
    let mut response = Document::default();
    response.set("ServerURL", &target.server_url);
    response.set("Username", helper.username(target));
    response.set("Secret", &credential.text);
    Ok(line(&response))
}

fn bazel(credential: &Credential, target: &Target, helper: &Helper) -> Result<Text, Error> {
    let mut headers = Document::default();
    headers.set_list("Authorization", &[bearer(credential, target, helper)?]);
    let mut response = Document::default();
    response.set_object("headers", &headers)?;
    response.set_given("expires", credential.expires_at.and_then(timestamp).as_deref());
    Ok(line(&response))
}

fn terraform(credential: &Credential, _: &Target, _: &Helper) -> Result<Text, Error> {
    let mut response = Document::default();
    response.set("token", &credential.text);
    Ok(line(&response))
}

/// The program exchanges a token that it can verify itself: an ID token, or another JSON Web Token.
fn gcp(credential: &Credential, _: &Target, _: &Helper) -> Result<Text, Error> {
    let is_id_token = credential.token == Token::Id;
    if !is_id_token && jws::unverified_claims(&credential.text).is_err() {
        return Err(unusable(credential, "not a JSON Web Token, which --as gcp requires").hint("add --id-token"));
    }
    let kind = if is_id_token { "id_token" } else { "jwt" };
    let mut response = Document::default();
    response.set_number("version", 1);
    response.set_flag("success", true);
    response.set("token_type", &format!("urn:ietf:params:oauth:token-type:{kind}"));
    response.set("id_token", &credential.text);
    if let Some(seconds) = credential.expires_at {
        response.set_number("expiration_time", seconds);
    }
    Ok(line(&response))
}

fn headers(credential: &Credential, target: &Target, helper: &Helper) -> Result<Text, Error> {
    let mut response = Document::default();
    response.set("Authorization", &bearer(credential, target, helper)?);
    Ok(line(&response))
}

/// One line for each host, which the format writes without port and brackets. Not all programs read quotes alike.
fn netrc(credential: &Credential, target: &Target, helper: &Helper) -> Result<Text, Error> {
    let token = credential.text.as_str();
    if token.contains([' ', '"', '#', '\\']) {
        return Err(unusable(credential, "contains a character that netrc cannot hold"));
    }
    let username = helper.username(target);
    let lines: Vec<Text> = helper
        .hosts
        .iter()
        .map(|host| {
            Zeroizing::new(format!(
                "machine {} login {username} password {token}",
                host.name().trim_matches(['[', ']']).to_ascii_lowercase()
            ))
        })
        .collect();
    let lines: Vec<&str> = lines.iter().map(|line| line.as_str()).collect();
    Ok(Zeroizing::new(lines.join("\n")))
}

fn curl(credential: &Credential, _: &Target, _: &Helper) -> Result<Text, Error> {
    let quoted = Zeroizing::new(credential.text.replace('\\', "\\\\").replace('"', "\\\""));
    Ok(Zeroizing::new(format!("oauth2-bearer = \"{}\"", *quoted)))
}

/// The value of the header `Authorization` (RFC 6750 section 2.1).
fn bearer(credential: &Credential, _: &Target, _: &Helper) -> Result<Text, Error> {
    Ok(Zeroizing::new(format!("Bearer {}", *credential.text)))
}

/// The error about a token that a format cannot hold: status 2.
fn unusable(credential: &Credential, wrong: &str) -> Error {
    let member = credential.token.member();
    Error::usage(format!("{member}: {wrong}")).about(member)
}

fn line(response: &Document) -> Text {
    Zeroizing::new(response.line().trim_end().to_owned())
}

/// The time in the format of RFC 3339; `None` after the year 9999, which that cannot express.
fn timestamp(seconds: u64) -> Option<String> {
    let time = UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
    (seconds <= LAST_SECOND).then(|| humantime::format_rfc3339_seconds(time).to_string())
}

/// The last second of the year 9999, in Unix seconds.
const LAST_SECOND: u64 = 253_402_300_799;

/// What programs add as their operation.
const OPERATIONS: [&str; 5] = ["get", "store", "erase", "list", "forget"];

const NO_NAME: &str = "NAME: missing before the operation";

const PLAIN_HTTP: &str = "plain http is allowed only to this machine";
