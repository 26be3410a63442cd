//! The user's browser: started with the URL, detached from our standard streams, never waited for.

use std::collections::VecDeque;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::message;
use crate::process::environment;

/// The launchers left to try, and the one that runs.
pub struct Browser {
    remaining: VecDeque<Command>,
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
            None => open::commands(url).into(),
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

    /// Whether one of `$BROWSER`'s programs has succeeded.
    pub fn has_succeeded(&self) -> bool {
        self.is_named && self.succeeded
    }

    fn start_next(&mut self) -> Launch {
        while let Some(mut command) = self.remaining.pop_front() {
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
/// by spaces. The URL replaces `%s` or is appended.
fn command(entry: &str, url: &str) -> Option<Command> {
    let is_path = entry.contains('/') && Path::new(entry).is_file();
    let mut words = if is_path { vec![entry.to_owned()] } else { words(entry) }.into_iter();
    let mut command = Command::new(words.next()?);
    let mut named = false;
    for word in words {
        named |= word.contains("%s");
        command.arg(word.replace("%s", url));
    }
    if !named {
        command.arg(url);
    }
    Some(command)
}

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

/// The characters with their places; a quote without a second one is plain.
fn marked(text: &str) -> impl Iterator<Item = (usize, char, Mark)> {
    let mut open = None;
    text.char_indices().map(move |(place, character)| {
        let mark = match open {
            Some(quote) if quote == character => {
                open = None;
                Mark::Quote
            }
            Some(_) => Mark::Quoted,
            None if "\"'".contains(character) && text.get(place + 1..).is_some_and(|rest| rest.contains(character)) => {
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
    fn splits_at_colons_and_spaces_outside_of_quotes() {
        let entries = |list: &str| -> Vec<Vec<String>> { split(list, |c| c == ':').into_iter().map(words).collect() };
        for (list, expected) in [
            ("firefox", vec![vec!["firefox"]]),
            ("a  b %s:c", vec![vec!["a", "b", "%s"], vec!["c"]]),
            ("'/a b/c' --x=\"d e\":f", vec![vec!["/a b/c", "--x=d e"], vec!["f"]]),
            ("a 'b:c' \"it's\" ''", vec![vec!["a", "b:c", "it's", ""]]),
            ("/o'brien/a b", vec![vec!["/o'brien/a", "b"]]),
        ] {
            assert_eq!(entries(list), expected, "{list}");
        }
    }
}
