//! Keep: one directory for each anchor, one name for each size. What is kept is whole and on the disk, or not there.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use countersign_core::anchors::{self, AnchorName};

use crate::error::AnchorError;

/// The answers of one anchor.
#[derive(Debug)]
pub(crate) struct Shelf {
    directory: PathBuf,
}

impl Shelf {
    /// Opens it, or begins it.
    pub(crate) fn open(state: &Path, name: &AnchorName) -> Result<Self, AnchorError> {
        let directory = state.join(name.as_str());
        match fs::create_dir(&directory) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                Err(AnchorError::Keep { path: directory, source })
            }
            Ok(()) | Err(_) => Ok(Self { directory }),
        }
    }

    /// Where the answer on a checkpoint of this size is, or would be.
    pub(crate) fn path(&self, size: u64, ending: &str) -> PathBuf {
        self.directory.join(anchors::file_name(size, ending))
    }

    /// Whether there is one.
    pub(crate) fn has(&self, size: u64, ending: &str) -> bool {
        self.path(size, ending).exists()
    }

    /// The largest size with an answer; 0 if there is none.
    pub(crate) fn newest(&self, ending: &str) -> Result<u64, AnchorError> {
        let failed = |source| AnchorError::Keep { path: self.directory.clone(), source };
        let mut newest = 0;
        for entry in fs::read_dir(&self.directory).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            newest = newest.max(name.to_str().and_then(|name| anchors::size_of(name, ending)).unwrap_or(0));
        }
        Ok(newest)
    }

    /// Keeps these bytes; afterwards they are on the disk under their name.
    pub(crate) fn put(&self, size: u64, ending: &str, bytes: &[u8]) -> Result<(), AnchorError> {
        let path = self.path(size, ending);
        self.replace(&path, bytes).map_err(|source| AnchorError::Keep { path, source })
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let unfinished = self.directory.join("unfinished");
        let mut file = File::create(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        File::open(&self.directory)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf(state: &Path) -> Shelf {
        Shelf::open(state, &AnchorName::try_from("tsa".to_owned()).unwrap()).unwrap()
    }

    #[test]
    fn what_is_put_is_there_and_the_newest_is_known() {
        let state = tempfile::tempdir().unwrap();
        let tsa = shelf(state.path());
        assert_eq!(tsa.newest(anchors::NOTE).unwrap(), 0);
        for size in [7, 64, 9] {
            tsa.put(size, anchors::NOTE, b"note").unwrap();
        }
        fs::write(state.path().join("tsa/99.note"), "not ours").unwrap();
        assert_eq!(shelf(state.path()).newest(anchors::NOTE).unwrap(), 64);
        assert!(tsa.has(9, anchors::NOTE) && !tsa.has(9, anchors::TIMESTAMP) && !tsa.has(8, anchors::NOTE));
        assert_eq!(fs::read(tsa.path(64, anchors::NOTE)).unwrap(), b"note");
        assert!(!state.path().join("tsa/unfinished").exists());
    }

    #[test]
    fn a_place_that_cannot_be_written_is_an_error() {
        let state = tempfile::tempdir().unwrap();
        fs::write(state.path().join("tsa"), "a file").unwrap();
        assert!(shelf(state.path()).put(1, anchors::NOTE, b"note").is_err());
        assert!(Shelf::open(&state.path().join("absent"), &AnchorName::try_from("a".to_owned()).unwrap()).is_err());
    }
}
