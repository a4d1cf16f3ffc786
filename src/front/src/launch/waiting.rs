//! Who waits for which of the launcher's answers. No input or output: messages come in, waiters are told.
//!
//! A message that nobody waits for is dropped: its request was given up meanwhile. Once closed, whoever comes to
//! wait is told at once that nothing will come.

use std::collections::{HashMap, VecDeque};

use countersign_core::code::Failure;
use countersign_core::message::{FromLauncher, Unsigned};
use countersign_core::outcome::Outcome;
use countersign_core::plan::Pinned;
use countersign_core::policy::Ruleset;
use countersign_core::request::RequestId;
use tokio::sync::oneshot::{self, Receiver, Sender};

type PinAnswer = Result<Box<Pinned>, Failure>;

/// Everybody who waits.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    closed: bool,
    pins: HashMap<RequestId, Sender<PinAnswer>>,
    starts: HashMap<RequestId, Sender<Result<(), Failure>>>,
    jobs: HashMap<RequestId, Sender<Outcome>>,
    stops: Vec<Sender<Option<Failure>>>,
    drains: Vec<Sender<()>>,
    reloads: Vec<Sender<Result<Ruleset, Failure>>>,
    /// Answered in order. One that gave up keeps its place, so that nobody hears the answer to another's question.
    signatures: VecDeque<Sender<Result<String, Unsigned>>>,
}

impl Waiting {
    /// Waits for `Pinned`.
    pub(super) fn pin(&mut self, id: RequestId) -> Receiver<PinAnswer> {
        let (tell, wait) = oneshot::channel();
        if !self.closed {
            self.pins.insert(id, tell);
        }
        wait
    }

    /// Waits for `Started` or `Refused`, and for `Ended`.
    pub(super) fn run(&mut self, id: RequestId) -> (Receiver<Result<(), Failure>>, Receiver<Outcome>) {
        let (started, start) = oneshot::channel();
        let (ended, end) = oneshot::channel();
        if !self.closed {
            self.starts.insert(id, started);
            self.jobs.insert(id, ended);
        }
        (start, end)
    }

    /// Waits for `Stopped`.
    pub(super) fn stop(&mut self) -> Receiver<Option<Failure>> {
        let (tell, wait) = oneshot::channel();
        if !self.closed {
            self.stops.push(tell);
        }
        wait
    }

    /// Waits for `Drained`.
    pub(super) fn drain(&mut self) -> Receiver<()> {
        let (tell, wait) = oneshot::channel();
        if !self.closed {
            self.drains.push(tell);
        }
        wait
    }

    /// Waits for `Reloaded`.
    pub(super) fn reload(&mut self) -> Receiver<Result<Ruleset, Failure>> {
        let (tell, wait) = oneshot::channel();
        if !self.closed {
            self.reloads.push(tell);
        }
        wait
    }

    /// Waits for `Signed`.
    pub(super) fn sign(&mut self) -> Receiver<Result<String, Unsigned>> {
        let (tell, wait) = oneshot::channel();
        if !self.closed {
            self.signatures.push_back(tell);
        }
        wait
    }

    /// Hands a message to whoever waits for it.
    pub(super) fn deliver(&mut self, message: FromLauncher) {
        match message {
            // Said once, before anybody waits; a second one says nothing new.
            FromLauncher::Ready { .. } => {}
            FromLauncher::Pinned { id, result } => tell(self.pins.remove(&id), result),
            FromLauncher::Refused { id, failure } => {
                self.jobs.remove(&id);
                tell(self.starts.remove(&id), Err(failure));
            }
            FromLauncher::Started { id } => tell(self.starts.remove(&id), Ok(())),
            FromLauncher::Ended { id, outcome } => tell(self.jobs.remove(&id), *outcome),
            FromLauncher::Stopped { failure } => {
                self.stops.drain(..).for_each(|waiter| tell(Some(waiter), failure.clone()))
            }
            FromLauncher::Drained => self.drains.drain(..).for_each(|waiter| tell(Some(waiter), ())),
            FromLauncher::Reloaded { result } => {
                self.reloads.drain(..).for_each(|waiter| tell(Some(waiter), result.clone()))
            }
            FromLauncher::Signed { result } => tell(self.signatures.pop_front(), result),
        }
    }

    /// Nothing will come any more.
    pub(super) fn close(&mut self) {
        *self = Self { closed: true, ..Self::default() };
    }
}

/// A waiter that gave up meanwhile is no error.
fn tell<T>(waiter: Option<Sender<T>>, answer: T) {
    if let Some(waiter) = waiter {
        drop(waiter.send(answer));
    }
}
