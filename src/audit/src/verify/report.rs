//! What the verifier says: sound, torn, or which entry breaks which rule.

use std::fmt;
use std::path::{Path, PathBuf};

use countersign_core::digest::Digest;
use serde::Serialize;

/// What every entry, and the log as a whole, must satisfy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The file is a database whose pages can be read.
    Readable,
    /// The tables are those of this version of the log.
    Schema,
    /// Number, hash and body have the right types.
    Type,
    /// Entries are numbered from 1 without gaps, outside and inside the body.
    Sequence,
    /// The hash is the body's leaf.
    Hash,
    /// The body is a record in canonical form.
    Form,
    /// The record names the hash of the entry before it.
    Chain,
    /// A result closes an open intent, and an intent is not opened twice.
    Pair,
    /// The last entry is the one that the store wrote last.
    Head,
    /// SQLite's journal beside the database is whole.
    Journal,
    /// The stored parts of the tree are those of the tree over the entries.
    Tree,
    /// A checkpoint has the root that the tree had at its size, and is signed by a known key if one is given. None is
    /// missing, there twice, or over more entries than there are.
    Checkpoint,
    /// There is a salt for each entry that commits to what it hides, and none besides.
    Opening,
}

impl Rule {
    /// The rule's name, as in `--json`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Readable => "readable",
            Self::Schema => "schema",
            Self::Type => "type",
            Self::Sequence => "sequence",
            Self::Hash => "hash",
            Self::Form => "form",
            Self::Chain => "chain",
            Self::Pair => "pair",
            Self::Head => "head",
            Self::Journal => "journal",
            Self::Tree => "tree",
            Self::Checkpoint => "checkpoint",
            Self::Opening => "opening",
        }
    }
}

/// What the verifier found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Report {
    /// Nothing was changed.
    Verified {
        /// How many entries there are.
        entries: u64,
        /// The last one's hash; zeros for an empty log.
        head: Digest,
        /// The root of the tree over them.
        root: Digest,
        /// How many of them the newest checkpoint vouches for that a known key has signed; 0 if nothing was known
        /// against which a signature could be checked.
        signed: u64,
        /// How many intents have no result yet: jobs that run, or that ran when the broker died.
        open: usize,
    },
    /// Everything that is there fits, but a key is known and its signature vouches for too little: for nothing, or not for
    /// what the broker would have had signed by the times of the records.
    Unsigned {
        /// How many entries there are.
        entries: u64,
        /// The last one's hash.
        head: Digest,
        /// How many of them the newest checkpoint vouches for; 0 without one.
        signed: u64,
    },
    /// Everything that is there is sound, but a last write was not completed: a crash, or a copy of a moving log.
    Torn {
        /// How many entries there are before it.
        entries: u64,
        /// The last one's hash.
        head: Digest,
    },
    /// Something was changed.
    Tampered {
        /// The first entry that breaks a rule.
        seq: u64,
        /// The rule.
        rule: Rule,
        /// What the rule asks for.
        expected: String,
        /// What is there.
        found: String,
        /// The file in which that is, where the log has several.
        #[serde(skip_serializing_if = "Option::is_none")]
        file: Option<PathBuf>,
    },
}

impl Report {
    /// Adds in which file it is, where that is to be said.
    pub(super) fn within(self, place: &Path) -> Self {
        match self {
            Self::Tampered { seq, rule, expected, found, .. } => {
                Self::Tampered { seq, rule, expected, found, file: Some(place.to_owned()) }
            }
            Self::Verified { .. } | Self::Unsigned { .. } | Self::Torn { .. } => self,
        }
    }

    /// Whether nothing was changed and nothing is missing at the end.
    #[must_use]
    pub const fn is_verified(&self) -> bool {
        match self {
            Self::Verified { .. } => true,
            Self::Unsigned { .. } | Self::Torn { .. } | Self::Tampered { .. } => false,
        }
    }
}

pub(super) fn tampered(seq: u64, rule: Rule, expected: impl fmt::Display, found: impl fmt::Display) -> Report {
    Report::Tampered { seq, rule, expected: expected.to_string(), found: found.to_string(), file: None }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verified { entries, head, signed: 0, .. } => {
                write!(f, "ok ({entries} entries, head {head}), not checked against any signature")
            }
            Self::Verified { entries, head, signed, .. } if signed == entries => {
                write!(f, "ok ({entries} entries, the first {signed} as signed, head {head})")
            }
            Self::Verified { entries, head, signed, .. } => {
                let rest = entries.saturating_sub(*signed);
                write!(f, "ok ({entries} entries, the first {signed} as signed, head {head}), ")?;
                write!(f, "the last {rest} not vouched for")
            }
            Self::Unsigned { entries, head, signed: 0 } => {
                write!(f, "not vouched for: no checkpoint is signed over any of {entries} entries (head {head})")
            }
            Self::Unsigned { entries, head, signed } => {
                let rest = entries.saturating_sub(*signed);
                write!(f, "not vouched for: the last {rest} of {entries} entries (head {head}): ")?;
                write!(f, "the last checkpoint is signed over the first {signed}, and another one was due")
            }
            Self::Torn { entries, head } => {
                let next = entries.saturating_add(1);
                write!(
                    f,
                    "torn: entry {next} was not written to its end; sound before it ({entries} entries, head {head})"
                )
            }
            Self::Tampered { seq, rule, expected, found, file } => {
                write!(f, "entry {seq} breaks the rule {}", rule.name())?;
                file.iter().try_for_each(|file| write!(f, " in {}", file.display()))?;
                write!(f, ": expected {expected}, found {found}")
            }
        }
    }
}
