//! Letting mounts through: for a profile whose jobs mount, what they mount and unmount the machine does too.
//!
//! ```text
//!   taken:    per shared mount of the machine a copy that stays in its peer group
//!   then:     the view is made private and covered; nothing of that reaches the machine
//!   rejoined: each mount gets its peer group back, from the copy
//! ```
//!
//! Covers are mounts of their own and stay private, so that something mounted below a covered place stays in the job. A
//! mount that another one hides is left as it is: nobody can mount there.

use std::fs;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Mode, OFlags, StatxFlags, open, statx};
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, move_mount};

use super::tree::Tree;
use super::{MountError, failed};
use crate::sys::Recursive;

/// Where the kernel tells the mounts of this process (proc_pid_mountinfo(5)).
const TABLE: &str = "/proc/self/mountinfo";

/// A mount of the machine's that is shared.
#[derive(Debug)]
struct Shared {
    path: String,
    here: OwnedFd,
    peer: Tree,
}

/// Every mount of the machine's that is shared.
#[derive(Debug)]
pub(super) struct Machine(Vec<Shared>);

/// Takes hold of the peer groups, before the view is made private.
pub(super) fn take() -> Result<Machine, MountError> {
    let table = fs::read_to_string(TABLE).map_err(|error| MountError::new("reading", TABLE, error))?;
    let mut taken = Vec::new();
    for (id, path) in table.lines().filter_map(shared) {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let here = match open(&path, flags, Mode::empty()) {
            Ok(here) => here,
            Err(Errno::NOENT) => continue,
            Err(errno) => return Err(failed("opening", &path)(errno)),
        };
        let found = statx(&here, c"", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID).map_err(failed("looking at", &path))?;
        if found.stx_mnt_id == id {
            let peer = Tree::copy(&here, Recursive::No, &path)?;
            taken.push(Shared { path, here, peer });
        }
    }
    // Without this a mount would vanish with the job, and the caller would believe that it was made.
    if taken.iter().any(|shared| shared.path == "/") {
        Ok(Machine(taken))
    } else {
        Err(failed("the machine does not share its mounts below", "/")(Errno::INVAL))
    }
}

impl Machine {
    /// Gives each mount its peer group back.
    pub(super) fn rejoin(&self) -> Result<usize, MountError> {
        let flags = MoveMountFlags::MOVE_MOUNT_SET_GROUP
            | MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH
            | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        for Shared { path, here, peer } in &self.0 {
            move_mount(peer.fd(), c"", here, c"", flags).map_err(failed("sharing again", path))?;
        }
        Ok(self.0.len())
    }
}

/// The id and the path of a shared mount, from a line of the table.
fn shared(line: &str) -> Option<(u64, String)> {
    let mut words = line.split(' ');
    let id = words.next()?.parse().ok()?;
    let path = unescaped(words.nth(3)?);
    let is_shared = words.skip(1).take_while(|word| *word != "-").any(|word| word.starts_with("shared:"));
    is_shared.then_some((id, path))
}

/// The kernel writes blanks, tabs, line ends and backslashes as three octal digits.
fn unescaped(path: &str) -> String {
    let pairs = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    pairs.into_iter().fold(path.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_id_path_and_whether_it_is_shared() {
        let line = |options: &str| format!("36 35 98:0 /mnt1 /mnt/a\\040b rw,noatime {options}- ext3 /dev/root rw\n");
        assert_eq!(shared(&line("master:1 shared:7 ")), Some((36, "/mnt/a b".to_owned())));
        for private in ["", "master:1 ", "unbindable "] {
            assert_eq!(shared(&line(private)), None, "{private}");
        }
        assert_eq!(shared("36 35 98:0 / /x rw - ext3 shared:1 rw"), None, "a device's name is not a tag");
        assert_eq!(shared(""), None);
    }
}
