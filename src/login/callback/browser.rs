//! The person's browser: started, never waited for, with nothing of ours but the URL.

use std::collections::VecDeque;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use crate::process::environment;

/// The ways to open a browser that are left, and the one that runs.
pub struct Browser {
    left: VecDeque<Command>,
    running: Option<Child>,
    /// What it comes to where no way is left.
    failed: Opened,
}

/// How far the opening is.
#[derive(Clone, Copy, PartialEq)]
pub enum Opened {
    /// A launcher runs, or has ended well.
    Well,
    /// None could be started.
    Failed,
    /// Some could be started, and each of them ended in failure.
    Ended,
}

impl Browser {
    /// Starts the first of `$BROWSER`'s programs that can be started, else the system's own.
    pub fn open(url: &str) -> (Browser, Opened) {
        let left = match environment::variable("BROWSER") {
            Some(list) => list.split(':').filter_map(|entry| command(entry, url)).collect(),
            None => open::commands(url).into(),
        };
        let mut browser = Browser { left, running: None, failed: Opened::Failed };
        let opened = browser.start_next();
        (browser, opened)
    }

    /// Looks whether the launcher ended, and in failure starts the next.
    pub fn check(&mut self) -> Opened {
        match self.running.as_mut().map(Child::try_wait) {
            Some(Ok(Some(status))) => {
                self.running = None;
                if status.success() {
                    return Opened::Well;
                }
                self.failed = Opened::Ended;
                self.start_next()
            }
            _ => Opened::Well,
        }
    }

    fn start_next(&mut self) -> Opened {
        while let Some(mut command) = self.left.pop_front() {
            // A group of its own: Ctrl-C at the terminal must not end the person's browser.
            let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
            if let Ok(child) = command.spawn() {
                self.running = Some(child);
                return Opened::Well;
            }
        }
        self.failed
    }
}

/// One entry of `$BROWSER`: words with spaces between them, `%s` the URL, which is else the last word; no shell.
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
