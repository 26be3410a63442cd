//! NAME.login: what is read, and what is not.

use std::fs;
use std::os::unix::fs::symlink;

use super::common::{self, finish, lacks_root, make_fifo};
use super::home::{Home, success};
use super::{SHELLS, login_in, said};

/// A home whose store has this NAME.login, or what `make` makes there.
fn home(make: impl FnOnce(&std::path::Path)) -> Home {
    let home = Home::new();
    assert_eq!(home.store("{\"token_endpoint\":\"https://id.example/token\"}"), success());
    assert_eq!(finish(home.command("pkce-store").args(["--remove", "work"]), b""), success());
    make(&home.path("work.login"));
    home
}

fn with(text: &str) -> Home {
    home(|file| fs::write(file, text).unwrap())
}

#[test]
fn refuses_a_file_that_is_damaged() {
    for (text, wrong) in [
        ("", "FILE: empty"),
        ("{\"issuer\":", "FILE: not a JSON object: unexpected end"),
        ("issuer=https://id.example\n", "FILE: not JSON at line 1, column 1"),
        ("{\"issuer\":\"a\",\"issuer\":\"b\"}", "FILE: issuer: duplicate"),
        ("{\"issuer\":\"https://id.example\\n--all\"}", "issuer: contains a control character"),
        ("{\"issuer\":\"https://id.example\",\"client_id\":\"a\\u0000b\"}", "client_id: contains a control character"),
    ] {
        for shell in SHELLS {
            let home = with(text);
            let output = finish(&mut login_in(shell, &home, &["work"]), b"");
            let path = home.path("work.login").display().to_string();
            let first = output.stderr.lines().next().unwrap_or_default().replace(&path, "FILE");
            let left = (output.status, output.stdout.as_str(), first.as_str());
            assert_eq!(left, (2, "", format!("pkce-gen: {wrong}").as_str()), "{shell:?}: {output:?}");
            if wrong.starts_with("FILE") {
                let note = format!("pkce-login: note: {path}: to forget what pkce-login was told, remove it");
                assert_eq!(output.stderr.lines().last(), Some(note.as_str()), "{shell:?}");
            }
            assert_eq!(fs::read_to_string(home.path("work.login")).unwrap(), text);
        }
    }
}

#[test]
fn refuses_what_is_no_file_of_this_user() {
    let refuses = |home: &Home| {
        for shell in SHELLS {
            let output = finish(&mut login_in(shell, home, &["work"]), b"");
            let path = home.path("work.login").display().to_string();
            let hint = "hint: to forget what pkce-login was told, remove it";
            let expected =
                said(4, &format!("pkce-login: {path}: not a regular file that only this user can write\n{hint}"));
            assert_eq!(output, expected, "{shell:?}");
        }
    };
    refuses(&home(|file| symlink("/dev/null", file).unwrap()));
    refuses(&home(|file| symlink("missing", file).unwrap()));
    refuses(&home(|file| fs::create_dir(file).unwrap()));
    refuses(&home(make_fifo));
    for mode in [0o620, 0o602] {
        refuses(&home(|file| {
            fs::write(file, "{\"issuer\":\"https://id.example\"}").unwrap();
            fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        }));
    }
    if !lacks_root() {
        refuses(&home(|file| {
            fs::write(file, "{\"issuer\":\"https://id.example\"}").unwrap();
            std::os::unix::fs::chown(file, Some(12345), None).unwrap();
        }));
    }
}

#[test]
fn takes_a_member_for_nothing_but_its_text() {
    for shell in SHELLS {
        for text in ["$(touch canary)", "`touch canary`", "--all", "-r", "*"] {
            let home = with(&serde_json::json!({ "issuer": text, "client_id": text }).to_string());
            let output = finish(login_in(shell, &home, &["work"]).current_dir(home.root.path()), b"");
            let first = output.stderr.lines().next();
            let expected = "pkce-discover: issuer: must begin with https://";
            assert_eq!((output.status, first), (2, Some(expected)), "{shell:?} {text}");
            assert!(!home.root.path().join("canary").exists(), "{shell:?} {text}");
        }
    }
}

#[test]
fn is_no_stored_login() {
    let home = with("{}");
    assert_eq!(finish(&mut home.command("pkce-load"), b""), success());
    // Nor does it change whose directory this is.
    fs::write(home.path(".work.login.12"), "{}").unwrap();
    let closed = |home: &Home| {
        let mode = finish(common::command("chmod").arg("755").arg(home.directory()), b"");
        assert_eq!(mode, success());
        finish(home.command("pkce-load").arg("work"), b"").stderr.lines().nth(1).unwrap_or_default().to_owned()
    };
    let path = home.directory().display().to_string();
    assert_eq!(closed(&home), format!("hint: check its content, then run: chmod 700 {path}"));
    assert_eq!(finish(common::command("chmod").arg("700").arg(home.directory()), b""), success());
    fs::write(home.path("other.login"), "{}").unwrap();
    assert_ne!(closed(&home), format!("hint: check its content, then run: chmod 700 {path}"));
}

#[test]
fn is_beside_the_stored_login_wherever_that_is() {
    let place = |variables: &[(&str, &str)], file: &str| {
        let home = Home::new();
        let at = home.root.path();
        let file = at.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::set_permissions(file.parent().unwrap(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        fs::write(&file, "[]").unwrap();
        for shell in SHELLS {
            let mut command = login_in(shell, &home, &["work"]);
            command.env_remove("PKCE_HOME").current_dir(at);
            for (name, value) in variables {
                command.env(name, value.replace("AT", &at.display().to_string()));
            }
            let output = finish(&mut command, b"");
            assert!(
                output.status == 2 && output.stderr.starts_with("pkce-gen: "),
                "{shell:?} {variables:?} {output:?}"
            );
        }
    };
    place(&[("PKCE_HOME", "AT/own")], "own/work.login");
    place(&[("PKCE_HOME", "-x y")], "-x y/work.login");
    place(&[("PKCE_HOME", ""), ("XDG_STATE_HOME", "AT/state")], "state/pkce/work.login");
    place(&[("XDG_STATE_HOME", "relative"), ("HOME", "AT")], ".local/state/pkce/work.login");
}
