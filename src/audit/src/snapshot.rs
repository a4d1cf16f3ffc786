//! A snapshot: a log as it is at one moment, read without a trace.
//!
//! A database without a journal is read where it lies, as something that does not change; afterwards it is looked at
//! again, and if it did change the reading counts for nothing. One with a journal is copied, with its journal, into a
//! private directory first, because SQLite would write beside it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags};

use crate::error::StoreError;
use crate::journal::{self, Journal};
use crate::place::DATABASE;

/// How often a log that moves under our eyes is tried.
const ATTEMPTS: usize = 8;

/// The log at one moment.
#[derive(Debug)]
pub(crate) struct Snapshot {
    connection: Connection,
    journal: Journal,
    files: Files,
    seen: Facts,
    /// Removed with the snapshot; after `connection`, which is declared before it.
    copy: Option<tempfile::TempDir>,
}

#[derive(Debug)]
struct Files {
    database: PathBuf,
    journal: PathBuf,
}

/// What changes when somebody writes a file: device, inode, size, and the times of change.
type FileFacts = Option<(u64, u64, u64, i64, i64, i64, i64)>;
type Facts = (FileFacts, FileFacts);

impl Snapshot {
    pub(crate) fn take(path: &Path) -> Result<Self, StoreError> {
        let failed = |error: io::Error| StoreError::Copy(Arc::new(error));
        let database = if path.is_dir() { path.join(DATABASE) } else { path.to_owned() };
        let mut journal = database.clone().into_os_string();
        journal.push("-wal");
        let files = Files { database: std::path::absolute(database).map_err(failed)?, journal: journal.into() };
        for _ in 0..ATTEMPTS {
            let seen = files.facts().map_err(failed)?;
            let (copy, journal) = files.copy().map_err(failed)?;
            if files.facts().map_err(failed)? != seen {
                continue;
            }
            let connection = connect(copy.as_ref().map_or(&files.database, |(_, file)| file), copy.is_some())?;
            return Ok(Self { connection, journal, files, seen, copy: copy.map(|(directory, _)| directory) });
        }
        Err(StoreError::Moving)
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
        self.copy.is_some() || self.files.facts().is_ok_and(|now| now == self.seen)
    }
}

impl Files {
    fn facts(&self) -> io::Result<Facts> {
        Ok((facts(&self.database)?, facts(&self.journal)?))
    }

    /// Copies database and journal if the journal holds anything.
    fn copy(&self) -> io::Result<(Option<(tempfile::TempDir, PathBuf)>, Journal)> {
        let holds = match File::open(&self.journal) {
            Ok(mut file) => file.read(&mut [0])? > 0,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        if !holds {
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
        let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        // The copy is thrown away: it needs no shared memory and nothing of it need reach the disk.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        connection
    } else {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        Connection::open_with_flags(format!("file:{}?immutable=1", escaped(database)), flags)?
    };
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(connection)
}

/// The path as part of a URI: everything but plain characters by number.
fn escaped(path: &Path) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    let bytes = path.as_os_str().as_bytes().iter();
    bytes.map(|&byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
