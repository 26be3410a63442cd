//! A substitute for a browser, for runs without a user.

use std::time::Duration;

use crate::error::Error;
use crate::process::Deadline;
use crate::wire::http::Client;
use crate::wire::reference;
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
        let Some(location) = response.redirect_target() else {
            if response.status == 200 {
                return Ok(());
            }
            let status = response.status;
            return Err(Error::refused(format!("--visit: the server responded with {status}")));
        };
        url = reference::resolved(&url, location).map_err(|wrong| wrong.for_argument("--visit"))?;
    }
    Err(Error::untrusted("--visit: too many redirects"))
}

/// How many redirects are followed.
const REDIRECTS_FOLLOWED: usize = 10;
