//! Launch: the launcher as the pipeline knows it. Enters: pin questions and sealed orders. Leaves: what was pinned,
//! and outcomes. What the launcher refuses stays refused: nothing here tries again.

#[cfg(test)]
pub(crate) mod sim;
pub(crate) mod socket;
mod waiting;

use std::future::Future;
use std::os::fd::OwnedFd;
use std::pin::Pin;

use countersign_core::argv::Argv;
use countersign_core::code::Failure;
use countersign_core::message::{CancelCause, StopNote, Unsigned};
use countersign_core::order::Order;
use countersign_core::outcome::Outcome;
use countersign_core::path::CleanPath;
use countersign_core::plan::Pinned;
use countersign_core::policy::Ruleset;
use countersign_core::request::RequestId;
use countersign_core::tree::{Proof, TreeHead};
use tokio::sync::oneshot;

/// A future behind a trait object.
pub(crate) type Soon<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The descriptors of a job; closed here as soon as the launcher has its copies.
#[derive(Debug)]
pub(crate) struct JobFiles {
    /// The writing end for stdout.
    pub(crate) stdout: OwnedFd,
    /// The writing end for stderr.
    pub(crate) stderr: OwnedFd,
    /// The sealed memory file, if the plan has stdin.
    pub(crate) stdin: Option<OwnedFd>,
}

/// A job that was started.
#[derive(Debug)]
pub(crate) struct Job(oneshot::Receiver<Outcome>);

impl Job {
    /// A job whose outcome comes through this channel.
    pub(crate) const fn new(outcome: oneshot::Receiver<Outcome>) -> Self {
        Self(outcome)
    }

    /// Waits until the job is over; nothing if the launcher died before it said how. May be dropped and called again.
    pub(crate) async fn outcome(&mut self) -> Option<Outcome> {
        (&mut self.0).await.ok()
    }
}

/// The launcher.
pub(crate) trait Launcher: Send + Sync {
    /// Opens, checks and hashes what these words and this directory lead to.
    fn pin<'a>(&'a self, id: RequestId, argv: &'a Argv, cwd: &'a CleanPath) -> Soon<'a, Result<Pinned, Failure>>;
    /// Runs an order; comes back when the program was started or the order was refused.
    fn run(&self, order: Order, files: JobFiles) -> Soon<'_, Result<Job, Failure>>;
    /// Ends a job if it runs.
    fn cancel(&self, id: RequestId, cause: CancelCause) -> Soon<'_, ()>;
    /// Engages the stop latch and ends every job; comes back when that is done.
    fn stop(&self, note: StopNote) -> Soon<'_, Result<(), Failure>>;
    /// Lets running jobs finish and takes no more; comes back when the last has ended, or the launcher has gone. It signs
    /// for as long as we listen.
    fn drain(&self) -> Soon<'_, ()>;
    /// Has the policy read again and, if it is this one, put in force.
    fn reload(&self, expects: Ruleset) -> Soon<'_, Result<Ruleset, Failure>>;
    /// Has a head of the log's tree signed: the checkpoint as a note. One question at a time.
    fn sign(&self, base: u64, head: TreeHead, proof: Proof) -> Soon<'_, Result<String, Unsigned>>;
    /// Comes back when the launcher is gone, whyever.
    fn gone(&self) -> Soon<'_, ()>;
}
