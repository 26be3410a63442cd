//! The completions: what each shell's function offers is what the tool's own `--help` lists.
#![cfg(test)]

mod common;
#[path = "common/terminal.rs"]
mod terminal;

use std::path::Path;
use std::process::Command;

use common::{command, finish, has, lacks, new_directory, root, run, tools, write_program};
use terminal::Terminal;

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
        # Bash splits a word at = and @, and replaces it from there on: after =, but with @.
        if [[ $last == *[=@]* ]]; then
            before=${last%%[=@]*} at=${last:${#before}:1}
            COMP_WORDS=("${@:1:$#-1}" "$before" "$at" ${last#*[=@]})
            [[ $at == = ]] && before+=$at
        fi
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) otherwise=files
        # Outside a completion, bash's own fails.
        compopt() { [[ $1$2 == +odefault ]] && otherwise=; }
        _pkce_tools "$1" "${last#"$before"}" "${COMP_WORDS[COMP_CWORD - 1]}"
        COMPREPLY=("${COMPREPLY[@]/#/$before}")
        [[ -z ${COMPREPLY[*]}$otherwise ]] || printf '%s\n' "${COMPREPLY[@]:-$otherwise}"
    "#;
    offered(command("bash").args(["--norc", "-c", script, "bash"]).args(words).env("PKCE_HOME", home))
}

/// Calls zsh's function with the words in its variables; compadd and _files, which only work at a prompt, print.
fn in_zsh(home: &str, words: &[&str]) -> Vec<String> {
    let script = r#"
        fpath=($PWD/completions) && autoload -U _pkce-tools
        _files() { print files }
        setopt extended_glob
        words=("$@") service=$1 CURRENT=$# PREFIX=$@[-1] IPREFIX=
        compadd() { local -a all=("${(@P)@[-1]}"); print -l -- $IPREFIX${^${(M)all:#$PREFIX*}} }
        _pkce-tools || true
    "#;
    offered(command("zsh").args(["-f", "-c", script, "zsh"]).args(words).env("PKCE_HOME", home))
}

/// Has fish complete the line; where it offers what it offers after any other program, these are files.
fn in_fish(home: &str, words: &[&str]) -> Vec<String> {
    let script = "
        source completions/pkce-tools.fish
        set -l offered (complete -C \"$argv\" | string replace -r '\t.*' '')
        set -l files (complete -C \"no-such-program $argv[-1]\" | string replace -r '\t.*' '')
        if test \"$offered\" = \"$files\"
            echo files
        else
            string join \\n -- $offered
        end
        true";
    offered(command("fish").args(["--no-config", "-c", script]).args(words).env("PKCE_HOME", home))
}

fn offered(shell: &mut Command) -> Vec<String> {
    let output = finish(shell.current_dir(root()), b"");
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
    output.stdout.lines().map(str::to_owned).collect()
}

/// Stores a login under this name in a store in the directory; returns the store's path.
fn store(directory: &Path, name: &str) -> String {
    let home = directory.join("store").display().to_string();
    let mut store = command("pkce-store");
    let document = b"{\"token_endpoint\":\"https://id.example/token\"}";
    assert_eq!(finish(store.arg(name).env("PKCE_HOME", &home), document).status, 0);
    home
}

/// The PATH of the tests with this directory at its end.
fn path_with(directory: &Path) -> String {
    format!("{}:{}", common::path(), directory.display())
}

/// The shells of this machine that there is a file for.
fn shells() -> Vec<(&'static str, Complete)> {
    let all: [(&str, Complete); 3] = [("bash", in_bash), ("zsh", in_zsh), ("fish", in_fish)];
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
    let names = ["alice+ci@id.example", "alice+ci@other.example", "home", "work", "work.test"];
    let [home, ..] = names.map(|name| store(directory.path(), name));
    // The tools whose usage has a NAME, whatever their number.
    let usage = |tool: &String| {
        run(tool, &["--help"], "").stdout.lines().find(|line| line.starts_with("Usage:")).unwrap().to_owned()
    };
    let named: Vec<String> = tools().into_iter().filter(|tool| usage(tool).contains("NAME")).collect();
    assert!(
        ["pkce-load", "pkce-revoke", "pkce-store", "pkce-token"].iter().all(|tool| named.contains(&(*tool).to_owned()))
    );
    for (shell, complete) in shells() {
        for tool in &named {
            assert_eq!(complete(&home, &[tool, "w"]), ["work", "work.test"], "{shell}");
            let all = ["alice+ci@id.example", "alice+ci@other.example"];
            assert_eq!(complete(&home, &[tool, "al"]), all, "{shell}");
            assert_eq!(complete(&home, &[tool, "alice+ci@"]), all, "{shell}");
            assert_eq!(complete(&home, &[tool, "alice+ci@o"]), all[1..], "{shell}");
            assert_eq!(complete(&home, &[tool, "work", "--", "w"]), ["files"], "{shell}");
        }
        for tool in named.iter().filter(|tool| *tool != "pkce-logout") {
            assert_eq!(complete(&home, &[tool, "--timeout", "w"]), ["files"], "{shell}");
        }
        let without_raw = ["pkce-store", "pkce-login", "pkce-logout"];
        for tool in named.iter().filter(|tool| !without_raw.contains(&tool.as_str())) {
            assert_eq!(complete(&home, &[tool, "-r", "w"]), ["files"], "{shell} {tool}");
        }
    }
}

#[test]
fn offers_nothing_after_the_equals_sign_of_an_option_without_a_value() {
    let directory = new_directory();
    let home = store(directory.path(), "Car");
    for (shell, complete) in shells() {
        for (tool, begun) in
            [("pkce-store", "--remove=Car"), ("pkce-token", "--refresh=Car"), ("pkce-callback", "--no-browser=Car")]
        {
            assert_eq!(complete(&home, &[tool, begun]), [""; 0], "{shell} {tool} {begun}");
        }
        assert_eq!(complete(&home, &["pkce-store", "--timeout=Car"]), ["files"], "{shell}");
        assert_eq!(complete(&home, &["pkce-store", "--remove", "Car"]), ["Car"], "{shell}");
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

/// The options of a tool that take a value, each with the values that --help lists, if it does.
fn options_with_a_value(tool: &str) -> Vec<(String, Vec<String>)> {
    let help = run(tool, &["--help"], "").stdout;
    let (_, options) = help.split_once("Options:").unwrap();
    let words = options.split_whitespace().collect::<Vec<_>>().join(" ");
    let options = words.split(" --").filter_map(|option| option.split_once(" <"));
    let values = |about: &str| Some(about.split_once(" values: ")?.1.split_once(']')?.0.to_owned());
    let listed = |about| values(about).map(|values| values.split(", ").map(str::to_owned).collect());
    options
        .map(|(name, about)| (format!("--{}", name.trim_start_matches('-')), listed(about).unwrap_or_default()))
        .collect()
}

#[test]
fn offers_the_values_of_each_option_that_lists_them() {
    let known = [
        ("pkce-url", "--prompt", "none login consent select_account create"),
        ("pkce-token", "--auth-method", "none client_secret_basic client_secret_post"),
        ("pkce-token", "--as", "git kubernetes docker cargo bazel terraform gcp headers netrc curl bearer"),
    ];
    for (tool, option, expected) in known {
        let options = options_with_a_value(tool);
        let values = options.iter().find(|(name, _)| name == option).map(|(_, values)| values.join(" "));
        assert_eq!(values.as_deref(), Some(expected), "{tool} {option}");
    }
    for tool in tools() {
        for (option, values) in options_with_a_value(&tool) {
            let Some(first) = values.first() else { continue };
            let (joined, begun) = (format!("{option}="), format!("{option}={first}"));
            let all: Vec<String> = values.iter().map(|value| format!("{joined}{value}")).collect();
            for (shell, complete) in shells() {
                assert_eq!(complete(NOWHERE, &[&tool, &option, ""]), values, "{shell} {tool} {option}");
                assert_eq!(complete(NOWHERE, &[&tool, &joined]), all, "{shell} {tool} {option}");
                assert_eq!(complete(NOWHERE, &[&tool, &begun]), [begun.as_str()], "{shell} {tool} {option}");
            }
        }
    }
}

#[test]
fn offers_files_where_no_option_is_begun() {
    for (shell, complete) in shells() {
        assert_eq!(complete(NOWHERE, &["pkce-gen", "Car"]), ["files"], "{shell}");
        assert_eq!(complete(NOWHERE, &["pkce-callback", "--response-file", ""]), ["files"], "{shell}");
        assert_eq!(complete(NOWHERE, &["pkce-callback", "--response-file=Car"]), ["files"], "{shell}");
        assert_eq!(complete(NOWHERE, &["pkce-idp", "--", "sh", "-"]), ["files"], "{shell}");
    }
}

#[test]
fn is_registered_for_our_tools_alone() {
    let directory = new_directory();
    write_program(&directory.path().join("pkce-cleanup"), "#!/bin/sh\n");
    // What each shell calls our function for, whether it is the name of a program or a pattern.
    let bash = r#"
        pkce-clean() { :; }
        source completions/pkce-tools.bash
        complete -p | sed -n 's/.* -F _pkce_tools //p'
    "#;
    let zsh = r#"
        fpath=($PWD/completions $fpath)
        pkce-clean() { :; }
        autoload -U compinit && compinit -u -D
        for table in _comps _patcomps _postpatcomps; do print -l -- ${(Pkv)table}; done |
            awk 'NR % 2 { name = $0; next } $0 == "_pkce-tools" { print name }'
    "#;
    let fish = r"
        function pkce-clean; end
        source completions/pkce-tools.fish
        complete | string match '*__pkce_tools_offered*' | string replace -r '.*?(pkce-\S+).*' '$1'
    ";
    for (shell, args, script) in
        [("bash", ["--norc", "-c"], bash), ("zsh", ["-f", "-c"], zsh), ("fish", ["--no-config", "-c"], fish)]
    {
        if lacks(&[shell]) {
            continue;
        }
        let mut names = offered(command(shell).args(args).arg(script).env("PATH", path_with(directory.path())));
        names.sort();
        assert_eq!(names, tools(), "{shell}");
    }
}

/// A shell, the arguments that start it at a prompt without settings of the user's, and the command that loads its file.
type Prompt = (&'static str, [&'static str; 2], String);

/// The shells of this machine at a prompt.
fn prompts() -> Vec<Prompt> {
    let completions = root().join("completions");
    let completions = completions.display();
    let zsh = format!("fpath=({completions} $fpath); autoload -U compinit; compinit -u -D");
    let all = [
        ("bash", ["--norc", "-i"], format!("source {completions}/pkce-tools.bash")),
        ("zsh", ["-f", "-i"], zsh),
        ("fish", ["--no-config", "-i"], format!("source {completions}/pkce-tools.fish")),
    ];
    all.into_iter().filter(|(shell, ..)| !lacks(&[shell])).collect()
}

/// Types each line and Tab at a prompt of the shell in this directory; the line must then have these words.
fn assert_completes(prompt: &Prompt, directory: &Path, home: &str, lines: &[(&str, &str)]) {
    let (shell, args, load) = prompt;
    let path = path_with(&directory.join("programs"));
    let prepare = |command: pty_process::blocking::Command| command.args(args).env("PKCE_HOME", home).env("PATH", path);
    let mut terminal = Terminal::start(shell, directory, prepare);
    terminal.until_taken_over();
    terminal.write(&format!("{load}; printf '<%s>' loaded\r"));
    terminal.until("<loaded>");
    for (typed, completed) in lines {
        terminal.until_taken_over();
        // Tab, back to the start of the line, and what prints its words.
        terminal.write(&format!("{typed}\t\u{1}printf '<%s>' \r"));
        let tool = typed.split(' ').next().unwrap();
        terminal.until(&format!("<{tool}>{completed}"));
    }
    terminal.until_taken_over();
    terminal.write("exit\r");
    assert_eq!(terminal.end().0, Some(0), "{shell}");
}

#[test]
fn completes_at_a_prompt_of_the_shell() {
    let directory = new_directory();
    let home = store(directory.path(), "alice@id.example");
    std::fs::write(directory.path().join("redirect.txt"), "").unwrap();
    for prompt in prompts() {
        let lines = [
            ("pkce-url --pr", "<--prompt>"),
            ("pkce-url --prompt sel", "<--prompt><select_account>"),
            ("pkce-url --prompt=sel", "<--prompt=select_account>"),
            ("pkce-token --auth-method=client_secret_b", "<--auth-method=client_secret_basic>"),
            ("pkce-token al", "<alice@id.example>"),
            ("pkce-token alice@i", "<alice@id.example>"),
            ("pkce-token -r al", "<-r><al>"),
            ("pkce-store --remove=al", "<--remove=al>"),
            ("pkce-idp --fault=token-500@2 --fault no-revo", "<--fault=token-500@2><--fault><no-revocation>"),
            ("pkce-callback --response-file=red", "<--response-file=redirect.txt>"),
            ("pkce-callback --no-browser=red", "<--no-browser=red>"),
        ];
        assert_completes(&prompt, directory.path(), &home, &lines);
    }
}

#[test]
fn runs_no_other_program_and_no_function_of_the_users() {
    let directory = new_directory();
    let home = store(directory.path(), "work");
    let ran = directory.path().join("ran");
    std::fs::create_dir(directory.path().join("programs")).unwrap();
    for program in ["pkce-login.sh", "pkce-show", "programs/pkce-cleanup"] {
        let text = format!("#!/bin/sh\necho \"$0 $*\" >>{}\n", ran.display());
        write_program(&directory.path().join(program), &text);
    }
    for (shell, args, load) in prompts() {
        let functions = ["pkce-clean", "pkce-show", "pkce-idp", "pkce-load", "awk", "cut"].map(|name| {
            let body = format!("echo {name} >>{}", ran.display());
            if shell == "fish" {
                format!("function {name}; {body}; end\n")
            } else {
                format!("{name}() {{ {body}; }}\n")
            }
        });
        let alias = format!("alias pkce-url='echo alias >>{}'\n", ran.display());
        std::fs::write(directory.path().join("own"), functions.concat() + &alias).unwrap();
        let lines = [
            ("./pkce-login.sh wo", "<wo>"),
            ("pkce-cleanup wo", "<wo>"),
            ("pkce-clean wo", "<wo>"),
            ("pkce-url wo", "<wo>"),
            ("./pkce-show --al", "<--all>"),
            ("./pkce-show wo", "<work>"),
            ("pkce-show --js", "<--json>"),
            ("pkce-token wo", "<work>"),
            ("pkce-idp --fault no-revo", "<--fault><no-revocation>"),
        ];
        let prompt = (shell, args, format!("source ./own; {load}"));
        assert_completes(&prompt, directory.path(), &home, &lines);
        assert_eq!(std::fs::read_to_string(&ran).unwrap_or_default(), "", "{shell}");
    }
}
