//! The stored tree: every fourth level of the Merkle tree over the log, so that a proof reads a few rows whatever the
//! log's size.
//!
//! ```text
//!   level 8  subtrees          each stored hash covers 16 of the next stored level; what lies between is computed
//!   level 4  subtrees          from at most 8 of them. Below level 4 the hashes of the entries are the leaves.
//!   level 0  entries.hash      What is older than the segment is there as the peaks of its base.
//! ```

use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::path::Path;

use countersign_core::digest::Digest;
use countersign_core::tree::{Frontier, Node, Subtrees, node};
use rusqlite::{Connection, OptionalExtension, Transaction};

use crate::base::Base;
use crate::error::StoreError;
use crate::log::{self, digest_of};
use crate::segment;

/// Every how many levels the hashes are stored.
const STEP: u32 = 4;

/// The tree as it is in the database.
#[derive(Debug)]
pub(crate) struct Stored<'a> {
    connection: &'a Connection,
    base: Base,
    /// Where closed segments are, if they may be looked at.
    directory: Option<&'a Path>,
    /// The closed segment that was looked at last: what a proof asks for lies together.
    earlier: RefCell<Option<(RangeInclusive<u64>, Connection)>>,
}

impl<'a> Stored<'a> {
    pub(crate) fn new(connection: &'a Connection, directory: Option<&'a Path>) -> Result<Self, StoreError> {
        Ok(Self { connection, base: Base::read(connection)?, directory, earlier: RefCell::new(None) })
    }

    /// A stored hash, from the segment that has the entry which completes its subtree.
    fn look(&self, level: u32, index: u64) -> Result<Option<Digest>, StoreError> {
        let completed_by = index.saturating_add(1).checked_shl(level).unwrap_or(u64::MAX);
        if completed_by > self.base.head.seq {
            return row(self.connection, level, index);
        }
        let mut earlier = self.earlier.borrow_mut();
        if !earlier.as_ref().is_some_and(|(span, _)| span.contains(&completed_by)) {
            let Some(directory) = self.directory else { return Ok(None) };
            let Some(found) = segment::holding(directory, completed_by)? else { return Ok(None) };
            let first = Base::read(&found)?.head.seq.saturating_add(1);
            *earlier = Some((first..=log::head(&found)?.seq, found));
        }
        earlier.as_ref().map_or(Ok(None), |(_, connection)| row(connection, level, index))
    }

    /// The tree over the first so many entries.
    pub(crate) fn frontier(&self, size: u64) -> Result<Frontier, StoreError> {
        if size == self.base.head.seq { Ok(self.base.tree.clone()) } else { Frontier::read(self, size) }
    }

    /// The hash of a complete subtree of the base that is one of its peaks.
    fn peak(&self, level: u32, index: u64) -> Option<Digest> {
        let size = self.base.head.seq;
        let bit = size.checked_shr(level)?;
        let here = bit & 1 == 1 && index == bit & !1;
        let higher = bit.checked_shr(1).map_or(0, u64::count_ones);
        here.then_some(())?;
        self.base.tree.peaks().get(usize::try_from(higher).ok()?).copied()
    }
}

impl Subtrees for Stored<'_> {
    type Error = StoreError;

    fn subtree(&self, level: u32, index: u64) -> Result<Digest, StoreError> {
        if let Some(peak) = self.peak(level, index) {
            return Ok(peak);
        }
        if level.is_multiple_of(STEP) {
            return self.look(level, index)?.ok_or(StoreError::Earlier);
        }
        let (below, left) = (level.saturating_sub(1), index.saturating_mul(2));
        Ok(node(&self.subtree(below, left)?, &self.subtree(below, left.saturating_add(1))?))
    }
}

/// What a segment has of a stored level.
fn row(connection: &Connection, level: u32, index: u64) -> Result<Option<Digest>, StoreError> {
    let (sql, place) = if level == 0 {
        ("SELECT hash FROM entries WHERE ?1 = 0 AND seq = ?2", index.saturating_add(1))
    } else {
        ("SELECT hash FROM subtrees WHERE level = ?1 AND place = ?2", index)
    };
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_row((level, log::number(place)?), |row| Ok(digest_of(row, 0))).optional()?.flatten())
}

/// Whether this node is one of those that are stored beside the entries.
pub(crate) const fn is_kept(node: &Node) -> bool {
    node.level != 0 && node.level.is_multiple_of(STEP)
}

/// Stores these nodes.
pub(crate) fn keep(transaction: &Transaction<'_>, nodes: &[Node]) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached("INSERT INTO subtrees (level, place, hash) VALUES (?1, ?2, ?3)")?;
    for node in nodes {
        statement.execute((node.level, log::number(node.index)?, node.hash.bytes().as_slice()))?;
    }
    Ok(())
}
