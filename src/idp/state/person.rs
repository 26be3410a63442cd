//! The person who signs in.

/// A person who is signed in.
#[derive(Clone)]
pub struct Person {
    /// The name that was entered; `sub` in tokens.
    pub name: String,
    /// When they signed in, in Unix seconds.
    pub auth_time: u64,
}

impl Person {
    /// How long ago they signed in, in seconds; 0 if the clock was set back since.
    pub fn age(&self, now: u64) -> u64 {
        now.saturating_sub(self.auth_time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_no_age_where_the_clock_was_set_back() {
        let person = Person { name: "alice".to_owned(), auth_time: 1000 };
        assert_eq!([999, 1000, 1060, 0].map(|now| person.age(now)), [0, 0, 60, 0]);
    }
}
