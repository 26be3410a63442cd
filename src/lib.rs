//! What the tools of pkce-tools share. No API promise: this library serves the tools.
//!
//! The rooms, from the top; a room imports rooms further down only, and no two files import each other:
//!
//! | room | holds |
//! |---|---|
//! | `bin` | one file per tool: its options and one step |
//! | [`frame`] | what surrounds a step: the nine verbs, standard input and output, failures |
//! | [`idp`] | pkce-idp, the authorization server for testing |
//! | [`stored`] | the store, and what is handed out of it |
//! | [`login`] | the steps of a login, and the summary of a document |
//! | [`id_token`] | the ID token, its keys and claims |
//! | [`client`] | what each step of a client shares: metadata, authentication, one POST, and the types of its values |
//! | [`wire`] | URLs, forms, HTTP, pages |
//! | [`document`] | the JSON object that flows between the tools, and the table of its members |
//! | [`process`] | environment, arguments, the deadline, signals, threads, descriptors, users, files that the user names, the terminal, the reader of the output |
//! | [`error`], [`message`], [`standard_error`] | how a tool fails, what it says, and where |

pub mod client;
pub mod document;
pub mod error;
pub mod frame;
pub mod id_token;
pub mod idp;
pub mod login;
pub mod message;
pub mod process;
pub mod standard_error;
pub mod stored;
pub mod wire;

pub use document::Document;
pub use error::Error;
