//! A folder for the kept documents.
#![allow(dead_code)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use super::common::{Folder, Output, command, finish};

pub const DOCUMENT: &str = "{\"access_token\":\"a\",\"issuer\":\"https://id.example\",\"own\":1.10,\
                        \"refresh_token\":\"r3fresh-r3fresh\",\"token_endpoint\":\"https://id.example/token\"}\n";

/// A folder for the documents, which is not there yet, in one that is gone at the end.
pub struct Home(pub Folder);

impl Home {
    pub fn new(name: &str) -> Home {
        Home(Folder::new(&format!("store-{name}")))
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.0.0.join("kept").join(file)
    }

    pub fn folder(&self) -> PathBuf {
        self.0.0.join("kept")
    }

    pub fn command(&self, tool: &str) -> Command {
        let mut command = command(tool);
        command.env("PKCE_HOME", self.folder());
        command
    }

    pub fn store(&self, document: &str) -> Output {
        finish(self.command("pkce-store").arg("work"), document.as_bytes())
    }

    pub fn load(&self) -> Output {
        finish(self.command("pkce-load").arg("work"), b"")
    }

    pub fn bash(&self, script: &str) -> Output {
        finish(self.command("bash").args(["-c", script]).current_dir(&self.0.0), DOCUMENT.as_bytes())
    }

    pub fn mode(&self, file: &str) -> u32 {
        fs::metadata(self.path(file)).unwrap().permissions().mode() & 0o7777
    }

    pub fn files(&self) -> Vec<String> {
        let files = fs::read_dir(self.folder()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut files: Vec<String> = files.collect();
        files.sort();
        files
    }
}

/// What a success without output leaves.
pub fn fine() -> Output {
    Output { status: 0, stdout: String::new(), stderr: String::new() }
}
