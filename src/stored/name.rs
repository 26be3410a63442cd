//! The name of a stored login.

/// The name of a stored login; it is part of a file name, so it has no `/` and no leading dot.
#[derive(Clone)]
pub struct Name(String);

impl Name {
    /// Parses a name: `[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}`.
    pub fn parse(text: &str) -> Result<Name, String> {
        let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"._@+-".contains(&octet);
        let is_name =
            text.len() <= 64 && text.bytes().all(plain) && text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !is_name {
            return Err(
                "must be a letter or digit, then up to 63 letters, digits, dots, hyphens, underscores, @ or +".into()
            );
        }
        Ok(Name(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of its file with this extension.
    pub(super) fn file(&self, extension: &str) -> String {
        format!("{}.{extension}", self.0)
    }
}
