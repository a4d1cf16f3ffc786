//! The frontier: the complete subtrees at the right edge, which are all that growing a tree and its root need.
//!
//! A tree of `size` leaves has one peak for each bit that is set in `size`, highest first: that is the invariant. An
//! append costs two hashes on average, a root at most 63, whatever the size.

use serde::{Deserialize, Serialize};

use super::{Node, Subtrees, TreeHead, node};
use crate::digest::Digest;

/// The right edge of a tree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct Frontier {
    size: u64,
    /// Highest first; as many as `size` has bits that are set.
    peaks: Vec<Digest>,
}

/// A frontier as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    #[serde(with = "crate::digest::decimal")]
    size: u64,
    peaks: Vec<Digest>,
}

/// The tree has 2^64 - 1 leaves and takes no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the tree is full")]
pub struct Full;

/// The number of peaks is not the one that the size asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tree of {size} entries has another number of peaks")]
pub struct NotAFrontier {
    /// The size that was claimed.
    pub size: u64,
}

impl Frontier {
    /// The frontier of a tree of that size with these peaks, highest first.
    ///
    /// # Errors
    /// A tree of that size has another number of peaks.
    pub fn new(size: u64, peaks: Vec<Digest>) -> Result<Self, NotAFrontier> {
        if u32::try_from(peaks.len()) == Ok(size.count_ones()) {
            Ok(Self { size, peaks })
        } else {
            Err(NotAFrontier { size })
        }
    }

    /// The frontier of the first `size` leaves, from the subtrees that were stored.
    ///
    /// # Errors
    /// A subtree cannot be read.
    pub fn read<S: Subtrees>(source: &S, size: u64) -> Result<Self, S::Error> {
        // A bit that is set stands for a peak, and the bits above it count the subtrees of its height before it.
        let above =
            |level: u32| size.checked_shr(level).filter(|above| above & 1 == 1).map(|above| (level, above & !1));
        let peaks = (0..u64::BITS).rev().filter_map(above).map(|(level, index)| source.subtree(level, index));
        Ok(Self { size, peaks: peaks.collect::<Result<_, _>>()? })
    }

    /// The number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The complete subtrees at the right edge, highest first.
    #[must_use]
    pub fn peaks(&self) -> &[Digest] {
        &self.peaks
    }

    /// Adds a leaf, and shows every subtree that is complete with it, lowest first; the first is the leaf itself.
    ///
    /// # Errors
    /// The tree is full; nothing was added then.
    pub fn append(&mut self, leaf: Digest, mut completed: impl FnMut(Node)) -> Result<(), Full> {
        let size = self.size.checked_add(1).ok_or(Full)?;
        let mut grown = Node { level: 0, index: self.size, hash: leaf };
        completed(grown);
        // Each trailing bit that is set stands for a subtree of the same height as what has grown so far.
        for _ in 0..self.size.trailing_ones() {
            let Some(left) = self.peaks.pop() else { break };
            grown =
                Node { level: grown.level.saturating_add(1), index: grown.index >> 1, hash: node(&left, &grown.hash) };
            completed(grown);
        }
        self.peaks.push(grown.hash);
        self.size = size;
        Ok(())
    }

    /// The root over all leaves.
    #[must_use]
    pub fn head(&self) -> TreeHead {
        let mut rising = self.peaks.iter().rev();
        let Some(lowest) = rising.next() else { return TreeHead::empty() };
        TreeHead { size: self.size, root: rising.fold(*lowest, |right, left| node(left, &right)) }
    }
}

impl TryFrom<Parts> for Frontier {
    type Error = NotAFrontier;

    fn try_from(parts: Parts) -> Result<Self, NotAFrontier> {
        Self::new(parts.size, parts.peaks)
    }
}

impl From<Frontier> for Parts {
    fn from(frontier: Frontier) -> Self {
        Self { size: frontier.size, peaks: frontier.peaks }
    }
}
