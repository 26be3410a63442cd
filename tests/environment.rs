//! What the environment says about requests: it is checked before anything else, whatever the URL will be.
#![cfg(test)]

mod common;
#[path = "common/tls.rs"]
mod tls;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use common::{Server, command, failure, json_response, make_fifo, new_directory, response, unfed};
use serde_json::json;
use tempfile::TempDir;
use tls::{Authority, HttpsProxy};

/// Tools that send requests, with arguments under which they would send one to this machine.
const TOOLS: [(&str, &[&str]); 9] = [
    ("pkce-discover", &["http://127.0.0.1:1"]),
    ("pkce-register", &[]),
    ("pkce-push", &[]),
    ("pkce-exchange", &[]),
    ("pkce-device", &[]),
    ("pkce-verify", &[]),
    ("pkce-refresh", &[]),
    ("pkce-revoke", &[]),
    ("pkce-token", &["work"]),
];

/// Each tool fails like this with these variables set, before it reads its input.
fn refuses(variables: &[(&str, &OsStr)], message: &str) {
    for (tool, args) in TOOLS {
        let output = unfed(command(tool).args(args).envs(variables.iter().copied()));
        assert_eq!(output, failure(tool, 2, message), "{variables:?}");
    }
}

#[test]
fn refuses_a_file_of_certificates_that_is_too_large_to_read() {
    let directory = new_directory();
    let file = directory.path().join("large");
    std::fs::File::create(&file).unwrap().set_len(10 << 30).unwrap();
    let hint = "hint: name PEM files with the certificates to trust, or unset it to trust the system's";
    let message = format!("SSL_CERT_FILE: {}: larger than 16 MiB\n{hint}", file.display());
    refuses(&[("SSL_CERT_FILE", file.as_os_str())], &message);
}

#[test]
fn says_how_to_convert_a_certificate_that_is_no_pem() {
    let directory = new_directory();
    let file = directory.path().join("ca.der");
    std::fs::write(&file, [0x30, 0x82, 0x01, 0x0a, 0x02]).unwrap();
    let wrong = "not PEM but DER; convert it with: openssl x509 -inform DER -in FILE -out FILE.pem";
    let message = format!("SSL_CERT_FILE: {}: {wrong}\n{UNSET}", file.display());
    refuses(&[("SSL_CERT_FILE", file.as_os_str())], &message);
}

/// A place that a variable names, and what is wrong with it, as a message shows both.
fn at(place: &OsStr, wrong: &str) -> String {
    format!("{}: {wrong}", place.display().to_string().replace('\u{fffd}', "?"))
}

/// What comes of a request to this machine with these variables set.
fn accepts(variables: &[(&str, &OsStr)]) -> String {
    let server = Server::start(|seen| {
        let issuer = format!("http://{}", seen.header("Host").unwrap());
        json_response(&json!({
            "issuer": issuer, "authorization_endpoint": format!("{issuer}/a"), "token_endpoint": format!("{issuer}/t"),
            "code_challenge_methods_supported": ["S256"],
        }))
    });
    let output = unfed(command("pkce-discover").arg(server.url("")).envs(variables.iter().copied()));
    assert_eq!((output.status, server.requests().len()), (0, 1), "{variables:?} {output:?}");
    output.stderr
}

const NO_URL: &str = "not a proxy URL such as http://proxy:3128\n\
     hint: supported are http, https, socks4, socks4a, socks5 and socks5h; percent-encode a user name and password";

#[test]
fn refuses_a_proxy_that_cannot_be_used_and_repeats_no_word_of_it() {
    for url in [
        "not a url",
        " ",
        "http://",
        "http://:3128",
        "http://me:s3cr3t@",
        "http://me:s3cr3t@:3128",
        "ftp://proxy",
        "socks6://proxy",
        "quic://proxy",
        "://proxy",
        "http:///proxy",
        "http://proxy:0",
        "http://proxy:65536",
        "http://proxy:99999",
        "http://proxy:",
        "http://proxy:x",
        "proxy:0",
        "[::1]:0",
        "http://[::1",
        "http://::1",
        "http://[::1%25eth0]:3128",
        "http://host:0FF[0::]:8080",
        "http://0x7f.1:3128",
        "http://127.1:3128",
        // A part of the password would be the host.
        "http://me:12/s3cr3t@proxy:3128",
        "http://me:12#s3cr3t@proxy:3128",
        "http://me:12?s3cr3t@proxy:3128",
        "http://proxy:3128/proxy.pac",
        "http://proxy:3128?x",
        "http://proxy:3128#x",
        "http://me:%ff@proxy:3128",
        "http://proxy:3128\n",
        "http://pro\u{1b}xy:3128",
        "http://pro xy:3128",
        "http://prox\u{fd}:3128",
    ] {
        refuses(&[("HTTPS_PROXY", OsStr::new(url))], &format!("HTTPS_PROXY: {NO_URL}"));
    }
    refuses(&[("HTTPS_PROXY", OsStr::from_bytes(b"http://prox\xff"))], &format!("HTTPS_PROXY: {NO_URL}"));
    for name in ["https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        refuses(&[(name, OsStr::new("ftp://proxy"))], &format!("{name}: {NO_URL}"));
    }
}

#[test]
fn refuses_a_user_name_and_a_password_that_socks_cannot_carry() {
    let long = "s".repeat(256);
    for user in ["me", "me:", ":s3cr3t", &format!("me:{long}"), &format!("{long}:s3cr3t")] {
        for scheme in ["socks", "socks5", "socks5h"] {
            let url = format!("{scheme}://{user}@127.0.0.1:1080");
            let message = "ALL_PROXY: the user name and the password for SOCKS5 must have 1 to 255 octets each";
            refuses(&[("ALL_PROXY", OsStr::new(&url))], message);
        }
        for scheme in ["socks4", "socks4a"] {
            let url = format!("{scheme}://{user}@127.0.0.1:1080");
            refuses(&[("ALL_PROXY", OsStr::new(&url))], "ALL_PROXY: SOCKS4 with a user name is not supported");
        }
        assert_eq!(accepts(&[("ALL_PROXY", OsStr::new(&format!("http://{user}@127.0.0.1:3128")))]), "");
    }
}

#[test]
fn refuses_exceptions_that_are_not_text() {
    for name in ["NO_PROXY", "no_proxy"] {
        refuses(&[(name, OsStr::from_bytes(b"id.example,\xff"))], &format!("{name}: not UTF-8"));
    }
}

#[test]
fn checks_only_the_variable_that_applies_to_a_scheme() {
    let (good, bad, empty) = (OsStr::new("http://proxy:3128"), OsStr::new("ftp://proxy"), OsStr::new(""));
    for variables in [
        [("HTTPS_PROXY", good), ("HTTP_PROXY", good), ("ALL_PROXY", bad)],
        [("https_proxy", good), ("http_proxy", good), ("all_proxy", bad)],
        [("HTTPS_PROXY", good), ("https_proxy", bad), ("ALL_PROXY", empty)],
        [("HTTP_PROXY", empty), ("ALL_PROXY", good), ("all_proxy", bad)],
        // In a CGI program, it is a visitor's header and no setting.
        [("HTTP_PROXY", bad), ("REQUEST_METHOD", OsStr::new("GET")), ("NO_PROXY", empty)],
    ] {
        assert_eq!(accepts(&variables), "");
    }
    refuses(&[("HTTPS_PROXY", good), ("ALL_PROXY", bad)], &format!("ALL_PROXY: {NO_URL}"));
    refuses(&[("HTTPS_PROXY", bad), ("https_proxy", good)], &format!("HTTPS_PROXY: {NO_URL}"));
    refuses(&[("ALL_PROXY", bad), ("NO_PROXY", OsStr::new("*"))], &format!("ALL_PROXY: {NO_URL}"));
}

const UNSET: &str = "hint: name PEM files with the certificates to trust, or unset it to trust the system's";

/// Values of a variable, and why there is no certificate.
type Places = Vec<(OsString, &'static str)>;

/// A directory, and the files and directories without a certificate that can be named, most of them in it.
fn without_certificates() -> (TempDir, Places, Places) {
    let home = new_directory();
    let path = |name: &str| home.path().join(name);
    let file = |name: &str, text: &str| std::fs::write(path(name), text).unwrap();
    file("empty", "");
    file("text", "no certificate");
    file("garbage", "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n");
    file("open", "-----BEGIN CERTIFICATE-----\nAAAA\n");
    file("no-der", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    make_fifo(&path("fifo"));
    for name in ["none", "some"] {
        std::fs::create_dir(path(name)).unwrap();
    }
    file("some/0123abcd.0", "no certificate");
    make_fifo(&path("some/fifo"));
    std::os::unix::fs::symlink("/dev/zero", path("some/zero")).unwrap();
    std::os::unix::fs::symlink("nothing", path("some/dangling")).unwrap();
    let named = |names: &[(&str, &'static str)]| -> Places {
        names.iter().map(|(name, wrong)| (path(name).into_os_string(), *wrong)).collect()
    };
    let (missing, none, irregular) = ("no such file or directory", "no certificates found", "not a regular file");
    let files = named(&[
        ("missing", missing),
        ("empty", none),
        ("text", none),
        ("garbage", none),
        ("open", none),
        ("no-der", none),
        ("none", irregular),
        ("fifo", irregular),
        ("/dev/null", irregular),
        ("/dev/zero", irregular),
    ]);
    let mut directories = named(&[
        ("missing", missing),
        ("none", none),
        ("some", none),
        ("text", "not a directory"),
        ("fifo", "not a directory"),
    ]);
    directories.push((OsString::from(":"), none));
    directories.push((path("none:/nothing-here").into_os_string(), missing));
    directories.push((OsStr::from_bytes(b"/nothing-\xff").to_owned(), missing));
    (home, files, directories)
}

#[test]
fn refuses_variables_that_name_no_certificate() {
    let (_home, files, directories) = without_certificates();
    for (name, places) in [("SSL_CERT_FILE", &files), ("SSL_CERT_DIR", &directories)] {
        for (place, wrong) in places {
            refuses(&[(name, place)], &format!("{name}: {}\n{UNSET}", at(place, wrong)));
        }
    }
    let ((file, wrong), (directory, other)) = (&files[0], &directories[1]);
    let (wrong, other) = (at(file, wrong), at(directory, other));
    let message = format!("SSL_CERT_FILE: {wrong}; SSL_CERT_DIR: {other}\n{UNSET}");
    refuses(&[("SSL_CERT_FILE", file), ("SSL_CERT_DIR", directory)], &message);
    let empty = OsStr::new("");
    assert_eq!(accepts(&[("SSL_CERT_FILE", empty), ("SSL_CERT_DIR", empty)]), "");
    refuses(&[("SSL_CERT_FILE", empty), ("SSL_CERT_DIR", directory)], &format!("SSL_CERT_DIR: {other}\n{UNSET}"));
}

#[test]
fn notes_the_one_of_two_variables_that_names_no_certificate() {
    let (_home, files, directories) = without_certificates();
    let authority = Authority::new("good");
    let (file, certs) = (authority.file().into_os_string(), authority.certs().into_os_string());
    for (place, wrong) in files {
        let stderr = accepts(&[("SSL_CERT_FILE", &place), ("SSL_CERT_DIR", &certs)]);
        assert_eq!(stderr, format!("pkce-discover: note: SSL_CERT_FILE: {}\n", at(&place, wrong)));
    }
    for (place, wrong) in directories {
        let stderr = accepts(&[("SSL_CERT_FILE", &file), ("SSL_CERT_DIR", &place)]);
        assert_eq!(stderr, format!("pkce-discover: note: SSL_CERT_DIR: {}\n", at(&place, wrong)));
    }
    let list = OsString::from(format!("/nothing-here:{}", certs.display()));
    assert_eq!(accepts(&[("SSL_CERT_FILE", &file), ("SSL_CERT_DIR", &list)]), "");
    assert_eq!(accepts(&[("SSL_CERT_DIR", &list)]), "");
}

#[test]
fn loads_the_certificates_once_for_all_requests() {
    let proxy = HttpsProxy::start(|_, _| response(404, "", ""));
    let mut tool = command("pkce-discover");
    proxy.trusted_by(tool.arg("https://id.example/a").env("SSL_CERT_DIR", Path::new("/nothing-here")));
    let output = unfed(&mut tool);
    assert!(proxy.requested().len() > 1);
    let lines: Vec<&str> = output.stderr.lines().collect();
    assert_eq!(lines.first(), Some(&"pkce-discover: note: SSL_CERT_DIR: /nothing-here: no such file or directory"));
    assert!(lines.iter().skip(1).all(|line| !line.contains("SSL_CERT")), "{output:?}");
    assert_eq!(output.status, 1, "{output:?}");
}
