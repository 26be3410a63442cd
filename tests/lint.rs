//! tests/lint.sh: finds each shell script, and what is wrong in it.
#![cfg(test)]

mod common;

use std::fs;

use common::{Output, command, finish, lacks, new_directory, root};
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
