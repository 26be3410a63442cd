//! A command that runs inside the server: told where it is, ended with it.

use std::ffi::OsString;
use std::process::{Command, ExitCode};
use std::thread;

use super::{CLIENT_ID, Idp};
use crate::{Error, child};

/// Runs the command while the server answers, and gives the command's status.
pub fn run(idp: Idp, program: &OsString, words: &[OsString]) -> Result<ExitCode, Error> {
    let mut command = Command::new(program);
    command.args(words).env("PKCE_ISSUER", &idp.service.issuer).env("PKCE_CLIENT_ID", CLIENT_ID);
    if idp.service.auto_approve {
        command.env("BROWSER", format!("{} --visit %s", this_program()));
    }
    child::run(&mut command, |_| drop(thread::spawn(move || idp.serve())))
}

/// How `$BROWSER` can name this program: by its path, where that is one word of that list, else by its name.
fn this_program() -> String {
    let path = std::env::current_exe().ok().and_then(|path| path.into_os_string().into_string().ok());
    let plain = |path: &String| !path.contains([':', '%']) && !path.contains(char::is_whitespace);
    path.filter(plain).unwrap_or_else(|| "pkce-idp".to_owned())
}
