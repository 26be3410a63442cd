//! What the server does wrong where it is told to, so that a script's ways to fail can be tried.

mod id_token;
mod metadata;
mod redirect;
mod response;
mod token;

use std::borrow::Cow;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use super::laxity::{Laxities, Laxity};
use super::response::{Delivery, Response};

/// A fault as it is asked for: `KIND`, or `KIND@N` for the Nth request alone.
#[derive(Clone)]
pub struct Fault {
    kind: &'static Kind,
    at: Option<u32>,
}

impl Fault {
    /// Reads a `--fault`.
    pub fn parse(text: &str) -> Result<Fault, String> {
        let (name, at) = match text.split_once('@') {
            Some((name, at)) => (name, Some(at)),
            None => (text, None),
        };
        let kind = KINDS.iter().find(|kind| kind.name == name).ok_or("no such kind; --list-faults prints them all")?;
        let at = at.map(|at| at.parse().ok().filter(|at| *at > 0).ok_or("what follows @ must be a number from 1 on"));
        match (at.transpose()?, &kind.effect) {
            (Some(_), Effect::Lax(_)) => Err("this kind is for all requests; it takes no @".to_owned()),
            (at, _) => Ok(Fault { kind, at }),
        }
    }
}

/// All kinds, a line each: its name, the status of a pipeline of these tools that meets it, what the server does, and
/// what a good client is to do then.
pub fn list() -> Vec<String> {
    let advice = |kind: &Kind| advice(kind.place, kind.status);
    let line = |kind: &Kind| format!("{:<33} {}  {} -> {}", kind.name, kind.status, kind.does, advice(kind));
    KINDS.iter().map(line).collect()
}

/// The faults of one run, and how often there was an occasion for each.
#[derive(Default)]
pub struct Faults(Vec<(Fault, AtomicU32)>);

impl Faults {
    /// None of them has had an occasion yet.
    pub fn new(faults: Vec<Fault>) -> Faults {
        Faults(faults.into_iter().map(|fault| (fault, AtomicU32::new(0))).collect())
    }

    /// What goes wrong this time at this place; each call is one occasion.
    pub fn strike(&self, place: Place) -> Vec<Effect> {
        let here = self.0.iter().filter(|(fault, _)| fault.kind.place == place);
        let struck = here.filter(|(fault, occasions)| {
            let occasion = occasions.fetch_add(1, Ordering::Relaxed) + 1;
            fault.at.is_none_or(|at| at == occasion)
        });
        struck.map(|(fault, _)| fault.kind.effect).collect()
    }

    /// What the server is lax about.
    pub fn laxities(&self) -> Laxities {
        let laxity = |(fault, _): &(Fault, _)| match fault.kind.effect {
            Effect::Lax(laxity) => Some(laxity),
            _ => None,
        };
        Laxities(self.0.iter().filter_map(laxity).collect())
    }
}

/// Where something goes wrong; what is counted for the `@N`.
#[derive(Clone, Copy, PartialEq)]
pub enum Place {
    /// Requests for the metadata of the protected resource.
    Resource,
    /// Requests for the server's own metadata.
    Metadata,
    /// Registrations.
    Registration,
    /// Pushed requests.
    Push,
    /// Browsers at the authorization endpoint.
    Authorization,
    /// Browsers sent back to the client.
    Redirect,
    /// Requests at the token endpoint.
    Token,
    /// Refreshes among these.
    Refresh,
    /// ID tokens.
    IdToken,
    /// Requests for the keys.
    Keys,
    /// Revocations.
    Revocation,
    /// Nowhere in particular.
    Everywhere,
}

/// What goes wrong.
#[derive(Clone, Copy)]
pub enum Effect {
    /// This is answered, and the request has no other effect.
    Instead(fn() -> Response),
    /// An OAuth error with this status is answered, and the request has no other effect.
    Error(u16, &'static str),
    /// An OAuth error whose description repeats the request.
    Echo,
    /// The octets of the response are others.
    Octets(fn(Vec<u8>) -> Vec<u8>),
    /// The body of a success is another text.
    Text(fn(&str) -> String),
    /// The object of a success is another one.
    Object(fn(&mut Value)),
    /// The response goes out in another way.
    Delivered(Delivery),
    /// The redirect has other parameters.
    Parameters(fn(&mut Pairs)),
    /// The redirect says this error in place of a code.
    Denied(&'static str),
    /// The redirect's URL is another text.
    Location(fn(&str) -> String),
    /// The ID token's header has other members.
    Header(fn(&mut Value)),
    /// Its claims have other members.
    Claims(fn(&mut Value)),
    /// The text that is signed as its claims is another one.
    Payload(fn(&str) -> String),
    /// The signed token is another text; the key that it can be checked with is given.
    Signed(fn(&str, &Value) -> String),
    /// The server does not see to something that it should see to.
    Lax(Laxity),
}

impl Effect {
    /// What is answered to a request with this body before anything else is done about it, if anything is.
    pub fn instead(&self, body: &str) -> Option<Response> {
        match self {
            Effect::Instead(response) => Some(response()),
            Effect::Error(status, error) => Some(token::refused(*status, error)),
            Effect::Echo => Some(token::echoed(body)),
            _ => None,
        }
    }

    /// The response, damaged.
    pub fn damaged(&self, response: Response) -> Response {
        match self {
            Effect::Octets(change) => response.changed(change),
            Effect::Text(change) => response.changed(|octets| response::with_text(octets, change)),
            Effect::Object(change) => response.changed(|octets| response::with_object(octets, change)),
            Effect::Parameters(change) => response.changed(|octets| redirect::with_parameters(octets, change)),
            Effect::Denied(error) => {
                response.changed(|octets| redirect::with_parameters(octets, |pairs| redirect::deny(pairs, error)))
            }
            Effect::Location(change) => response.changed(|octets| redirect::with_location(octets, change)),
            Effect::Delivered(delivery) => response.delivered(*delivery),
            _ => response,
        }
    }

    /// Changes what an ID token says.
    pub fn describe(&self, header: &mut Value, claims: &mut Value) {
        match self {
            Effect::Header(change) => change(header),
            Effect::Claims(change) => change(claims),
            _ => {}
        }
    }

    /// The text that is signed.
    pub fn payload(&self, payload: String) -> String {
        match self {
            Effect::Payload(change) => change(&payload),
            _ => payload,
        }
    }

    /// The token that was signed, and can be checked with this key.
    pub fn signed(&self, token: String, jwk: &Value) -> String {
        match self {
            Effect::Signed(change) => change(&token, jwk),
            _ => token,
        }
    }
}

/// The parameters of a redirect.
pub type Pairs = Vec<(String, String)>;

/// One kind of fault.
#[derive(Clone)]
struct Kind {
    name: Cow<'static, str>,
    place: Place,
    /// How the pipeline of a login, or the step that meets the fault after it, ends.
    status: u8,
    /// What the server does.
    does: &'static str,
    effect: Effect,
}

impl Kind {
    const fn new(name: &'static str, place: Place, status: u8, does: &'static str, effect: Effect) -> Kind {
        Kind { name: Cow::Borrowed(name), place, status, does, effect }
    }
}

const fn lax(name: &'static str, laxity: Laxity, does: &'static str) -> Kind {
    Kind::new(name, Place::Everywhere, 0, does, Effect::Lax(laxity))
}

/// What a good client is to do.
fn advice(place: Place, status: u8) -> &'static str {
    match (place, status) {
        (Place::Everywhere, 0) => "go on; examples/check-provider.sh finds it",
        (_, 0) => "go on",
        (_, 1) => "stop, and show what the server says",
        (_, 2) => "stop, and name what is missing",
        (Place::Redirect, 3) => "leave it, and wait for one that is right",
        (_, 3) => "stop; nothing is spent, so try again later",
        (_, 4) => "stop, and use nothing of it",
        _ => "stop; only a new login helps",
    }
}

/// All kinds: what each endpoint can do, then what is of its own, in the order of a login.
static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(|| {
    let mut kinds = response::kinds();
    kinds.extend_from_slice(metadata::KINDS);
    kinds.extend(redirect::kinds());
    kinds.extend(token::kinds());
    kinds.extend_from_slice(id_token::KINDS);
    kinds.extend_from_slice(LAX);
    kinds
});

/// What a server may be lax about.
static LAX: &[Kind] = &[
    lax("no-pkce", Laxity::NoPkce, "takes no notice of PKCE: no challenge is needed, and any verifier will do"),
    lax("plain", Laxity::Plain, "takes a code_challenge that is the verifier itself"),
    lax("no-challenge", Laxity::NoChallenge, "takes a request without a code_challenge"),
    lax("any-verifier", Laxity::AnyVerifier, "takes a code_verifier that does not fit"),
    lax("no-verifier", Laxity::NoVerifier, "takes a code without the code_verifier that fits its code_challenge"),
    lax("replay", Laxity::Replay, "takes a code any number of times"),
    lax("no-iss", Laxity::NoIss, "sends no iss, and does not say that it would"),
    Kind::new("no-refresh", Place::Everywhere, 2, "gives no refresh tokens", Effect::Lax(Laxity::NoRefresh)),
    lax("no-rotation", Laxity::NoRotation, "replaces no refresh token, and sends none after the first"),
    lax("reuse", Laxity::Reuse, "takes a refresh token again that it has replaced"),
    lax("no-revocation", Laxity::NoRevocation, "says that it has revoked a token, and takes it all the same"),
];
