//! The environment: settings for the whole pipeline or machine.

/// The variable's value, if it is set and not empty.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}
