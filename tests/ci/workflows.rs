//! The GitHub workflow and the GitLab job, run as their runners run them.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Child, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::ci;
use crate::common::{command, finish, lacks, new_directory, root, tool as tool_file, tools, write_program};

/// The parts of a workflow that a runner runs: each with when it does, and its script.
struct Part {
    when: &'static str,
    script: String,
}

/// The lines that stand deeper than this, with as many spaces taken off as the first has.
fn block<'a>(lines: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>, than: usize) -> String {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let first = depth(lines.peek().unwrap());
    let mut text = String::new();
    while let Some(line) = lines.next_if(|line| line.is_empty() || depth(line) > than) {
        text.push_str(line.get(first..).unwrap_or_default());
        text.push('\n');
    }
    text
}

/// The steps of the GitHub workflow, and the environment of its job, where nothing is set for the repository.
fn github_parts() -> (Vec<Part>, Vec<(String, String)>) {
    let text = fs::read_to_string(ci("github-actions.yml")).unwrap();
    let mut lines = text.lines().peekable();
    let (mut parts, mut environment, mut when) = (Vec::new(), Vec::new(), "success");
    while let Some(line) = lines.next() {
        if line == "    env:" {
            for line in block(&mut lines, 4).lines().filter(|line| !line.starts_with('#')) {
                let (name, value) = line.split_once(": ").unwrap();
                let value = if value.starts_with("${{ vars.") { "" } else { value.trim_matches('"') };
                environment.push((name.to_owned(), value.to_owned()));
            }
        } else if line.starts_with("      - ") {
            when = "success";
        } else if let Some(condition) = line.strip_prefix("        if: ") {
            when = if condition == "always()" { "always" } else { "failure" };
        } else if line == "        run: |" {
            parts.push(Part { when, script: block(&mut lines, 8) });
        } else if let Some(script) = line.strip_prefix("        run: ") {
            parts.push(Part { when, script: format!("{script}\n") });
        }
    }
    assert!(parts.iter().all(|part| !part.script.contains("${{")), "a script takes values from the environment alone");
    (parts, environment)
}

/// The scripts of the GitLab job, before_script and script as one, and its variables, those of /tmp in this directory.
fn gitlab_parts(directory: &TempDir) -> (Vec<Part>, Vec<(String, String)>) {
    let text = fs::read_to_string(ci("gitlab-ci.yml")).unwrap();
    let mut lines = text.lines().peekable();
    let (mut script, mut after, mut variables) = (String::new(), String::new(), Vec::new());
    let work = directory.path().join("login").display().to_string();
    while let Some(line) = lines.next() {
        if line == "  variables:" {
            for line in block(&mut lines, 2).lines().filter(|line| !line.starts_with('#')) {
                let (name, value) = line.split_once(": ").unwrap();
                let value = value.trim_matches('"').replace("/tmp/login-$CI_JOB_ID", &work);
                variables.push((name.to_owned(), value));
            }
        }
        if !["  before_script:", "  script:", "  after_script:"].contains(&line) {
            continue;
        }
        let text = if line == "  after_script:" { &mut after } else { &mut script };
        let items = block(&mut lines, 2);
        let mut items = items.lines().filter(|line| !line.starts_with('#')).peekable();
        while let Some(item) = items.next() {
            match item.strip_prefix("- ").unwrap() {
                "|" => text.push_str(&block(&mut items, 0)),
                item => text.push_str(&format!("{item}\n")),
            }
        }
    }
    (vec![Part { when: "success", script }, Part { when: "always", script: after }], variables)
}

#[test]
fn has_scripts_that_shellcheck_finds_nothing_in() {
    if lacks(&["shellcheck"]) {
        return;
    }
    let parts = [github_parts().0, gitlab_parts(&new_directory()).0];
    for part in parts.iter().flatten() {
        let output = finish(command("shellcheck").args(["--shell", "bash", "-"]), part.script.as_bytes());
        assert_eq!((output.status, output.stdout.as_str(), output.stderr.as_str()), (0, "", ""), "{}", part.script);
    }
}

/// The surroundings of a runner: a build that only copies, and tools that save what they print in a directory.
struct Runner {
    directory: TempDir,
    environment: Vec<(String, String)>,
}

/// What a job left: the status of the first part that failed, all that was printed, and all secrets that there were.
struct Job {
    status: i32,
    log: String,
    secrets: HashSet<String>,
}

impl Runner {
    fn new(environment: Vec<(String, String)>) -> Runner {
        let directory = new_directory();
        for made in ["built", "shims", "seen", "temp"] {
            fs::create_dir(directory.path().join(made)).unwrap();
        }
        let at = directory.path().display();
        // cargo builds no scripts.
        for tool in tools().into_iter().filter(|tool| !root().join("src/sh").join(tool).exists()) {
            let (real, built) = (tool_file(&tool), directory.path().join("built").join(&tool));
            match ["pkce-callback", "pkce-exchange", "pkce-refresh"].contains(&tool.as_str()) {
                false => symlink(real, built).unwrap(),
                true => write_program(
                    &built,
                    &format!("#!/bin/bash\nset -o pipefail\n'{}' \"$@\" | tee -a '{at}/seen/{tool}'\n", real.display()),
                ),
            }
        }
        // cargo install … --root FOLDER
        let build = "#!/bin/bash\nmkdir -p \"${!#}/bin\"\ncp -P \"$BUILT\"/* \"${!#}/bin\"\n";
        write_program(&directory.path().join("shims/cargo"), build);
        let mut environment = environment;
        environment.push(("BUILT".to_owned(), format!("{at}/built")));
        environment.push(("RUNNER_TEMP".to_owned(), format!("{at}/temp")));
        environment.push(("TMPDIR".to_owned(), format!("{at}/temp")));
        environment.push(("GITHUB_ENV".to_owned(), format!("{at}/env")));
        environment.push(("GITHUB_PATH".to_owned(), format!("{at}/path")));
        Runner { directory, environment }
    }

    fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Runs the parts as both runners do: in bash, to the first command that fails; here with a trace, too.
    fn run(&self, parts: &[Part]) -> Job {
        let (mut status, mut log) = (0, String::new());
        for (at, part) in parts.iter().enumerate() {
            let wanted = match part.when {
                "always" => true,
                "failure" => status != 0,
                _ => status == 0,
            };
            if !wanted {
                continue;
            }
            let file = self.directory.path().join(format!("part-{at}.sh"));
            fs::write(&file, &part.script).unwrap();
            let both = "exec bash --noprofile --norc -e -o pipefail -x \"$1\" 2>&1";
            let mut bash = command("bash");
            bash.args(["-c", both, "-"]).arg(&file).current_dir(root()).envs(self.environment.iter().cloned());
            let read = |name: &str| fs::read_to_string(self.directory.path().join(name)).unwrap_or_default();
            bash.envs(read("env").lines().map(|line| line.split_once('=').unwrap()));
            let added: String = read("path").lines().map(|line| format!("{line}:")).collect();
            let path = std::env::var("PATH").unwrap();
            bash.env("PATH", format!("{added}{}:{path}", self.directory.path().join("shims").display()));
            let output = finish(&mut bash, b"");
            log.push_str(&output.stdout);
            status = if status == 0 { output.status } else { status };
        }
        let mut secrets = HashSet::new();
        for file in fs::read_dir(self.directory.path().join("seen")).unwrap() {
            let text = fs::read_to_string(file.unwrap().path()).unwrap();
            for document in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
                for name in ["code", "code_verifier", "access_token", "refresh_token", "id_token"] {
                    secrets.extend(document[name].as_str().map(str::to_owned));
                }
            }
        }
        Job { status, log, secrets }
    }
}

/// pkce-idp with its pages, as somebody else's provider.
struct Provider {
    child: Child,
    issuer: String,
}

impl Provider {
    fn start() -> Provider {
        let mut child = command("pkce-idp").stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let document: Value = serde_json::from_reader(child.stdout.take().unwrap()).unwrap();
        Provider { child, issuer: document["issuer"].as_str().unwrap().to_owned() }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The log is checked as the runner shows it: without the lines of masks, which it takes for itself.
fn checked(job: &Job) -> (String, HashSet<String>) {
    let mask = |line: &&str| line.starts_with("::add-mask::");
    let shown: String = job.log.lines().filter(|line| !mask(line)).map(|line| format!("{line}\n")).collect();
    assert_eq!(job.status, 0, "{shown}");
    // The main login has three tokens, of the other three logins one reached tokens; each has a code and a verifier.
    assert_eq!(job.secrets.len(), 4 * 2 + 2 * 3, "{shown}");
    for secret in &job.secrets {
        assert!(secret.len() >= 40 && !shown.contains(secret.as_str()), "{secret} in {shown}");
    }
    for line in ["refused: a wrong verifier", "refused: a missing verifier", "refused: a code that was used before"] {
        assert!(shown.lines().any(|other| other == line), "{line}: {shown}");
    }
    assert!(shown.contains("+ pkce-exchange") && shown.lines().filter(|line| *line == "true").count() == 2, "{shown}");
    (shown, job.log.lines().filter_map(|line| line.strip_prefix("::add-mask::").map(str::to_owned)).collect())
}

#[test]
fn runs_the_github_workflow_to_its_end_and_shows_no_secret() {
    if lacks(&["curl", "dash", "jq"]) {
        return;
    }
    let (parts, environment) = github_parts();
    assert_eq!(parts.len(), 9);
    let mut runner = Runner::new(environment.clone());
    runner.set("GITHUB_ACTIONS", "true");
    let job = runner.run(&parts);
    let (_, masked) = checked(&job);
    assert_eq!(masked, job.secrets);
    assert_eq!(fs::read_dir(runner.directory.path().join("temp")).unwrap().count(), 1, "the tools alone are left");

    let provider = Provider::start();
    let with = |sub: &str| {
        let mut runner = Runner::new(environment.clone());
        runner.set("GITHUB_ACTIONS", "true");
        runner.set("PKCE_ISSUER", &provider.issuer);
        runner.set("PKCE_CLIENT_ID", "pkce-tools");
        runner.set("TEST_ACCOUNT_SUB", sub);
        runner.set("TEST_ACCOUNT", "someone\na-p4ssword-that-nobody-prints");
        runner
    };
    let job = with("someone").run(&parts);
    let (shown, masked) = checked(&job);
    assert_eq!(masked, job.secrets);
    assert!(!shown.contains("a-p4ssword"), "{shown}");
    // Another account than the expected one ends the job, and its tokens are revoked all the same.
    let runner = with("somebody else");
    let job = runner.run(&parts);
    assert!(job.status == 1 && !job.log.contains("refused: ") && job.log.contains("+ pkce-logout ci"));
    assert_eq!(fs::read_dir(runner.directory.path().join("temp")).unwrap().count(), 1);
}

#[test]
fn runs_the_gitlab_job_to_its_end_and_shows_no_secret() {
    if lacks(&["curl", "dash", "jq"]) {
        return;
    }
    let directory = new_directory();
    let (parts, variables) = gitlab_parts(&directory);
    let work = variables.iter().find(|(name, _)| name == "WORK").unwrap().1.clone();
    let runner = Runner::new(variables.clone());
    let job = runner.run(&parts);
    let (_, masked) = checked(&job);
    assert!(masked.is_empty() && !fs::exists(&work).unwrap());
    assert_eq!(job.log.matches("+ pkce-logout ci").count(), 1, "{}", job.log);

    let provider = Provider::start();
    let mut runner = Runner::new(variables);
    let account = runner.directory.path().join("account").display().to_string();
    fs::write(&account, "someone\na-p4ssword-that-nobody-prints").unwrap();
    for (name, value) in [
        ("PKCE_ISSUER", provider.issuer.as_str()),
        ("PKCE_CLIENT_ID", "pkce-tools"),
        ("TEST_ACCOUNT_SUB", "someone"),
        ("TEST_ACCOUNT_FILE", &account),
    ] {
        runner.set(name, value);
    }
    let (shown, _) = checked(&runner.run(&parts));
    assert!(!shown.contains("a-p4ssword") && !fs::exists(&work).unwrap(), "{shown}");
    // Another account than the expected one ends the job, and its tokens are revoked all the same.
    runner.set("TEST_ACCOUNT_SUB", "somebody else");
    let job = runner.run(&parts);
    assert!(job.status == 1 && !job.log.contains("refused: ") && job.log.contains("+ pkce-logout ci"), "{}", job.log);
    // A provider that is gone is status 3, for which the job is tried again.
    drop(provider);
    let job = runner.run(&parts);
    assert!(job.status == 3 && !fs::exists(&work).unwrap(), "{}", job.log);
}

/// The lines of README.md that install a release in the GitLab job.
fn gitlab_release() -> String {
    let text = fs::read_to_string(ci("README.md")).unwrap();
    let (_, block) = text.split_once("```yaml\n    - |\n      name=").unwrap();
    let lines = block.split("```").next().unwrap().lines();
    format!("name={}", lines.map(|line| format!("{}\n", line.trim_start())).collect::<String>())
}

#[test]
fn installs_only_an_archive_that_has_its_checksum() {
    if lacks(&["sha256sum"]) {
        return;
    }
    let name = format!("pkce-tools-{}-x86_64-linux", env!("CARGO_PKG_VERSION"));
    let directory = new_directory();
    let at = directory.path().display();
    // The release, and a curl that downloads from it: curl … --output FILE URL
    write_program(
        &directory.path().join("curl"),
        "#!/bin/bash\n[[ ${!#} == https://github.com/OWNER/pkce-tools/releases/download/v*/* ]] &&\n\
         cp \"$RELEASE/${!###*/}\" \"${@:$#-1:1}\"\n",
    );
    let release = format!(
        "mkdir -p '{at}/release/{name}/bin' '{at}/good' '{at}/bad'; cd '{at}/release'; echo tool >{name}/bin/pkce-gen
         tar -czf {name}.tar.gz {name}; sha256sum {name}.tar.gz >SHA256SUMS; echo '{:064}  other' >>SHA256SUMS",
        0
    );
    let run = |script: &str, work: &str| {
        let mut bash = command("bash");
        bash.args(["--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script]).current_dir(&directory);
        bash.env("PATH", format!("{at}:{}", std::env::var("PATH").unwrap()));
        finish(bash.env("RELEASE", format!("{at}/release")).env("WORK", format!("{at}/{work}")), b"")
    };
    assert_eq!(run(&release, "good").status, 0);
    let output = run(&gitlab_release(), "good");
    assert_eq!((output.status, output.stdout), (0, format!("{name}.tar.gz: OK\n")), "{}", output.stderr);
    assert_eq!(fs::read_to_string(directory.path().join("good/tools/bin/pkce-gen")).unwrap(), "tool\n");

    fs::write(directory.path().join("release").join(format!("{name}.tar.gz")), "another").unwrap();
    let output = run(&gitlab_release(), "bad");
    assert_eq!((output.status, output.stdout), (1, format!("{name}.tar.gz: FAILED\n")), "{}", output.stderr);
    assert!(!directory.path().join("bad/tools").exists());
}
