//! The syntax of `WWW-Authenticate`: RFC 9110 section 11.6.1.

/// A challenge.
pub struct Challenge {
    /// The authentication scheme, in any letter case.
    pub scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// The parameter of this name, in any letter case.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let is_named = |(other, _): &&(String, String)| other.eq_ignore_ascii_case(name);
        self.parameters.iter().find(is_named).map(|(_, value)| value.as_str())
    }
}

/// The challenges of one line; `None` if it is malformed.
pub fn challenges(line: &str) -> Option<Vec<Challenge>> {
    let mut found: Vec<Challenge> = Vec::new();
    let mut rest = line;
    loop {
        // A list may have empty elements (RFC 9110 section 5.6.1).
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Some(found);
        }
        // An element is a parameter of the scheme before it, or begins a challenge.
        if parameter(rest).is_none() {
            let (scheme, after) = token(rest)?;
            found.push(Challenge { scheme: scheme.to_owned(), parameters: Vec::new() });
            rest = after_token68(after).or_else(|| after.strip_prefix(' '))?.trim_start_matches(' ');
        }
        if let Some(((name, value), after)) = parameter(rest) {
            let challenge = found.last_mut()?;
            if challenge.parameter(&name).is_some() {
                return None;
            }
            challenge.parameters.push((name, value));
            rest = after;
        }
        rest = rest.trim_start_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
    }
}

/// What follows a scheme without parameters: alone, or with a token68 (`Negotiate YII=`), which no challenge for a token
/// has.
fn after_token68(text: &str) -> Option<&str> {
    let is_token68 = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
    let after = text.trim_start_matches(' ').trim_start_matches(is_token68).trim_start_matches('=');
    let next = after.trim_start_matches([' ', '\t']);
    (next.is_empty() || next.starts_with(',')).then_some(after)
}

/// The parameter that the text begins with, and what follows it.
fn parameter(text: &str) -> Option<((String, String), &str)> {
    let (name, rest) = token(text)?;
    let rest = rest.trim_start_matches([' ', '\t']).strip_prefix('=')?.trim_start_matches([' ', '\t']);
    let (value, rest) = match rest.strip_prefix('"') {
        Some(quoted) => quoted_string(quoted)?,
        None => token(rest).map(|(value, rest)| (value.to_owned(), rest))?,
    };
    Some(((name.to_owned(), value), rest))
}

/// The token that the text begins with, and what follows it (RFC 9110 section 5.6.2).
fn token(text: &str) -> Option<(&str, &str)> {
    let is_tchar = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let end = text.find(|c| !is_tchar(c)).unwrap_or(text.len());
    text.split_at_checked(end).filter(|(token, _)| !token.is_empty())
}

/// The text of a quoted string after its opening quote, and what follows its closing one (RFC 9110 section 5.6.4).
fn quoted_string(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((place, character)) = characters.next() {
        match character {
            '"' => return Some((value, text.get(place + 1..)?)),
            '\\' => value.push(characters.next()?.1),
            _ => value.push(character),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each challenge as its scheme, and `name=value` for each parameter, separated by spaces.
    fn parsed(line: &str) -> Option<Vec<String>> {
        let text = |Challenge { scheme, parameters }| {
            let parameters = parameters.into_iter().map(|(name, value)| format!(" {name}={value}"));
            scheme + &parameters.collect::<String>()
        };
        challenges(line).map(|all| all.into_iter().map(text).collect())
    }

    #[test]
    fn reads_each_challenge_of_a_line() {
        for (line, expected) in [
            ("", vec![]),
            (" , ,", vec![]),
            ("Bearer", vec!["Bearer"]),
            ("Bearer ", vec!["Bearer"]),
            ("Bearer,Basic", vec!["Bearer", "Basic"]),
            ("Bearer realm=\"a\"", vec!["Bearer realm=a"]),
            ("bearer  realm=a , scope = \"b c\"", vec!["bearer realm=a scope=b c"]),
            ("Bearer realm=\"a, b=\\\"c\\\\\"", vec!["Bearer realm=a, b=\"c\\"]),
            ("Bearer realm=\"\"", vec!["Bearer realm="]),
            (
                "Basic realm=\"x, y\", Bearer error=invalid_token, scope=\"a\"",
                vec!["Basic realm=x, y", "Bearer error=invalid_token scope=a"],
            ),
            ("Negotiate, Bearer realm=a", vec!["Negotiate", "Bearer realm=a"]),
            ("Negotiate YII+/9-._~==, Bearer realm=a", vec!["Negotiate", "Bearer realm=a"]),
            ("NTLM abc,,Bearer realm=a,", vec!["NTLM", "Bearer realm=a"]),
            ("Digest a=1, b=2, DPoP algs=\"ES256\"", vec!["Digest a=1 b=2", "DPoP algs=ES256"]),
        ] {
            let expected = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(parsed(line), Some(expected), "{line}");
        }
    }

    #[test]
    fn takes_nothing_from_a_line_that_is_malformed() {
        for line in [
            "realm=a",
            "Bearer realm=\"a",
            "Bearer realm=\"a\\",
            "Bearer realm=\"a\" scope=\"b\"",
            "Bearer realm=\"a\"b",
            "Bearer realm=\"a\", realm=\"b\"",
            "Bearer realm=\"a\", Realm=\"b\"",
            "Bearer resource_metadata=https://a.b/c",
            "Bearer realm=a scope=b",
            "Bearer: realm=a",
            "Bearer Basic realm=a",
            "Bearer\trealm=a",
            "Bearer =a",
            "Bearer realm==a",
            "\"Bearer\"",
            "(Bearer)",
            "Beärer realm=a",
        ] {
            assert_eq!(parsed(line), None, "{line}");
        }
    }
}
