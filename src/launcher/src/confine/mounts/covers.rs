//! Masks: what hides a place. A directory becomes empty; anything else becomes a device that cannot be opened.
//!
//! An empty file would read as "nothing in it"; a device on a mount without devices says `EACCES` to everybody, root
//! and readers of everything included, and a socket that became one takes no connection.

use std::os::fd::OwnedFd;

use countersign_core::path::CleanPath;
use rustix::fs::{AtFlags, CWD, FileType, fstat, statat};

use super::scratch::Scratch;
use super::tree::{Attributes, Tree, spot};
use super::{MountError, failed, places};
use crate::sys::Recursive;

/// The device that no hidden file is.
const NULL: &str = "/dev/null";
/// What stands for a hidden directory, and for any other hidden thing, in the job's own file system.
const DIRECTORY: &str = "nothing";
const FILE: &str = "hidden";

/// What masks are made of.
#[derive(Debug)]
pub(super) struct Covers {
    /// The machine's device, where none can be made.
    null: Option<OwnedFd>,
    directory: Option<Tree>,
    file: Option<Tree>,
}

impl Covers {
    /// Prepares masks before `/dev` is replaced.
    pub(super) fn take(scratch: &Scratch) -> Result<Self, MountError> {
        let like = statat(CWD, NULL, AtFlags::SYMLINK_NOFOLLOW).map_err(failed("looking at", NULL))?;
        scratch.directory(DIRECTORY, 0)?;
        let made = scratch.node(scratch.fd(), FILE, &like)?;
        let null = if made { None } else { Some(spot(NULL)?) };
        Ok(Self { null, directory: None, file: None })
    }

    /// Hides the places that exist, and says how many they are. The job's own file system is attached.
    pub(super) fn mask(&mut self, scratch: &Scratch, hidden: &[CleanPath]) -> Result<usize, MountError> {
        let mut masked = 0_usize;
        for place in hidden {
            let Some(found) = places::find(place)? else { continue };
            let stat = fstat(&found).map_err(failed("looking at", place.as_str()))?;
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                put(&mut self.directory, &found, || scratch.part(DIRECTORY, Attributes::DEAD))?;
            } else {
                put(&mut self.file, &found, || match &self.null {
                    None => scratch.part(FILE, Attributes::DEAD),
                    Some(null) => {
                        let tree = Tree::copy(null, Recursive::No, place.as_str())?;
                        tree.set(Attributes::DEAD, Recursive::No)?;
                        Ok(tree)
                    }
                })?;
            }
            masked = masked.saturating_add(1);
        }
        Ok(masked)
    }
}

/// Attaches the first mask of a kind, or a copy of it, which has its attributes.
fn put(
    first: &mut Option<Tree>,
    over: &OwnedFd,
    make: impl FnOnce() -> Result<Tree, MountError>,
) -> Result<(), MountError> {
    match first {
        Some(first) => Tree::copy(first.fd(), Recursive::No, "a mask")?.attach(over),
        None => {
            let tree = make()?;
            tree.attach(over)?;
            *first = Some(tree);
            Ok(())
        }
    }
}
