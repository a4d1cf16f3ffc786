//! Reading the log: its end, single entries, all of them in order, and the intents that are still open.
//!
//! Enters: a path, or the writer's own database. Leaves: entries as they are stored. Reading believes nothing:
//! whoever wants to know whether an entry is genuine asks [`crate::verify()`].

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::Path;

use countersign_core::digest::Digest;
use countersign_core::record::{Entry, Phase, Record};
use countersign_core::request::RequestId;
use countersign_core::time::Moment;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row};

use crate::error::StoreError;
use crate::snapshot::Snapshot;
use crate::store::Head;

/// Which end of the log comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Oldest first.
    Forward,
    /// Newest first.
    Backward,
}

/// The log, open for reading.
#[derive(Debug)]
pub struct Log {
    source: Source,
}

#[derive(Debug)]
enum Source {
    /// Beside the writer, in the writer's process.
    Live(Connection),
    /// As it was at one moment.
    Still(Box<Snapshot>),
}

impl Log {
    /// Opens a log, or a copy of one, as it is at this moment: a directory that holds [`crate::DATABASE`], or the database
    /// itself, with its `-wal` beside it if there is one. Nothing is written to it, nor beside it.
    ///
    /// # Errors
    /// It cannot be read, or it is being written faster than it can be copied.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Snapshot::take(path).map(|snapshot| Self { source: Source::Still(Box::new(snapshot)) })
    }

    pub(crate) fn beside(path: &Path) -> Result<Self, StoreError> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        Ok(Self { source: Source::Live(connection) })
    }

    const fn connection(&self) -> &Connection {
        match &self.source {
            Source::Live(connection) => connection,
            Source::Still(snapshot) => snapshot.connection(),
        }
    }

    /// The end of the log.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn head(&self) -> Result<Head, StoreError> {
        head(self.connection())
    }

    /// The entry of this number.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn get(&self, seq: u64) -> Result<Option<Entry>, StoreError> {
        get(self.connection(), seq)
    }

    /// Shows every entry to `visit`, in this direction, until it breaks. One entry is in memory at a time.
    ///
    /// # Errors
    /// The log cannot be read further than what was shown.
    pub fn each(&self, direction: Direction, visit: impl FnMut(Entry) -> ControlFlow<()>) -> Result<(), StoreError> {
        each(self.connection(), direction, visit)
    }

    /// The records since this time, newest first, at most `most`. The clock may have been set back, so the last `most`
    /// entries are looked at whatever their times are, and no others.
    ///
    /// # Errors
    /// The log cannot be read, or an entry in it is no record.
    pub fn since(&self, time: Moment, most: usize) -> Result<Vec<Record>, StoreError> {
        since(self.connection(), time, most)
    }

    /// Every record of this request, oldest first.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn of_request(&self, id: RequestId) -> Result<Vec<Record>, StoreError> {
        let needle = id.to_string();
        let mut found = Vec::new();
        each(self.connection(), Direction::Forward, |entry| {
            if entry.body.windows(needle.len()).any(|part| part == needle.as_bytes()) {
                found.extend(Record::parse(&entry.body).ok().filter(|record| record.id == Some(id)));
            }
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// The intents without a result, oldest first.
    ///
    /// # Errors
    /// The log cannot be read, or an entry in it is no record.
    pub fn open_intents(&self) -> Result<Vec<Record>, StoreError> {
        open_intents(self.connection())
    }
}

pub(crate) fn head(connection: &Connection) -> Result<Head, StoreError> {
    let mut statement = connection.prepare_cached("SELECT seq, hash FROM head WHERE one = 1")?;
    let found = statement.query_row([], |row| Ok(number_of(row, 0).zip(digest_of(row, 1)))).optional()?;
    let missing = StoreError::Corrupt { what: "its head is missing", seq: None };
    found.flatten().map(|(seq, hash)| Head { seq, hash }).ok_or(missing)
}

pub(crate) fn last(connection: &Connection) -> Result<Option<Entry>, StoreError> {
    let mut found = None;
    each(connection, Direction::Backward, |entry| {
        found = Some(entry);
        ControlFlow::Break(())
    })?;
    Ok(found)
}

fn get(connection: &Connection, seq: u64) -> Result<Option<Entry>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT seq, hash, body FROM entries WHERE seq = ?1")?;
    let mut rows = statement.query([number(seq)?])?;
    rows.next()?.map(entry).transpose()
}

fn each(
    connection: &Connection,
    direction: Direction,
    mut visit: impl FnMut(Entry) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let sql = match direction {
        Direction::Forward => "SELECT seq, hash, body FROM entries ORDER BY seq",
        Direction::Backward => "SELECT seq, hash, body FROM entries ORDER BY seq DESC",
    };
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if visit(entry(row)?).is_break() {
            break;
        }
    }
    Ok(())
}

pub(crate) fn since(connection: &Connection, time: Moment, most: usize) -> Result<Vec<Record>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT seq, hash, body FROM entries ORDER BY seq DESC LIMIT ?1")?;
    let mut rows = statement.query([i64::try_from(most).unwrap_or(i64::MAX)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let entry = entry(row)?;
        let damaged = |_| StoreError::Corrupt { what: "an entry is no record", seq: Some(entry.seq) };
        let record = Record::parse(&entry.body).map_err(damaged)?;
        found.extend(Some(record).filter(|record| record.time >= time));
    }
    Ok(found)
}

/// Walks back to the last start of the broker: what was open before it was closed together with it.
pub(crate) fn open_intents(connection: &Connection) -> Result<Vec<Record>, StoreError> {
    let (mut open, mut closed, mut unreadable) = (Vec::new(), HashSet::new(), None);
    each(connection, Direction::Backward, |entry| {
        let Ok(record) = Record::parse(&entry.body) else {
            unreadable = Some(entry.seq);
            return ControlFlow::Break(());
        };
        match record.phase {
            Phase::Start => return ControlFlow::Break(()),
            Phase::Result => drop(closed.insert(record.id)),
            Phase::Intent if !closed.contains(&record.id) => open.push(record),
            Phase::Intent
            | Phase::End
            | Phase::Load
            | Phase::Plan
            | Phase::Final
            | Phase::Stop
            | Phase::Clear
            | Phase::Hold
            | Phase::Resume
            | Phase::MarkTainted
            | Phase::ClearTaint => {}
        }
        ControlFlow::Continue(())
    })?;
    if let Some(seq) = unreadable {
        return Err(StoreError::Corrupt { what: "an entry is no record", seq: Some(seq) });
    }
    open.reverse();
    Ok(open)
}

fn entry(row: &Row<'_>) -> Result<Entry, StoreError> {
    let seq = number_of(row, 0);
    let parts = seq.zip(digest_of(row, 1)).zip(blob_of(row, 2));
    let Some(((seq, hash), body)) = parts else {
        return Err(StoreError::Corrupt { what: "an entry is not of the right form", seq });
    };
    Ok(Entry { seq, hash, body: body.to_vec() })
}

pub(crate) fn number_of(row: &Row<'_>, column: usize) -> Option<u64> {
    match row.get_ref(column).ok()? {
        ValueRef::Integer(number) => u64::try_from(number).ok(),
        ValueRef::Null | ValueRef::Real(_) | ValueRef::Text(_) | ValueRef::Blob(_) => None,
    }
}

pub(crate) fn digest_of(row: &Row<'_>, column: usize) -> Option<Digest> {
    blob_of(row, column).and_then(|bytes| bytes.try_into().ok()).map(Digest::from_bytes)
}

pub(crate) fn blob_of<'row>(row: &'row Row<'_>, column: usize) -> Option<&'row [u8]> {
    match row.get_ref(column).ok()? {
        ValueRef::Blob(bytes) => Some(bytes),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_) => None,
    }
}

/// A sequence number as SQLite has it.
pub(crate) fn number(seq: u64) -> Result<i64, StoreError> {
    i64::try_from(seq).map_err(|_| StoreError::Corrupt { what: "it has more entries than can be counted", seq: None })
}
