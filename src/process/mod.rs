//! What a process has from its surroundings: environment, arguments, time, signals, and who reads its output.

pub mod arguments;
pub mod deadline;
pub mod environment;
pub mod reader;
pub mod signals;

pub use deadline::Deadline;
