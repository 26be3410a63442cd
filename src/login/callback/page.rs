//! The pages that the browser shows: self-contained, and without text from the request.

use super::redirect::Ignored;
use crate::error::{Error, Kind};
use crate::wire::page::{CHECK, CROSS, EXCLAMATION, Html, QUESTION};

/// A page for the end of a login, or for a request that is not its redirect.
pub struct Page {
    status: u16,
    mood: &'static str,
    mark: &'static str,
    title: &'static str,
    text: String,
}

impl Page {
    /// The redirect is valid; whether the login succeeds is not known yet.
    pub fn received() -> Page {
        let text = "The login has reached the terminal and continues there. You can close this page.";
        Page::new(200, "good", CHECK, "Back to the terminal", text)
    }

    /// The redirect ends the login with an error.
    pub fn failed(error: &Error) -> Page {
        match (error.kind(), error.oauth_code()) {
            (Kind::Untrusted, _) => {
                let text = "The response did not pass a security check, so it was not used. The terminal says what \
                            is wrong. If this happens again, tell the operator of the server.";
                Page::new(400, "bad", EXCLAMATION, "This login was stopped", text)
            }
            (_, Some("access_denied")) => {
                let text = "Access was denied (access_denied). The terminal has been told. You can close this page.";
                Page::new(200, "bad", CROSS, "You are not signed in", text)
            }
            _ => {
                let text = "The server did not sign you in. The terminal says why. You can close this page.";
                Page::new(200, "bad", CROSS, "You are not signed in", text)
            }
        }
    }

    /// A redirect that does not belong to this login.
    pub fn ignored(ignored: &Ignored) -> Page {
        let why = ignored.why;
        let advice = ignored.page.unwrap_or("Use the address that it printed last.");
        let text = format!(
            "This response does not belong to the login that the terminal is waiting for: {why}. \
             Nothing was changed, and the terminal is still waiting. {advice}"
        );
        Page::new(400, "bad", QUESTION, "Not this login", &text)
    }

    /// A request that cannot be a redirect.
    pub fn bad(status: u16) -> Page {
        let text = match status {
            // A server that responds with a form (response_mode=form_post) sends the browser here.
            405 => "The response must arrive in the page's address (response_mode=query), not in a form (405). \
                    Nothing was changed, and the terminal is still waiting."
                .to_owned(),
            _ => format!("This address accepts only the redirect at the end of a login ({status})."),
        };
        Page::new(status, "bad", QUESTION, "Nothing here", &text)
    }

    fn new(status: u16, mood: &'static str, mark: &'static str, title: &'static str, text: &str) -> Page {
        Page { status, mood, mark, title, text: text.to_owned() }
    }

    /// The whole HTTP response. None of its text comes from the request.
    pub fn response(&self) -> Vec<u8> {
        let html = Html {
            status: self.status,
            mood: self.mood,
            mark: self.mark,
            title: self.title,
            content: &format!("<p>{}</p>", self.text),
            headers: if self.status == 405 { "Allow: GET\r\n" } else { "" },
        };
        html.response()
    }
}
