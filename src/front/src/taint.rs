//! The taint latch of each user: armed once output can reach it, or on its own word. SEC-4.
//!
//! ```text
//!   clean ──a job of its begins, output is collected, MarkTainted──▶ tainted
//!     ▲──an administrator, or its last process is seen to be gone──────┘
//! ```
//!
//! While armed, nothing that changes anything runs without a human, whatever the grant says. It never clears by the
//! caller, and not by a restart: the log says whose latch was armed when the last run of the broker ended.

mod processes;
mod watch;

use std::collections::HashSet;
use std::sync::Mutex;

use countersign_core::caller::Uid;
use countersign_core::policy::Taint;

use crate::lock::lock;

pub(crate) use watch::watch;

/// Whose latch is armed. At most one entry for each user that has a process.
#[derive(Debug, Default)]
pub(crate) struct Latches(Mutex<HashSet<Uid>>);

impl Latches {
    /// Goes on with those that were armed.
    pub(crate) fn new(armed: impl IntoIterator<Item = Uid>) -> Self {
        Self(Mutex::new(armed.into_iter().collect()))
    }

    /// Arms the latch; says whether it was clean.
    pub(crate) fn arm(&self, uid: Uid) -> bool {
        lock(&self.0).insert(uid)
    }

    /// Clears the latch, never on its user's word: see [`crate::control`]. Says whether it was armed.
    pub(crate) fn clear(&self, uid: Uid) -> bool {
        lock(&self.0).remove(&uid)
    }

    /// Whether it is armed.
    pub(crate) fn of(&self, uid: Uid) -> Taint {
        if lock(&self.0).contains(&uid) { Taint::Tainted } else { Taint::Clean }
    }

    /// Whose latches are armed.
    pub(crate) fn armed(&self) -> HashSet<Uid> {
        lock(&self.0).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_users_latch_is_not_anothers() {
        let other = Uid::try_from(7).unwrap();
        let latches = Latches::new([other]);
        assert!(latches.arm(Uid::ROOT) && !latches.arm(Uid::ROOT));
        assert!(latches.clear(other) && !latches.clear(other));
        assert_eq!((latches.of(Uid::ROOT), latches.of(other)), (Taint::Tainted, Taint::Clean));
        assert_eq!((latches.clear(other), latches.clear(Uid::ROOT), latches.clear(Uid::ROOT)), (false, true, false));
        assert_eq!(latches.of(Uid::ROOT), Taint::Clean);
    }
}
