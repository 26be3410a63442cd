//! What a test process inherits from whoever started it, and its tools must not.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Once};

use nix::sys::signal::SigSet;
use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};
use signal_hook::consts::{FORBIDDEN, SIGPIPE};

/// Lets all programs that this thread starts begin alike: default signals, none of them blocked, descriptors 0 to 2,
/// umask 022, raised limits.
///
/// SIGPIPE is the standard library's: it ignores it here, and restores the default action in what it starts.
pub fn settle() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // What is ignored stays so in a new program; what has a handler, even one that does nothing, is reset.
        for signal in ignored().filter(|signal| *signal != SIGPIPE && !FORBIDDEN.contains(signal)) {
            signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false))).unwrap();
        }
        close_fds::set_fds_cloexec_threadsafe(3, &[]);
        umask(Mode::WGRP | Mode::WOTH);
        // A test has up to 1000 connections open at once.
        limit(Resource::Nofile, Some(4096));
        for resource in [Resource::As, Resource::Cpu, Resource::Data, Resource::Fsize] {
            limit(resource, None);
        }
    });
    SigSet::all().thread_unblock().unwrap();
}

/// The signals that this process ignores.
fn ignored() -> impl Iterator<Item = i32> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.map_or(0, |mask| u64::from_str_radix(mask.trim(), 16).unwrap());
    // 32 and 33 belong to the C library, which ignores them in what it starts; nobody else can send or set them.
    (1..=64).filter(move |signal| mask >> (signal - 1) & 1 == 1 && !matches!(signal, 32 | 33))
}

/// Sets the soft limit to this, or as high as it may be.
fn limit(resource: Resource, wanted: Option<u64>) {
    let maximum = getrlimit(resource).maximum;
    let current = [wanted, maximum].into_iter().flatten().min();
    setrlimit(resource, Rlimit { current, maximum }).unwrap();
}
