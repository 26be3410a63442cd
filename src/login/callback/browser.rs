//! The user's browser: started with the URL, detached from our standard streams, never waited for.

use std::collections::VecDeque;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use crate::process::environment;

/// The launchers left to try, and the one that runs.
pub struct Browser {
    remaining: VecDeque<Command>,
    running: Option<Child>,
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
        let remaining = match environment::variable("BROWSER") {
            Some(list) => list.split(':').filter_map(|entry| command(entry, url)).collect(),
            None => open::commands(url).into(),
        };
        let mut browser = Browser { remaining, running: None, failed: Launch::NotStarted };
        let opened = browser.start_next();
        (browser, opened)
    }

    /// Checks whether the launcher has exited, and starts the next one if it failed.
    pub fn check(&mut self) -> Launch {
        match self.running.as_mut().map(Child::try_wait) {
            Some(Ok(Some(status))) => {
                self.running = None;
                if status.success() {
                    return Launch::Started;
                }
                self.failed = Launch::Failed;
                self.start_next()
            }
            _ => Launch::Started,
        }
    }

    fn start_next(&mut self) -> Launch {
        while let Some(mut command) = self.remaining.pop_front() {
            // A process group of its own: Ctrl-C at the terminal must not end the user's browser.
            let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
            if let Ok(child) = command.spawn() {
                self.running = Some(child);
                return Launch::Started;
            }
        }
        self.failed
    }
}

/// The command of a `$BROWSER` entry: words separated by spaces, no shell; the URL replaces `%s` or is appended.
fn command(entry: &str, url: &str) -> Option<Command> {
    let mut words = entry.split_whitespace();
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
