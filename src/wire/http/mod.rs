//! The only place that opens an outbound connection: one HTTP request, never repeated, and its response.

mod certificates;
mod coding;
mod connection;
mod lookup;
mod proxy;
mod tls;

use std::cell::Cell;
use std::io::{self, Read};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body, SendBody};
use zeroize::Zeroizing;

use crate::document::Document;
use crate::error::Error;
use crate::message;
use crate::process::Deadline;
use crate::wire::url::Url;
use certificates::Roots;
use proxy::Choice;

/// Checks what the environment says about requests, whatever their URL: status 2 for a proxy or certificates that cannot
/// be used.
pub fn check_environment() -> Result<(), Error> {
    proxy::check()?;
    certificates::check()
}

/// A response of any status.
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The media type, without its parameters, in lower case; empty if missing.
    pub media_type: String,
    /// The reference in `Location`, of any status; an empty one counts as missing.
    location: Option<String>,
    /// The time in `Retry-After`, if there is one.
    pub retry_after: Option<Duration>,
    /// The decoded body, at most 1 MiB, or why it cannot be used: a status may be enough without it.
    body: Result<Zeroizing<Vec<u8>>, String>,
    /// Octets of the body as received, for the trace.
    received: usize,
}

impl Response {
    /// The body; one that is too large or cannot be decoded is status 4, and the message begins with `subject`.
    pub fn body(&self, subject: &str) -> Result<&[u8], Error> {
        let wrong = |wrong: &String| Error::untrusted(format!("{subject}: the response {wrong}"));
        self.body.as_ref().map(|body| body.as_slice()).map_err(wrong)
    }

    /// The reference that a redirect leads to, if the response is one.
    pub fn redirect_target(&self) -> Option<&str> {
        self.location.as_deref().filter(|_| matches!(self.status, 301 | 302 | 303 | 307 | 308))
    }

    /// The JSON object in the body; a fault is status 4, and its message begins with `subject`.
    pub fn object(&self, subject: &str) -> Result<Document, Error> {
        let body = self.body(subject)?;
        let parsed = Document::parse_response(subject, body);
        parsed.map_err(
            |error| if self.is_page() { Error::untrusted(format!("{subject}: {HTML_NOT_JSON}")) } else { error },
        )
    }

    /// Whether the body is HTML or XML rather than JSON.
    pub fn is_page(&self) -> bool {
        self.body.as_ref().is_ok_and(|body| body.trim_ascii_start().starts_with(b"<"))
    }

    /// The JSON object in the body, like [`Response::object`]; a response with another status than 200 is an error.
    pub fn required_object(&self, subject: &str) -> Result<Document, Error> {
        let status = self.status;
        let error = match status {
            200 => return self.object(subject),
            429 | 500..=599 => Error::unavailable(format!("{subject}: the server responded with {status}")),
            // Metadata and keys require status 200 (RFC 8414 section 3.2), so another success is an error.
            201..=299 | 304 => Error::untrusted(format!("{subject}: the server responded with {status}")),
            300..=399 => {
                // A query may have a secret.
                let target = self
                    .location
                    .as_deref()
                    .and_then(|target| target.split(['?', '#']).next())
                    .filter(|target| !target.is_empty());
                let target =
                    target.map(|target| format!(" to {}", message::shortened(&message::without_userinfo(target))));
                Error::untrusted(format!("{subject}: redirect ({status}){} not followed", target.unwrap_or_default()))
            }
            404 => Error::refused(format!("{subject}: not found (404)")),
            _ => Error::refused(format!("{subject}: the server responded with {status}")),
        };
        Err(error.http_status(status))
    }
}

/// The head of a response.
pub struct Head {
    /// The status code.
    pub status: u16,
    /// The values of `WWW-Authenticate`, as they come.
    pub www_authenticate: Vec<String>,
}

/// Why a request has no response.
pub struct Failure {
    /// The error, with the host as its subject.
    pub error: Error,
    /// Whether the body may have reached the server, so that its code or token may be spent.
    pub sent: bool,
}

/// The content of a POST.
pub struct Content<'a> {
    /// The media type of the body.
    pub media_type: &'a str,
    /// The body.
    pub body: &'a str,
    /// The `Authorization` header, if any.
    pub authorization: Option<&'a str>,
}

/// The client for all requests of one step, which share its deadline.
pub struct Client {
    deadline: Deadline,
}

impl Client {
    /// A client whose requests all end by this deadline.
    pub fn new(deadline: Deadline) -> Client {
        Client { deadline }
    }

    /// A client that has half of the time that remains.
    pub fn for_half(&self) -> Client {
        Client { deadline: self.deadline.half() }
    }

    /// Whether its time has passed.
    pub fn has_timed_out(&self) -> bool {
        self.deadline.has_passed()
    }

    /// The response to a GET.
    pub fn get(&self, url: &Url) -> Result<Response, Error> {
        self.send(url, "GET", get(url, ACCEPT), None).map_err(|failure| failure.error)
    }

    /// The head of the response to a GET. The body is not read: it may be a stream without end (text/event-stream).
    pub fn get_head(&self, url: &Url) -> Result<Head, Error> {
        let started = Instant::now();
        let head = self.run(url, get(url, ACCEPT_STREAM), None).map(|response| {
            let lines = response.headers().get_all("www-authenticate").iter();
            // Octets beyond ASCII are allowed (RFC 9110 section 5.5), and no parameter that is used has them.
            let lines = lines.map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned());
            Head { status: response.status().as_u16(), www_authenticate: lines.collect() }
        });
        trace("GET", url, started, head.as_ref().ok().map(|head| format!("{}, body not read", head.status)));
        head.map_err(|error| error.within(&url.authority()))
    }

    /// The response to a POST, which is never repeated.
    pub fn post(&self, url: &Url, content: &Content) -> Result<Response, Failure> {
        let sent = Cell::new(false);
        let mut request = ureq::http::Request::post(url.as_str())
            .header("Accept", ACCEPT)
            .header("Accept-Encoding", ACCEPT_ENCODING)
            .header("Content-Type", content.media_type)
            .header("Content-Length", content.body.len());
        if let Some(authorization) = content.authorization {
            request = request.header("Authorization", authorization);
        }
        self.send(url, "POST", request.body(()), Some(TrackedBody { rest: content.body.as_bytes(), read: &sent }))
    }

    /// Waits if that leaves time for another request; returns whether it does.
    pub fn pause(&self, time: Duration) -> bool {
        let is_time = self.deadline.remaining() > time;
        if is_time {
            thread::sleep(time);
        }
        is_time
    }

    fn send(
        &self,
        url: &Url,
        method: &str,
        head: Result<ureq::http::Request<()>, ureq::http::Error>,
        body: Option<TrackedBody>,
    ) -> Result<Response, Failure> {
        let started = Instant::now();
        let response = self.response(url, head, body);
        let got = response.as_ref().ok().map(|response| format!("{}, {} bytes", response.status, response.received));
        trace(method, url, started, got);
        let sent = body.is_some_and(|body| body.read.get());
        response.map_err(|error| Failure { error: error.within(&url.authority()), sent })
    }

    fn response(
        &self,
        url: &Url,
        head: Result<ureq::http::Request<()>, ureq::http::Error>,
        body: Option<TrackedBody>,
    ) -> Result<Response, Error> {
        let response = self.run(url, head, body)?;
        let header = |name: &str| {
            let value = response.headers().get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let media_type = header("content-type").unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let coding = header("content-encoding").unwrap_or_default();
        let retry_after = header("retry-after").map(|text| time_to_wait(&text));
        let (status, location) = (response.status().as_u16(), header("location").filter(|target| !target.is_empty()));
        let octets = self.octets(response.into_body(), url)?;
        Ok(Response {
            status,
            media_type,
            location,
            retry_after,
            received: octets.len(),
            body: coding::decoded(&coding, octets),
        })
    }

    /// The response, of which only the head is read so far.
    fn run(
        &self,
        url: &Url,
        head: Result<ureq::http::Request<()>, ureq::http::Error>,
        body: Option<TrackedBody>,
    ) -> Result<ureq::http::Response<Body>, Error> {
        let head = head.map_err(|_| Error::usage("invalid request"))?;
        let proxy = proxy::choice(url)?;
        let attempt = |roots| {
            let agent = self.agent(url, proxy.as_ref(), roots, size(url, &head))?;
            let watch = proxy.as_ref().map(|_| self.watch(&agent));
            let head = head.clone();
            let response = match body {
                Some(mut body) => agent.run(head.map(|()| SendBody::from_reader(&mut body))),
                None => agent.run(head),
            };
            // A body has its own timeout, and must not be cut off as if it ended there.
            drop(watch);
            Ok(response)
        };
        let mut response = attempt(None)?;
        // Another connection, before anything was sent on this one: its certificate may be trusted by more. Only this one
        // decides, so its failure is the one to report.
        if response.as_ref().is_err_and(tls::is_rejection)
            && let Some(more) = certificates::more()
        {
            response = attempt(Some(more))?;
        }
        response.map_err(|error| match &proxy {
            Some(proxy) if self.deadline.has_passed() => proxy.explain(self.timeout_error()),
            Some(proxy) => proxy.explain(proxy.blame(&error, self.failure(&error, url))),
            None => self.failure(&error, url),
        })
    }

    /// The octets of the body as received; of one that is too large, so many that it is seen.
    fn octets(&self, mut body: Body, url: &Url) -> Result<Zeroizing<Vec<u8>>, Error> {
        let size = body.content_length();
        coding::read(body.as_reader(), size).map_err(|error| self.failure(&ureq::Error::from(error), url))
    }

    /// Ends the connections of this agent at the deadline, unless the result is dropped before: ureq gives each read of a
    /// proxy's response to CONNECT all the time that is left.
    fn watch(&self, agent: &Agent) -> mpsc::Sender<()> {
        let (watch, dropped) = mpsc::channel();
        let (agent, remaining) = (agent.clone(), self.deadline.remaining());
        let _ = thread::Builder::new().spawn(move || {
            if dropped.recv_timeout(remaining) == Err(mpsc::RecvTimeoutError::Timeout) {
                agent.shutdown();
            }
        });
        watch
    }

    /// A client for a head of this size that trusts these certificates; without, those of [`certificates::roots`].
    fn agent(&self, url: &Url, proxy: Option<&Choice>, roots: Option<Roots>, head: usize) -> Result<Agent, Error> {
        let remaining = self.deadline.remaining();
        if remaining.is_zero() {
            return Err(self.timeout_error());
        }
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_idle_connections(0)
            .max_response_header_size(MAX_HEAD)
            .input_buffer_size(MAX_HEAD + 1)
            .output_buffer_size(OUTPUT + head)
            .timeout_global(Some(remaining))
            .user_agent(concat!("pkce-tools/", env!("CARGO_PKG_VERSION")))
            .proxy(proxy.map(|choice| choice.proxy.clone()));
        if url.is_https() || proxy.is_some_and(Choice::is_https) {
            let roots = roots.map_or_else(certificates::roots, Ok)?;
            let tls = TlsConfig::builder()
                .root_certs(RootCerts::Specific(roots))
                .unversioned_rustls_crypto_provider(Arc::new(tls::provider()));
            config = config.tls_config(tls.build());
        }
        Ok(Agent::with_parts(config.build(), connection::connector(), connection::Addresses))
    }

    fn timeout_error(&self) -> Error {
        Error::unavailable(format!("no response within {} s", self.deadline.seconds()))
    }

    fn failure(&self, error: &ureq::Error, url: &Url) -> Error {
        if let Some(error) = tls::cause(error) {
            return tls::error(error, url);
        }
        match error {
            ureq::Error::Timeout(_) => self.timeout_error(),
            ureq::Error::HostNotFound => Error::unavailable("no such host"),
            ureq::Error::ConnectionFailed => Error::unavailable("cannot be reached"),
            ureq::Error::ConnectProxyFailed(_) => Error::unavailable("the proxy did not connect"),
            ureq::Error::Tls(reason) => Error::untrusted(*reason),
            ureq::Error::Io(error) => match error.kind() {
                io::ErrorKind::InvalidData => Error::untrusted(INVALID_HTTP),
                io::ErrorKind::UnexpectedEof => Error::unavailable("the server closed the connection"),
                _ => {
                    let reason = message::reason(error);
                    Error::unavailable(reason.strip_prefix(lookup::LOOKUP).unwrap_or(&reason))
                }
            },
            _ => Error::untrusted(INVALID_HTTP),
        }
    }
}

/// A body that records whether it was read, which is only once the connection is open and the head is written.
#[derive(Clone, Copy)]
struct TrackedBody<'a> {
    rest: &'a [u8],
    read: &'a Cell<bool>,
}

impl Read for TrackedBody<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read.set(true);
        self.rest.read(buffer)
    }
}

/// Length in octets of the URL and all values in the head of a request.
fn size(url: &Url, head: &ureq::http::Request<()>) -> usize {
    head.headers().values().fold(url.as_str().len(), |size, value| size + value.len())
}

/// A GET that accepts these media types.
fn get(url: &Url, accept: &str) -> Result<ureq::http::Request<()>, ureq::http::Error> {
    let request = ureq::http::Request::get(url.as_str()).header("Accept", accept);
    request.header("Accept-Encoding", ACCEPT_ENCODING).body(())
}

/// The time in `Retry-After` (RFC 9110 section 10.2.3), which is limited to a day; of a date, a minute.
fn time_to_wait(text: &str) -> Duration {
    let text = text.trim();
    let is_date = text.is_empty() || !text.bytes().all(|octet| octet.is_ascii_digit());
    if is_date { A_MINUTE } else { text.parse().map_or(A_DAY, |seconds| Duration::from_secs(seconds).min(A_DAY)) }
}

/// Writes one line per request if `PKCE_TRACE=1` is set; it contains no secret.
fn trace(method: &str, url: &Url, started: Instant, outcome: Option<String>) {
    let outcome = outcome.unwrap_or_else(|| "no response".to_owned());
    let took = started.elapsed().as_millis();
    message::trace(&format!("{method} {}: {outcome}, {took} ms", url.without_query()));
}

/// Maximum size of a response's head in octets. A buffer must hold it, and one octet more so that excess is seen.
const MAX_HEAD: usize = 64 * 1024;

/// Size of a buffer for output in octets beside the head: a record of TLS (RFC 8446 section 5.1). The
/// client fills its buffers with zeros, so that larger ones cost time and memory.
const OUTPUT: usize = 16 * 1024;

/// The wait for a date, which is not read.
const A_MINUTE: Duration = Duration::from_secs(60);

/// More than any user waits.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

const ACCEPT: &str = "application/json";

/// What an MCP server requires of a GET (Streamable HTTP transport).
const ACCEPT_STREAM: &str = "application/json, text/event-stream";

/// No content coding, so that no response depends on one.
const ACCEPT_ENCODING: &str = "identity";

const HTML_NOT_JSON: &str = "HTML, not JSON (proxy or captive portal?)";

const INVALID_HTTP: &str = "the response is not valid HTTP";
