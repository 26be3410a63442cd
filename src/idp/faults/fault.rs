//! The faults of one run, as `--fault` names them.

use std::sync::atomic::{AtomicU32, Ordering};

use super::effect::Effect;
use super::kind::{Kind, Place};
use super::kinds::KINDS;
use crate::idp::laxity::Laxities;

/// A fault as `--fault` names it: `KIND`, or `KIND@N` for the Nth occasion alone.
#[derive(Clone)]
pub struct Fault {
    kind: &'static Kind,
    at: Option<u32>,
}

impl Fault {
    /// The fault in the value of `--fault`.
    pub fn parse(text: &str) -> Result<Fault, String> {
        let (name, at) = match text.split_once('@') {
            Some((name, at)) => (name, Some(at)),
            None => (text, None),
        };
        let kind = KINDS.iter().find(|kind| kind.name == name).ok_or("unknown kind; --list-faults prints all kinds")?;
        let at = at.map(|at| at.parse().ok().filter(|at| *at > 0).ok_or("the number after @ must be 1 or more"));
        match (at.transpose()?, &kind.effect) {
            (Some(_), Effect::Lax(_)) => Err("this kind applies to all requests; it takes no @N".to_owned()),
            (at, _) => Ok(Fault { kind, at }),
        }
    }
}

/// The faults of one run, each with the number of its occasions so far.
#[derive(Default)]
pub struct Faults(Vec<(Fault, AtomicU32)>);

impl Faults {
    /// These faults, before the first occasion.
    pub fn new(faults: Vec<Fault>) -> Faults {
        Faults(faults.into_iter().map(|fault| (fault, AtomicU32::new(0))).collect())
    }

    /// The effects of the faults that happen this time at this place; each call is one occasion.
    pub fn strike(&self, place: Place) -> Vec<Effect> {
        let here = self.0.iter().filter(|(fault, _)| fault.kind.place == place);
        let struck = here.filter(|(fault, occasions)| {
            let occasion = occasions.fetch_add(1, Ordering::Relaxed) + 1;
            fault.at.is_none_or(|at| at == occasion)
        });
        struck.map(|(fault, _)| fault.kind.effect).collect()
    }

    /// The checks that the server omits.
    pub fn laxities(&self) -> Laxities {
        let laxity = |(fault, _): &(Fault, _)| match fault.kind.effect {
            Effect::Lax(laxity) => Some(laxity),
            _ => None,
        };
        Laxities(self.0.iter().filter_map(laxity).collect())
    }
}
