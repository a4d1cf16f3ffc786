//! Reading the log: its end, single entries, all of them in order, and the intents that are still open.
//!
//! Enters: a path, or the writer's own database. Leaves: entries as they are stored. Reading believes nothing:
//! whoever wants to know whether an entry is genuine asks [`crate::verify()`].

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use countersign_core::digest::Digest;
use countersign_core::record::{Entry, Phase, Record};
use countersign_core::request::RequestId;
use countersign_core::salt::Salt;
use countersign_core::time::Moment;
use countersign_core::tree::{self, Proof, ProveError};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row};

use crate::base::Base;
use crate::error::StoreError;
use crate::segment;
use crate::snapshot::Snapshot;
use crate::store::Head;
use crate::stored::Stored;

/// More entries than there can be.
const MOST: u64 = i64::MAX.unsigned_abs();

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
    /// Beside the writer, in the writer's process, with the closed segments of this directory.
    Live(Connection, PathBuf),
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

    pub(crate) fn beside(path: &Path, directory: &Path) -> Result<Self, StoreError> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        Ok(Self { source: Source::Live(connection, directory.to_owned()) })
    }

    const fn connection(&self) -> &Connection {
        match &self.source {
            Source::Live(connection, _) => connection,
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
        each(self.connection(), direction, visit).map(|_| ())
    }

    /// Like [`Self::each`], newest first, and on through the closed segments beside the writer's database until one was
    /// moved away.
    ///
    /// # Errors
    /// As for [`Self::each`], or a closed segment is not what the one after it continues.
    pub fn back(&self, visit: impl FnMut(Entry) -> ControlFlow<()>) -> Result<(), StoreError> {
        match &self.source {
            Source::Live(connection, directory) => back(connection, directory, visit),
            Source::Still(snapshot) => each(snapshot.connection(), Direction::Backward, visit).map(|_| ()),
        }
    }

    /// Like [`Self::back`], from the entry before this number.
    ///
    /// # Errors
    /// As for [`Self::back`].
    pub fn back_before(&self, seq: u64, visit: impl FnMut(Entry) -> ControlFlow<()>) -> Result<(), StoreError> {
        let before = number(seq.min(MOST))?;
        match &self.source {
            Source::Live(connection, directory) => back_before(connection, directory, before, visit),
            Source::Still(snapshot) => each_before(snapshot.connection(), before, visit).map(|_| ()),
        }
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
        })
        .map(|_| found)
    }

    /// The proof that this entry is in the tree over the first `size` entries. Entries count from 1.
    ///
    /// # Errors
    /// There is no such entry in that tree, or it is in an earlier segment.
    pub fn inclusion(&self, seq: u64, size: u64) -> Result<Proof, ProveError<StoreError>> {
        inclusion(self.connection(), self.directory(), seq, size)
    }

    /// The proof that the tree over the first `old` entries is the begin of the one over the first `new`.
    ///
    /// # Errors
    /// One of them is not there yet, or it begins in an earlier segment.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Proof, ProveError<StoreError>> {
        consistency(self.connection(), self.directory(), old, new)
    }

    /// Where its closed segments are, if they may be looked at.
    fn directory(&self) -> Option<&Path> {
        match &self.source {
            Source::Live(_, directory) => Some(directory),
            Source::Still(_) => None,
        }
    }

    /// The newest checkpoint that was kept: the size that it speaks of, and the signed note.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn newest_checkpoint(&self) -> Result<Option<(u64, String)>, StoreError> {
        newest_checkpoint(self.connection())
    }

    /// The salt that opens the commitment of this entry, if it has one.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn opening(&self, seq: u64) -> Result<Option<Salt>, StoreError> {
        let mut statement = self.connection().prepare_cached("SELECT salt FROM openings WHERE seq = ?1")?;
        let found = statement.query_row([number(seq)?], |row| Ok(blob_of(row, 0).and_then(|b| b.try_into().ok())));
        Ok(found.optional()?.flatten().map(Salt::from_random))
    }

    /// The intents without a result, oldest first.
    ///
    /// # Errors
    /// The log cannot be read, or an entry in it is no record.
    pub fn open_intents(&self) -> Result<Vec<Record>, StoreError> {
        open_intents(|visit| self.back(visit))
    }
}

pub(crate) fn head(connection: &Connection) -> Result<Head, StoreError> {
    let mut statement = connection.prepare_cached("SELECT seq, hash FROM head WHERE one = 1")?;
    let found = statement.query_row([], |row| Ok(number_of(row, 0).zip(digest_of(row, 1)))).optional()?;
    let missing = StoreError::Corrupt { what: "its head is missing", seq: None };
    found.flatten().map(|(seq, hash)| Head { seq, hash }).ok_or(missing)
}

pub(crate) fn inclusion(
    connection: &Connection,
    directory: Option<&Path>,
    seq: u64,
    size: u64,
) -> Result<Proof, ProveError<StoreError>> {
    let wanted = seq.checked_sub(1).ok_or(ProveError::Beyond { size, wanted: seq })?;
    tree::inclusion(&Stored::new(connection, directory).map_err(ProveError::Subtree)?, wanted, size)
}

pub(crate) fn consistency(
    connection: &Connection,
    directory: Option<&Path>,
    old: u64,
    new: u64,
) -> Result<Proof, ProveError<StoreError>> {
    tree::consistency(&Stored::new(connection, directory).map_err(ProveError::Subtree)?, old, new)
}

pub(crate) fn newest_checkpoint(connection: &Connection) -> Result<Option<(u64, String)>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT size, note FROM checkpoints ORDER BY number DESC LIMIT 1")?;
    let kept = statement.query_row([], |row| Ok(number_of(row, 0).zip(text_of(row, 1).map(str::to_owned))));
    let kept = kept.optional()?.flatten();
    Ok(match kept {
        Some(kept) => Some(kept),
        None => {
            Some(Base::read(connection)?).filter(|base| !base.note.is_empty()).map(|base| (base.head.seq, base.note))
        }
    })
}

pub(crate) fn last(connection: &Connection) -> Result<Option<Entry>, StoreError> {
    let mut found = None;
    each(connection, Direction::Backward, |entry| {
        found = Some(entry);
        ControlFlow::Break(())
    })
    .map(|_| found)
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
) -> Result<ControlFlow<()>, StoreError> {
    let sql = match direction {
        Direction::Forward => "SELECT seq, hash, body FROM entries ORDER BY seq",
        Direction::Backward => return each_before(connection, i64::MAX, visit),
    };
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if visit(entry(row)?).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Those before this number, newest first.
fn each_before(
    connection: &Connection,
    before: i64,
    mut visit: impl FnMut(Entry) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, StoreError> {
    let sql = "SELECT seq, hash, body FROM entries WHERE seq < ?1 ORDER BY seq DESC";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([before])?;
    while let Some(row) = rows.next()? {
        if visit(entry(row)?).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Newest first, from the segment that grows into those that were closed before it.
pub(crate) fn back(
    connection: &Connection,
    directory: &Path,
    visit: impl FnMut(Entry) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    back_before(connection, directory, i64::MAX, visit)
}

fn back_before(
    connection: &Connection,
    directory: &Path,
    before: i64,
    mut visit: impl FnMut(Entry) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let mut flow = each_before(connection, before, &mut visit)?;
    let mut base = Base::read(connection)?.head;
    while flow.is_continue() && base.seq > 0 {
        let Some(older) = segment::holding(directory, base.seq)? else { break };
        if head(&older)? != base {
            return Err(StoreError::Corrupt {
                what: "it does not continue the segment before it",
                seq: Some(base.seq),
            });
        }
        flow = each_before(&older, before, &mut visit)?;
        let before = Base::read(&older)?.head;
        if before.seq >= base.seq {
            return Err(StoreError::Corrupt { what: "a segment has no entries", seq: Some(base.seq) });
        }
        base = before;
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

/// Walks back to the last start of the broker, through segments that were closed since: what was open before it was closed together with it.
pub(crate) fn open_intents(
    back: impl FnOnce(&mut dyn FnMut(Entry) -> ControlFlow<()>) -> Result<(), StoreError>,
) -> Result<Vec<Record>, StoreError> {
    let (mut open, mut closed, mut unreadable) = (Vec::new(), HashSet::new(), None);
    back(&mut |entry| {
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
            | Phase::ClearTaint
            | Phase::Rotate => {}
        }
        ControlFlow::Continue(())
    })?;
    if let Some(seq) = unreadable {
        return Err(StoreError::Corrupt { what: "an entry is no record", seq: Some(seq) });
    }
    open.reverse();
    Ok(open)
}

pub(crate) fn entry(row: &Row<'_>) -> Result<Entry, StoreError> {
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

pub(crate) fn text_of<'row>(row: &'row Row<'_>, column: usize) -> Option<&'row str> {
    match row.get_ref(column).ok()? {
        ValueRef::Text(text) => std::str::from_utf8(text).ok(),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_) => None,
    }
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
