//! Backup: the log as it is at one moment, in a directory of its own, while the broker writes on.
//!
//! ```text
//!   audit.db: one read transaction ─▶ its base ─▶ the closed segments before it ─▶ .countersign-backup-…/  (0700, files 0600)
//!                                                             all on the disk ─▶ renamed to what was asked for
//! ```
//!
//! Enters: a log, and a directory that is not there. Leaves: that directory, which is a log of its own and may be verified like
//! one, or nothing of that name. The writer goes on meanwhile; it only closes no segment and empties no journal. Nothing is
//! proven here: a damaged log gives a backup that is damaged in the same place.

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::Backup;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use tempfile::TempDir;

use crate::base::Base;
use crate::error::StoreError;
use crate::log;
use crate::place::DATABASE;
use crate::schema;
use crate::segment;
use crate::snapshot::Snapshot;
use crate::store::Head;

/// What a backup is called until it is whole.
const UNFINISHED: &str = ".countersign-backup-";
/// How often it is begun anew where a segment was closed meanwhile, or a log without a journal was written.
const ATTEMPTS: usize = 25;
/// How long to wait before that.
const PAUSE: Duration = Duration::from_millis(20);
/// How many of SQLite's pages are copied at once, four mebibytes.
const PAGES: i32 = 1_024;

/// What was saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saved {
    /// The end of the saved log.
    pub head: Head,
    /// How many files it has, the growing one included.
    pub segments: u64,
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] StoreError),
    /// Something of that name is there.
    #[error("{} is there already: a backup is a new directory", .0.display())]
    There(PathBuf),
    /// The directory cannot be written.
    #[error("the backup cannot be written to {}", path.display())]
    Output {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
}

/// Saves the log in this directory with its closed segments, or this one database, to a new directory.
///
/// # Errors
/// [`BackupError`]; then there is nothing of that name.
pub fn backup(log: &Path, to: &Path) -> Result<Saved, BackupError> {
    let failed = |error: io::Error| BackupError::Output { path: to.to_owned(), error };
    if to.symlink_metadata().is_ok() {
        return Err(BackupError::There(to.to_owned()));
    }
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut last = StoreError::Moving;
    for _ in 0..ATTEMPTS {
        let mut unfinished = tempfile::Builder::new();
        let unfinished = unfinished.prefix(UNFINISHED).permissions(Permissions::from_mode(0o700));
        let directory = unfinished.tempdir_in(parent).map_err(failed)?;
        let saved = match copy(log, &directory) {
            Err(BackupError::Log(error)) if error.passes() => {
                last = error;
                None
            }
            other => other?,
        };
        if let Some(saved) = saved {
            File::open(&directory).and_then(|opened| opened.sync_all()).map_err(failed)?;
            renameat_with(CWD, directory.path(), CWD, to, RenameFlags::NOREPLACE).map_err(|errno| match errno {
                Errno::EXIST => BackupError::There(to.to_owned()),
                errno => failed(errno.into()),
            })?;
            // It has another name now, and nothing is to be removed.
            drop(directory.keep());
            File::open(parent).and_then(|opened| opened.sync_all()).map_err(failed)?;
            return Ok(saved);
        }
        sleep(PAUSE);
    }
    Err(last.into())
}

/// Nothing if the log moved on meanwhile in a way that a copy does not bear.
fn copy(log: &Path, directory: &TempDir) -> Result<Option<Saved>, BackupError> {
    let (growing, closed_in) = if log.is_dir() { (log.join(DATABASE), Some(log)) } else { (log.to_owned(), None) };
    let snapshot = Snapshot::glimpse(&growing)?;
    let saved = copy_of(snapshot.connection(), closed_in, directory);
    // What was read of a file that was written meanwhile may be anything.
    if snapshot.held_still() { saved } else { Ok(None) }
}

fn copy_of(
    connection: &Connection,
    closed_in: Option<&Path>,
    directory: &TempDir,
) -> Result<Option<Saved>, BackupError> {
    if !schema::is_ours(connection).map_err(StoreError::from)? {
        return Err(StoreError::Schema.into());
    }
    // From here on the log is what it is now, whatever is written to it.
    let now = connection.unchecked_transaction().map_err(StoreError::from)?;
    let (base, head) = (Base::read(&now)?.head, log::head(&now)?);
    let closed = match closed_in {
        Some(directory) => segment::closed(directory).map_err(|error| StoreError::Copy(error.into()))?,
        None => Vec::new(),
    };
    if closed.iter().filter_map(|file| segment::first_of(file)).any(|first| first > base.seq) {
        // What was opened is the last of them by now.
        return Ok(None);
    }
    let mut segments = 1_u64;
    for file in &closed {
        let name = file.file_name().unwrap_or(DATABASE.as_ref());
        copy_database(Snapshot::take(file)?.connection(), &directory.path().join(name))?;
        segments = segments.saturating_add(1);
    }
    copy_database(&now, &directory.path().join(DATABASE))?;
    Ok(Some(Saved { head, segments }))
}

/// Copies a database page by page into a new file that is on the disk when this returns.
fn copy_database(from: &Connection, path: &Path) -> Result<(), BackupError> {
    let failed = |error| BackupError::Output { path: path.to_owned(), error };
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    let written = || -> Result<(), rusqlite::Error> {
        let mut to = Connection::open(path)?;
        // A file that nobody has yet needs no journal, and is brought to the disk below.
        to.pragma_update(None, "journal_mode", "OFF")?;
        to.pragma_update(None, "synchronous", "OFF")?;
        Backup::new(from, &mut to)?.run_to_completion(PAGES, Duration::from_millis(1), None)
    };
    written().map_err(StoreError::from)?;
    file.sync_all().map_err(failed)
}
