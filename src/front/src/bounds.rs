//! Bounds: how much of a thing one caller may have at once, and how much all callers together. SEC-15.
//!
//! A [`Place`] is taken before something begins and comes back by itself when its holder is dropped, on every path.
//! A refusal charges nothing. Never waits: who finds no place is told so. What a grant bounds is in [`crate::budget`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use countersign_core::caller::Uid;
use countersign_core::code::{Code, Failure};

use crate::lock::lock;

/// How many bus calls of one user are worked on at once.
pub(crate) const CALLS_PER_USER: usize = 96;
/// How many bus calls are worked on at once in all.
pub(crate) const CALLS_IN_ALL: usize = 1_024;
/// How many dialogs that one administrator asked for are open at once.
pub(crate) const DIALOGS_PER_USER: usize = 4;
/// How often one user reads the policy's files at once; they are half a megabyte.
pub(crate) const READINGS_PER_USER: usize = 2;
/// How often they are read at once in all.
pub(crate) const READINGS_IN_ALL: usize = 8;
/// How many questions of one user the log is asked at once; each reads up to 32 MiB.
pub(crate) const QUESTIONS_PER_USER: usize = 2;
/// How many it is asked at once in all.
pub(crate) const QUESTIONS_IN_ALL: usize = 8;
/// How many such dialogs are open at once in all.
pub(crate) const DIALOGS_IN_ALL: usize = 64;

/// A bound on one kind of thing, per user and in all.
#[derive(Debug, Clone)]
pub(crate) struct Quota {
    taken: Arc<Mutex<HashMap<Uid, usize>>>,
    what: &'static str,
    per_user: usize,
    in_all: usize,
}

/// One place within a [`Quota`], given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    quota: Quota,
    uid: Uid,
}

impl Quota {
    /// A bound on `what` (a plural, for the sentence of a refusal).
    pub(crate) fn new(what: &'static str, per_user: usize, in_all: usize) -> Self {
        Self { taken: Arc::default(), what, per_user, in_all }
    }

    /// Takes a place for this user.
    ///
    /// # Errors
    /// `OverBudget` if the user, or all users together, have as many as they may.
    pub(crate) fn take(&self, uid: Uid) -> Result<Place, Failure> {
        let mut taken = lock(&self.taken);
        let all = taken.values().fold(0_usize, |sum, count| sum.saturating_add(*count));
        let mine = taken.get(&uid).copied().unwrap_or(0);
        if mine >= self.per_user || all >= self.in_all {
            return Err(Failure::new(
                Code::OverBudget,
                format!("There are too many {} at once: wait until one ends.", self.what),
            ));
        }
        taken.insert(uid, mine.saturating_add(1));
        Ok(Place { quota: self.clone(), uid })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.quota.taken);
        match taken.get(&self.uid).copied() {
            Some(count) if count > 1 => drop(taken.insert(self.uid, count.saturating_sub(1))),
            Some(_) | None => drop(taken.remove(&self.uid)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uid(id: u32) -> Uid {
        Uid::try_from(id).unwrap()
    }

    #[test]
    fn the_bounds_hold_at_n_and_n_plus_one() {
        let quota = Quota::new("jobs", 2, 3);
        let first = quota.take(uid(1)).unwrap();
        let _second = quota.take(uid(1)).unwrap();
        assert_eq!(quota.take(uid(1)).unwrap_err().code, Code::OverBudget);
        let _third = quota.take(uid(2)).unwrap();
        assert_eq!(quota.take(uid(2)).unwrap_err().code, Code::OverBudget, "all places are taken");
        drop(first);
        assert!(quota.take(uid(2)).is_ok());
    }

    #[test]
    fn a_refusal_charges_nothing_and_the_last_place_leaves_no_trace() {
        let quota = Quota::new("jobs", 1, 9);
        let only = quota.take(uid(1)).unwrap();
        for _ in 0..5 {
            assert!(quota.take(uid(1)).is_err());
        }
        drop(only);
        assert!(lock(&quota.taken).is_empty());
        assert!(quota.take(uid(1)).is_ok());
    }
}
