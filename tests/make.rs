//! The Makefile: what it refuses.
#![cfg(test)]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use common::{Output, command, finish, lacks, new_directory, root};

/// Runs make in this directory.
fn make(directory: &Path, arguments: &[&str]) -> Output {
    finish(command("make").arg("--no-print-directory").args(arguments).current_dir(directory), b"")
}

#[test]
fn refuses_white_space_in_a_directory_and_removes_nothing() {
    if lacks(&["make"]) {
        return;
    }
    let directory = new_directory();
    let at = |name: &str| directory.path().join(name).display().to_string();
    fs::create_dir(at("a")).unwrap();
    fs::write(at("a/file"), "").unwrap();
    // The sources, in a directory with white space.
    fs::create_dir(at("a b")).unwrap();
    for entry in ["Makefile", "src", "man", "examples"] {
        symlink(root().join(entry), directory.path().join("a b").join(entry)).unwrap();
    }
    let refused = |sources: &Path, arguments: &[&str], name: &str, value: &str| {
        let output = make(sources, arguments);
        let (_, message) = output.stderr.split_once(" *** ").unwrap_or_else(|| panic!("{output:?}"));
        let expected = format!("{name} must not contain white space: {value}.  Stop.\n");
        assert_eq!((output.status, output.stdout.as_str(), message), (2, "", expected.as_str()));
        assert!(Path::new(&at("a/file")).exists(), "{arguments:?}");
    };
    let sources = fs::canonicalize(at("a b")).unwrap();
    for goal in ["all", "install", "uninstall", "dist", "dist-check", "html", "bench", "fuzz", "lint-workflows"] {
        refused(&sources, &[goal], "CURDIR", &sources.display().to_string());
        for (value, target) in [("a b", "a b"), ("a ", "a ")] {
            refused(root(), &[goal, &format!("CARGO_TARGET_DIR={}", at(value))], "TARGET", &at(target));
        }
    }
    for name in ["DESTDIR", "PREFIX", "BINDIR", "MANDIR", "DATADIR"] {
        for goal in ["install", "uninstall"] {
            refused(root(), &[goal, &format!("{name}={}", at("a b"))], name, &at("a b"));
        }
    }
}
