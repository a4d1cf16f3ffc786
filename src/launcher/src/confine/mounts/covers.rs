//! Masks: what hides a place. A directory becomes empty; anything else becomes a device that cannot be opened.
//!
//! An empty file would read as "nothing in it"; a device on a mount without devices says `EACCES` to everybody, root
//! and readers of everything included, and a socket that became one takes no connection.

use std::os::fd::OwnedFd;

use countersign_core::path::CleanPath;
use rustix::fs::{FileType, fstat};
use rustix::mount::MountAttrFlags;

use super::tree::{Attributes, Tree, spot};
use super::{MountError, failed, places};
use crate::sys::Recursive;

/// What masks are made of.
#[derive(Debug)]
pub(super) struct Covers {
    null: OwnedFd,
}

impl Covers {
    /// Takes hold of the device before `/dev` is replaced.
    pub(super) fn take() -> Result<Self, MountError> {
        Ok(Self { null: spot("/dev/null")? })
    }

    /// Hides the places that exist, and says how many they are.
    pub(super) fn mask(&self, hidden: &[CleanPath]) -> Result<usize, MountError> {
        let mut empty: Option<Tree> = None;
        let mut masked = 0_usize;
        for place in hidden {
            let Some(found) = places::find(place)? else { continue };
            let stat = fstat(&found).map_err(failed("looking at", place.as_str()))?;
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                let tree = match &empty {
                    None => nothing()?,
                    Some(first) => Tree::copy(first.fd(), Recursive::No, place.as_str())?,
                };
                tree.attach(&found)?;
                empty.get_or_insert(tree);
            } else {
                let tree = Tree::copy(&self.null, Recursive::No, place.as_str())?;
                tree.set(Attributes::DEAD, Recursive::No)?;
                tree.attach(&found)?;
            }
            masked = masked.saturating_add(1);
        }
        Ok(masked)
    }
}

fn nothing() -> Result<Tree, MountError> {
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    Tree::empty(&[("mode", "0000"), ("size", "4k"), ("nr_inodes", "1")], attributes, "a hidden directory")
}
