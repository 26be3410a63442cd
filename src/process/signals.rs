//! Signals: ignored ones stay ignored, and critical work is not interrupted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::{panic, thread};

use signal_hook::consts::{SIGALRM, SIGHUP, SIGINT, SIGPROF, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGVTALRM, SIGXCPU};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use super::threads;

/// Runs work that must not be interrupted: a signal that arrives meanwhile ends the process once it is done.
///
/// The work has its own thread: signals are delivered to the main thread, so no system call of the work is interrupted.
pub fn uninterrupted<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let (received, finished) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    for signal in not_ignored(&ENDING) {
        // After the work, a signal has its default effect again.
        let _ = flag::register_conditional_default(signal, Arc::clone(&finished));
        let _ = flag::register_usize(signal, Arc::clone(&received), signal as usize);
    }
    let done = if threads::created().is_ok() {
        thread::scope(|scope| scope.spawn(work).join())
    } else {
        // Better interrupted by a signal than not done.
        Ok(work())
    };
    finished.store(true, Ordering::SeqCst);
    let signal = received.load(Ordering::SeqCst);
    if signal != 0 {
        // Ends this process as the signal would have; the rest is for systems where it did not.
        let _ = emulate_default_handler(signal as i32);
    }
    done.unwrap_or_else(|fault| panic::resume_unwind(fault))
}

/// Runs this before a signal ends the process.
pub fn before_a_signal_ends(clean_up: impl Fn() + Send + 'static) {
    // Without a thread that acts on them, signals would have no effect.
    if threads::created().is_err() {
        return;
    }
    let Ok(mut signals) = Signals::new(not_ignored(&ENDING)) else { return };
    let _ = thread::Builder::new().spawn(move || {
        for signal in signals.forever() {
            clean_up();
            let _ = emulate_default_handler(signal);
        }
    });
}

/// Those of the signals that were not ignored when this process started: ignored ones (nohup, a background job of a script)
/// must stay so.
pub fn not_ignored(signals: &[i32]) -> impl Iterator<Item = i32> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    signals.iter().copied().filter(move |signal| mask >> (signal - 1) & 1 == 0)
}

/// The signals by which others, or a limit, end a process by default. Not those of a fault, and not SIGPIPE and SIGXFSZ,
/// which are errors of a write.
const ENDING: [i32; 10] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGXCPU];
