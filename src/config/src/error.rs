//! Why there is no policy: one enum, each variant a check, each naming the place.

use std::path::PathBuf;

use countersign_core::policy::PolicyError;

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
    /// It is not UTF-8, in its name or in its text.
    #[error("{}: is not UTF-8 text", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// What it says is wrong; the message has file, line and column where there are any.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

impl ConfigError {
    /// The same in one line, for the bus and for status lines: the picture of the place, which a mistake in a file comes
    /// with, is left out; file, line, column and what was expected stay.
    #[must_use]
    pub fn in_one_line(&self) -> String {
        let text = self.to_string();
        let picture = |line: &&str| {
            let line = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
            line.starts_with('|')
        };
        let lines = text.lines().filter(|line| !picture(line)).map(str::trim).filter(|line| !line.is_empty());
        lines.collect::<Vec<_>>().join(": ")
    }
}
