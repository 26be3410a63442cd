//! The process: environment, arguments, deadline, signals, threads, descriptors, users, the command that it runs, files
//! that the user names, and the reader of its output.

pub mod arguments;
pub mod command;
pub mod deadline;
pub mod descriptor;
pub mod environment;
pub mod named_file;
pub mod poll;
pub mod reader;
pub mod signals;
pub mod threads;
pub mod user;

pub use deadline::Deadline;
