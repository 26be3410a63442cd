//! The pages that a person sees: login, consent, and what is wrong.

use super::response::Response;
use crate::wire::page::{Html, escaped};

/// Asks for the person's name.
pub fn login(base: &str, id: &str) -> Response {
    let content = format!(
        "<p>This is a test server: any name works, and nothing is stored.</p>\n\
         <form method=\"post\" action=\"{}/login\">\n<input type=\"hidden\" name=\"id\" value=\"{}\">\n\
         <label for=\"name\">Name</label>\n\
         <input id=\"name\" name=\"name\" value=\"alice\" required autofocus autocomplete=\"username\">\n\
         <button>Sign in</button>\n</form>",
        escaped(base),
        escaped(id)
    );
    page(200, "plain", "&#9919;", "Sign in", &content)
}

/// Asks the person for consent to this scope.
pub fn consent(base: &str, id: &str, name: &str, scope: &[&str]) -> Response {
    let requested = match scope {
        [] => "none".to_owned(),
        scope => escaped(&scope.join(", ")),
    };
    let content = format!(
        "<p>An application on this machine requests access as <b>{}</b>.<br>Scope: {requested}.</p>\n\
         <form method=\"post\" action=\"{}/consent\">\n<input type=\"hidden\" name=\"id\" value=\"{}\">\n\
         <button name=\"answer\" value=\"allow\" autofocus>Allow</button>\n\
         <button name=\"answer\" value=\"deny\" class=\"quiet\">Deny</button>\n</form>",
        escaped(name),
        escaped(base),
        escaped(id)
    );
    page(200, "plain", "?", "Allow access?", &content)
}

/// Says what is wrong, where the browser cannot be redirected to the client.
pub fn problem(status: u16, text: &str) -> Response {
    page(status, "bad", "!", "Request failed", &format!("<p>{}</p>", escaped(text)))
}

fn page(status: u16, mood: &str, mark: &str, title: &str, content: &str) -> Response {
    Response::written(Html { status, mood, mark, title, content, headers: "" }.response())
}
