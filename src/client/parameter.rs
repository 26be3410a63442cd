//! A parameter of a request that the user adds.

use crate::document::is_visible;

/// Parses `KEY=VALUE`, for clap's `value_parser`: a key of visible ASCII characters, a value without control characters.
pub fn parse(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("must be KEY=VALUE")?;
    if !is_visible(name) {
        return Err("KEY must be visible ASCII characters".to_owned());
    }
    if value.chars().any(char::is_control) {
        return Err(format!("{name}: must not have control characters"));
    }
    Ok((name.to_owned(), value.to_owned()))
}
