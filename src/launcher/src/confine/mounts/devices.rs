//! `/dev` with the devices that a profile names and no other: no disk, no memory, no terminal of anybody's.

use std::os::fd::OwnedFd;

use countersign_core::profile::{Profile, Written};
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, mkdirat, openat, readlinkat, symlinkat};
use rustix::io::Errno;

use super::scratch::Scratch;
use super::tree::{Attributes, Tree, spot};
use super::{MountError, failed};
use crate::sys::Recursive;

/// The links that every program expects.
const LINKS: [(&str, &str); 4] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];
/// The directory itself, which stands for every device.
const ALL: &str = "/dev";
/// The name of the job's own in its own file system.
const OWN: &str = "dev";

/// The devices that remain.
#[derive(Debug)]
pub(super) enum Devices {
    /// Every one of the machine's.
    All,
    /// Those that were made in the job's own directory, and these of the machine's, which are attached there.
    Own(Vec<(String, Tree)>),
}

/// Makes the job's own `/dev`, with the devices that the profile names and that this machine has.
pub(super) fn take(profile: &Profile, scratch: &Scratch) -> Result<Devices, MountError> {
    if profile.devices.iter().any(|allowance| allowance.path.as_str() == ALL) {
        return Ok(Devices::All);
    }
    let own = scratch.directory(OWN, 0o755)?;
    for (name, target) in LINKS {
        symlinkat(target, &own, name).map_err(failed("linking in /dev", name))?;
    }
    let mut attached = Vec::new();
    for allowance in &profile.devices {
        let path = allowance.path.as_str();
        let Some(name) = path.strip_prefix("/dev/").filter(|name| !name.contains('/')) else {
            return Err(failed("no device is at", path)(Errno::INVAL));
        };
        let found = match openat(CWD, path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
            Ok(found) => found,
            Err(Errno::NOENT) => continue,
            Err(errno) => return Err(failed("opening", path)(errno)),
        };
        let device = Device { path, name, found };
        attached.extend(device.put(profile, scratch, &own)?.map(|tree| (name.to_owned(), tree)));
    }
    Ok(Devices::Own(attached))
}

/// One of the machine's devices.
#[derive(Debug)]
struct Device<'a> {
    path: &'a str,
    name: &'a str,
    found: OwnedFd,
}

impl Device<'_> {
    /// Makes it in the job's own directory, or a place for it and the tree to be attached there.
    fn put(&self, profile: &Profile, scratch: &Scratch, own: &OwnedFd) -> Result<Option<Tree>, MountError> {
        let Self { path, name, found } = self;
        let stat = fstat(found).map_err(failed("looking at", path))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Symlink => {
                let target = readlinkat(found, c"", Vec::new()).map_err(failed("reading", path))?;
                symlinkat(&target, own, *name).map_err(failed("linking in /dev", name)).map(|()| None)
            }
            FileType::Directory => {
                mkdirat(own, *name, Mode::from(0o755)).map_err(failed("making in /dev", name))?;
                let tree = Tree::copy(found, Recursive::Yes, path)?;
                if profile.files.written == Written::Nothing {
                    tree.set(Attributes::READ_ONLY_AND_INERT, Recursive::Yes)?;
                }
                Ok(Some(tree))
            }
            FileType::CharacterDevice if scratch.node(own, name, &stat)? => Ok(None),
            FileType::RegularFile
            | FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => {
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
                openat(own, *name, flags, Mode::from(0o600)).map_err(failed("making in /dev", name))?;
                Tree::copy(found, Recursive::No, path).map(Some)
            }
        }
    }
}

impl Devices {
    /// Replaces `/dev`, unless all of it remains. The job's own file system is attached.
    pub(super) fn attach(self, scratch: &Scratch) -> Result<(), MountError> {
        let Self::Own(attached) = self else { return scratch.detach() };
        let dev = scratch.part(OWN, Attributes::READ_ONLY)?;
        dev.attach(spot(ALL)?)?;
        for (name, tree) in attached {
            let place = openat(dev.fd(), &name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
                .map_err(failed("opening in /dev", &name))?;
            tree.attach(place)?;
        }
        Ok(())
    }
}
