//! The environment: settings for the whole pipeline or machine.

use std::ffi::OsString;

/// The variable's value, if it is set and not empty.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// The variable's value, even if it is not UTF-8, if it is set and not empty.
pub fn os_variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|text| !text.is_empty())
}
