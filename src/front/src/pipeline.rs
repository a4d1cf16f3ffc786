//! The request's life, on one screen. SEC-2, SEC-6, SEC-12.
//!
//! ```text
//!   caller ─▶ bounds ─▶ Request ─▶ run state ─▶ classify ─▶ judge: grant, deny list, hold, mode, ceiling, profile,
//!               │                      │                      │    narrowing, taint, memory
//!               ▼                      ▼                      ▼
//!            rejected              rejected         denied, or silence       budget ─▶ conditions ─▶ pin ─▶ draw ─▶ plan here
//!
//!   ─┬─ allow: by its grant ──────────────────┐
//!    └─ hold: people, in place or queued ─▶ Approved ─▶ budget, conditions, taint, state, mode, ruleset, people, expiry ─▶ seal
//!         │ no, expiry, withdrawal                          │                                                   │
//!         ▼ (record)                                        ▼ (record)   intent (record) ─▶ run ─▶ result (record)
//! ```
//!
//! A bundle passes all of it as one request whose commands are looked at, sealed and run in turn: see [`steps`].
//!
//! Enters: a proven caller and what it asks for. Leaves: a ticket, and at its end a receipt. Every way out writes
//! exactly one record, a run two, silence one a minute, and so does all that is not taken in and finds no room
//! ([`lobby`]). What is refused has charged no budget. Nothing here knows the bus, and nothing here can make an order but from an
//! approval.

mod close;
mod consider;
mod decide;
mod lobby;
mod recheck;
mod run;
mod steps;

use std::sync::{Arc, Mutex};

use countersign_core::caller::{BusName, Caller};
use countersign_core::code::{Code, Failure};
use countersign_core::policy::Policy;
use countersign_core::policy::budget::Lobby;
use countersign_core::request::RequestId;
use countersign_core::run_state::RunState;
use countersign_core::tier::Tier;
use tokio::sync::mpsc;

use crate::approve::Humans;
use crate::approve::polkit::Person;
use crate::approve::queue::Answer;
use crate::ask::{Ask, Asks, Files};
use crate::audit::Ledger;
use crate::budget::{Budgets, Held};
use crate::clock;
use crate::conditions::Conditions;
use crate::launch::Launcher;
use crate::lock::lock;
use crate::recall::Recalled;
use crate::silence::Silence;
use crate::standing::{Intake, Now, Standing};
use crate::taint::Latches;
use crate::tickets::{End, Phase, Ticket, Tickets, Withdrawal};
use decide::Way;

pub(crate) use consider::{Shown, no_grant};
pub(crate) use decide::{Decision, Seen};
pub(crate) use steps::ShownSteps;

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
    /// The files of the policy in force.
    pub(crate) files: Mutex<crate::config::Files>,
    /// What was seen of the machine, for the rules that ask something of it.
    pub(crate) conditions: Conditions,
    /// Held while the policy is read again, so that two readings do not cross.
    pub(crate) reloading: tokio::sync::Mutex<()>,
    policy: Mutex<Arc<Policy>>,
    pub(crate) budgets: Budgets,
    silence: Silence,
    lobby: Mutex<Lobby>,
    news: mpsc::Sender<News>,
}

impl Pipeline {
    pub(crate) fn new(
        policy: Arc<Policy>,
        launcher: Arc<dyn Launcher>,
        humans: Arc<dyn Humans>,
        ledger: Ledger,
        standing: Arc<Standing>,
        recalled: Recalled,
        news: mpsc::Sender<News>,
    ) -> Self {
        Self {
            launcher,
            humans,
            ledger,
            standing,
            tickets: Tickets::default(),
            latches: Latches::new(recalled.tainted),
            files: Mutex::default(),
            conditions: Conditions::default(),
            reloading: tokio::sync::Mutex::default(),
            policy: Mutex::new(policy),
            budgets: Budgets::new(recalled.accounts),
            silence: Silence::new(recalled.refusals),
            lobby: Mutex::default(),
            news,
        }
    }

    /// On this machine; without it, on one of which nothing is known.
    pub(crate) fn on(self, conditions: Conditions) -> Self {
        Self { conditions, ..self }
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
        if ticket.ruleset() != self.policy().ruleset() {
            ticket.slot.give(Answer::Outdated);
        }
    }

    fn withdraw_if_ending(&self, ticket: &Ticket) {
        match self.standing.now() {
            Now { intake: Intake::Open, .. } => {}
            Now { state: RunState::Red, .. } => ticket.withdraw(Withdrawal::Stopped),
            Now { intake: Intake::Draining, .. } => ticket.withdraw(Withdrawal::Restarting),
            Now { intake: Intake::Closed, .. } => ticket.withdraw(Withdrawal::ShuttingDown),
        }
    }

    /// Says everything that would happen; nothing does.
    ///
    /// # Errors
    /// The caller may not ask, or has no room for plans, or what it asks for is not well-formed or not there.
    pub(crate) async fn plan(self: &Arc<Self>, caller: &Caller, ask: Ask) -> Result<Shown, Failure> {
        self.admit(caller, 1).await?;
        let policy = self.policy();
        let facts = (self.latches.of(caller.uid), clock::now().after(policy.settings().expiry()));
        match self.show(&policy, caller, &ask, facts).await {
            Ok(shown) => {
                self.tell_of_plan(shown.draft(&self.ledger.stamp(&policy))).await?;
                Ok(shown)
            }
            Err(ending) => Err(self.conclude(*ending).await.without(&ask.secrets)),
        }
    }

    /// What a caller sent is no request: one record, as long as there is room for it, and the failure back.
    pub(crate) async fn reject(self: &Arc<Self>, caller: &Caller, failure: Failure) -> Failure {
        let ending = self.within_room(caller, self.rejected(&self.policy(), caller, failure));
        self.conclude(ending).await
    }

    /// Takes a request or a bundle in and sees it through in a task of its own. `person` may be asked in place.
    ///
    /// # Errors
    /// It was denied, or is not well-formed; then there is no ticket, and the record is written.
    pub(crate) async fn submit(
        self: &Arc<Self>,
        caller: &Caller,
        asks: impl Into<Asks>,
        person: Option<Person>,
    ) -> Result<Arc<Ticket>, Failure> {
        let (policy, asks) = (self.policy(), asks.into());
        let mut considered = match self.consider_each(&policy, caller, &asks) {
            Ok(considered) => considered,
            Err(ending) => return Err(self.conclude(*ending).await.without(&asks.first.secrets)),
        };
        let (drawn, held) = match self.take_in(&policy, &mut considered, &asks).await {
            Ok(taken) => taken,
            Err(stumbled) => {
                let ending = self.within_room(caller, considered.ending(&self.ledger.stamp(&policy), stumbled));
                return Err(self.conclude(ending).await.without(&asks.first.secrets));
            }
        };
        let (detached, files) = (asks.first.detached, asks.into_iter().map(|ask| ask.files).collect());
        let (ticket, way) = considered.into_ticket(drawn, &policy, detached);
        let ticket = Arc::new(ticket);
        self.tickets.open(Arc::clone(&ticket));
        // The policy may have changed since it was planned, or the broker begun to end, before it could be found among those
        // that wait.
        self.void_if_outdated(&ticket);
        self.withdraw_if_ending(&ticket);
        tokio::spawn(Arc::clone(self).see_through(Arc::clone(&ticket), way, held, files, person));
        Ok(ticket)
    }

    /// From the verdict to the end.
    async fn see_through(
        self: Arc<Self>,
        ticket: Arc<Ticket>,
        way: Way,
        waits: Held,
        files: Vec<Files>,
        person: Option<Person>,
    ) {
        let _owed = Owed(Arc::clone(&ticket));
        let approved = self.approve(&ticket, way, person).await;
        drop(waits);
        match approved {
            Ok(approved) => self.run_each(&ticket, approved, files).await,
            Err(not_approved) => self.close_each(&ticket, &not_approved).await,
        }
        ticket.ended();
        self.tell(&ticket);
    }

    /// A connection is gone: what hangs on it ends.
    pub(crate) fn departed(&self, name: &BusName) {
        self.tickets.of_connection(name).iter().for_each(|ticket| ticket.withdraw(Withdrawal::CallerLeft));
    }

    /// Nobody must hear of it, so nobody is waited for.
    fn tell(&self, ticket: &Ticket) {
        self.news.try_send(News { id: ticket.id(), phase: ticket.phase(), tier: ticket.tier() }).ok();
    }
}

/// Ends a request whose task broke, so that nobody waits for it. Its intent, if it has one, is closed at the next start.
pub(crate) struct Owed(pub(crate) Arc<Ticket>);

impl Drop for Owed {
    fn drop(&mut self) {
        for command in self.0.commands.iter().filter(|command| command.end().is_none()) {
            let failure = Failure::new(Code::Internal, "The broker failed over this request: see the journal.");
            let receipt = close::not_run(&self.0, command, &failure, Vec::new(), None);
            command.ended(End { receipt, result: Err(failure) });
        }
        self.0.ended();
    }
}

#[cfg(test)]
pub(crate) mod tests;
