//! The pages that a person sees: a device's code, login, consent, their end, and what is wrong.

use super::response::Response;
use super::state::authorization_request::{AuthorizationRequest, Recipient};
use crate::message::printable;
use crate::wire::page::{CHECK, CROSS, EXCLAMATION, Html, PERSON, QUESTION, SCREEN, escaped};

/// Asks for the code that a device shows; `wrong` is what is wrong with the one that was entered.
pub fn user_code(entered: &str, wrong: Option<&str>) -> Response {
    let content = format!(
        "<p id=\"about\">{}</p>\n<form method=\"post\" action=\"device\">\n\
         <label for=\"user_code\">Code</label>\n\
         <input id=\"user_code\" name=\"user_code\" value=\"{}\" aria-describedby=\"about\" required autofocus \
         autocomplete=\"off\" autocapitalize=\"characters\" spellcheck=\"false\">\n<button>Continue</button>\n</form>",
        wrong.unwrap_or("Enter the code that your terminal or device shows."),
        escaped(&printable(entered))
    );
    match wrong {
        None => page(200, "plain", SCREEN, "Sign in on a device", &content),
        Some(_) => page(400, "bad", EXCLAMATION, "Sign in on a device", &content),
    }
}

/// Asks for the person's name.
pub fn login(id: &str) -> Response {
    let content = format!(
        "<p id=\"about\">This is a test server: any name works, and nothing is stored.</p>\n\
         <form method=\"post\" action=\"login\">\n<input type=\"hidden\" name=\"id\" value=\"{}\">\n\
         <label for=\"name\">Name</label>\n\
         <input id=\"name\" name=\"name\" value=\"alice\" aria-describedby=\"about\" required autofocus \
         autocomplete=\"username\">\n<button>Sign in</button>\n</form>",
        escaped(id)
    );
    page(200, "plain", PERSON, "Sign in", &content)
}

/// Asks the person for consent to the request of the client, which has a name if it was registered with one.
pub fn consent(id: &str, person: &str, request: &AuthorizationRequest, client_name: Option<&str>) -> Response {
    let client_id = escaped(&request.client_id);
    let client = match client_name {
        Some(name) => format!("<b>{}</b> (client ID {client_id})", escaped(name)),
        None => format!("<b>{client_id}</b>"),
    };
    let (on, comparison) = match &request.recipient {
        Recipient::Redirect { .. } => ("on this machine", String::new()),
        // The link of somebody else's login leads here too (RFC 8628 section 5.4).
        Recipient::Device(user_code) => (
            "on a device",
            format!(
                "<p>Its code is <b>{}</b>. Allow access only if you started this login, and your terminal or device \
                 shows the same code.</p>\n",
                escaped(user_code)
            ),
        ),
    };
    let scopes = request.scope.iter().map(|scope| in_plain_words(scope));
    let resources = request.resources.iter().map(|resource| format!("access to {}", escaped(resource)));
    let requested: Vec<String> = scopes.chain(resources).map(|text| format!("<li>{text}</li>\n")).collect();
    let requested = if requested.is_empty() { "<li>no scope</li>\n".to_owned() } else { requested.concat() };
    let content = format!(
        "<p>{client} {on} requests access as <b>{}</b>:</p>\n<ul>\n{requested}</ul>\n{comparison}\
         <form method=\"post\" action=\"consent\">\n<input type=\"hidden\" name=\"id\" value=\"{}\">\n\
         <button name=\"answer\" value=\"allow\" autofocus>Allow</button>\n\
         <button name=\"answer\" value=\"deny\" class=\"quiet\">Deny</button>\n</form>",
        escaped(&printable(person)),
        escaped(id)
    );
    page(200, "plain", QUESTION, "Allow access?", &content)
}

/// What the client can do with a scope, and its name; the name alone, if there are no words for it.
fn in_plain_words(scope: &str) -> String {
    let name = escaped(scope);
    match scope {
        "openid" => format!("your name, to sign you in ({name})"),
        "offline_access" => format!("access while you are away, until it is revoked ({name})"),
        _ => name,
    }
}

/// Says that the device has the person's decision.
pub fn decided(is_allowed: bool) -> Response {
    if is_allowed {
        let text = "<p>The login continues in your terminal or on your device. You can close this page.</p>";
        return page(200, "good", CHECK, "Back to your device", text);
    }
    page(200, "bad", CROSS, "You are not signed in", "<p>Access was denied. You can close this page.</p>")
}

/// Says what is wrong, where the browser cannot be redirected to the client.
pub fn problem(status: u16, text: &str) -> Response {
    page(status, "bad", EXCLAMATION, "Request failed", &format!("<p>{}</p>", escaped(text)))
}

fn page(status: u16, mood: &str, mark: &str, title: &str, content: &str) -> Response {
    Response::written(Html { status, mood, mark, title, content, headers: "" }.response())
}
