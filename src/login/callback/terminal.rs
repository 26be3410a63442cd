//! The controlling terminal, for a pasted redirect URL: long lines, no echo, no input left for the shell.

use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios};
use rustix::termios::{tcflush, tcgetattr, tcgetpgrp, tcsetattr};
use zeroize::Zeroizing;

use crate::document;

/// `/dev/tty`, read only while this process is in its foreground.
pub struct Terminal {
    tty: OwnedFd,
    /// The settings to restore; set while ours are in effect.
    before: Option<Termios>,
    typed: Zeroizing<Vec<u8>>,
    hung_up: bool,
}

impl Terminal {
    /// The controlling terminal, if there is one.
    pub fn open() -> Option<Terminal> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let tty = rustix::fs::open("/dev/tty", flags, Mode::empty()).ok()?;
        let typed = Zeroizing::new(Vec::new());
        Some(Terminal { tty, before: None, typed, hung_up: false })
    }

    /// The descriptor to poll; `None` while another job has the terminal.
    pub fn interest(&self) -> Option<PollFd<'_>> {
        let ours = self.before.is_some() && self.is_foreground();
        ours.then(|| PollFd::new(&self.tty, PollFlags::IN))
    }

    /// Takes over the terminal if this job is in its foreground: no line length limit, no echo.
    pub fn take_over(&mut self) {
        if self.hung_up || self.before.is_some() || !self.is_foreground() {
            return;
        }
        let Ok(before) = tcgetattr(&self.tty) else { return };
        let mut ours = before.clone();
        ours.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        ours.special_codes[SpecialCodeIndex::VMIN] = 1;
        ours.special_codes[SpecialCodeIndex::VTIME] = 0;
        if tcsetattr(&self.tty, OptionalActions::Now, &ours).is_ok() {
            self.before = Some(before);
        }
    }

    /// Restores the terminal; unread input is discarded, so that it does not reach the shell.
    pub fn restore(&mut self) {
        if let Some(before) = self.before.take()
            && self.is_foreground()
        {
            let _ = tcflush(&self.tty, QueueSelector::IFlush);
            let _ = tcsetattr(&self.tty, OptionalActions::Now, &before);
        }
    }

    /// The next complete line that was typed or pasted.
    pub fn line(&mut self) -> Option<Zeroizing<String>> {
        loop {
            if let Some(end) = self.typed.iter().position(|octet| matches!(octet, b'\r' | b'\n')) {
                let line: Zeroizing<Vec<u8>> = Zeroizing::new(self.typed.drain(..=end).collect());
                let line = Zeroizing::new(String::from_utf8_lossy(&line).trim().to_owned());
                if line.is_empty() {
                    continue;
                }
                return Some(line);
            }
            let mut buffer = Zeroizing::new([0; 4096]);
            // A read in the background would stop the whole process group, so the foreground is checked before each.
            if self.before.is_none() || !self.is_foreground() {
                return None;
            }
            let count = match rustix::io::read(&self.tty, buffer.as_mut_slice()) {
                Ok(count) if count > 0 => count,
                Err(Errno::AGAIN | Errno::INTR) => return None,
                _ => {
                    // Hung up: the terminal is gone, so there is nothing to restore.
                    self.hung_up = true;
                    self.before = None;
                    return None;
                }
            };
            for octet in buffer.iter().take(count) {
                match *octet {
                    BACKSPACE | DELETE => drop(self.typed.pop()),
                    KILL => self.typed.clear(),
                    b'\r' | b'\n' | b' '.. => self.typed.push(*octet),
                    _ => {}
                }
            }
            if self.typed.len() > document::MAX_SIZE {
                self.typed.clear();
            }
        }
    }

    /// Whether a paste has begun and not ended.
    pub fn is_in_mid_paste(&self) -> bool {
        !self.typed.is_empty()
    }

    fn is_foreground(&self) -> bool {
        tcgetpgrp(&self.tty).is_ok_and(|group| group == getpgrp())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.restore();
    }
}

const BACKSPACE: u8 = 0x08;
const DELETE: u8 = 0x7f;
/// Ctrl-U: clears the line.
const KILL: u8 = 0x15;
