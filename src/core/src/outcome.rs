//! An outcome: how a job ended and what really confined it, as the launcher saw it.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::time::Moment;

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// It exited with this status.
    Exited(u8),
    /// A signal that the launcher did not send ended it.
    Signalled(i32),
    /// It was ended because its time was over.
    TimedOut,
    /// It was ended because the request was cancelled or its caller went away.
    Cancelled,
    /// It was ended by the kill switch.
    Stopped,
    /// It was ended because it wrote more than its profile allows.
    OutputLimit,
    /// A step of the sandbox failed, so the program never began.
    NotConfined {
        /// The step, by name.
        step: String,
        /// The kernel's error number.
        errno: i32,
    },
    /// The broker died while it ran; how it ended is not known, only that it did.
    Interrupted,
}

/// One layer of the sandbox as it was really in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// The step that put it in force, by name.
    pub step: String,
    /// What it gave, read back from the kernel where that is possible; for instance `abi 7, 16 rights`.
    pub gives: String,
}

/// How a job ended, what it used and what confined it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// How it ended.
    pub ended: Ended,
    /// Every layer that was in force, in the order of the steps.
    pub enforced: Vec<Layer>,
    /// When the program began.
    pub started: Moment,
    /// From begin to an empty cgroup, in microseconds.
    pub duration_us: u64,
    /// Processor time of the job's first process and its waited-for children, in microseconds.
    pub cpu_us: u64,
    /// Peak resident memory of the largest process, in KiB.
    pub peak_kib: u64,
}

/// What is known of one output stream. Never its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// SHA-256 over all bytes that the job wrote.
    pub sha256: Digest,
    /// How many they were.
    pub length: u64,
    /// Whether not all of them reached the caller or the preview.
    pub truncated: bool,
}
