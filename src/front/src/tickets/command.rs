//! A command of a ticket: what one program would do, how far its life has come, and how it ended.
//!
//! A single request has one; a bundle has several, of which each is approved with the whole and runs, at most once, for
//! itself. What a command says never changes but for its life, and its end, once.

use std::sync::{Mutex, OnceLock};

use countersign_core::bundle::Step;
use countersign_core::condition::Seen;
use countersign_core::digest::Digest;
use countersign_core::outcome::Ended;
use countersign_core::plan::Plan;
use countersign_core::request::{Classified, RequestId};
use countersign_core::run_state::RunState;
use tokio::sync::watch;

use super::End;
use super::life::{Event, Life};
use crate::lock::lock;

/// One command.
#[derive(Debug)]
pub(crate) struct Command {
    /// The request and what the classifier said of it.
    pub(crate) case: Classified,
    /// What would run.
    pub(crate) plan: Plan,
    /// The plan's digest.
    pub(crate) digest: Digest,
    /// Its place in a bundle, if it is a step of one.
    pub(crate) place: Option<Step>,
    seen: Mutex<Vec<Seen>>,
    life: watch::Sender<Life>,
    end: OnceLock<End>,
}

impl Command {
    /// A command that nobody has allowed yet.
    pub(crate) fn of(case: Classified, plan: Plan, digest: Digest, place: Option<Step>) -> Self {
        let (seen, life) = (Mutex::default(), watch::Sender::new(Life::Asked));
        Self { case, plan, digest, place, seen, life, end: OnceLock::new() }
    }

    /// The id under which it runs; that of the ticket unless it is a step.
    pub(crate) fn id(&self) -> RequestId {
        self.plan.id
    }

    /// What was seen of the machine when it was last looked at.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        lock(&self.seen).clone()
    }

    /// The machine was looked at again.
    pub(crate) fn saw(&self, seen: Vec<Seen>) {
        *lock(&self.seen) = seen;
    }

    /// Takes a step of its life, if it may be taken; says whether it was. Of many who try the same at once one takes it.
    pub(crate) fn step(&self, event: Event, state: RunState) -> bool {
        self.life.send_if_modified(|life| {
            let next = life.after(event, state);
            *life = next.unwrap_or(*life);
            next.is_some()
        })
    }

    /// It is over, whether it ran or not. The first end counts.
    pub(crate) fn ended(&self, end: End) {
        // A second end cannot come: one task owns the request. Were there one, the first would stand.
        drop(self.end.set(end));
        // An end may come in every state.
        self.step(Event::End, RunState::Red);
    }

    /// Its end, if there is one already.
    pub(crate) fn end(&self) -> Option<&End> {
        self.end.get()
    }

    /// Whether its program has begun, and may be over.
    pub(crate) fn has_begun(&self) -> bool {
        *self.life.borrow() == Life::Running || self.end().is_some_and(|end| end.receipt.started.is_some())
    }

    /// Whether it ran as it should: to its own end, with status 0, and with nothing to be said against it.
    pub(crate) fn went_well(&self) -> bool {
        let receipt = self.end().map(|end| &end.receipt);
        receipt.is_some_and(|receipt| receipt.code.is_none() && receipt.ended == Some(Ended::Exited(0)))
    }
}
