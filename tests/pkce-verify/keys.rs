//! Keys: fetched from the server, fetched again, or read from a file.

use std::io::{BufRead, BufReader, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::{
    Output, Server, command, done, failure, finish, free_port, json_response, new_directory, response, start,
};
use crate::signer::Signer;
use crate::terminal::Terminal;
use crate::{
    NOW, Offline, accepted, after, claims, document, lines, online, own, refused, rotating, unnamed, verify, with,
};

/// What a failure to fetch the keys loses in a pipe.
const LOST: &str = "the tokens are lost unless a file has them";

#[test]
fn fetches_the_keys_once_and_prints_each_document_at_once() {
    let signer = Signer::new("k1");
    let jwks = signer.jwks();
    let server = Server::start(move |_| json_response(&jwks));
    let mut child = start(command("pkce-verify").args(["--now", &NOW.to_string()]));
    let mut stdin = child.stdin.take().unwrap();
    let stdout = child.stdout.take().unwrap();
    let (sender, printed) = mpsc::channel();
    let reader = thread::spawn(move || {
        BufReader::new(stdout).lines().for_each(|line| drop(sender.send(line.unwrap())));
    });
    for count in 0..50 {
        let claims = with(own(&server), json!({ "sub": format!("user-{count}") }));
        let document = online(&server, &signer.sign(&claims));
        stdin.write_all(document.to_string().as_bytes()).unwrap();
        let line = printed.recv_timeout(Duration::from_secs(30)).unwrap();
        let after: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(after, with(document, json!({ "id_token_claims": claims })));
    }
    drop(stdin);
    reader.join().unwrap();
    assert!(printed.recv().is_err());
    assert_eq!(done(child), Output { status: 0, stdout: String::new(), stderr: String::new() });
    let seen = server.requests();
    assert_eq!(seen.len(), 1);
    let seen = &seen[0];
    assert_eq!((seen.method.as_str(), seen.target.as_str(), seen.body.as_str()), ("GET", "/jwks", ""));
    assert_eq!(seen.header("Accept"), Some("application/json"));
    assert_eq!(seen.header("Accept-Encoding"), Some("identity"));
    let mut names: Vec<String> = seen.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.sort();
    assert_eq!(names, ["accept", "accept-encoding", "host", "user-agent"]);
}

#[test]
fn fetches_the_keys_once_more_for_a_new_key() {
    let (old, new) = (Signer::new("k1"), Signer::new("k2"));
    let server = rotating(vec![old.jwks(), new.jwks()]);
    let claims = own(&server);
    let documents: Vec<Value> =
        [&old, &new, &new].iter().map(|signer| online(&server, &signer.sign(&claims))).collect();
    let output = verify(&[], &lines(&documents));
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
    let printed: Vec<Value> = output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected: Vec<Value> =
        documents.iter().map(|document| with(document.clone(), json!({ "id_token_claims": claims }))).collect();
    assert_eq!(printed, expected);
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn fetches_no_third_time_keys_that_the_server_does_not_have() {
    let (old, new, unknown) = (Signer::new("k1"), Signer::new("k2"), Signer::new("k3"));
    let server = rotating(vec![old.jwks()]);
    let stranger = online(&server, &unknown.sign(&own(&server)));
    assert_eq!(verify(&[], &lines(&[stranger.clone(), stranger])), refused(&unnamed("k3 instead of k1")));
    assert_eq!(server.requests().len(), 2);

    let server = rotating(vec![old.jwks(), new.jwks()]);
    let claims = own(&server);
    let tokens = [&old, &new, &unknown, &unknown].map(|signer| online(&server, &signer.sign(&claims)));
    let output = verify(&[], &lines(&tokens));
    assert_eq!(after(2, &output), refused(&unnamed("k3 instead of k2")));
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn fetches_no_other_keys_because_of_a_bad_signature() {
    let (signer, forger) = (Signer::new("k1"), Signer::new("k1"));
    let server = rotating(vec![signer.jwks()]);
    let output = verify(&[], &online(&server, &forger.sign(&own(&server))).to_string());
    assert_eq!(output, refused("signature: does not verify with the server's key"));
    assert_eq!(server.requests().len(), 1);
    // A key of this name, of another type or on another curve.
    let keys = [
        (json!({ "kty": "OKP", "crv": "Ed25519", "x": "AAAA" }), "OKP Ed25519"),
        (with(signer.jwk(), json!({ "crv": "P-384" })), "EC P-384"),
    ];
    for (key, kind) in keys {
        let server = rotating(vec![json!({ "keys": [with(key, json!({ "kid": "k1" }))] })]);
        let output = verify(&[], &online(&server, &signer.sign(&own(&server))).to_string());
        assert_eq!(output, refused(&format!("the server's key k1: its kind {kind} is not for ES256")));
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn keeps_the_keys_of_each_server_apart() {
    let (one, two) = (Signer::new("k1"), Signer::new("k1"));
    let (first, second) = (rotating(vec![one.jwks()]), rotating(vec![two.jwks()]));
    let (of_first, of_second) = (online(&first, &one.sign(&own(&first))), online(&second, &two.sign(&own(&second))));
    let output = verify(&[], &lines(&[of_first.clone(), of_second.clone(), of_first.clone(), of_second]));
    assert_eq!((output.status, output.stdout.lines().count(), output.stderr.as_str()), (0, 4, ""));
    assert_eq!((first.requests().len(), second.requests().len()), (1, 1));
    let forged = online(&second, &one.sign(&own(&second)));
    let output = verify(&[], &lines(&[of_first, forged]));
    assert_eq!(after(1, &output), refused("signature: does not verify with the server's key"));
}

#[test]
fn says_what_is_wrong_with_the_response_of_the_server() {
    let key = Signer::new("k1").jwk();
    let twice = format!(r#"{{"keys":[{key}],"keys":[{key}]}}"#);
    let redirect = b"HTTP/1.1 302 X\r\nLocation: /other\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let json = |body: &str| response(200, "application/json", body);
    let cases = [
        (redirect.to_vec(), 4, "JWKS: redirect (302) to /other not followed"),
        (response(200, "text/html", "<!doctype html>"), 4, "JWKS: HTML, not JSON (proxy or captive portal?)"),
        (json(""), 4, "JWKS: not a JSON object: unexpected end"),
        (json("[]"), 4, "JWKS: not a JSON object"),
        (json(&twice), 4, "JWKS: keys: duplicate"),
        (json("{}"), 4, "JWKS: keys: missing"),
        (json(r#"{"keys":{}}"#), 4, "JWKS: keys: must be an array"),
        (json(r#"{"keys":null}"#), 4, "JWKS: keys: must be an array"),
        (json(&" ".repeat(2 << 20)), 4, "JWKS: the response is larger than 1 MiB"),
        (b"no HTTP at all\r\n\r\n".to_vec(), 4, "127.0.0.1:PORT: the response is not valid HTTP"),
        // Fetched again, since the token's key may be a new one.
        (json(r#"{"keys":[]}"#), 4, "JWKS: keys: empty"),
        (json(r#"{"keys":[ ]}"#), 4, "JWKS: keys: empty"),
        (json(r#"{"keys":[1]}"#), 4, ""),
    ];
    for (octets, status, message) in cases {
        let server = Server::start(move |_| octets.clone());
        let output = verify(&[], &online(&server, &Signer::new("k1").sign(&own(&server))).to_string());
        let (message, asked) = match message {
            "" => (format!("id_token: {}", unnamed("k1 instead of nothing")), 2),
            "JWKS: keys: empty" => (format!("{message}; {LOST}"), 2),
            message => (format!("{}; {LOST}", message.replace("PORT", &server.port.to_string())), 1),
        };
        assert_eq!(output, failure("pkce-verify", status, &message));
        assert_eq!(server.requests().len(), asked, "{message}");
    }
}

#[test]
fn passes_over_what_is_no_key() {
    let signer = Signer::new("k1");
    let odd =
        json!([1, "key", null, [], {}, { "kty": 1 }, { "kty": "new", "kid": "k1" }, { "kty": "EC", "kid": "k1" }]);
    let mut keys = odd.as_array().unwrap().clone();
    keys.push(signer.jwk());
    let server = rotating(vec![json!({ "keys": keys })]);
    let document = online(&server, &signer.sign(&own(&server)));
    accepted(&verify(&[], &document.to_string()), &document, &own(&server));
}

#[test]
fn fetches_again_where_the_server_is_unavailable() {
    let signer = Signer::new("k1");
    for status in [503, 429, 500] {
        let (asked, jwks) = (AtomicUsize::new(0), signer.jwks());
        let server = Server::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
            0 | 1 => response(status, "", ""),
            _ => json_response(&jwks),
        });
        let document = online(&server, &signer.sign(&own(&server)));
        accepted(&verify(&[], &document.to_string()), &document, &own(&server));
        assert_eq!(server.requests().len(), 3);
    }
}

#[test]
fn gives_up_on_a_server_that_stays_unavailable() {
    let signer = Signer::new("k1");
    let server = Server::start(|_| response(503, "", ""));
    let document = online(&server, &signer.sign(&own(&server)));
    let output = verify(&["--timeout", "1"], &document.to_string());
    assert_eq!(output, failure("pkce-verify", 5, &format!("JWKS: the server responded with 503; {LOST}")));
    // The pauses grow: at a quarter of a second each, there would be time for one more.
    assert!((1..=3).contains(&server.requests().len()));

    let port = free_port();
    let address = format!("http://127.0.0.1:{port}");
    let document = with(document, json!({ "issuer": address, "jwks_uri": format!("{address}/jwks") }));
    let output = verify(&["--timeout", "1"], &document.to_string());
    assert_eq!(output, failure("pkce-verify", 5, &format!("127.0.0.1:{port}: connection refused; {LOST}")));
}

#[test]
fn tells_a_person_that_it_fetches_again() {
    let directory = new_directory();
    let file = directory.path().join("document");
    let server = Server::start(|_| response(503, "", ""));
    let signer = Signer::new("k1");
    std::fs::write(&file, online(&server, &signer.sign(&own(&server))).to_string()).unwrap();
    let terminal = Terminal::start("pkce-verify", directory.path(), |verify| {
        verify.args(["--timeout", "1"]).stdin(std::fs::File::open(&file).unwrap())
    });
    let (status, seen) = terminal.end();
    assert_eq!(status, Some(3));
    let expected = "pkce-verify: note: JWKS: the server responded with 503; retrying\r\n\
                    pkce-verify: JWKS: the server responded with 503\r\n";
    assert_eq!(seen, expected);
}

#[test]
fn fetches_nothing_where_only_a_person_can_repair_it() {
    let signer = Signer::new("k1");
    let document = with(document(&signer.sign(&claims())), json!({ "jwks_uri": "https://op.example/jwks" }));
    let mut tool = command("pkce-verify");
    tool.args(["--now", &NOW.to_string(), "--timeout", "60"]).env("SSL_CERT_FILE", "/missing").env("PKCE_TRACE", "1");
    let output = finish(&mut tool, document.to_string().as_bytes());
    let message = "SSL_CERT_FILE: /missing: no such file or directory\n\
                   hint: name PEM files with the certificates to trust, or unset it to trust the system's";
    assert_eq!(output, failure("pkce-verify", 2, message));
}

#[test]
fn gives_up_on_a_server_that_is_too_slow() {
    let signer = Signer::new("k1");
    let octets = json_response(&signer.jwks());
    let server = Server::speaking(move |_, stream| {
        for octet in &octets {
            if stream.write_all(&[*octet]).is_err() {
                return;
            }
            thread::sleep(Duration::from_secs(1));
        }
    });
    let document = online(&server, &signer.sign(&own(&server)));
    let output = verify(&["--timeout", "2"], &document.to_string());
    let message = format!("127.0.0.1:{}: no response within 2 s; {LOST}", server.port);
    assert_eq!(output, failure("pkce-verify", 5, &message));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn fetches_no_keys_over_plain_http_and_none_from_this_machine_for_a_remote_server() {
    let signer = Signer::new("k1");
    let server = rotating(vec![signer.jwks()]);
    let document = document(&signer.sign(&claims()));
    let plain = with(document.clone(), json!({ "jwks_uri": "http://op.example/jwks" }));
    let hint = "hint: for a test network, list its hosts in PKCE_HTTP_HOSTS, such as keycloak:8080";
    let wrong = format!("jwks_uri: plain http is only allowed to this machine; use https\n{hint}");
    assert_eq!(verify(&[], &plain.to_string()), failure("pkce-verify", 4, &wrong));
    let wrong = "jwks_uri: a remote server must not point to this machine";
    for url in [server.url("/jwks"), format!("http://localhost:{}/jwks", server.port)] {
        let inside = with(document.clone(), json!({ "jwks_uri": url }));
        assert_eq!(verify(&[], &inside.to_string()), failure("pkce-verify", 4, wrong));
    }
    let local = with(document, json!({ "jwks_uri": 1 }));
    assert_eq!(verify(&[], &local.to_string()), failure("pkce-verify", 2, "jwks_uri: must be a string"));
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn says_what_is_wrong_with_the_file_of_keys() {
    let directory = new_directory();
    let input = document(&Signer::new("k1").sign(&claims())).to_string();
    let none = directory.path().join("none");
    let expected = failure("pkce-verify", 2, "--jwks: no such file or directory");
    assert_eq!(verify(&["--jwks", none.to_str().unwrap()], &input), expected);
    let expected = failure("pkce-verify", 2, "--jwks: is a directory");
    assert_eq!(verify(&["--jwks", directory.path().to_str().unwrap()], &input), expected);
    let file = directory.path().join("jwks.json");
    for (text, wrong) in [
        ("", "not a JSON object: unexpected end"),
        ("-----BEGIN PUBLIC KEY-----", "not JSON at line 1, column 2"),
        ("[]", "not a JSON object"),
        ("{}", "keys: missing"),
        (r#"{"keys":"k1"}"#, "keys: must be an array"),
        (r#"{"keys":[],"keys":[]}"#, "keys: duplicate"),
        (r#"{"keys":[]}"#, "keys: empty"),
        (r#"{"keys":[ ]}"#, "keys: empty"),
    ] {
        std::fs::write(&file, text).unwrap();
        let output = verify(&["--jwks", file.to_str().unwrap()], &input);
        assert_eq!(output, failure("pkce-verify", 2, &format!("--jwks: {wrong}")));
    }
    std::fs::write(&file, format!("{{\"keys\":[]{}}}", " ".repeat(1 << 20))).unwrap();
    let output = verify(&["--jwks", file.to_str().unwrap()], &input);
    assert_eq!(output, failure("pkce-verify", 2, "--jwks: larger than 1 MiB"));
}

#[test]
fn fetches_nothing_where_the_keys_are_in_a_file() {
    let (signer, unknown) = (Signer::new("k1"), Signer::new("k2"));
    let offline = Offline::new(&signer.jwks());
    let server = rotating(vec![json!({ "keys": [signer.jwk(), unknown.jwk()] })]);
    let document = online(&server, &signer.sign(&own(&server)));
    accepted(&offline.run(&[], &document), &document, &own(&server));
    let document = online(&server, &unknown.sign(&own(&server)));
    assert_eq!(offline.run(&[], &document), refused("kid: no such signing key in --jwks: k2 instead of k1"));
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn notes_a_private_key_among_the_public_ones() {
    let signer = Signer::new("k1");
    let jwks = json!({ "keys": [with(signer.jwk(), json!({ "d": "c2VjcmV0" }))] });
    let note = "pkce-verify: note: JWKS: contains a private key, so anyone can sign tokens\n";
    let offline = Offline::new(&jwks);
    let before = document(&signer.sign(&claims()));
    let output = offline.run(&[], &before);
    assert_eq!((output.status, output.stderr.as_str()), (0, note.replace("JWKS", "--jwks").as_str()));
    assert_eq!(output.json(), with(before, json!({ "id_token_claims": claims() })));
    let server = rotating(vec![jwks]);
    let token = online(&server, &signer.sign(&own(&server)));
    let output = verify(&[], &lines(&[token.clone(), token.clone()]));
    assert_eq!((output.status, output.stdout.lines().count(), output.stderr.as_str()), (0, 2, note));
    let mut tool = command("pkce-verify");
    tool.args(["--now", &NOW.to_string()]).env("PKCE_ERRORS", "json");
    let output = finish(&mut tool, token.to_string().as_bytes());
    assert_eq!((output.status, output.stderr.as_str()), (0, ""));
}
