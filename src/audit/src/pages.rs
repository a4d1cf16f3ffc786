//! Pages: a log that may grow while it is read, some entries at a time, through all of its segments.
//!
//! ```text
//!   audit-…-….db, audit-…-….db, audit.db ──after(seq)──▶ the next entries, oldest first; none: nothing new
//!                                        ──before(seq)─▶ those before, newest first; none: that is all there is here
//! ```
//!
//! Enters: a directory with a log, or one database. Leaves: entries as they are stored, however long the log is one page in
//! memory. Entries never change, so pages that are read one after the other fit together. The writer is never kept
//! waiting: between two pages nothing of it is open. Reading believes nothing, like [`crate::Log`].

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use countersign_core::record::Entry;
use rusqlite::Connection;

use crate::base::Base;
use crate::error::StoreError;
use crate::log;
use crate::place::DATABASE;
use crate::schema;
use crate::segment;
use crate::snapshot::{self, Snapshot};
use crate::store::Head;

/// The most entries of a page.
const MAX_ENTRIES: usize = 512;
/// The most bytes of a page, but for its last entry.
const MAX_BYTES: usize = 1 << 20;
/// How often a log is looked at again that was moved while it was looked at.
const ATTEMPTS: u32 = 50;
/// How often where the entry is older than what is there: a segment that was closed meanwhile is found at once.
const ATTEMPTS_AT_OLDER: u32 = 3;
/// How long to wait before that.
const PAUSE: Duration = Duration::from_millis(10);

/// A log, read in pages.
#[derive(Debug)]
pub struct Pages {
    place: Place,
    open: Option<(PathBuf, Snapshot)>,
    seen: Option<snapshot::Written>,
}

#[derive(Debug)]
enum Place {
    /// All segments in this directory.
    Directory(PathBuf),
    /// This one.
    File(PathBuf),
}

/// Where a look leads.
enum Look<T> {
    Seen(T),
    /// What is wanted is older than this file.
    Older,
}

/// How large a log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// How many segments are here, the growing one included.
    pub segments: u64,
    /// Their size in bytes, with SQLite's journal.
    pub bytes: u64,
}

impl Pages {
    /// The log in this directory with its closed segments, or this one database.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        let path = path.to_owned();
        let place = if path.is_dir() { Place::Directory(path) } else { Place::File(path) };
        Self { place, open: None, seen: None }
    }

    /// The number before that of the oldest entry that is here: where to begin.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn begin(&mut self) -> Result<u64, StoreError> {
        let first = match &self.place {
            Place::Directory(directory) => oldest(directory)?,
            Place::File(_) => None,
        };
        match first {
            Some(first) => Ok(first.saturating_sub(1)),
            None => self.look(None, |_, base| Ok(Look::Seen(base))),
        }
    }

    /// The end of the log.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn head(&mut self) -> Result<Head, StoreError> {
        self.look(None, |connection, _| log::head(connection).map(Look::Seen))
    }

    /// The newest checkpoint that was kept: the size that it speaks of, and the signed note.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn newest_checkpoint(&mut self) -> Result<Option<(u64, String)>, StoreError> {
        self.look(None, |connection, _| log::newest_checkpoint(connection).map(Look::Seen))
    }

    /// The entries after this number, oldest first, as many as fit into a page; none if there is nothing new.
    ///
    /// # Errors
    /// The log cannot be read, has become shorter, or that entry is in a segment that is not here.
    pub fn after(&mut self, seq: u64) -> Result<Vec<Entry>, StoreError> {
        let wanted = seq.saturating_add(1);
        let sql = "SELECT seq, hash, body FROM entries WHERE seq > ?1 ORDER BY seq LIMIT ?2";
        self.look(Some(wanted), |connection, base| {
            if base > seq {
                return Ok(Look::Older);
            }
            let page = page(connection, sql, seq)?;
            if page.is_empty() && log::head(connection)?.seq < seq {
                return Err(StoreError::Corrupt { what: "it is shorter than it was", seq: Some(wanted) });
            }
            Ok(Look::Seen(page))
        })
    }

    /// The entries before this number, newest first, as many as fit into a page; none if no older one is here.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn before(&mut self, seq: u64) -> Result<Vec<Entry>, StoreError> {
        let wanted = seq.saturating_sub(1);
        let sql = "SELECT seq, hash, body FROM entries WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2";
        let found = self.look(Some(wanted), |connection, base| {
            if wanted > 0 && base >= wanted { Ok(Look::Older) } else { page(connection, sql, seq).map(Look::Seen) }
        });
        match found {
            Err(StoreError::Missing { .. }) => Ok(Vec::new()),
            other => other,
        }
    }

    /// How large the log is.
    ///
    /// # Errors
    /// Its files cannot be looked at.
    pub fn extent(&self) -> Result<Extent, StoreError> {
        let files = match &self.place {
            Place::Directory(directory) => segment::files(directory).map_err(snapshot::failed)?,
            Place::File(file) => vec![file.clone()],
        };
        let mut extent = Extent { segments: 0, bytes: 0 };
        for file in files {
            extent.segments = extent.segments.saturating_add(1);
            extent.bytes = extent.bytes.saturating_add(snapshot::bytes_of(&file)?);
        }
        Ok(extent)
    }

    /// Whether the log was written since the last look began. Costs two looks at files, and opens nothing.
    ///
    /// # Errors
    /// Its files cannot be looked at.
    pub fn moved(&self) -> Result<bool, StoreError> {
        Ok(self.seen != Some(snapshot::written(&self.growing())?))
    }

    fn growing(&self) -> PathBuf {
        match &self.place {
            Place::Directory(directory) => directory.join(DATABASE),
            Place::File(file) => file.clone(),
        }
    }

    /// The file that has this entry, or that will have it.
    fn file(&self, wanted: Option<u64>) -> Result<PathBuf, StoreError> {
        let closed = match (&self.place, wanted) {
            (Place::Directory(directory), Some(seq)) => segment::file_of(directory, seq)?,
            (Place::Directory(_) | Place::File(_), _) => None,
        };
        Ok(closed.unwrap_or_else(|| self.growing()))
    }

    /// Looks at the file that has the entry. A segment may be closed, and the log be written, while it is looked at: then
    /// it is looked at again.
    fn look<T>(
        &mut self,
        wanted: Option<u64>,
        look: impl Fn(&Connection, u64) -> Result<Look<T>, StoreError>,
    ) -> Result<T, StoreError> {
        let (mut last, mut older) = (StoreError::Moving, 0_u32);
        for _ in 0..ATTEMPTS {
            match self.look_once(wanted, &look) {
                Ok(Some(Look::Seen(seen))) => return Ok(seen),
                Ok(Some(Look::Older)) if older < ATTEMPTS_AT_OLDER => older = older.saturating_add(1),
                Ok(Some(Look::Older)) => return Err(StoreError::Missing { seq: wanted.unwrap_or(0) }),
                Ok(None) => last = StoreError::Moving,
                Err(error) if error.passes() => last = error,
                Err(error) => return Err(error),
            }
            self.open = None;
            sleep(PAUSE);
        }
        Err(last)
    }

    /// Nothing if the log was written while it was looked at.
    fn look_once<T>(
        &mut self,
        wanted: Option<u64>,
        look: impl Fn(&Connection, u64) -> Result<Look<T>, StoreError>,
    ) -> Result<Option<Look<T>>, StoreError> {
        let (file, growing) = (self.file(wanted)?, self.growing());
        let seen = snapshot::written(&growing)?;
        let fresh = self.seen == Some(seen);
        let kept = self.open.take().filter(|(kept, snapshot)| *kept == file && fresh && snapshot.held_still());
        let snapshot = match kept {
            Some((_, snapshot)) => snapshot,
            None => Snapshot::glimpse(&file)?,
        };
        let found = ours(snapshot.connection()).and_then(|base| look(snapshot.connection(), base));
        // What was read of a file that was written meanwhile may be anything.
        if !snapshot.held_still() {
            return Ok(None);
        }
        self.seen = Some(seen);
        self.open = Some((file, snapshot)).filter(|(_, snapshot)| !snapshot.is_in_the_way());
        found.map(Some)
    }
}

/// After which entry a log of ours begins.
fn ours(connection: &Connection) -> Result<u64, StoreError> {
    if schema::is_ours(connection)? { Ok(Base::read(connection)?.head.seq) } else { Err(StoreError::Schema) }
}

/// The number of the oldest entry in the closed segments of this directory.
fn oldest(directory: &Path) -> Result<Option<u64>, StoreError> {
    let files = segment::files(directory).map_err(snapshot::failed)?;
    Ok(files.iter().filter_map(|file| segment::first_of(file)).min())
}

fn page(connection: &Connection, sql: &str, seq: u64) -> Result<Vec<Entry>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query((log::number(seq)?, i64::try_from(MAX_ENTRIES).unwrap_or(i64::MAX)))?;
    let (mut entries, mut bytes) = (Vec::new(), 0_usize);
    while bytes < MAX_BYTES
        && let Some(row) = rows.next()?
    {
        let entry = log::entry(row)?;
        bytes = bytes.saturating_add(entry.body.len());
        entries.push(entry);
    }
    Ok(entries)
}
