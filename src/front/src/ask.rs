//! An ask: what a caller wants, taken apart and bounded, before it is a request. Descriptors are already checked.

use std::error::Error;
use std::os::fd::OwnedFd;

use countersign_core::code::{Code, Failure};
use countersign_core::plan::PinnedDirectory;
use countersign_core::redact::Secrets;
use countersign_core::request::{Action, Claims, Narrowing};

use crate::output::Sinks;
use crate::row::Row;

/// The identity of a directory that the caller passed as a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DirectoryId {
    /// The device number of its file system.
    pub(crate) device: u64,
    /// Its inode.
    pub(crate) inode: u64,
}

/// The requests of a caller: one, or the steps of a bundle, in order. What is claimed is the same in all.
pub(crate) type Asks = Row<Ask>;

impl DirectoryId {
    /// Whether that is the directory that was pinned.
    pub(crate) const fn is(self, pinned: &PinnedDirectory) -> bool {
        self.device == pinned.device && self.inode == pinned.inode
    }
}

/// What a caller wants.
#[derive(Debug)]
pub(crate) struct Ask {
    /// What would run.
    pub(crate) action: Action,
    /// What the caller says about itself.
    pub(crate) claims: Claims,
    /// How the caller narrows it.
    pub(crate) narrowing: Narrowing,
    /// What is hidden everywhere.
    pub(crate) secrets: Secrets,
    /// The directory that the caller holds open, if it passed one instead of a path.
    pub(crate) directory: Option<DirectoryId>,
    /// Whether the request outlives the caller's connection.
    pub(crate) detached: bool,
    /// Whether a plan says everything that stands in its way, and not only the first; only for a plan.
    pub(crate) all: bool,
    /// Its descriptors.
    pub(crate) files: Files,
}

/// The descriptors of an ask.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// The sealed memory file that becomes stdin; a description of our own.
    pub(crate) stdin: Option<OwnedFd>,
    /// Where output is copied to.
    pub(crate) sinks: Sinks,
}

/// What is wrong with an ask, from the parser that found it, as a sentence.
pub(crate) fn invalid(error: &dyn Error) -> Failure {
    let text = error.to_string();
    let mut letters = text.chars();
    let sentence = letters.next().map(|first| format!("{}{}.", first.to_uppercase(), letters.as_str()));
    Failure::new(Code::InvalidRequest, sentence.unwrap_or_default())
}
