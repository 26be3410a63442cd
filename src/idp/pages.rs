//! The pages of login and consent.

use super::COOKIE;
use crate::wire::page::{Html, escaped};

/// Asks for a name.
pub fn login(base: &str, id: &str) -> Vec<u8> {
    let content = format!(
        "<p>This is a server for tests: any name will do, and nothing is kept.</p>\n\
         <form method=\"post\" action=\"{}/login\">\n<input type=\"hidden\" name=\"id\" value=\"{}\">\n\
         <label for=\"name\">Name</label>\n\
         <input id=\"name\" name=\"name\" value=\"alice\" required autofocus autocomplete=\"username\">\n\
         <button>Log in</button>\n</form>",
        escaped(base),
        escaped(id)
    );
    Html { status: 200, mood: "plain", mark: "&#9919;", title: "Log in", content: &content, headers: "" }.response()
}

/// Asks whether the client may have what it asks for.
pub fn consent(base: &str, id: &str, name: &str, scope: &[String], cookie: Option<&str>) -> Vec<u8> {
    let asked = match scope {
        [] => "nothing in particular".to_owned(),
        scope => escaped(&scope.join(", ")),
    };
    let content = format!(
        "<p>A program on this machine wants to act for <b>{}</b>.<br>It asks for: {asked}.</p>\n\
         <form method=\"post\" action=\"{}/consent\">\n<input type=\"hidden\" name=\"id\" value=\"{}\">\n\
         <button name=\"answer\" value=\"allow\" autofocus>Allow</button>\n\
         <button name=\"answer\" value=\"deny\" class=\"quiet\">Deny</button>\n</form>",
        escaped(name),
        escaped(base),
        escaped(id)
    );
    let headers = match cookie {
        Some(session) => format!("Set-Cookie: {COOKIE}={session}; HttpOnly; SameSite=Lax; Path=/\r\n"),
        None => String::new(),
    };
    Html { status: 200, mood: "plain", mark: "?", title: "Allow this?", content: &content, headers: &headers }
        .response()
}

/// Says what is wrong, where the browser cannot be sent back.
pub fn problem(status: u16, text: &str) -> Vec<u8> {
    let content = format!("<p>{}</p>", escaped(text));
    Html { status, mood: "bad", mark: "!", title: "That did not work", content: &content, headers: "" }.response()
}
