//! The machine's files, seen from the test.
//!
//! What enters: absolute paths as they are inside; what leaves: content. Every path, and every symbolic link on it, is
//! resolved below the machine's root: it must never lead to a file of the host.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use anyhow::{Context, Result};
use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat2};
use rustix::io::Errno;

use crate::machine::Machine;

impl Machine {
    /// The whole file, as text.
    ///
    /// # Errors
    /// When it is not there, cannot be read or is not UTF-8.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<String> {
        let mut text = String::new();
        self.open_inside(path.as_ref(), OFlags::RDONLY)?.read_to_string(&mut text).context("read in the machine")?;
        Ok(text)
    }

    /// Replaces the file's content, or creates it with mode 0644 and owner root. Its directory must be there.
    pub fn write(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC;
        self.open_inside(path.as_ref(), flags)?.write_all(content.as_ref()).context("write in the machine")
    }

    /// Whether the path exists; a symbolic link counts by itself.
    ///
    /// # Errors
    /// When that cannot be told.
    pub fn exists(&self, path: impl AsRef<Path>) -> Result<bool> {
        match self.resolve(path.as_ref(), OFlags::PATH | OFlags::NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(false),
            Err(error) => Err(error).with_context(|| path.as_ref().display().to_string()),
        }
    }

    fn open_inside(&self, path: &Path, flags: OFlags) -> Result<File> {
        self.resolve(path, flags).with_context(|| format!("open {} in the machine", path.display()))
    }

    fn resolve(&self, path: &Path, flags: OFlags) -> Result<File, Errno> {
        let root = open(
            format!("/proc/{}/root", self.leader_pid()),
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let mode = if flags.contains(OFlags::CREATE) { Mode::from_raw_mode(0o644) } else { Mode::empty() };
        let below = path.strip_prefix("/").unwrap_or(path);
        let below = if below.as_os_str().is_empty() { Path::new(".") } else { below };
        openat2(root, below, flags | OFlags::CLOEXEC, mode, ResolveFlags::IN_ROOT).map(File::from)
    }
}
