//! A substitute for a browser, for runs without a user.

use std::time::Duration;

use crate::error::Error;
use crate::message;
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
            let words = response.body("--visit").ok().and_then(|body| words(&String::from_utf8_lossy(body)));
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
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(message::shortened(&unescaped(&words)))
}

/// Text as it was before [`crate::wire::page::escaped`].
fn unescaped(html: &str) -> String {
    let text = html.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
    text.replace("&amp;", "&")
}

/// How many redirects are followed.
const REDIRECTS_FOLLOWED: usize = 10;
