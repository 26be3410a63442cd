//! tests/lint.sh: finds each shell script, and what is wrong in it. deny.toml: refuses dependencies.
#![cfg(test)]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use common::{Output, command, finish, lacks, new_directory, path, root, write_program};
use tempfile::TempDir;

/// A directory with these files.
fn project(files: &[(&str, &str)]) -> TempDir {
    let directory = new_directory();
    for (name, text) in files {
        let file = directory.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    directory
}

fn lint(directory: &TempDir) -> Output {
    finish(command("sh").arg(root().join("tests/lint.sh")).current_dir(directory), b"")
}

/// The files that the findings of shellcheck are in.
fn files(output: &Output) -> Vec<&str> {
    let mut files: Vec<&str> = output.stdout.lines().filter_map(|line| line.strip_prefix("In ./")).collect();
    files.sort();
    files.into_iter().map(|line| line.split(' ').next().unwrap()).collect()
}

#[test]
fn finds_a_script_by_its_first_line_or_its_name() {
    if lacks(&["shellcheck", "checkbashisms"]) {
        return;
    }
    let directory = project(&[
        (".ci/run", "#!/usr/bin/env bash\necho $1\n"),
        ("src/sh/tool", "#!/bin/sh\necho $1\n"),
        ("tests/cases.sh", "# shellcheck shell=bash\necho $1\n"),
        ("completions/tool.bash", "# shellcheck shell=bash\necho $1\n"),
        ("completions/_tool", "#compdef tool\necho $1\n"),
        ("tests/tests.py", "#!/usr/bin/env python3\necho $1\n"),
        ("later", "\n#!/bin/sh\necho $1\n"),
        ("node_modules/a/b.sh", "#!/bin/sh\necho $1\n"),
        ("tests/venv/bin/activate", "#!/bin/sh\necho $1\n"),
        ("built/CACHEDIR.TAG", ""),
        ("built/debug/a.sh", "#!/bin/sh\necho $1\n"),
    ]);
    let output = lint(&directory);
    assert_eq!((output.status, output.stderr.as_str()), (1, ""), "{output:?}");
    assert_eq!(files(&output), [".ci/run", "completions/tool.bash", "src/sh/tool", "tests/cases.sh"]);
}

#[test]
fn reads_the_blocks_of_a_page() {
    if lacks(&["shellcheck", "checkbashisms"]) {
        return;
    }
    let page = "It's:\n\n```sh\na=\"b\"\necho \"$a\"\n```\n\n```json\n$b\n```\n\n```sh\necho $c\n```\n";
    let output = lint(&project(&[("tool", "#!/bin/sh\n"), ("docs/page.md", page)]));
    assert_eq!((output.status, output.stderr.as_str()), (1, ""), "{output:?}");
    let findings: Vec<&str> = output.stdout.lines().filter(|line| line.starts_with("In ")).collect();
    assert_eq!(findings, ["In ./docs/page.md line 13:"], "{output:?}");
    assert!(output.stdout.contains("echo $c\n"), "{output:?}");
}

#[test]
fn finds_what_only_bash_can_do() {
    if lacks(&["shellcheck", "checkbashisms"]) {
        return;
    }
    let plain = "#!/bin/sh\nset -eu\nulimit -f 2048\nprintf '%s\\n' \"$1\"\n";
    let output = lint(&project(&[("a", plain), ("b", "#!/usr/bin/env bash\necho -e \"$1\"\n")]));
    assert_eq!(output, Output { status: 0, stdout: String::new(), stderr: String::new() });

    // The directive silences shellcheck, not checkbashisms.
    let bash = format!("{plain}# shellcheck disable=SC3037\necho -e \"$1\"\n");
    let output = lint(&project(&[("a", plain), ("src/sh/tool", &bash)]));
    let said = "possible bashism in ./src/sh/tool line 6 (echo -e):\necho -e \"$1\"\n";
    assert_eq!(output, Output { status: 1, stdout: said.to_owned(), stderr: String::new() });
}

/// The output of cargo-deny, with the rules of this project, for a package with one dependency.
fn deny(dependency: &str, license: &str) -> Output {
    let package = |name: &str, license: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nlicense = \"{license}\"\n")
    };
    let own = package("package", "MIT")
        + &format!("[dependencies]\n{dependency} = {{ path = \"crate\", version = \"1\" }}\n");
    let directory = project(&[
        ("Cargo.toml", &own),
        ("src/lib.rs", ""),
        ("crate/Cargo.toml", &package(dependency, license)),
        ("crate/src/lib.rs", ""),
    ]);
    // Without HOME, rustup finds no compiler: it is the one beside cargo.
    let cargo = Path::new(env!("CARGO"));
    let mut deny = command("cargo-deny");
    deny.env("CARGO", cargo).env("PATH", format!("{}:{}", cargo.parent().unwrap().display(), path()));
    deny.env("CARGO_HOME", directory.path().join("home")).current_dir(&directory);
    deny.arg("--offline").arg("--config").arg(root().join("deny.toml"));
    finish(deny.args(["check", "licenses", "bans", "sources"]), b"")
}

#[test]
fn refuses_another_license_and_another_implementation_of_tls() {
    if lacks(&["cargo-deny"]) {
        return;
    }
    for (dependency, license, found) in [
        ("some", "MIT OR GPL-3.0-only", None),
        ("some", "MIT AND GPL-3.0-only", Some("error[rejected]: failed to satisfy license requirements")),
        ("openssl-sys", "MIT", Some("error[banned]: crate 'openssl-sys = 1.0.0' is explicitly banned")),
    ] {
        let output = deny(dependency, license);
        let errors = output.stderr.lines().filter(|line| line.starts_with("error"));
        // This package has none of the dependencies that the rules name.
        let errors: Vec<&str> = errors.filter(|line| !line.contains("-not-encountered]")).collect();
        assert_eq!(errors, Vec::from_iter(found), "{output:?}");
        assert!(output.stdout.ends_with(", sources ok\n"), "{output:?}");
    }
}

#[test]
fn names_how_to_get_cargo_deny() {
    if lacks(&["make"]) {
        return;
    }
    // No more programs than the Makefile starts before the check.
    let directory = new_directory();
    for program in ["make", "sh", "find", "grep"] {
        let found = std::env::split_paths(&path()).map(|path| path.join(program)).find(|file| file.is_file());
        symlink(found.unwrap(), directory.path().join(program)).unwrap();
    }
    for program in ["cargo", "cc"] {
        write_program(&directory.path().join(program), "#!/bin/sh\n");
    }
    let mut make = command("make");
    make.args(["--no-print-directory", "lint"]).env("PATH", directory.path()).current_dir(root());
    let output = finish(&mut make, b"");
    let said = "make: cargo-deny is missing: cargo install --locked cargo-deny\n";
    assert_eq!((output.status, output.stdout.as_str()), (2, ""), "{output:?}");
    assert!(output.stderr.starts_with(said), "{output:?}");
}
