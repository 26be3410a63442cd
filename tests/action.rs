//! action.yml and action.sh: the step of GitHub Actions that installs a release, run as a runner runs it, with a release on
//! this machine.
#![cfg(test)]

mod common;

use std::collections::HashMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use common::{
    Output, Server, bin, command, finish, free_port, lacks, lacks_root, new_directory, response, root, write_program,
};
use tempfile::TempDir;

const VERSION: &str = env!("CARGO_PKG_VERSION");
const REPOSITORY: &str = "example/pkce-tools";

/// The files of a release, by name.
type Files = HashMap<String, Vec<u8>>;

/// A runner of Linux on x86_64, whose PATH has what the script requires, without gh.
struct Runner {
    directory: TempDir,
    environment: HashMap<String, String>,
}

impl Runner {
    /// With a server as github.com.
    fn new(server: &str) -> Runner {
        let directory = new_directory();
        let at = |name: &str| directory.path().join(name).display().to_string();
        let mut environment = HashMap::from([("GITHUB_REPOSITORY".to_owned(), "example/other".to_owned())]);
        for (name, value) in [("RUNNER_OS", "Linux"), ("RUNNER_ARCH", "X64"), ("GITHUB_SERVER_URL", server)] {
            environment.insert(name.to_owned(), value.to_owned());
        }
        for (name, file) in [("RUNNER_TEMP", "temp"), ("PATH", "programs")] {
            fs::create_dir(at(file)).unwrap();
            environment.insert(name.to_owned(), at(file));
        }
        for (name, file) in [("GITHUB_PATH", "path"), ("GITHUB_OUTPUT", "output")] {
            fs::write(at(file), "").unwrap();
            environment.insert(name.to_owned(), at(file));
        }
        environment.insert("GITHUB_ACTION_PATH".to_owned(), root().display().to_string());
        let path = std::env::var("PATH").unwrap();
        for program in [
            "sh",
            "awk",
            "chmod",
            "curl",
            "cut",
            "dirname",
            "gzip",
            "mktemp",
            "rm",
            "sed",
            "sha256sum",
            "shasum",
            "tar",
        ] {
            let files = std::env::split_paths(&path).map(|directory| directory.join(program));
            if let Some(file) = files.into_iter().find(|file| file.is_file()) {
                symlink(file, directory.path().join("programs").join(program)).unwrap();
            }
        }
        Runner { directory, environment }
    }

    fn set(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    /// Another program, or none, in the place of this one.
    fn replace(&self, program: &str, script: Option<&str>) {
        let file = self.directory.path().join("programs").join(program);
        let _ = fs::remove_file(&file);
        if let Some(script) = script {
            write_program(&file, script);
        }
    }

    /// A gh that writes its arguments to a file, and then runs this script.
    fn with_gh(&self, script: &str) {
        let log = self.file("gh");
        let text = format!("#!/bin/sh\nprintf '%s\\n' \"$*\" >>'{}'\n{script}\n", log.display());
        write_program(&self.directory.path().join("programs/gh"), &text);
    }

    /// Runs the step of action.yml with this input, as an action of this repository.
    fn run(&self, version: &str, repository: &str) -> Output {
        finish(&mut self.step(version, repository), b"")
    }

    fn step(&self, version: &str, repository: &str) -> Command {
        let text = fs::read_to_string(root().join("action.yml")).unwrap();
        let (_, step) = text.split_once("      env:\n").unwrap();
        let (variables, script) = step.split_once("      run: ").unwrap();
        let mut sh = command("sh");
        sh.args(["-e", "-c", script]).envs(&self.environment).current_dir(self.directory.path());
        for variable in variables.lines() {
            let (name, value) = variable.trim().split_once(": ").unwrap();
            let value = match value {
                "${{ inputs.version }}" => version,
                "${{ github.action_repository }}" => repository,
                "${{ github.token }}" => "the-token-of-the-job",
                _ => panic!("{value}"),
            };
            sh.env(name, value);
        }
        sh
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap()
    }

    /// What the step has left: the lines of GITHUB_PATH and GITHUB_OUTPUT, and the files in RUNNER_TEMP.
    fn left(&self) -> (String, String, usize) {
        (self.read("path"), self.read("output"), fs::read_dir(self.file("temp")).unwrap().count())
    }
}

fn archive_name(version: &str) -> String {
    format!("pkce-tools-{version}-x86_64-linux.tar.gz")
}

/// A release of this version, with this file as pkce-gen.
fn release(version: &str, program: &[u8]) -> Files {
    release_with_mode(version, program, "755")
}

/// The same, where the program and its directory have this mode.
fn release_with_mode(version: &str, program: &[u8], mode: &str) -> Files {
    let directory = new_directory();
    let name = archive_name(version);
    let top = name.strip_suffix(".tar.gz").unwrap();
    fs::create_dir_all(directory.path().join(top).join("bin")).unwrap();
    let file = directory.path().join(top).join("bin/pkce-gen");
    fs::write(&file, program).unwrap();
    let script = "chmod \"$2\" \"$1/bin\" \"$1/bin/pkce-gen\" && tar -czf \"$1.tar.gz\" \"$1\" &&
        { if command -v sha256sum >/dev/null; then sha256sum \"$1.tar.gz\"; else shasum -a 256 \"$1.tar.gz\"; fi; }";
    let output = finish(command("sh").args(["-c", script, "sh", top, mode]).current_dir(&directory), b"");
    assert_eq!((output.status, output.stderr.as_str()), (0, ""));
    let other = format!("{}  pkce-tools-{version}.cdx.json\n", "0".repeat(64));
    let archive = fs::read(directory.path().join(&name)).unwrap();
    HashMap::from([(name, archive), ("SHA256SUMS".to_owned(), (other + &output.stdout).into_bytes())])
}

/// A release with the built pkce-gen.
fn real_release(version: &str) -> Files {
    release(version, &fs::read(bin().join("pkce-gen")).unwrap())
}

/// Serves the files of one release of the repository.
fn serve(version: &str, files: Files) -> Server {
    let directory = format!("/{REPOSITORY}/releases/download/v{version}/");
    Server::start(move |request| {
        let file = request.target.strip_prefix(&directory).and_then(|name| files.get(name));
        let (status, body) = file.map_or((404, &[][..]), |body| (200, body));
        let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    })
}

/// Standard error without the lines of curl, whose words differ between its versions.
fn said(output: &Output) -> String {
    output.stderr.lines().filter(|line| !line.starts_with("curl: ")).map(|line| format!("{line}\n")).collect()
}

/// Fails with this message, and leaves nothing.
fn assert_fails(runner: &Runner, output: &Output, message: &str) {
    assert_eq!((output.status, said(output)), (1, format!("::error::pkce-tools: {message}\n")), "{output:?}");
    assert_eq!(runner.left(), (String::new(), String::new(), 0), "{message}");
}

#[test]
fn installs_the_release_of_the_action_for_the_later_steps() {
    if lacks(&["curl"]) {
        return;
    }
    let server = serve(VERSION, real_release(VERSION));
    let runner = Runner::new(&server.url(""));
    runner.with_gh("[ \"$GH_TOKEN\" = the-token-of-the-job ] && echo 'gh: verified' >&2");
    let output = runner.run("", REPOSITORY);
    let (stdout, help) = (format!("pkce-gen {VERSION}\n"), "attestation verify --help");
    assert_eq!(output, Output { status: 0, stdout, stderr: "gh: verified\n".to_owned() });

    let (path, version, count) = runner.left();
    assert_eq!((version, count), (format!("version={VERSION}\n"), 1));
    let path = path.strip_suffix('\n').unwrap();
    assert!(!path.contains('\n') && path.starts_with(&runner.environment["RUNNER_TEMP"]), "{path}");
    let generated = finish(command(&format!("{path}/pkce-gen")).args(["-r", "code_verifier"]), b"");
    assert_eq!((generated.status, generated.stdout.len(), generated.stderr.as_str()), (0, 44, ""));

    let name = archive_name(VERSION);
    let workflow = format!("{}/.github/workflows/release.yml@refs/tags/v{VERSION}", server.url("/example/pkce-tools"));
    let verified = format!("attestation verify {name} --repo {REPOSITORY} --cert-identity {workflow}");
    assert_eq!(runner.read("gh"), format!("{help}\n{verified}\n"));
    let requests: Vec<String> = server.requests().into_iter().map(|request| request.target).collect();
    let at = format!("/{REPOSITORY}/releases/download/v{VERSION}");
    assert_eq!(requests, [format!("{at}/SHA256SUMS"), format!("{at}/{name}")]);
}

#[test]
fn installs_the_version_that_the_input_names() {
    if lacks(&["curl"]) {
        return;
    }
    let server = serve("9.8.7", real_release("9.8.7"));
    let mut runner = Runner::new(&server.url(""));
    // The action of a checkout (uses: ./) is without a repository: the job's is its own.
    runner.set("GITHUB_REPOSITORY", REPOSITORY);
    let output = runner.run("9.8.7", "");
    let warning = "::warning::pkce-tools: only the checksum is verified: the attestation requires gh 2.49 or later\n";
    assert_eq!(output, Output { status: 0, stdout: format!("pkce-gen {VERSION}\n"), stderr: warning.to_owned() });
    assert_eq!(runner.read("output"), "version=9.8.7\n");
}

#[test]
fn installs_nothing_if_the_archive_is_not_that_of_the_release() {
    if lacks(&["curl"]) {
        return;
    }
    let name = archive_name(VERSION);
    let good = release(VERSION, b"#!/bin/sh\necho pkce-gen\n");

    let mut changed = good.clone();
    changed.get_mut(&name).unwrap().push(0);
    let mut unlisted = good.clone();
    unlisted.insert("SHA256SUMS".to_owned(), format!("{}  other\n", "0".repeat(64)).into_bytes());
    let mut empty = good.clone();
    empty.insert("SHA256SUMS".to_owned(), Vec::new());
    let missing = format!("SHA256SUMS has no line for {name}");
    let different = format!("the checksum of {name} is not the one in SHA256SUMS");
    for (files, message) in [(changed, different), (unlisted, missing.clone()), (empty, missing)] {
        let server = serve(VERSION, files);
        let runner = Runner::new(&server.url(""));
        runner.with_gh("exit 0");
        assert_fails(&runner, &runner.run("", REPOSITORY), &message);
    }

    let server = serve(VERSION, good.clone());
    let runner = Runner::new(&server.url(""));
    runner.replace("sha256sum", None);
    runner.replace("shasum", None);
    let output = runner.run("", REPOSITORY);
    let message = format!("::error::pkce-tools: the checksum of {name} is not the one in SHA256SUMS\n");
    assert_eq!((output.status, output.stderr.ends_with(&message)), (1, true), "{output:?}");
    assert_eq!(runner.left(), (String::new(), String::new(), 0));

    let server = serve(VERSION, good);
    let runner = Runner::new(&server.url(""));
    runner.with_gh("[ \"$3\" = --help ]");
    assert_fails(&runner, &runner.run("", REPOSITORY), &format!("the attestation of {name} is not valid"));

    let server = serve(VERSION, release(VERSION, b"#!/bin/sh\nexit 1\n"));
    let runner = Runner::new(&server.url(""));
    runner.with_gh("exit 0");
    let message = format!("the programs in {name} do not run on this system");
    assert_fails(&runner, &runner.run("", REPOSITORY), &message);
}

#[test]
fn gives_no_program_the_rights_of_its_owner_and_lets_nobody_else_write_to_it() {
    // Only for root, tar keeps the modes of the archive.
    if lacks(&["curl"]) || lacks_root() {
        return;
    }
    let server = serve(VERSION, release_with_mode(VERSION, b"#!/bin/sh\necho pkce-gen\n", "7777"));
    let runner = Runner::new(&server.url(""));
    runner.with_gh("exit 0");
    assert_eq!(runner.run("", REPOSITORY).status, 0);
    let bin = PathBuf::from(runner.left().0.trim_end());
    for file in [bin.clone(), bin.join("pkce-gen")] {
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o755, "{}", file.display());
    }
}

#[test]
fn gives_up_a_download_that_stalls() {
    if lacks(&["curl"]) {
        return;
    }
    // It accepts no connection: the system does, and nothing responds.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let runner = Runner::new(&format!("http://{}", listener.local_addr().unwrap()));
    let curl = fs::read_link(runner.file("programs/curl")).unwrap();
    // The minute as a second, and one try.
    let script = format!(
        "#!/bin/sh\nfor value; do shift; case $value in 60) value=1 ;; 3) value=0 ;; esac; set -- \"$@\" \"$value\"; done\n\
         exec '{}' --max-time 30 \"$@\"\n",
        curl.display()
    );
    runner.replace("curl", Some(&script));
    let output = runner.run("", REPOSITORY);
    assert!(output.stderr.contains("Operation too slow"), "{output:?}");
    assert_fails(&runner, &output, &format!("SHA256SUMS of release v{VERSION} cannot be downloaded"));
}

#[test]
fn leaves_no_file_when_it_is_stopped() {
    for (signal, status) in [("INT", 130), ("TERM", 143)] {
        let runner = Runner::new("http://127.0.0.1:9");
        runner.replace("curl", Some(&format!("#!/bin/sh\nkill -s {signal} 0\n")));
        let output = finish(runner.step("", REPOSITORY).process_group(0), b"");
        assert_eq!(output.status, status, "{output:?}");
        assert_eq!(runner.left(), (String::new(), String::new(), 0), "{signal}");
    }
}

#[test]
fn says_what_cannot_be_downloaded() {
    if lacks(&["curl"]) {
        return;
    }
    let name = archive_name(VERSION);
    let mut files = release(VERSION, b"#!/bin/sh\necho pkce-gen\n");
    files.remove(&name);
    let server = serve(VERSION, files);
    let runner = Runner::new(&server.url(""));
    let message = format!("release v{VERSION} of {REPOSITORY} has no file {name}");
    assert_fails(&runner, &runner.run("", REPOSITORY), &message);
    let message = format!("release v7.7.7 of {REPOSITORY} has no file SHA256SUMS");
    assert_fails(&runner, &runner.run("7.7.7", REPOSITORY), &message);

    let forbidden = Server::start(|_| response(403, "", ""));
    for server in [forbidden.url(""), format!("http://127.0.0.1:{}", free_port())] {
        let runner = Runner::new(&server);
        let message = format!("SHA256SUMS of release v{VERSION} cannot be downloaded");
        assert_fails(&runner, &runner.run("", REPOSITORY), &message);
    }
}

#[test]
fn refuses_another_system_and_what_is_no_version() {
    let server = Server::start(|_| Vec::new());
    let mut runner = Runner::new(&server.url(""));
    let message = "the input version is not a version number, such as 0.2.0";
    for version in ["latest", "v0.2.0", "0.2.0/../../other", "0.2.0\n::add-path::/"] {
        assert_fails(&runner, &runner.run(version, REPOSITORY), message);
    }
    for (system, architecture) in [("Windows", "X64"), ("macOS", "X64"), ("Linux", "ARM")] {
        runner.set("RUNNER_OS", system);
        runner.set("RUNNER_ARCH", architecture);
        let message = format!("{system} on {architecture} is not supported");
        assert_fails(&runner, &runner.run("", REPOSITORY), &message);
    }
    assert!(server.requests().is_empty());
}
