//! Values that the server remembers: each for a time, 1,000 at most.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

/// Values by the digest of a code, a token or another name; the oldest is forgotten first.
pub struct Bounded<T> {
    entries: VecDeque<Entry<T>>,
    lifetime: Duration,
}

/// The digest of a name, so that a long token takes no more room than a short one.
#[derive(Clone, Copy, PartialEq)]
pub struct Key([u8; 32]);

struct Entry<T> {
    key: Key,
    until: Instant,
    value: T,
}

impl<T> Bounded<T> {
    /// Nothing yet; each value is remembered this long.
    pub fn new(lifetime: Duration) -> Bounded<T> {
        Bounded { entries: VecDeque::new(), lifetime }
    }

    /// Adds a value.
    pub fn add(&mut self, key: Key, value: T) {
        let now = Instant::now();
        while self.entries.front().is_some_and(|oldest| oldest.until <= now) || self.is_full() {
            self.entries.pop_front();
        }
        self.entries.push_back(Entry { key, until: now + self.lifetime, value });
    }

    /// Whether there is no room for another value without forgetting one.
    pub fn is_full(&self) -> bool {
        self.entries.len() >= MAX
    }

    /// The value of this key.
    pub fn get(&self, key: Key) -> Option<&T> {
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        Some(&entry.value).filter(|_| entry.until > Instant::now())
    }

    /// The value of this key, to change it.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let entry = self.entries.iter_mut().find(|entry| entry.key == key)?;
        Some(&mut entry.value).filter(|_| entry.until > Instant::now())
    }

    /// The value of this key, once.
    pub fn take(&mut self, key: Key) -> Option<T> {
        let at = self.entries.iter().position(|entry| entry.key == key)?;
        let entry = self.entries.remove(at)?;
        Some(entry.value).filter(|_| entry.until > Instant::now())
    }
}

impl From<&str> for Key {
    fn from(name: &str) -> Key {
        Key(Sha256::digest(name).into())
    }
}

/// How many values of one kind are remembered; a test needs some hundreds, and each has at most some ten kilobytes.
const MAX: usize = 1000;
