//! Refusal memory: a plan that was refused three times within an hour is not answered any more. SEC-15.
//!
//! ```text
//!   refused, by a human or by policy ──note──▶ 1 ─▶ 2 ─▶ 3 ──▶ silent, until the oldest of the three is an hour old
//! ```
//!
//! Enters: who was refused what, when. Leaves: whether to answer. What counts as the same is a [`Deed`]. One user's
//! refusals never silence another's, and their number is bounded.

use std::collections::HashMap;
use std::time::Duration;

use crate::caller::Uid;
use crate::code::Code;
use crate::digest::Digest;
use crate::record::Record;
use crate::tier::{Ruling, Tier};
use crate::time::Moment;

/// How many refusals silence a plan.
pub const REFUSALS: usize = 3;
/// For how long a refusal counts.
pub const WINDOW: Duration = Duration::from_secs(3_600);
/// How many plans of one user are remembered. What a human refused is forgotten last.
pub const MOST: usize = 1_024;

/// What a plan would do, whenever and under whichever id it is asked for: words, directory, names in the environment and
/// sandbox, under one policy. A change of the policy therefore begins anew. It is made from the record and not from the
/// request, so that what the log hides does not tell plans apart, and the log is enough to know it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Deed(Digest);

impl Deed {
    /// What the request of this record would do; nothing if the record is of no request.
    #[must_use]
    pub fn of(record: &Record) -> Option<Self> {
        let Record { id, argv, cwd, env_names, profile, ruleset, .. } = record;
        id.and(Digest::of_canonical(&(argv, cwd, env_names, profile, ruleset)).ok()).map(Self)
    }
}

/// Whether a person's no in this record is held against what the record tells of. A no to a bundle is none to its reads:
/// nobody was asked for their sake.
#[must_use]
pub fn is_refused(record: &Record) -> bool {
    let read_in_a_bundle = record.bundle.is_some() && record.tier == Some(Ruling::Tier(Tier::T0));
    record.code == Some(Code::Refused) && !read_in_a_bundle
}

/// Who refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refuser {
    /// The policy.
    Policy,
    /// A person.
    Human,
}

/// Whether a plan is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// It was not refused too often.
    Clear,
    /// It was.
    Silent,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Remembered {
    refuser: Refuser,
    /// The newest refusals, oldest first; at most [`REFUSALS`].
    times: Vec<Moment>,
}

/// What was refused to whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusals(HashMap<Uid, HashMap<Deed, Remembered>>);

impl Refusals {
    /// Notes a refusal.
    pub fn note(&mut self, uid: Uid, deed: Deed, refuser: Refuser, at: Moment, now: Moment) {
        self.forget(now);
        let deeds = self.0.entry(uid).or_default();
        let remembered = deeds.entry(deed).or_insert(Remembered { refuser, times: Vec::new() });
        remembered.refuser = remembered.refuser.max(refuser);
        remembered.times.push(at);
        remembered.times.sort_unstable();
        let excess = remembered.times.len().saturating_sub(REFUSALS);
        remembered.times.drain(..excess);
        if deeds.len() > MOST {
            let least =
                deeds.iter().min_by_key(|(_, remembered)| (remembered.refuser, remembered.times.last().copied()));
            if let Some(least) = least.map(|(deed, _)| *deed) {
                deeds.remove(&least);
            }
        }
    }

    /// Whether this plan of this user is answered.
    #[must_use]
    pub fn of(&self, uid: Uid, deed: Deed, now: Moment) -> Memory {
        let times = self.0.get(&uid).and_then(|deeds| deeds.get(&deed)).map_or(&[][..], |found| &found.times);
        if times.iter().filter(|at| counts(**at, now)).count() >= REFUSALS { Memory::Silent } else { Memory::Clear }
    }

    /// Whether anything was refused to this user.
    #[must_use]
    pub fn knows(&self, uid: Uid) -> bool {
        self.0.contains_key(&uid)
    }

    /// For how many plans of all users something is remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.values().fold(0, |sum, deeds| sum.saturating_add(deeds.len()))
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Lets go of what counts no longer.
    pub fn forget(&mut self, now: Moment) {
        self.0.retain(|_, deeds| {
            deeds.retain(|_, remembered| remembered.times.last().is_some_and(|at| counts(*at, now)));
            !deeds.is_empty()
        });
    }
}

/// A refusal of the near future, after the clock was set back, counts; one of the far future would for ever.
fn counts(at: Moment, now: Moment) -> bool {
    at.after(WINDOW) > now && now.after(WINDOW) > at
}

#[cfg(test)]
mod tests;
