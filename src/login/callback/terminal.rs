//! The controlling terminal, for a pasted redirect URL: long lines, no echo, no input left for the shell.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

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
    /// The start of an escape sequence, such as the one before a bracketed paste.
    escape: Vec<u8>,
    /// Whether a bracketed paste has begun and not ended.
    is_bracketed: bool,
    last_input: Instant,
    acknowledged: bool,
    hung_up: bool,
}

impl Terminal {
    /// The controlling terminal, if there is one.
    pub fn open() -> Option<Terminal> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let tty = rustix::fs::open("/dev/tty", flags, Mode::empty()).ok()?;
        Some(Terminal {
            tty,
            before: None,
            typed: Zeroizing::new(Vec::new()),
            escape: Vec::new(),
            is_bracketed: false,
            last_input: Instant::now(),
            acknowledged: false,
            hung_up: false,
        })
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

    /// The lines that were typed or pasted. They end with Enter after which nothing follows for a moment, since the line
    /// breaks in an address that a terminal has broken are the same.
    pub fn lines(&mut self) -> Option<Zeroizing<String>> {
        self.read();
        if !self.is_ended() || !self.is_quiet() {
            return None;
        }
        self.acknowledged = false;
        let typed = std::mem::take(&mut self.typed);
        let lines = Zeroizing::new(String::from_utf8_lossy(&typed).into_owned());
        (!lines.trim().is_empty()).then_some(lines)
    }

    /// Whether there is text without Enter, of which the user has not been told, since it is not echoed.
    pub fn needs_enter(&mut self) -> bool {
        let needed = self.has_input() && !self.acknowledged && !self.is_ended() && self.is_quiet();
        self.acknowledged |= needed;
        // The end of a bracketed paste may be lost; Enter ends it too.
        self.is_bracketed &= !needed;
        needed
    }

    /// When what was typed is to be looked at, if nothing follows.
    pub fn deadline(&self) -> Option<Instant> {
        let waits = self.has_input() && (self.is_ended() || !self.acknowledged);
        waits.then(|| self.last_input + PAUSE)
    }

    /// Reads what there is.
    pub fn read(&mut self) {
        // A read in the background would stop the whole process group, so the foreground is checked before each.
        while self.before.is_some() && self.is_foreground() {
            let mut buffer = Zeroizing::new([0; 4096]);
            let count = match rustix::io::read(&self.tty, buffer.as_mut_slice()) {
                Ok(count) if count > 0 => count,
                Err(Errno::AGAIN | Errno::INTR) => return,
                _ => {
                    // Hung up: the terminal is gone, so there is nothing to restore.
                    self.hung_up = true;
                    self.before = None;
                    return;
                }
            };
            self.last_input = Instant::now();
            for octet in buffer.iter().take(count) {
                self.receive(*octet);
            }
            if self.typed.len() > document::MAX_SIZE {
                self.typed.clear();
            }
        }
    }

    /// Whether text was typed or pasted that is not handled yet.
    pub fn has_input(&self) -> bool {
        !self.typed.is_empty()
    }

    fn receive(&mut self, octet: u8) {
        if octet == ESCAPE {
            self.escape = vec![ESCAPE];
            return;
        }
        match (self.escape.len(), octet) {
            (1, b'[') | (2..MAX_SEQUENCE, b' '..b'@') => return self.escape.push(octet),
            (2.., b'@'..=b'~') => {
                self.escape.push(octet);
                match std::mem::take(&mut self.escape).as_slice() {
                    PASTE_START => self.is_bracketed = true,
                    PASTE_END => {
                        self.is_bracketed = false;
                        self.typed.push(b'\n');
                    }
                    _ => {}
                }
                return;
            }
            _ => self.escape.clear(),
        }
        match octet {
            BACKSPACE | DELETE => drop(self.typed.pop()),
            KILL => {
                self.typed.clear();
                self.is_bracketed = false;
            }
            b'\r' | b'\n' | b' '.. => self.typed.push(octet),
            _ => {}
        }
    }

    fn is_ended(&self) -> bool {
        let last = self.typed.iter().rfind(|octet| **octet != b' ');
        !self.is_bracketed && last.is_some_and(|octet| matches!(octet, b'\r' | b'\n'))
    }

    fn is_quiet(&self) -> bool {
        self.last_input.elapsed() >= PAUSE
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
const ESCAPE: u8 = 0x1b;

/// What a terminal sends around a bracketed paste.
const PASTE_START: &[u8] = b"\x1b[200~";
const PASTE_END: &[u8] = b"\x1b[201~";

/// Maximum length of an escape sequence; those of keys are shorter.
const MAX_SEQUENCE: usize = 32;

/// The pause that ends a paste; its parts arrive closer together, over a slow network too.
pub const PAUSE: Duration = Duration::from_millis(200);
