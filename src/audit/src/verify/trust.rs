//! Trust: what whoever verifies knows from elsewhere: keys, and a checkpoint that was kept.

use countersign_core::checkpoint::{Checkpoint, NotACheckpoint};
use countersign_core::note::{NotANote, NotVerified, Note, VerifierKey};
use countersign_core::tree::TreeHead;

/// What is known from elsewhere; by default nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    pub(super) keys: Vec<VerifierKey>,
    /// By size.
    pub(super) heads: Vec<TreeHead>,
}

/// Why a checkpoint is not to be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTrusted {
    /// It is no note.
    #[error(transparent)]
    Note(#[from] NotANote),
    /// No known key has signed it.
    #[error(transparent)]
    Signature(#[from] NotVerified),
    /// What was signed is no checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] NotACheckpoint),
    /// It is signed by the key of another log.
    #[error("the checkpoint is of another log than the key")]
    Origin,
}

impl Trust {
    /// Trust in these keys: what they signed must be so.
    #[must_use]
    pub const fn in_keys(keys: Vec<VerifierKey>) -> Self {
        Self { keys, heads: Vec::new() }
    }

    /// Also trust in a checkpoint that one of the keys has signed: the log must begin with what it vouches for.
    ///
    /// # Errors
    /// [`NotTrusted`].
    pub fn with_checkpoint(self, note: &[u8]) -> Result<Self, NotTrusted> {
        let head = signed(&Note::parse(note)?, &self.keys)?.head;
        Ok(self.with_head(head))
    }

    /// Also trust in a head that somebody else vouches for, as an anchor does.
    #[must_use]
    pub fn with_head(mut self, head: TreeHead) -> Self {
        let at = self.heads.partition_point(|known| known.size <= head.size);
        self.heads.insert(at, head);
        self
    }
}

/// What a note says, if one of the keys has signed it for its own log.
pub(super) fn signed(note: &Note, keys: &[VerifierKey]) -> Result<Checkpoint, NotTrusted> {
    let signers = note.verify(keys)?;
    let checkpoint = Checkpoint::parse(note.text())?;
    let own = signers.iter().any(|key| *key.name() == checkpoint.origin);
    if own { Ok(checkpoint) } else { Err(NotTrusted::Origin) }
}
