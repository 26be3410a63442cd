//! A server's own words in a response without an OAuth error, whatever their shape.

use crate::document::Document;

/// The words in this body, on one line: those of an object's members, plain text, or the title of a page. A body that
/// only seems to be JSON has none, since it may be a cut-off response with tokens.
pub fn words(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body.trim_ascii()).ok()?;
    let words = match text.chars().next()? {
        '{' => of_object(&Document::parse(body).ok()?)?,
        '[' | '"' => return None,
        '<' => title(text)?.to_owned(),
        _ => text.to_owned(),
    };
    let words: Vec<&str> = words.split_whitespace().collect();
    Some(words.join(" ")).filter(|words| !words.is_empty())
}

/// The title of a page.
pub fn title(page: &str) -> Option<&str> {
    // Offsets stay the same, since only ASCII letters change.
    let lower = page.to_ascii_lowercase();
    let start = lower.find("<title")?;
    let start = start + lower.get(start..)?.find('>')? + 1;
    let end = start + lower.get(start..)?.find("</title")?;
    page.get(start..end)
}

/// The first text among the members that servers use for their words; some put these into an `error` of their own.
fn of_object(object: &Document) -> Option<String> {
    MEMBERS.iter().find_map(|name| {
        let text = object.text(name).ok().flatten().filter(|text| !text.is_empty());
        let number = || object.number(name).map(str::to_owned);
        let inner = || of_object(&object.object(name).ok().flatten().filter(|_| *name == "error")?);
        text.or_else(number).or_else(inner)
    })
}

/// The members, the most telling first (RFC 9457 section 3.1 and servers' own).
const MEMBERS: [&str; 7] = ["error_description", "detail", "message", "msg", "title", "error", "code"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_words_in_each_shape() {
        for (body, expected) in [
            (r#"{"detail":"No such token."}"#, Some("No such token.")),
            (r#"{"code":400,"msg":"Invalid Refresh Token"}"#, Some("Invalid Refresh Token")),
            (r#"{"type":"about:blank","title":"Forbidden","status":403}"#, Some("Forbidden")),
            (r#"{"error":{"code":190,"message":"Bad\r\n code"}}"#, Some("Bad code")),
            (r#"{"error":{"error":{"code":7}}}"#, Some("7")),
            (r#"{"message":{"message":"no"}}"#, None),
            (r#"{"code":true,"message":""}"#, None),
            (r#"{"access_token":"at-1","mess"#, None),
            ("[\"x\"]", None),
            ("\"x\"", None),
            (" error code:\n 1010 ", Some("error code: 1010")),
            ("<!doctype html><HTML><Title lang=en>\n 403 Forbidden </TITLE>", Some("403 Forbidden")),
            ("<html><title>cut", None),
            ("<p>no title</p>", None),
            ("", None),
            ("\u{0}", Some("\u{0}")),
        ] {
            assert_eq!(words(body.as_bytes()).as_deref(), expected, "{body}");
        }
        assert_eq!(words(b"\xff\xfe"), None);
    }
}
