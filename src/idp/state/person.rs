//! The person who signs in.

/// A person who is signed in.
#[derive(Clone)]
pub struct Person {
    /// The name that was entered; `sub` in tokens.
    pub name: String,
    /// When they signed in, in Unix seconds.
    pub auth_time: u64,
}
