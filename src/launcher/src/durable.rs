//! Files that are whole or not there, whatever happens meanwhile. For the latch and for the witness.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Makes a directory of this mode; one that is there stays as it is.
///
/// # Errors
/// The kernel's answer.
pub(crate) fn make_directory(path: &Path, mode: u32) -> io::Result<()> {
    match fs::DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Writes beside, makes durable, renames: whoever looks sees the whole file or the one before it.
///
/// # Errors
/// The kernel's answer. The file is the one before then, or already the new one if only the directory failed.
pub(crate) fn replace(directory: &Path, name: &str, text: &[u8], mode: u32) -> io::Result<()> {
    let (beside, file) = write_beside(directory, name, text, mode)?;
    file.sync_all()?;
    fs::rename(&beside, directory.join(name))?;
    File::open(directory)?.sync_all()
}

/// Writes beside and renames, without waiting for the disk: whoever looks sees the whole file or the one before it, but
/// after a loss of power there may be an empty one.
///
/// # Errors
/// The kernel's answer. The file is the one before then.
pub(crate) fn place(directory: &Path, name: &str, text: &[u8], mode: u32) -> io::Result<()> {
    let (beside, _) = write_beside(directory, name, text, mode)?;
    fs::rename(&beside, directory.join(name))
}

fn write_beside(directory: &Path, name: &str, text: &[u8], mode: u32) -> io::Result<(PathBuf, File)> {
    let beside = directory.join(format!(".{name}.new"));
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.write_all(text)?;
    Ok((beside, file))
}
