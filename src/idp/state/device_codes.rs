//! Device codes: RFC 8628.

use std::time::{Duration, Instant};

use super::authorization_request::{AuthorizationRequest, Recipient};
use super::bounded::{Bounded, Key};
use super::code_challenge;
use super::person::Person;
use crate::client::pkce;
use crate::error::Error;
use crate::idp::laxity::Laxities;
use crate::idp::parameters::Parameters;
use crate::idp::refusal::Refusal;

/// All device codes, with their user codes.
pub struct DeviceCodes {
    codes: Bounded<DeviceCode>,
    /// The device codes, by their user code.
    user_codes: Bounded<Key>,
    attempts: Attempts,
}

struct DeviceCode {
    request: AuthorizationRequest,
    decision: Decision,
    until: Instant,
    interval: Duration,
    polled: Option<Instant>,
}

enum Decision {
    Pending,
    Denied,
    Granted(Person),
}

/// How often a wrong user code was entered lately.
struct Attempts {
    since: Instant,
    wrong: u32,
}

impl DeviceCodes {
    /// No device codes yet.
    pub fn new() -> DeviceCodes {
        DeviceCodes {
            // As long again, so that an expired code can be told from an unknown one.
            codes: Bounded::new(LIFETIME * 2),
            user_codes: Bounded::new(LIFETIME),
            attempts: Attempts { since: Instant::now(), wrong: 0 },
        }
    }

    /// A device code for a request that waits for a person, unless this person has granted it.
    pub fn add(&mut self, request: AuthorizationRequest, person: Option<Person>) -> Result<String, Error> {
        let device_code = pkce::random(32)?.to_string();
        let (key, until) = (device_code.as_str().into(), Instant::now() + LIFETIME);
        let decision = person.map_or(Decision::Pending, Decision::Granted);
        if let Recipient::Device(user_code) = &request.recipient {
            self.user_codes.add(normalized(user_code), key);
        }
        self.codes.add(key, DeviceCode { request, decision, until, interval: INTERVAL, polled: None });
        Ok(device_code)
    }

    /// The request that waits for the person who entered this user code, in any case and with or without the dash; or
    /// what is wrong with it.
    pub fn enter(&mut self, user_code: &str) -> Result<AuthorizationRequest, &'static str> {
        if self.attempts.are_too_many() {
            return Err("Too many wrong codes were entered. Try again in 5 minutes.");
        }
        match self.pending(user_code) {
            Some(code) => Ok(code.request.clone()),
            None => {
                self.attempts.wrong += 1;
                Err(UNKNOWN)
            }
        }
    }

    /// Records the decision on the request of this user code: the person who grants it, or none who denies it.
    pub fn decide(&mut self, user_code: &str, person: Option<Person>) -> Result<(), &'static str> {
        let code = self.pending(user_code).ok_or(UNKNOWN)?;
        code.decision = person.map_or(Decision::Denied, Decision::Granted);
        Ok(())
    }

    /// The request of a device code and the person who granted it, once; or why there are no tokens (section 3.5).
    pub fn poll(
        &mut self,
        key: Key,
        parameters: &Parameters,
        laxities: &Laxities,
    ) -> Result<(AuthorizationRequest, Person), Refusal> {
        let code = self.codes.get_mut(key).ok_or(("invalid_grant", "unknown device code"))?;
        if parameters.one("client_id") != Some(&code.request.client_id) {
            return Err(("invalid_grant", "the device code was issued to another client"));
        }
        let challenge = code.request.code_challenge.as_deref();
        code_challenge::verify(challenge, parameters.one("code_verifier"), laxities)
            .map_err(|(_, description)| ("invalid_grant", description))?;
        // Before the code is taken: a request that is refused spends nothing.
        code.request.granted_resources(parameters)?;
        let person = code.person(Instant::now())?;
        let code = self.codes.take(key).ok_or(("invalid_grant", "unknown device code"))?;
        Ok((code.request, person))
    }

    /// The device code of this user code, while it waits for a person.
    fn pending(&mut self, user_code: &str) -> Option<&mut DeviceCode> {
        let key = *self.user_codes.get(normalized(user_code))?;
        self.codes.get_mut(key).filter(|code| matches!(code.decision, Decision::Pending))
    }
}

impl DeviceCode {
    /// The person who granted the request, where the device polls at this time; a poll that is too soon makes the
    /// interval longer for good.
    fn person(&mut self, now: Instant) -> Result<Person, Refusal> {
        if self.until <= now {
            return Err(("expired_token", "the device code has expired"));
        }
        let too_soon = self.polled.replace(now).is_some_and(|polled| now < polled + self.interval);
        if too_soon {
            self.interval += SLOW_DOWN;
            return Err(("slow_down", "the device polls too often; wait 5 seconds longer between polls"));
        }
        match &self.decision {
            Decision::Pending => Err(("authorization_pending", "the user has not decided yet")),
            Decision::Denied => Err(("access_denied", "the user denied access")),
            Decision::Granted(person) => Ok(person.clone()),
        }
    }
}

impl Attempts {
    /// Whether there were so many that no further one is allowed for now (section 5.1).
    fn are_too_many(&mut self) -> bool {
        if self.since.elapsed() >= LIFETIME {
            *self = Attempts { since: Instant::now(), wrong: 0 };
        }
        self.wrong >= MAX_WRONG
    }
}

/// A random user code: eight consonants, so that it spells no word (section 6.1), with a dash in the middle.
pub fn user_code() -> Result<String, Error> {
    let mut code = String::new();
    while code.len() < 9 {
        if code.len() == 4 {
            code.push('-');
        }
        let number = usize::from(pkce::random_number()?);
        // Beyond the last whole round the first letters would come more often.
        let is_fair = number < usize::from(u16::MAX) / LETTERS.len() * LETTERS.len();
        code.extend(LETTERS.chars().nth(number % LETTERS.len()).filter(|_| is_fair));
    }
    Ok(code)
}

/// The key of a user code as a person enters it (section 6.1).
fn normalized(user_code: &str) -> Key {
    let letters = user_code.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|letter| letter.to_ascii_uppercase()).collect::<String>().as_str().into()
}

/// How long a device code is valid.
pub const LIFETIME: Duration = Duration::from_secs(300);

/// How long a device waits between polls, until it is told to slow down: short, since a script waits.
pub const INTERVAL: Duration = Duration::from_secs(1);

/// How much longer a device waits that polled too soon (section 3.5).
const SLOW_DOWN: Duration = Duration::from_secs(5);

/// How many wrong user codes may be entered in the life of a code. Of a thousand codes that wait at once, one is guessed
/// with a probability of 4 in a million.
const MAX_WRONG: u32 = 100;

const LETTERS: &str = "BCDFGHJKLMNPQRSTVWXZ";

const UNKNOWN: &str = "This code is unknown, expired or already used.";

#[cfg(test)]
mod tests {
    use super::*;

    fn code() -> DeviceCode {
        let challenge = pkce::challenge(&"v".repeat(43));
        let form = format!("client_id=a&code_challenge_method=S256&code_challenge={challenge}");
        let parameters = Parameters::of_form(&form).unwrap();
        let request = AuthorizationRequest::for_device(&parameters, &Laxities::default(), "BCDF-GHJK").unwrap();
        assert!(matches!(&request.recipient, Recipient::Device(code) if code == "BCDF-GHJK"));
        let until = Instant::now() + LIFETIME;
        DeviceCode { request, decision: Decision::Pending, until, interval: INTERVAL, polled: None }
    }

    #[test]
    fn makes_the_interval_longer_for_good_after_each_poll_that_is_too_soon() {
        let (mut code, start) = (code(), Instant::now());
        for (milliseconds, error) in [
            (0, "authorization_pending"),
            (999, "slow_down"),
            (6998, "slow_down"),
            (17_997, "slow_down"),
            (33_997, "authorization_pending"),
            (49_997, "authorization_pending"),
            (65_996, "slow_down"),
            (299_000, "authorization_pending"),
            (301_000, "expired_token"),
        ] {
            let (received, _) = code.person(start + Duration::from_millis(milliseconds)).err().unwrap();
            assert_eq!(received, error, "{milliseconds}");
        }
    }

    #[test]
    fn gives_the_decision_to_a_poll_that_is_not_too_soon() {
        let (mut code, start) = (code(), Instant::now());
        code.decision = Decision::Granted(Person { name: "alice".to_owned(), auth_time: 0 });
        assert_eq!(code.person(start).unwrap().name, "alice");
        assert_eq!(code.person(start).err().unwrap().0, "slow_down");
        code.decision = Decision::Denied;
        assert_eq!(code.person(start + Duration::from_secs(6)).err().unwrap().0, "access_denied");
    }

    #[test]
    fn makes_user_codes_of_eight_consonants_that_are_entered_in_any_form() {
        for _ in 0..100 {
            let code = user_code().unwrap();
            let (first, second) = code.split_once('-').unwrap();
            assert_eq!((first.len(), second.len()), (4, 4), "{code}");
            assert!([first, second].concat().chars().all(|letter| LETTERS.contains(letter)), "{code}");
        }
        for entered in ["bcdfghjk", " BCDF GHJK ", "BcDf-GhJk\n"] {
            assert!(normalized(entered) == normalized("BCDF-GHJK"), "{entered:?}");
        }
    }
}
