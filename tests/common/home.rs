//! A store for tests of what is in it.
#![allow(dead_code)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::common::{Output, command, finish, new_directory};

pub const DOCUMENT: &str = "{\"access_token\":\"a\",\"issuer\":\"https://id.example\",\"own\":1.10,\
                        \"refresh_token\":\"r3fresh-r3fresh\",\"token_endpoint\":\"https://id.example/token\"}\n";

/// The shells that a script of ours must run in, as they are started.
pub const SHELLS: [&[&str]; 4] = [&["dash"], &["bash"], &["busybox", "sh"], &["zsh", "--emulate", "sh"]];

/// A store that does not exist yet, in a directory that is removed at the end.
pub struct Home {
    pub root: TempDir,
}

impl Home {
    pub fn new() -> Home {
        Home { root: new_directory() }
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.root.path().join("store").join(file)
    }

    pub fn directory(&self) -> PathBuf {
        self.root.path().join("store")
    }

    pub fn command(&self, tool: &str) -> Command {
        let mut command = command(tool);
        command.env("PKCE_HOME", self.directory());
        command
    }

    /// A script of ours with this store, in this shell.
    pub fn script(&self, shell: &[&str], tool: &str) -> Command {
        let mut command = self.command(shell[0]);
        command.args(&shell[1..]).arg(super::common::tool(tool));
        command
    }

    pub fn store(&self, document: &str) -> Output {
        finish(self.command("pkce-store").arg("work"), document.as_bytes())
    }

    pub fn load(&self) -> Output {
        finish(self.command("pkce-load").arg("work"), b"")
    }

    pub fn bash(&self, script: &str) -> Output {
        finish(self.command("bash").args(["-c", script]).current_dir(self.root.path()), DOCUMENT.as_bytes())
    }

    pub fn mode(&self, file: &str) -> u32 {
        fs::metadata(self.path(file)).unwrap().permissions().mode() & 0o7777
    }

    pub fn files(&self) -> Vec<String> {
        let files =
            fs::read_dir(self.directory()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut files: Vec<String> = files.collect();
        files.sort();
        files
    }
}

/// What a success without output leaves.
pub fn success() -> Output {
    Output { status: 0, stdout: String::new(), stderr: String::new() }
}

/// What a tool says on standard error alone.
pub fn said(status: i32, stderr: &str) -> Output {
    Output { status, stdout: String::new(), stderr: format!("{stderr}\n") }
}
