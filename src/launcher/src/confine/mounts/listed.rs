//! The places that a profile lists as written: shown as they are on the machine, over a view that is read-only.

use countersign_core::path::CleanPath;
use countersign_core::profile::Profile;

use super::tree::Tree;
use super::{MountError, places};
use crate::sys::Recursive;
use crate::walk::{Trust, walk};

/// A place as the machine has it.
#[derive(Debug)]
pub(super) struct Listed {
    /// Where it is, without links.
    pub(super) path: CleanPath,
    tree: Tree,
}

/// Takes hold of the places, before everything is made read-only; what does not exist, or is led to by a link that
/// others than root can change, is passed over.
pub(super) fn take(profile: &Profile) -> Result<Vec<Listed>, MountError> {
    let mut taken: Vec<Listed> = Vec::new();
    for place in &profile.writes {
        let Ok(found) = walk(&place.path, Trust::RootsLinks) else { continue };
        // What lies in a place that is taken already comes with it.
        if taken.iter().any(|outer| found.path.is_within(&outer.path)) {
            continue;
        }
        let tree = Tree::copy(&found.fd, Recursive::Yes, found.path.as_str())?;
        taken.push(Listed { path: found.path, tree });
    }
    taken.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(taken)
}

impl Listed {
    /// Puts the place over its read-only self.
    pub(super) fn attach(&self) -> Result<(), MountError> {
        let Some(found) = places::find(&self.path)? else { return Ok(()) };
        self.tree.attach(found)
    }
}
