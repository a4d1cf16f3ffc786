//! A segment as a source: its rows, its checkpoints, and what must hold at its end.

use std::path::Path;

use countersign_core::tree::Node;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row};

use super::report::{Rule, tampered};
use super::source::{Batch, Item, Opening, Stored};
use super::walk::{Halt, Walk};
use crate::base::Base;
use crate::error::StoreError;
use crate::journal::Journal;
use crate::log::{self, blob_of, digest_of, number_of, text_of};
use crate::schema::{self, Difference};
use crate::snapshot::Snapshot;

/// A database.
#[derive(Debug)]
pub(super) struct Rows {
    snapshot: Snapshot,
    base: Result<Base, StoreError>,
    /// The last row that was read, whatever it says of itself; nothing before the first.
    last: Option<i64>,
    /// How many entries were read, with those of the base.
    count: u64,
    /// The last checkpoint that was read.
    note: i64,
    /// How many entries have something to open their commitment with.
    opened: u64,
}

impl Rows {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let snapshot = Snapshot::take(path)?;
        let base = Base::read(snapshot.connection());
        let count = base.as_ref().map_or(0, |base| base.head.seq);
        Ok(Self { snapshot, base, last: None, count, note: 0, opened: 0 })
    }

    pub(super) const fn base(&self) -> Option<&Base> {
        match &self.base {
            Ok(base) => Some(base),
            Err(_) => None,
        }
    }

    /// Why that cannot be read.
    pub(super) fn flaw(&self) -> String {
        let chain = |error: &StoreError| {
            let cause = std::error::Error::source(error).map(|cause| format!(" ({cause})")).unwrap_or_default();
            format!("{error}{cause}")
        };
        self.base.as_ref().err().map(chain).unwrap_or_default()
    }

    const fn connection(&self) -> &Connection {
        self.snapshot.connection()
    }

    pub(super) fn next(&mut self) -> Result<Batch, Halt> {
        let mut batch = Batch::default();
        let seq = self.count.saturating_add(1);
        match self.fill(&mut batch) {
            Ok(()) => Ok(batch),
            // What was read before is looked at first, so that the damage is met in its place.
            Err(_) if !batch.items.is_empty() => {
                batch.items.push(Item::odd(Rule::Type, "an entry that can be read", "a damaged page"));
                Ok(batch)
            }
            Err(error) => Err(damage(error, seq)),
        }
    }

    fn fill(&mut self, batch: &mut Batch) -> rusqlite::Result<()> {
        let connection = self.snapshot.connection();
        let mut notes = Notes::after(connection, self.note)?;
        if self.last.is_none() {
            notes.put(batch, self.count)?;
        }
        let sql = "SELECT seq, hash, body, (SELECT salt FROM openings WHERE openings.seq = entries.seq) \
                   FROM entries WHERE seq > ?1 ORDER BY seq";
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([self.last.unwrap_or(i64::MIN)])?;
        while !batch.is_full() {
            let Some(row) = rows.next()? else {
                // A checkpoint over more entries than there are.
                notes.put(batch, u64::MAX)?;
                break;
            };
            self.last = Some(row.get(0)?);
            self.count = self.count.saturating_add(1);
            let opening = opening(row)?;
            self.opened = self.opened.saturating_add(u64::from(opening != Opening::None));
            match number_of(row, 0).zip(digest_of(row, 1)).zip(blob_of(row, 2)) {
                Some(((number, hash), body)) => batch.push(number, hash, body, opening),
                None => batch.items.push(Item::odd(Rule::Type, "a number, 32 bytes and a body", "something else")),
            }
            notes.put(batch, self.count)?;
        }
        self.note = notes.last;
        Ok(())
    }

    pub(super) fn stored(&self, node: &Node) -> Stored {
        let sql = "SELECT hash FROM subtrees WHERE level = ?1 AND place = ?2";
        let look = || -> Result<_, StoreError> {
            let mut statement = self.connection().prepare_cached(sql)?;
            let found = statement.query_row((node.level, log::number(node.index)?), |row| Ok(digest_of(row, 0)));
            Ok(found.optional()?.flatten())
        };
        look().ok().flatten().map_or(Stored::Missing, Stored::Hash)
    }

    pub(super) fn end(&self, walk: &Walk<'_>) -> Result<(), Halt> {
        let connection = self.connection();
        let broken = |rule, expected: &str, found: &str| Err(Halt::Found(tampered(walk.next(), rule, expected, found)));
        let Ok(stored) = log::head(connection) else { return broken(Rule::Head, "the stored head", "none") };
        walk.ends_at(stored)?;
        let count = |sql| -> Result<i64, Halt> {
            connection.query_row(sql, [], |row| row.get(0)).map_err(|error| damage(error, walk.next()))
        };
        let kept = count("SELECT count(*) FROM subtrees")?;
        if u64::try_from(kept) != Ok(walk.kept()) {
            return broken(Rule::Tree, &format!("{} stored subtrees", walk.kept()), &kept.to_string());
        }
        let openings = count("SELECT count(*) FROM openings")?;
        if u64::try_from(openings) != Ok(self.opened) {
            let found = format!("{openings}, some for entries that are not here");
            return broken(Rule::Opening, &format!("{} openings", self.opened), &found);
        }
        // Last, so that whoever took the triggers away to change an entry is still told which.
        match schema::difference(connection) {
            Ok(None) if self.snapshot.journal() == Journal::Damaged => {
                broken(Rule::Journal, "a whole journal", "a frame that was changed")
            }
            Ok(None) => Ok(()),
            Ok(Some(Difference { expected, found })) => broken(Rule::Schema, &expected, &found),
            Err(error) => Err(damage(error, walk.next())),
        }
    }

    pub(super) const fn is_torn(&self) -> bool {
        matches!(self.snapshot.journal(), Journal::Torn)
    }

    pub(super) fn held_still(&self) -> bool {
        self.snapshot.held_still()
    }
}

/// What is there to open the commitment of this row's entry with.
fn opening(row: &Row<'_>) -> rusqlite::Result<Opening> {
    Ok(match row.get_ref(3)? {
        ValueRef::Null => Opening::None,
        ValueRef::Blob(salt) if salt.len() == size_of::<u128>() => Opening::Salt,
        ValueRef::Blob(_) | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_) => Opening::Odd,
    })
}

/// The checkpoints of a database, a step ahead of its entries.
struct Notes<'a> {
    statement: rusqlite::CachedStatement<'a>,
    last: i64,
    ahead: Option<(i64, u64, String)>,
}

impl<'a> Notes<'a> {
    fn after(connection: &'a Connection, last: i64) -> rusqlite::Result<Self> {
        let sql = "SELECT number, size, note FROM checkpoints WHERE number > ?1 ORDER BY number LIMIT 1";
        let mut notes = Self { statement: connection.prepare_cached(sql)?, last, ahead: None };
        notes.look()?;
        Ok(notes)
    }

    fn look(&mut self) -> rusqlite::Result<()> {
        let found = self.statement.query_row([self.last], |row| {
            let text = text_of(row, 2).unwrap_or("not a text").to_owned();
            Ok((row.get(0)?, number_of(row, 1).unwrap_or(0), text))
        });
        self.ahead = found.optional()?;
        Ok(())
    }

    /// Puts those into the batch that speak of no more than so many entries. They are numbered without gaps.
    fn put(&mut self, batch: &mut Batch, count: u64) -> rusqlite::Result<()> {
        while let Some((number, _, note)) = self.ahead.take_if(|(_, size, _)| *size <= count) {
            let expected = self.last.saturating_add(1);
            if number != expected {
                let place = |number| format!("checkpoint number {number}");
                batch.items.push(Item::odd(Rule::Checkpoint, place(expected), place(number)));
            }
            self.last = number;
            batch.items.push(Item::Note(note));
            self.look()?;
        }
        Ok(())
    }
}

/// A database that SQLite cannot read is a finding, a disk that cannot be read is an error.
fn damage(error: rusqlite::Error, seq: u64) -> Halt {
    let code = error.sqlite_error_code();
    let short = error.sqlite_extended_error_code() == Some(rusqlite::ffi::SQLITE_IOERR_SHORT_READ);
    let unreadable = |found: &str| Halt::Found(tampered(seq, Rule::Readable, "an entry or the end of the log", found));
    match code {
        Some(
            ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::PermissionDenied
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::OutOfMemory,
        ) if !short => Halt::Failed(StoreError::from(error)),
        Some(code) => unreadable(&format!("{code:?}")),
        None => unreadable("values of the wrong type"),
    }
}
