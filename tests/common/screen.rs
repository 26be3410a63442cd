//! What a person sees: the screen of a terminal that others wrote, which wraps lines and wraps them anew when it is resized.
#![allow(dead_code)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::common::{Output, command, finish, new_directory};

/// A shell in tmux, without a window.
pub struct Screen {
    directory: TempDir,
    columns: u16,
}

impl Screen {
    /// Runs the script in bash, in a screen of this many columns, with these files in its directory.
    pub fn start(columns: u16, files: &[(&str, &str)], script: &str) -> Screen {
        let screen = Screen { directory: new_directory(), columns };
        for (name, text) in files {
            std::fs::write(screen.path(name), text).unwrap();
        }
        // What comes after it keeps the screen.
        std::fs::write(screen.path("script"), format!("export TERM=screen; {script}\nexec cat >/dev/null")).unwrap();
        let size = columns.to_string();
        screen.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", &size, "-y", "40", "exec bash script"]);
        screen
    }

    /// Types this.
    pub fn write(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
    }

    /// Presses this key, by tmux's name.
    pub fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// Gives the screen another width.
    pub fn resize(&mut self, columns: u16) {
        self.columns = columns;
        self.tmux(&["resize-window", "-x", &columns.to_string()]);
    }

    /// Waits until the whole screen is this: each line as it was written, however the screen has wrapped it. In the last one,
    /// which may count, a digit is `#`, and the others are as `normalized` makes them.
    pub fn shows(&self, expected: &[&str], normalized: impl Fn(&str) -> String) {
        let end = Instant::now() + LIMIT;
        loop {
            let shown = self.tmux(&["capture-pane", "-p", "-J", "-S", "-"]);
            let mut lines: Vec<String> = shown.trim_end().lines().map(|line| normalized(line.trim_end())).collect();
            if let Some(line) = lines.last_mut() {
                *line = line.replace(|letter: char| letter.is_ascii_digit(), "#");
            }
            if lines == expected {
                return;
            }
            assert!(
                Instant::now() < end,
                "after {LIMIT:?}, {} columns: {lines:#?}, and not {expected:#?}",
                self.columns
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let socket = self.path("socket");
        let mut tmux = command("tmux");
        tmux.current_dir(self.directory.path()).arg("-u").arg("-S").arg(socket).args(arguments);
        let Output { status, stdout, stderr } = finish(&mut tmux, b"");
        assert_eq!((status, stderr.as_str()), (0, ""), "{arguments:?}");
        stdout
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

/// How long a screen may take: far longer than on the slowest machine, so that only a test that fails waits for it.
const LIMIT: Duration = Duration::from_secs(30);
