//! The place where the log lives: a directory of our own, and in it files of our own.
//!
//! Enters: the state directory's path. Leaves: the database's path, once nobody else can have a hand in it. A link, a
//! second name, another owner or a mode that lets others in refuses the log; nothing is put right in silence.

use std::path::{Path, PathBuf};

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, fsync, open, openat, statat};
use rustix::io::Errno;
use rustix::process::geteuid;

use crate::error::{Flaw, StoreError};
use crate::segment;

/// The database's file name in the state directory. SQLite keeps its journal beside it.
pub const DATABASE: &str = "audit.db";
/// The files that SQLite may have left beside it.
const COMPANIONS: [&str; 2] = ["audit.db-wal", "audit.db-shm"];
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Checks the directory and every file of the log in it; makes an empty database file if there is none.
pub(crate) fn prepare(directory: &Path) -> Result<(PathBuf, OwnedFd), StoreError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = open(directory, flags, Mode::empty()).map_err(|errno| match errno {
        Errno::LOOP | Errno::NOTDIR => StoreError::NotOurs { name: ".", flaw: Flaw::Kind },
        errno => StoreError::File { name: ".", errno },
    })?;
    let facts = fstat(&opened).map_err(|errno| StoreError::File { name: ".", errno })?;
    check(".", &facts, FileType::Directory, DIRECTORY_MODE)?;
    segment::recover(&opened)?;
    if !is_sound(&opened, DATABASE)? {
        create(&opened, DATABASE)?;
    }
    for name in COMPANIONS {
        is_sound(&opened, name)?;
    }
    Ok((directory.join(DATABASE), opened))
}

/// Whether the file is there. One that is there and not ours is an error.
pub(crate) fn is_sound(directory: &OwnedFd, name: &'static str) -> Result<bool, StoreError> {
    match statat(directory.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(facts) if facts.st_nlink != 1 && FileType::from_raw_mode(facts.st_mode) == FileType::RegularFile => {
            Err(StoreError::NotOurs { name, flaw: Flaw::Links })
        }
        Ok(facts) => check(name, &facts, FileType::RegularFile, FILE_MODE).map(|()| true),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(StoreError::File { name, errno }),
    }
}

fn check(name: &'static str, facts: &Stat, kind: FileType, mode: u32) -> Result<(), StoreError> {
    let flaw = if FileType::from_raw_mode(facts.st_mode) != kind {
        Flaw::Kind
    } else if facts.st_uid != geteuid().as_raw() {
        Flaw::Owner
    } else if facts.st_mode & 0o7777 != mode {
        Flaw::Mode
    } else {
        return Ok(());
    };
    Err(StoreError::NotOurs { name, flaw })
}

/// Makes an empty file of that name, which must not be there.
pub(crate) fn create(directory: &OwnedFd, name: &'static str) -> Result<(), StoreError> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let failed = |errno| StoreError::File { name, errno };
    openat(directory, name, flags, Mode::RUSR | Mode::WUSR).map_err(failed)?;
    fsync(directory).map_err(failed)
}
