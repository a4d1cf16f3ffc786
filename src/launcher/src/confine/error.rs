//! Why a child did not become the program: one variant per step.

use std::io;

use countersign_confine::ConfineError;
use nix::errno::Errno;

use super::mounts::MountError;
use crate::walk::WalkError;

/// The step that failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StepError {
    /// The child could not tell the launcher what it did.
    #[error("the launcher does not hear")]
    Report(#[source] io::Error),
    /// A session of its own, in its cgroup, with default signals.
    #[error("session: {what}")]
    Session {
        /// What was tried.
        what: &'static str,
        /// The kernel's answer.
        #[source]
        error: io::Error,
    },
    /// Standard input and output.
    #[error("stdio")]
    Stdio(#[source] rustix::io::Errno),
    /// Closing what the launcher had open.
    #[error("descriptors")]
    Descriptors(#[source] io::Error),
    /// Limits on resources.
    #[error("limits: {what}")]
    Limits {
        /// Which.
        what: &'static str,
        /// The kernel's answer.
        #[source]
        error: io::Error,
    },
    /// The private view of the file system.
    #[error("mounts")]
    Mounts(#[from] MountError),
    /// A network of its own.
    #[error("network")]
    Network(#[source] Errno),
    /// Opening what was pinned.
    #[error("{path:?} cannot be opened inside the sandbox")]
    Open {
        /// What.
        path: String,
        /// Why.
        #[source]
        error: WalkError,
    },
    /// What was pinned is no longer there.
    #[error("{path:?} changed after it was looked at")]
    Changed {
        /// What.
        path: String,
    },
    /// The working directory.
    #[error("the working directory {path:?} cannot be entered")]
    Directory {
        /// Which.
        path: String,
        /// The kernel's answer.
        #[source]
        errno: rustix::io::Errno,
    },
    /// Ending with the launcher.
    #[error("leash")]
    Leash(#[source] Errno),
    /// A step that the front takes as well.
    #[error(transparent)]
    Confine(#[from] ConfineError),
    /// The kernel did not execute the program.
    #[error("the program could not be executed")]
    Execute(#[source] Errno),
}

impl StepError {
    /// The step's name.
    pub(crate) const fn step(&self) -> &'static str {
        match self {
            Self::Report(_) => "report",
            Self::Session { .. } => "session",
            Self::Stdio(_) => "stdio",
            Self::Descriptors(_) => "descriptors",
            Self::Limits { .. } => "limits",
            Self::Mounts(_) => "mounts",
            Self::Network(_) => "network",
            Self::Open { .. } | Self::Changed { .. } => "files",
            Self::Directory { .. } => "directory",
            Self::Leash(_) => "leash",
            Self::Confine(error) => error.step(),
            Self::Execute(_) => "execute",
        }
    }

    /// The kernel's error number.
    pub(crate) fn errno(&self) -> i32 {
        let of = |error: &io::Error| error.raw_os_error().unwrap_or(libc::EIO);
        match self {
            Self::Report(error)
            | Self::Session { error, .. }
            | Self::Descriptors(error)
            | Self::Limits { error, .. } => of(error),
            Self::Stdio(errno) | Self::Directory { errno, .. } => errno.raw_os_error(),
            Self::Mounts(error) => error.errno(),
            Self::Network(errno) | Self::Leash(errno) | Self::Execute(errno) => *errno as i32,
            Self::Open { error, .. } => error.errno(),
            Self::Changed { .. } => libc::ESTALE,
            Self::Confine(error) => error.errno(),
        }
    }

    /// The error with its causes, in one line.
    pub(crate) fn says(&self) -> String {
        let mut line = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            line.push_str(": ");
            line.push_str(&error.to_string());
            cause = error.source();
        }
        line
    }
}
