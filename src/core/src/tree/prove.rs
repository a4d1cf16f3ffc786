//! Making proofs from stored subtrees: RFC 6962 sections 2.1.1 and 2.1.2.
//!
//! The tree over the leaves `[begin, end)` splits at the largest power of two below its size; its left part is always
//! complete. So a proof reads at most one stored subtree for each of its hashes, and for the one part that may be
//! incomplete, the right edge, at most 63 more.

use super::{Proof, TreeHead, node};
use crate::digest::Digest;

/// Where complete subtrees are found.
pub trait Subtrees {
    /// Why one could not be read.
    type Error;

    /// The hash over the leaves from `index · 2^level` up to `(index + 1) · 2^level`. Only asked for subtrees that are
    /// complete within the size for which a proof is made.
    ///
    /// # Errors
    /// It is not there, or could not be read.
    fn subtree(&self, level: u32, index: u64) -> Result<Digest, Self::Error>;
}

/// Why there is no proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProveError<E> {
    /// The leaf is not in a tree of that size, or the older tree is larger than the newer one.
    #[error("a tree of {size} entries does not reach to {wanted}")]
    Beyond {
        /// The size of the tree.
        size: u64,
        /// The leaf's index, or the size of the older tree.
        wanted: u64,
    },
    /// A subtree could not be read.
    #[error("the tree could not be read")]
    Subtree(#[source] E),
}

/// A part of a tree: the leaves from `begin` up to `end`, of which there is at least one.
#[derive(Clone, Copy)]
struct Part {
    begin: u64,
    end: u64,
}

/// What of a consistency proof the verifier knows already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    /// This part is the whole older tree, whose root is known.
    Root,
    /// Nothing.
    Nothing,
}

impl Part {
    const fn size(self) -> u64 {
        self.end.saturating_sub(self.begin)
    }

    /// The two halves; nothing for a single leaf.
    fn halves(self) -> Option<(Self, Self)> {
        let height = self.size().saturating_sub(1).checked_ilog2()?;
        let middle = self.begin.saturating_add(1_u64.checked_shl(height)?);
        Some((Self { begin: self.begin, end: middle }, Self { begin: middle, end: self.end }))
    }

    fn hash<S: Subtrees>(self, source: &S) -> Result<Digest, S::Error> {
        let size = self.size();
        match self.halves() {
            Some((left, right)) if !size.is_power_of_two() => Ok(node(&left.hash(source)?, &right.hash(source)?)),
            Some(_) | None => {
                let level = size.trailing_zeros();
                source.subtree(level, self.begin.checked_shr(level).unwrap_or(0))
            }
        }
    }

    fn inclusion<S: Subtrees>(self, source: &S, index: u64, path: &mut Vec<Digest>) -> Result<(), S::Error> {
        let Some((left, right)) = self.halves() else { return Ok(()) };
        let (within, beside) = if index < left.end { (left, right) } else { (right, left) };
        within.inclusion(source, index, path)?;
        path.push(beside.hash(source)?);
        Ok(())
    }

    /// RFC 6962's `SUBPROOF(old, self, known)`; `old` is where the older tree ends, within this part.
    fn consistency<S: Subtrees>(
        self,
        source: &S,
        old: u64,
        known: Known,
        path: &mut Vec<Digest>,
    ) -> Result<(), S::Error> {
        let halves = self.halves().filter(|_| old != self.end);
        let Some((left, right)) = halves else {
            if known == Known::Nothing {
                path.push(self.hash(source)?);
            }
            return Ok(());
        };
        let beside = if old <= left.end {
            left.consistency(source, old, known, path)?;
            right
        } else {
            right.consistency(source, old, Known::Nothing, path)?;
            left
        };
        path.push(beside.hash(source)?);
        Ok(())
    }
}

/// The root of the first `size` leaves.
///
/// # Errors
/// A subtree could not be read.
pub fn root<S: Subtrees>(source: &S, size: u64) -> Result<TreeHead, S::Error> {
    if size == 0 {
        return Ok(TreeHead::empty());
    }
    Ok(TreeHead { size, root: Part { begin: 0, end: size }.hash(source)? })
}

/// The proof that the leaf `index`, counted from 0, is in the tree of the first `size` leaves.
///
/// # Errors
/// There is no such leaf in that tree, or a subtree could not be read.
pub fn inclusion<S: Subtrees>(source: &S, index: u64, size: u64) -> Result<Proof, ProveError<S::Error>> {
    if index >= size {
        return Err(ProveError::Beyond { size, wanted: index });
    }
    let mut path = Vec::new();
    Part { begin: 0, end: size }.inclusion(source, index, &mut path).map_err(ProveError::Subtree)?;
    Ok(Proof(path))
}

/// The proof that the tree of the first `new` leaves begins with the tree of the first `old` leaves. Empty if `old` is 0
/// or `new`: nothing needs to be proven then.
///
/// # Errors
/// The older tree is the larger one, or a subtree could not be read.
pub fn consistency<S: Subtrees>(source: &S, old: u64, new: u64) -> Result<Proof, ProveError<S::Error>> {
    if old > new {
        return Err(ProveError::Beyond { size: new, wanted: old });
    }
    let mut path = Vec::new();
    if old != 0 {
        let whole = Part { begin: 0, end: new };
        whole.consistency(source, old, Known::Root, &mut path).map_err(ProveError::Subtree)?;
    }
    Ok(Proof(path))
}
