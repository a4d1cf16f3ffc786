//! A job's input: a file's bytes in a sealed memory file, which nobody can change after it was hashed.

use std::fs::File;
use std::io::{self, Read, Seek as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use crate::complaint::Complaint;

/// The most bytes of input.
pub(crate) const MAX_BYTES: u64 = 16 * 1_024 * 1_024;

/// Reads a file, or this program's own input for `-`, into a sealed memory file.
pub(crate) fn sealed(path: &Path) -> Result<OwnedFd, Complaint> {
    let what = "The input cannot be read";
    let system = |source| Complaint::System { what, source };
    if path == Path::new("-") {
        return copy(io::stdin().lock());
    }
    copy(File::open(path).map_err(system)?)
}

fn copy(source: impl Read) -> Result<OwnedFd, Complaint> {
    let system = |source| Complaint::System { what: "The input cannot be copied", source };
    let fd = memfd_create("countersign-stdin", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING);
    let mut memory = File::from(fd.map_err(|errno| system(errno.into()))?);
    let copied = io::copy(&mut source.take(MAX_BYTES.saturating_add(1)), &mut memory).map_err(system)?;
    if copied > MAX_BYTES {
        return Err(Complaint::usage(format!(
            "The input is larger than {MAX_BYTES} bytes: put it into a file and name that in the command."
        )));
    }
    memory.flush().and_then(|()| memory.rewind()).map_err(system)?;
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    fcntl_add_seals(&memory, seals).map_err(|errno| system(errno.into()))?;
    Ok(memory.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_is_the_input_and_can_no_longer_be_written() {
        let mut memory = File::from(copy(&b"two\nlines\n"[..]).unwrap());
        let mut text = String::new();
        memory.read_to_string(&mut text).unwrap();
        assert_eq!(text, "two\nlines\n");
        assert!(memory.write_all(b"x").is_err() && memory.set_len(0).is_err());
    }

    #[test]
    fn input_is_bounded_at_n_and_n_plus_one() {
        assert!(copy(io::repeat(0).take(MAX_BYTES)).is_ok());
        assert!(matches!(copy(io::repeat(0).take(MAX_BYTES + 1)), Err(Complaint::Usage { .. })));
    }

    #[test]
    fn a_file_that_is_not_there_is_told() {
        assert!(matches!(sealed(Path::new("/no/such/file")), Err(Complaint::System { .. })));
    }
}
