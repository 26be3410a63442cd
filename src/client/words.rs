//! A server's own words in a response without an OAuth error, whatever their shape.

use serde_json::Value;

use crate::wire::page;

/// The words in this body: those of an object's members, plain text, or the title of a page. A body that only seems to be
/// JSON, or that has tokens in another form, has none.
pub fn words(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body.trim_ascii()).ok()?;
    let words = match text.chars().next()? {
        '{' | '[' => of_value(&serde_json::from_str(text).ok()?)?,
        '"' | '\u{feff}' => return None,
        '<' => page::unescaped(element(text, "title").or_else(|| element(text, "h1"))?),
        _ => text.to_owned(),
    };
    Some(words).filter(|words| !words.trim().is_empty() && !has_token(words))
}

/// Whether the text names the value of a token, as a form or JSON after other text does.
fn has_token(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.match_indices("token").any(|(at, name)| {
        let after = lower.get(at + name.len()..).unwrap_or_default();
        let after = after.trim_start_matches(|c: char| c.is_whitespace() || "\"'\\".contains(c));
        ["=", ":", ">", "%3d"].iter().any(|sign| after.starts_with(sign))
    })
}

/// The content of the first element of this name.
fn element<'a>(page: &'a str, name: &str) -> Option<&'a str> {
    // Offsets stay the same, since only ASCII letters change.
    let lower = page.to_ascii_lowercase();
    let start = lower.find(&format!("<{name}"))?;
    let start = start + lower.get(start..)?.find('>')? + 1;
    let end = start + lower.get(start..)?.find(&format!("</{name}"))?;
    page.get(start..end)
}

/// The first text among the members that servers use for their words, which some put into objects or arrays of their own.
fn of_value(value: &Value) -> Option<String> {
    let said = |value: &Value| match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        value => of_value(value),
    };
    match value {
        Value::Object(members) => MEMBERS.iter().find_map(|name| members.get(*name).and_then(said)),
        Value::Array(values) => values.first().filter(|first| first.is_object()).and_then(of_value),
        _ => None,
    }
}

/// The members, the most telling first (RFC 9457 section 3.1 and servers' own).
const MEMBERS: [&str; 10] =
    ["error_description", "detail", "message", "msg", "error_message", "reason", "title", "error", "errors", "code"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_words_in_each_shape() {
        for (body, expected) in [
            (r#"{"detail":"No such token."}"#, Some("No such token.")),
            (r#"{"code":400,"msg":"Invalid Refresh Token"}"#, Some("Invalid Refresh Token")),
            (r#"{"type":"about:blank","title":"Forbidden","status":403}"#, Some("Forbidden")),
            (r#"{"error":{"code":190,"message":"Bad\r\n code"}}"#, Some("Bad\r\n code")),
            (r#"{"error":{"error":{"code":7}}}"#, Some("7")),
            (r#"{"message":{"message":"no"}}"#, Some("no")),
            (r#"{"detail":[{"loc":["body","code"],"msg":"field required"}]}"#, Some("field required")),
            (r#"[{"message":"Session expired","errorCode":"INVALID_SESSION_ID"}]"#, Some("Session expired")),
            (r#"{"error":{"errors":["at-1"]}}"#, None),
            ("<h1>Blocked</h1>", Some("Blocked")),
            (r#"{"code":true,"message":""}"#, None),
            (r#"{"access_token":"at-1","mess"#, None),
            ("[\"x\"]", None),
            ("\"x\"", None),
            (" error code:\n 1010 ", Some("error code:\n 1010")),
            ("<!doctype html><HTML><Title lang=en>\n 403 Forbidden </TITLE>", Some("\n 403 Forbidden ")),
            ("<title>Can&#39;t sign in &amp; go</title>", Some("Can't sign in & go")),
            ("<html><title>cut", None),
            ("<p>no title</p>", None),
            ("access_token=at-1&token_type=Bearer", None),
            ("access_token%3Dat-1", None),
            ("x <access_token>at-1</access_token>", None),
            (r#"{"message":"{\"access_token\":\"at-1\"}"}"#, None),
            ("<title>token=at-1</title>", None),
            ("\u{feff}{\"access_token\":\"at-1\"}", None),
            (")]}',\n{\"refresh_token\" : \"rt-1\"}", None),
            ("invalid refresh_token", Some("invalid refresh_token")),
            ("", None),
            ("\u{0}", Some("\u{0}")),
        ] {
            assert_eq!(words(body.as_bytes()).as_deref(), expected, "{body}");
        }
        assert_eq!(words(b"\xff\xfe"), None);
    }
}
