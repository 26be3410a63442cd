//! The environment: settings for the whole pipeline or machine.

use std::env;
use std::ffi::OsString;

use crate::error::Error;

/// Fails if one of the tools' own variables is not UTF-8, since it would be ignored (without `PKCE_SEAL`, a login is
/// stored unencrypted): status 2.
pub fn check() -> Result<(), Error> {
    let undecoded = env::vars_os().filter(|(_, value)| value.to_str().is_none());
    let mut names = undecoded.filter_map(|(name, _)| name.into_string().ok());
    // PKCE_HOME is a path, which is used as it is.
    match names.find(|name| name.starts_with("PKCE_") && name != "PKCE_HOME") {
        Some(name) => Err(Error::usage(format!("{name}: not UTF-8"))),
        None => Ok(()),
    }
}

/// The variable's value, if it is set and not empty.
pub fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|text| !text.is_empty())
}

/// The variable's value, even if it is not UTF-8, if it is set and not empty.
pub fn os_variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|text| !text.is_empty())
}
