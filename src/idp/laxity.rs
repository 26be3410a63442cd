//! The checks that a lax server omits, so that a test of its strictness has something to find.

/// One check that the server omits.
#[derive(Clone, Copy, PartialEq)]
pub enum Laxity {
    /// It takes no notice of PKCE.
    NoPkce,
    /// It accepts the method `plain`.
    Plain,
    /// It requires no code challenge.
    NoChallenge,
    /// It accepts any code verifier.
    AnyVerifier,
    /// It requires no code verifier.
    NoVerifier,
    /// It accepts a code more than once.
    Replay,
    /// It sends no `iss`.
    NoIss,
    /// It issues no refresh tokens.
    NoRefresh,
    /// It does not rotate refresh tokens.
    NoRotation,
    /// It accepts a rotated refresh token again.
    Reuse,
    /// It revokes nothing.
    NoRevocation,
    /// Its codes are longer than clients expect.
    LongCodes,
    /// Its tokens are longer than clients expect.
    LongTokens,
}

/// All checks that the server omits.
#[derive(Clone, Default)]
pub struct Laxities(pub Vec<Laxity>);

impl Laxities {
    /// Whether this is one of them.
    pub fn have(&self, laxity: Laxity) -> bool {
        self.0.contains(&laxity)
    }
}
