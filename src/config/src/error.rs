//! Why there is no policy: one enum, each variant a check, each naming the place.

use std::path::PathBuf;

use countersign_core::policy::PolicyError;
use countersign_core::spot::Spot;

use crate::place::MAX_FILES;

/// Why the configuration was refused as a whole.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It could not be opened or looked at.
    #[error("{}: cannot be opened: {source}", path.display())]
    Open {
        /// The file or directory.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: rustix::io::Errno,
    },
    /// It could not be read to its end.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
    /// Somebody other than root owns it.
    #[error("{}: must be owned by root and is owned by uid {uid}", path.display())]
    Owner {
        /// The file or directory.
        path: PathBuf,
        /// Who owns it.
        uid: u32,
    },
    /// Its group or everybody may write it.
    #[error("{}: must not be writable by its group or by others (its mode is {mode:04o})", path.display())]
    Writable {
        /// The file or directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not everybody may read it, so the broker may not either.
    #[error(
        "{}: must be readable by everybody, because the broker reads it without being root (its mode is {mode:04o})",
        path.display()
    )]
    Unreadable {
        /// The file or directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is something else than it should be; a symbolic link is not followed.
    #[error("{}: must be a {expected}, and not a link to one", path.display())]
    Kind {
        /// What was found there.
        path: PathBuf,
        /// `regular file` or `directory`.
        expected: &'static str,
    },
    /// It is larger than a file of its kind may be.
    #[error("{}: is larger than {max} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bound that it passes, in bytes.
        max: u64,
    },
    /// The directory holds more files than are read.
    #[error("{}: has more than {MAX_FILES} files", path.display())]
    TooMany {
        /// The directory.
        path: PathBuf,
    },
    /// Its name is not UTF-8.
    #[error("{}: its name is not UTF-8", path.display())]
    Name {
        /// The file.
        path: PathBuf,
    },
    /// Its text is not UTF-8.
    #[error("{}:{}:{}: is not UTF-8 text", path.display(), spot.line, spot.column)]
    NotText {
        /// The file.
        path: PathBuf,
        /// Where in it.
        spot: Spot,
    },
    /// What it says is wrong; the message has file, line and column where there are any.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

impl ConfigError {
    /// The same in one line, for the bus and for status lines.
    #[must_use]
    pub fn in_one_line(&self) -> String {
        let text = self.to_string();
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.collect::<Vec<_>>().join(": ")
    }
}
