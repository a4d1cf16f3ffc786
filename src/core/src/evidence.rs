//! Evidence: that one record is in the log, in the form of <https://c2sp.org/tlog-proof>, which needs nothing else to be
//! checked but the log's key.
//!
//! ```text
//!   c2sp.org/tlog-proof@v1
//!   extra base64(the record)           only where the record goes with its proof
//!   index 4710                         its number, less one
//!   base64(hash) …                     the way from the record to the root
//!
//!   the signed checkpoint
//! ```
//!
//! Enters: bytes from anywhere, or what the log proves of itself. Leaves: [`Evidence`], and from [`Evidence::check`] the
//! checkpoint that vouches for it. Nothing in it is to be believed before that. Whose hash is proven is for the asker to
//! say: a receipt has it.

use std::fmt;

use crate::checkpoint::{Checkpoint, NotACheckpoint};
use crate::digest::Digest;
use crate::note::{NotANote, NotVerified, Note, VerifierKey, decoded, encoded};
use crate::tree::{self, MAX_PROOF, Mismatch, Proof};

/// The most bytes of a piece of evidence.
pub const MAX_EVIDENCE: usize = 1_024 * 1_024;
const HEADER: &str = "c2sp.org/tlog-proof@v1";
const EXTRA: &str = "extra ";
const INDEX: &str = "index ";

/// That a record is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The record's canonical bytes, if they go with the proof.
    pub record: Option<Vec<u8>>,
    /// Its place, counted from 0.
    pub index: u64,
    /// The way from it to the root.
    pub proof: Proof,
    /// The checkpoint that has this root.
    pub checkpoint: Note,
}

/// Why some bytes are no evidence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotEvidence {
    /// Not in the form, or too long.
    #[error("it is not a proof in the form of {HEADER}")]
    Form,
    /// What follows the proof is no note.
    #[error("it has no checkpoint")]
    Note(#[from] NotANote),
}

/// Why evidence does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotProven {
    /// The checkpoint is not signed by the log's key.
    #[error("the checkpoint is not signed by a known key")]
    Signature(#[from] NotVerified),
    /// What was signed is no checkpoint.
    #[error("what was signed is no checkpoint")]
    Checkpoint(#[from] NotACheckpoint),
    /// It is signed by the key of another log.
    #[error("the checkpoint is of another log than the key")]
    Origin,
    /// The record is not in that tree, or not at that place.
    #[error("the record is not at that place of the log")]
    Proof(#[from] Mismatch),
}

impl Evidence {
    /// Reads evidence. Nothing is checked.
    ///
    /// # Errors
    /// [`NotEvidence`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NotEvidence> {
        let text =
            std::str::from_utf8(bytes).ok().filter(|text| text.len() <= MAX_EVIDENCE).ok_or(NotEvidence::Form)?;
        let (proof, checkpoint) = text.split_once("\n\n").ok_or(NotEvidence::Form)?;
        let mut lines = proof.split('\n').peekable();
        lines.next_if_eq(&HEADER).ok_or(NotEvidence::Form)?;
        let record = lines.next_if(|line| line.starts_with(EXTRA)).and_then(|line| line.strip_prefix(EXTRA));
        let record = record.map(|encoded| decoded(encoded).ok_or(NotEvidence::Form)).transpose()?;
        let number = lines.next().and_then(|line| line.strip_prefix(INDEX)).ok_or(NotEvidence::Form)?;
        let index: u64 = number.parse().map_err(|_| NotEvidence::Form)?;
        if index.to_string() != number {
            return Err(NotEvidence::Form);
        }
        let hash = |line| decoded(line).and_then(|bytes| bytes.try_into().ok()).map(Digest::from_bytes);
        let hashes: Option<Vec<Digest>> = lines.take(MAX_PROOF.saturating_add(1)).map(hash).collect();
        Ok(Self {
            record,
            index,
            proof: hashes.and_then(|hashes| Proof::try_from(hashes).ok()).ok_or(NotEvidence::Form)?,
            checkpoint: Note::parse(checkpoint.as_bytes())?,
        })
    }

    /// Checks that the entry of this hash is in a log whose checkpoint one of the known keys has signed, and returns that
    /// checkpoint. The hash is [`tree::leaf`] of the record, or what a receipt says.
    ///
    /// # Errors
    /// [`NotProven`].
    pub fn check(&self, entry: &Digest, known: &[VerifierKey]) -> Result<Checkpoint, NotProven> {
        let signers = self.checkpoint.verify(known)?;
        let checkpoint = Checkpoint::parse(self.checkpoint.text())?;
        if !signers.iter().any(|key| *key.name() == checkpoint.origin) {
            return Err(NotProven::Origin);
        }
        tree::verify_inclusion(entry, self.index, &checkpoint.head, &self.proof)?;
        Ok(checkpoint)
    }
}

/// The hashes of a proof in base 64, as they stand in evidence.
#[must_use]
pub fn encoded_hashes(proof: &Proof) -> Vec<String> {
    proof.hashes().iter().map(|hash| encoded(hash.bytes())).collect()
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        self.record.iter().try_for_each(|record| writeln!(f, "{EXTRA}{}", encoded(record)))?;
        writeln!(f, "{INDEX}{}", self.index)?;
        encoded_hashes(&self.proof).iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

#[cfg(test)]
mod tests;
