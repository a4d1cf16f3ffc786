//! Descriptors that a caller passed: looked at, never trusted to be what they are called (CVE-2025-8067).
//!
//! Nothing here asks a file server: whoever passes a descriptor may also be the one who answers for its file system.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use countersign_core::code::{Code, Failure};
use countersign_core::digest::Digest;
use countersign_core::path::CleanPath;
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, SealFlags, Statx, StatxFlags, fcntl_get_seals, makedev, open, readlink, statx,
};
use sha2::{Digest as _, Sha256};

use crate::ask::DirectoryId;

/// The most bytes of a job's stdin.
pub(super) const MAX_STDIN: u64 = 16 * 1_024 * 1_024;
/// How much of stdin is hashed at once.
const CHUNK: usize = 256 * 1_024;

/// The path and the identity of a directory that the caller holds open.
///
/// # Errors
/// `InvalidRequest`: it is no directory, or has no path.
pub(super) fn directory(fd: &OwnedFd) -> Result<(CleanPath, DirectoryId), Failure> {
    let no = || {
        Failure::new(
            Code::InvalidRequest,
            "The descriptor of the working directory is not that of a directory with a path.",
        )
    };
    let what = look(fd).map_err(|_| no())?;
    if file_type(&what) != FileType::Directory {
        return Err(no());
    }
    let path = readlink(own_path(fd), Vec::new()).map_err(|_| no())?;
    let path = path.into_string().ok().and_then(|path| CleanPath::new(&path).ok()).ok_or_else(no)?;
    Ok((path, DirectoryId { device: makedev(what.stx_dev_major, what.stx_dev_minor), inode: what.stx_ino }))
}

/// A sealed memory file: its digest, and a description of our own, so that nobody else moves its offset.
///
/// # Errors
/// `InvalidRequest`: it can still be changed, or is too large.
pub(super) fn stdin(fd: &OwnedFd) -> Result<(Digest, OwnedFd), Failure> {
    let no = |sentence: &str| Failure::new(Code::InvalidRequest, sentence);
    let all = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    if !fcntl_get_seals(fd).is_ok_and(|seals| seals.contains(all)) {
        return Err(no("stdin must be a memory file that is sealed against every change."));
    }
    let size = look(fd).map_err(|_| no("stdin cannot be looked at."))?.stx_size;
    if size > MAX_STDIN {
        return Err(no("stdin has more than the 16 MiB that are allowed: pass a path instead."));
    }
    let own = open(own_path(fd), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|_| no("stdin cannot be opened for reading."))?;
    Ok((hash(&own).map_err(|_| no("stdin cannot be read."))?, own))
}

fn hash(fd: &OwnedFd) -> io::Result<Digest> {
    let (mut hasher, mut buffer, mut offset) = (Sha256::new(), vec![0_u8; CHUNK], 0_u64);
    loop {
        let read = rustix::io::pread(fd, buffer.as_mut_slice(), offset)?;
        let Some(chunk) = buffer.get(..read).filter(|chunk| !chunk.is_empty()) else { break };
        hasher.update(chunk);
        offset = offset.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
    }
    Ok(Digest::from_bytes(hasher.finalize().into()))
}

fn look(fd: &OwnedFd) -> rustix::io::Result<Statx> {
    statx(
        fd,
        c"",
        AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC,
        StatxFlags::TYPE | StatxFlags::INO | StatxFlags::SIZE,
    )
}

fn file_type(what: &Statx) -> FileType {
    FileType::from_raw_mode(u32::from(what.stx_mode))
}

fn own_path(fd: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write as _;

    use rustix::fs::{MemfdFlags, fcntl_add_seals, memfd_create};

    use super::*;

    fn memory(content: &[u8], seals: SealFlags) -> OwnedFd {
        let fd = memfd_create("in", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
        let mut file = File::from(fd);
        file.write_all(content).unwrap();
        fcntl_add_seals(&file, seals).unwrap();
        file.into()
    }

    fn all() -> SealFlags {
        SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE
    }

    #[test]
    fn a_sealed_memory_file_is_hashed_from_its_beginning() {
        let (digest, own) = stdin(&memory(b"abc", all())).unwrap();
        assert_eq!(digest, Digest::of(b"abc"));
        assert_eq!(std::io::read_to_string(File::from(own)).unwrap(), "abc");
    }

    #[test]
    fn what_could_still_change_is_no_stdin() {
        for missing in [SealFlags::SEAL, SealFlags::SHRINK, SealFlags::GROW, SealFlags::WRITE] {
            assert!(stdin(&memory(b"abc", all() - missing)).is_err(), "{missing:?}");
        }
        assert!(stdin(&File::open("/etc/passwd").unwrap().into()).is_err());
        assert!(stdin(&rustix::pipe::pipe().unwrap().0).is_err());
    }

    #[test]
    fn stdin_has_a_bound_at_n_and_n_plus_one() {
        let size = usize::try_from(MAX_STDIN).unwrap();
        assert!(stdin(&memory(&vec![0; size], all())).is_ok());
        assert!(stdin(&memory(&vec![0; size + 1], all())).is_err());
    }

    #[test]
    fn only_a_directory_is_a_working_directory() {
        let (path, id) = directory(&File::open("/etc/").unwrap().into()).unwrap();
        let etc = std::fs::metadata("/etc").unwrap();
        use std::os::unix::fs::MetadataExt as _;
        assert_eq!((path.as_str(), id.device, id.inode), ("/etc", etc.dev(), etc.ino()));
        assert!(directory(&File::open("/etc/passwd").unwrap().into()).is_err());
        assert!(directory(&rustix::pipe::pipe().unwrap().0).is_err());
    }
}
