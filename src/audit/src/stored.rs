//! The stored tree: every fourth level of the Merkle tree over the log, so that a proof reads a few rows whatever the
//! log's size.
//!
//! ```text
//!   level 8  subtrees          each stored hash covers 16 of the next stored level; what lies between is computed
//!   level 4  subtrees          from at most 8 of them. Below level 4 the hashes of the entries are the leaves.
//!   level 0  entries.hash      What is older than the segment is there as the peaks of its base.
//! ```

use countersign_core::digest::Digest;
use countersign_core::tree::{Frontier, Node, Subtrees, node};
use rusqlite::{Connection, OptionalExtension, Transaction};

use crate::base::Base;
use crate::error::StoreError;
use crate::log::{self, digest_of};

/// Every how many levels the hashes are stored.
const STEP: u32 = 4;

/// The tree as it is in the database.
#[derive(Debug)]
pub(crate) struct Stored<'a> {
    connection: &'a Connection,
    base: Base,
}

impl<'a> Stored<'a> {
    pub(crate) fn new(connection: &'a Connection) -> Result<Self, StoreError> {
        Ok(Self { connection, base: Base::read(connection)? })
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

    fn row(&self, sql: &str, parameters: impl rusqlite::Params) -> Result<Option<Digest>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row(parameters, |row| Ok(digest_of(row, 0))).optional()?.flatten())
    }
}

impl Subtrees for Stored<'_> {
    type Error = StoreError;

    fn subtree(&self, level: u32, index: u64) -> Result<Digest, StoreError> {
        if let Some(peak) = self.peak(level, index) {
            return Ok(peak);
        }
        let stored = if level == 0 {
            self.row("SELECT hash FROM entries WHERE seq = ?1", [log::number(index.saturating_add(1))?])?
        } else if level.is_multiple_of(STEP) {
            let sql = "SELECT hash FROM subtrees WHERE level = ?1 AND place = ?2";
            self.row(sql, (level, log::number(index)?))?
        } else {
            let (below, left) = (level.saturating_sub(1), index.saturating_mul(2));
            Some(node(&self.subtree(below, left)?, &self.subtree(below, left.saturating_add(1))?))
        };
        stored.ok_or(StoreError::Earlier)
    }
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
