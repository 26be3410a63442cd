//! An OAuth error in the making: RFC 6749 sections 4.1.2.1 and 5.2.

/// `error` and `error_description`.
pub type Refusal = (&'static str, &'static str);
