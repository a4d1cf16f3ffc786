//! Step `directory`: the working directory, as the sandbox shows it.
//!
//! It is entered by path, because a descriptor from outside would lead out of the sandbox's mounts, and must be the
//! directory that was pinned. A private directory stands in for the machine's own one.

use countersign_core::path::CleanPath;
use countersign_core::plan::PinnedDirectory;
use rustix::process::fchdir;

use super::error::StepError;
use crate::walk::{Trust, walk};

/// Enters the directory.
pub(super) fn enter(cwd: &PinnedDirectory, private: &[CleanPath]) -> Result<(), StepError> {
    let path = || cwd.path.as_str().to_owned();
    let found = walk(&cwd.path, Trust::Anything).map_err(|error| StepError::Open { path: path(), error })?;
    let same = (found.stat.st_dev, found.stat.st_ino) == (cwd.device, cwd.inode) && found.path == cwd.path;
    if !same && !private.contains(&cwd.path) {
        return Err(StepError::Changed { path: path() });
    }
    fchdir(&found.fd).map_err(|errno| StepError::Directory { path: path(), errno })
}
