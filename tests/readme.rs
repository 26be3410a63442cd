//! The README as a newcomer follows it: each block pasted at a terminal into each shell, and each link followed.
#![cfg(test)]

mod common;
#[path = "common/provider.rs"]
mod provider;
#[path = "common/terminal.rs"]
mod terminal;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use common::{browser, command, finish, lacks, new_directory, path, root, tools};
use provider::Provider;
use terminal::Terminal;

/// The logins that the blocks and SCRIPT leave.
const STORED: &str = "ci\nmcp\nremote\nwork\n";

/// The script of the reader's CI job, which tries a refresh once more.
const SCRIPT: &str = "pkce-login ci --issuer \"$PKCE_ISSUER\" --client-id pkce-tools || exit
pkce-token ci --refresh >/dev/null
[ $? -eq 3 ] && pkce-token ci --refresh >/dev/null
";

#[test]
fn pastes_into_bash_as_it_stands() {
    pastes_into("bash", ".bashrc", "PS1='[ready] ' PROMPT_COMMAND='echo \"[status $?]\"'");
}

#[test]
fn pastes_into_dash_as_it_stands() {
    pastes_into("dash", ".shrc", "PS1='[status $?] [ready] '");
}

#[test]
fn pastes_into_zsh_as_it_stands() {
    pastes_into("zsh", ".zshrc", "PS1='[ready] '; precmd() { echo \"[status $?]\" }");
}

#[test]
fn pastes_into_fish_as_it_stands() {
    let settings = "function fish_prompt; echo '[ready] '; end
        function after --on-event fish_postexec; echo \"[status $status]\"; end";
    pastes_into("fish", ".config/fish/config.fish", settings);
}

/// Pastes one block after the other into a shell, whose settings in this file show the status of each command, and then a
/// prompt. The reader's server and API are pkce-idp here; make is left out.
///
/// The paste comes as if it were typed, without the marks by which some shells know one: if a block had another command
/// after the one that signs in, pkce-callback would take it for the address that it waits for.
fn pastes_into(shell: &str, file: &str, settings: &str) {
    if lacks(&[shell, "curl", "git", "jq"]) {
        return;
    }
    let (home, provider) = (new_directory(), Provider::start(&[]));
    let file = home.path().join(file);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, settings).unwrap();
    fs::write(home.path().join("deploy.sh"), SCRIPT).unwrap();
    symlink(root().join("examples"), home.path().join("examples")).unwrap();
    let mut terminal = Terminal::start(shell, home.path(), |command| {
        let command = command.arg("-i").env("HOME", home.path()).env("ENV", &file).env("PATH", path());
        command.env("BROWSER", browser()).env("PKCE_GRACE", "0")
    });
    terminal.until("[ready] ");
    for block in blocks().iter().filter(|block| !block.starts_with("make ")) {
        let start = terminal.printed().len();
        terminal.write(&at_this_machine(block, &provider.issuer));
        let end = terminal.until_after(start, "[status ");
        terminal.until_after(end, "[ready] ");
        let printed = terminal.printed();
        assert!(printed.split_at(end).1.starts_with("[status 0]"), "{shell}: {block}\n{}", printed.split_at(start).1);
    }
    terminal.write("exit\n");
    assert_eq!(terminal.end().0, Some(0), "{shell}");
    let stored = finish(command("pkce-load").env("HOME", home.path()), b"");
    assert_eq!((stored.status, stored.stdout.as_str()), (0, STORED), "{shell}");
    let private = files_with_tokens(home.path());
    assert_eq!(private.len(), STORED.lines().count(), "{private:?}");
    for (file, mode) in private {
        assert_eq!(mode & 0o777, 0o600, "{shell}: {file}");
    }
}

/// A block with the servers of this machine instead of the reader's.
fn at_this_machine(block: &str, issuer: &str) -> String {
    let block =
        block.replace("--client-id cli", "--client-id pkce-tools").replace("CLIENT_ID=cli", "CLIENT_ID=pkce-tools");
    let block = block.replace("https://id.example.com", issuer).replace("https://mcp.example.com", issuer);
    let api = block.split_whitespace().find(|word| word.starts_with("https://api.example.com/"));
    api.map_or(block.clone(), |api| block.replace(api, &format!("{issuer}/userinfo")))
}

/// The files below a directory that have tokens in them, and their modes.
fn files_with_tokens(directory: &Path) -> Vec<(String, u32)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(files_with_tokens(&entry.path()));
        } else if kind.is_file() && fs::read_to_string(entry.path()).unwrap().contains("\"access_token\"") {
            found.push((entry.path().display().to_string(), entry.metadata().unwrap().permissions().mode()));
        }
    }
    found
}

#[test]
fn names_the_server_and_the_client_wherever_a_login_starts() {
    let blocks = blocks();
    let starts = |block: &&String| ["pkce-login ", "pkce-gen "].iter().any(|step| block.contains(step));
    let logins: Vec<_> = blocks.iter().filter(starts).collect();
    assert!(logins.len() >= 4, "{logins:?}");
    for login in logins {
        let server = ["--issuer ", "--resource ", "pkce-discover https"].iter().any(|option| login.contains(option));
        let client = ["--client-id ", "--register"].iter().any(|option| login.contains(option));
        assert!(server && client, "{login}");
    }
}

#[test]
fn takes_ten_minutes_to_read() {
    let words = readme().split_whitespace().count();
    assert!(words < 1500, "{words} words");
}

#[test]
fn leads_only_to_what_is_there() {
    let readme = readme();
    let targets: Vec<&str> = ["](", "src=\"", "srcset=\""]
        .iter()
        .flat_map(|start| readme.split(start).skip(1))
        .map(|rest| rest.split([')', '"']).next().unwrap())
        .filter(|target| !target.starts_with("https://"))
        .collect();
    assert!(targets.len() > 10, "{targets:?}");
    for target in targets {
        let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
        let file = root().join(if file.is_empty() { "README.md" } else { file });
        assert!(file.exists(), "{target}");
        if !anchor.is_empty() {
            let page = fs::read_to_string(&file).unwrap();
            let headings = page.lines().filter(|line| line.starts_with('#')).map(slug);
            assert!(headings.into_iter().any(|heading| heading == anchor), "{target}");
        }
    }
    let words = readme.split(|letter: char| letter.is_whitespace() || ".,;:".contains(letter));
    let pages: Vec<&str> = words.filter(|word| word.ends_with("(1)") || word.ends_with("(7)")).collect();
    assert!(pages.len() >= 3, "{pages:?}");
    for page in pages {
        let file = page.replace('(', ".").replace(')', "");
        assert!(root().join("man").join(file).is_file(), "{page}");
    }
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let targets: Vec<_> =
        readme.split("make ").skip(1).map(|rest| rest.split([' ', '`', '\n']).next().unwrap()).collect();
    assert!(targets.len() >= 4, "{targets:?}");
    for target in targets {
        assert!(makefile.contains(&format!("\n{target}:")), "make {target}");
    }
}

/// The anchor of a heading, as GitHub makes it.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars()
        .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter))
        .collect::<String>()
        .replace(' ', "-")
}

#[test]
fn draws_the_steps_with_the_members_that_the_manual_lists() {
    let picture = fs::read_to_string(root().join("docs/pipeline.svg")).unwrap();
    let manual = fs::read_to_string(root().join("man/pkce-tools.7")).unwrap();
    let steps: Vec<&str> = picture.split("class=\"name\"").skip(1).collect();
    assert_eq!(steps.len(), 8);
    for step in steps {
        let tool = text(step);
        assert!(tools().contains(&tool.to_owned()), "{tool}");
        let Some((_, members)) = step.split_once("class=\"members\"") else { continue };
        let (_, listed) = manual.split_once(&format!("\n.It {tool}\n")).unwrap();
        let listed: Vec<&str> = listed.split("\n.It ").next().unwrap().split_whitespace().collect();
        for member in text(members).trim_start_matches("+ ").trim_end_matches(", …").split(", ") {
            assert!(listed.contains(&member), "{tool}: {member}");
        }
    }
}

/// The text of the element whose attributes this begins with.
fn text(element: &str) -> &str {
    element.split(['>', '<']).nth(1).unwrap()
}

/// What is to be pasted.
fn blocks() -> Vec<String> {
    let readme = readme();
    let blocks: Vec<_> = readme.split("```").skip(1).step_by(2).collect();
    let blocks = blocks.iter().map(|block| block.strip_prefix("sh\n").unwrap_or_else(|| panic!("no shell: {block}")));
    blocks.map(str::to_owned).collect()
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}
