//! The commands of `PKCE_SEAL` and `PKCE_OPEN`, which filter each stored file.

use zeroize::Zeroizing;

use crate::document::Document;
use crate::error::Error;
use crate::process::{Deadline, environment, shell};

/// Fails if only `PKCE_OPEN` is set: a sealed file would be replaced by one that is not. Status 2.
pub fn check() -> Result<(), Error> {
    if environment::variable("PKCE_OPEN").is_some() && environment::variable("PKCE_SEAL").is_none() {
        let error = Error::usage("PKCE_SEAL: not set, although PKCE_OPEN is");
        return Err(error.hint("set PKCE_SEAL to the command that encrypts, or unset PKCE_OPEN"));
    }
    Ok(())
}

/// Whether the stored files are sealed.
pub fn is_used() -> bool {
    environment::variable("PKCE_SEAL").is_some() || environment::variable("PKCE_OPEN").is_some()
}

/// Whether stored files can be read; a machine that can only seal them cannot.
pub fn can_open() -> bool {
    environment::variable("PKCE_SEAL").is_none() || environment::variable("PKCE_OPEN").is_some()
}

/// The octets, opened by `PKCE_OPEN`; `None` if it is not set. If they are a login that is not encrypted, the command's
/// own messages are discarded, since they may repeat it.
pub fn opened(octets: &[u8], deadline: &Deadline) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    let Some(line) = environment::variable("PKCE_OPEN") else { return Ok(None) };
    let line = if is_plain(octets) { format!("exec 2>/dev/null\n{line}") } else { line };
    shell::output("PKCE_OPEN", &line, Some(octets), deadline).map(Some)
}

/// Whether this is a login that is not encrypted. What a command sealed may be a JSON object too, but not with this URL.
pub fn is_plain(octets: &[u8]) -> bool {
    let document = Document::parse(octets).ok();
    let endpoint = document.and_then(|document| document.text("token_endpoint").ok().flatten());
    endpoint.is_some_and(|endpoint| endpoint.starts_with("http"))
}

/// The octets, filtered by the command in this variable; `None` if it is not set.
pub fn filter(variable: &str, octets: &[u8], deadline: &Deadline) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    let Some(line) = environment::variable(variable) else { return Ok(None) };
    shell::output(variable, &line, Some(octets), deadline).map(Some)
}
