//! Checkpoints (<https://c2sp.org/tlog-checkpoint>): the head of the log's tree as a text that is signed as a note.
//!
//! ```text
//!   web1.example.com/countersign                     the origin: which log
//!   4711                                             how many records
//!   CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=     the root over all of them
//!   next-key …                                       only where the log's key changes, see [`Checkpoint::handover`]
//! ```
//!
//! Enters: texts of notes. Leaves: checkpoints, whose text is the one spelling that they have. Whether a checkpoint is
//! genuine is said by its note's signatures, and by nothing here.

use std::fmt;

use crate::digest::Digest;
use crate::note::{Name, NotANote, Note, SigningKey, VerifierKey, decoded, encoded};
use crate::tree::TreeHead;

/// The most extension lines.
pub const MAX_EXTENSIONS: usize = 16;
/// What the line begins with by which one key names the next.
const NEXT_KEY: &str = "next-key ";

/// The head of a log's tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: the name of its key.
    pub origin: Name,
    /// Its size and root.
    pub head: TreeHead,
    extensions: Vec<String>,
}

/// Why a text is not a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotACheckpoint {
    /// Fewer than three lines, an empty one, or more than [`MAX_EXTENSIONS`] further ones.
    #[error("a checkpoint is three lines, and at most {MAX_EXTENSIONS} more, none of them empty")]
    Lines,
    /// The first line is not the name of a log.
    #[error("the checkpoint names no log")]
    Origin,
    /// The second line is not a number without leading zeros.
    #[error("the checkpoint has no size")]
    Size,
    /// The third line is not a root hash in base 64.
    #[error("the checkpoint has no root")]
    Root,
}

impl Checkpoint {
    /// The checkpoint of this log at this size.
    #[must_use]
    pub const fn new(origin: Name, head: TreeHead) -> Self {
        Self { origin, head, extensions: Vec::new() }
    }

    /// The last checkpoint of a key, which names the key that signs from here on. Who believes the one believes the
    /// other.
    #[must_use]
    pub fn handover(origin: Name, head: TreeHead, next: &VerifierKey) -> Self {
        Self { origin, head, extensions: vec![format!("{NEXT_KEY}{next}")] }
    }

    /// Reads the text of a note.
    ///
    /// # Errors
    /// [`NotACheckpoint`].
    pub fn parse(text: &str) -> Result<Self, NotACheckpoint> {
        let mut lines = text.strip_suffix('\n').ok_or(NotACheckpoint::Lines)?.split('\n');
        let mut next = || lines.next().filter(|line| !line.is_empty()).ok_or(NotACheckpoint::Lines);
        let (origin, size, root) = (next()?, next()?, next()?);
        let origin = Name::new(origin).map_err(|_| NotACheckpoint::Origin)?;
        let number: u64 = size.parse().map_err(|_| NotACheckpoint::Size)?;
        if number.to_string() != size {
            return Err(NotACheckpoint::Size);
        }
        let root: [u8; 32] = decoded(root).and_then(|bytes| bytes.try_into().ok()).ok_or(NotACheckpoint::Root)?;
        let extensions: Vec<String> = lines.take(MAX_EXTENSIONS.saturating_add(1)).map(str::to_owned).collect();
        if extensions.len() > MAX_EXTENSIONS || extensions.iter().any(String::is_empty) {
            return Err(NotACheckpoint::Lines);
        }
        Ok(Self { origin, head: TreeHead { size: number, root: Digest::from_bytes(root) }, extensions })
    }

    /// Signs it.
    ///
    /// # Errors
    /// An extension has a character that a note cannot have.
    pub fn sign(&self, key: &SigningKey) -> Result<Note, NotANote> {
        Note::sign(&self.to_string(), &[key])
    }

    /// The key that signs from here on, if this checkpoint names one that is the same log's.
    #[must_use]
    pub fn next_key(&self) -> Option<VerifierKey> {
        let named = self.extensions.iter().find_map(|line| line.strip_prefix(NEXT_KEY));
        named.and_then(|key| key.parse().ok()).filter(|key: &VerifierKey| *key.name() == self.origin)
    }

    /// The lines after the third, which mean nothing to most readers.
    #[must_use]
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }
}

/// The text of the note.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.head.size, encoded(self.head.root.bytes()))?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

#[cfg(test)]
mod tests;
