//! Any text as a URL: what is accepted has the same host, port, path and query for a browser, and one spelling of this
//! machine.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pkce_tools::wire::url::Url;
use url::Host;

fuzz_target!(|text: &str| {
    let Ok(ours) = Url::parse(text) else { return };
    let theirs = match url::Url::parse(text) {
        Ok(theirs) => theirs,
        // What an encoded name stands for is the resolver's business (RFC 5890).
        Err(url::ParseError::IdnaError) if ours.host().to_ascii_lowercase().contains("xn--") => return,
        Err(error) => panic!("no URL elsewhere ({error}): {text}"),
    };
    assert_eq!(ours.is_https(), theirs.scheme() == "https", "{text}");
    assert_eq!(theirs.username(), "", "{text}");
    assert_eq!(theirs.password(), None, "{text}");
    assert_eq!(theirs.fragment(), None, "{text}");
    let default = if ours.is_https() { 443 } else { 80 };
    assert_eq!(ours.port().unwrap_or(default), theirs.port_or_known_default().unwrap_or_default(), "{text}");
    let host = theirs.host().unwrap_or_else(|| panic!("no host elsewhere: {text}"));
    let is_this_machine = match host {
        Host::Domain(name) => {
            name == "localhost" || name.ends_with(".localhost") || name.trim_end_matches('.') == "localhost"
        }
        Host::Ipv4(address) => address.is_loopback() || address.is_unspecified(),
        Host::Ipv6(address) => {
            let v4 = address.to_ipv4();
            address.is_loopback()
                || address.is_unspecified()
                || v4.is_some_and(|v4| v4.is_loopback() || v4.is_unspecified())
        }
    };
    // A subdomain of localhost is this machine for browsers, and a name like others for the resolvers of requests.
    let is_below_localhost = matches!(host, Host::Domain(name) if name.ends_with(".localhost"));
    assert!(
        is_below_localhost || ours.is_loopback() == is_this_machine,
        "{text}: this machine elsewhere: {is_this_machine}"
    );
    match host {
        Host::Domain(name) => assert!(ours.host().eq_ignore_ascii_case(name), "{text}: {name}"),
        Host::Ipv4(address) => assert_eq!(ours.host(), address.to_string(), "{text}"),
        Host::Ipv6(address) => {
            let inside = ours.host().trim_matches(['[', ']']).parse();
            assert_eq!(inside, Ok(address), "{text}");
        }
    }
    // What follows the host, as it was given.
    let joined = format!("{}{}", ours.origin(), ours.after_origin());
    assert_eq!(joined, text);
    assert_eq!(ours.query().is_some(), theirs.query().is_some(), "{text}");
});
