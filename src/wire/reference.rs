//! References to another URL, as a redirect has them: RFC 3986 section 5.2.

use crate::wire::url::{InvalidUrl, Url};

/// What a reference at the URL `base` leads to. A fragment is for a page, and left out.
pub fn resolved(base: &Url, reference: &str) -> Result<Url, InvalidUrl> {
    let reference = reference.split('#').next().unwrap_or_default();
    let before_path = reference.split(['/', '?']).next().unwrap_or_default();
    if before_path.contains(':') {
        return absolute(reference);
    }
    if reference.starts_with("//") {
        let scheme = if base.is_https() { "https" } else { "http" };
        return absolute(&format!("{scheme}:{reference}"));
    }
    let (path, query) = match reference.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (reference, None),
    };
    let directory = base.path().rsplit_once('/').map_or("", |(directory, _)| directory);
    let (path, query) = match path {
        "" => (base.path().to_owned(), query.or(base.query())),
        _ if path.starts_with('/') => (without_dots(path), query),
        _ => (without_dots(&format!("{directory}/{path}")), query),
    };
    joined(base.origin(), &path, query)
}

fn absolute(text: &str) -> Result<Url, InvalidUrl> {
    let url = Url::parse(text)?;
    joined(url.origin(), &without_dots(url.path()), url.query())
}

fn joined(origin: &str, path: &str, query: Option<&str>) -> Result<Url, InvalidUrl> {
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Url::parse(&format!("{origin}{path}{query}"))
}

/// The path without its `.` and `..` segments (RFC 3986 section 5.2.4).
fn without_dots(path: &str) -> String {
    if path.is_empty() {
        return String::new();
    }
    let mut kept = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_dot = segment == "." || segment == "..";
        if segment == ".." {
            kept.pop();
        }
        if !is_dot {
            kept.push(segment);
        } else if segments.peek().is_none() {
            kept.push("");
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_a_reference_as_rfc_3986_says() {
        // Section 5.4, with https; its references with another scheme are refused below.
        let base = Url::parse("https://a/b/c/d;p?q").ok().unwrap();
        for (reference, expected) in [
            ("g", "https://a/b/c/g"),
            ("./g", "https://a/b/c/g"),
            ("g/", "https://a/b/c/g/"),
            ("/g", "https://a/g"),
            ("//g", "https://g"),
            ("?y", "https://a/b/c/d;p?y"),
            ("g?y", "https://a/b/c/g?y"),
            ("#s", "https://a/b/c/d;p?q"),
            ("g#s", "https://a/b/c/g"),
            ("g?y#s", "https://a/b/c/g?y"),
            (";x", "https://a/b/c/;x"),
            ("g;x", "https://a/b/c/g;x"),
            ("g;x?y#s", "https://a/b/c/g;x?y"),
            ("", "https://a/b/c/d;p?q"),
            (".", "https://a/b/c/"),
            ("./", "https://a/b/c/"),
            ("..", "https://a/b/"),
            ("../", "https://a/b/"),
            ("../g", "https://a/b/g"),
            ("../..", "https://a/"),
            ("../../", "https://a/"),
            ("../../g", "https://a/g"),
            ("../../../g", "https://a/g"),
            ("../../../../g", "https://a/g"),
            ("/./g", "https://a/g"),
            ("/../g", "https://a/g"),
            ("g.", "https://a/b/c/g."),
            (".g", "https://a/b/c/.g"),
            ("g..", "https://a/b/c/g.."),
            ("..g", "https://a/b/c/..g"),
            ("./../g", "https://a/b/g"),
            ("./g/.", "https://a/b/c/g/"),
            ("g/./h", "https://a/b/c/g/h"),
            ("g/../h", "https://a/b/c/h"),
            ("g;x=1/./y", "https://a/b/c/g;x=1/y"),
            ("g;x=1/../y", "https://a/b/c/y"),
            ("g?y/./x", "https://a/b/c/g?y/./x"),
            ("g?y/../x", "https://a/b/c/g?y/../x"),
            ("https://other/./g?h/../i", "https://other/g?h/../i"),
            ("//other/a/../g", "https://other/g"),
            ("https://other", "https://other"),
        ] {
            assert_eq!(
                resolved(&base, reference).ok().map(|url| url.as_str().to_owned()).as_deref(),
                Some(expected),
                "{reference}"
            );
        }
        for reference in
            ["g:h", "http:g", "http://id.example/", "javascript:alert(1)", "//user@g", "//", "///g", "/a b"]
        {
            assert!(resolved(&base, reference).is_err(), "{reference}");
        }
        let bare = Url::parse("https://a?q").ok().unwrap();
        for (reference, expected) in [("g", "https://a/g"), ("", "https://a?q"), ("?y", "https://a?y")] {
            assert_eq!(resolved(&bare, reference).ok().map(|url| url.as_str().to_owned()).as_deref(), Some(expected));
        }
    }
}
