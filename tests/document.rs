//! A document that would be refused when it is read is refused when it is written, and no terminal obeys it.
#![cfg(test)]

mod common;
#[path = "common/home.rs"]
mod home;
#[path = "common/signer.rs"]
mod signer;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use common::{Output, Server, failure, new_directory, response, run};
use home::Home;
use serde_json::{Value, json};
use signer::Signer;

/// RFC 7636 appendix B.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

const TOO_LARGE: &str = "document: larger than 1 MiB";

const NO_ROOM: &str = "document: larger than 960 KiB, which leaves no room for the response";

/// Characters that take six octets each when they are written: 1.7 MiB in all.
fn grows() -> String {
    "\u{7f}".repeat(300_000)
}

/// A document with all that a step needs, and with this member.
fn document(own: &str) -> Value {
    json!({
        "authorization_endpoint": "https://id.example/a", "token_endpoint": "https://id.example/t",
        "registration_endpoint": "https://id.example/r", "pushed_authorization_request_endpoint": "https://id.example/p",
        "client_id": "cli", "code_challenge": CHALLENGE, "state": "s", "redirect_uri": "http://127.0.0.1:7/callback",
        "authorization_url": "https://id.example/a?client_id=cli&code_challenge=c", "own": own,
    })
}

/// A document whose line has so many octets.
fn of_size(size: usize) -> String {
    let without = document("").to_string().len() + 1;
    document(&"o".repeat(size - without)).to_string()
}

#[test]
fn is_refused_where_it_grows_beyond_the_limit() {
    let text = document(&grows()).to_string();
    assert!(text.len() < 1 << 20, "{}", text.len());
    for (tool, args) in [("pkce-gen", ["-"].as_slice()), ("pkce-url", &[])] {
        assert_eq!(run(tool, args, &text), failure(tool, 2, TOO_LARGE));
    }
    // What a step adds counts too, and the end of the line.
    let output = run("pkce-url", &[], &of_size((1 << 20) - 100));
    assert_eq!(output, failure("pkce-url", 2, TOO_LARGE));
    let directory = new_directory();
    let files = ["a", "b"].map(|name| {
        let file = directory.path().join(name);
        fs::write(&file, json!({ name: "o".repeat(600 * 1024) }).to_string()).unwrap();
        file.to_str().unwrap().to_owned()
    });
    assert_eq!(run("pkce-gen", &[&files[0], &files[1]], ""), failure("pkce-gen", 2, TOO_LARGE));
    // One member alone is no document.
    let output = run("pkce-gen", &["-", "-r", "state"], &text);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""));
}

#[test]
fn is_not_stored_where_it_could_not_be_loaded() {
    let home = Home::new();
    let refused = Output { stdout: String::new(), ..failure("pkce-store", 2, TOO_LARGE) };
    assert_eq!(home.store(&document(&grows()).to_string()), refused);
    assert_eq!(home.store(&of_size((1 << 20) + 1)), refused);
    assert!(!home.path("work.json").exists());
    assert_eq!(home.store(&of_size(1 << 20)).status, 0);
    assert_eq!(home.load().stdout.len(), 1 << 20);
    // One that another program wrote, and that grows when it is printed.
    fs::write(home.path("work.json"), document(&grows()).to_string()).unwrap();
    fs::set_permissions(home.path("work.json"), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(home.load(), failure("pkce-load", 2, TOO_LARGE));
}

#[test]
fn is_refused_before_anything_is_sent_where_it_has_no_room_for_the_response() {
    let text = of_size(960 * 1024 + 1);
    for (tool, args) in
        [("pkce-push", [].as_slice()), ("pkce-register", &[]), ("pkce-callback", &["--no-browser", "--timeout", "1"])]
    {
        assert_eq!(run(tool, args, &text), failure(tool, 2, NO_ROOM));
    }
    let text = of_size(960 * 1024);
    let output = run("pkce-callback", &["--no-browser", "--timeout", "1"], &text);
    assert_eq!(output.status, 3, "{}", output.stderr);
}

#[test]
fn is_the_servers_fault_where_its_metadata_grows_beyond_the_limit() {
    let server = Server::start(|request| {
        let host = request.header("Host").unwrap();
        let metadata = json!({
            "issuer": format!("http://{host}"), "code_challenge_methods_supported": ["S256"], "own": grows(),
        });
        response(200, "application/json", &metadata.to_string())
    });
    let output = run("pkce-discover", &["--all", &server.url("")], "");
    assert_eq!(output, failure("pkce-discover", 4, "metadata: larger than 1 MiB"));
}

#[test]
fn is_not_written_with_claims_that_are_nested_too_deep_for_a_member() {
    let now = 1_800_000_000;
    let signer = Signer::new("k1");
    let directory = new_directory();
    let jwks = directory.path().join("jwks");
    fs::write(&jwks, signer.jwks().to_string()).unwrap();
    let verified = |own: Value, more: &str| {
        let claims = json!({
            "iss": "https://id.example", "sub": "alice", "aud": "cli", "nonce": "n", "iat": now, "exp": now + 60,
            "own": own,
        });
        let document = json!({
            "issuer": "https://id.example", "client_id": "cli", "nonce": "n", "access_token": "at", "more": more,
            "id_token": signer.sign(&claims), "id_token_signing_alg_values_supported": ["ES256"],
        });
        let args = ["--now", &now.to_string(), "--jwks", jwks.to_str().unwrap()];
        run("pkce-verify", &args, &document.to_string())
    };
    let nested = |depth: usize| serde_json::from_str(&("[".repeat(depth) + &"]".repeat(depth))).unwrap();
    // At the limit as claims, and beyond it as a member; then beyond it as claims.
    for (depth, subject) in [(63, "own"), (64, "claims: own")] {
        let message = format!("id_token: {subject}: nested deeper than 64");
        assert_eq!(verified(nested(depth), ""), failure("pkce-verify", 4, &message));
    }
    let output = verified(nested(62), "");
    assert_eq!((output.status, output.stderr.as_str()), (0, ""));
    // The next step can read it.
    let next = run("pkce-gen", &["-"], &output.stdout);
    assert_eq!((next.status, next.stderr.as_str()), (0, ""));
    // The claims count for the size too.
    let output = verified(json!("o".repeat(3000)), &"m".repeat((1 << 20) - 6000));
    assert_eq!(output, failure("pkce-verify", 2, &format!("{TOO_LARGE}; the tokens are lost unless a file has them")));
}

/// A name that a terminal obeys, and how it is written.
const NAME: (&str, &str) = ("\u{9b}31m\u{7f}\u{80}\u{9f}\u{1b}[0m", "\\u009b31m\\u007f\\u0080\\u009f\\u001b[0m");

#[test]
fn is_written_without_what_a_terminal_obeys_in_the_names_of_members_too() {
    let (name, written) = NAME;
    let mut own = document("");
    own[name] = json!({ name: [{ name: name }] });
    let member = format!("\"{written}\":{{\"{written}\":[{{\"{written}\":\"{written}\"}}]}}");
    // A name that is escaped already stays so.
    let escaped = document("").to_string().replacen('{', &format!("{{{member},"), 1);
    for (tool, args) in [("pkce-gen", ["-"].as_slice()), ("pkce-url", &[])] {
        for input in [&own.to_string(), &escaped] {
            let output = run(tool, args, input);
            assert_eq!((output.status, output.stderr.as_str()), (0, ""));
            assert!(output.stdout.contains(&member), "{output:?}");
            assert!(!output.stdout.trim_end().chars().any(char::is_control), "{output:?}");
            assert_eq!(output.json()[name], own[name]);
        }
    }
}

#[test]
fn is_loaded_without_what_a_terminal_obeys_in_the_names_of_members_too() {
    let (name, written) = NAME;
    let home = Home::new();
    assert_eq!(home.store(&document("").to_string()).status, 0);
    // One that another program wrote.
    let mut own = document("");
    own[name] = json!({ name: 1 });
    fs::write(home.path("work.json"), own.to_string()).unwrap();
    let loaded = home.load();
    assert_eq!((loaded.status, loaded.stderr.as_str()), (0, ""));
    assert!(loaded.stdout.contains(&format!("\"{written}\":{{\"{written}\":1}}")), "{loaded:?}");
    assert!(!loaded.stdout.trim_end().chars().any(char::is_control), "{loaded:?}");
}

#[test]
fn shows_a_response_without_what_a_terminal_obeys_in_the_names_of_members_too() {
    let (name, written) = NAME;
    let server = Server::start(move |_| {
        response(
            200,
            "application/json",
            &json!({ "access_token": "at", "token_type": "Bearer", name: { name: 1 } }).to_string(),
        )
    });
    let document = json!({
        "token_endpoint": server.url("/token"), "client_id": "cli", "code": "c0de", "redirect_uri": "https://a/b",
        "code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    });
    let output = run("pkce-exchange", &[], &document.to_string());
    assert_eq!((output.status, output.stderr.as_str()), (0, ""));
    assert!(output.stdout.contains(&format!("\"{written}\":{{\"{written}\":1}}")), "{output:?}");
    assert!(output.stdout.contains(&format!("\"token_answer_members\":[\"{written}\"]")), "{output:?}");
    assert!(!output.stdout.trim_end().chars().any(char::is_control), "{output:?}");
}
