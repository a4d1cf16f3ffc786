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

impl Ended {
    /// Whether a layer of the sandbox turned out to be missing on this machine, as far as no caller can bring that about:
    /// a path that went away while the view was built fails a step as well, and says nothing about the machine.
    #[must_use]
    pub fn shows_a_missing_layer(&self) -> bool {
        match self {
            Self::NotConfined { step, errno } => match step.as_str() {
                "descriptors" | "network" | "credentials" | "capabilities" | "no-new-privs" | "seccomp" => true,
                "landlock" | "mounts" => [ENOSYS, ENOTSUP].contains(errno),
                _ => false,
            },
            Self::Exited(_)
            | Self::Signalled(_)
            | Self::TimedOut
            | Self::Cancelled
            | Self::Stopped
            | Self::OutputLimit
            | Self::Interrupted => false,
        }
    }
}

/// The kernel has no such call.
const ENOSYS: i32 = 38;
/// The kernel took the step and shows otherwise.
const ENOTSUP: i32 = 95;

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
    /// Peak resident memory of the largest process, in KiB. A process that starts begins as a copy of the launcher, so
    /// that the kernel's figure (`ru_maxrss`, which outlives `execve`) is never below what the launcher held then.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_caller_can_bring_about_shows_a_missing_layer() {
        let failed = |step: &str, errno| Ended::NotConfined { step: step.to_owned(), errno };
        for step in ["descriptors", "network", "credentials", "capabilities", "no-new-privs", "seccomp"] {
            assert!(failed(step, 1).shows_a_missing_layer(), "{step}");
        }
        for step in ["landlock", "mounts"] {
            assert!(failed(step, ENOSYS).shows_a_missing_layer() && failed(step, ENOTSUP).shows_a_missing_layer());
            assert!(!failed(step, 2).shows_a_missing_layer(), "{step}: a place went away");
        }
        for step in ["files", "directory", "execute", "stdio", "session", "report", ""] {
            assert!(!failed(step, ENOSYS).shows_a_missing_layer(), "{step}");
        }
        assert!(!Ended::Exited(1).shows_a_missing_layer() && !Ended::Stopped.shows_a_missing_layer());
    }
}
