//! The completions: what each shell's function offers is what the tool's own `--help` lists.
#![cfg(test)]

mod common;

use std::process::Command;

use common::{command, finish, has, new_directory, root, run, tools};

/// A store that does not exist.
const NOWHERE: &str = "/dev/null/store";

/// What is offered for these words, of which the last is still being typed, with this store; `files` where a file's name
/// is.
type Complete = fn(&str, &[&str]) -> Vec<String>;

/// Calls bash's function as bash does, with the words in its variables.
fn in_bash(home: &str, words: &[&str]) -> Vec<String> {
    let script = r#"
        source completions/pkce-tools.bash
        complete -p "$1" | grep -q -e '-o default -F _pkce_tools' || exit 9
        COMP_LINE=$* COMP_POINT=${#COMP_LINE} last=${@: -1} before=
        COMP_WORDS=("$@")
        # Bash splits a word at @, and replaces it from there on.
        if [[ $last == *@* ]]; then
            before=${last%%@*}
            COMP_WORDS=("${@:1:$#-1}" "$before" @ ${last#*@})
        fi
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _pkce_tools "$1" "${last#"$before"}" "${COMP_WORDS[COMP_CWORD - 1]}"
        COMPREPLY=("${COMPREPLY[@]/#/$before}")
        printf '%s\n' "${COMPREPLY[@]:-files}"
    "#;
    offered(command("bash").args(["--norc", "-c", script, "bash"]).args(words).env("PKCE_HOME", home))
}

/// Calls zsh's function with the words in its variables; compadd and _files, which only work at a prompt, print.
fn in_zsh(home: &str, words: &[&str]) -> Vec<String> {
    let script = r#"
        fpath=($PWD/completions) && autoload -U _pkce-tools
        compadd() { local -a all=("${(@P)@[-1]}"); print -l -- ${(M)all:#$PREFIX*} }
        _files() { print files }
        words=("$@") CURRENT=$# PREFIX=$@[-1]
        _pkce-tools
    "#;
    offered(command("zsh").args(["-f", "-c", script, "zsh"]).args(words).env("PKCE_HOME", home))
}

fn offered(shell: &mut Command) -> Vec<String> {
    let output = finish(shell.current_dir(root()), b"");
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
    output.stdout.lines().map(str::to_owned).collect()
}

/// The shells of this machine that there is a file for.
fn shells() -> Vec<(&'static str, Complete)> {
    let all: [(&str, Complete); 2] = [("bash", in_bash), ("zsh", in_zsh)];
    let (there, missing): (Vec<_>, Vec<_>) = all.into_iter().partition(|(shell, _)| has(shell));
    for (shell, _) in missing {
        println!("{shell} is not installed: its completion is not tested");
    }
    there
}

#[test]
fn offers_the_options_that_begin_as_typed() {
    for (shell, complete) in shells() {
        assert_eq!(complete(NOWHERE, &["pkce-url", "--re"]), ["--redirect-uri", "--resource"], "{shell}");
        assert_eq!(complete(NOWHERE, &["pkce-callback", "--timeout", "5", "--no"]), ["--no-browser"], "{shell}");
    }
}

#[test]
fn offers_every_option_of_every_tool() {
    for (shell, complete) in shells() {
        for tool in tools() {
            let offered = complete(NOWHERE, &[&tool, "-"]);
            for option in ["-h", "--help", "-V", "--version"] {
                assert!(offered.iter().any(|other| other == option), "{shell} {tool}: {option}");
            }
            let help = run(&tool, &["--help"], "").stdout;
            let long = |word: &&str| word.starts_with("--") && word.len() > 2;
            let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
            let listed: Vec<&str> = lines.filter_map(|line| line.split_whitespace().find(long)).collect();
            let offered: Vec<&String> = offered.iter().filter(|option| option.starts_with("--")).collect();
            assert_eq!(offered, listed, "{shell} {tool}");
        }
    }
}

#[test]
fn offers_the_names_of_stored_logins() {
    let directory = new_directory();
    let home = directory.path().join("store").display().to_string();
    for name in ["alice+ci@id.example", "alice+ci@other.example", "home", "work", "work.test"] {
        let mut store = command("pkce-store");
        let document = b"{\"token_endpoint\":\"https://id.example/token\"}";
        assert_eq!(finish(store.arg(name).env("PKCE_HOME", &home), document).status, 0);
    }
    for (shell, complete) in shells() {
        for tool in ["pkce-load", "pkce-revoke", "pkce-store", "pkce-token"] {
            assert_eq!(complete(&home, &[tool, "w"]), ["work", "work.test"], "{shell}");
            let all = ["alice+ci@id.example", "alice+ci@other.example"];
            assert_eq!(complete(&home, &[tool, "al"]), all, "{shell}");
            assert_eq!(complete(&home, &[tool, "alice+ci@"]), all, "{shell}");
            assert_eq!(complete(&home, &[tool, "alice+ci@o"]), all[1..], "{shell}");
            assert!(!complete(&home, &[tool, "work", "--", "w"]).contains(&"work".to_owned()), "{shell}");
        }
    }
}

#[test]
fn offers_the_kinds_of_fault() {
    for (shell, complete) in shells() {
        assert_eq!(complete(NOWHERE, &["pkce-idp", "--fault", "no-re"]), ["no-refresh", "no-revocation"], "{shell}");
        assert_eq!(
            complete(NOWHERE, &["pkce-idp", "--auto-approve", "--fault", "token-50"]),
            ["token-500", "token-503"],
            "{shell}"
        );
    }
}

#[test]
fn offers_files_where_no_option_is_begun() {
    for (shell, complete) in shells() {
        assert_eq!(complete(NOWHERE, &["pkce-gen", "id"]), ["files"], "{shell}");
        assert_eq!(complete(NOWHERE, &["pkce-callback", "--response-file", ""]), ["files"], "{shell}");
        assert_eq!(complete(NOWHERE, &["pkce-idp", "--", "sh", "-"]), ["files"], "{shell}");
    }
}

#[test]
fn is_known_to_zsh_for_every_tool() {
    if shells().iter().all(|(shell, _)| *shell != "zsh") {
        return;
    }
    let script = r#"
        fpath=($PWD/completions $fpath)
        autoload -U compinit && compinit -u -D
        for tool; do print -- $_postpatcomps[(k)$tool]; done
    "#;
    let tools = tools();
    let known = offered(command("zsh").args(["-f", "-c", script, "zsh"]).args(&tools));
    assert_eq!(known, vec!["_pkce-tools"; tools.len()]);
}
