//! The process: environment, arguments, deadline, signals, threads, descriptors, users, the commands that it runs, files
//! that the user names, the terminal, and the reader of its output.

pub mod arguments;
pub mod command;
pub mod deadline;
pub mod descriptor;
pub mod environment;
pub mod input;
pub mod link;
pub mod named_file;
pub mod poll;
pub mod reader;
pub mod shell;
pub mod signals;
pub mod terminal;
pub mod threads;
pub mod user;

pub use deadline::Deadline;
