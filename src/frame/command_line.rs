//! The command line: the option that tools share, and usage errors.

use std::error::Error as _;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command};

use super::output::{stdout, write_error};
use crate::error::Error;
use crate::message;

/// The `--raw` option of all tools that print documents.
pub fn raw_argument() -> Arg {
    Arg::new(RAW)
        .short('r')
        .long(RAW)
        .value_name("MEMBER")
        .help("Print only this member, as text, instead of the document")
}

/// Whether the command line names a COMMAND for a tool that runs one; known even if it is invalid.
pub fn has_command(tool: &Command, arguments: impl Iterator<Item = OsString>) -> bool {
    let mut after = arguments.skip_while(|argument| argument != "--");
    tool.get_positionals().any(Arg::is_last_set) && after.nth(1).is_some()
}

/// Whether an invalid command line requests output other than a document, where no failure line may be printed.
pub fn is_bare(mut arguments: impl Iterator<Item = OsString>) -> bool {
    arguments.any(|argument| {
        let argument = argument.to_string_lossy();
        let bare = ["-r", "--raw", "--as"];
        bare.iter().any(|option| argument.starts_with(option)) || argument == "--header"
    })
}

/// Whether a word that should be the COMMAND of `pkce-token` stands where only the OPERATION of `--as` may.
fn lacks_dashes(tool: &Command) -> bool {
    let partial = tool.clone().ignore_errors(true).try_get_matches();
    partial.is_ok_and(|given| {
        let has = |id| given.try_contains_id(id).unwrap_or(false);
        has("operation") && !["format", "host", "username"].into_iter().any(has)
    })
}

/// Prints help or the version; any other clap error is a usage error.
pub fn help_or_usage_error(error: &clap::Error, tool: &Command) -> Result<ExitCode, Error> {
    let is_helper = std::env::args_os()
        .take_while(|argument| argument != "--")
        .any(|argument| argument.to_string_lossy().starts_with("--as"));
    help_or_error(error, tool).map_err(|error| if is_helper { error.on_one_line() } else { error })
}

fn help_or_error(error: &clap::Error, tool: &Command) -> Result<ExitCode, Error> {
    if !matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let usage = usage_error(error);
        let is_too_many = error.kind() == ErrorKind::UnknownArgument && !usage.message().starts_with('-');
        let takes_command = tool.get_positionals().any(Arg::is_last_set);
        let takes_none = tool.get_positionals().next().is_none();
        return Err(if lacks_dashes(tool) || is_too_many && takes_command {
            let usage = Error::usage("arguments: too many");
            let name = if tool.get_positionals().all(Arg::is_last_set) { "" } else { " NAME" };
            usage.hint(format!("a command must follow --, as in: {}{name} -- COMMAND; {QUOTE}", message::name()))
        } else if is_too_many && takes_none {
            usage.hint(format!("the document is read from standard input: {} < FILE; {QUOTE}", message::name()))
        } else {
            usage
        });
    }
    let text = if error.kind() == ErrorKind::DisplayHelp {
        // What -h prints: the values of an option on one line, which the completions read.
        let help = Arg::new("help").short('h').long("help").action(ArgAction::Help).help("Print help");
        tool.clone().disable_help_flag(true).arg(help).render_help()
    } else {
        error.render()
    };
    let text = text.to_string();
    stdout()?.write_all(text.as_bytes()).map_err(|error| write_error(&error))?;
    Ok(ExitCode::SUCCESS)
}

/// The usage error in our own words: never the value itself, since it may be a secret.
pub fn usage_error(error: &clap::Error) -> Error {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => texts.first().cloned(),
        _ => None,
    };
    let named = context(ContextKind::InvalidArg).unwrap_or_default();
    let first = named.split([' ', '=']).next().unwrap_or_default();
    let is_option = first.starts_with('-');
    // A positional argument is named as in the usage line: <NAME>, [COMMAND]...
    let placeholder = || first.trim_start_matches(['<', '[']).split(['>', ']']).next().filter(|name| !name.is_empty());
    let subject = match error.kind() {
        _ if is_option => first,
        ErrorKind::UnknownArgument => "arguments",
        _ => placeholder().unwrap_or("arguments"),
    };
    let wrong = match error.kind() {
        ErrorKind::UnknownArgument if is_option => "no such option".to_owned(),
        ErrorKind::UnknownArgument => "too many".to_owned(),
        ErrorKind::MissingRequiredArgument => "missing".to_owned(),
        ErrorKind::ArgumentConflict => "repeated, or conflicts with another argument".to_owned(),
        ErrorKind::InvalidUtf8 => "not UTF-8".to_owned(),
        ErrorKind::InvalidValue if context(ContextKind::InvalidValue).is_none_or(|value| value.is_empty()) => {
            "requires a value".to_owned()
        }
        ErrorKind::InvalidValue => match error.get(ContextKind::ValidValue) {
            Some(ContextValue::Strings(values)) => format!("must be one of {}", values.join(", ")),
            _ => "invalid value".to_owned(),
        },
        _ => error.source().map_or("invalid".to_owned(), ToString::to_string),
    };
    let hint = match context(ContextKind::SuggestedArg) {
        suggested if first == "--client-secret" && suggested.as_deref() != Some("--client-secret-file") => {
            SECRET.to_owned()
        }
        Some(suggested) => format!("did you mean {suggested}?"),
        None => format!("see '{} --help'", message::name()),
    };
    Error::usage(format!("{subject}: {wrong}")).hint(hint)
}

/// What else may be the cause of an argument too many.
const QUOTE: &str = "quote a value that contains spaces";

/// What to do about a secret that is an argument.
const SECRET: &str = "other programs can read arguments; use pkce-exchange --client-secret-file FILE";

/// The name of the `raw_argument` option.
pub const RAW: &str = "raw";
