//! Pinning: which file exactly a command's first word leads to, and whether only root could have written it.
//!
//! Enters: words and a working directory. Leaves: path, inode, size, time and digest of the program, of a script's
//! interpreter, and of the directory. The same call before the run must find the same; what then runs is compared
//! once more, inside the sandbox, by whoever executes it. A digest is computed once per content, as far as device,
//! inode, size and both times tell.

mod content;
mod shebang;

use countersign_core::argv::Argv;
use countersign_core::code::{Code, Failure};
use countersign_core::environment::Environment;
use countersign_core::path::CleanPath;
use countersign_core::plan::{Interpreter, Pinned, PinnedDirectory, PinnedFile};
use countersign_core::text::{self, Shown};
use rustix::fs::{FileType, Stat};

use crate::walk::{Found, Trust, WalkError, walk};
use content::Contents;
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
    /// There is no such program, it or its directory can be changed by others than root, or it cannot be read.
    pub(crate) fn pin(&mut self, argv: &Argv, cwd: &CleanPath) -> Result<Pins, Failure> {
        let directory = directory(cwd)?;
        let found = program(argv.program(), &directory.path)?;
        let (executable, identity) = self.file(&found)?;
        let interpreter = match shebang::read(&found).map_err(|_| unreadable(&found.path))? {
            Shebang::None => None,
            Shebang::Interpreter { path, argument } => Some(self.interpreter(&path, argument)?),
            Shebang::Malformed => return Err(not_launchable(&found.path, "names no interpreter by an absolute path")),
        };
        let (interpreter, interpreter_identity) = interpreter.unzip();
        let pinned = Pinned { executable, interpreter, cwd: directory };
        Ok(Pins { pinned, executable: identity, interpreter: interpreter_identity })
    }

    fn interpreter(&mut self, path: &CleanPath, argument: Option<String>) -> Result<(Interpreter, Identity), Failure> {
        let found = executable(path).map_err(|error| refused(path, &error))?;
        let (file, identity) = self.file(&found)?;
        match shebang::read(&found).map_err(|_| unreadable(path))? {
            Shebang::None => Ok((Interpreter { file, argument }, identity)),
            Shebang::Interpreter { .. } | Shebang::Malformed => {
                Err(not_launchable(path, "is an interpreter that is itself a script"))
            }
        }
    }

    fn file(&mut self, found: &Found) -> Result<(PinnedFile, Identity), Failure> {
        if FileType::from_raw_mode(found.stat.st_mode) != FileType::RegularFile {
            return Err(not_launchable(&found.path, "is not a plain file"));
        }
        if found.stat.st_mode & EXECUTABLE == 0 {
            return Err(not_launchable(&found.path, "is not executable"));
        }
        let identity = Identity::of(&found.stat);
        let sha256 = self.contents.digest(found, identity).map_err(|_| unreadable(&found.path))?;
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

fn unreadable(path: &CleanPath) -> Failure {
    Failure::new(Code::LaunchFailed, format!("{} cannot be read.", quoted(path.as_str())))
}

/// A caller's word in our sentence.
fn quoted(word: &str) -> Shown {
    text::quoted(word, SHOWN)
}

#[cfg(test)]
mod tests;
