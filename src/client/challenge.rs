//! The challenge of a protected resource: RFC 9110 section 11.6.1, RFC 6750 section 3, RFC 9728 section 5.1, RFC 9470.

use std::path::Path;

use crate::client::scope::Scope;
use crate::document::is_visible;
use crate::error::Error;
use crate::message;
use crate::process::Deadline;
use crate::process::named_file::NamedFile;
use crate::wire::http::Head;
use crate::wire::url::Url;
use crate::wire::www_authenticate;

/// What a protected resource requires of a token, as far as it says so.
#[derive(Default)]
pub struct Challenge {
    /// Where its metadata is.
    pub resource_metadata: Option<Url>,
    /// The scope that is required.
    pub scope: Option<Scope>,
    /// Whether the token that was sent lacks that scope (RFC 6750 section 3.1).
    pub lacks_scope: bool,
    /// The authentication context classes that are accepted, separated by spaces.
    pub acr_values: Option<String>,
    /// The maximum time since the user signed in, in seconds.
    pub max_age: Option<u64>,
}

impl Challenge {
    /// The challenge in the head of a response, as `curl -D` writes it; of several heads, in the last. `-` is standard
    /// input. Status 2 for a file that is no head.
    pub fn from_file(path: &Path, deadline: &Deadline) -> Result<Challenge, Error> {
        let path = if path == Path::new("-") { Path::new("/dev/stdin") } else { path };
        let octets = NamedFile::open(OPTION, path)?.read(MAX_SIZE, deadline)?;
        let head = head(&String::from_utf8_lossy(&octets)).filter(|_| octets.len() <= MAX_SIZE);
        let head = head.ok_or_else(|| Error::usage(format!("{OPTION}: not the head of a response")))?;
        Ok(Challenge::from_head(&head))
    }

    /// The Bearer or DPoP challenge in the head of a response; empty if it has none. What is malformed is left out, with a
    /// note, since the resource may have metadata where it can be found without it.
    pub fn from_head(head: &Head) -> Challenge {
        let lines = head.www_authenticate.iter().map(|line| www_authenticate::challenges(line));
        let (read, malformed): (Vec<_>, Vec<_>) = lines.partition(Option::is_some);
        let found: Vec<_> = read.into_iter().flatten().flatten().filter(is_for_token).collect();
        if found.is_empty() && !malformed.is_empty() {
            message::note(&format!("{HEADER}: malformed; ignored"));
        }
        // A server may list a plain Bearer challenge beside the one that says what it requires.
        let having = |name| found.iter().find(|challenge| challenge.parameter(name).is_some());
        let Some(chosen) = PARAMETERS.into_iter().find_map(having).or(found.first()) else {
            return Challenge::default();
        };
        Challenge {
            resource_metadata: parsed(chosen, "resource_metadata", |url| {
                Url::parse(url).map_err(|wrong| wrong.reason())
            }),
            scope: parsed(chosen, "scope", |scope| {
                Scope::parse(scope).map_err(|_| "must be names separated by single spaces")
            }),
            lacks_scope: chosen.parameter("error") == Some("insufficient_scope"),
            acr_values: parsed(chosen, "acr_values", |values| {
                is_visible(values).then(|| values.to_owned()).ok_or("must be visible ASCII characters")
            }),
            max_age: parsed(chosen, "max_age", |age| seconds(age).ok_or("must be a whole number of seconds")),
        }
    }
}

/// What `parse` makes of a parameter that is neither missing nor empty; one that is malformed is left out, with a note.
fn parsed<T>(
    challenge: &www_authenticate::Challenge,
    name: &str,
    parse: impl Fn(&str) -> Result<T, &'static str>,
) -> Option<T> {
    let result = challenge.parameter(name).filter(|value| !value.is_empty()).map(parse)?;
    result.inspect_err(|wrong| message::note(&format!("{HEADER}: {name}: {wrong}; left out"))).ok()
}

/// The number of seconds, as `pkce-url` takes it.
fn seconds(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|octet| octet.is_ascii_digit());
    text.parse::<u32>().ok().filter(|_| is_number).map(u64::from)
}

/// The last head in this text: a proxy's and a redirect's come before it.
fn head(text: &str) -> Option<Head> {
    let text = text.replace("\r\n", "\n");
    let heads = text.split("\n\n").take_while(|head| head.starts_with("HTTP/"));
    let mut lines = heads.last()?.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let fields = lines.filter_map(|line| line.split_once(':'));
    let challenges = fields.filter(|(name, _)| name.eq_ignore_ascii_case("www-authenticate"));
    Some(Head { status, www_authenticate: challenges.map(|(_, value)| value.trim().to_owned()).collect() })
}

/// Whether an access token is what the challenge is about.
fn is_for_token(challenge: &www_authenticate::Challenge) -> bool {
    ["Bearer", "DPoP"].into_iter().any(|scheme| challenge.scheme.eq_ignore_ascii_case(scheme))
}

/// The parameters that say what is required, the most telling first.
const PARAMETERS: [&str; 4] = ["resource_metadata", "scope", "acr_values", "max_age"];

/// The header, as messages name it.
const HEADER: &str = "WWW-Authenticate";

/// The option that names a file.
const OPTION: &str = "--challenge";

/// Maximum size of heads in a file, in octets.
const MAX_SIZE: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn from_lines(lines: &[&str]) -> Challenge {
        let www_authenticate = lines.iter().map(|line| (*line).to_owned()).collect();
        Challenge::from_head(&Head { status: 401, www_authenticate })
    }

    #[test]
    fn takes_the_challenge_that_says_where_the_metadata_is() {
        let place = |challenge: Challenge| challenge.resource_metadata.map(|url| url.as_str().to_owned());
        let both = "Bearer realm=\"a\", DPoP Resource_Metadata=\"https://a.b/c\"";
        let challenge = from_lines(&["Basic resource_metadata=\"https://x.y\"", both]);
        assert_eq!(place(challenge).as_deref(), Some("https://a.b/c"));
        let lines = ["Negotiate", "Bearer realm", "bearer scope=\"a b\", error=insufficient_scope", "Bearer scope=c"];
        let challenge = from_lines(&lines);
        assert_eq!(
            (challenge.scope.map(|scope| scope.as_str().to_owned()).as_deref(), challenge.lacks_scope),
            (Some("a b"), true)
        );
        let step_up =
            from_lines(&["Bearer error=\"insufficient_user_authentication\", acr_values=\"a b\", max_age=\"5\""]);
        assert_eq!(
            (step_up.acr_values.as_deref(), step_up.max_age, step_up.lacks_scope),
            (Some("a b"), Some(5), false)
        );
        for lines in [["Bearer realm=a", "Bearer max_age=5"], ["Bearer max_age=5", "DPoP algs=ES256"]] {
            assert_eq!(from_lines(&lines).max_age, Some(5));
        }
        for none in [&[][..], &["Basic realm=a"], &["Bearer"], &["Bearer scope=\"\", resource_metadata=\"\""]] {
            let challenge = from_lines(none);
            assert!(challenge.scope.is_none() && challenge.resource_metadata.is_none(), "{none:?}");
        }
        assert!(from_lines(&["Bearer realm=\"", "Bearer scope=a"]).scope.is_some());
    }

    #[test]
    fn leaves_out_a_parameter_that_is_malformed() {
        let lines = "Bearer resource_metadata=\"/a\", scope=\"a  b\", max_age=-1, acr_values=\"\u{e4}\", error=x";
        let challenge = from_lines(&[lines]);
        assert!(challenge.resource_metadata.is_none() && challenge.scope.is_none() && challenge.max_age.is_none());
        assert!(challenge.acr_values.is_none() && !challenge.lacks_scope);
        let challenge = from_lines(&["Bearer scope=\"a\\\"b\", resource_metadata=\"https://a.b/c\""]);
        assert!(challenge.scope.is_none() && challenge.resource_metadata.is_some());
        assert!(from_lines(&["Basic realm=a", "Bearer scope=\""]).scope.is_none());
        assert!(
            from_lines(&["Bearer max_age=+5"]).max_age.is_none()
                && from_lines(&["Bearer max_age=4294967296"]).max_age.is_none()
        );
    }

    #[test]
    fn reads_the_last_head_that_curl_wrote() {
        let challenge = |text: &str| head(text).map(|head| (head.status, head.www_authenticate));
        let some = |status, lines: &[&str]| Some((status, lines.iter().map(|line| (*line).to_owned()).collect()));
        for (text, expected) in [
            (
                "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Bearer\r\nWWW-Authenticate:Basic\r\n\r\n",
                some(401, &["Bearer", "Basic"]),
            ),
            ("HTTP/2 401 \r\nwww-authenticate: Bearer\r\n\r\n", some(401, &["Bearer"])),
            ("HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 403\nWWW-Authenticate: DPoP\n", some(403, &["DPoP"])),
            ("HTTP/1.1 401 a\n\nWWW-Authenticate: Bearer\n\nHTTP/1.1 200 b\n", some(401, &[])),
            ("", None),
            ("WWW-Authenticate: Bearer", None),
            ("HTTP/1.1", None),
            ("HTTP/1.1 x", None),
        ] {
            assert_eq!(challenge(text), expected, "{text}");
        }
    }
}
