//! A substitute for a browser, for runs without a user.

use std::time::Duration;

use crate::error::{Error, Kind};
use crate::process::Deadline;
use crate::wire::http::Client;
use crate::wire::url::Url;

/// Requests a URL as a browser would, and follows redirects on this machine until a page.
pub fn visit(url: &str, timeout: Duration) -> Result<(), Error> {
    let client = Client::new(Deadline::after(timeout));
    let mut url = Url::parse(url).map_err(|wrong| wrong.for_argument("--visit"))?;
    for _ in 0..REDIRECTS_FOLLOWED {
        if !url.is_loopback() {
            return Err(Error::untrusted("--visit: leads to another machine"));
        }
        let response = client.get(&url)?;
        let next = match (response.status, response.location) {
            (200, _) => return Ok(()),
            (301 | 302 | 303 | 307 | 308, Some(location)) => location,
            (status, _) => {
                return Err(Error::new(Kind::Refused, format!("--visit: the server responded with {status}")));
            }
        };
        // A fragment is for the page; it is never sent.
        let next = next.split('#').next().unwrap_or_default();
        let absolute = if next.starts_with('/') { format!("{}{next}", url.origin()) } else { next.to_owned() };
        url = Url::parse(&absolute).map_err(|wrong| wrong.for_argument("--visit"))?;
    }
    Err(Error::untrusted("--visit: too many redirects"))
}

/// How many redirects are followed.
const REDIRECTS_FOLLOWED: usize = 10;
