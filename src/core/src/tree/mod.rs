//! The Merkle tree over the log: RFC 6962 section 2, whose algorithms RFC 9162 section 2.1 spells out.
//!
//! ```text
//!   leaf = SHA-256(0x00 ‖ entry)      node = SHA-256(0x01 ‖ left ‖ right)      root of nothing = SHA-256()
//!
//!   level 2            n              A complete subtree of level l and index i covers the leaves from i·2^l up to
//!   level 1        n       n          (i+1)·2^l. It never changes again, so it can be stored. [`Frontier`] grows the
//!   leaves       0   1   2   3   4    tree; [`Subtrees`] is where proofs find what was stored.
//! ```
//!
//! Enters: leaves, stored subtrees, and proofs that somebody else made. Leaves: roots, proofs, and yes or no. A proof
//! that is longer than any tree is high is refused before it is looked at.

mod frontier;
mod prove;
mod verify;

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use frontier::{Frontier, Full, NotAFrontier};
pub use prove::{ProveError, Subtrees, consistency, inclusion, root};
pub use verify::{Mismatch, verify_consistency, verify_inclusion};

use crate::digest::Digest;

/// The most hashes of a proof: a tree of 2^64 leaves is 64 high, and a consistency proof has one hash more.
pub const MAX_PROOF: usize = 65;

/// The root of a tree of that many leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeHead {
    /// The number of leaves.
    #[serde(with = "crate::digest::decimal")]
    pub size: u64,
    /// The hash over all of them.
    pub root: Digest,
}

impl TreeHead {
    /// The tree without a leaf.
    #[must_use]
    pub fn empty() -> Self {
        Self { size: 0, root: Digest::of(b"") }
    }
}

/// A complete subtree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// How high it is: 0 for a leaf.
    pub level: u32,
    /// How many subtrees of its level stand left of it.
    pub index: u64,
    /// The hash over its leaves.
    pub hash: Digest,
}

/// The hashes of an inclusion or consistency proof, lowest first; at most [`MAX_PROOF`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Digest>", into = "Vec<Digest>")]
pub struct Proof(Vec<Digest>);

/// More hashes than any proof has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a proof has at most {MAX_PROOF} hashes")]
pub struct TooLong;

impl Proof {
    /// The hashes, lowest first.
    #[must_use]
    pub fn hashes(&self) -> &[Digest] {
        &self.0
    }
}

impl TryFrom<Vec<Digest>> for Proof {
    type Error = TooLong;

    fn try_from(hashes: Vec<Digest>) -> Result<Self, TooLong> {
        if hashes.len() > MAX_PROOF { Err(TooLong) } else { Ok(Self(hashes)) }
    }
}

impl From<Proof> for Vec<Digest> {
    fn from(proof: Proof) -> Self {
        proof.0
    }
}

impl fmt::Display for TreeHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} entries, root {}", self.size, self.root)
    }
}

/// The hash of an entry as a leaf.
#[must_use]
pub fn leaf(entry: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::new_with_prefix([0]).chain_update(entry).finalize().into())
}

/// The hash of two subtrees side by side.
#[must_use]
pub fn node(left: &Digest, right: &Digest) -> Digest {
    let hasher = Sha256::new_with_prefix([1]).chain_update(left.bytes()).chain_update(right.bytes());
    Digest::from_bytes(hasher.finalize().into())
}

#[cfg(test)]
pub(crate) mod tests;
