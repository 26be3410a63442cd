//! A JSON object in a file, such as a client's metadata.

use std::path::Path;

use crate::document::Document;
use crate::error::Error;
use crate::process::Deadline;
use crate::process::named_file::NamedFile;

/// A file with a JSON object, which is read once.
pub struct ObjectFile {
    subject: &'static str,
    file: NamedFile,
    object: Option<Document>,
}

impl ObjectFile {
    /// Opens the file, and reads it unless it is a pipe; `subject`, such as `--metadata`, begins the messages.
    pub fn open(subject: &'static str, path: &Path, deadline: &Deadline) -> Result<ObjectFile, Error> {
        let mut object = ObjectFile { subject, file: NamedFile::open(subject, path)?, object: None };
        if !object.file.is_pipe {
            object.object = Some(object.read(deadline)?);
        }
        Ok(object)
    }

    /// The object; status 2 if it is none, or larger than 64 KiB.
    pub fn object(mut self, deadline: &Deadline) -> Result<Document, Error> {
        match self.object.take() {
            Some(object) => Ok(object),
            None => self.read(deadline),
        }
    }

    fn read(&mut self, deadline: &Deadline) -> Result<Document, Error> {
        let octets = self.file.read(MAX_SIZE, deadline)?;
        let wrong = |wrong: &str| Error::usage(format!("{}: {wrong}", self.subject));
        if octets.len() > MAX_SIZE {
            return Err(wrong("larger than 64 KiB"));
        }
        Document::parse(&octets).map_err(|reason| wrong(&reason))
    }
}

/// Maximum size in octets: a client's metadata names a logo by its URL.
const MAX_SIZE: usize = 64 * 1024;
