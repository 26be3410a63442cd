//! mask.sh: secrets are masked before the document is printed.

use std::fs;

use crate::common::{Output, command, finish, lacks, new_directory};
use crate::{SHELLS, arguments, ci, watched};

/// A document with secrets at several depths, in an order and with white space that no tool would write.
const DOCUMENT: &str = "{\"code\": \"c0de-1\",\"own\":1.10, \"authed_user\":{\"access_token\":\"xoxp-2\"},\
    \"client_secret\":\"a%b\\nsecond line\",\"token_type\":\"Bearer\",\"country_code\":\"DE\",\
    \"refresh_tokens\":[\"r-3\"],\"id_token\":\"\\u00e9]\",\"access_token\":\"\",\"token_endpoint\":\"https://x/t\"}\n\n";

/// Runs mask.sh in a shell, with these words before it and this in the environment.
fn mask(shell: &[&str], environment: (&str, &str), stdin: &str) -> Output {
    let mut masked = command(shell[0]);
    masked.args(&shell[1..]).arg(ci("mask.sh")).env(environment.0, environment.1);
    finish(&mut masked, stdin.as_bytes())
}

const GITHUB: (&str, &str) = ("GITHUB_ACTIONS", "true");
const AZURE: (&str, &str) = ("TF_BUILD", "True");

#[test]
fn masks_each_secret_and_passes_the_document_on_unchanged() {
    if lacks(&["dash", "jq"]) {
        return;
    }
    let values = ["c0de-1", "xoxp-2", "a%b", "a%b\nsecond line", "second line", "r-3", "\u{e9}]"];
    for shell in SHELLS {
        for (runner, prefix, percent) in [(GITHUB, "::add-mask::", "%25"), (AZURE, "##vso[task.setsecret]", "%AZP25")] {
            let output = mask(&[shell], runner, DOCUMENT);
            let line = |value: &&str| format!("{prefix}{}\n", value.replace('%', percent).replace('\n', "%0A"));
            // The first line is empty: a mask that stands behind another step's unfinished line is none.
            let masks: String = std::iter::once("\n".to_owned()).chain(values.iter().map(line)).collect();
            let expected = Output { status: 0, stdout: DOCUMENT.to_owned(), stderr: masks };
            assert_eq!(output, expected, "{shell}");
        }
        // A document without a secret has no masks; a stream of documents has those of each, and of doubled names both.
        assert_eq!(mask(&[shell], GITHUB, "{}\n"), Output { status: 0, stdout: "{}\n".into(), stderr: String::new() });
        let stream = "{\"code\":\"one\"}\n{\"code\":\"two\",\"code\":\"three\"}\n";
        let masks = "\n::add-mask::one\n::add-mask::two\n::add-mask::three\n";
        let expected = Output { status: 0, stdout: stream.to_owned(), stderr: masks.to_owned() };
        assert_eq!(mask(&[shell], GITHUB, stream), expected);
    }
}

#[test]
fn prints_the_masks_before_the_document() {
    if lacks(&["dash", "jq"]) {
        return;
    }
    for shell in SHELLS {
        let script = format!("exec {shell} '{}' 2>&1", ci("mask.sh"));
        let output = finish(command("sh").args(["-c", &script]).env("GITHUB_ACTIONS", "true"), DOCUMENT.as_bytes());
        assert!(output.stdout.starts_with("\n::add-mask::") && output.stdout.ends_with(DOCUMENT), "{output:?}");
    }
}

#[test]
fn refuses_to_mask_where_no_runner_reads_along() {
    if lacks(&["dash"]) {
        return;
    }
    let message = "mask: environment: neither GITHUB_ACTIONS nor TF_BUILD is set; elsewhere the masks would reveal the \
                   secrets\n";
    let directory = new_directory();
    for shell in SHELLS {
        for elsewhere in [("CI", "true"), ("GITLAB_CI", "true"), ("GITHUB_ACTIONS", ""), ("TF_BUILD", "")] {
            let output = mask(&[shell], elsewhere, DOCUMENT);
            let expected = Output { status: 2, stdout: "!2 usage mask\n".to_owned(), stderr: message.to_owned() };
            assert_eq!(output, expected, "{shell} {elsewhere:?}");
        }
        // The failure line is for a next step, and not for a file.
        let script = format!("{shell} '{}' > '{}/out'", ci("mask.sh"), directory.path().display());
        assert_eq!(finish(command("sh").args(["-c", &script]), DOCUMENT.as_bytes()).status, 2);
        assert_eq!(fs::read_to_string(directory.path().join("out")).unwrap(), "");
    }
}

#[test]
fn passes_a_failure_on_without_a_message() {
    if lacks(&["dash", "jq"]) {
        return;
    }
    for shell in SHELLS {
        for (status, kind) in
            [(1, "refused"), (2, "usage"), (3, "unavailable"), (4, "untrusted"), (5, "login_required")]
        {
            let line = format!("!{status} {kind} pkce-exchange\n");
            let expected = Output { status, stdout: line.clone(), stderr: String::new() };
            assert_eq!(mask(&[shell], GITHUB, &line), expected, "{shell}");
        }
    }
}

#[test]
fn refuses_what_is_no_document_and_quotes_nothing_of_it() {
    if lacks(&["dash", "jq"]) {
        return;
    }
    let object = "mask: standard input: not a JSON object\n";
    let empty = "mask: standard input: empty (did the step before fail?)\n";
    for shell in SHELLS {
        for (stdin, message) in [
            ("", empty),
            (" \n", empty),
            ("s3cret", object),
            ("\"s3cret\"", object),
            ("[{\"code\":\"s3cret\"}]", object),
            ("{\"access_token\":s3cret}", object),
            ("{\"access_token\":\"s3cret", object),
            ("{\"access_token\":\"s3cret\"} s3cret", object),
            ("!4 refused pkce-exchange\n", object),
            ("!s3cret", object),
        ] {
            let expected = Output { status: 2, stdout: "!2 usage mask\n".to_owned(), stderr: message.to_owned() };
            assert_eq!(mask(&[shell], GITHUB, stdin), expected, "{shell} {stdin:?}");
        }
    }
}

#[test]
fn shows_no_secret_in_a_trace_or_an_argument_list() {
    if lacks(&["dash", "jq"]) {
        return;
    }
    for shell in SHELLS {
        let directory = new_directory();
        let mut masked = command(shell);
        masked.arg("-x").arg(ci("mask.sh")).env("GITHUB_ACTIONS", "true");
        masked.env("PATH", watched(&directory, &["jq", "cat", "grep"]));
        let output = finish(&mut masked, DOCUMENT.as_bytes());
        let plain = mask(&[shell], GITHUB, DOCUMENT);
        assert_eq!(output, plain, "the trace ends before it begins");
        let seen = arguments(&directory);
        assert!(seen.contains("/jq -nr --stream"), "{seen}");
        for secret in ["c0de-1", "xoxp-2", "a%b", "second line", "r-3"] {
            assert!(!seen.contains(secret), "{seen}");
        }
    }
}
