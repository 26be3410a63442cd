//! RFC 6749 section 5.1: numbers of seconds, as servers write them.

/// The seconds in this JSON: a number, or a string of digits; `None` for anything else, and for more than a hundred years.
pub fn seconds(json: &str) -> Option<f64> {
    let digits = json.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let seconds: f64 = match digits {
        Some(digits) if !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit()) => {
            digits.parse().ok()?
        }
        Some(_) => return None,
        None => json.parse().ok()?,
    };
    (0.0..=MAX_LIFETIME).contains(&seconds).then_some(seconds)
}

/// Seconds in a hundred years: no token is valid for longer, so a larger number is malformed.
const MAX_LIFETIME: f64 = 3_155_760_000.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_number_of_seconds() {
        for (json, expected) in [
            ("3600", Some(3600.0)),
            ("3600.5", Some(3600.5)),
            ("\"3600\"", Some(3600.0)),
            ("0", Some(0.0)),
            ("3.6e3", Some(3600.0)),
            ("-1", None),
            ("1e400", None),
            ("9223372036854775808", None),
            ("\"zzz\"", None),
            ("\"\"", None),
            ("\"-1\"", None),
            ("false", None),
            ("{}", None),
        ] {
            assert_eq!(seconds(json), expected, "{json}");
        }
    }
}
