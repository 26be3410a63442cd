//! The process: environment, arguments, deadline, signals, and the reader of its output.

pub mod arguments;
pub mod deadline;
pub mod environment;
pub mod reader;
pub mod signals;

pub use deadline::Deadline;
