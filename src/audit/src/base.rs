//! The base: what a segment of the log continues.
//!
//! The first segment continues nothing. Every later one begins with the number and hash of the last entry before it, the
//! peaks of the tree over all entries before it, and the checkpoint that was signed over exactly those. So a log
//! whose older segments were moved away still goes on, and what follows can still be proven.

use countersign_core::digest::Digest;
use countersign_core::tree::Frontier;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};

use crate::error::StoreError;
use crate::log::{self, blob_of, digest_of, number_of, text_of};
use crate::store::Head;

/// What a segment continues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Base {
    /// The last entry before it; number 0 for the first segment.
    pub(crate) head: Head,
    /// The tree over all entries before it.
    pub(crate) tree: Frontier,
    /// The signed checkpoint over them; empty for the first segment.
    pub(crate) note: String,
}

impl Base {
    /// The base of the first segment.
    pub(crate) fn nothing() -> Self {
        Self { head: Head { seq: 0, hash: Digest::ZERO }, tree: Frontier::default(), note: String::new() }
    }

    /// Writes it, and the head with it, into tables that are empty.
    pub(crate) fn write(&self, transaction: &Transaction<'_>) -> Result<(), StoreError> {
        let (seq, hash) = (log::number(self.head.seq)?, self.head.hash.bytes().as_slice());
        let peaks: Vec<u8> = self.tree.peaks().iter().flat_map(Digest::bytes).copied().collect();
        transaction.execute("INSERT INTO base VALUES (1, ?1, ?2, ?3, ?4)", (seq, hash, &peaks, &self.note))?;
        transaction.execute("INSERT INTO head VALUES (1, ?1, ?2)", (seq, hash))?;
        Ok(())
    }

    /// Reads it.
    pub(crate) fn read(connection: &Connection) -> Result<Self, StoreError> {
        let mut statement = connection.prepare_cached("SELECT seq, hash, peaks, note FROM base WHERE one = 1")?;
        let found = statement.query_row([], |row| Ok(Self::of(row))).optional()?.flatten();
        found.ok_or(StoreError::Corrupt { what: "what it continues is missing", seq: None })
    }

    fn of(row: &Row<'_>) -> Option<Self> {
        let head = Head { seq: number_of(row, 0)?, hash: digest_of(row, 1)? };
        let (peaks, rest) = blob_of(row, 2)?.as_chunks::<32>();
        let peaks = peaks.iter().map(|peak| Digest::from_bytes(*peak)).collect();
        let tree = Frontier::new(head.seq, peaks).ok().filter(|_| rest.is_empty())?;
        Some(Self { head, tree, note: text_of(row, 3)?.to_owned() })
    }
}
