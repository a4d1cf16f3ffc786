//! The request's life, on one screen. SEC-2, SEC-6, SEC-12.
//!
//! ```text
//!   caller ─▶ Request ─▶ classify ─▶ judge ─▶ pin ─▶ draw ─┬─ allow: by its grant ───────────┐
//!                │           deny │                        └─ hold: a human, in place or     │
//!                ▼                ▼                                 from the queue ─▶ Approved
//!            rejected          denied       no, expiry, withdrawal ▼                         ▼ seal
//!            (record)         (record)                          (record)     intent (record) ─▶ run ─▶ result (record)
//! ```
//!
//! Enters: a proven caller and what it asks for. Leaves: a ticket, and at its end a receipt. Every way out writes
//! exactly one record, a run two. Nothing here knows the bus, and nothing here can make an order but from an approval.

mod close;
mod consider;
mod decide;
mod run;

use std::sync::{Arc, Mutex};

use countersign_core::approval::Approved;
use countersign_core::caller::{BusName, Caller};
use countersign_core::code::{Code, Failure};
use countersign_core::order::{NotSealed, Order};
use countersign_core::policy::{Policy, Verdict};
use countersign_core::request::RequestId;
use countersign_core::tier::Tier;
use tokio::sync::mpsc;

use crate::approve::Humans;
use crate::approve::polkit::Person;
use crate::approve::queue::{Answer, NotApproved};
use crate::ask::{Ask, Files};
use crate::audit::Ledger;
use crate::bounds::{self, Place, Quota};
use crate::clock;
use crate::launch::Launcher;
use crate::lock::lock;
use crate::notice::Notices;
use crate::standing::Standing;
use crate::taint::Latches;
use crate::tickets::{End, Phase, Ticket, Tickets, Withdrawal};

pub(crate) use consider::{Shown, no_grant};
pub(crate) use decide::{Decision, Seen};

/// What everybody may know of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct News {
    /// Which.
    pub(crate) id: RequestId,
    /// How far it has come.
    pub(crate) phase: Phase,
    /// Its tier.
    pub(crate) tier: Tier,
}

/// What the pipeline works with.
pub(crate) struct Pipeline {
    pub(crate) launcher: Arc<dyn Launcher>,
    pub(crate) humans: Arc<dyn Humans>,
    pub(crate) ledger: Ledger,
    pub(crate) standing: Arc<Standing>,
    pub(crate) tickets: Tickets,
    pub(crate) latches: Latches,
    pub(crate) notices: Notices,
    /// Held while the policy is read again, so that two readings do not cross.
    pub(crate) reloading: tokio::sync::Mutex<()>,
    policy: Mutex<Arc<Policy>>,
    waiting: Quota,
    jobs: Quota,
    news: mpsc::Sender<News>,
}

impl Pipeline {
    pub(crate) fn new(
        policy: Arc<Policy>,
        launcher: Arc<dyn Launcher>,
        humans: Arc<dyn Humans>,
        ledger: Ledger,
        standing: Arc<Standing>,
        news: mpsc::Sender<News>,
    ) -> Self {
        Self {
            launcher,
            humans,
            ledger,
            standing,
            tickets: Tickets::default(),
            latches: Latches::default(),
            notices: Notices::default(),
            reloading: tokio::sync::Mutex::default(),
            policy: Mutex::new(policy),
            waiting: Quota::new("requests waiting for a decision", bounds::WAITING_PER_USER, bounds::WAITING_IN_ALL),
            jobs: Quota::new("jobs", bounds::JOBS_PER_USER, bounds::JOBS_IN_ALL),
            news,
        }
    }

    /// The policy in force.
    pub(crate) fn policy(&self) -> Arc<Policy> {
        Arc::clone(&lock(&self.policy))
    }

    /// Puts another policy in force. What waits under the old one is void, and whoever waits is told; what was approved
    /// under it is refused by the last re-check.
    pub(crate) fn put_in_force(&self, policy: Arc<Policy>) {
        *lock(&self.policy) = policy;
        self.tickets.unfinished().iter().for_each(|ticket| self.void_if_outdated(ticket));
    }

    fn void_if_outdated(&self, ticket: &Ticket) {
        if ticket.plan.ruleset != self.policy().ruleset() {
            ticket.slot.give(Answer::Outdated);
        }
    }

    /// Says everything that would happen; nothing does.
    ///
    /// # Errors
    /// The caller may not ask, or what it asks for is not well-formed or not there.
    pub(crate) async fn plan(&self, caller: &Caller, ask: Ask) -> Result<Shown, Failure> {
        let policy = self.policy();
        match self.show(&policy, caller, &ask).await {
            Ok(shown) => {
                self.ledger.write(shown.draft(&self.ledger.stamp(&policy))).await?;
                Ok(shown)
            }
            Err(ending) => Err(self.conclude(*ending).await),
        }
    }

    /// What a caller sent is no request: one record, and the failure back.
    pub(crate) async fn reject(&self, caller: &Caller, failure: Failure) -> Failure {
        let ending = self.rejected(&self.policy(), caller, failure);
        self.conclude(ending).await
    }

    /// Takes a request in and sees it through in a task of its own. `person` may be asked in place.
    ///
    /// # Errors
    /// It was denied, or is not well-formed; then there is no ticket, and the record is written.
    pub(crate) async fn submit(
        self: &Arc<Self>,
        caller: &Caller,
        ask: Ask,
        person: Option<Person>,
    ) -> Result<Arc<Ticket>, Failure> {
        let policy = self.policy();
        let considered =
            match self.consider(&policy, caller, &ask).and_then(|considered| self.admit(&policy, considered)) {
                Ok(considered) => considered,
                Err(ending) => return Err(self.conclude(*ending).await),
            };
        let (plan, digest) = match self.draw(&policy, &considered, ask.directory).await {
            Ok(drawn) => drawn,
            Err(failure) => return Err(self.conclude(considered.ending(&self.ledger.stamp(&policy), failure)).await),
        };
        let (case, verdict, place) = considered.into_parts();
        let ticket = Arc::new(Ticket::new(case, (&verdict).into(), plan, digest, clock::now(), ask.detached));
        self.tickets.open(Arc::clone(&ticket));
        // The policy may have changed since it was planned, before it could be found among those that wait.
        self.void_if_outdated(&ticket);
        tokio::spawn(Arc::clone(self).see_through(Arc::clone(&ticket), verdict, place, ask.files, person));
        Ok(ticket)
    }

    /// From the verdict to the end.
    async fn see_through(
        self: Arc<Self>,
        ticket: Arc<Ticket>,
        verdict: Verdict,
        place: Option<Place>,
        files: Files,
        person: Option<Person>,
    ) {
        let _owed = Owed(Arc::clone(&ticket));
        let approved = self.approve(&ticket, verdict, person).await;
        drop(place);
        let end = match approved.and_then(|approved| self.seal(approved)) {
            Ok(order) => self.run(&ticket, order, files).await,
            Err(not_approved) => self.close(&ticket, not_approved).await,
        };
        ticket.ended(end);
        self.tell(&ticket);
    }

    /// The last re-check, and the order. A failed one does not burn the approval, but there is no second try either:
    /// the caller asks anew.
    fn seal(&self, approved: Approved) -> Result<Order, NotApproved> {
        let sealed = Order::seal(approved, &self.policy(), self.standing.state(), clock::now());
        sealed.map_err(|NotSealed { failure, .. }| failure.into())
    }

    /// A connection is gone: what hangs on it ends.
    pub(crate) fn departed(&self, name: &BusName) {
        self.tickets.of_connection(name).iter().for_each(|ticket| ticket.withdraw(Withdrawal::CallerLeft));
    }

    /// Nobody must hear of it, so nobody is waited for.
    fn tell(&self, ticket: &Ticket) {
        self.news.try_send(News { id: ticket.id(), phase: ticket.phase(), tier: ticket.plan.tier }).ok();
    }
}

/// Ends a request whose task broke, so that nobody waits for it. Its intent, if it has one, is closed at the next start.
pub(crate) struct Owed(pub(crate) Arc<Ticket>);

impl Drop for Owed {
    fn drop(&mut self) {
        if self.0.end().is_none() {
            let failure = Failure::new(Code::Internal, "The broker failed over this request: see the journal.");
            self.0.ended(End { receipt: close::not_run(&self.0, &failure, None, None), result: Err(failure) });
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
