//! Changes the URL that a redirect leads to.

use crate::wire::form;

/// The parameters of a redirect.
pub type Pairs = Vec<(String, String)>;

/// The response with other parameters in its redirect.
pub fn with_parameters(octets: Vec<u8>, change: impl FnOnce(&mut Pairs)) -> Vec<u8> {
    with_location(octets, |location| {
        let (base, query) = location.split_once('?').unwrap_or((location, ""));
        let decoded = |text| form::decode(text).unwrap_or_default();
        let mut pairs = form::pairs(query).map(|(name, value)| (decoded(name), decoded(value))).collect();
        change(&mut pairs);
        let pairs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        format!("{base}?{}", *form::encoded(pairs))
    })
}

/// The response with a redirect to another URL.
pub fn with_location(octets: Vec<u8>, change: impl FnOnce(&str) -> String) -> Vec<u8> {
    let text = String::from_utf8_lossy(&octets);
    let Some((before, rest)) = text.split_once(LOCATION) else { return octets };
    let (location, after) = rest.split_once("\r\n").unwrap_or((rest, ""));
    format!("{before}{LOCATION}{}\r\n{after}", change(location)).into_bytes()
}

/// Replaces the code by an error (RFC 6749 section 4.1.2.1).
pub fn deny(pairs: &mut Pairs, error: &str) {
    pairs.retain(|(name, _)| name != "code");
    set(pairs, "error", error);
    set(pairs, "error_description", SIMULATED);
}

/// Sets the parameter; one that is present keeps its place.
pub fn set(pairs: &mut Pairs, name: &str, value: &str) {
    match pairs.iter_mut().find(|(other, _)| other == name) {
        Some((_, old)) => value.clone_into(old),
        None => pairs.push((name.to_owned(), value.to_owned())),
    }
}

/// Removes the parameter.
pub fn remove(pairs: &mut Pairs, name: &str) {
    pairs.retain(|(other, _)| other != name);
}

/// Appends the parameter, even if it is present.
pub fn add(pairs: &mut Pairs, name: &str, value: &str) {
    pairs.push((name.to_owned(), value.to_owned()));
}

/// The URL with this value of the parameter, which is not encoded.
pub fn raw(location: &str, name: &str, value: &str) -> String {
    let (base, query) = location.split_once('?').unwrap_or((location, ""));
    let pairs = form::pairs(query).map(|(other, old)| format!("{other}={}", if other == name { value } else { old }));
    format!("{base}?{}", pairs.collect::<Vec<_>>().join("&"))
}

/// The `error_description` of an error that `--fault` asks for.
pub const SIMULATED: &str = "simulated by --fault";

const LOCATION: &str = "Location: ";
