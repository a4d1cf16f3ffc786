//! Silence: what was refused too often is not answered any more, and costs the log one record a minute. SEC-15.
//!
//! Enters: refusals, and requests that are not answered. Leaves: whether to answer, and how often nobody was answered
//! since the last record of it. What silences what is decided in the core.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Mutex;
use std::time::Duration;

use countersign_core::caller::Uid;
use countersign_core::code::{Code, Failure};
use countersign_core::policy::memory::{Deed, Memory, Refusals, Refuser};
use countersign_core::record::Record;

use crate::clock;
use crate::lock::lock;

/// How often silence towards one plan of one user is recorded.
pub(crate) const RECORD_EVERY: Duration = Duration::from_secs(60);

/// What was refused, and how often silence was kept since it was recorded.
#[derive(Debug, Default)]
pub(crate) struct Silence {
    refusals: Mutex<Refusals>,
    unrecorded: Mutex<HashMap<(Uid, Deed), u64>>,
}

impl Silence {
    /// Goes on from what was refused before this process began.
    pub(crate) fn new(refusals: Refusals) -> Self {
        Self { refusals: Mutex::new(refusals), unrecorded: Mutex::default() }
    }

    /// Whether to answer. The record is only made for whoever was refused anything.
    pub(crate) fn towards(&self, uid: Uid, record: impl FnOnce() -> Option<Deed>) -> Memory {
        let refusals = lock(&self.refusals);
        if !refusals.knows(uid) {
            return Memory::Clear;
        }
        record().map_or(Memory::Clear, |deed| refusals.of(uid, deed, clock::now()))
    }

    /// Somebody was refused what this record tells of.
    pub(crate) fn note(&self, uid: Uid, record: &Record, refuser: Refuser) {
        if let Some(deed) = Deed::of(record) {
            lock(&self.refusals).note(uid, deed, refuser, clock::now(), clock::now());
        }
    }

    /// Silence was kept; says whether it is the first time since the last record, so that a record is due now.
    pub(crate) fn kept(&self, uid: Uid, deed: Deed) -> bool {
        match lock(&self.unrecorded).entry((uid, deed)) {
            Entry::Occupied(mut times) => {
                let more = times.get().saturating_add(1);
                times.insert(more);
                false
            }
            Entry::Vacant(times) => {
                times.insert(0);
                true
            }
        }
    }

    /// How often silence was kept since the last record; counting begins anew, and ends if it was never.
    pub(crate) fn unrecorded(&self, uid: Uid, deed: Deed) -> Option<u64> {
        let mut unrecorded = lock(&self.unrecorded);
        match unrecorded.remove(&(uid, deed)) {
            Some(times) if times > 0 => {
                unrecorded.insert((uid, deed), 0);
                Some(times)
            }
            Some(_) | None => None,
        }
    }
}

/// All that is said to whom nothing is said.
pub(crate) fn no_answer() -> Failure {
    Failure::new(Code::Silenced, "The same was refused too often, so it is not answered now: do something else.")
}
