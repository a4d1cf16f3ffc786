//! A snapshot: a log as it is at one moment, read without a trace.
//!
//! A database without a journal is read where it lies, as something that does not change; afterwards it is looked at
//! again, and if it did change the reading counts for nothing. One with a journal is copied, with its journal, into a
//! private directory first, because SQLite would write beside it. Whoever only looks in ([`Snapshot::glimpse`]) reads
//! beside the writer instead, as long as there is one: a copy for each look would cost more than the look.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::StoreError;
use crate::journal::{self, Journal};
use crate::place::DATABASE;

/// How often a log that moves under our eyes is tried.
const ATTEMPTS: usize = 8;
/// How long a look waits for a writer that opens or closes the log.
const PATIENCE: Duration = Duration::from_secs(1);

/// The log at one moment.
#[derive(Debug)]
pub(crate) struct Snapshot {
    connection: Connection,
    journal: Journal,
    files: Files,
    seen: Facts,
    manner: Manner,
}

/// How the log is read.
#[derive(Debug)]
enum Manner {
    /// Where it lies, as something that does not change.
    Still,
    /// Beside its writer, by SQLite's own rules. It keeps the writer from closing the segment.
    Beside,
    /// As a copy, which is removed with the snapshot; after `connection`, which is declared before it.
    Copied(tempfile::TempDir),
}

#[derive(Debug)]
struct Files {
    database: PathBuf,
    journal: PathBuf,
    /// What SQLite keeps beside a journal while somebody has the database open.
    index: PathBuf,
}

/// What changes when somebody writes a file: device, inode, size, and the times of change.
type FileFacts = Option<(u64, u64, u64, i64, i64, i64, i64)>;
type Facts = (FileFacts, FileFacts);

/// What tells whether a log was written since, without opening it: device, inode, size and time of each of its files. Not
/// when something else about them changed: SQLite gives the journal back to its owner each time root looks at it.
pub(crate) type Written = [Option<(u64, u64, u64, i64, i64)>; 2];

/// What a log was written like last.
pub(crate) fn written(database: &Path) -> Result<Written, StoreError> {
    let (database, journal) = Files::of(database)?.facts().map_err(failed)?;
    let content = |facts: FileFacts| facts.map(|(device, inode, size, at, nanos, ..)| (device, inode, size, at, nanos));
    Ok([content(database), content(journal)])
}

pub(crate) fn failed(error: io::Error) -> StoreError {
    StoreError::Copy(Arc::new(error))
}

/// The size in bytes of a database with its journal.
pub(crate) fn bytes_of(database: &Path) -> Result<u64, StoreError> {
    Ok(written(database)?.iter().flatten().fold(0, |sum, (_, _, size, ..)| sum.saturating_add(*size)))
}

impl Snapshot {
    pub(crate) fn take(path: &Path) -> Result<Self, StoreError> {
        let files = Files::of(&if path.is_dir() { path.join(DATABASE) } else { path.to_owned() })?;
        for _ in 0..ATTEMPTS {
            let seen = files.facts().map_err(failed)?;
            let copied = files.copy();
            // A journal that vanished under the copy was emptied by its writer, and is no reason to give up either.
            if files.facts().map_err(failed)? != seen {
                continue;
            }
            let (copy, journal) = copied.map_err(failed)?;
            let connection = connect(copy.as_ref().map_or(&files.database, |(_, file)| file), copy.is_some())?;
            let manner = copy.map_or(Manner::Still, |(directory, _)| Manner::Copied(directory));
            return Ok(Self { connection, journal, files, seen, manner });
        }
        Err(StoreError::Moving)
    }

    /// The log for a short look at what is in it: beside its writer if there is one, and otherwise like [`Self::take`].
    pub(crate) fn glimpse(database: &Path) -> Result<Self, StoreError> {
        let files = Files::of(database)?;
        if !files.is_journalled().map_err(failed)? || !files.index.exists() {
            return Self::take(database);
        }
        let seen = files.facts().map_err(failed)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&files.database, flags)?;
        connection.busy_timeout(PATIENCE)?;
        guard(&connection)?;
        Ok(Self { connection, journal: Journal::Whole, files, seen, manner: Manner::Beside })
    }

    pub(crate) const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// What was found in SQLite's journal.
    pub(crate) const fn journal(&self) -> Journal {
        self.journal
    }

    /// Whether what was read so far was one and the same log all the time.
    pub(crate) fn held_still(&self) -> bool {
        match self.manner {
            Manner::Beside => true,
            Manner::Copied(ref copy) => copy.path().is_dir(),
            Manner::Still => self.files.facts().is_ok_and(|now| now == self.seen),
        }
    }

    /// Whether the writer notices that it is open.
    pub(crate) const fn is_in_the_way(&self) -> bool {
        match self.manner {
            Manner::Beside => true,
            Manner::Still | Manner::Copied(_) => false,
        }
    }
}

impl Files {
    fn of(database: &Path) -> Result<Self, StoreError> {
        let database = std::path::absolute(database).map_err(failed)?;
        let beside = |end: &str| {
            let mut name = database.clone().into_os_string();
            name.push(end);
            PathBuf::from(name)
        };
        Ok(Self { journal: beside("-wal"), index: beside("-shm"), database })
    }

    /// Whether the journal holds anything.
    fn is_journalled(&self) -> io::Result<bool> {
        match File::open(&self.journal) {
            Ok(mut file) => Ok(file.read(&mut [0])? > 0),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn facts(&self) -> io::Result<Facts> {
        Ok((facts(&self.database)?, facts(&self.journal)?))
    }

    /// Copies database and journal if the journal holds anything.
    fn copy(&self) -> io::Result<(Option<(tempfile::TempDir, PathBuf)>, Journal)> {
        if !self.is_journalled()? {
            return Ok((None, Journal::Empty));
        }
        let directory = tempfile::Builder::new().prefix("countersign-").tempdir()?;
        let (database, journal) = (directory.path().join(DATABASE), directory.path().join("audit.db-wal"));
        fs::copy(&self.database, &database)?;
        fs::copy(&self.journal, &journal)?;
        let found = journal::examine(&mut io::BufReader::new(File::open(&journal)?))?;
        Ok((Some((directory, database)), found))
    }
}

fn facts(path: &Path) -> io::Result<FileFacts> {
    match fs::metadata(path) {
        Ok(m) => Ok(Some((m.dev(), m.ino(), m.size(), m.mtime(), m.mtime_nsec(), m.ctime(), m.ctime_nsec()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn connect(database: &Path, private: bool) -> Result<Connection, StoreError> {
    let connection = if private {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(database, flags)?;
        // The copy is thrown away: it needs no shared memory and nothing of it need reach the disk.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        connection
    } else {
        // One thread reads it, so nothing of it need be locked for each value.
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(format!("file:{}?immutable=1", escaped(database)), flags)?
    };
    guard(&connection)?;
    Ok(connection)
}

/// What is read may have been made by anybody.
fn guard(connection: &Connection) -> Result<(), StoreError> {
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(())
}

/// The path as part of a URI: everything but plain characters by number.
fn escaped(path: &Path) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    let bytes = path.as_os_str().as_bytes().iter();
    bytes.map(|&byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
