//! The store: one SQLite database to which entries are only ever added. SEC-9, SEC-10.
//!
//! ```text
//!   begin immediate ─▶ read head ─▶ complete each draft (seq, prev) ─▶ insert ─▶ move head ─▶ commit (fsync)
//! ```
//!
//! Enters: drafts. Leaves: entries that are on the disk, all of a call or none. Nothing that is returned as written can
//! be lost by a crash, and nothing that is returned as failed keeps a later append from working.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use countersign_core::digest::Digest;
use countersign_core::record::{Draft, Entry, Record, Stamp};
use countersign_core::time::Moment;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::error::StoreError;
use crate::log::{self, Log};
use crate::{place, schema};

/// How long a write or a checkpoint waits for readers beside it, and for another writer, which should not be there.
const PATIENCE: Duration = Duration::from_millis(100);

/// The end of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Head {
    /// The number of entries, which is also the last one's number; 0 for an empty log.
    pub seq: u64,
    /// The last entry's hash; zeros for an empty log.
    pub hash: Digest,
}

/// The log, open for writing. There should be one in the whole system.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
    /// Whether a failed write may have left frames in the journal. They are harmless to SQLite, but to a verifier of a
    /// copy they look like changed ones, so they go before anything else is written.
    leftovers: bool,
}

impl Store {
    /// Opens the log in this directory, or begins one. Directory and files must be ours alone.
    ///
    /// What an interrupted write left behind is gone afterwards. Only the last entry is checked; [`crate::verify()`]
    /// checks them all.
    ///
    /// # Errors
    /// A file is not ours, the database is damaged or not of this version, or it cannot be written.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let path = place::prepare(directory)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut store = Self { connection: Connection::open_with_flags(&path, flags)?, path, leftovers: false };
        store.configure()?;
        store.connection.set_prepared_statement_cache_capacity(8);
        if schema::is_blank(&store.connection)? {
            let transaction = store.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            schema::create(&transaction)?;
            transaction.commit()?;
        }
        if !schema::is_ours(&store.connection)? {
            return Err(StoreError::Schema);
        }
        store.checkpoint()?;
        store.check_end()?;
        Ok(store)
    }

    fn configure(&self) -> Result<(), StoreError> {
        let connection = &self.connection;
        connection.busy_timeout(PATIENCE)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
        if mode != "wal" {
            return Err(StoreError::Corrupt { what: "it cannot be journalled", seq: None });
        }
        connection.pragma_update(None, "synchronous", "FULL")?;
        Ok(())
    }

    /// The head must be the last entry, and that entry must hash to what it says.
    fn check_end(&self) -> Result<(), StoreError> {
        let head = self.head()?;
        let damaged = |what| Err(StoreError::Corrupt { what, seq: Some(head.seq) });
        match log::last(&self.connection)? {
            None if head == (Head { seq: 0, hash: Digest::ZERO }) => Ok(()),
            Some(entry) if Digest::of(&entry.body) != entry.hash => damaged("its last entry was changed"),
            Some(entry) if (Head { seq: entry.seq, hash: entry.hash }) == head => Ok(()),
            Some(_) | None => damaged("its end is not where it was"),
        }
    }

    /// Adds these records, all or none, in one transaction that is on the disk when this returns.
    ///
    /// # Errors
    /// Nothing was written. A later call may work again, for instance when there is room on the disk again.
    pub fn append(&mut self, drafts: &[Draft]) -> Result<Vec<Entry>, StoreError> {
        if self.leftovers {
            self.checkpoint()?;
        }
        let written = self.write(drafts);
        self.leftovers = written.is_err();
        written
    }

    fn write(&mut self, drafts: &[Draft]) -> Result<Vec<Entry>, StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let entries = insert(&transaction, drafts)?;
        transaction.commit()?;
        Ok(entries)
    }

    /// Begins a run of the broker: adds the given records (the start, first of all a clearing of the stop latch if
    /// there was one), and closes as interrupted every intent that an earlier run left open. All or none, which is
    /// why only what follows the last start needs to be looked at.
    ///
    /// # Errors
    /// Nothing was written.
    pub fn begin(&mut self, stamp: &Stamp, first: &[Draft]) -> Result<Vec<Entry>, StoreError> {
        let open = self.open_intents()?;
        let closing = open.iter().map(|intent| intent.interrupted(stamp));
        let drafts: Vec<Draft> = first.iter().cloned().chain(closing).collect();
        self.append(&drafts)
    }

    /// The intents without a result, oldest first.
    ///
    /// # Errors
    /// The log cannot be read, or an entry in it is no record.
    pub fn open_intents(&self) -> Result<Vec<Record>, StoreError> {
        log::open_intents(&self.connection)
    }

    /// The records since this time, newest first, among the last `most`; see [`Log::since`].
    ///
    /// # Errors
    /// The log cannot be read, or an entry in it is no record.
    pub fn since(&self, time: Moment, most: usize) -> Result<Vec<Record>, StoreError> {
        log::since(&self.connection, time, most)
    }

    /// The end of the log.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn head(&self) -> Result<Head, StoreError> {
        log::head(&self.connection)
    }

    /// A second door to the same log, for reading while this one writes; for the same user only.
    ///
    /// # Errors
    /// The log cannot be opened a second time.
    pub fn reader(&self) -> Result<Log, StoreError> {
        Log::beside(&self.path)
    }

    /// Moves what SQLite's journal holds into the database and empties the journal, so that the database file is
    /// the whole log. Costs a few milliseconds; the writer does it when it has nothing else to do.
    ///
    /// # Errors
    /// The journal could not be moved; nothing is lost.
    pub fn checkpoint(&mut self) -> Result<(), StoreError> {
        // A reader that still looks at the old state answers "busy"; that only postpones it.
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(())
    }
}

fn insert(transaction: &Transaction<'_>, drafts: &[Draft]) -> Result<Vec<Entry>, StoreError> {
    let mut head = log::head(transaction)?;
    let mut entries = Vec::with_capacity(drafts.len());
    let mut statement = transaction.prepare_cached("INSERT INTO entries (seq, hash, body) VALUES (?1, ?2, ?3)")?;
    for draft in drafts {
        let entry = draft.complete(head.seq.saturating_add(1), head.hash).map_err(Arc::new)?;
        statement.execute((log::number(entry.seq)?, entry.hash.bytes().as_slice(), entry.body.as_slice()))?;
        head = Head { seq: entry.seq, hash: entry.hash };
        entries.push(entry);
    }
    if !entries.is_empty() {
        let mut advance = transaction.prepare_cached("UPDATE head SET seq = ?1, hash = ?2 WHERE one = 1")?;
        let moved = advance.execute((log::number(head.seq)?, head.hash.bytes().as_slice()))?;
        if moved != 1 {
            return Err(StoreError::Corrupt { what: "its head is missing", seq: Some(head.seq) });
        }
    }
    Ok(entries)
}
