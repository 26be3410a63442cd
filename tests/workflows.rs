//! The workflows of this repository: what they use, and the scripts of the release, run as GitHub's runners run them.
#![cfg(test)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::{Output, command, finish, lacks, new_directory, root, write_program};
use tempfile::TempDir;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The workflows, the action and the example.
fn files() -> Vec<PathBuf> {
    let workflows = fs::read_dir(root().join(".github/workflows")).unwrap().map(|file| file.unwrap().path());
    workflows.chain([root().join("action.yml"), root().join("examples/ci/github-actions.yml")]).collect()
}

/// The script of a step of release.yml.
fn script(step: &str) -> String {
    let text = fs::read_to_string(root().join(".github/workflows/release.yml")).unwrap();
    let (_, step) = text.split_once(&format!("      - name: {step}\n")).unwrap();
    let (_, script) = step.split_once("        run: |\n").unwrap();
    let lines = script.lines().map_while(|line| line.strip_prefix("          "));
    lines.map(|line| format!("{line}\n")).collect()
}

/// Runs a step of the release of this tag in this directory; programs in its directory `programs` come first.
fn run(step: &str, tag: &str, directory: &TempDir) -> Output {
    let mut bash = command("bash");
    bash.args(["--noprofile", "--norc", "-e", "-c", &script(step)]).current_dir(directory);
    let path = format!("{}:{}", directory.path().join("programs").display(), common::path());
    bash.env("PATH", path).env("GITHUB_REF_NAME", tag).env("VERSION", tag.trim_start_matches('v'));
    finish(bash.env("GITHUB_OUTPUT", directory.path().join("output")), b"")
}

/// A directory with copies of these files of the project.
fn checkout(names: &[&str]) -> TempDir {
    let directory = new_directory();
    for name in names {
        fs::copy(root().join(name), directory.path().join(name)).unwrap();
    }
    directory
}

fn write(directory: &TempDir, name: &str, text: &str) {
    let file = directory.path().join(name);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

fn names(directory: &Path) -> Vec<String> {
    let files = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn uses_each_action_at_one_commit() {
    let mut known = BTreeMap::new();
    for file in files() {
        let text = fs::read_to_string(&file).unwrap();
        for line in text.lines() {
            let line = line.trim_start().trim_start_matches("- ");
            if let Some(image) = line.strip_prefix("image: ") {
                assert!(image.split_once("@sha256:").is_some_and(|(_, digest)| digest.len() == 64), "{image}");
            }
            let Some(used) = line.strip_prefix("uses: ") else { continue };
            let (action, commit) = used.split_once('@').unwrap();
            let (commit, version) = commit.split_once(" # v").unwrap_or_default();
            let is_commit = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(is_commit && version.split('.').count() == 3, "{}: {line}", file.display());
            assert_eq!(known.entry(action.to_owned()).or_insert(used.to_owned()), used);
        }
    }
    assert!(known.contains_key("actions/checkout"), "{known:?}");
}

#[test]
fn uses_one_version_of_rust_and_of_each_program_that_cargo_installs() {
    let files = [".github/workflows/ci.yml", ".github/workflows/release.yml", ".ci/run"];
    let text: String = files.iter().map(|file| fs::read_to_string(root().join(file)).unwrap()).collect();
    let versions = |name: &'static str| text.split(name).skip(1).map(|rest| rest.split_whitespace().next().unwrap());
    for (name, count) in [("RUSTUP_TOOLCHAIN: ", 2), ("cargo-deny@", 3), ("cargo-cyclonedx@", 2)] {
        let versions: Vec<&str> = versions(name).collect();
        assert_eq!(versions.len(), count, "{name}");
        assert!(versions.iter().all(|version| version == &versions[0]), "{versions:?}");
    }
    // The tag of the image has no patch level.
    let (release, _) = versions("RUSTUP_TOOLCHAIN: ").next().unwrap().rsplit_once('.').unwrap();
    let image = versions("image: rust:").next().unwrap();
    assert!(image.starts_with(&format!("{release}-bookworm@")), "{image}");
}

#[test]
fn gives_each_job_its_own_permissions_and_no_credentials_or_cache() {
    for file in fs::read_dir(root().join(".github/workflows")).unwrap().map(|file| file.unwrap().path()) {
        let text = fs::read_to_string(&file).unwrap();
        let count = |start: &str| text.lines().filter(|line| line.trim_start().starts_with(start)).count();
        let file = file.display();
        assert!(text.contains("\npermissions: {}\n"), "{file}");
        assert_eq!(count("permissions:"), count("runs-on: ") + 1, "{file}");
        assert_eq!(count("persist-credentials: false"), count("- uses: actions/checkout@"), "{file}");
        assert!(!text.contains("cache:") && !text.contains("actions/cache"), "{file}");
    }
}

#[test]
fn releases_the_version_of_the_sources_alone() {
    let step = "Check that the tag is the version of the sources";
    let directory = checkout(&["Cargo.toml", "CHANGELOG.md"]);
    let output = run(step, &format!("v{VERSION}"), &directory);
    assert_eq!(output, Output { status: 0, stdout: String::new(), stderr: String::new() });
    assert_eq!(fs::read_to_string(directory.path().join("output")).unwrap(), format!("version={VERSION}\n"));

    let other = "::error file=Cargo.toml::the version is not that of the tag v9.8.7\n";
    let output = run(step, "v9.8.7", &directory);
    assert_eq!(output, Output { status: 1, stdout: other.to_owned(), stderr: String::new() });
    write(&directory, "Cargo.toml", "version = \"9.8.7\"\n");
    let missing = "::error file=CHANGELOG.md::version 9.8.7 is missing\n";
    let output = run(step, "v9.8.7", &directory);
    assert_eq!(output, Output { status: 1, stdout: missing.to_owned(), stderr: String::new() });
}

#[test]
fn collects_the_files_of_all_targets_and_their_checksums() {
    if lacks(&["sha256sum"]) {
        return;
    }
    let directory = new_directory();
    for (target, archive) in [("x86_64-unknown-linux-musl", "x86_64-linux"), ("aarch64-apple-darwin", "aarch64-macos")]
    {
        for name in [&format!("pkce-tools-9.8.7-{archive}.tar.gz"), "pkce-tools-9.8.7.cdx.json", "SHA256SUMS"] {
            write(&directory, &format!("built/{target}/{name}"), target);
        }
    }
    let output = run("Collect the files", "v9.8.7", &directory);
    assert_eq!(output, Output { status: 0, stdout: String::new(), stderr: String::new() });
    let dist = directory.path().join("dist");
    let all = [
        "SHA256SUMS",
        "pkce-tools-9.8.7-aarch64-apple-darwin.cdx.json",
        "pkce-tools-9.8.7-aarch64-macos.tar.gz",
        "pkce-tools-9.8.7-x86_64-linux.tar.gz",
        "pkce-tools-9.8.7-x86_64-unknown-linux-musl.cdx.json",
    ];
    assert_eq!(names(&dist), all);
    let checked = finish(command("sha256sum").args(["--check", "SHA256SUMS"]).current_dir(&dist), b"");
    let stdout: String = all[1..].iter().map(|name| format!("{name}: OK\n")).collect();
    assert_eq!(checked, Output { status: 0, stdout, stderr: String::new() });
}

#[test]
fn describes_the_release_with_its_part_of_the_changelog() {
    let directory = new_directory();
    write(&directory, "programs/gh", "");
    let gh = "#!/bin/sh\nfor argument; do printf '%s\\n' \"<$argument>\"; done\nexec cat\n";
    write_program(&directory.path().join("programs/gh"), gh);
    write(&directory, "dist/SHA256SUMS", "");
    write(&directory, "dist/pkce-tools-9.8.7.deb", "");
    let changelog = "# Changelog\n\n## 9.8.70 (2027-03-01)\n\n- c\n\n## 9.8.7 (2027-02-01)\n\n### Added\n\n- b\n\n## 9.8.6 (2027-01-01)\n\n- a\n";
    write(&directory, "CHANGELOG.md", changelog);
    let output = run("Create the release", "v9.8.7", &directory);
    let stdout = "<release>\n<create>\n<v9.8.7>\n<--verify-tag>\n<--title>\n<pkce-tools 9.8.7>\n<--notes-file>\n<->\n\
        <dist/SHA256SUMS>\n<dist/pkce-tools-9.8.7.deb>\n\n### Added\n\n- b\n\n";
    assert_eq!(output, Output { status: 0, stdout: stdout.to_owned(), stderr: String::new() });
}
