//! Budgets as the pipeline holds them: what is reserved comes back by itself, on every path. SEC-15.
//!
//! ```text
//!   reserve ──▶ Held ──spend(part)──▶ counted from now on      dropped ──▶ the rest is given back
//! ```
//!
//! Enters: charges. Leaves: a [`Held`], or a refusal that has changed nothing. Never waits: who finds no room is told so,
//! and when there will be some. What is counted and for how long is decided in the core.

use std::sync::{Arc, Mutex};

use countersign_core::caller::Uid;
use countersign_core::code::Failure;
use countersign_core::policy::budget::{Accounts, Charge, Limits};

use crate::clock;
use crate::lock::lock;

/// What everybody holds and has spent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Budgets(Arc<Mutex<Accounts>>);

/// What one user holds.
#[derive(Debug)]
pub(crate) struct Held {
    budgets: Budgets,
    uid: Uid,
    charge: Charge,
}

impl Budgets {
    /// Goes on from what was spent before this process began.
    pub(crate) fn new(accounts: Accounts) -> Self {
        Self(Arc::new(Mutex::new(accounts)))
    }

    /// Everything that stands against this charge, without taking it.
    pub(crate) fn against(&self, uid: Uid, limits: &Limits, charge: &Charge) -> Vec<Failure> {
        lock(&self.0).overs(uid, limits, charge, clock::now()).iter().map(|over| over.failure()).collect()
    }

    /// Takes all of the charge, or nothing.
    ///
    /// # Errors
    /// `OverBudget`, naming the budget and when it frees.
    pub(crate) fn reserve(&self, uid: Uid, limits: &Limits, charge: Charge) -> Result<Held, Failure> {
        lock(&self.0).reserve(uid, limits, &charge, clock::now()).map_err(|over| over.failure())?;
        Ok(Held { budgets: self.clone(), uid, charge })
    }

    #[cfg(test)]
    pub(crate) fn accounts(&self) -> Accounts {
        lock(&self.0).clone()
    }
}

impl Held {
    /// Counts what was spent of this part, from now on; the rest of the part is given back, and what is not of the part
    /// stays held.
    pub(crate) fn spend(&mut self, part: Charge, spent: Charge) {
        let part = self.charge.common(part);
        lock(&self.budgets.0).settle(self.uid, &part, &spent, clock::now());
        self.charge = self.charge.less(part);
    }

    /// Counts what was spent of all of it, from now on.
    pub(crate) fn settle(mut self, spent: Charge) {
        self.spend(self.charge, spent);
    }

    /// Splits a part off, to be given back apart.
    pub(crate) fn split(&mut self, part: Charge) -> Self {
        let part = self.charge.common(part);
        self.charge = self.charge.less(part);
        Self { budgets: self.budgets.clone(), uid: self.uid, charge: part }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        lock(&self.budgets.0).settle(self.uid, &self.charge, &Charge::NONE, clock::now());
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::code::Code;
    use countersign_core::policy::budget::{Allowance, Budget};
    use countersign_core::tier::Tier;

    use super::*;

    fn used(budgets: &Budgets) -> [u64; 6] {
        Budget::ALL.map(|budget| budgets.accounts().used(Uid::ROOT, budget, clock::now()))
    }

    #[test]
    fn what_is_dropped_comes_back_and_what_is_spent_does_not() {
        let (budgets, limits) = (Budgets::default(), Allowance::default().limits());
        let charge = Charge::request(Tier::T3, true);
        drop(budgets.reserve(Uid::ROOT, &limits, charge).unwrap());
        assert_eq!(budgets.accounts().users(), 0);
        let mut held = budgets.reserve(Uid::ROOT, &limits, charge).unwrap();
        let part = Charge { waiting: 0, ..charge };
        held.spend(part, part);
        assert_eq!(used(&budgets), [1, 0, 1, 0, 1, 1]);
        drop(held);
        assert_eq!(used(&budgets), [1, 0, 0, 0, 1, 1], "it waits no longer, but it was asked");
    }

    #[test]
    fn parts_come_back_apart() {
        let (budgets, limits) = (Budgets::default(), Allowance::default().limits());
        let mut held = budgets.reserve(Uid::ROOT, &limits, Charge::job(5_000)).unwrap();
        let place = held.split(Charge { jobs: 1, ..Charge::NONE });
        held.spend(Charge { jobs: 9, job_ms: u64::MAX, ..Charge::NONE }, Charge { job_ms: 20, ..Charge::NONE });
        assert_eq!(used(&budgets), [0, 1, 0, 20, 0, 0]);
        drop(held);
        assert_eq!(used(&budgets), [0, 1, 0, 20, 0, 0]);
        drop(place);
        assert_eq!(used(&budgets), [0, 0, 0, 20, 0, 0]);
    }

    #[test]
    fn a_refusal_says_which_and_when_and_changes_nothing() {
        let (budgets, limits) = (Budgets::default(), Allowance::default().limits());
        let charge = Charge { prompts: 60, ..Charge::NONE };
        budgets.reserve(Uid::ROOT, &limits, charge).unwrap().spend(charge, charge);
        let before = budgets.accounts();
        let failure = budgets.reserve(Uid::ROOT, &limits, Charge::request(Tier::T2, true)).unwrap_err();
        assert_eq!(failure.code, Code::OverBudget);
        assert!(failure.sentence.contains("60 questions to people per hour"), "{failure}");
        assert_eq!(budgets.against(Uid::ROOT, &limits, &Charge::request(Tier::T2, true)), [failure]);
        assert_eq!(budgets.accounts(), before);
    }
}
