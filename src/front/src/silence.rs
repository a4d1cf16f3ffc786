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
        let (silence, uid) = (Silence::default(), Uid::ROOT);
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
        let (silence, uid) = (Silence::default(), Uid::ROOT);
        let deed = Deed::of(record(&["change", "x"]).record()).unwrap();
        assert!(silence.kept(uid, deed), "the first is recorded at once");
        for _ in 0..9 {
            assert!(!silence.kept(uid, deed));
        }
        assert_eq!(silence.unrecorded(uid, deed), Some(9));
        assert!(!silence.kept(uid, deed));
        assert_eq!(silence.unrecorded(uid, deed), Some(1));
        assert_eq!(silence.unrecorded(uid, deed), None, "nothing came");
        assert!(silence.kept(uid, deed) && lock(&silence.unrecorded).len() == 1);
    }
}
