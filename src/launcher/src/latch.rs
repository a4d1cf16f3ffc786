//! The stop latch: a file that outlives the process, the unit and the machine's next boot. SEC-8.
//!
//! Enters: who stopped the broker and why. Leaves: the latch (root's alone) and a notice that everybody may read. It is
//! engaged as soon as something is at its path, readable or not; only an operator at the machine removes it.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use countersign_core::message::StopNote;

use crate::durable::{make_directory, place};

/// The most bytes of a note. Longer is not one of ours.
const MAX_NOTE: u64 = 64 * 1_024;

/// Where latch, notice and the note of its clearing are.
#[derive(Debug, Clone)]
pub(crate) struct Latch {
    directory: PathBuf,
    notices: PathBuf,
}

/// Why the latch could not be engaged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LatchError {
    /// The latch itself.
    #[error("the stop latch could not be written")]
    Latch(#[source] io::Error),
    /// The notice for clients; the latch is engaged all the same.
    #[error("the notice of the stop could not be written")]
    Notice(#[source] io::Error),
}

impl Latch {
    /// The machine's.
    pub(crate) fn of_the_machine() -> Self {
        Self::below(Path::new("/var/lib/countersign-launcher"), Path::new("/run/countersign"))
    }

    fn below(directory: &Path, notices: &Path) -> Self {
        Self { directory: directory.to_owned(), notices: notices.to_owned() }
    }

    /// Whether it is engaged. Whatever cannot be looked at counts as engaged.
    pub(crate) fn is_engaged(&self) -> bool {
        match fs::symlink_metadata(self.directory.join("stopped")) {
            Ok(_) => true,
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    }

    /// Engages it: whoever looks from now on sees it, whatever becomes of this process. Waits for no disk, so that the
    /// jobs can be ended next; [`Latch::settle`] makes it last. An earlier note stays: the first stop is the one that
    /// counts.
    ///
    /// # Errors
    /// Latch or notice could not be written.
    pub(crate) fn engage(&self, note: &StopNote) -> Result<(), LatchError> {
        let text = serde_json::to_vec(note).map_err(|error| LatchError::Latch(error.into()))?;
        if !self.is_engaged() {
            make_directory(&self.directory, 0o700).map_err(LatchError::Latch)?;
            place(&self.directory, "stopped", &text, 0o600).map_err(LatchError::Latch)?;
        }
        make_directory(&self.notices, 0o755).map_err(LatchError::Notice)?;
        place(&self.notices, "stopped", &text, 0o644).map_err(LatchError::Notice)
    }

    /// Makes what was engaged outlast a loss of power, before this returns. The notice needs none of that: it is in memory,
    /// and written again at boot.
    ///
    /// # Errors
    /// The disk did not take it.
    pub(crate) fn settle(&self) -> Result<(), LatchError> {
        let settled = File::open(self.directory.join("stopped")).and_then(|latch| latch.sync_all());
        settled.and_then(|()| File::open(&self.directory)?.sync_all()).map_err(LatchError::Latch)
    }

    /// Who cleared the latch since the last run, if somebody did. Told once: the note is removed.
    ///
    /// A note that cannot be read is passed over; what it would say is in the log of the last run.
    pub(crate) fn take_cleared(&self) -> Option<StopNote> {
        let path = self.directory.join("cleared.json");
        let mut text = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(MAX_NOTE).read_to_end(&mut text));
        drop(fs::remove_file(&path));
        read.ok().and_then(|_| serde_json::from_slice(&text).ok())
    }
}

#[cfg(test)]
mod tests;
