//! Opening what a request names as written, and nothing beside it.
//!
//! ```text
//!   /etc (copy, writable)
//!    ├─ x          named: may be made, written, replaced, removed
//!    ├─ hosts      there already and not named: covered by its read-only self
//!    └─ ssh/       the same, with everything below
//! ```
//!
//! A program that changes a file often replaces it: it makes another beside it and renames. So the directory is opened,
//! and what is in it and was not named is covered. What remains open is the named path and names that did not exist.
//! A path that is protected or hidden, or that is reached by somebody else's link, is not opened: the program then finds
//! a read-only file system.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use countersign_core::path::CleanPath;
use rustix::fs::{Dir, FileType, Mode, OFlags, fstat, openat};
use rustix::io::Errno;

use super::tree::{Attributes, Tree};
use super::{MountError, failed};
use crate::sys::Recursive;
use crate::walk::{Found, Trust, walk};

/// The most entries of a directory that is opened. Each costs a mount; a fuller directory is a failure, not a gap.
const MOST_ENTRIES: usize = 2_048;

/// A directory to be opened, with the names in it that may be changed.
type Opening = BTreeMap<CleanPath, Vec<String>>;

/// Opens the directories of the paths, outermost first, and returns them.
pub(super) fn open(written: &[CleanPath], closed: &[CleanPath]) -> Result<Vec<CleanPath>, MountError> {
    let mut opening = Opening::new();
    for path in written {
        let Some((directory, name)) = locate(path) else { continue };
        let Ok(full) = directory.join(&name) else { continue };
        if closed.iter().any(|place| full.is_within(place)) {
            continue;
        }
        opening.entry(directory).or_default().push(name);
    }
    let mut opened: Vec<CleanPath> = Vec::new();
    for (directory, names) in &opening {
        // Sorted, so that an outer directory was opened before; what it opened is open as a whole.
        let inside = |(outer, names): (&CleanPath, &Vec<String>)| {
            names.iter().any(|name| outer.join(name).is_ok_and(|target| directory.is_within(&target)))
        };
        if !opening.iter().any(inside) {
            open_one(directory, names)?;
        }
        opened.push(directory.clone());
    }
    Ok(opened)
}

/// The directory that a path lies in, without links, and the name in it: that of the path, or of the first directory on
/// the way that does not exist. Nothing if the path is the root or is led by somebody else's link.
fn locate(path: &CleanPath) -> Option<(CleanPath, String)> {
    let mut path = path.clone();
    loop {
        match walk(&path, Trust::RootsLinks) {
            // The path itself may be a link of root's: it is then the link's end that is written.
            Ok(Found { path, directory: Some(_), .. }) => return split(&path),
            Ok(Found { directory: None, .. }) => return None,
            Err(error) if error.is_absent() => {}
            Err(_) => return None,
        }
        let (parent, name) = split(&path)?;
        match walk(&parent, Trust::RootsLinks) {
            Ok(found) if FileType::from_raw_mode(found.stat.st_mode) == FileType::Directory => {
                return Some((found.path, name));
            }
            Ok(_) => return None,
            Err(error) if error.is_absent() => path = parent,
            Err(_) => return None,
        }
    }
}

fn split(path: &CleanPath) -> Option<(CleanPath, String)> {
    let (parent, name) = path.as_str().rsplit_once('/').filter(|(_, name)| !name.is_empty())?;
    let parent = if parent.is_empty() { "/" } else { parent };
    Some((CleanPath::new(parent).ok()?, name.to_owned()))
}

/// Puts a writable copy of the directory over itself, and read-only copies of everything in it that was not named.
fn open_one(directory: &CleanPath, names: &[String]) -> Result<(), MountError> {
    let path = directory.as_str();
    let found = walk(directory, Trust::RootsLinks)
        .map_err(|error| MountError::new("opening", path, std::io::Error::from_raw_os_error(error.errno())))?;
    let entries = entries(&found.fd, path)?;
    let copy = if path == "/" {
        // Nothing can be attached over the root of a namespace for those who are in it already.
        super::tree::root()?
    } else {
        let copy = Tree::copy(&found.fd, Recursive::Yes, path)?;
        copy.attach(&found.fd)?;
        copy
    };
    copy.set(Attributes::WRITABLE, Recursive::No)?;
    for (entry, fd) in &entries {
        if !names.contains(entry) {
            let covered = Tree::copy(fd, Recursive::Yes, entry)?;
            covered.set(Attributes::READ_ONLY, Recursive::Yes)?;
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let over = openat(copy.fd(), entry, flags, Mode::empty()).map_err(failed("opening", entry))?;
            covered.attach(&over)?;
        }
    }
    Ok(())
}

/// What is in a directory, opened. Links are left out: nothing can be mounted over one.
fn entries(directory: &OwnedFd, path: &str) -> Result<Vec<(String, OwnedFd)>, MountError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let listed = openat(directory, c".", flags, Mode::empty()).map_err(failed("listing", path))?;
    let mut found = Vec::new();
    for entry in Dir::new(listed).map_err(failed("listing", path))? {
        let entry = entry.map_err(failed("listing", path))?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let fd = openat(directory, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
        let fd = match fd {
            Ok(fd) => fd,
            Err(Errno::NOENT) => continue,
            Err(errno) => return Err(failed("opening an entry of", path)(errno)),
        };
        let stat = fstat(&fd).map_err(failed("looking at an entry of", path))?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
            continue;
        }
        if found.len() >= MOST_ENTRIES {
            return Err(failed("too many entries to protect in", path)(Errno::TOOBIG));
        }
        let name = name.to_str().map_err(|_| failed("a name is not text in", path)(Errno::ILSEQ))?;
        found.push((name.to_owned(), fd));
    }
    Ok(found)
}
