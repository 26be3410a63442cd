//! What holds for input that nobody thought of.
#![cfg(test)]

mod common;
#[path = "common/tls.rs"]
mod tls;

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;

use common::{Server, command, finish, listen, make_fifo, new_directory, run};
use pkce_tools::document::{Document, escape};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use serde_json::{Value, json};
use tls::Authority;

/// Each case starts a process, so there are few by day; `PROPTEST_CASES` asks for more.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(48);
    ProptestConfig { cases, failure_persistence: Some(Box::new(FileFailurePersistence::Off)), ..Default::default() }
}

fn document() -> Value {
    json!({
        "authorization_endpoint": "https://id.example/authorize",
        "client_id": "cli",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "state": "s",
    })
}

fn value(url: &str, name: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    form_urlencoded::parse(query.as_bytes()).find(|(other, _)| other == name).map(|(_, value)| value.into_owned())
}

/// A token that is good at its time.
fn token() -> String {
    let vectors = common::vectors("idtoken.json");
    let case = vectors["cases"].as_array().unwrap().iter().find(|case| case["id"] == "ok-es256").unwrap();
    case["id_token"].as_str().unwrap().to_owned()
}

/// What pkce-verify makes of this token with the keys of the vectors.
fn verified(id_token: &str) -> common::Output {
    static KEYS: OnceLock<String> = OnceLock::new();
    let keys = KEYS.get_or_init(|| common::vectors("idtoken.json")["jwks"]["multi_alg"].to_string());
    let directory = new_directory();
    let file = directory.path().join("jwks.json");
    std::fs::write(&file, keys).unwrap();
    let document = json!({
        "issuer": "https://op.example.com", "client_id": "cli-1", "nonce": "n-0S6_WzA2Mj", "id_token": id_token,
        "id_token_signing_alg_values_supported": ["ES256"],
    });
    run("pkce-verify", &["--now", "1800000000", "--jwks", file.to_str().unwrap()], &document.to_string())
}

/// Any JSON text that is not nested too deep, as it may stand in a document of somebody else.
fn foreign() -> impl Strategy<Value = String> {
    let text = any::<String>().prop_map(|text| Value::from(text).to_string());
    let number = "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,5})?";
    let leaf = prop_oneof![text, number, Just("null".to_owned()), Just("true".to_owned())];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|list| format!("[{}]", list.join(","))),
            prop::collection::btree_map("[a-z]{1,5}", inner, 0..4).prop_map(|members| {
                let members: Vec<String> = members.iter().map(|(name, json)| format!("\"{name}\":{json}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

/// The port of something that every kind of proxy's client takes for its proxy, until it ends the connection.
fn proxy() -> u16 {
    static PORT: OnceLock<u16> = OnceLock::new();
    *PORT.get_or_init(|| {
        let (listener, port) = listen();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, mut first) = (stream.unwrap(), [0; 2]);
                let _ = stream.read(&mut first);
                let response: &[u8] = match first {
                    [4, _] => &[0, 90, 0, 0, 0, 0, 0, 0],
                    [5, 2] => &[5, 2, 1, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0],
                    [5, _] => &[5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0],
                    _ => b"HTTP/1.1 200 OK\r\n\r\n",
                };
                let _ = stream.write_all(response);
            }
        });
        port
    })
}

/// Where certificates may be: an authority's, and files of each other kind.
fn places() -> &'static (Authority, tempfile::TempDir) {
    static PLACES: OnceLock<(Authority, tempfile::TempDir)> = OnceLock::new();
    PLACES.get_or_init(|| {
        let directory = new_directory();
        let file = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        file("empty", "");
        file("garbage", "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\n");
        file("no-certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        make_fifo(&directory.path().join("fifo"));
        (Authority::new("place"), directory)
    })
}

/// The value of a proxy variable: a URL that is good in most of its parts, or anything.
fn proxy_setting() -> impl Strategy<Value = OsString> {
    let scheme = prop::sample::select(vec![
        "",
        "http://",
        "https://",
        "socks://",
        "socks4://",
        "socks4a://",
        "socks5://",
        "socks5h://",
        "SOCKS5H://",
        "HTTP://",
        "ftp://",
        "://",
        ":",
        "//",
    ]);
    let user = prop_oneof![
        4 => Just(String::new()),
        1 => Just("me:s3cr3t@".to_owned()),
        1 => Just(format!("{}:s3cr3t@", "u".repeat(300))),
        1 => "[a-z:@%/?#]{0,6}@",
    ];
    let host = prop::sample::select(vec![
        "127.0.0.1",
        "127.0.0.1",
        "127.0.0.1",
        "[::1]",
        "localhost",
        "",
        "[::1",
        "::1",
        "0x7f.1",
        "id.invalid",
        "a[::1]",
        "[::1%25lo]",
        "127.0.0.1@",
    ]);
    let port = prop_oneof![
        4 => Just(format!(":{}", proxy())),
        2 => prop::sample::select(vec!["", ":", ":0", ":1", ":65535", ":65536", ":x", ":-1"]).prop_map(str::to_owned),
    ];
    let rest = prop_oneof![4 => Just(String::new()), 1 => Just("/".to_owned()), 1 => "[/?#@ \n\u{7f}a:]{1,3}"];
    let url = (scheme, user, host, port, rest)
        .prop_map(|(scheme, user, host, port, rest)| OsString::from(format!("{scheme}{user}{host}{port}{rest}")));
    prop_oneof![6 => url, 1 => anything()]
}

fn certificates_setting() -> impl Strategy<Value = OsString> {
    let (authority, directory) = places();
    let mut paths = vec![authority.file(), authority.certs(), directory.path().to_owned(), PathBuf::new()];
    paths.extend(["empty", "garbage", "no-certificate", "fifo", "missing"].map(|name| directory.path().join(name)));
    paths.extend(["/dev/null", "/dev/zero", "/", ":", ".", "fifo:/dev/zero"].map(|path| Path::new(path).to_owned()));
    prop_oneof![6 => prop::sample::select(paths).prop_map(PathBuf::into_os_string), 1 => anything()]
}

/// Any octets that can be in a variable, UTF-8 or not.
fn anything() -> impl Strategy<Value = OsString> {
    prop::collection::vec(1..=255_u8, 0..40).prop_map(OsString::from_vec)
}

/// The variables about requests, some of them set.
fn surroundings() -> impl Strategy<Value = Vec<(&'static str, OsString)>> {
    let proxies = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
    let exceptions = prop_oneof![anything(), "[a-z0-9.:/*, \\[\\]]{0,12}".prop_map(OsString::from)];
    let setting = prop_oneof![
        6 => (prop::sample::select(proxies.to_vec()), proxy_setting()),
        3 => (prop::sample::select(vec!["SSL_CERT_FILE", "SSL_CERT_DIR"]), certificates_setting()),
        1 => (prop::sample::select(vec!["NO_PROXY", "no_proxy", "REQUEST_METHOD"]), exceptions),
    ];
    prop::collection::vec(setting, 1..4)
}

/// A value with white space around it and within, and with characters of its strings as escapes, as the choices say.
fn respelled(value: &Value, choices: &mut impl Iterator<Item = usize>) -> String {
    let white = |choice: usize| ["", "", " ", "\n\t", "\r\n"][choice % 5];
    let before = white(choices.next().unwrap());
    let inner = match value {
        Value::String(text) => {
            let spelled = |character: char| match choices.next().unwrap() % 3 {
                0 => escape(character),
                _ if "\"\\".contains(character) || character < ' ' => escape(character),
                _ => character.to_string(),
            };
            format!("\"{}\"", text.chars().map(spelled).collect::<String>())
        }
        Value::Array(list) => {
            let list: Vec<String> = list.iter().map(|value| respelled(value, choices)).collect();
            format!("[{}]", list.join(","))
        }
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                let name = respelled(&Value::from(name.as_str()), choices);
                format!("{name}:{}", respelled(value, choices))
            };
            let members: Vec<String> = members.iter().rev().map(member).collect();
            format!("{{{}}}", members.join(","))
        }
        other => other.to_string(),
    };
    format!("{before}{inner}{}", white(choices.next().unwrap()))
}

/// Any JSON value that is not nested too deep.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<String>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..config() })]

    #[test]
    fn any_document_is_the_same_however_it_is_spelled(
        members in prop::collection::btree_map(any::<String>(), any_value(), 0..8),
        choices in prop::collection::vec(any::<u8>(), 1..50),
    ) {
        let object = Value::Object(members.into_iter().collect());
        let mut endless = choices.iter().map(|choice| usize::from(*choice)).cycle();
        let spelled = respelled(&object, &mut endless);
        let document = Document::parse(spelled.as_bytes()).map_err(TestCaseError::fail)?;
        let line = document.line();
        prop_assert_eq!(line.len(), document.size());
        prop_assert_eq!(line.matches('\n').count(), 1);
        prop_assert!(!line.chars().any(|character| character.is_control() && character != '\n'), "{:?}", line);
        prop_assert_eq!(&serde_json::from_str::<Value>(&line).unwrap(), &object);
        let again = Document::parse(line.as_bytes()).map_err(TestCaseError::fail)?;
        prop_assert_eq!(&*again.line(), &*line);
        // The same by setting each member, in the buffers of another document.
        let mut set = document.clone();
        for (name, value) in object.as_object().unwrap() {
            if let Value::String(text) = value {
                set.set(name, text);
                let read = again.text(name).ok().flatten();
                prop_assert_eq!(read.as_deref(), Some(text.as_str()));
            }
        }
        prop_assert_eq!(serde_json::from_str::<Value>(&set.line()).unwrap(), object.clone());
        let twice = match object.as_object().unwrap().keys().next() {
            Some(name) => {
                let open = spelled.trim_end().strip_suffix('}').unwrap();
                format!("{open},{}:1}}", Value::from(name.as_str()))
            }
            None => r#"{"a":1,"\u0061":1}"#.to_owned(),
        };
        let refused = Document::parse(twice.as_bytes()).err();
        prop_assert!(refused.as_ref().is_some_and(|wrong| wrong.ends_with(": duplicate")), "{:?} {}", refused, twice);
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_proxy_and_certificates_of_the_environment_end_in_a_status_of_the_table(
        variables in surroundings(),
        scheme in prop::sample::select(vec!["http", "https"]),
        tool in prop::sample::select(vec!["pkce-discover", "pkce-exchange"]),
    ) {
        // No connection can be made to this address, so that one without a proxy fails at once.
        let origin = format!("{scheme}://255.255.255.255");
        let document = json!({
            "token_endpoint": origin, "client_id": "cli", "code": "c0de", "redirect_uri": "http://127.0.0.1/cb",
            "code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        });
        let mut command = command(tool);
        command.args(["--timeout", "2"]).args(Some(&origin).filter(|_| tool == "pkce-discover"));
        command.env("PKCE_HTTP_HOSTS", "255.255.255.255").envs(variables.iter().map(|(name, value)| (name, value)));
        let output = finish(&mut command, document.to_string().as_bytes());
        // A proxy may end the connection after the code was sent through it.
        let sent = output.status == 5 && output.stderr.contains("; the code may be spent\n");
        prop_assert!(sent || matches!(output.status, 2..=4), "{:?}", output);
        prop_assert!(!output.stderr.contains("panick") && !output.stderr.contains("internal error"), "{:?}", output);
        prop_assert!(!output.stderr.contains("s3cr3t"), "{:?}", output);
        prop_assert!(!output.stderr.chars().any(|character| character.is_control() && character != '\n'), "{:?}", output);
    }

    #[test]
    fn any_text_comes_back_from_the_url_or_is_refused(text in "[^\0]*") {
        let output = run("pkce-url", &[&format!("--param=any={text}")], &document().to_string());
        if output.status == 0 {
            let url = output.json()["authorization_url"].as_str().unwrap().to_owned();
            prop_assert_eq!(value(&url, "any"), Some(text));
            prop_assert!(url.bytes().all(|octet| octet.is_ascii_graphic()));
        } else {
            prop_assert_eq!(output.status, 2);
            prop_assert!(text.is_empty() || text.chars().any(char::is_control), "{:?}", output);
        }
    }

    #[test]
    fn any_login_hint_and_client_id_of_an_option_come_back_or_are_refused(text in "[^\0]*") {
        let output = run("pkce-url", &[&format!("--login-hint={text}")], &document().to_string());
        let fits = !text.is_empty() && !text.chars().any(char::is_control);
        prop_assert_eq!(output.status, if fits { 0 } else { 2 }, "{:?}", output);
        if fits {
            let url = output.json()["authorization_url"].as_str().unwrap().to_owned();
            prop_assert_eq!(value(&url, "login_hint"), Some(text.clone()));
        }
        let output = run("pkce-url", &[&format!("--client-id={text}")], &document().to_string());
        let visible = !text.is_empty() && text.bytes().all(|octet| (0x20..=0x7e).contains(&octet));
        prop_assert_eq!(output.status, if visible { 0 } else { 2 }, "{:?}", output);
        if visible {
            let url = output.json()["authorization_url"].as_str().unwrap().to_owned();
            prop_assert_eq!(value(&url, "client_id"), Some(text));
        }
    }

    #[test]
    fn any_client_id_comes_back_from_the_url_or_is_refused(text in any::<String>()) {
        let mut document = document();
        document["client_id"] = json!(text);
        let output = run("pkce-url", &[], &document.to_string());
        let visible = !text.is_empty() && text.bytes().all(|octet| (0x20..=0x7e).contains(&octet));
        prop_assert_eq!(output.status, if visible { 0 } else { 2 });
        if visible {
            prop_assert_eq!(value(output.json()["authorization_url"].as_str().unwrap(), "client_id"), Some(text));
        }
    }

    #[test]
    fn any_octets_are_refused_in_one_message(octets in prop::collection::vec(any::<u8>(), 0..2000), open in any::<bool>()) {
        let octets = if open { [b"{".to_vec(), octets].concat() } else { octets };
        let output = finish(&mut command("pkce-url"), &octets);
        prop_assert_eq!(output.status, 2);
        // `{}` is a document, and refused for what it lacks, with a hint.
        let hints = output.stderr.lines().filter(|line| line.starts_with("hint: ")).count();
        prop_assert!(hints <= 1 && output.stderr.lines().count() == 1 + hints, "{:?}", output);
        prop_assert!(output.stderr.starts_with("pkce-url: "), "{:?}", output);
    }

    #[test]
    fn any_arguments_end_in_a_status_of_the_table(arguments in prop::collection::vec("[^\0]{0,20}", 0..4)) {
        let mut tool = command("pkce-exchange");
        let output = finish(tool.args(arguments.iter().map(|text| OsStr::from_bytes(text.as_bytes()))), b"");
        prop_assert!(matches!(output.status, 0 | 2), "{:?}", output);
        prop_assert!(!output.stderr.bytes().any(|octet| octet < b' ' && octet != b'\n'), "{:?}", output);
    }

    #[test]
    fn any_member_of_others_passes_through_to_the_digit(json in foreign()) {
        // Control characters that JSON lets stand are escaped for the terminal's sake; so they are not compared here.
        prop_assume!(!json.chars().any(|character| ('\u{7f}'..='\u{9f}').contains(&character)));
        let text = document().to_string().replacen('}', &format!(",\"zz\":{json}}}"), 1);
        let output = run("pkce-url", &[], &text);
        prop_assert_eq!(output.status, 0, "{:?}", output);
        prop_assert!(output.stdout.contains(&format!("\"zz\":{json}}}")), "{:?}", output);
    }

    #[test]
    fn any_change_of_a_token_is_noticed(place in any::<prop::sample::Index>(), character in "[A-Za-z0-9_.=+ -]") {
        let token = token();
        let at = place.index(token.len());
        let mut changed = token.clone();
        changed.replace_range(at..=at, &character);
        for (id_token, status) in [(&token, 0), (&changed, if changed == token { 0 } else { 4 })] {
            let output = verified(id_token);
            prop_assert_eq!(output.status, status, "{:?}", output);
        }
    }

    #[test]
    fn any_text_is_no_token(text in any::<String>(), parts in prop::collection::vec("[A-Za-z0-9_-]{0,40}", 1..5)) {
        for id_token in [text, parts.join(".")] {
            let output = verified(&id_token);
            prop_assert_eq!((output.status, output.stderr.starts_with("pkce-verify: id_token: ")), (4, true), "{:?}", output);
        }
    }

    #[test]
    fn any_octets_of_a_token_endpoint_end_in_a_status_of_the_table(
        octets in prop::collection::vec(any::<u8>(), 0..300),
        start in prop::sample::select(vec!["", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 400 X\r\n\r\n{\"error\":\"", "HTTP/1.1 "]),
    ) {
        let response = [start.as_bytes().to_vec(), octets].concat();
        let server = Server::start(move |_| response.clone());
        let document = json!({
            "token_endpoint": server.url("/token"), "client_id": "cli", "code": "c0de", "redirect_uri": "https://a/b",
            "code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        });
        let output = run("pkce-exchange", &["--timeout", "20"], &document.to_string());
        prop_assert!(matches!(output.status, 1 | 3 | 4 | 5), "{:?}", output);
        prop_assert!((1..=2).contains(&output.stderr.lines().count()), "{:?}", output);
        prop_assert!(!output.stderr.chars().any(|character| character.is_control() && character != '\n'), "{:?}", output);
        prop_assert_eq!(server.requests().len(), 1);
    }
}
