//! Checking proofs that somebody else made: RFC 9162 sections 2.1.3.2 and 2.1.4.2.
//!
//! Both walk from a leaf to the root along the bits of its index (`position`) and of the last leaf's (`last`). Where both
//! are the same the walk is at the right edge, where a subtree without a neighbour rises by itself.

use super::{Proof, TreeHead, node};
use crate::digest::Digest;

/// The proof does not prove it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The leaf is not in a tree of that size, or the older tree is larger than the newer one.
    #[error("the tree is too small for that")]
    Size,
    /// The proof has more or fewer hashes than one for these sizes.
    #[error("the proof has the wrong length")]
    Length,
    /// The hashes do not lead to the root.
    #[error("the proof leads to another root")]
    Root,
}

/// Where a walk is: the index of the subtree that it has reached, and of the last one at that height.
struct Walk {
    position: u64,
    last: u64,
}

/// On which side the next hash of a proof stands.
enum Side {
    Left,
    Right,
}

impl Walk {
    /// The side of the next hash, and one step up; nothing at the root.
    fn rise(&mut self) -> Option<Side> {
        if self.last == 0 {
            return None;
        }
        let side = if self.position & 1 == 1 || self.position == self.last {
            // Without a neighbour on its right it rises until it is one on the right itself.
            while self.position & 1 == 0 && self.position != 0 {
                self.up();
            }
            Side::Left
        } else {
            Side::Right
        };
        self.up();
        Some(side)
    }

    const fn up(&mut self) {
        self.position >>= 1;
        self.last >>= 1;
    }
}

/// Checks that `leaf` is the leaf `index`, counted from 0, of the tree with this head.
///
/// # Errors
/// The proof does not show that.
pub fn verify_inclusion(leaf: &Digest, index: u64, head: &TreeHead, proof: &Proof) -> Result<(), Mismatch> {
    if index >= head.size {
        return Err(Mismatch::Size);
    }
    let mut walk = Walk { position: index, last: head.size.saturating_sub(1) };
    let mut root = *leaf;
    for hash in proof.hashes() {
        root = match walk.rise().ok_or(Mismatch::Length)? {
            Side::Left => node(hash, &root),
            Side::Right => node(&root, hash),
        };
    }
    arrived(&walk, root == head.root)
}

/// Checks that the tree of `new` begins with the tree of `old`. Everything begins with the tree without a leaf.
///
/// # Errors
/// The proof does not show that.
pub fn verify_consistency(old: &TreeHead, new: &TreeHead, proof: &Proof) -> Result<(), Mismatch> {
    if old.size > new.size {
        return Err(Mismatch::Size);
    }
    if old.size == 0 || old.size == new.size {
        let begins = *old == if old.size == 0 { TreeHead::empty() } else { *new };
        return match (proof.hashes(), begins) {
            ([], true) if new.size != 0 || *new == TreeHead::empty() => Ok(()),
            ([], _) => Err(Mismatch::Root),
            ([_, ..], _) => Err(Mismatch::Length),
        };
    }
    let mut walk = Walk { position: old.size.saturating_sub(1), last: new.size.saturating_sub(1) };
    // The walk begins at the last complete subtree of the older tree. If that is the whole older tree, its root is known.
    while walk.position & 1 == 1 {
        walk.up();
    }
    let (first, rest) = if old.size.is_power_of_two() {
        (&old.root, proof.hashes())
    } else {
        proof.hashes().split_first().ok_or(Mismatch::Length)?
    };
    let (mut old_root, mut new_root) = (*first, *first);
    for hash in rest {
        match walk.rise().ok_or(Mismatch::Length)? {
            Side::Left => {
                old_root = node(hash, &old_root);
                new_root = node(hash, &new_root);
            }
            Side::Right => new_root = node(&new_root, hash),
        }
    }
    arrived(&walk, old_root == old.root && new_root == new.root)
}

fn arrived(walk: &Walk, roots: bool) -> Result<(), Mismatch> {
    match (walk.last, roots) {
        (0, true) => Ok(()),
        (0, false) => Err(Mismatch::Root),
        (1.., _) => Err(Mismatch::Length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_walk_ends_at_the_root_of_the_largest_tree() {
        for position in [0, 1, u64::MAX / 2, u64::MAX - 1] {
            let mut walk = Walk { position, last: u64::MAX - 1 };
            let steps = std::iter::from_fn(|| walk.rise()).take(super::super::MAX_PROOF).count();
            assert!(steps <= 64 && walk.last == 0, "{position}: {steps}");
        }
    }
}
