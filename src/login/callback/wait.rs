//! The wait for the redirect: browser, listener, terminal, file, signals and deadline, in one loop.

use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use signal_hook::consts::{SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;
use signal_hook::low_level::emulate_default_handler;

use super::browser::{Browser, Launch};
use super::listener::{Listener, Reply};
use super::page::Page;
use super::redirect::{Expected, Ignored, Outcome, Response};
use super::response_file::ResponseFile;
use super::terminal::{self, Terminal};
use crate::error::Error;
use crate::login::countdown::Countdown;
use crate::message;
use crate::process::{Deadline, poll, reader, signals};
use crate::standard_error;
use crate::wire::url::Url;

/// Everything that may deliver the redirect or end the wait for it.
pub struct Wait {
    /// The first, so that it is cleared before the terminal is restored.
    countdown: Countdown,
    deadline: Deadline,
    signals: SignalDelivery<UnixStream, SignalOnly>,
    listener: Option<Listener>,
    terminal: Option<Terminal>,
    browser: Option<Browser>,
    response: Option<ResponseFile>,
    /// The last pasted text that was ignored, if one was.
    ignored_paste: Option<Ignored>,
    /// Whether a note about other users was shown: one is enough, however many connections they open.
    noted_user: bool,
    noted_tls: bool,
}

impl Wait {
    /// A wait that ends at this deadline; the redirect URL may come from the response file, or from the terminal.
    pub fn new(deadline: Deadline, response: Option<ResponseFile>, terminal: Option<Terminal>) -> Result<Wait, Error> {
        let signals = UnixStream::pair().and_then(|(read, write)| {
            let fatal = signals::not_ignored(&[SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP]);
            let handled: Vec<i32> = fatal.chain([SIGCHLD, SIGCONT]).collect();
            SignalDelivery::with_pipe(read, write, SignalOnly, handled)
        });
        Ok(Wait {
            countdown: Countdown::new(&[], deadline.end()),
            deadline,
            signals: signals.map_err(|error| Error::unavailable(format!("signals: {}", message::reason(&error))))?,
            listener: None,
            terminal,
            browser: None,
            response,
            ignored_paste: None,
            noted_user: false,
            noted_tls: false,
        })
    }

    /// Listens at the redirect URI, or at the address to which it is forwarded, and returns the port, another one if that
    /// may be and its own is in use; the redirect URL may then be pasted too, if there is a terminal.
    pub fn listen(
        &mut self,
        redirect: &Url,
        forwarded_to: Option<SocketAddr>,
        may_change: bool,
        any_user: bool,
    ) -> Result<u16, Error> {
        let listener = Listener::bind(redirect, forwarded_to, may_change, any_user)?;
        let port = listener.port();
        self.listener = Some(listener);
        self.terminal = Terminal::open().filter(|_| io::stderr().is_terminal());
        Ok(port)
    }

    /// Whether the redirect URL can be pasted.
    pub fn has_terminal(&self) -> bool {
        self.terminal.is_some()
    }

    /// Takes over the terminal, if there is one: before the user is prompted, so that no input is echoed, and again
    /// after a stop.
    pub fn take_terminal(&mut self) {
        if let Some(terminal) = &mut self.terminal {
            terminal.take_over();
        }
    }

    /// Opens the browser; a failure to open it ends the wait if there is no terminal.
    pub fn open(&mut self, url: &str) -> Result<(), Error> {
        let (browser, opened) = Browser::open(url);
        self.browser = Some(browser);
        self.handle_launch(opened)
    }

    /// Waits; on return, the port is closed and the terminal restored.
    pub fn until_redirect(mut self, expected: &Expected) -> Result<Response, Error> {
        self.show_prompt();
        let mut signal = None;
        let ended = loop {
            if let Some(ended) = self.turn(expected, &mut signal) {
                break ended;
            }
        };
        self.finish_paste();
        drop(self);
        if let Some(signal) = signal {
            // Ends this process as the signal would have; the rest is for systems where it did not.
            let _ = emulate_default_handler(signal);
        }
        ended
    }

    /// One turn of the loop: sleeps until something happens, then handles all of it.
    fn turn(&mut self, expected: &Expected, signal: &mut Option<i32>) -> Option<Result<Response, Error>> {
        self.sleep();
        let mut child_ended = false;
        let pending: Vec<i32> = self.signals.pending().collect();
        for pending in pending {
            match pending {
                SIGCHLD => child_ended = true,
                SIGCONT => {}
                SIGTSTP => self.stop(),
                ends => {
                    *signal = Some(ends);
                    return Some(Err(Error::unavailable("ended by a signal")));
                }
            }
        }
        let served = self.listener.as_mut().map(|listener| listener.serve(expected));
        self.note_ignored();
        match served {
            Some(Ok(Some((outcome, reply)))) => return Some(self.end(outcome, Some(reply))),
            Some(Err(error)) => return Some(Err(error)),
            _ => {}
        }
        while let Some(lines) = self.terminal.as_mut().and_then(Terminal::lines) {
            match expected.pasted(&lines) {
                Outcome::Ignored(ignored) => {
                    message::note(&format!("the pasted text was ignored: {}", ignored.reason()));
                    self.ignored_paste = Some(ignored);
                }
                outcome => {
                    message::note("the pasted address was received");
                    return Some(self.end(outcome, None));
                }
            }
        }
        if self.terminal.as_mut().is_some_and(Terminal::needs_enter) {
            message::note("text arrived, which is not shown: press Enter at its end");
        }
        match self.response.as_mut().map(|response| response.outcome(expected)) {
            Some(Ok(Some(outcome))) => return Some(self.end(outcome, None)),
            Some(Err(error)) => return Some(Err(error)),
            _ => {}
        }
        // After the listener: a launcher may deliver the redirect itself, and fail all the same.
        if child_ended {
            let opened = self.browser.as_mut().map_or(Launch::Started, Browser::check);
            if let Err(error) = self.handle_launch(opened) {
                return Some(Err(error));
            }
        }
        if let Err(error) = reader::check() {
            return Some(Err(error));
        }
        self.deadline.has_passed().then(|| Err(self.timed_out(expected)))
    }

    /// Sleeps until there is something to handle.
    fn sleep(&mut self) {
        self.take_terminal();
        self.countdown.show();
        let listener = self.listener.as_ref();
        let paste = self.terminal.as_ref().and_then(Terminal::deadline);
        let deadlines = listener.and_then(Listener::next_deadline).into_iter().chain(paste);
        let until = deadlines.chain([self.deadline.end()]).min().unwrap_or(self.deadline.end());
        let wait = self.countdown.next(until).saturating_duration_since(Instant::now());
        // poll truncates to milliseconds; one more avoids a busy loop before the deadline.
        let wait = Timespec::try_from(wait + Duration::from_millis(1)).unwrap_or_default();
        let stdout = io::stdout();
        let mut fds =
            vec![PollFd::new(self.signals.get_read(), PollFlags::IN), PollFd::new(&stdout, PollFlags::empty())];
        fds.extend(self.listener.iter().flat_map(Listener::interests));
        fds.extend(self.terminal.iter().filter_map(Terminal::interest));
        fds.extend(self.response.iter().map(ResponseFile::interest));
        let _ = rustix::event::poll(&mut fds, Some(&wait));
    }

    /// Ends the wait: the port is closed before the page is sent, so that no later request arrives.
    fn end(&mut self, outcome: Outcome, reply: Option<Reply>) -> Result<Response, Error> {
        self.listener = None;
        let (page, ended) = match outcome {
            Outcome::Code(response) => (Page::received(), Ok(response)),
            Outcome::Failed(error) => (Page::failed(&error), Err(error)),
            Outcome::Ignored(ignored) => (Page::ignored(&ignored), Err(ignored.failure())),
        };
        if let Some(reply) = reply {
            reply.send(&page);
        }
        ended
    }

    fn handle_launch(&mut self, opened: Launch) -> Result<(), Error> {
        if opened == Launch::Started {
            return Ok(());
        }
        let failures = self.browser.as_ref().and_then(Browser::failures);
        let wrong = failures.map_or("no browser could be opened".to_owned(), |failures| format!("BROWSER: {failures}"));
        if self.is_at_terminal() {
            message::note(&format!("{wrong}; open the URL above in any browser"));
            return Ok(());
        }
        let wrong = format!("{wrong}, and there is no terminal");
        let is_named = self.browser.as_ref().is_some_and(Browser::is_named);
        // A script that drives the login knows why it failed: the server may have shown it an error page.
        let (hint, hint_seen) = if opened == Launch::Failed && is_named { (REFUSED, RUN) } else { (SET, SET) };
        Err(match self.seen() {
            Some((seen, cure)) => Error::unavailable(format!("{wrong}; {seen}")).hint(cure.unwrap_or(hint_seen)),
            None => Error::unavailable(wrong).hint(hint),
        })
    }

    fn timed_out(&self, expected: &Expected) -> Error {
        let wrong = format!("no redirect within {} s", self.deadline.seconds());
        match self.seen() {
            Some((seen, cure)) => {
                Error::unavailable(format!("{wrong}; {seen}")).hint(cure.map_or_else(|| expected.hint(), str::to_owned))
            }
            None => {
                let succeeded = self.browser.as_ref().is_some_and(Browser::has_succeeded);
                let ended = if succeeded { "; the program in BROWSER ended with status 0" } else { "" };
                let error = Error::unavailable(format!("{wrong}{ended}"));
                match self.listener.as_ref().and_then(Listener::forwarded_to) {
                    Some(address) => error
                        .hint(format!("check that the redirect URI is forwarded to {address}; {}", expected.hint())),
                    None if self.response.is_some() => error.hint(format!("{NOT_WRITTEN}; {}", expected.hint())),
                    None => error.hint(expected.hint()),
                }
            }
        }
    }

    /// What the wait saw that is not this login's redirect, and the hint that cures it, if any. An error in it does not
    /// end the wait, since anyone may send it.
    fn seen(&self) -> Option<(String, Option<&'static str>)> {
        let listener = self.listener.as_ref();
        if let Some(ignored) = listener.and_then(Listener::ignored) {
            return Some((format!("a redirect was received and ignored: {}", ignored.reason()), ignored.hint));
        }
        if let Some((seen, hint)) = self.seen_tls() {
            return Some((seen.to_owned(), Some(hint)));
        }
        let ignored = self.ignored_paste.as_ref()?;
        Some((format!("the pasted text was ignored: {}", ignored.reason()), ignored.hint))
    }

    /// What to say about https at the listener, and what to do about it.
    fn seen_tls(&self) -> Option<(&'static str, &'static str)> {
        let listener = self.listener.as_ref().filter(|listener| listener.spoke_tls())?;
        Some(match self.terminal {
            _ if listener.forwarded_to().is_some() => {
                ("https was received, but only http is understood", "let the proxy end TLS")
            }
            Some(_) => (SPOKE_TLS, "change https to http in the browser's address, or paste the address"),
            None => (SPOKE_TLS, "change https to http in the browser's address"),
        })
    }

    fn show_prompt(&mut self) {
        let texts: &[&str] = match (&self.listener, &self.response) {
            (Some(_), _) if self.terminal.is_some() => &BROWSER_OR_PASTE,
            (Some(_), _) => &BROWSER,
            (_, Some(_)) => &RESPONSE_FILE,
            _ => &PASTE,
        };
        self.countdown.set_texts(texts);
        if self.countdown.is_hidden() && self.terminal.is_some() {
            message::note(&texts.first().map_or(String::new(), |text| text.replace(" ({})", "")));
        }
    }

    /// Notes once what was ignored and needs the user.
    fn note_ignored(&mut self) {
        let listener = self.listener.as_ref();
        let user = listener.and_then(Listener::note).filter(|_| !self.noted_user);
        let tls = self.seen_tls().filter(|_| !self.noted_tls && self.is_at_terminal());
        if let Some(note) = user {
            self.noted_user = true;
            message::note(note);
        }
        if let Some((seen, hint)) = tls {
            self.noted_tls = true;
            message::note(&format!("{seen}: {hint}"));
        }
    }

    fn is_at_terminal(&self) -> bool {
        io::stderr().is_terminal() || self.terminal.is_some()
    }

    /// Ctrl-Z: restores the terminal for the shell; it is taken over again on SIGCONT.
    fn stop(&mut self) {
        if let Some(terminal) = &mut self.terminal {
            terminal.restore();
        }
        standard_error::clear_line();
        let _ = emulate_default_handler(SIGTSTP);
    }

    /// If the redirect arrived during a paste, reads the rest of the paste, so that the shell does not get it.
    fn finish_paste(&mut self) {
        let until = Instant::now() + PASTE_TIMEOUT;
        while let Some(terminal) = self.terminal.as_mut().filter(|terminal| terminal.has_input()) {
            let end = Instant::now() + terminal::PAUSE;
            let has_more = terminal.interest().is_some_and(|fd| poll::any(&mut [fd], Some(end)));
            terminal.read();
            if !has_more || Instant::now() > until {
                return;
            }
        }
    }
}

/// What the user sees meanwhile, for terminals from wide to narrow.
const BROWSER: [&str; 1] = ["waiting for the browser ({})"];
const BROWSER_OR_PASTE: [&str; 3] = [
    "waiting for the browser ({}); or paste the address that it was redirected to",
    "waiting for the browser ({}); or paste the address of its last page",
    "wait, or paste the address ({})",
];
const RESPONSE_FILE: [&str; 2] = ["waiting for the response file ({})", "waiting for the file ({})"];
const PASTE: [&str; 3] = [
    "paste the address that the browser was redirected to, and press Enter ({})",
    "paste the address of the browser's last page, and press Enter ({})",
    "paste the last address ({})",
];

/// The maximum time for the rest of a paste.
const PASTE_TIMEOUT: Duration = Duration::from_secs(1);

/// A server, a browser's setting or the user may have put https in place of http.
const SPOKE_TLS: &str = "a browser spoke https to the http redirect URI";

/// What to do where the response file stays empty.
const NOT_WRITTEN: &str = "check that the address is written to the file of --response-file";

/// What to do where no browser leads back, and there is no terminal.
const SET: &str = "set BROWSER to a program that drives the login, or use pkce-callback --no-browser";
const RUN: &str = "to see why, use pkce-callback --no-browser, and run the program in BROWSER with the new URL";
const REFUSED: &str = "the server may not know the client_id or the redirect URI; to see why, use \
                       pkce-callback --no-browser, and run the program in BROWSER with the new URL";
