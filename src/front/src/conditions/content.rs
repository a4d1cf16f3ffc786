//! Content: whether a file holds what a rule says, by its SHA-256.

use std::fs::File;
use std::io::Read as _;

use countersign_core::condition::Found;
use countersign_core::digest::Digest;
use countersign_core::path::CleanPath;
use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use sha2::{Digest as _, Sha256};

/// The longest file that is hashed.
const MAX_FILE: u64 = 64 * 1_024 * 1_024;
/// How much is read at once.
const CHUNK: usize = 64 * 1_024;

pub(super) fn is(expected: Digest, path: &CleanPath) -> Result<(), Found> {
    // Whatever else is there instead of a file must not keep the look waiting, nor become our terminal.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let descriptor = open(path.as_str(), flags, Mode::empty()).map_err(|_| Found::Unknown)?;
    let stat = fstat(&descriptor).map_err(|_| Found::Unknown)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Found::Unknown);
    }
    let found = hash(File::from(descriptor))?;
    if found == expected { Ok(()) } else { Err(Found::OtherContent) }
}

fn hash(file: File) -> Result<Digest, Found> {
    let (mut hasher, mut left, mut chunk) = (Sha256::new(), file.take(MAX_FILE.saturating_add(1)), vec![0; CHUNK]);
    loop {
        match left.read(&mut chunk) {
            Ok(0) => return Ok(Digest::from_bytes(hasher.finalize().into())),
            Ok(read) => hasher.update(chunk.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return Err(Found::Unknown),
        }
        if left.limit() == 0 {
            return Err(Found::Unknown);
        }
    }
}
