//! The frame around a tool's one step: arguments, documents in and out, the failure line, messages, exit status.

use std::error::Error as _;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::panic;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Parser};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::OFlags;
use zeroize::Zeroizing;

use crate::document::{self, Document};
use crate::{Error, Kind};

/// Runs a tool that makes a document of its own: no document is read from standard input.
pub fn source<A: Parser>(step: impl FnOnce(&A) -> Result<Document, Error>) -> ExitCode {
    sources(|args: &A| step(args).map(|document| std::iter::once(Ok(document))))
}

/// Runs a tool that makes any number of documents of its own.
pub fn sources<A, I>(step: impl FnOnce(&A) -> Result<I, Error>) -> ExitCode
where
    A: Parser,
    I: IntoIterator<Item = Result<Document, Error>>,
{
    run(Form::Document, never, |args: &A, output| {
        for document in step(args)? {
            output.print(&document?)?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Runs a tool that takes one document and hands it on changed.
pub fn filter<A: Parser>(step: impl FnOnce(&A, Document) -> Result<Document, Error>) -> ExitCode {
    run(Form::Document, never, |args: &A, output| {
        let document = only()?;
        output.ready()?;
        let before = document.clone();
        let after = step(args, document)?;
        output.print(&after).map_err(|error| lost(error, &before, &after))?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Runs a tool that takes any number of documents and hands each on changed.
pub fn stream<A: Parser>(mut step: impl FnMut(&A, Document) -> Result<Document, Error>) -> ExitCode {
    run(Form::Document, never, |args: &A, output| {
        let mut documents = Documents::of_stdin();
        let mut next = Some(documents.next()?.ok_or_else(empty)?);
        while let Some(document) = next {
            output.print(&step(args, document)?)?;
            next = documents.next()?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Runs a tool that takes one document and prints none; where the arguments ask for something else, it takes none either.
pub fn sink<A: Parser>(
    idle: impl FnOnce(&A) -> bool,
    step: impl FnOnce(&A, Option<Document>) -> Result<(), Error>,
) -> ExitCode {
    run(Form::Nothing, never, |args: &A, _| {
        let document = if idle(args) { None } else { Some(only()?) };
        step(args, document)?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Runs a tool that prints what it will itself, and ends with a status of its own; `bare` says where what it prints
/// would be no document, so that nobody waits for a failure line.
pub fn service<A: Parser>(
    bare: impl FnOnce(&A) -> bool,
    step: impl FnOnce(&A, Output) -> Result<ExitCode, Error>,
) -> ExitCode {
    run(Form::Document, bare, step)
}

/// Says on standard error what should be known without being a failure.
pub fn note(text: &str) {
    if !as_json() {
        say(&format!("{}: note: {}", name(), printable(text)));
    }
}

/// Writes lines to standard error; a closed one is no failure.
pub fn say(lines: &str) {
    let _ = io::stderr().write_all(format!("{lines}\n").as_bytes());
}

/// Text from outside, reduced to what can do nothing to a terminal: letters, digits, ASCII marks; 1,000 of them.
pub fn printable(text: &str) -> String {
    let harmless = |character: char| character == ' ' || character.is_ascii_graphic() || character.is_alphanumeric();
    text.chars()
        .map(|character| if character.is_whitespace() { ' ' } else { character })
        .map(|character| if harmless(character) { character } else { '?' })
        .take(1000)
        .collect()
}

/// The name of the running tool.
pub fn name() -> &'static str {
    NAME.get().map_or("pkce-tools", String::as_str)
}

/// Reads a `--timeout`: whole seconds, one at least.
pub fn seconds(text: &str) -> Result<Duration, String> {
    number(text, 1, u32::MAX.into()).map(Duration::from_secs)
}

/// The end of a step's time; all that a step waits for ends with it.
#[derive(Clone, Copy)]
pub struct Deadline {
    end: Instant,
    timeout: Duration,
}

impl Deadline {
    /// A step that begins now, and may take this long.
    pub fn after(timeout: Duration) -> Deadline {
        Deadline { end: Instant::now() + timeout, timeout }
    }

    /// What is left of the time.
    pub fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// The whole time, for a message.
    pub fn seconds(&self) -> u64 {
        self.timeout.as_secs()
    }
}

/// Reads an option's whole number.
pub fn number(text: &str, least: u64, most: u64) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("must be a whole number from {least} to {most}"))
}

/// Reads an option's text for people: one line.
pub fn line(text: &str) -> Result<String, String> {
    match !text.is_empty() && !text.chars().any(char::is_control) {
        true => Ok(text.to_owned()),
        false => Err("must be one line of text".to_owned()),
    }
}

/// The environment variable's text, where it is set and not empty.
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// Where the documents go.
pub struct Output {
    raw: Option<String>,
    stdout: File,
}

impl Output {
    /// Prints the document, or the one member asked for, in one write.
    pub fn print(&self, document: &Document) -> Result<(), Error> {
        let text = match &self.raw {
            Some(member) => raw(document, member)?,
            None => document.line(),
        };
        self.ready()?;
        (&self.stdout).write_all(text.as_bytes()).map_err(|error| unwritten(&reason(&error)))
    }

    /// Prints lines of text, in one write.
    pub fn print_lines(&self, lines: &[impl AsRef<str>]) -> Result<(), Error> {
        if self.raw.is_some() {
            return Err(Error::usage("--raw: there is no document to take a member from"));
        }
        self.ready()?;
        let text: Zeroizing<String> = Zeroizing::new(lines.iter().flat_map(|line| [line.as_ref(), "\n"]).collect());
        (&self.stdout).write_all(text.as_bytes()).map_err(|error| unwritten(&reason(&error)))
    }

    /// Ends what reads from here: it sees the end of the output, while the tool goes on.
    pub fn close(self) -> Result<(), Error> {
        let nowhere = File::options().write(true).open("/dev/null");
        nowhere.and_then(|nowhere| Ok(rustix::stdio::dup2_stdout(nowhere)?)).map_err(|error| unwritten(&reason(&error)))
    }

    /// Whether somebody can still read what will be printed, so that nothing is spent in vain.
    fn ready(&self) -> Result<(), Error> {
        match is_closed(&self.stdout) {
            true => Err(unwritten("closed")),
            false => still_read(),
        }
    }
}

/// Fails where standard output is a pipe whose reader is gone. That is left unsaid: the reader had enough, or it failed
/// itself and said why.
pub fn still_read() -> Result<(), Error> {
    let stdout = io::stdout();
    let mut fds = [PollFd::new(&stdout, PollFlags::empty())];
    let asked = rustix::event::poll(&mut fds, Some(&Timespec::default()));
    match asked.is_ok() && fds.iter().any(|fd| fd.revents().contains(PollFlags::ERR)) {
        true => Err(unwritten(UNREAD)),
        false => Ok(()),
    }
}

/// What a tool prints when all goes well.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Document,
    Nothing,
}

fn never<A>(_: &A) -> bool {
    false
}

fn run<A: Parser>(
    form: Form,
    bare: impl FnOnce(&A) -> bool,
    body: impl FnOnce(&A, Output) -> Result<ExitCode, Error>,
) -> ExitCode {
    let mut command = A::command();
    let _ = NAME.set(command.get_name().to_owned());
    guard();
    if form == Form::Document {
        command = command.arg(raw_argument());
    }
    let matches = match command.try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return end(asked_or_misused(&error), form, is_bare(std::env::args_os())),
    };
    let raw = matches.try_get_one::<String>(RAW).ok().flatten().cloned();
    let mut plain = raw.is_some();
    let done = stdout().and_then(|stdout| {
        let args = A::from_arg_matches(&matches).map_err(|error| misused(&error))?;
        plain |= bare(&args);
        body(&args, Output { raw, stdout })
    });
    end(done, form, plain)
}

/// Ends the run: says why it failed, hands the failure on, gives the status.
fn end(done: Result<ExitCode, Error>, form: Form, bare: bool) -> ExitCode {
    let error = match done {
        Ok(status) => return status,
        Err(error) => error,
    };
    if !error.report.quiet {
        say(&told(&error));
    }
    if form == Form::Document && !bare {
        hand_on(&error);
    }
    ExitCode::from(error.kind.status())
}

/// Writes the failure line where a next tool reads it: to a pipe or a socket, and nowhere else.
fn hand_on(error: &Error) {
    let Ok(mut stdout) = stdout() else { return };
    let kind = stdout.metadata().map(|metadata| metadata.file_type());
    if kind.is_ok_and(|kind| kind.is_fifo() || kind.is_socket()) {
        let tool = error.report.tool.as_deref().unwrap_or(name());
        let line = format!("!{} {} {tool}\n", error.kind.status(), error.kind.name());
        let _ = stdout.write_all(line.as_bytes());
    }
}

/// The failure in a line `!STATUS KIND TOOL`, as a tool before this one wrote it.
fn handed_on(line: &[u8]) -> Option<Error> {
    let line = std::str::from_utf8(line).ok()?.strip_prefix('!')?;
    let mut words = line.trim_end_matches('\n').split(' ');
    let (status, kind, tool) = (words.next()?, words.next()?, words.next()?);
    let kind = Kind::ALL.into_iter().find(|known| known.name() == kind)?;
    let plain = tool.bytes().all(|octet| octet == b'-' || octet.is_ascii_lowercase());
    if !plain || words.next().is_some() || status != kind.status().to_string() {
        return None;
    }
    let mut error = Error::new(kind, "");
    error.report.tool = Some(tool.to_owned());
    error.report.quiet = true;
    Some(error)
}

fn told(error: &Error) -> String {
    let report = &error.report;
    let message = printable(&report.message);
    if as_json() {
        let mut line = Document::default();
        line.set("tool", name());
        line.set_number("status", error.kind.status().into());
        line.set("kind", error.kind.name());
        line.set("message", &message);
        for (name, text) in [
            ("member", &report.member),
            ("error", &report.error),
            ("error_description", &report.error_description),
            ("error_uri", &report.error_uri),
        ] {
            line.set_given(name, text.as_deref().map(printable).as_deref());
        }
        if let Some(status) = report.http_status {
            line.set_number("http_status", status.into());
        }
        return line.line().trim_end().to_owned();
    }
    match &report.hint {
        Some(hint) => format!("{}: {message}\nhint: {}", name(), printable(hint)),
        None => format!("{}: {message}", name()),
    }
}

fn as_json() -> bool {
    environment("PKCE_ERRORS").is_some_and(|form| form == "json")
}

fn raw_argument() -> Arg {
    Arg::new(RAW)
        .short('r')
        .long(RAW)
        .value_name("MEMBER")
        .help("Print that member alone, as text, instead of the document")
}

/// Whether a command line that could not be read asks for what is no document, where no failure line may be printed.
fn is_bare(mut arguments: impl Iterator<Item = OsString>) -> bool {
    arguments.any(|argument| {
        let argument = argument.to_string_lossy();
        argument.starts_with("-r") || argument.starts_with("--raw") || argument == "--header" || argument == "--"
    })
}

/// Help and version are printed; anything else that clap says is a usage error.
fn asked_or_misused(error: &clap::Error) -> Result<ExitCode, Error> {
    if !matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return Err(misused(error));
    }
    let text = error.render().to_string();
    stdout()?.write_all(text.as_bytes()).map_err(|error| unwritten(&reason(&error)))?;
    Ok(ExitCode::SUCCESS)
}

/// What is wrong with the command line, in our words: never the value itself, since it may be a secret.
fn misused(error: &clap::Error) -> Error {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => texts.first().cloned(),
        _ => None,
    };
    let named = context(ContextKind::InvalidArg).unwrap_or_default();
    let flag = named.split([' ', '=']).next().filter(|word| word.starts_with('-'));
    let wrong = match error.kind() {
        ErrorKind::UnknownArgument if flag.is_some() => "no such option".to_owned(),
        ErrorKind::UnknownArgument => "too many".to_owned(),
        ErrorKind::MissingRequiredArgument => format!("{named} is missing"),
        ErrorKind::ArgumentConflict => "cannot be used here, or not twice".to_owned(),
        ErrorKind::InvalidUtf8 => "not UTF-8".to_owned(),
        ErrorKind::InvalidValue if context(ContextKind::InvalidValue).is_none_or(|value| value.is_empty()) => {
            "needs a value".to_owned()
        }
        ErrorKind::InvalidValue => match error.get(ContextKind::ValidValue) {
            Some(ContextValue::Strings(values)) => format!("must be one of {}", values.join(", ")),
            _ => "not a value it takes".to_owned(),
        },
        _ => error.source().map_or("cannot be read".to_owned(), ToString::to_string),
    };
    let hint = match context(ContextKind::SuggestedArg) {
        Some(suggested) => format!("did you mean {suggested}?"),
        None => format!("'{} --help' lists what it takes", name()),
    };
    Error::usage(format!("{}: {wrong}", flag.unwrap_or("arguments"))).hint(hint)
}

/// The document in this file, or on standard input for `-`.
pub fn document(file: &str) -> Result<Document, Error> {
    if file == "-" {
        return only();
    }
    self::file(file, file)
}

/// The document in this file; `subject` begins the message of what is wrong with it.
pub fn file(file: &str, subject: &str) -> Result<Document, Error> {
    let mut octets = Zeroizing::new(Vec::new());
    File::open(file)
        .and_then(|file| file.take(document::SIZE as u64 + 1).read_to_end(&mut octets))
        .map_err(|error| Error::usage(format!("{subject}: {}", reason(&error))))?;
    Document::parse(&octets).map_err(|wrong| Error::usage(format!("{subject}: {wrong}")))
}

/// The one document on standard input; a second one is refused before anything is done.
fn only() -> Result<Document, Error> {
    let mut documents = Documents::of_stdin();
    let document = documents.next()?.ok_or_else(empty)?;
    match documents.next()? {
        None => Ok(document),
        Some(_) => Err(unreadable("more than one document")),
    }
}

/// The documents on standard input, one after the other; what lies between them is white space.
struct Documents {
    stdin: io::StdinLock<'static>,
}

impl Documents {
    fn of_stdin() -> Documents {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            note("reading a document from the terminal; Ctrl-D ends it");
        }
        Documents { stdin: stdin.lock() }
    }

    fn next(&mut self) -> Result<Option<Document>, Error> {
        let octets = self.octets().map_err(|error| unreadable(&reason(&error)))?;
        match octets.first() {
            None => Ok(None),
            Some(b'{') => Document::parse(&octets).map(Some).map_err(|wrong| unreadable(&wrong)),
            Some(_) => Err(handed_on(&octets).unwrap_or_else(|| unreadable("not a JSON object"))),
        }
    }

    /// The octets of the next object, or of the start of the line that is none; no more than the limit and one.
    fn octets(&mut self) -> io::Result<Zeroizing<Vec<u8>>> {
        let mut octets = Zeroizing::new(Vec::new());
        let mut scan = Scan::default();
        loop {
            let chunk = self.stdin.fill_buf()?;
            let end = chunk.iter().position(|octet| scan.ends_at(*octet));
            let used = end.map_or(chunk.len(), |end| end + 1);
            octets.extend_from_slice(chunk.get(..used).unwrap_or_default());
            let done = end.is_some() || used == 0 || octets.len() > document::SIZE;
            self.stdin.consume(used);
            if octets.iter().all(|octet| WHITE.contains(octet)) {
                octets.clear();
            }
            if done {
                let start = octets.iter().position(|octet| !WHITE.contains(octet));
                octets.drain(..start.unwrap_or_default());
                return Ok(octets);
            }
        }
    }
}

/// Finds the last octet of a value: of an object its closing brace, of anything else the end of its line.
#[derive(Default)]
struct Scan {
    depth: usize,
    started: bool,
    in_string: bool,
    escaped: bool,
}

impl Scan {
    fn ends_at(&mut self, octet: u8) -> bool {
        if self.depth == 0 {
            let object = octet == b'{' && !self.started;
            self.started |= !WHITE.contains(&octet);
            self.depth = object.into();
            return self.started && !object && octet == b'\n';
        }
        match octet {
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = self.in_string,
            b'"' => self.in_string = !self.in_string,
            b'{' if !self.in_string => self.depth += 1,
            b'}' if !self.in_string => self.depth -= 1,
            _ => {}
        }
        self.depth == 0
    }
}

/// The member alone, as text and a newline.
fn raw(document: &Document, member: &str) -> Result<Zeroizing<String>, Error> {
    let json = document.json(member).ok_or_else(|| Error::member(member, "missing"))?;
    let mut text = match json.starts_with('"') {
        true => Zeroizing::new(document.need(member)?),
        false => Zeroizing::new(json.to_owned()),
    };
    if text.chars().any(char::is_control) {
        return Err(Error::member(member, "has a control character"));
    }
    text.push('\n');
    Ok(text)
}

/// A failure to print says so where what could not be printed can't be had again.
fn lost(mut error: Error, before: &Document, after: &Document) -> Error {
    let gained = |name: &str| after.has(name) && before.json(name) != after.json(name);
    let lost = match () {
        () if gained("access_token") => "the tokens",
        () if gained("code") => "the code",
        () => return error,
    };
    if error.kind == Kind::Unavailable {
        error.kind = Kind::LoginRequired;
    }
    error.report.quiet = false;
    error.report.message = format!("{}; {lost} that the server gave cannot be had again", error.report.message);
    error
}

/// The operating system's reason, without its number.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string().to_lowercase();
    match text.split_once(" (os error") {
        Some((reason, _)) => reason.to_owned(),
        None => text,
    }
}

fn empty() -> Error {
    unreadable("empty (did the step before fail?)")
}

fn unreadable(wrong: &str) -> Error {
    Error::usage(format!("standard input: {wrong}"))
}

fn unwritten(wrong: &str) -> Error {
    let mut error = Error::unavailable(format!("standard output: {wrong}"));
    error.report.quiet = wrong == UNREAD;
    error
}

/// Standard output without a buffer of its own, so that what is printed is printed in one write.
fn stdout() -> Result<File, Error> {
    let stdout = io::stdout().as_fd().try_clone_to_owned();
    stdout.map(File::from).map_err(|error| unwritten(&reason(&error)))
}

/// Whether standard output was closed at the start: the standard library then opens /dev/null there, for reading and
/// writing, where a shell's `>/dev/null` is for writing alone.
fn is_closed(stdout: &File) -> bool {
    let both_ways = rustix::fs::fcntl_getfl(stdout).is_ok_and(|flags| flags & OFlags::RWMODE == OFlags::RDWR);
    let null = std::fs::metadata("/dev/null").map(|metadata| metadata.rdev());
    let device = stdout.metadata().map(|metadata| metadata.rdev());
    both_ways && matches!((null, device), (Ok(null), Ok(device)) if null == device)
}

/// Keeps secrets out of core files, and of other programs' sight; a fault says where, never what.
fn guard() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    #[cfg(not(target_os = "linux"))]
    let _ = rustix::process::setrlimit(
        rustix::process::Resource::Core,
        rustix::process::Rlimit { current: Some(0), maximum: Some(0) },
    );
    panic::set_hook(Box::new(|fault| {
        let place = fault.location().map(ToString::to_string).unwrap_or_default();
        let error = Error::new(Kind::Fault, format!("internal error at {place}: please report it"));
        say(&told(&error));
        hand_on(&error);
        std::process::exit(Kind::Fault.status().into());
    }));
}

static NAME: OnceLock<String> = OnceLock::new();

const RAW: &str = "raw";

/// The operating system's words for a pipe that nobody reads.
const UNREAD: &str = "broken pipe";

/// White space between JSON values (RFC 8259 section 2).
const WHITE: [u8; 4] = *b" \t\r\n";
