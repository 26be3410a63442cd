//! pkce-login in each shell: against pkce-idp, and with stand-ins of the tools that write down what they are given.
#![cfg(test)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/home.rs"]
mod home;
#[path = "../common/mcp.rs"]
mod mcp;
#[path = "../common/provider.rs"]
mod provider;
#[path = "../common/terminal.rs"]
mod terminal;

mod messages;
mod remembered;
mod resource;
mod server;
mod stand_ins;

use std::process::Command;

use common::{Output, finish};
use home::{Home, SHELLS, said};

/// pkce-login with the store of this home, in this shell.
pub fn login_in(shell: &[&str], home: &Home, args: &[&str]) -> Command {
    let mut command = home.script(shell, "pkce-login");
    command.args(args);
    command
}

/// pkce-login as it is, with the store of this home.
pub fn login(home: &Home, args: &[&str]) -> Output {
    finish(home.command("pkce-login").args(args), b"")
}
