//! A strict authorization server for one machine: RFC 6749, RFC 7636, RFC 9207, OpenID Connect Core. For tests alone:
//! whoever asks is let in by any name, and nothing is kept.

mod api;
mod authorization_request;
mod body;
mod clients;
mod clock;
mod code_challenge;
mod endpoints;
mod faults;
mod grants;
mod inside;
mod keys;
mod laxity;
mod members;
mod pages;
mod parameters;
mod person;
mod refusal;
mod response;
mod server;
mod visit;

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::pkce;
use crate::document::Document;
use crate::error::Error;
use crate::message;
use crate::wire::form;
use crate::wire::request::Request;

pub use faults::{Fault, list as faults};
pub use inside::run as run_inside;
pub use keys::Alg;
pub use visit::visit;

use api::RESOURCE;
use authorization_request::AuthorizationRequest;
use body::Body;
use clients::Clients;
use clock::now;
use faults::{Effect, Faults, Place};
use grants::Grants;
use keys::Keys;
use laxity::{Laxities, Laxity};
use parameters::Parameters;
use person::Person;
use response::Response;

/// How the server is set up.
pub struct Setup {
    /// The port; 0 is any free one.
    pub port: u16,
    /// Whether everybody is logged in and agrees without being asked.
    pub auto_approve: bool,
    /// What follows the host in the issuer: empty, `/`, or a path.
    pub issuer_path: String,
    /// Redirect URIs beside those on this machine.
    pub redirect_uris: Vec<String>,
    /// What ID tokens are signed with.
    pub alg: Alg,
    /// After how long a new key signs.
    pub rotate_keys: Option<Duration>,
    /// What it does wrong.
    pub faults: Vec<Fault>,
}

/// A server that listens, and does not respond yet.
pub struct Idp {
    listener: TcpListener,
    service: Service,
}

impl Idp {
    /// Listens on loopback, with keys made just now.
    pub fn bind(setup: Setup) -> Result<Idp, Error> {
        let path = &setup.issuer_path;
        let whole = path.is_empty() || (path.starts_with('/') && path.bytes().all(|octet| octet.is_ascii_graphic()));
        if !whole || path.contains(['?', '#']) {
            return Err(Error::usage("--issuer-path: must begin with / and be a path alone"));
        }
        let listener = TcpListener::bind(("127.0.0.1", setup.port));
        let bound = listener.and_then(|listener| Ok((listener.local_addr()?.port(), listener)));
        let (port, listener) = bound
            .map_err(|error| Error::unavailable(format!("127.0.0.1:{}: {}", setup.port, message::reason(&error))))?;
        let mut redirect_uris = REDIRECTS.map(str::to_owned).to_vec();
        redirect_uris.extend(setup.redirect_uris);
        let authority = format!("127.0.0.1:{port}");
        let faults = Faults::new(setup.faults);
        let lax = faults.laxities();
        let grants = Grants::new(lax.clone());
        let service = Service {
            issuer: format!("http://{authority}{path}"),
            base: format!("http://{authority}{}", path.trim_end_matches('/')),
            root: path.trim_end_matches('/').to_owned(),
            authority,
            auto_approve: setup.auto_approve,
            keys: Keys::new(setup.alg, setup.rotate_keys)?,
            faults,
            lax,
            state: Mutex::new(State { clients: Clients::with(CLIENT_ID, redirect_uris), grants, ..State::default() }),
        };
        Ok(Idp { listener, service })
    }

    /// What a client must know: the metadata, a `client_id`, a `redirect_uri`.
    pub fn document(&self) -> Result<Document, Error> {
        let metadata = self.service.metadata().to_string();
        let mut document = Document::parse(metadata.as_bytes()).map_err(Error::usage)?;
        document.set("client_id", CLIENT_ID);
        document.set("redirect_uri", "http://127.0.0.1:0/callback");
        Ok(document)
    }

    /// Answers until the process ends.
    pub fn serve(&self) -> ! {
        server::serve(&self.listener, &self.service)
    }
}

struct Service {
    /// As the metadata and the tokens name it.
    issuer: String,
    /// Before the path of each endpoint.
    base: String,
    /// The path of the base.
    root: String,
    authority: String,
    auto_approve: bool,
    keys: Keys,
    faults: Faults,
    lax: Laxities,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    clients: Clients,
    grants: Grants,
    /// Authorization requests that were pushed, by their `request_uri`.
    pushed: HashMap<String, Pushed>,
    /// Authorization requests that a person is asked about.
    asked: HashMap<String, Asked>,
    /// Who is logged in, by the browser's cookie.
    sessions: HashMap<String, Person>,
}

struct Pushed {
    parameters: Parameters,
    until: Instant,
}

struct Asked {
    authorization: AuthorizationRequest,
    person: Option<Person>,
}

impl Service {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The response to a request, and what is wrong with it.
    fn respond(&self, request: &Request, octets: &[u8]) -> Response {
        let host = request.header("Host").unwrap_or_default();
        if host.replacen("localhost:", "127.0.0.1:", 1) != self.authority {
            return Response::written(pages::problem(421, "That is not this server's name."));
        }
        let body = Body::parse(request, octets);
        let endpoint = self.endpoint(request);
        let mut faults = endpoint.map(|place| self.faults.strike(place)).unwrap_or_default();
        if endpoint == Some(Place::Token) && body.parameter("grant_type") == Some("refresh_token") {
            faults.extend(self.faults.strike(Place::Refresh));
        }
        if let Some(response) = faults.iter().find_map(|fault| fault.instead(&body)) {
            return response;
        }
        let response = self.route(request, endpoint, body, &faults);
        if response.is_redirect() {
            faults.extend(self.faults.strike(Place::Redirect));
        }
        faults.iter().fold(response, |response, fault| fault.damaged(response))
    }

    /// The endpoint that this is a request for; none for a page, and for what is no endpoint.
    fn endpoint(&self, request: &Request) -> Option<Place> {
        // RFC 8414 and RFC 9728 put their well-known part before the path; everything else comes after it.
        if request.path == self.resource_metadata_path() {
            return Some(Place::Resource);
        }
        if request.path == format!("/.well-known/oauth-authorization-server{}", self.root) {
            return Some(Place::Metadata);
        }
        match self.path(request) {
            "/.well-known/openid-configuration" => Some(Place::Metadata),
            "/authorize" => Some(Place::Authorization),
            "/token" => Some(Place::Token),
            "/revoke" => Some(Place::Revocation),
            "/par" => Some(Place::Push),
            "/register" => Some(Place::Registration),
            "/jwks" => Some(Place::Keys),
            _ => None,
        }
    }

    /// The path below the issuer's own; `//` is read as `/`.
    fn path<'a>(&self, request: &'a Request) -> &'a str {
        let path = request.path.strip_prefix(&self.root).unwrap_or_default();
        path.strip_prefix('/').filter(|path| path.starts_with('/')).unwrap_or(path)
    }

    fn route(&self, request: &Request, endpoint: Option<Place>, body: Body, faults: &[Effect]) -> Response {
        match (request.method.as_str(), endpoint, self.path(request)) {
            ("GET", Some(Place::Metadata), _) => Response::json(200, &self.metadata()),
            ("GET", Some(Place::Resource), _) => Response::json(200, &self.resource_metadata()),
            ("GET", Some(Place::Keys), _) => {
                self.keys.jwks().map_or_else(|_| Response::server_error(), |keys| Response::json(200, &keys))
            }
            ("GET", Some(Place::Authorization), _) => self.authorize(Parameters::of_form(&request.query), request),
            ("POST", Some(Place::Authorization), _) => self.authorize(body.form(), request),
            ("POST", Some(Place::Token), _) => self.token(request, body, faults),
            ("POST", Some(Place::Revocation), _) => self.revoke(request, body),
            ("POST", Some(Place::Push), _) => self.push(request, body),
            ("POST", Some(Place::Registration), _) => self.register(body),
            ("POST", None, "/login") => self.login(body),
            ("POST", None, "/consent") => self.consent(body),
            ("GET", None, "/userinfo") => self.userinfo(request),
            ("GET" | "POST", None, RESOURCE) => self.resource(request),
            (_, Some(_), _) | (_, None, "/login" | "/consent" | "/userinfo" | RESOURCE) => {
                Response::written(pages::problem(405, "That is not how this is asked for."))
            }
            _ => Response::written(pages::problem(404, "There is nothing here.")),
        }
    }

    fn metadata(&self) -> Value {
        let at = |path: &str| format!("{}/{path}", self.base);
        json!({
            "issuer": self.issuer,
            "authorization_endpoint": at("authorize"),
            "token_endpoint": at("token"),
            "jwks_uri": at("jwks"),
            "revocation_endpoint": at("revoke"),
            "registration_endpoint": at("register"),
            "pushed_authorization_request_endpoint": at("par"),
            "userinfo_endpoint": at("userinfo"),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "subject_types_supported": ["public"],
            "scopes_supported": ["openid", "offline_access"],
            "id_token_signing_alg_values_supported": [self.keys.alg.name()],
            "token_endpoint_auth_methods_supported": ["none"],
            "revocation_endpoint_auth_methods_supported": ["none"],
            "code_challenge_methods_supported": [pkce::METHOD],
            "authorization_response_iss_parameter_supported": !self.lax.have(Laxity::NoIss),
        })
    }

    /// What a redirect says of whose it is (RFC 9207 section 2).
    fn iss(&self) -> Option<&str> {
        Some(self.issuer.as_str()).filter(|_| !self.lax.have(Laxity::NoIss))
    }

    /// The authorization endpoint: RFC 6749 section 3.1, OpenID Connect Core section 3.1.2.
    fn authorize(&self, parameters: Result<Parameters, &'static str>, request: &Request) -> Response {
        let parameters = match parameters {
            Ok(parameters) => parameters,
            Err(wrong) => return Response::written(pages::problem(400, wrong)),
        };
        let client_id = parameters.one("client_id").unwrap_or_default();
        if !self.state().clients.knows(client_id) {
            return Response::written(pages::problem(400, "No client of that client_id is registered here."));
        }
        let parameters = match parameters.one("request_uri") {
            Some(request_uri) => match self.pushed(request_uri, client_id) {
                Some(pushed) => pushed,
                None => {
                    return Response::written(pages::problem(
                        400,
                        "That request was not pushed, or is used or too old.",
                    ));
                }
            },
            None => parameters,
        };
        let redirect_uri = parameters.one("redirect_uri").unwrap_or_default();
        if !self.state().clients.allows(parameters.one("client_id").unwrap_or_default(), redirect_uri) {
            return Response::written(pages::problem(400, "That redirect_uri is not registered for this client."));
        }
        let back = Back { redirect_uri, state: parameters.one("state"), issuer: self.iss() };
        let authorization = match AuthorizationRequest::parse(&parameters, &self.lax) {
            Ok(authorization) => authorization,
            Err((error, description)) => return back.error(error, description),
        };
        let session = request.header("Cookie").and_then(session_cookie);
        let session = session.and_then(|id| self.state().sessions.get(id).cloned());
        let fresh = |person: &Person| authorization.max_age.is_none_or(|age| now() - person.auth_time <= age);
        let wants = |what: &str| authorization.prompt.iter().any(|prompt| prompt == what);
        let person = match session.filter(|person| fresh(person) && !wants("login")) {
            None if self.auto_approve => {
                Some(Person { name: authorization.login_hint.clone().unwrap_or(PERSON.to_owned()), auth_time: now() })
            }
            person => person,
        };
        match person {
            Some(person) if self.auto_approve => self.grant(authorization, person),
            person if wants("none") => {
                let error = if person.is_some() { "consent_required" } else { "login_required" };
                back.error(error, "a person must be asked, and prompt is none")
            }
            person => self.ask(authorization, person, None),
        }
    }

    /// Shows the login page, or the consent page to somebody who is logged in.
    fn ask(&self, authorization: AuthorizationRequest, person: Option<Person>, cookie: Option<&str>) -> Response {
        let Ok(id) = pkce::random(32) else { return Response::server_error() };
        let page = match &person {
            None => pages::login(&self.base, &id),
            Some(person) => pages::consent(&self.base, &id, &person.name, &authorization.scope, cookie),
        };
        self.state().asked.insert(id.to_string(), Asked { authorization, person });
        Response::written(page)
    }

    fn login(&self, body: Body) -> Response {
        let parameters = body.form().unwrap_or_default();
        let name = parameters.one("name").unwrap_or_default().trim();
        let asked = parameters.one("id").and_then(|id| self.state().asked.remove(id));
        let Some(asked) = asked else {
            return Response::written(pages::problem(400, "That login has ended, or was never begun."));
        };
        if name.is_empty() || name.len() > 255 || name.chars().any(char::is_control) {
            return self.ask(asked.authorization, None, None);
        }
        let Ok(session) = pkce::random(32) else { return Response::server_error() };
        let person = Person { name: name.to_owned(), auth_time: now() };
        self.state().sessions.insert(session.to_string(), person.clone());
        self.ask(asked.authorization, Some(person), Some(&session))
    }

    fn consent(&self, body: Body) -> Response {
        let parameters = body.form().unwrap_or_default();
        let asked = parameters.one("id").and_then(|id| self.state().asked.remove(id));
        let Some(Asked { authorization, person: Some(person) }) = asked else {
            return Response::written(pages::problem(400, "That login has ended, or was never begun."));
        };
        if parameters.one("answer") == Some("allow") {
            return self.grant(authorization, person);
        }
        let state = authorization.state.as_deref();
        let back = Back { redirect_uri: &authorization.redirect_uri, state, issuer: self.iss() };
        back.error("access_denied", "the person said no")
    }

    /// Sends the browser back with a code.
    fn grant(&self, authorization: AuthorizationRequest, person: Person) -> Response {
        let back =
            |authorization: &AuthorizationRequest| (authorization.redirect_uri.clone(), authorization.state.clone());
        let (redirect_uri, state) = back(&authorization);
        let Ok(code) = self.state().grants.code(authorization, person) else { return Response::server_error() };
        let back = Back { redirect_uri: &redirect_uri, state: state.as_deref(), issuer: self.iss() };
        back.with(&[("code", &code)])
    }
}

/// The way back to the client (RFC 6749 section 4.1.2, RFC 9207 section 2).
struct Back<'a> {
    redirect_uri: &'a str,
    state: Option<&'a str>,
    issuer: Option<&'a str>,
}

impl Back<'_> {
    fn error(&self, error: &str, description: &str) -> Response {
        self.with(&[("error", error), ("error_description", description)])
    }

    fn with(&self, pairs: &[(&str, &str)]) -> Response {
        let mut pairs = pairs.to_vec();
        pairs.extend(self.state.map(|state| ("state", state)));
        pairs.extend(self.issuer.map(|issuer| ("iss", issuer)));
        let joint = if self.redirect_uri.contains('?') { '&' } else { '?' };
        Response::redirect(&format!("{}{joint}{}", self.redirect_uri, *form::encoded(pairs)))
    }
}

fn session_cookie(cookies: &str) -> Option<&str> {
    let name = format!("{COOKIE}=");
    cookies.split(';').find_map(|cookie| cookie.trim().strip_prefix(&name))
}

/// The client that is registered from the start.
const CLIENT_ID: &str = "pkce-tools";

/// Who logs in where nobody is asked, and no `login_hint` names another.
const PERSON: &str = "alice";

/// The session cookie; cookies know no ports, so its name says whose it is.
const COOKIE: &str = "pkce-idp";

/// Where the client may be sent back to: this machine, any port.
const REDIRECTS: [&str; 3] = ["http://127.0.0.1/callback", "http://[::1]/callback", "http://localhost/callback"];

/// How long a pushed request waits for its browser.
const PUSHED: Duration = Duration::from_secs(60);
