//! What is in a file: its digest, computed once per state of the file.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};

use countersign_core::digest::Digest;
use rustix::fs::{Mode, OFlags, fstat, openat};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use super::Identity;
use crate::walk::Found;

/// The most digests that are kept. More begin anew.
const MOST: usize = 4_096;
/// How much is read at once.
const PIECE: usize = 128 * 1_024;

/// Digests by state of the file.
#[derive(Debug, Default)]
pub(super) struct Contents(HashMap<Identity, Digest>);

impl Contents {
    /// The digest of a file that was found.
    ///
    /// # Errors
    /// It cannot be read, or changed while it was.
    pub(super) fn digest(&mut self, found: &Found, identity: Identity) -> io::Result<Digest> {
        if let Some(known) = self.0.get(&identity) {
            return Ok(*known);
        }
        let mut file = open(found)?;
        let mut hasher = Sha256::new();
        let mut piece = vec![0; PIECE];
        loop {
            let length = file.read(&mut piece)?;
            let read = piece.get(..length).filter(|read| !read.is_empty());
            let Some(read) = read else { break };
            hasher.update(read);
        }
        if Identity::of(&fstat(&file)?) != identity {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        let digest = Digest::from_bytes(hasher.finalize().into());
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.insert(identity, digest);
        Ok(digest)
    }
}

/// Opens for reading what was found, through its directory, and makes sure that it is the same.
///
/// # Errors
/// It cannot be opened, or is no longer there.
pub(super) fn open(found: &Found) -> io::Result<File> {
    let name = found.path.as_str().rsplit('/').next().unwrap_or_default();
    let directory = found.directory.as_ref().ok_or(io::ErrorKind::IsADirectory)?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = openat(directory, name, flags, Mode::empty())?;
    let stat = fstat(&file)?;
    if (stat.st_dev, stat.st_ino) == (found.stat.st_dev, found.stat.st_ino) {
        Ok(File::from(file))
    } else {
        Err(Errno::STALE.into())
    }
}
