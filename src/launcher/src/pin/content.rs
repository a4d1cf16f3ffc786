//! What is in a file: its digest, computed once per state of the file, and never so long that others wait.
//!
//! A small file is read at once. Of a large one the first part is, and the rest by whoever has nothing better to do:
//! [`Reading::read_on`] takes one more part and returns.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};

use countersign_core::code::Failure;
use countersign_core::digest::Digest;
use countersign_core::path::CleanPath;
use rustix::fs::{Mode, OFlags, fstat, openat};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use super::Identity;
use crate::walk::Found;

/// The most digests that are kept. More begin anew.
const MOST: usize = 4_096;
/// How much is read by one call.
const PIECE: usize = 128 * 1_024;
/// How much is read before others have their turn: a millisecond's worth.
const PART: usize = 1_024 * 1_024;

/// Digests by state of the file.
#[derive(Debug, Default)]
pub(super) struct Contents(HashMap<Identity, Digest>);

/// What is known of a content.
#[derive(Debug)]
pub(super) enum Content {
    /// Its digest.
    Known(Digest),
    /// It is still being read.
    Unread(Reading),
}

/// A file of which a part was read.
#[derive(Debug)]
pub(crate) struct Reading {
    path: CleanPath,
    file: File,
    identity: Identity,
    hasher: Sha256,
}

/// How far a file was read.
#[derive(Debug)]
pub(crate) enum Progress {
    /// There may be more.
    More(Reading),
    /// The whole of it: its digest.
    Whole(Read),
}

/// What was read, to be remembered.
#[derive(Debug)]
pub(crate) struct Read {
    identity: Identity,
    digest: Digest,
}

impl Contents {
    /// What is known of a file that was found.
    ///
    /// # Errors
    /// It cannot be read, or changed while it was.
    pub(super) fn look(&mut self, found: &Found, identity: Identity) -> Result<Content, Failure> {
        if let Some(known) = self.0.get(&identity) {
            return Ok(Content::Known(*known));
        }
        let file = open(found).map_err(|error| super::unreadable(&found.path, &error))?;
        let reading = Reading { path: found.path.clone(), file, identity, hasher: Sha256::new() };
        Ok(match reading.read_on()? {
            Progress::More(reading) => Content::Unread(reading),
            Progress::Whole(read) => Content::Known(self.remember(read)),
        })
    }

    /// Remembers what was read.
    pub(super) fn remember(&mut self, read: Read) -> Digest {
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.insert(read.identity, read.digest);
        read.digest
    }
}

impl Reading {
    /// Reads one more part.
    ///
    /// # Errors
    /// It cannot be read, or changed while it was.
    pub(crate) fn read_on(mut self) -> Result<Progress, Failure> {
        let path = self.path.clone();
        let part = self.part().map_err(|error| super::unreadable(&path, &error))?;
        Ok(match part {
            Some(digest) => Progress::Whole(Read { identity: self.identity, digest }),
            None => Progress::More(self),
        })
    }

    /// The digest, if this part was the last.
    fn part(&mut self) -> io::Result<Option<Digest>> {
        let mut piece = vec![0; PIECE];
        let mut left = PART;
        while left > 0 {
            let length = self.file.read(&mut piece)?;
            let Some(read) = piece.get(..length).filter(|read| !read.is_empty()) else {
                return self.end().map(Some);
            };
            self.hasher.update(read);
            left = left.saturating_sub(length);
        }
        Ok(None)
    }

    fn end(&mut self) -> io::Result<Digest> {
        if Identity::of(&fstat(&self.file)?) != self.identity {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        Ok(Digest::from_bytes(std::mem::take(&mut self.hasher).finalize().into()))
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
