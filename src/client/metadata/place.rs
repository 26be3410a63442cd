//! Where metadata is: OpenID Connect Discovery 1.0 section 4, RFC 8414 section 3.1, RFC 9728 section 3.1.

use crate::client::endpoint::is_remote_to_local;
use crate::error::Error;
use crate::wire::url::{InvalidUrl, Url};

/// An issuer: a URL without a query, whose metadata has several places.
pub struct Issuer {
    url: Url,
    /// OpenID Connect's, at the end of the path.
    openid_appended: Url,
    /// OpenID Connect's, before the path.
    openid_inserted: Url,
    /// RFC 8414's, before the path.
    oauth_inserted: Url,
    /// The only place, if the user names one.
    metadata_url: Option<Url>,
    /// Whether its metadata may name it with a final slash.
    is_guess: bool,
}

impl Issuer {
    /// Parses an issuer.
    pub fn parse(text: &str) -> Result<Issuer, InvalidUrl> {
        let url = parse(text)?;
        if url.query().is_some() {
            return Err(InvalidUrl::new("must not have a query (?)"));
        }
        Ok(Issuer {
            openid_appended: Url::parse(&format!("{}{WELL_KNOWN}{OPENID}", url.as_str().trim_end_matches('/')))?,
            openid_inserted: inserted(&url, OPENID)?,
            oauth_inserted: inserted(&url, "oauth-authorization-server")?,
            url,
            metadata_url: None,
            is_guess: false,
        })
    }

    /// The issuer, with its metadata at this URL, and nowhere else: not on this machine for a server that is elsewhere.
    pub fn with_metadata_url(self, text: &str) -> Result<Issuer, Error> {
        let url = Url::parse(text).map_err(|wrong| wrong.for_argument(METADATA_URL))?;
        if is_remote_to_local(&self.url, &url) {
            return Err(Error::untrusted(format!("{METADATA_URL}: on this machine, but the issuer is not")));
        }
        Ok(Issuer { metadata_url: Some(url), ..self })
    }

    /// The issuer, whose metadata may name it with a final slash: without a path, its places are the same.
    pub fn or_with_slash(self) -> Issuer {
        Issuer { is_guess: true, ..self }
    }

    /// Whether this is its name.
    pub fn is(&self, name: &str) -> bool {
        let own = self.url.as_str();
        name == own || (self.is_guess && name.strip_suffix('/') == Some(own))
    }

    /// Its URL.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Where its metadata is, if the user names that.
    pub fn metadata_url(&self) -> Option<&Url> {
        self.metadata_url.as_ref()
    }

    /// The place of RFC 8414.
    pub fn oauth_place(&self) -> &Url {
        &self.oauth_inserted
    }

    /// The places to look at, in this order.
    pub fn places(&self) -> Vec<&Url> {
        match &self.metadata_url {
            Some(url) => vec![url],
            None => different(&[&self.openid_appended, &self.oauth_inserted, &self.openid_inserted]),
        }
    }

    /// The places to look at where the issuer comes from a protected resource, in the order of MCP's specification.
    pub fn places_for_resource(&self) -> Vec<&Url> {
        different(&[&self.oauth_inserted, &self.openid_inserted, &self.openid_appended])
    }
}

/// A protected resource, such as an API or an MCP server: a URL whose metadata has two places.
pub struct Resource {
    url: Url,
    by_path: Url,
    root: Url,
}

impl Resource {
    /// Parses a resource.
    pub fn parse(text: &str) -> Result<Resource, InvalidUrl> {
        let url = parse(text)?;
        let place = "oauth-protected-resource";
        let root = Url::parse(&format!("{}{WELL_KNOWN}{place}", url.origin()))?;
        Ok(Resource { by_path: inserted(&url, place)?, root, url })
    }

    /// Its URL.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The places to look at, in this order, after the one that a challenge names.
    pub fn places<'a>(&'a self, named: Option<&'a Url>) -> Vec<&'a Url> {
        let own = [&self.by_path, &self.root];
        different(&named.into_iter().chain(own).collect::<Vec<_>>())
    }

    /// Whether `other` is this resource or one that it is a part of: a parent path on the same origin.
    pub fn is_within(&self, other: &Url) -> bool {
        let (own, parent) = (self.url.path().trim_end_matches('/'), other.path().trim_end_matches('/'));
        let is_below = own.strip_prefix(parent).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let same_query = other.query().is_none() || (own == parent && other.query() == self.url.query());
        self.url.is_same_origin(other) && is_below && same_query
    }
}

fn parse(text: &str) -> Result<Url, InvalidUrl> {
    if !text.contains("://") {
        let with_scheme = |rest: &str| {
            let http = Url::parse(&format!("http://{rest}")).ok().filter(Url::is_loopback);
            http.or_else(|| Url::parse(&format!("https://{rest}")).ok())
        };
        let invalid = InvalidUrl::new("must begin with https://");
        let rest = text.rsplit('@').next().unwrap_or(text);
        return Err(match with_scheme(rest) {
            Some(url) if rest == text => invalid.hint(format!("try {}", url.as_str())),
            Some(_) => InvalidUrl::new(ACCOUNT).hint(web_finger(rest)),
            None => invalid,
        });
    }
    let url = Url::parse(text)?;
    if let Some((before, after)) = text.split_once(WELL_KNOWN) {
        // What follows the name of an inserted one is the path.
        let path = after.split_once('/').map(|(_, path)| format!("/{path}")).unwrap_or_default();
        let invalid = InvalidUrl::new("the URL of a metadata document, not of the server or resource");
        return Err(invalid.hint(format!("try {before}{path}")));
    }
    Ok(url)
}

/// How to find the issuer of an account at this host (RFC 7033, OpenID Connect Discovery 1.0 section 2).
fn web_finger(host: &str) -> String {
    format!(
        "replace USER: curl -sSfG https://{host}/.well-known/webfinger -d resource=acct:USER@{host} \
         -d rel=http://openid.net/specs/connect/1.0/issuer | jq -r '.links[] | select(.rel | endswith(\"/issuer\")).href'"
    )
}

/// `/.well-known/NAME` between the origin and the rest.
fn inserted(url: &Url, name: &str) -> Result<Url, InvalidUrl> {
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    Url::parse(&format!("{}{WELL_KNOWN}{name}{}{query}", url.origin(), url.path().trim_end_matches('/')))
}

/// The places, each once: without a path, two of them are the same.
fn different<'a>(places: &[&'a Url]) -> Vec<&'a Url> {
    let mut different: Vec<&Url> = Vec::new();
    for place in places {
        if !different.iter().any(|other| other.as_str() == place.as_str()) {
            different.push(place);
        }
    }
    different
}

/// The option that names the place.
const METADATA_URL: &str = "--metadata-url";

/// The message for a mail address.
const ACCOUNT: &str = "an account, not an issuer; WebFinger can find its issuer";

const WELL_KNOWN: &str = "/.well-known/";

const OPENID: &str = "openid-configuration";
