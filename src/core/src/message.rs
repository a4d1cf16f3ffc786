//! The messages between front and launcher: one JSON text per SEQPACKET datagram, descriptors beside it.
//!
//! ```text
//!   front ── Pin ──▶ launcher        launcher ── Ready ──▶ front     (once, first)
//!         ── Run ──▶                          ── Pinned ─▶           (answers Pin)
//!         ── Cancel ▶                         ── Refused ▶           (answers Run: nothing ran)
//!         ── Stop ──▶                         ── Started ▶           (answers Run)
//!         ── Drain ─▶                         ── Ended ──▶           (after Started, when the cgroup is empty)
//!         ── Reload ▶                         ── Stopped ▶ / Drained / Reloaded
//!         ── Sign ──▶                         ── Signed ─▶           (answers Sign, in order)
//! ```
//!
//! The front is not trusted by the launcher: an unreadable message ends the launcher and with it every job.

use serde::{Deserialize, Serialize};

use crate::argv::Argv;
use crate::code::Failure;
use crate::outcome::Outcome;
use crate::path::CleanPath;
use crate::plan::Pinned;
use crate::policy::Ruleset;
use crate::request::RequestId;
use crate::time::Moment;
use crate::tree::{Proof, TreeHead};

/// The most bytes of one message. Below the kernel's default socket buffer (212,992), above the largest order.
pub const MAX_BYTES: usize = 200 * 1_024;
/// The most descriptors beside one message: stdout, stderr, stdin.
pub const MAX_DESCRIPTORS: usize = 3;

/// Who stopped the broker, and why. The content of the stop latch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopNote {
    /// When.
    pub time: Moment,
    /// Who: `systemctl`, or the uid of the caller who asked.
    pub who: String,
    /// Why, in the words of who stopped it.
    pub why: String,
}

/// That the log's key was changed: the last checkpoint of the old key, which names the new one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handover {
    /// The signed note.
    pub note: String,
    /// The old key, as a verifier key.
    pub old: String,
    /// Who changed the key, when, and why.
    pub by: StopNote,
}

/// Why a checkpoint was not signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Unsigned {
    /// The proof does not begin at what was signed last. Ask again with a proof from there.
    #[error("the proof does not begin at what was signed last ({signed})")]
    Base {
        /// What was signed last.
        signed: TreeHead,
    },
    /// The log is not what was signed last and something after it: history was rewritten or cut off.
    #[error("the log does not contain what was signed last ({signed})")]
    Rewritten {
        /// What was signed last.
        signed: TreeHead,
    },
    /// Key or memory of the witness could not be read or written. It may work later.
    #[error("the key of the log cannot be used now: see the launcher's message in the journal")]
    Unavailable,
}

/// Why the front ends a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CancelCause {
    /// The caller took the request back or went away.
    Cancelled,
    /// It wrote more than its profile allows.
    OutputLimit,
}

/// To the launcher. `O` is [`crate::order::Order`] where it is sent and [`crate::order::Claim`] where it arrives.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum ToLauncher<O> {
    /// Open, check and hash what these words and this directory lead to.
    Pin {
        /// The request.
        id: RequestId,
        /// The words.
        argv: Argv,
        /// The working directory.
        cwd: CleanPath,
    },
    /// Run this. Descriptors: the writing ends for stdout and stderr, and the sealed memory file if the plan has stdin.
    Run {
        /// The order.
        order: Box<O>,
    },
    /// End this job if it runs.
    Cancel {
        /// The request.
        id: RequestId,
        /// What the outcome will say.
        cause: CancelCause,
    },
    /// Engage the latch, end every job, answer `Stopped`, and take no more orders.
    Stop {
        /// The latch's content.
        note: StopNote,
    },
    /// Take no more orders, and answer `Drained` when the last job has ended. No latch; what is signed is signed until the
    /// end of the socket.
    Drain,
    /// Read the policy again, and put it in force if it is this one; otherwise the old one stays.
    Reload {
        /// What the front read, which the launcher must read as well.
        expects: Ruleset,
    },
    /// Sign this head of the log's tree.
    Sign {
        /// The size from which the proof leads to the head.
        #[serde(with = "crate::digest::decimal")]
        base: u64,
        /// The head.
        head: TreeHead,
        /// The proof that the log of the head begins with the log of that size.
        proof: Proof,
    },
}

/// From the launcher.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum FromLauncher {
    /// The launcher is ready under this ruleset, which must be the front's.
    Ready {
        /// The digest and version of what it loaded.
        ruleset: Ruleset,
        /// Who lifted the kill switch since the last run, and why. The front's first record says so.
        #[serde(default)]
        cleared: Option<StopNote>,
        /// Every change of the log's key, oldest first. The front keeps what it does not have.
        #[serde(default)]
        handovers: Vec<Handover>,
    },
    /// The answer to `Pin`.
    Pinned {
        /// The request.
        id: RequestId,
        /// What was found, or why it may not run.
        result: Result<Box<Pinned>, Failure>,
    },
    /// The order was refused; nothing ran.
    Refused {
        /// The request.
        id: RequestId,
        /// Why.
        failure: Failure,
    },
    /// The order was taken: a process exists and confines itself. If a step of its sandbox fails, `Ended` says which.
    Started {
        /// The request.
        id: RequestId,
    },
    /// The job is over: its cgroup is empty.
    Ended {
        /// The request.
        id: RequestId,
        /// How.
        outcome: Box<Outcome>,
    },
    /// The latch is engaged and no job runs. If it could not be written, `failure` says why; no job runs all the same.
    Stopped {
        /// Why the latch is not on disk, if it is not.
        failure: Option<Failure>,
    },
    /// The answer to `Drain`: no job runs, and none will.
    Drained,
    /// The answer to `Reload`.
    Reloaded {
        /// The ruleset now in force, or why the old one stays.
        result: Result<Ruleset, Failure>,
    },
    /// The answer to `Sign`: the checkpoint as a signed note.
    Signed {
        /// The note, or why there is none.
        result: Result<String, Unsigned>,
    },
}
