//! Segments: the log in files that are closed for good, each ending where a checkpoint was signed.
//!
//! ```text
//!   audit-000000000001-000001000000.db   closed; may be moved away whole
//!   audit.new.db                         the next one while it is made; a crash may leave it, and the next open sees to it
//!   audit.db                             the one that grows
//! ```
//!
//! The order of the steps is what makes a crash harmless: the new file is complete and on the disk before the old one gets
//! its name, and the old one has its name before the new one takes its place.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, RenameFlags, fsync, renameat_with, statat, unlinkat};
use rustix::io::Errno;

use crate::base::Base;
use crate::error::StoreError;
use crate::place::{self, DATABASE};
use crate::schema;

/// The next segment while it is made.
pub(crate) const NEXT: &str = "audit.new.db";
const BEGIN: &str = "audit-";
const END: &str = ".db";
/// So that the names of segments sort as their numbers do.
const DIGITS: usize = 12;

/// Makes the next segment beside the present one. It is on the disk when this returns.
pub(crate) fn make(directory: &Path, opened: &OwnedFd, base: &Base) -> Result<(), StoreError> {
    remove(opened, NEXT)?;
    place::create(opened, NEXT)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(directory.join(NEXT), flags)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    schema::create(&transaction, base)?;
    transaction.commit()?;
    connection.close().map_err(|(_, error)| error.into())
}

/// Closes the present segment, whose entries these are, and puts the next one in its place.
pub(crate) fn roll(opened: &OwnedFd, first: u64, last: u64) -> Result<(), StoreError> {
    rename(opened, DATABASE, &name(first, last))?;
    rename(opened, NEXT, DATABASE)?;
    fsync(opened).map_err(|errno| StoreError::File { name: ".", errno })
}

/// Finishes or undoes what a crash interrupted.
pub(crate) fn recover(opened: &OwnedFd) -> Result<(), StoreError> {
    if place::is_sound(opened, DATABASE)? {
        remove(opened, NEXT)
    } else if place::is_sound(opened, NEXT)? {
        rename(opened, NEXT, DATABASE)
    } else {
        Ok(())
    }
}

/// The closed segments in this directory, oldest first.
pub(crate) fn closed(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let name = entry?.file_name();
        files.extend(name.to_str().filter(|name| is_closed(name)).map(|name| directory.join(name)));
    }
    files.sort();
    Ok(files)
}

/// The files of a log in this directory, oldest first.
pub(crate) fn files(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = closed(directory)?;
    let growing = directory.join(DATABASE);
    if growing.exists() || files.is_empty() {
        files.push(growing);
    }
    Ok(files)
}

/// The closed segment in this directory that has this entry; nothing if it was moved away, or was not closed yet.
pub(crate) fn file_of(directory: &Path, seq: u64) -> Result<Option<PathBuf>, StoreError> {
    let failed = |error| StoreError::Copy(Arc::new(error));
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if name.to_str().and_then(span).is_some_and(|span| span.contains(&seq)) {
            return Ok(Some(directory.join(name)));
        }
    }
    Ok(None)
}

/// The same, open for reading.
pub(crate) fn holding(directory: &Path, seq: u64) -> Result<Option<Connection>, StoreError> {
    let Some(file) = file_of(directory, seq)? else { return Ok(None) };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NOFOLLOW | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    if schema::is_ours(&connection)? { Ok(Some(connection)) } else { Err(StoreError::Schema) }
}

/// The number of a closed segment's first entry, as its name has it.
pub(crate) fn first_of(file: &Path) -> Option<u64> {
    file.file_name().and_then(|name| name.to_str()).and_then(span).map(|span| *span.start())
}

fn is_closed(name: &str) -> bool {
    span(name).is_some()
}

/// The first and last entry of a closed segment, as its name has them.
fn span(name: &str) -> Option<RangeInclusive<u64>> {
    let (first, last) = name.strip_prefix(BEGIN)?.strip_suffix(END)?.split_once('-')?;
    let plain = [first, last].iter().all(|number| number.bytes().all(|b| b.is_ascii_digit()));
    plain.then_some(first.parse().ok()?..=last.parse().ok()?)
}

fn name(first: u64, last: u64) -> String {
    format!("{BEGIN}{first:0DIGITS$}-{last:0DIGITS$}{END}")
}

/// Never over another file.
fn rename(opened: &OwnedFd, from: &'static str, to: &str) -> Result<(), StoreError> {
    renameat_with(opened, from, opened, to, RenameFlags::NOREPLACE)
        .map_err(|errno| StoreError::File { name: from, errno })
}

fn remove(opened: &OwnedFd, name: &'static str) -> Result<(), StoreError> {
    for name in [name, "audit.new.db-journal", "audit.new.db-wal", "audit.new.db-shm"] {
        // Looked for first: a disk that may not be written answers that even where there is nothing to remove.
        match statat(opened, name, AtFlags::SYMLINK_NOFOLLOW).and_then(|_| unlinkat(opened, name, AtFlags::empty())) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(StoreError::File { name, errno }),
        }
    }
    Ok(())
}
