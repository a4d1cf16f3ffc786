//! Tickets: the open requests and those that ended a while ago, by id.
//!
//! ```text
//!   waiting ──▶ running ──▶ done ──(collected or not, after a while)──▶ gone
//!      └──────────────────▶
//! ```
//!
//! What a ticket says of its request never changes; what changes is how far its life has come, by the steps of
//! [`life`], and its end, once.

mod life;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use countersign_core::caller::{BusName, Uid};
use countersign_core::code::{Code, Failure};
use countersign_core::condition::Seen;
use countersign_core::digest::Digest;
use countersign_core::outcome::Outcome;
use countersign_core::plan::Plan;
use countersign_core::receipt::Receipt;
use countersign_core::record::Judgement;
use countersign_core::redact::Secrets;
use countersign_core::request::{Classified, RequestId};
use countersign_core::run_state::RunState;
use countersign_core::time::Moment;
use tokio::sync::watch;

use crate::approve::queue::Slot;
use crate::lock::lock;
use crate::output::Output;

pub(crate) use life::{Event, Life};

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

impl From<Life> for Phase {
    fn from(life: Life) -> Self {
        match life {
            Life::Asked | Life::Approved | Life::Ordered => Self::Waiting,
            Life::Running => Self::Running,
            Life::Done => Self::Done,
        }
    }
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

/// One request, from its plan to its end.
#[derive(Debug)]
pub(crate) struct Ticket {
    /// The request and what the classifier said of it.
    pub(crate) case: Classified,
    /// What the judge said.
    pub(crate) judgement: Judgement,
    /// What would run.
    pub(crate) plan: Plan,
    /// The plan's digest.
    pub(crate) digest: Digest,
    /// When it was asked.
    pub(crate) asked: Moment,
    /// Whether it outlives its caller's connection.
    pub(crate) detached: bool,
    /// Where a human's answer goes.
    pub(crate) slot: Slot,
    /// What rules ask of the machine, as it was looked at last.
    seen: Mutex<Vec<Seen>>,
    life: watch::Sender<Life>,
    withdrawal: watch::Sender<Option<Withdrawal>>,
    end: OnceLock<(End, Instant)>,
}

impl Ticket {
    pub(crate) fn new(
        case: Classified,
        judgement: Judgement,
        plan: Plan,
        digest: Digest,
        asked: Moment,
        detached: bool,
        approvers: u8,
    ) -> Self {
        let (life, withdrawal) = (watch::Sender::new(Life::Asked), watch::Sender::new(None));
        Self {
            case,
            judgement,
            plan,
            digest,
            asked,
            detached,
            slot: Slot::new(approvers),
            seen: Mutex::default(),
            life,
            withdrawal,
            end: OnceLock::new(),
        }
    }

    pub(crate) fn id(&self) -> RequestId {
        self.plan.id
    }

    /// Keeps what was seen of the machine, instead of what was seen before.
    pub(crate) fn saw(&self, seen: Vec<Seen>) {
        *lock(&self.seen) = seen;
    }

    /// What was seen of the machine last.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        lock(&self.seen).clone()
    }

    /// Whose it is.
    pub(crate) fn owner(&self) -> Uid {
        self.plan.caller.uid
    }

    pub(crate) fn phase(&self) -> Phase {
        (*self.life.borrow()).into()
    }

    /// Takes a step, if it may be taken; says whether it was. Of many who try the same step at once one takes it.
    pub(crate) fn step(&self, event: Event, state: RunState) -> bool {
        self.life.send_if_modified(|life| {
            let next = life.after(event, state);
            *life = next.unwrap_or(*life);
            next.is_some()
        })
    }

    /// It is over. The first end counts.
    pub(crate) fn ended(&self, end: End) {
        // A second end cannot come: one task owns the request. Were there one, the first would stand.
        drop(self.end.set((end, Instant::now())));
        // An end may come in every state.
        self.step(Event::End, RunState::Red);
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

    /// The end, if there is one already.
    pub(crate) fn end(&self) -> Option<&End> {
        self.end.get().map(|(end, _)| end)
    }

    /// Waits for the end.
    pub(crate) async fn over(&self) -> Option<&End> {
        let mut follow = self.life.subscribe();
        drop(follow.wait_for(|life| *life == Life::Done).await);
        self.end()
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
        tickets.retain(|ticket| !ticket.detached && ticket.plan.caller.bus_name == *name);
        tickets
    }

    /// Lets go of ended tickets that are old or too many; says which.
    pub(crate) fn sweep(&self) -> Vec<RequestId> {
        let mut tickets = lock(&self.0);
        let mut ended: Vec<(Instant, Uid, RequestId)> =
            tickets.values().filter_map(|ticket| Some((ticket.end.get()?.1, ticket.owner(), ticket.id()))).collect();
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
