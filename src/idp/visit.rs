//! A substitute for a browser, for runs without a user.

use std::time::Duration;

use crate::client;
use crate::error::Error;
use crate::message;
use crate::process::Deadline;
use crate::wire::http::Client;
use crate::wire::url::Url;
use crate::wire::{page, reference};

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
            let body = response.body("--visit").unwrap_or_default();
            let words = words(&String::from_utf8_lossy(body)).or_else(|| client::words::words(body));
            let words = words.map(|words| message::public(&words));
            let error = Error::refused(format!("--visit: the server responded with {status}"));
            return Err(error.quoting(words.as_deref()));
        };
        url = reference::resolved(&url, location).map_err(|wrong| wrong.for_argument("--visit"))?;
    }
    Err(Error::untrusted("--visit: too many redirects"))
}

/// The words of a page, on one line: its heading and what follows, without tags.
fn words(page: &str) -> Option<String> {
    let (_, heading) = page.split_once("<h1>")?;
    let (heading, rest) = heading.split_once("</h1>")?;
    let (main, _) = rest.split_once("</main>")?;
    let texts: Vec<&str> = main.split('<').filter_map(|part| Some(part.split_once('>')?.1)).collect();
    let words = format!("{heading}: {}", texts.join(" "));
    Some(page::unescaped(&message::one_line(&words)))
}

/// How many redirects are followed.
const REDIRECTS_FOLLOWED: usize = 10;
