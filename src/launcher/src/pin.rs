//! Pinning: which file exactly a command's first word leads to, and whether only root could have written it.
//!
//! Enters: words and a working directory. Leaves: path, inode, size, time and digest of the program, of a script's
//! interpreter, and of the directory. The same call before the run must find the same; what then runs is compared
//! once more, inside the sandbox, by whoever executes it. A digest is computed once per content, as far as device,
//! inode, size and both times tell.

mod content;
mod shebang;

use std::io;

use countersign_core::argv::Argv;
use countersign_core::code::{Code, Failure};
use countersign_core::environment::Environment;
use countersign_core::path::CleanPath;
use countersign_core::plan::{Interpreter, Pinned, PinnedDirectory, PinnedFile};
use countersign_core::text::{self, Shown};
use rustix::fs::{FileType, Stat};

use crate::walk::{Found, Trust, WalkError, walk};
use content::{Content, Contents};
pub(crate) use content::{Progress, Read, Reading};
use shebang::Shebang;

/// The most bytes of a caller's word in a sentence.
const SHOWN: usize = 160;
/// The bits that let anybody execute.
const EXECUTABLE: u32 = 0o111;

/// What tells one state of a file from another. The time of the last change cannot be set by anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) size: u64,
    pub(crate) modified_ns: i128,
    pub(crate) changed_ns: i128,
}

/// What was pinned, with the times that the plan does not carry.
#[derive(Debug, Clone)]
pub(crate) struct Pins {
    /// What the plan carries.
    pub(crate) pinned: Pinned,
    /// The program or script.
    pub(crate) executable: Identity,
    /// The interpreter.
    pub(crate) interpreter: Option<Identity>,
}

/// Why a command is not pinned.
#[derive(Debug)]
pub(crate) enum NotPinned {
    /// Nor will it be.
    Refused(Failure),
    /// Until this was read: then ask again.
    Unread(Box<Reading>),
}

impl NotPinned {
    /// Why it is not pinned once more. It was pinned when it was planned: what cannot be pinned now has changed.
    pub(crate) fn once_more(self) -> Self {
        match self {
            Self::Refused(_) => Self::Refused(changed()),
            Self::Unread(_) => self,
        }
    }
}

impl From<Failure> for NotPinned {
    fn from(failure: Failure) -> Self {
        Self::Refused(failure)
    }
}

/// Finds and remembers.
#[derive(Debug, Default)]
pub(crate) struct Pinner {
    contents: Contents,
}

impl Identity {
    /// What the kernel says of a file.
    pub(crate) fn of(stat: &Stat) -> Self {
        let ns = |seconds: i64, nanos: u64| {
            i128::from(seconds).saturating_mul(1_000_000_000).saturating_add(i128::from(nanos))
        };
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified_ns: ns(stat.st_mtime, stat.st_mtime_nsec),
            changed_ns: ns(stat.st_ctime, stat.st_ctime_nsec),
        }
    }
}

impl Pinner {
    /// Pins a command.
    ///
    /// # Errors
    /// There is no such program, it or its directory can be changed by others than root, or it cannot be read; or it is
    /// so large that reading it takes longer than anybody should wait for.
    pub(crate) fn pin(&mut self, argv: &Argv, cwd: &CleanPath) -> Result<Pins, NotPinned> {
        let directory = directory(cwd)?;
        let found = program(argv.program(), &directory.path)?;
        let (executable, identity) = self.file(&found)?;
        let interpreter = match shebang::read(&found).map_err(|error| unreadable(&found.path, &error))? {
            Shebang::None => None,
            Shebang::Interpreter { path, argument } => Some(self.interpreter(&path, argument)?),
            Shebang::Malformed => {
                return Err(not_launchable(&found.path, "names no interpreter by an absolute path").into());
            }
        };
        let (interpreter, interpreter_identity) = interpreter.unzip();
        let pinned = Pinned { executable, interpreter, cwd: directory };
        Ok(Pins { pinned, executable: identity, interpreter: interpreter_identity })
    }

    /// Remembers the content of a file that was too large to be read at once.
    pub(crate) fn remember(&mut self, read: Read) {
        self.contents.remember(read);
    }

    fn interpreter(
        &mut self,
        path: &CleanPath,
        argument: Option<String>,
    ) -> Result<(Interpreter, Identity), NotPinned> {
        let found = executable(path).map_err(|error| refused(path, &error))?;
        let (file, identity) = self.file(&found)?;
        match shebang::read(&found).map_err(|error| unreadable(path, &error))? {
            Shebang::None => Ok((Interpreter { file, argument }, identity)),
            Shebang::Interpreter { .. } | Shebang::Malformed => {
                Err(not_launchable(path, "is an interpreter that is itself a script").into())
            }
        }
    }

    fn file(&mut self, found: &Found) -> Result<(PinnedFile, Identity), NotPinned> {
        if FileType::from_raw_mode(found.stat.st_mode) != FileType::RegularFile {
            return Err(not_launchable(&found.path, "is not a plain file").into());
        }
        if found.stat.st_mode & EXECUTABLE == 0 {
            return Err(not_launchable(&found.path, "is not executable").into());
        }
        let identity = Identity::of(&found.stat);
        let sha256 = match self.contents.look(found, identity)? {
            Content::Known(digest) => digest,
            Content::Unread(reading) => return Err(NotPinned::Unread(Box::new(reading))),
        };
        let Identity { device, inode, size, modified_ns, changed_ns: _ } = identity;
        Ok((PinnedFile { path: found.path.clone(), device, inode, size, modified_ns, sha256 }, identity))
    }
}

fn directory(cwd: &CleanPath) -> Result<PinnedDirectory, Failure> {
    let found = walk(cwd, Trust::Anything).map_err(|error| refused(cwd, &error))?;
    if FileType::from_raw_mode(found.stat.st_mode) != FileType::Directory {
        return Err(Failure::new(
            Code::InvalidRequest,
            format!("The working directory {} is not a directory.", quoted(cwd.as_str())),
        ));
    }
    Ok(PinnedDirectory { path: found.path, device: found.stat.st_dev, inode: found.stat.st_ino })
}

/// By path if the word has a slash, else in the fixed search path.
fn program(word: &str, cwd: &CleanPath) -> Result<Found, Failure> {
    if word.contains('/') {
        let path = cwd.join(word).map_err(|error| {
            Failure::new(Code::InvalidRequest, format!("The program's path cannot be used: {error}."))
        })?;
        return executable(&path).map_err(|error| refused(&path, &error));
    }
    for directory in search_path() {
        let Ok(path) = directory.join(word) else { continue };
        match executable(&path) {
            Err(error) if error.is_absent() => {}
            Err(error) => return Err(refused(&path, &error)),
            // A directory, or a file that nobody may execute, is passed over as a shell does.
            Ok(found)
                if FileType::from_raw_mode(found.stat.st_mode) == FileType::RegularFile
                    && found.stat.st_mode & EXECUTABLE != 0 =>
            {
                return Ok(found);
            }
            Ok(_) => {}
        }
    }
    Err(Failure::new(
        Code::LaunchFailed,
        format!("There is no program {} in the search path: name one that is installed.", quoted(word)),
    ))
}

fn executable(path: &CleanPath) -> Result<Found, WalkError> {
    walk(path, Trust::RootOnly)
}

fn search_path() -> Vec<CleanPath> {
    let all = Environment::default().complete("", "");
    let path = all.get("PATH").map_or("", String::as_str);
    path.split(':').filter_map(|directory| CleanPath::new(directory).ok()).collect()
}

fn refused(path: &CleanPath, error: &WalkError) -> Failure {
    let sentence = match error {
        _ if error.is_absent() => format!("There is nothing at {}.", quoted(path.as_str())),
        WalkError::Untrusted { .. } | WalkError::UntrustedLink { .. } => {
            format!(
                "{} is not run: {error}. Let root own it, and nobody else write to it or to its directories.",
                quoted(path.as_str())
            )
        }
        WalkError::Open { .. } | WalkError::Loop | WalkError::NotText | WalkError::Path(_) => {
            format!("{} cannot be used: {error}.", quoted(path.as_str()))
        }
    };
    Failure::new(Code::LaunchFailed, sentence)
}

fn not_launchable(path: &CleanPath, why: &str) -> Failure {
    Failure::new(Code::LaunchFailed, format!("{} is not run: it {why}.", quoted(path.as_str())))
}

/// Something else is there than what was planned.
pub(crate) fn changed() -> Failure {
    Failure::new(
        Code::Changed,
        "The program or the working directory changed since this was planned: look at it and ask again.",
    )
}

/// Between looking and reading another file took its place, or it was written to; or it cannot be read at all.
fn unreadable(path: &CleanPath, error: &io::Error) -> Failure {
    use io::ErrorKind::{NotFound, ResourceBusy, StaleNetworkFileHandle};
    let path = quoted(path.as_str());
    if [NotFound, ResourceBusy, StaleNetworkFileHandle].contains(&error.kind()) {
        return Failure::new(Code::Changed, format!("{path} changed while it was looked at: ask again."));
    }
    Failure::new(Code::LaunchFailed, format!("{path} cannot be read."))
}

/// A caller's word in our sentence.
fn quoted(word: &str) -> Shown {
    text::quoted(word, SHOWN)
}

#[cfg(test)]
mod tests;
