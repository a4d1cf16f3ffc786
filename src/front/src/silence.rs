//! Silence: what was refused too often is not answered any more, and costs the log one record a minute. So does whoever has
//! no room in the log for more that is not taken in. SEC-15.
//!
//! Enters: refusals, and requests that are not answered. Leaves: whether to answer, and how often nobody was answered
//! since the last record of it. What silences what, and how much room there is, is decided in the core.

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

/// A minute, so that whoever floods the log adds next to nothing to it.
const RECORD_EVERY: Duration = Duration::from_secs(60);

/// What is counted instead of being recorded each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Unanswered {
    /// A plan of one user that was refused too often.
    Deed(Uid, Deed),
    /// All that one user has no room for.
    Crowd(Uid),
}

/// What was refused, and how often silence was kept since it was recorded.
#[derive(Debug)]
pub(crate) struct Silence {
    /// How often it is recorded that nobody was answered.
    pub(crate) every: Duration,
    refusals: Mutex<Refusals>,
    unrecorded: Mutex<HashMap<Unanswered, u64>>,
}

impl Silence {
    /// Goes on from what was refused before this process began.
    pub(crate) fn new(refusals: Refusals) -> Self {
        Self { every: RECORD_EVERY, refusals: Mutex::new(refusals), unrecorded: Mutex::default() }
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

    /// Silence was kept so many times, at least once; says whether these are the first since the last record, so that a record
    /// of one of them is due now.
    pub(crate) fn kept(&self, what: Unanswered, times: u64) -> bool {
        match lock(&self.unrecorded).entry(what) {
            Entry::Occupied(mut before) => {
                let more = before.get().saturating_add(times);
                before.insert(more);
                false
            }
            Entry::Vacant(before) => {
                before.insert(times.saturating_sub(1));
                true
            }
        }
    }

    /// How often silence was kept since the last record; counting begins anew, and ends if it was never.
    pub(crate) fn unrecorded(&self, what: Unanswered) -> Option<u64> {
        let mut unrecorded = lock(&self.unrecorded);
        match unrecorded.remove(&what) {
            Some(times) if times > 0 => {
                unrecorded.insert(what, 0);
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

#[cfg(test)]
mod tests {
    use countersign_core::policy::{Mode, Ruleset};
    use countersign_core::record::{Draft, Stamp};
    use countersign_core::request::{Request, RequestId};
    use countersign_core::run_state::RunState;
    use countersign_core::salt::Salt;

    use super::*;
    use crate::pipeline::tests::stage::{GRANTED, ask, caller, policy};

    fn record(words: &[&str]) -> Draft {
        let ruleset = Ruleset { version: 1, digest: countersign_core::digest::Digest::ZERO };
        let (state, mode) = (RunState::Green, Mode::Guarded);
        let stamp = Stamp { time: clock::now(), boot_id: "x".to_owned(), monotonic_ms: 1, state, mode, ruleset };
        let (ask, salt) = (ask(words), Salt::from_random([0; 16]));
        let id = RequestId::from_random(id_of(words));
        let request =
            Request::new(id, salt, caller(GRANTED), ask.action, ask.claims, ask.narrowing, ask.secrets).unwrap();
        Draft::finished(&stamp, &request.classify(policy("").rules()))
    }

    /// Another id for other words; the id must not matter.
    fn id_of(words: &[&str]) -> u128 {
        u128::try_from(words.concat().len()).unwrap()
    }

    #[test]
    fn three_refusals_silence_and_only_who_was_refused_is_looked_for() {
        let (silence, uid) = (Silence::new(Refusals::default()), Uid::ROOT);
        let draft = record(&["change", "x"]);
        assert_eq!(silence.towards(uid, || unreachable!("nobody was refused anything")), Memory::Clear);
        for _ in 0..3 {
            assert_eq!(silence.towards(uid, || Deed::of(draft.record())), Memory::Clear);
            silence.note(uid, draft.record(), Refuser::Human);
        }
        assert_eq!(silence.towards(uid, || Deed::of(draft.record())), Memory::Silent);
        assert_eq!(silence.towards(uid, || Deed::of(record(&["change", "yy"]).record())), Memory::Clear);
    }

    #[test]
    fn silence_is_recorded_at_once_then_with_its_count_and_counting_ends() {
        let (silence, uid) = (Silence::new(Refusals::default()), Uid::ROOT);
        let deed = Unanswered::Deed(uid, Deed::of(record(&["change", "x"]).record()).unwrap());
        for what in [deed, Unanswered::Crowd(uid)] {
            assert!(silence.kept(what, 1), "the first is recorded at once");
            for _ in 0..9 {
                assert!(!silence.kept(what, 1));
            }
            assert_eq!(silence.unrecorded(what), Some(9));
            assert!(!silence.kept(what, 1));
            assert_eq!(silence.unrecorded(what), Some(1));
            assert_eq!(silence.unrecorded(what), None, "nothing came");
            assert!(lock(&silence.unrecorded).is_empty(), "and nothing is left of it");
            assert!(silence.kept(what, 5) && !silence.kept(what, 2));
            assert_eq!(silence.unrecorded(what), Some(6), "one of them was recorded at once");
            assert_eq!(silence.unrecorded(what), None);
        }
    }
}
