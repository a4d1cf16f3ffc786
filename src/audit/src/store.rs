//! The store: one SQLite database to which entries are only ever added. SEC-9, SEC-10.
//!
//! ```text
//!   begin immediate ─▶ read head ─▶ complete each draft (seq, prev) ─▶ insert ─▶ move head ─▶ commit (fsync)
//! ```
//!
//! Enters: drafts. Leaves: entries that are on the disk, all of a call or none. Nothing that is returned as written can
//! be lost by a crash, and nothing that is returned as failed keeps a later append from working.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use countersign_core::digest::Digest;
use countersign_core::record::{Draft, Entry, Record, Stamp};
use countersign_core::time::Moment;
use countersign_core::tree::{self, Frontier, Proof, ProveError, TreeHead};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use rustix::fd::OwnedFd;

use crate::base::Base;
use crate::error::StoreError;
use crate::log::{self, Log};
use crate::stored::{self, Stored};
use crate::{place, schema, segment};

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
    directory: PathBuf,
    opened: OwnedFd,
    path: PathBuf,
    /// The tree over all entries. With it a checkpoint costs the same however long the log is.
    tree: Frontier,
    /// What this segment continues.
    base: Head,
    /// Whether the connection is still the log's. It is not while a segment is closed, nor after that failed.
    connected: bool,
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
        let (path, opened) = place::prepare(directory)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut store = Self {
            connection: Connection::open_with_flags(&path, flags)?,
            directory: directory.to_owned(),
            opened,
            path,
            tree: Frontier::default(),
            base: Head { seq: 0, hash: Digest::ZERO },
            connected: true,
            leftovers: false,
        };
        store.configure()?;
        store.connection.set_prepared_statement_cache_capacity(16);
        if schema::is_blank(&store.connection)? {
            let transaction = store.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            schema::create(&transaction, &Base::nothing())?;
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

    /// The head must be the last entry, and that entry must hash to what it says. Takes up the tree from there.
    fn check_end(&mut self) -> Result<(), StoreError> {
        let head = self.head()?;
        let base = Base::read(&self.connection)?.head;
        let damaged = |what| Err(StoreError::Corrupt { what, seq: Some(head.seq) });
        match log::last(&self.connection)? {
            None if head == base => {}
            Some(entry) if tree::leaf(&entry.body) != entry.hash => return damaged("its last entry was changed"),
            Some(entry) if (Head { seq: entry.seq, hash: entry.hash }) == head => {}
            Some(_) | None => return damaged("its end is not where it was"),
        }
        self.tree = Stored::new(&self.connection, Some(&self.directory))?.frontier(head.seq)?;
        self.base = base;
        Ok(())
    }

    /// Adds these records, all or none, in one transaction that is on the disk when this returns.
    ///
    /// # Errors
    /// Nothing was written. A later call may work again, for instance when there is room on the disk again.
    pub fn append(&mut self, drafts: &[Draft]) -> Result<Vec<Entry>, StoreError> {
        self.prepare()?;
        let written = self.write(drafts);
        self.leftovers = written.is_err();
        written
    }

    /// Puts right what a failure before may have left.
    fn prepare(&mut self) -> Result<(), StoreError> {
        if !self.connected {
            *self = Self::open(&self.directory)?;
        }
        if self.leftovers {
            self.checkpoint()?;
        }
        Ok(())
    }

    fn write(&mut self, drafts: &[Draft]) -> Result<Vec<Entry>, StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut tree = self.tree.clone();
        let entries = insert(&transaction, drafts, &mut tree)?;
        transaction.commit()?;
        self.tree = tree;
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
        log::open_intents(|visit| log::back(&self.connection, &self.directory, visit))
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

    /// Size and root of the tree over all entries. Costs the same whatever the size.
    #[must_use]
    pub fn tree(&self) -> TreeHead {
        self.tree.head()
    }

    /// Size and root of the tree over the first `size` entries.
    ///
    /// # Errors
    /// There are fewer, or they end in an earlier segment that was moved away.
    pub fn head_at(&self, size: u64) -> Result<TreeHead, StoreError> {
        if size > self.tree.size() {
            return Err(StoreError::OtherTree);
        }
        Ok(Stored::new(&self.connection, Some(&self.directory))?.frontier(size)?.head())
    }

    /// The proof that this entry is in the tree over the first `size` entries. Entries count from 1.
    ///
    /// # Errors
    /// There is no such entry in that tree, or it is in an earlier segment that was moved away.
    pub fn inclusion(&self, seq: u64, size: u64) -> Result<Proof, ProveError<StoreError>> {
        log::inclusion(&self.connection, Some(&self.directory), seq, size.min(self.tree.size()))
    }

    /// The proof that the tree over the first `old` entries is the begin of the one over the first `new`.
    ///
    /// # Errors
    /// One of them is not there yet, or it begins in an earlier segment that was moved away.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Proof, ProveError<StoreError>> {
        log::consistency(&self.connection, Some(&self.directory), old, new.min(self.tree.size()))
    }

    /// Keeps a signed checkpoint of this head of the tree.
    ///
    /// # Errors
    /// It is not a head that the log's tree has or had, is older than the newest one, or cannot be written.
    pub fn keep(&mut self, head: &TreeHead, note: &str) -> Result<(), StoreError> {
        self.prepare()?;
        // The present head is known; an older one is read.
        if *head != self.tree.head() && self.head_at(head.size)? != *head {
            return Err(StoreError::OtherTree);
        }
        match self.newest_checkpoint()? {
            Some((newest, _)) if head.size < newest => return Err(StoreError::OtherTree),
            // It is kept once, however often it is signed.
            Some((newest, kept)) if head.size == newest && kept == note => return Ok(()),
            Some(_) | None => {}
        }
        let mut statement = self.connection.prepare_cached("INSERT INTO checkpoints (size, note) VALUES (?1, ?2)")?;
        statement.execute((log::number(head.size)?, note))?;
        Ok(())
    }

    /// The newest checkpoint that was kept: the size that it speaks of, and the signed note.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn newest_checkpoint(&self) -> Result<Option<(u64, String)>, StoreError> {
        log::newest_checkpoint(&self.connection)
    }

    /// Whether this very note over this size was kept. What is older than this segment counts as kept.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn has_checkpoint(&self, size: u64, note: &str) -> Result<bool, StoreError> {
        let sql = "SELECT count(*) FROM checkpoints WHERE size = ?1 AND note = ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let kept: i64 = statement.query_row((log::number(size)?, note), |row| row.get(0))?;
        Ok(kept > 0 || size < self.base.seq)
    }

    /// Whether the present segment has so many entries.
    pub(crate) const fn is_full(&self, at_least: NonZeroU64) -> bool {
        self.tree.size().saturating_sub(self.base.seq) >= at_least.get()
    }

    /// Closes the present segment and goes on in a new one, if the present one has so many entries and its last entry is
    /// covered by a checkpoint. Says whether it did.
    ///
    /// # Errors
    /// The new segment could not be made, or the files not moved. The log goes on where it was, at the latest with the
    /// next append.
    pub fn close_segment(&mut self, at_least: NonZeroU64) -> Result<bool, StoreError> {
        self.prepare()?;
        let head = self.head()?;
        let Some((size, note)) = self.newest_checkpoint()? else { return Ok(false) };
        if !self.is_full(at_least) || size != head.seq {
            return Ok(false);
        }
        self.checkpoint()?;
        let mode: String = self.connection.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get(0))?;
        self.connected = false;
        if mode == "delete" {
            segment::make(&self.directory, &self.opened, &Base { head, tree: self.tree.clone(), note })?;
            self.connection = Connection::open_in_memory()?;
            segment::roll(&self.opened, self.base.seq.saturating_add(1), head.seq)?;
        }
        self.prepare()?;
        Ok(mode == "delete")
    }

    /// A second door to the same log, for reading while this one writes; for the same user only.
    ///
    /// # Errors
    /// The log cannot be opened a second time.
    pub fn reader(&self) -> Result<Log, StoreError> {
        Log::beside(&self.path, &self.directory)
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

fn insert(transaction: &Transaction<'_>, drafts: &[Draft], tree: &mut Frontier) -> Result<Vec<Entry>, StoreError> {
    let mut head = log::head(transaction)?;
    let (mut entries, mut nodes) = (Vec::with_capacity(drafts.len()), Vec::new());
    let mut statement = transaction.prepare_cached("INSERT INTO entries (seq, hash, body) VALUES (?1, ?2, ?3)")?;
    let mut open = transaction.prepare_cached("INSERT INTO openings (seq, salt) VALUES (?1, ?2)")?;
    for draft in drafts {
        let entry = draft.complete(head.seq.saturating_add(1), head.hash).map_err(Arc::new)?;
        statement.execute((log::number(entry.seq)?, entry.hash.bytes().as_slice(), entry.body.as_slice()))?;
        if let Some(salt) = draft.opening() {
            open.execute((log::number(entry.seq)?, salt.bytes().as_slice()))?;
        }
        let grown = tree.append(entry.hash, |node| nodes.extend(Some(node).filter(stored::is_kept)));
        grown.map_err(|_| StoreError::Corrupt { what: "it has more entries than can be counted", seq: None })?;
        head = Head { seq: entry.seq, hash: entry.hash };
        entries.push(entry);
    }
    stored::keep(transaction, &nodes)?;
    if !entries.is_empty() {
        let mut advance = transaction.prepare_cached("UPDATE head SET seq = ?1, hash = ?2 WHERE one = 1")?;
        let moved = advance.execute((log::number(head.seq)?, head.hash.bytes().as_slice()))?;
        if moved != 1 {
            return Err(StoreError::Corrupt { what: "its head is missing", seq: Some(head.seq) });
        }
    }
    Ok(entries)
}
