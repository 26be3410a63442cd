//! The pages that a person sees: a device's code, login, consent, their end, and what is wrong.

use super::response::Response;
use super::state::authorization_request::{AuthorizationRequest, Recipient};
use crate::wire::page::{Html, escaped};

/// Asks for the code that a device shows; `wrong` is what is wrong with the one that was entered.
pub fn user_code(entered: &str, wrong: Option<&str>) -> Response {
    let content = format!(
        "<p>{}</p>\n<form method=\"post\" action=\"device\">\n\
         <label for=\"user_code\">Code</label>\n\
         <input id=\"user_code\" name=\"user_code\" value=\"{}\" required autofocus autocomplete=\"off\" \
         autocapitalize=\"characters\" spellcheck=\"false\">\n<button>Continue</button>\n</form>",
        wrong.unwrap_or("Enter the code that your terminal or device shows."),
        escaped(entered)
    );
    match wrong {
        None => page(200, "plain", "#", "Sign in on a device", &content),
        Some(_) => page(400, "bad", "!", "Sign in on a device", &content),
    }
}

/// Asks for the person's name.
pub fn login(id: &str) -> Response {
    let content = format!(
        "<p>This is a test server: any name works, and nothing is stored.</p>\n\
         <form method=\"post\" action=\"login\">\n<input type=\"hidden\" name=\"id\" value=\"{}\">\n\
         <label for=\"name\">Name</label>\n\
         <input id=\"name\" name=\"name\" value=\"alice\" required autofocus autocomplete=\"username\">\n\
         <button>Sign in</button>\n</form>",
        escaped(id)
    );
    page(200, "plain", "&#9919;", "Sign in", &content)
}

/// Asks the person for consent to the request.
pub fn consent(id: &str, name: &str, request: &AuthorizationRequest) -> Response {
    let requested = match request.scope.as_slice() {
        [] => "none".to_owned(),
        scope => escaped(&scope.join(", ")),
    };
    let (client, comparison) = match &request.recipient {
        Recipient::Redirect { .. } => ("An application on this machine", String::new()),
        // The link of somebody else's login leads here too (RFC 8628 section 5.4).
        Recipient::Device(user_code) => (
            "A device",
            format!(
                "<p>Its code is <b>{}</b>. Allow access only if you started this login, and your terminal or device \
                 shows the same code.</p>\n",
                escaped(user_code)
            ),
        ),
    };
    let content = format!(
        "<p>{client} requests access as <b>{}</b>.<br>Scope: {requested}.</p>\n{comparison}\
         <form method=\"post\" action=\"consent\">\n<input type=\"hidden\" name=\"id\" value=\"{}\">\n\
         <button name=\"answer\" value=\"allow\" autofocus>Allow</button>\n\
         <button name=\"answer\" value=\"deny\" class=\"quiet\">Deny</button>\n</form>",
        escaped(name),
        escaped(id)
    );
    page(200, "plain", "?", "Allow access?", &content)
}

/// Says that the device has the person's decision.
pub fn decided(is_allowed: bool) -> Response {
    if is_allowed {
        let text = "<p>The login continues in your terminal or on your device. You can close this page.</p>";
        return page(200, "good", "&#10003;", "Back to your device", text);
    }
    page(200, "bad", "&#215;", "You are not signed in", "<p>Access was denied. You can close this page.</p>")
}

/// Says what is wrong, where the browser cannot be redirected to the client.
pub fn problem(status: u16, text: &str) -> Response {
    page(status, "bad", "!", "Request failed", &format!("<p>{}</p>", escaped(text)))
}

fn page(status: u16, mood: &str, mark: &str, title: &str, content: &str) -> Response {
    Response::written(Html { status, mood, mark, title, content, headers: "" }.response())
}
