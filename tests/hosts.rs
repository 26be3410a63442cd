//! Which hosts a URL may name: an address in one spelling alone, and this machine only where the issuer is there too.
#![cfg(test)]

mod common;
#[path = "common/signer.rs"]
mod signer;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use common::{Output, Server, changed, command, failure, finish, free_port, json_response, run};
use proptest::prelude::*;
use serde_json::{Value, json};
use signer::Signer;

/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

const OTHER_SPELLING: &str = "the host must not be another spelling of an IP address or of localhost";
const HINT: &str =
    "hint: write an IPv4 address as four decimal numbers, and this machine as 127.0.0.1, [::1] or localhost";

/// Each kind of other spelling.
const SPELLINGS: [&str; 26] = [
    "0.0.0.0",
    "0.0.0.1",
    "[::]",
    "[0:0:0:0:0:0:0:0]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::FFFF:7F00:1]",
    "[::ffff:93.184.216.34]",
    "[::ffff:10.0.0.1]",
    "10.1",
    "3232235777",
    "[::127.0.0.1]",
    "0x7f000001",
    "0X7f000001",
    "0x7f.1",
    "0X7F.0.0.1",
    "127.0.0.0x1",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "127.1",
    "127.0.1",
    "127.0.0.1.",
    "127.0.0.01",
    "localhost.",
    "LOCALHOST.",
];

/// All that any step needs.
fn document() -> Value {
    json!({
        "issuer": "https://id.example.com", "authorization_endpoint": "https://id.example.com/a",
        "token_endpoint": "https://id.example.com/t", "client_id": "cli", "state": "s", "code": "c0de",
        "code_verifier": VERIFIER, "code_challenge": CHALLENGE, "redirect_uri": "http://127.0.0.1:7/cb",
        "refresh_token": "rt", "nonce": "n", "id_token_signing_alg_values_supported": ["ES256"],
        "authorization_url": format!("https://id.example.com/a?client_id=cli&code_challenge={CHALLENGE}"),
        "id_token": Signer::new("k1").sign(&json!({
            "iss": "https://id.example.com", "sub": "alice", "aud": "cli", "nonce": "n", "iat": 1, "exp": 4_000_000_000_u64,
        })),
    })
}

/// The tools that use an endpoint of the document, and its member.
const ENDPOINTS: [(&str, &str); 9] = [
    ("pkce-url", "authorization_endpoint"),
    ("pkce-push", "pushed_authorization_request_endpoint"),
    ("pkce-callback", "authorization_url"),
    ("pkce-exchange", "token_endpoint"),
    ("pkce-device", "device_authorization_endpoint"),
    ("pkce-verify", "jwks_uri"),
    ("pkce-refresh", "token_endpoint"),
    ("pkce-revoke", "revocation_endpoint"),
    ("pkce-register", "registration_endpoint"),
];

/// What a tool makes of the document with this member.
fn with(tool: &str, member: &str, url: &str, hosts: &str) -> Output {
    let document = changed(document(), &json!({ member: url })).to_string();
    finish(command(tool).env("PKCE_HTTP_HOSTS", hosts), document.as_bytes())
}

#[test]
fn are_refused_in_other_spellings_by_every_step() {
    let message = |subject: &str| format!("{subject}: {OTHER_SPELLING}\n{HINT}");
    for host in SPELLINGS {
        for url in [format!("https://{host}:18445/x"), format!("http://{host}/x")] {
            // Naming such a host as a test host changes nothing.
            for (tool, member) in ENDPOINTS {
                assert_eq!(with(tool, member, &url, host), failure(tool, 4, &message(member)), "{url}");
            }
        }
    }
}

#[test]
fn are_refused_in_other_spellings_in_every_option() {
    for host in SPELLINGS {
        for url in [format!("https://{host}:18445/x"), format!("http://{host}:0/x")] {
            for (tool, option, subject) in [
                ("pkce-url", "--redirect-uri", "redirect_uri"),
                ("pkce-url", "--authorization-endpoint", "authorization_endpoint"),
                ("pkce-url", "--resource", "resource"),
                ("pkce-exchange", "--token-endpoint", "token_endpoint"),
                ("pkce-register", "--redirect-uri", "redirect_uri"),
                ("pkce-discover", "--resource", "resource"),
                ("pkce-idp", "--visit", "--visit"),
            ] {
                let own = changed(document(), &json!({ "registration_endpoint": "https://id.example.com/r" }));
                let output = run(tool, &[&format!("{option}={url}")], &own.to_string());
                let message = format!("{subject}: {OTHER_SPELLING}\n{HINT}");
                assert_eq!(output, failure(tool, 4, &message), "{url}");
            }
            let message = format!("issuer: {OTHER_SPELLING}\n{HINT}");
            assert_eq!(run("pkce-discover", &[&url], ""), failure("pkce-discover", 4, &message), "{url}");
            let output = finish(command("pkce-discover").env("PKCE_ISSUER", &url), b"");
            assert_eq!(output, failure("pkce-discover", 4, &message), "{url}");
        }
    }
}

#[test]
fn are_refused_in_other_spellings_in_what_a_server_says() {
    for host in SPELLINGS {
        let url = format!("https://{host}:18445/x");
        let endpoint = url.clone();
        let server = Server::start(move |request| {
            let origin = format!("http://{}", request.header("Host").unwrap());
            json_response(&match request.target.as_str() {
                "/.well-known/oauth-protected-resource" => {
                    json!({ "resource": origin, "authorization_servers": [endpoint] })
                }
                _ => json!({ "issuer": origin, "token_endpoint": endpoint }),
            })
        });
        let output = run("pkce-discover", &[&server.url("")], "");
        let message = format!("metadata: token_endpoint: {OTHER_SPELLING}");
        assert_eq!(output, failure("pkce-discover", 4, &message), "{url}");
        let output = run("pkce-discover", &["--resource", &server.url("")], "");
        let message = format!("resource metadata: authorization_servers: {OTHER_SPELLING}");
        assert_eq!(output, failure("pkce-discover", 4, &message), "{url}");
        // The redirect of a visit, as of a browser.
        let server = Server::start(move |_| {
            format!("HTTP/1.1 302 X\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n").into_bytes()
        });
        let output = run("pkce-idp", &["--visit", &server.url("/")], "");
        assert_eq!(output, failure("pkce-idp", 4, &format!("--visit: {OTHER_SPELLING}\n{HINT}")), "{host}");
    }
}

#[test]
fn of_this_machine_are_refused_to_a_remote_server_whatever_their_letters() {
    for url in [
        "https://LOCALHOST:18445/x",
        "https://LocalHost/x",
        "http://LOCALHOST:1/x",
        "https://127.255.0.1/x",
        "https://[0:0:0:0:0:0:0:1]/x",
        "https://a.localhost/x",
        "https://A.B.LOCALHOST.:1/x",
        "http://KEYCLOAK:8080/x",
        "https://Keycloak:8080/x",
        "https://keycloak.:8080/x",
        "https://keycloak:08080/x",
        "http://test/x",
        "https://[FD00:0::1]:80/x",
    ] {
        for (tool, member) in ENDPOINTS {
            let output = with(tool, member, url, "keycloak:8080,test:80 [fd00::1]");
            let message = format!("{member}: a remote server must not point to this machine");
            assert_eq!(output, failure(tool, 4, &message), "{url}");
        }
    }
}

#[test]
fn of_a_test_network_are_listed_without_a_scheme() {
    let hint = "hint: for a test network, list its hosts in PKCE_HTTP_HOSTS without http://, such as keycloak:8080";
    let message = format!("authorization_endpoint: plain http is only allowed to this machine; use https\n{hint}");
    let at = |hosts: &str| {
        let changes = json!({ "issuer": "http://kc:8080", "authorization_endpoint": "http://kc:8080/a" });
        let document = changed(document(), &changes).to_string();
        finish(command("pkce-url").env("PKCE_HTTP_HOSTS", hosts), document.as_bytes())
    };
    for hosts in ["http://kc:8080", "http://kc:8080/", "other http://kc"] {
        assert_eq!(at(hosts), failure("pkce-url", 4, &message), "{hosts}");
    }
    // As the hint says.
    assert_eq!(at("kc:8080").status, 0);
}

#[test]
fn of_this_machine_are_refused_to_a_remote_server_by_each_name_that_systems_give_to_it() {
    let plain = "plain http is only allowed to this machine; use https\n\
                 hint: for a test network, list its hosts in PKCE_HTTP_HOSTS, such as keycloak:8080";
    for name in [
        "localhost.localdomain",
        "localhost4",
        "localhost4.localdomain4",
        "localhost6",
        "localhost6.localdomain6",
        "ip6-localhost",
        "ip6-loopback",
        "ipv6-localhost",
        "ipv6-loopback",
        "a.localhost.localdomain",
    ] {
        for host in [name.to_owned(), name.to_ascii_uppercase(), format!("{name}.")] {
            for (tool, member) in ENDPOINTS {
                let output = with(tool, member, &format!("https://{host}:18445/x"), "");
                let message = format!("{member}: a remote server must not point to this machine");
                assert_eq!(output, failure(tool, 4, &message), "{host}");
            }
            let output = with("pkce-exchange", "token_endpoint", &format!("http://{host}:18445/x"), "");
            assert_eq!(output, failure("pkce-exchange", 4, &format!("token_endpoint: {plain}")), "{host}");
        }
    }
}

#[test]
fn of_this_machine_are_reached_whatever_their_letters() {
    let server = Server::start(|request| {
        let host = request.header("Host").unwrap();
        json_response(&json!({
            "issuer": format!("http://LOCALHOST:{}", host.rsplit_once(':').unwrap().1),
            "token_endpoint": format!("http://{host}/token"), "code_challenge_methods_supported": ["S256"],
        }))
    });
    let issuer = format!("http://LOCALHOST:{}", server.port);
    // Nothing responds at this proxy, and this machine is never reached through one.
    let mut tool = command("pkce-discover");
    tool.arg(&issuer).env("HTTP_PROXY", format!("http://127.0.0.1:{}", free_port()));
    let output = finish(&mut tool, b"");
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
    assert_eq!(output.json()["issuer"], json!(issuer));
}

#[test]
fn of_this_machine_receive_the_redirect_whatever_their_letters() {
    let login = "pkce-discover | pkce-gen - | pkce-url --scope openid --redirect-uri http://LOCALHOST:0/callback |
        pkce-callback --timeout 20 2>/dev/null | pkce-exchange | pkce-verify -r token_type";
    let mut idp = command("pkce-idp");
    idp.args(["--auto-approve", "--redirect-uri", "http://LOCALHOST/callback", "--", "bash", "-c", login]);
    let expected = Output { status: 0, stdout: "Bearer\n".to_owned(), stderr: String::new() };
    assert_eq!(finish(&mut idp, b""), expected);
}

#[test]
fn of_a_test_network_are_reached_whatever_their_letters() {
    let document = document();
    let own = |hosts: &str, url: &str| {
        let document = changed(document.clone(), &json!({ "issuer": url, "authorization_endpoint": url }));
        finish(command("pkce-url").env("PKCE_HTTP_HOSTS", hosts), document.to_string().as_bytes())
    };
    for (hosts, url) in [
        ("keycloak:8080", "http://KEYCLOAK:8080/r"),
        ("KeyCloak", "http://keycloak:8080/r"),
        ("keycloak:80", "http://keycloak/r"),
        ("[fd00::1]:8080", "http://[FD00:0::1]:8080/r"),
    ] {
        let query = format!(
            "response_type=code&client_id=cli&redirect_uri=http%3A%2F%2F127.0.0.1%3A7%2Fcb&state=s\
             &code_challenge={CHALLENGE}&code_challenge_method=S256"
        );
        let expected = changed(
            document.clone(),
            &json!({
                "issuer": url, "authorization_endpoint": url, "authorization_url": format!("{url}?{query}"),
                "nonce": null,
            }),
        );
        let output = own(hosts, url);
        assert_eq!((output.json(), output.status, output.stderr.as_str()), (expected, 0, ""), "{hosts} {url}");
    }
    let plain = "plain http is only allowed to this machine; use https\n\
                 hint: for a test network, list its hosts in PKCE_HTTP_HOSTS, such as keycloak:8080";
    let other = &format!("{OTHER_SPELLING}\n{HINT}");
    for (hosts, url, wrong) in [
        ("keycloak:80", "http://keycloak:8080/r", plain),
        ("keycloak", "http://keycloak.:8080/r", plain),
        ("0.0.0.0 [::]", "http://0.0.0.0/r", other),
        ("localhost.", "http://localhost./r", other),
        (", ,", "http://keycloak:8080/r", plain),
    ] {
        let message = format!("authorization_endpoint: {wrong}");
        assert_eq!(own(hosts, url), failure("pkce-url", 4, &message), "{hosts} {url}");
    }
}

/// An IPv4 address as programs may spell it, and the parts of it.
fn spelled() -> impl Strategy<Value = String> {
    let part = |number: u32| {
        prop_oneof![
            4 => Just(number.to_string()),
            1 => Just(format!("0{number:o}")),
            1 => Just(format!("0x{number:x}")),
            1 => Just(format!("0X{number:X}")),
        ]
    };
    let address =
        prop_oneof![2 => any::<u32>(), 1 => Just(0), 2 => (0..=0xff_ffff_u32).prop_map(|low| 0x7f00_0000 + low)];
    let v4 = (address, 1..=4_u32).prop_flat_map(move |(address, parts)| {
        let octets = address.to_be_bytes().map(u32::from);
        let last = match parts {
            1 => address,
            2 => address & 0xff_ffff,
            3 => address & 0xffff,
            _ => address & 0xff,
        };
        let numbers = octets.into_iter().take(parts as usize - 1).chain([last]);
        numbers.map(part).collect::<Vec<_>>().prop_map(|parts| parts.join("."))
    });
    let v6 = (any::<[u16; 8]>(), any::<u8>()).prop_map(|(mut groups, zeros)| {
        (0..8).filter(|place| zeros >> place & 1 == 1).for_each(|place| groups[place] = 0);
        format!("[{}]", Ipv6Addr::from(groups))
    });
    let mapped = any::<u32>().prop_map(|address| format!("[{}]", Ipv4Addr::from(address).to_ipv6_mapped()));
    let low = any::<u16>().prop_map(|low| format!("[::{low:x}]"));
    (prop_oneof![4 => v4, 2 => v6, 1 => mapped, 1 => low], any::<bool>())
        .prop_map(|(host, dot)| if dot && !host.ends_with(']') { host + "." } else { host })
}

/// Whether this is the one spelling of an address that is not this machine under another name.
fn is_plain(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let address: IpAddr = bare.parse().ok()?;
    let is_other = match address {
        IpAddr::V4(address) => address.octets()[0] == 0,
        IpAddr::V6(address) => address.segments()[..5] == [0; 5] && [0, 0xffff].contains(&address.segments()[5]),
    };
    (!is_other || address == IpAddr::V6(Ipv6Addr::LOCALHOST)).then_some(address)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn are_addresses_as_the_standard_library_reads_them_or_refused(host in spelled()) {
        let status = |scheme: &str| {
            let endpoint = format!("{scheme}://{host}/a");
            let document = changed(document(), &json!({ "issuer": null, "authorization_endpoint": endpoint }));
            run("pkce-url", &[], &document.to_string()).status
        };
        let plain = is_plain(&host);
        prop_assert_eq!(status("https"), if plain.is_some() { 0 } else { 4 }, "{}", host);
        let is_loopback = plain.is_some_and(|address| address.is_loopback());
        prop_assert_eq!(status("http"), if is_loopback { 0 } else { 4 }, "{}", host);
    }
}
