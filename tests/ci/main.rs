//! The examples for CI, each run as a runner would.
#![cfg(test)]

#[path = "../common/mod.rs"]
mod common;

mod browser;
mod mask;
mod refuses;
mod workflows;

use std::fs;

use common::{Output, command, finish, lacks, root, write_program};
use tempfile::TempDir;

const SHELLS: [&str; 2] = ["dash", "bash"];

fn ci(name: &str) -> String {
    root().join("examples/ci").join(name).display().to_string()
}

#[test]
fn has_a_test_for_each_example() {
    let own = fs::read_dir(root().join("tests/ci")).unwrap();
    let own: String = own.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    for file in fs::read_dir(root().join("examples/ci")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(own.contains(&format!("ci(\"{name}\")")), "{name}");
    }
}

#[test]
fn runs_in_a_plain_shell() {
    if lacks(&["dash"]) {
        return;
    }
    for shell in SHELLS {
        for name in ["mask.sh", "browser.sh", "refuses.sh"] {
            let output = finish(command(shell).arg("-n").arg(ci(name)), b"");
            assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{shell} {name}");
        }
    }
}

/// A PATH whose first directory has these programs, which write their arguments to a file and then do as usual.
fn watched(directory: &TempDir, programs: &[&str]) -> String {
    let shims = directory.path().join("shims");
    fs::create_dir_all(&shims).unwrap();
    let path = command("sh").get_envs().find(|(name, _)| *name == "PATH").unwrap().1.unwrap().to_owned();
    let path = path.into_string().unwrap();
    for program in programs {
        let log = directory.path().join("arguments").display().to_string();
        let script = format!(
            "#!/bin/sh\nprintf '%s\\n' \"$0 $*\" >> '{log}'\nPATH='{path}'\nexport PATH\nexec {program} \"$@\"\n"
        );
        write_program(&shims.join(program), &script);
    }
    format!("{}:{path}", shims.display())
}

fn arguments(directory: &TempDir) -> String {
    fs::read_to_string(directory.path().join("arguments")).unwrap()
}

fn said(output: &Output) -> Vec<&str> {
    output.stderr.lines().filter(|line| !line.starts_with("http") && !line.contains("to sign in, open")).collect()
}

#[test]
fn explains_itself_and_leads_to_files_that_are_there() {
    let page = fs::read_to_string(ci("README.md")).unwrap();
    for name in ["mask.sh", "browser.sh", "form.awk", "refuses.sh", "github-actions.yml", "gitlab-ci.yml"] {
        assert!(page.contains(&format!("({name})")), "{name}");
        assert!(fs::exists(ci(name)).unwrap());
    }
}
