//! Lobby: what is not taken in is recorded as far as there is room for it, and beyond that only counted. SEC-15.
//!
//! ```text
//!   Plan ──────────────────────────admit─┐
//!   Submit ─▶ judged ─▶ no ─────────────┼─ room ▶ its record          none ▶ OverBudget, and one record a minute that says
//!   Control, malformed ─▶ refused ──────┘                                   how often
//! ```
//!
//! Enters: endings of what is not taken in. Leaves: the same, or that there is no room. What is taken in, and so every read that
//! runs, never comes here; nor does a stop. How much room there is, is decided in the core.

use std::sync::Arc;

use countersign_core::caller::Caller;
use countersign_core::code::Failure;
use countersign_core::digest::canonical;
use countersign_core::policy::budget::{Crowded, LEAST};
use countersign_core::record::{Draft, Stamp};

use super::Pipeline;
use super::consider::Ending;
use crate::clock;
use crate::lock::lock;
use crate::silence::{Unanswered, no_answer};

impl Pipeline {
    /// Whether the caller has room for one more record.
    ///
    /// # Errors
    /// It has none. That is not counted yet.
    pub(crate) fn room(&self, caller: &Caller) -> Result<(), Crowded> {
        lock(&self.lobby).check(caller.uid, self.most(caller), 1, clock::now())
    }

    /// Takes room for the records of a call that takes nothing in, before it costs anything.
    ///
    /// # Errors
    /// `OverBudget`: there is not so much, and that is counted.
    pub(super) async fn admit(self: &Arc<Self>, caller: &Caller, records: usize) -> Result<(), Failure> {
        match self.take_room(caller, u64::try_from(records).unwrap_or(u64::MAX)) {
            Ok(()) => Ok(()),
            Err(crowded) => Err(self.conclude(self.crowd(caller, &crowded, 1)).await),
        }
    }

    /// Refuses a call that is none for a request: one record, as long as there is room for it, and the failure back.
    pub(crate) async fn refuse(self: &Arc<Self>, caller: &Caller, draft: Draft, failure: Failure) -> Failure {
        let ending = self.within_room(caller, Ending { draft: Some(draft), failure });
        self.conclude(ending).await
    }

    /// The same ending if there is room for its record, or none is due; otherwise that there is none.
    pub(super) fn within_room(self: &Arc<Self>, caller: &Caller, ending: Ending) -> Ending {
        if ending.draft.is_none() {
            return ending;
        }
        match self.take_room(caller, 1) {
            Ok(()) => ending,
            Err(crowded) => self.crowd(caller, &crowded, 1),
        }
    }

    /// The ending of what there is no room for, so many times: counted, and recorded if that is due.
    pub(super) fn crowd(self: &Arc<Self>, caller: &Caller, crowded: &Crowded, times: u64) -> Ending {
        let unanswered = Unanswered::Crowd(caller.uid);
        let draft = self.silence.kept(unanswered, times).then(|| {
            let (recorded, asker) = (crowded.recorded(), caller.clone());
            let rejected = move |stamp: &Stamp| Draft::rejected(stamp, &asker, &recorded);
            self.count(unanswered, caller.clone(), rejected)
        });
        Ending { draft, failure: crowded.failure() }
    }

    /// The first record of what is counted from now on. What comes within the next minute is recorded with its number at its
    /// end, and so on until nothing came.
    pub(super) fn count(
        self: &Arc<Self>,
        what: Unanswered,
        caller: Caller,
        draft: impl Fn(&Stamp) -> Draft + Send + 'static,
    ) -> Draft {
        let first = draft(&self.ledger.stamp(&self.policy())).with_times(1);
        let pipeline = Arc::clone(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(pipeline.silence.every).await;
                let Some(times) = pipeline.silence.unrecorded(what) else { return };
                let draft = draft(&pipeline.ledger.stamp(&pipeline.policy())).with_times(times);
                drop(pipeline.conclude(pipeline.counted(what, &caller, draft, times)).await);
            }
        });
        first
    }

    /// The ending of so many that were counted. A plan that is not answered needs room like all else; that there is none always
    /// has its record.
    fn counted(self: &Arc<Self>, what: Unanswered, caller: &Caller, draft: Draft, times: u64) -> Ending {
        let ending = Ending { draft: Some(draft), failure: no_answer() };
        match what {
            Unanswered::Crowd(_) => ending,
            Unanswered::Deed(..) => match self.take_room(caller, 1) {
                Ok(()) => ending,
                Err(crowded) => self.crowd(caller, &crowded, times),
            },
        }
    }

    /// Writes the record of a plan, for which room was taken.
    ///
    /// # Errors
    /// `AuditUnavailable`.
    pub(super) async fn tell_of_plan(&self, draft: Draft) -> Result<(), Failure> {
        self.weigh(&draft);
        self.ledger.write(draft).await.map(drop)
    }

    /// A large record takes more room than the one place that was taken for it.
    pub(super) fn weigh(&self, draft: &Draft) {
        let Some(caller) = &draft.record().caller else { return };
        let bytes = canonical(draft.record()).map_or(u64::MAX, |body| u64::try_from(body.len()).unwrap_or(u64::MAX));
        lock(&self.lobby).weigh(caller.uid, bytes, clock::now());
    }

    fn take_room(&self, caller: &Caller, records: u64) -> Result<(), Crowded> {
        let most = self.most(caller);
        lock(&self.lobby).take(caller.uid, most, records, clock::now())
    }

    /// Who has no grant has little to say.
    fn most(&self, caller: &Caller) -> u64 {
        self.policy().grants().of(caller).map_or(LEAST, |grant| grant.budgets.limits().room())
    }
}
