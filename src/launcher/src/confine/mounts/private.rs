//! Private directories: empty, writable, the job's own, gone with it.
//!
//! What the request names inside such a directory, and the working directory, are shown there as they are, read-only,
//! so that `cat /tmp/x` shows what the caller means. They are reached without following any link, because others
//! can make links there.

use std::os::fd::OwnedFd;

use countersign_core::path::CleanPath;
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, mkdirat, openat, openat2};
use rustix::io::Errno;

use super::scratch::Scratch;
use super::tree::{Attributes, Tree, spot};
use super::{MountError, Wanted, failed, places};
use crate::sys::Recursive;

/// A private directory and what is shown in it.
#[derive(Debug)]
pub(super) struct Private {
    path: CleanPath,
    shown: Vec<Shown>,
}

/// Something of the machine's that is shown inside.
#[derive(Debug)]
struct Shown {
    /// Below the private directory.
    names: Vec<String>,
    tree: Tree,
    directory: bool,
}

/// Takes hold of what will be shown, before anything is covered.
pub(super) fn take(directories: &[CleanPath], wanted: &Wanted<'_>) -> Result<Vec<Private>, MountError> {
    let mut taken = Vec::new();
    for directory in directories {
        if places::find(directory)?.is_none() {
            continue;
        }
        let mut paths: Vec<&CleanPath> = wanted.read.iter().chain([wanted.cwd]).collect();
        // A directory comes before what lies in it, which is then there already.
        paths.sort_unstable();
        paths.dedup();
        let mut shown: Vec<Shown> = Vec::new();
        let mut last: Option<&CleanPath> = None;
        for path in paths {
            let inside = path.is_within(directory) && path != directory;
            if !inside || last.is_some_and(|last| path.is_within(last)) {
                continue;
            }
            if let Some(found) = show(directory, path)? {
                shown.push(found);
                last = Some(path);
            }
        }
        taken.push(Private { path: directory.clone(), shown });
    }
    Ok(taken)
}

fn show(directory: &CleanPath, path: &CleanPath) -> Result<Option<Shown>, MountError> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let found = match openat2(CWD, path.as_str(), flags, Mode::empty(), resolve) {
        Ok(found) => found,
        // A path that is absent or led by a link is simply not shown: the program says so itself.
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
        Err(errno) => return Err(failed("opening", path.as_str())(errno)),
    };
    let stat = fstat(&found).map_err(failed("looking at", path.as_str()))?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    if kind == FileType::Symlink {
        return Ok(None);
    }
    let below = path.as_str().strip_prefix(directory.as_str()).unwrap_or_default();
    let names = below.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let tree = Tree::copy(&found, Recursive::Yes, path.as_str())?;
    Ok(Some(Shown { names, tree, directory: kind == FileType::Directory }))
}

impl Private {
    /// Replaces the machine's directory. The job's own file system is attached.
    pub(super) fn attach(self, scratch: &Scratch) -> Result<(), MountError> {
        let path = self.path.as_str();
        let name = path.trim_start_matches('/').replace('/', "-");
        scratch.directory(&name, 0o1777)?;
        let own = scratch.part(&name, Attributes::NO_DEVICES)?;
        own.attach(spot(path)?)?;
        for shown in self.shown {
            let spot = shown.make_spot(own.fd())?;
            shown.tree.attach(spot)?;
        }
        Ok(())
    }
}

impl Shown {
    /// Makes the directories on the way, and what it will be attached to.
    fn make_spot(&self, own: &OwnedFd) -> Result<OwnedFd, MountError> {
        let mut here =
            openat(own, c".", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).map_err(failed("opening", "private"))?;
        let last = self.names.len().saturating_sub(1);
        for (position, name) in self.names.iter().enumerate() {
            let made = if position < last || self.directory {
                mkdirat(&here, name, Mode::from(0o755))
            } else {
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
                openat(&here, name, flags, Mode::from(0o644)).map(drop)
            };
            match made {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(failed("making", name)(errno)),
            }
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            here = openat(&here, name, flags, Mode::empty()).map_err(failed("opening", name))?;
        }
        Ok(here)
    }
}
