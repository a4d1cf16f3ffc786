//! Places: directories and files that only root could have written, opened step by step by descriptor.
//!
//! Enters: a root path and single names. Leaves: text. Every directory on the way and every file is looked at
//! through the descriptor that is then used, so nothing can be exchanged between the look and the use. It must
//! never follow a symbolic link below the root.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use countersign_core::spot::Spot;
use rustix::fs::{Dir, FileType, Mode, OFlags, fstat, open, openat};
use rustix::io::Errno;

use crate::error::ConfigError;

/// The most bytes of one configuration file.
pub const MAX_FILE_BYTES: u64 = 1_024 * 1_024;
/// The most files that one directory may hold.
pub const MAX_FILES: usize = 1_024;

/// The bits that let somebody other than the owner write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// The bits that let everybody read a file, and pass and list a directory.
const READABLE_BY_ALL: [u32; 2] = [0o004, 0o005];

/// Who must have written what is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Root alone: what decides anything is read this way.
    RootOnly,
    /// Anybody: for looking at somebody's own files, which then decide nothing.
    Anybody,
}

/// A directory that was opened and looked at.
#[derive(Debug)]
pub(crate) struct Place {
    fd: OwnedFd,
    path: PathBuf,
    trust: Trust,
}

impl Place {
    /// Opens the directory from which everything else is reached.
    pub(crate) fn root(path: &Path, trust: Trust) -> Result<Self, ConfigError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd =
            open(path, flags, Mode::empty()).map_err(|source| ConfigError::Open { path: path.to_owned(), source })?;
        look(&fd, path, Expected::Directory, trust)?;
        Ok(Self { fd, path: path.to_owned(), trust })
    }

    /// Goes down by names separated with `/`; nothing where one of them is absent.
    pub(crate) fn below(&self, names: &str) -> Result<Option<Self>, ConfigError> {
        let mut here = Self { fd: self.duplicate()?, path: self.path.clone(), trust: self.trust };
        for name in names.split('/') {
            let Some(next) = here.enter(name)? else { return Ok(None) };
            here = next;
        }
        Ok(Some(here))
    }

    /// The names of the files here that end in `.toml` and do not begin with a dot, sorted.
    pub(crate) fn toml_names(&self) -> Result<Vec<String>, ConfigError> {
        let failed = |source: Errno| ConfigError::Read { path: self.path.clone(), source: source.into() };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let listed = openat(&self.fd, ".", flags, Mode::empty()).map_err(failed)?;
        let mut names = Vec::new();
        for entry in Dir::read_from(listed).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_bytes();
            if !name.ends_with(b".toml") || name.starts_with(b".") {
                continue;
            }
            if names.len() >= MAX_FILES {
                return Err(ConfigError::TooMany { path: self.path.clone() });
            }
            let text = std::str::from_utf8(name)
                .map_err(|_| ConfigError::Name { path: self.path.join(String::from_utf8_lossy(name).as_ref()) })?;
            names.push(text.to_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The whole text of a file here, at most `max` bytes; nothing where it is absent.
    pub(crate) fn read(&self, name: &str, max: u64) -> Result<Option<String>, ConfigError> {
        let path = self.path.join(name);
        // Without NONBLOCK a FIFO in place of the file would hold the open for ever.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = match openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP | Errno::NXIO) => return Err(Expected::File.missed(&path)),
            Err(source) => return Err(ConfigError::Open { path, source }),
        };
        let mode = look(&fd, &path, Expected::File, self.trust)?;
        self.readable(&path, mode, Expected::File)?;
        bounded(File::from(fd), path, max).map(Some)
    }

    /// Where a name here is, for messages.
    pub(crate) fn path_of(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }

    fn enter(&self, name: &str) -> Result<Option<Self>, ConfigError> {
        let path = self.path.join(name);
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = match openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(source) => return Err(ConfigError::Open { path, source }),
        };
        let mode = look(&fd, &path, Expected::Directory, self.trust)?;
        self.readable(&path, mode, Expected::Directory)?;
        Ok(Some(Self { fd, path, trust: self.trust }))
    }

    /// Whether the broker, who is not root, can read it too: it does so at every reload.
    fn readable(&self, path: &Path, mode: u32, what: Expected) -> Result<(), ConfigError> {
        let [file, directory] = READABLE_BY_ALL;
        let needed = match what {
            Expected::File => file,
            Expected::Directory => directory,
        };
        match self.trust {
            Trust::RootOnly if mode & needed != needed => Err(ConfigError::Unreadable { path: path.to_owned(), mode }),
            Trust::RootOnly | Trust::Anybody => Ok(()),
        }
    }

    fn duplicate(&self) -> Result<OwnedFd, ConfigError> {
        self.fd.try_clone().map_err(|source| ConfigError::Read { path: self.path.clone(), source })
    }
}

/// What a descriptor should lead to.
#[derive(Debug, Clone, Copy)]
enum Expected {
    File,
    Directory,
}

impl Expected {
    fn missed(self, path: &Path) -> ConfigError {
        let expected = match self {
            Self::File => "regular file",
            Self::Directory => "directory",
        };
        ConfigError::Kind { path: path.to_owned(), expected }
    }

    fn is(self, kind: FileType) -> bool {
        match self {
            Self::File => kind == FileType::RegularFile,
            Self::Directory => kind == FileType::Directory,
        }
    }
}

/// Returns the permission bits.
fn look(fd: impl AsFd, path: &Path, expected: Expected, trust: Trust) -> Result<u32, ConfigError> {
    let stat = fstat(fd).map_err(|source| ConfigError::Open { path: path.to_owned(), source })?;
    if !expected.is(FileType::from_raw_mode(stat.st_mode)) {
        return Err(expected.missed(path));
    }
    let mode = stat.st_mode & 0o7777;
    match trust {
        Trust::Anybody => Ok(mode),
        Trust::RootOnly if stat.st_uid != 0 => Err(ConfigError::Owner { path: path.to_owned(), uid: stat.st_uid }),
        Trust::RootOnly if stat.st_mode & WRITABLE_BY_OTHERS != 0 => {
            Err(ConfigError::Writable { path: path.to_owned(), mode })
        }
        Trust::RootOnly => Ok(mode),
    }
}

fn bounded(file: File, path: PathBuf, max: u64) -> Result<String, ConfigError> {
    let mut bytes = Vec::new();
    // One byte more than allowed, to tell a full file from one that is too large.
    if let Err(source) = file.take(max.saturating_add(1)).read_to_end(&mut bytes) {
        return Err(ConfigError::Read { path, source });
    }
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > max {
        return Err(ConfigError::TooLarge { path, max });
    }
    String::from_utf8(bytes).map_err(|error| {
        let spot = Spot::at_byte(error.as_bytes(), error.utf8_error().valid_up_to());
        ConfigError::NotText { path, spot }
    })
}
