//! The user's browser: started with the URL, detached from our standard streams, never waited for.

use std::collections::VecDeque;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::message;
use crate::process::environment;

/// The launchers left to try, and the one that runs.
pub struct Browser {
    remaining: VecDeque<Result<Command, String>>,
    running: Option<(String, Child)>,
    is_named: bool,
    succeeded: bool,
    /// What became of the launchers so far.
    failures: Vec<String>,
    /// The result when no launcher is left.
    failed: Launch,
}

/// The state of the launch.
#[derive(Clone, Copy, PartialEq)]
pub enum Launch {
    /// A launcher runs, or has succeeded.
    Started,
    /// No launcher could be started.
    NotStarted,
    /// Launchers were started, and each of them failed.
    Failed,
}

impl Browser {
    /// Starts the first of `$BROWSER`'s programs that can be started, or the system's launcher if it is not set.
    pub fn open(url: &str) -> (Browser, Launch) {
        let named = environment::variable("BROWSER");
        let remaining = match &named {
            Some(list) => split(list, |c| c == ':').iter().filter_map(|entry| command(entry.trim(), url)).collect(),
            None => open::commands(url).into_iter().map(Ok).collect(),
        };
        let mut browser = Browser {
            remaining,
            running: None,
            is_named: named.is_some(),
            succeeded: false,
            failures: Vec::new(),
            failed: Launch::NotStarted,
        };
        let opened = browser.start_next();
        (browser, opened)
    }

    /// Checks whether the launcher has exited, and starts the next one if it failed.
    pub fn check(&mut self) -> Launch {
        let Some((name, child)) = &mut self.running else { return Launch::Started };
        let Ok(Some(status)) = child.try_wait() else { return Launch::Started };
        if status.success() {
            self.succeeded = true;
            self.running = None;
            return Launch::Started;
        }
        self.failures.push(match status.code() {
            Some(code) => format!("{name} ended with status {code}"),
            None => format!("{name} was ended by a signal"),
        });
        self.running = None;
        self.failed = Launch::Failed;
        self.start_next()
    }

    /// What became of `$BROWSER`'s programs, if they failed; `None` for the system's launchers.
    pub fn failures(&self) -> Option<String> {
        (self.is_named && !self.failures.is_empty()).then(|| self.failures.join("; "))
    }

    /// Whether `$BROWSER` names the programs.
    pub fn is_named(&self) -> bool {
        self.is_named
    }

    /// Whether one of `$BROWSER`'s programs has succeeded.
    pub fn has_succeeded(&self) -> bool {
        self.is_named && self.succeeded
    }

    fn start_next(&mut self) -> Launch {
        while let Some(command) = self.remaining.pop_front() {
            let mut command = match command {
                Ok(command) => command,
                Err(wrong) => {
                    self.failures.push(wrong);
                    continue;
                }
            };
            // A process group of its own: Ctrl-C at the terminal must not end the user's browser.
            let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
            let program = command.get_program().to_string_lossy().into_owned();
            match command.spawn() {
                Ok(child) => {
                    let name = program.rsplit('/').next().unwrap_or_default().to_owned();
                    self.running = Some((name, child));
                    return Launch::Started;
                }
                Err(error) => self.failures.push(format!("{program}: {}", message::reason(&error))),
            }
        }
        self.failed
    }
}

/// The command of a `$BROWSER` entry, without a shell: the path of a program, which may have spaces, or words separated
/// by spaces. The URL replaces `%s` or is appended. A word with `%s` that a shell could take for its code is an error, since
/// a server may have chosen parts of the URL.
fn command(entry: &str, url: &str) -> Option<Result<Command, String>> {
    let path = entry.strip_suffix("%s").map_or(entry, str::trim_end);
    let is_path = path.contains('/') && Path::new(path).is_file();
    let mut words = if is_path { vec![path.to_owned()] } else { words(entry) }.into_iter();
    let program = words.next()?;
    let mut arguments: Vec<String> = words.collect();
    if !arguments.iter().any(|word| word.contains("%s")) {
        arguments.push("%s".to_owned());
    }
    if may_be_code(&program, &arguments) {
        return Some(Err(format!("{program}: %s must be a word of its own, as in: sh -c 'firefox \"$1\"' sh %s")));
    }
    let mut command = Command::new(&program);
    command.args(arguments.iter().map(|word| word.replace("%s", url)));
    Some(Ok(command))
}

/// Whether a shell could take an argument with `%s` for its code: it is the first after a shell's options with `c`, or has
/// more than a name or the start of a URL around `%s`.
fn may_be_code(program: &str, arguments: &[String]) -> bool {
    let is_plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "-_=+.:/?&@".contains(c));
    let (mut in_shell, mut after_c, mut is_operand) = (is_shell(program), false, false);
    let mut before = "";
    for word in arguments {
        // Some take options after their operands (su, script).
        let follows_c = std::mem::replace(&mut before, word) == "-c"
            && (is_shell(program) || arguments.iter().any(|word| is_shell(word)));
        if let Some((start, end)) = word.split_once("%s") {
            if after_c || follows_c || !is_plain(start) || !is_plain(end) || word.starts_with("--command") {
                return true;
            }
        } else if is_shell(word) {
            (in_shell, after_c) = (true, false);
        } else if word == "--command" || (in_shell && !word.starts_with("--") && word.starts_with(['-', '+'])) {
            after_c |= word.starts_with('-') && word.contains('c');
            is_operand = word.ends_with(['o', 'O']);
        } else if !word.starts_with("--") && !std::mem::take(&mut is_operand) {
            (in_shell, after_c) = (false, false);
        }
    }
    false
}

/// Whether the word names a program that takes code after `-c`.
fn is_shell(word: &str) -> bool {
    let name = word.rsplit('/').next().unwrap_or_default();
    SHELLS.contains(&name)
}

/// Programs that take code after `-c`.
const SHELLS: [&str; 16] = [
    "ash", "bash", "busybox", "csh", "dash", "fish", "ksh", "mksh", "python3", "rbash", "runuser", "script", "sh",
    "su", "tcsh", "zsh",
];

/// The words of an entry, without their quotes.
fn words(entry: &str) -> Vec<String> {
    let words = split(entry, char::is_whitespace).into_iter().filter(|word| !word.is_empty());
    words.map(|word| marked(word).filter(|(_, _, mark)| *mark != Mark::Quote).map(|(_, c, _)| c).collect()).collect()
}

/// The parts of the text between separators outside of quotes.
fn split(text: &str, is_separator: impl Fn(char) -> bool) -> Vec<&str> {
    let mut start = 0;
    let mut parts = Vec::new();
    for (place, character, mark) in marked(text) {
        if mark == Mark::Plain && is_separator(character) {
            parts.push(text.get(start..place).unwrap_or_default());
            start = place + character.len_utf8();
        }
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts
}

/// What a character is to a shell's quotes.
#[derive(Clone, Copy, PartialEq)]
enum Mark {
    Plain,
    Quoted,
    Quote,
}

/// The characters with their places. A quote begins a word, or the value of an option; another one, or one without a
/// second, is plain.
fn marked(text: &str) -> impl Iterator<Item = (usize, char, Mark)> {
    let (mut open, mut begins) = (None, true);
    text.char_indices().map(move |(place, character)| {
        let may_open = std::mem::replace(&mut begins, character.is_whitespace() || ":=".contains(character));
        let mark = match open {
            Some(quote) if quote == character => {
                open = None;
                Mark::Quote
            }
            Some(_) => Mark::Quoted,
            None if may_open
                && "\"'".contains(character)
                && text.get(place + 1..).is_some_and(|rest| rest.contains(character)) =>
            {
                open = Some(character);
                Mark::Quote
            }
            None => Mark::Plain,
        };
        (place, character, mark)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_no_url_to_a_shell_as_code() {
        for (entry, is_run) in [
            ("firefox", true),
            ("firefox --private-window %s", true),
            ("firefox -P abc -inc %s", true),
            ("firefox 'ext+container:name=Work&url=%s'", true),
            ("chromium --app=%s", true),
            ("open -a \"Google Chrome\" %s", true),
            ("cmd.exe /c start %s", true),
            ("env X=1 firefox %s", true),
            ("sh -c 'x \"$1\"' sh %s", true),
            ("sh -c 'x \"$1\"' sh", true),
            ("bash -o errexit -c 'x \"$1\"' sh %s", true),
            ("xterm -e 'lynx %s'", false),
            ("sh -c 'x %s'", false),
            ("sh -c %s", false),
            ("sh -c", false),
            ("sh -c u=%s", false),
            ("sh -c -- %s", false),
            ("sh -ce %s", false),
            ("/bin/bash -cl", false),
            ("bash -c -e %s", false),
            ("bash -c +x %s", false),
            ("bash -c -o errexit %s", false),
            ("sh -xuec %s", false),
            ("env sh -ce %s", false),
            ("timeout 5 sh -ce %s", false),
            ("busybox sh -c %s", false),
            ("script --command=%s /dev/null", false),
            ("script --command %s", false),
            ("su me -c %s", false),
            ("script /dev/null -c %s", false),
        ] {
            let command = command(entry, "https://a.example").unwrap();
            assert_eq!(command.is_ok(), is_run, "{entry}");
        }
    }

    #[test]
    fn splits_at_colons_and_spaces_outside_of_quotes() {
        let entries = |list: &str| -> Vec<Vec<String>> { split(list, |c| c == ':').into_iter().map(words).collect() };
        for (list, expected) in [
            ("firefox", vec![vec!["firefox"]]),
            ("a  b %s:c", vec![vec!["a", "b", "%s"], vec!["c"]]),
            ("'/a b/c' --x=\"d e\":f", vec![vec!["/a b/c", "--x=d e"], vec!["f"]]),
            ("a 'b:c' \"it's\" ''", vec![vec!["a", "b:c", "it's", ""]]),
            ("/o'brien/a b", vec![vec!["/o'brien/a", "b"]]),
            ("/o'brien/a:/o'reilly/b", vec![vec!["/o'brien/a"], vec!["/o'reilly/b"]]),
        ] {
            assert_eq!(entries(list), expected, "{list}");
        }
    }
}
