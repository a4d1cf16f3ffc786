//! Tickets: the open requests and those that ended a while ago, by id. A bundle is one ticket with several commands.
//!
//! ```text
//!   waiting ──▶ running ──▶ done ──(collected or not, after a while)──▶ gone
//!      └──────────────────▶
//! ```
//!
//! What a ticket says of its request never changes; what changes is how far the lives of its commands have come, by the
//! steps of [`life`], and its end, once.

mod command;
mod life;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use countersign_core::bundle::Bundle;
use countersign_core::caller::{BusName, Uid};
use countersign_core::code::{Code, Failure};
use countersign_core::digest::Digest;
use countersign_core::outcome::Outcome;
use countersign_core::plan::PlanCaller;
use countersign_core::policy::Ruleset;
use countersign_core::receipt::{BundleReceipt, Receipt};
use countersign_core::record::Judgement;
use countersign_core::redact::Secrets;
use countersign_core::request::{Request, RequestId};
use countersign_core::run_state::RunState;
use countersign_core::tier::Tier;
use countersign_core::time::Moment;
use tokio::sync::watch;

use crate::approve::queue::Slot;
use crate::lock::lock;
use crate::output::Output;
use crate::row::Row;

pub(crate) use command::Command;
pub(crate) use life::Event;

/// How long the end of a request can be collected.
const KEPT_FOR: Duration = Duration::from_secs(600);
/// How many ended requests are kept in all; the oldest goes first.
pub(crate) const KEPT: usize = 256;
/// How many ended requests of one user are kept, so that one user's do not push out another's.
pub(crate) const KEPT_PER_USER: usize = 64;

/// How far a request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Nothing runs yet: a human must decide, or the last checks are under way.
    Waiting,
    /// The job runs.
    Running,
    /// It is over, whether it ran or not.
    Done,
}

impl Phase {
    /// The phase's name on the bus.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
        }
    }
}

/// Who took a request back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Withdrawal {
    /// Its caller, or an operator.
    Asked,
    /// Its caller's connection is gone.
    CallerLeft,
    /// The broker stops.
    Stopped,
    /// The broker restarts: what waits is void, what runs may finish.
    Restarting,
    /// The machine goes down.
    ShuttingDown,
}

impl Withdrawal {
    /// What the caller is told.
    pub(crate) fn failure(self) -> Failure {
        match self {
            Self::Asked => Failure::new(Code::Cancelled, "The request was taken back."),
            Self::CallerLeft => Failure::new(Code::Cancelled, "The caller went away, and its request with it."),
            Self::Stopped => {
                Failure::new(Code::Stopped, "The broker was stopped: an operator clears it with `countersign clear`.")
            }
            Self::ShuttingDown => Failure::new(Code::Cancelled, "The machine goes down: ask again when it is back."),
            Self::Restarting => {
                Failure::new(Code::Cancelled, "The broker restarted and what waited is void: ask again.")
            }
        }
    }
}

/// A job that ran.
#[derive(Debug)]
pub(crate) struct Ran {
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// What it wrote.
    pub(crate) output: Output,
}

/// The end of a request.
#[derive(Debug)]
pub(crate) struct End {
    /// What ran, or why nothing did.
    pub(crate) result: Result<Ran, Failure>,
    /// The receipt, for either.
    pub(crate) receipt: Receipt,
}

impl End {
    /// The same without values that the caller named as secret in its sentences.
    pub(crate) fn without(self, secrets: &Secrets) -> Self {
        let sentence = secrets.hidden_in(&self.receipt.sentence);
        let result = self.result.map_err(|failure| failure.without(secrets));
        Self { result, receipt: Receipt { sentence, ..self.receipt } }
    }
}

/// One request, from its plan to its end: what is decided on and taken back as one.
#[derive(Debug)]
pub(crate) struct Ticket {
    /// What would run: one command, or the steps of the bundle.
    pub(crate) commands: Row<Command>,
    /// The bundle, if there are several.
    pub(crate) bundle: Option<Bundle>,
    /// What the judge said; of a bundle, what the strictest of its steps takes.
    pub(crate) judgement: Judgement,
    /// What people approve: the digest of the plan, or of the bundle.
    pub(crate) digest: Digest,
    /// When it was asked.
    pub(crate) asked: Moment,
    /// Whether it outlives its caller's connection.
    pub(crate) detached: bool,
    /// Where a human's answer goes.
    pub(crate) slot: Slot,
    withdrawal: watch::Sender<Option<Withdrawal>>,
    over: watch::Sender<Option<Instant>>,
}

impl Ticket {
    pub(crate) fn new(
        commands: Row<Command>,
        bundle: Option<Bundle>,
        judgement: Judgement,
        digest: Digest,
        asked: Moment,
        detached: bool,
        approvers: u8,
    ) -> Self {
        let (withdrawal, over) = (watch::Sender::new(None), watch::Sender::new(None));
        Self { commands, bundle, judgement, digest, asked, detached, slot: Slot::new(approvers), withdrawal, over }
    }

    pub(crate) fn id(&self) -> RequestId {
        self.bundle.as_ref().map_or(self.commands.first.plan.id, |bundle| bundle.id)
    }

    /// The request, of a bundle its first step: who asks and what is claimed is the same in all.
    pub(crate) fn request(&self) -> &Request {
        self.commands.first.case.request()
    }

    /// Who asks, as the plans bind it.
    pub(crate) fn caller(&self) -> &PlanCaller {
        &self.commands.first.plan.caller
    }

    /// Whose it is.
    pub(crate) fn owner(&self) -> Uid {
        self.caller().uid
    }

    /// The tier at which people decide: the strictest of any command.
    pub(crate) fn tier(&self) -> Tier {
        self.commands.iter().fold(self.commands.first.plan.tier, |tier, command| tier.max(command.plan.tier))
    }

    /// When all of it becomes void.
    pub(crate) fn expires(&self) -> Moment {
        self.commands.first.plan.expires
    }

    /// The policy under which all of it was planned.
    pub(crate) fn ruleset(&self) -> Ruleset {
        self.commands.first.plan.ruleset
    }

    pub(crate) fn phase(&self) -> Phase {
        if self.over.borrow().is_some() {
            Phase::Done
        } else if self.commands.iter().any(Command::has_begun) {
            Phase::Running
        } else {
            Phase::Waiting
        }
    }

    /// Has every command take a step of its life; says whether each could.
    pub(crate) fn step(&self, event: Event, state: RunState) -> bool {
        self.commands.iter().all(|command| command.step(event, state))
    }

    /// It is over: every command has its end.
    pub(crate) fn ended(&self) {
        self.over.send_if_modified(|over| {
            let first = over.is_none();
            if first {
                *over = Some(Instant::now());
            }
            first
        });
    }

    /// Takes the request back. The first who does counts.
    pub(crate) fn withdraw(&self, by: Withdrawal) {
        self.withdrawal.send_if_modified(|withdrawal| {
            let first = withdrawal.is_none();
            if first {
                *withdrawal = Some(by);
            }
            first
        });
    }

    /// Who took the request back, if anybody did.
    pub(crate) fn withdrawal(&self) -> Option<Withdrawal> {
        *self.withdrawal.borrow()
    }

    /// Comes back when the request was taken back; never otherwise.
    pub(crate) async fn withdrawn(&self) -> Withdrawal {
        let mut follow = self.withdrawal.subscribe();
        // The sender is in `self`, so waiting cannot fail.
        let withdrawal = follow.wait_for(Option::is_some).await.ok().and_then(|withdrawal| *withdrawal);
        withdrawal.unwrap_or(Withdrawal::Asked)
    }

    /// The end, if there is one already; of a bundle, that of the step that decided it: the first that did not go well, or
    /// the last.
    pub(crate) fn end(&self) -> Option<&End> {
        self.over.borrow().as_ref()?;
        let decided = self.commands.iter().find(|command| !command.went_well());
        decided.unwrap_or(self.commands.last()).end()
    }

    /// Waits for the end.
    pub(crate) async fn over(&self) -> Option<&End> {
        let mut follow = self.over.subscribe();
        drop(follow.wait_for(Option::is_some).await);
        self.end()
    }

    /// The receipt of a bundle that is over.
    pub(crate) fn bundle_receipt(&self) -> Option<BundleReceipt> {
        let (bundle, end) = (self.bundle.as_ref()?, self.end()?);
        let steps: Vec<Receipt> =
            self.commands.iter().filter_map(|command| Some(command.end()?.receipt.clone())).collect();
        Some(BundleReceipt {
            id: self.id(),
            digest: self.digest,
            fingerprint: self.digest.fingerprint(),
            bundle: bundle.clone(),
            verdict: self.judgement,
            code: end.receipt.code,
            sentence: end.receipt.sentence.clone(),
            approvers: steps.first().map(|first| first.approvers.clone()).unwrap_or_default(),
            asked: self.asked,
            finished: steps.iter().map(|step| step.finished).max().unwrap_or(self.asked),
            steps,
        })
    }
}

/// Every ticket.
#[derive(Debug, Default)]
pub(crate) struct Tickets(Mutex<HashMap<RequestId, Arc<Ticket>>>);

impl Tickets {
    /// Takes a ticket in. An id is 128 random bits, so it is new.
    pub(crate) fn open(&self, ticket: Arc<Ticket>) {
        lock(&self.0).insert(ticket.id(), ticket);
    }

    pub(crate) fn get(&self, id: RequestId) -> Option<Arc<Ticket>> {
        lock(&self.0).get(&id).cloned()
    }

    /// Every ticket that is not done.
    pub(crate) fn unfinished(&self) -> Vec<Arc<Ticket>> {
        lock(&self.0).values().filter(|ticket| ticket.phase() != Phase::Done).cloned().collect()
    }

    /// The unfinished ones that hang on this connection.
    pub(crate) fn of_connection(&self, name: &BusName) -> Vec<Arc<Ticket>> {
        let mut tickets = self.unfinished();
        tickets.retain(|ticket| !ticket.detached && ticket.caller().bus_name == *name);
        tickets
    }

    /// Lets go of ended tickets that are old or too many; says which.
    pub(crate) fn sweep(&self) -> Vec<RequestId> {
        let mut tickets = lock(&self.0);
        let mut ended: Vec<(Instant, Uid, RequestId)> = tickets
            .values()
            .filter_map(|ticket| Some(((*ticket.over.borrow())?, ticket.owner(), ticket.id())))
            .collect();
        ended.sort_unstable_by(|(a, ..), (b, ..)| b.cmp(a));
        let mut per_user: HashMap<Uid, usize> = HashMap::new();
        let mut kept = 0_usize;
        let too_much = |(when, uid, id): (Instant, Uid, RequestId)| {
            let mine = per_user.entry(uid).or_default();
            if when.elapsed() >= KEPT_FOR || *mine >= KEPT_PER_USER || kept >= KEPT {
                return Some(id);
            }
            *mine = mine.saturating_add(1);
            kept = kept.saturating_add(1);
            None
        };
        let gone: Vec<RequestId> = ended.into_iter().filter_map(too_much).collect();
        gone.iter().for_each(|id| drop(tickets.remove(id)));
        gone
    }
}

#[cfg(test)]
mod tests;
