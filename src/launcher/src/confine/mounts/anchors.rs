//! Anchors: what lies above a covered or hidden place stays where it is.
//!
//! A cover is attached to a place, not to a path. Who may write above it could move the whole directory away, cover and
//! all, and put another there, which the machine would then obey. A mount point can be neither moved nor removed from
//! within its namespace, so each directory on the way becomes one: it is attached over itself.

use std::collections::BTreeSet;

use countersign_core::path::CleanPath;

use super::tree::Tree;
use super::{MountError, places};
use crate::sys::Recursive;

/// Holds the directories above places that exist, as far as `writable` says that they could be moved. Says how many.
pub(super) fn hold<'a>(
    held: impl Iterator<Item = &'a CleanPath>,
    writable: impl Fn(&CleanPath) -> bool,
) -> Result<usize, MountError> {
    let above: BTreeSet<CleanPath> = held.flat_map(parents).filter(&writable).collect();
    let mut count = 0_usize;
    // In order: a directory before what lies in it, which is then looked up inside.
    for directory in above {
        let Some(found) = places::find(&directory)? else { continue };
        Tree::copy(&found, Recursive::Yes, directory.as_str())?.attach(&found)?;
        count = count.saturating_add(1);
    }
    Ok(count)
}

/// Every directory above a path but the root, which nobody can move.
fn parents(path: &CleanPath) -> impl Iterator<Item = CleanPath> {
    let text = path.as_str();
    let cuts = text.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0);
    let parents: Vec<CleanPath> =
        cuts.filter_map(|at| text.get(..at)).filter_map(|parent| CleanPath::new(parent).ok()).collect();
    parents.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_directory_above_is_named_once_and_the_root_never() {
        let of = |path| parents(&CleanPath::new(path).unwrap()).map(String::from).collect::<Vec<_>>();
        assert_eq!(of("/a/b/c"), ["/a", "/a/b"]);
        assert!(of("/a").is_empty() && of("/").is_empty());
    }
}
