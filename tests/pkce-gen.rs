//! pkce-gen: verifier, challenge, state and nonce, and what it takes from the documents it is given.
#![cfg(test)]

mod common;

use std::collections::HashSet;
use std::io::{BufRead, BufReader};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::{command, done, failure, finish, new_directory, peak_memory, run, start};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

fn lines(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn writes_each_document_whole_into_a_pipe_that_has_other_writers() {
    let script = "for each in 1 2 3; do pkce-gen --count 1500 & done | cat; wait";
    let output = finish(command("bash").args(["-c", script]), b"");
    assert_eq!((output.status, output.stdout.lines().count()), (0, 4500));
    for line in output.stdout.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
    }
}

#[test]
fn makes_a_verifier_its_challenge_a_state_and_a_nonce() {
    let output = run("pkce-gen", &[], "not read {");
    assert_eq!((output.status, output.stderr.as_str(), output.stdout.lines().count()), (0, "", 1));
    let document = output.json();
    let names: Vec<&String> = document.as_object().unwrap().keys().collect();
    assert_eq!(names, ["code_challenge", "code_challenge_method", "code_verifier", "nonce", "state"]);
    let verifier = document["code_verifier"].as_str().unwrap();
    assert_eq!(document["code_challenge"], json!(URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))));
    assert_eq!(document["code_challenge_method"], "S256");
    for name in ["code_verifier", "state", "nonce"] {
        let octets = URL_SAFE_NO_PAD.decode(document[name].as_str().unwrap()).unwrap();
        assert_eq!(octets.len(), 32, "{name}");
    }
}

#[test]
fn computes_the_challenges_of_the_vectors() {
    let vectors = common::vectors("pkce.json");
    for case in vectors["valid"].as_array().unwrap() {
        let document = json!({ "code_verifier": case["verifier"] }).to_string();
        let output = run("pkce-gen", &["--keep-verifier", "-"], &document);
        assert_eq!((output.status, &output.json()["code_verifier"]), (0, &case["verifier"]), "{}", case["id"]);
        assert_eq!(output.json()["code_challenge"], case["challenge_s256"], "{}", case["id"]);
    }
    for case in vectors["invalid"].as_array().unwrap() {
        let document = json!({ "code_verifier": case["verifier"] }).to_string();
        let wrong = "code_verifier: must be 43 to 128 characters of A-Z, a-z, 0-9, '-', '.', '_', '~'";
        assert_eq!(
            run("pkce-gen", &["--keep-verifier", "-"], &document),
            failure("pkce-gen", 2, wrong),
            "{}",
            case["id"]
        );
    }
    let missing = failure("pkce-gen", 2, "code_verifier: missing");
    assert_eq!(run("pkce-gen", &["--keep-verifier"], ""), missing);
}

#[test]
fn makes_verifiers_of_the_length_that_is_asked_for() {
    for (bytes, length) in [(32, 43), (33, 44), (64, 86), (96, 128)] {
        let output = run("pkce-gen", &["--bytes", &bytes.to_string()], "");
        assert_eq!(output.json()["code_verifier"].as_str().unwrap().len(), length);
    }
    for (option, value, range) in [
        ("--bytes", "31", "32 to 96"),
        ("--bytes", "97", "32 to 96"),
        ("--bytes", "1e3", "32 to 96"),
        ("--bytes", "", "32 to 96"),
        ("--count", "0", "1 to 1000000000"),
        ("--count", "x", "1 to 1000000000"),
    ] {
        let output = run("pkce-gen", &[&format!("{option}={value}")], "");
        let hint = "hint: see 'pkce-gen --help'";
        assert_eq!(
            output,
            failure("pkce-gen", 2, &format!("{option}: must be a whole number from {range}\n{hint}")),
            "{option} {value}"
        );
    }
}

#[test]
fn makes_nothing_twice() {
    let output = run("pkce-gen", &["--count", "1000"], "");
    let mut seen = HashSet::new();
    let mut starts = HashSet::new();
    let mut characters = HashSet::new();
    for document in lines(&output.stdout) {
        for name in ["code_verifier", "state", "nonce", "code_challenge"] {
            let value = document[name].as_str().unwrap().to_owned();
            assert_eq!(value.len(), 43, "{name}");
            characters.extend(value.chars());
            starts.insert(value.get(..12).unwrap().to_owned());
            assert!(seen.insert(value), "{name}");
        }
    }
    assert_eq!((seen.len(), starts.len(), characters.len()), (4000, 4000, 64));
    let alone: HashSet<String> = (0..50).map(|_| run("pkce-gen", &["-r", "state"], "").stdout).collect();
    assert_eq!(alone.len(), 50);
}

#[test]
fn merges_documents_of_which_the_later_win() {
    let directory = new_directory();
    let path = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let first = path("first", r#"{"a":1,"n":123456789012345678901234567890.10,"client_id":"one"}"#);
    let second = path("second", "{\n  \"client_id\": \"two\",\n  \"list\": [1, {\"x\": \" y \"}]\n}\n");
    let output = run("pkce-gen", &[&first, "-", &second], r#"{"a":2,"state":"old"}"#);
    assert_eq!(output.status, 0, "{output:?}");
    let line = &output.stdout;
    assert!(line.contains(r#""n":123456789012345678901234567890.10"#), "{line}");
    assert!(line.contains(r#""list":[1,{"x":" y "}]"#) && line.lines().count() == 1, "{line}");
    let document = output.json();
    assert_eq!((&document["a"], &document["client_id"]), (&json!(2), &json!("two")));
    assert_ne!(document["state"], "old");
    let bad = path("bad", "{\"a\":1,\"a\":2}");
    assert_eq!(run("pkce-gen", &[&bad], ""), failure("pkce-gen", 2, &format!("{bad}: a: duplicate")));
    let none = "/no/such/file";
    assert_eq!(run("pkce-gen", &[none], ""), failure("pkce-gen", 2, "/no/such/file: no such file or directory"));
    assert_eq!(run("pkce-gen", &["/"], ""), failure("pkce-gen", 2, "/: is a directory"));
}

#[test]
fn removes_what_else_an_old_token_response_had() {
    let old = |listed: Value| {
        json!({
            "client_id": "cli", "token_endpoint": "https://id.example/token", "own": 1, "session": "alice's",
            "access_token": "a", "token_answer_members": listed, "token_request": { "format": "json" },
        })
    };
    let output = run("pkce-gen", &["-"], &old(json!(["session", "gone"])).to_string());
    let names: Vec<String> = output.json().as_object().unwrap().keys().cloned().collect();
    let fresh = ["client_id", "code_challenge", "code_challenge_method", "code_verifier", "nonce", "own", "state"];
    assert_eq!(names, [&fresh[..], &["token_endpoint"]].concat());
    // A scope by hand is asked for; one of a login was granted then, and is so after a revocation too.
    for (left, stays) in [("own", true), ("access_token", false), ("id_token", false), ("id_token_claims", false)] {
        let document = json!({ "scope": "openid", left: {} });
        let output = run("pkce-gen", &["-"], &document.to_string());
        assert_eq!(output.json().get("scope").is_some(), stays, "{left}");
    }
    // What steers a login stays, whatever a list says.
    let output = run("pkce-gen", &["-"], &old(json!(["token_endpoint", "client_id"])).to_string());
    assert_eq!((&output.json()["client_id"], &output.json()["session"]), (&json!("cli"), &json!("alice's")));
    let output = run("pkce-gen", &["-"], &old(json!(5)).to_string());
    assert_eq!(output, failure("pkce-gen", 2, "token_answer_members: must be a string or an array of strings"));
}

#[test]
fn begins_cleanly_with_the_document_of_an_old_login() {
    let old = json!({
        "access_token": "a", "token_type": "Bearer", "expires_in": 1, "expires_at": 1, "id_token": "a.b.c",
        "refresh_token": "r", "code": "c", "iss": "https://a", "id_token_claims": {"sub": "x"}, "scope": "granted",
        "authorization_url": "https://a/b", "state": "old", "nonce": "old", "code_verifier": "old",
        "issuer": "https://a", "client_id": "cli", "resource": "https://api", "own": {"kept": 1.0},
    });
    let document = run("pkce-gen", &["-"], &old.to_string()).json();
    let names: Vec<&String> = document.as_object().unwrap().keys().collect();
    let expected = [
        "client_id",
        "code_challenge",
        "code_challenge_method",
        "code_verifier",
        "issuer",
        "nonce",
        "own",
        "resource",
        "state",
    ];
    assert_eq!(names, expected);
    for name in ["state", "nonce", "code_verifier"] {
        assert_ne!(document[name], "old");
    }
    // A scope that was written by hand is what this login asks for.
    assert_eq!(run("pkce-gen", &["-"], r#"{"scope":"openid"}"#).json()["scope"], "openid");
}

#[test]
fn prints_one_member_as_text() {
    let document = r#"{"text":"a \"b\" é","number":1.50,"list":[1, 2],"flag":true,"bell":"a\u0007","c1":"\u009b"}"#;
    for (member, text) in [("text", "a \"b\" é\n"), ("number", "1.50\n"), ("list", "[1,2]\n"), ("flag", "true\n")] {
        let output = run("pkce-gen", &["-", "-r", member], document);
        assert_eq!((output.status, output.stdout.as_str(), output.stderr.as_str()), (0, text, ""));
    }
    for (member, wrong) in [
        ("none", "none: missing"),
        ("bell", "bell: contains a control character"),
        ("c1", "c1: contains a control character"),
    ] {
        let output = run("pkce-gen", &["-", "--raw", member], document);
        let message = format!("pkce-gen: {wrong}\n");
        assert_eq!((output.status, output.stdout.as_str(), output.stderr), (2, "", message));
    }
}

#[test]
fn says_what_is_wrong_to_a_program_too() {
    let mut json = command("pkce-gen");
    let output = finish(json.args(["--keep-verifier", "-"]).env("PKCE_ERRORS", "json"), b"{\"code_verifier\":5}");
    let expected = json!({
        "tool": "pkce-gen", "status": 2, "kind": "usage", "member": "code_verifier",
        "message": "code_verifier: must be a string",
    });
    let said: Value = serde_json::from_str(&output.stderr).unwrap();
    assert_eq!((output.status, output.stderr.lines().count(), said), (2, 1, expected));
}

#[test]
fn makes_nothing_twice_in_a_thousand_runs() {
    let documents: Vec<Value> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| (0..125).map(|_| run("pkce-gen", &[], "").json()).collect::<Vec<_>>()))
            .collect();
        runs.into_iter().flat_map(|runs| runs.join().unwrap()).collect()
    });
    let mut starts = HashSet::new();
    for document in &documents {
        for name in ["code_verifier", "state", "nonce"] {
            assert!(starts.insert(document[name].as_str().unwrap().get(..12).unwrap().to_owned()), "{name}");
        }
    }
    assert_eq!((documents.len(), starts.len()), (1000, 3000));
}

#[test]
fn gives_each_document_a_line_and_the_members_of_the_one_given() {
    for count in [1, 2, 100] {
        let output = run("pkce-gen", &["-", "--count", &count.to_string()], r#"{"own":1.50}"#);
        assert_eq!((output.status, output.stdout.lines().count(), output.stderr.as_str()), (0, count, ""));
        assert!(output.stdout.lines().all(|line| line.contains(r#""own":1.50"#)), "{output:?}");
    }
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let own = json!({ "code_verifier": verifier }).to_string();
    let kept = lines(&run("pkce-gen", &["-", "--keep-verifier", "--count", "2"], &own).stdout);
    assert_eq!((&kept[0]["code_verifier"], &kept[1]["code_verifier"]), (&json!(verifier), &json!(verifier)));
    assert_ne!(kept[0]["state"], kept[1]["state"]);
    let output = run("pkce-gen", &["--count", "3", "-r", "state"], "");
    let states: HashSet<&str> = output.stdout.lines().collect();
    assert_eq!((output.status, states.len()), (0, 3), "{output:?}");
}

#[test]
fn needs_no_more_memory_for_a_hundred_thousand_documents_than_twice_that_for_ten() {
    let mut child = start(command("pkce-gen").args(["--count", "110000"]));
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut peak = |count| {
        let read = (&mut stdout).lines().take(count).map(|line| assert!(line.unwrap().ends_with('}'))).count();
        assert_eq!(read, count);
        peak_memory(child.id())
    };
    // After each it still waits, since no pipe has room for all the rest.
    let (few, many) = (peak(10), peak(100_000));
    assert!(many <= 2 * few, "{few} KiB, then {many} KiB");
    drop(stdout);
    assert_eq!(done(child).status, 3);
}

#[test]
fn fails_once_however_many_documents_it_was_asked_for() {
    let output = run("pkce-gen", &["--count", "3", "-r", "no-member"], "");
    assert_eq!(
        (output.status, output.stdout.as_str(), output.stderr.as_str()),
        (2, "", "pkce-gen: no-member: missing\n")
    );
    let full = finish(command("bash").args(["-c", "pkce-gen --count 3 >/dev/full"]), b"");
    let message = "pkce-gen: standard output: no space left on device\n";
    assert_eq!((full.status, full.stderr.as_str()), (3, message));
}

#[test]
fn does_not_wait_for_standard_input_where_it_is_not_named() {
    let mut child = start(&mut command("pkce-gen"));
    let open = child.stdin.take();
    assert_eq!(done(child).status, 0);
    drop(open);
}

#[test]
fn reads_standard_input_and_pipes_where_they_are_named() {
    let script = r#"printf '{"a":1,"b":1}' | pkce-gen <(printf '{"b":2,"c":2}') - <(printf '{"c":3}') "#;
    let document = finish(command("bash").args(["-c", script]), b"").json();
    assert_eq!((&document["a"], &document["b"], &document["c"]), (&json!(1), &json!(1), &json!(3)));
    let broken = run("pkce-gen", &["-"], "!1 refused pkce-callback\n");
    assert_eq!((broken.status, broken.stdout.as_str(), broken.stderr.as_str()), (1, "!1 refused pkce-callback\n", ""));
}

#[test]
fn refuses_files_that_hold_no_document() {
    let directory = new_directory();
    let file = directory.path().join("file");
    let name = file.to_str().unwrap();
    let large = format!("{{\"a\":\"{}\"}}", "a".repeat(1024 * 1024));
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(64), "]".repeat(64));
    let empty = "empty\nhint: write the file again, such as with pkce-discover ISSUER >FILE";
    for (text, wrong) in [
        (b"".as_slice(), empty),
        (b" \n", empty),
        (b"{", "not a JSON object: unexpected end"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"{}{}", "not JSON at line 1, column 3"),
        (b"{\"a\":{\"b\":1,\"b\":1}}", "a: b: duplicate"),
        (b"{\"a\":\"\xff\"}", "not UTF-8"),
        (b"{\"a\":\"\\udc00\"}", "a: invalid Unicode in a string"),
        (b"!1 refused pkce-callback\n", "not JSON at line 1, column 1"),
        (large.as_bytes(), "larger than 1 MiB"),
        (deep.as_bytes(), "a: nested deeper than 64"),
    ] {
        std::fs::write(&file, text).unwrap();
        assert_eq!(run("pkce-gen", &[name], ""), failure("pkce-gen", 2, &format!("{name}: {wrong}")));
    }
}

#[test]
fn refuses_options_it_cannot_use() {
    let hint = "hint: see 'pkce-gen --help'";
    let bytes = "--bytes: must be a whole number from 32 to 96";
    let count = "--count: must be a whole number from 1 to 1000000000";
    for (args, wrong) in [
        (vec!["--bytes=0"], bytes),
        (vec!["--bytes=-1"], bytes),
        (vec!["--bytes", "32.0"], bytes),
        (vec!["--bytes", "0x40"], bytes),
        (vec!["--bytes", "18446744073709551616"], bytes),
        (vec!["--bytes"], "--bytes: requires a value"),
        (vec!["--bytes", "32", "--bytes", "33"], "--bytes: repeated, or conflicts with another argument"),
        (vec!["--count=-1"], count),
        (vec!["--count", "1e3"], count),
        (vec!["--count", "1000000001"], count),
        (vec!["--keep-verifier=x"], "--keep-verifier: invalid"),
        (vec!["--length=43"], "--length: no such option"),
    ] {
        assert_eq!(run("pkce-gen", &args, ""), failure("pkce-gen", 2, &format!("{wrong}\n{hint}")), "{args:?}");
    }
}

#[test]
fn writes_the_failure_line_for_a_next_tool_alone() {
    let directory = new_directory();
    let file = directory.path().join("file");
    for (args, to_file, line) in [
        (vec!["--keep-verifier"], false, "!2 usage pkce-gen\n"),
        (vec!["--bytes", "31"], false, "!2 usage pkce-gen\n"),
        (vec!["--keep-verifier"], true, ""),
        (vec!["--bytes", "31"], true, ""),
        (vec!["--keep-verifier", "-r", "state"], false, ""),
        (vec!["--keep-verifier", "--raw=state"], false, ""),
        (vec!["--bytes", "31", "-rstate"], false, ""),
    ] {
        let script = match to_file {
            true => format!("pkce-gen \"$@\" >{0} 2>/dev/null; status=$?; cat {0}; exit $status", file.display()),
            false => "pkce-gen \"$@\" 2>/dev/null | cat; exit ${PIPESTATUS[0]}".to_owned(),
        };
        let output = finish(command("bash").args(["-c", &script, "bash"]).args(&args), b"");
        assert_eq!((output.status, output.stdout.as_str()), (2, line), "{args:?}, to a file: {to_file}");
    }
}
