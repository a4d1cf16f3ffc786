//! Locks: whether a process holds the lock of a file, asked of the kernel with a descriptor from before the confinement.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use countersign_core::condition::Found;
use rustix::fs::{fstat, stat};
use rustix::process::{Flock, FlockType, fcntl_getlk};

/// A file whose lock is asked for, and its descriptor if it was there. The descriptor can only be asked who holds the lock.
#[derive(Debug)]
pub(super) struct LockFile {
    path: PathBuf,
    file: Option<File>,
}

impl LockFile {
    /// The file as it is now.
    pub(super) fn open(path: &Path) -> Self {
        Self { path: path.to_owned(), file: File::open(path).ok() }
    }

    /// Whether nobody holds the lock. The descriptor must still be the file that others lock.
    pub(super) fn is_free(&self) -> Result<(), Found> {
        let there = match stat(&self.path) {
            Ok(there) => Some(there),
            Err(error) if io::Error::from(error).kind() == io::ErrorKind::NotFound => None,
            Err(_) => return Err(Found::Unknown),
        };
        match (&self.file, there) {
            // Who locks it makes it first.
            (_, None) => Ok(()),
            (None, Some(_)) => Err(Found::Unknown),
            (Some(file), Some(there)) => {
                let ours = fstat(file).map_err(|_| Found::Unknown)?;
                if (ours.st_dev, ours.st_ino) != (there.st_dev, there.st_ino) {
                    return Err(Found::Unknown);
                }
                holder(file)
            }
        }
    }
}

fn holder(file: &File) -> Result<(), Found> {
    match fcntl_getlk(file, &Flock::from(FlockType::WriteLock)) {
        Ok(None) => Ok(()),
        // A process of another namespace has no number here.
        Ok(Some(held)) => Err(Found::Locked(held.pid.map(|pid| pid.as_raw_nonzero().get()))),
        Err(_) => Err(Found::Unknown),
    }
}
