//! Walking a path by descriptors, one name at a time, so that what was looked at is what is used.
//!
//! ```text
//!   /  ─openat─▶  usr  ─openat─▶  bin  ─openat─▶  id         every step O_PATH | O_NOFOLLOW, then fstat
//!                  └─ a link: its text goes back on the list of names, from its directory or from the root
//! ```
//!
//! Enters: a clean absolute path and how far to trust what lies on the way. Leaves: a descriptor, what the kernel says
//! of it, and the path without links. Nothing here opens anything for reading or writing.

use std::collections::VecDeque;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use countersign_core::path::{CleanPath, PathError};
use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, open, openat, readlinkat};
use rustix::io::Errno;

/// The most links that one path may lead through, as in the kernel.
const MOST_LINKS: u32 = 40;
/// The bits that let somebody other than the owner write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// What may lie on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Only directories that root alone can change: for what will be executed.
    RootOnly,
    /// Any directory, but no link in one that others than root can change: for what will be written.
    RootsLinks,
    /// Anything: for a working directory, which is compared later.
    Anything,
}

/// What a path led to.
#[derive(Debug)]
pub(crate) struct Found {
    /// An `O_PATH` descriptor.
    pub(crate) fd: OwnedFd,
    /// What the kernel says of it.
    pub(crate) stat: Stat,
    /// The path without links.
    pub(crate) path: CleanPath,
    /// Its directory; nothing for the root.
    pub(crate) directory: Option<OwnedFd>,
}

/// Why a walk ended early. Each names the path at which it did.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WalkError {
    /// Something on the way could not be opened.
    #[error("{path:?} cannot be opened")]
    Open {
        /// Where.
        path: String,
        /// Why.
        #[source]
        errno: Errno,
    },
    /// Somebody other than root can change what lies on the way.
    #[error("{path:?} can be changed by others than root")]
    Untrusted {
        /// The directory or file.
        path: String,
    },
    /// A link in a directory that others than root can change.
    #[error("{path:?} is a link that others than root can change")]
    UntrustedLink {
        /// The link.
        path: String,
    },
    /// More than [`MOST_LINKS`] links.
    #[error("too many links")]
    Loop,
    /// A name is not text.
    #[error("a name on the way is not UTF-8")]
    NotText,
    /// The path without links is too long.
    #[error("the path without links cannot be written down")]
    Path(#[from] PathError),
}

impl WalkError {
    /// Whether the path simply leads nowhere.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Open { errno: Errno::NOENT | Errno::NOTDIR, .. })
    }

    /// The kernel's error number for it.
    pub(crate) fn errno(&self) -> i32 {
        match self {
            Self::Open { errno, .. } => errno.raw_os_error(),
            Self::Untrusted { .. } => libc::EPERM,
            Self::UntrustedLink { .. } | Self::Loop => libc::ELOOP,
            Self::NotText | Self::Path(_) => libc::EINVAL,
        }
    }
}

/// Walks to the end of a path.
///
/// # Errors
/// [`WalkError`], at the first step that could not be taken or must not be.
pub(crate) fn walk(path: &CleanPath, trust: Trust) -> Result<Found, WalkError> {
    let mut walker = Walker::start(trust)?;
    walker.push(path.as_str());
    while let Some(name) = walker.names.pop_front() {
        walker.step(&name)?;
    }
    walker.finish()
}

/// One opened thing on the way.
#[derive(Debug)]
struct Step {
    fd: OwnedFd,
    stat: Stat,
    name: String,
}

/// The way so far, and the names still to go.
#[derive(Debug)]
struct Walker {
    steps: Vec<Step>,
    names: VecDeque<String>,
    links: u32,
    trust: Trust,
}

impl Walker {
    fn start(trust: Trust) -> Result<Self, WalkError> {
        let failed = |errno| WalkError::Open { path: "/".to_owned(), errno };
        let fd = open(c"/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
        let stat = fstat(&fd).map_err(failed)?;
        let walker =
            Self { steps: vec![Step { fd, stat, name: String::new() }], names: VecDeque::new(), links: 0, trust };
        walker.check(&stat, "")?;
        Ok(walker)
    }

    /// Puts the names of a path in front of those that are still to go.
    fn push(&mut self, path: &str) {
        for name in path.split('/').rev().filter(|name| !name.is_empty() && *name != ".") {
            self.names.push_front(name.to_owned());
        }
    }

    fn step(&mut self, name: &str) -> Result<(), WalkError> {
        if name == ".." {
            // The root's parent is the root.
            if self.steps.len() > 1 {
                self.steps.pop();
            }
            return Ok(());
        }
        let failed = |errno| WalkError::Open { path: self.path_of(name), errno };
        let c_name = CString::new(name).map_err(|_| WalkError::NotText)?;
        let fd = openat(self.here(), &c_name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
        let fd = fd.map_err(failed)?;
        let stat = fstat(&fd).map_err(failed)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
            return self.follow(&fd, name);
        }
        self.check(&stat, name)?;
        self.steps.push(Step { fd, stat, name: name.to_owned() });
        Ok(())
    }

    fn follow(&mut self, link: &OwnedFd, name: &str) -> Result<(), WalkError> {
        self.links = self.links.saturating_add(1);
        if self.links > MOST_LINKS {
            return Err(WalkError::Loop);
        }
        let trusted = self.steps.last().is_some_and(|step| is_roots(&step.stat));
        if self.trust != Trust::Anything && !trusted {
            return Err(WalkError::UntrustedLink { path: self.path_of(name) });
        }
        let failed = |errno| WalkError::Open { path: self.path_of(name), errno };
        let target = readlinkat(link, c"", Vec::new()).map_err(failed)?;
        let target = text(&target)?;
        if target.starts_with('/') {
            self.steps.truncate(1);
        }
        self.push(&target);
        Ok(())
    }

    fn check(&self, stat: &Stat, name: &str) -> Result<(), WalkError> {
        match self.trust {
            Trust::RootOnly if !is_roots(stat) => Err(WalkError::Untrusted { path: self.path_of(name) }),
            Trust::RootOnly | Trust::RootsLinks | Trust::Anything => Ok(()),
        }
    }

    fn here(&self) -> BorrowedFd<'_> {
        // The root is never popped, so there is always a last step.
        self.steps.last().map_or(rustix::fs::CWD, |step| step.fd.as_fd())
    }

    fn path_of(&self, name: &str) -> String {
        let mut path: Vec<&str> = self.steps.iter().map(|step| step.name.as_str()).collect();
        path.push(name);
        path.join("/")
    }

    fn finish(mut self) -> Result<Found, WalkError> {
        let names: Vec<&str> = self.steps.iter().map(|step| step.name.as_str()).collect();
        let path = CleanPath::new(&format!("/{}", names.join("/")))?;
        let last = self.steps.pop().ok_or(WalkError::Loop)?;
        let directory = self.steps.pop().map(|step| step.fd);
        Ok(Found { fd: last.fd, stat: last.stat, path, directory })
    }
}

/// Whether root alone can change it.
pub(crate) const fn is_roots(stat: &Stat) -> bool {
    stat.st_uid == 0 && stat.st_mode & WRITABLE_BY_OTHERS == 0
}

fn text(bytes: &CStr) -> Result<String, WalkError> {
    bytes.to_str().map(str::to_owned).map_err(|_| WalkError::NotText)
}

#[cfg(test)]
mod tests;
