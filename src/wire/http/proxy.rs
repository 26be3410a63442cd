//! The proxy for a request: by its scheme, never for this machine or the hosts in `NO_PROXY`.

use std::net::IpAddr;

use ureq::Proxy;

use crate::error::Error;
use crate::process::environment;
use crate::wire::url::Url;

/// The proxy for this URL, if any.
pub fn choice(url: &Url) -> Result<Option<Proxy>, Error> {
    let names: &[&str] = match url.is_https() {
        true => &["HTTPS_PROXY", "https_proxy"],
        // In a CGI program, HTTP_PROXY is the client's `Proxy` header; the lower-case name can't be forged that way.
        false if environment::variable("REQUEST_METHOD").is_some() => &["http_proxy"],
        false => &["HTTP_PROXY", "http_proxy"],
    };
    let names = names.iter().chain(&["ALL_PROXY", "all_proxy"]);
    let named = names.copied().find_map(|name| Some((name, environment::variable(name)?)));
    let Some((name, proxy)) = named.filter(|_| !url.is_loopback() && !is_excepted(url)) else {
        return Ok(None);
    };
    Proxy::new(&proxy).map(Some).map_err(|_| Error::usage(format!("{name}: not a proxy URL such as http://proxy:3128")))
}

fn is_excepted(url: &Url) -> bool {
    let list = ["NO_PROXY", "no_proxy"].into_iter().find_map(environment::variable);
    let list = list.unwrap_or_default();
    let port = url.port().unwrap_or(if url.is_https() { 443 } else { 80 });
    list.split([',', ' ']).filter(|entry| !entry.is_empty()).any(|entry| excepts(entry, url.host(), port))
}

/// Whether a `NO_PROXY` entry matches this host: `*`, a domain with subdomains, an address, a network, `host:port`.
fn excepts(entry: &str, host: &str, port: u16) -> bool {
    let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
    if let (Some((network, bits)), Ok(address)) = (entry.split_once('/'), host.parse()) {
        return in_network(network, bits, address);
    }
    let bare = entry.trim_matches(['[', ']']);
    if let (Ok(entry), Ok(address)) = (bare.parse::<IpAddr>(), host.parse::<IpAddr>()) {
        return entry == address;
    }
    let (name, only) = match entry.rsplit_once(':') {
        Some((name, only)) => (name.trim_matches(['[', ']']), only.parse().ok()),
        None => (entry, Some(port)),
    };
    let name = name.trim_start_matches("*.").trim_start_matches('.').to_ascii_lowercase();
    let below = host.strip_suffix(&name).is_some_and(|above| above.ends_with('.'));
    only == Some(port) && (name == "*" || name == host || below)
}

fn in_network(network: &str, bits: &str, address: IpAddr) -> bool {
    let wide = |address: IpAddr| match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let (Ok(network), Ok(bits)) = (network.trim_matches(['[', ']']).parse(), bits.parse::<u32>()) else {
        return false;
    };
    let ((network, size), (address, other)) = (wide(network), wide(address));
    let differ = network ^ address;
    size == other && bits <= size && differ.leading_zeros() >= bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excepts_what_no_proxy_names_in_all_its_forms() {
        for (entry, host, expected) in [
            ("*", "a.example", true),
            ("example.com", "example.com", true),
            ("example.com", "id.Example.com", true),
            (".example.com", "id.example.com", true),
            ("*.example.com", "id.example.com", true),
            ("example.com", "badexample.com", false),
            ("example.com:443", "example.com", true),
            ("example.com:8443", "example.com", false),
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.1.2.3", false),
            ("0.0.0.0/0", "11.1.2.3", true),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3:443", "10.1.2.3", true),
            ("2001:db8::/32", "[2001:db8::1]", true),
            ("2001:db9::/32", "[2001:db8::1]", false),
            ("[2001:db8::1]", "[2001:db8::1]", true),
            ("[2001:db8::1]:443", "[2001:db8::1]", true),
            ("10.0.0.0/99", "10.1.2.3", false),
        ] {
            assert_eq!(excepts(entry, host, 443), expected, "{entry} {host}");
        }
    }
}
