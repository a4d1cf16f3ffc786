//! `/dev` with the devices that a profile names and no other: no disk, no memory, no terminal of anybody's.

use std::os::fd::OwnedFd;

use countersign_core::profile::Profile;
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, mkdirat, openat, readlinkat, symlinkat};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;

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

/// One device as it was before `/dev` was replaced.
#[derive(Debug)]
pub(super) enum Device {
    File(Tree),
    Directory(Tree),
    Link(std::ffi::CString),
}

/// The devices that remain.
#[derive(Debug)]
pub(super) enum Devices {
    /// Every one of the machine's.
    All,
    /// These.
    These(Vec<(String, Device)>),
}

/// The directory itself, which stands for every device.
const ALL: &str = "/dev";

/// Takes hold of the devices that the profile names and that this machine has.
pub(super) fn take(profile: &Profile) -> Result<Devices, MountError> {
    if profile.devices.iter().any(|allowance| allowance.path.as_str() == ALL) {
        return Ok(Devices::All);
    }
    let mut devices = Vec::new();
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
        devices.push((name.to_owned(), device(&found, path)?));
    }
    Ok(Devices::These(devices))
}

fn device(found: &OwnedFd, path: &str) -> Result<Device, MountError> {
    let stat = fstat(found).map_err(failed("looking at", path))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Tree::copy(found, Recursive::Yes, path).map(Device::Directory),
        FileType::Symlink => readlinkat(found, c"", Vec::new()).map(Device::Link).map_err(failed("reading", path)),
        FileType::RegularFile
        | FileType::Fifo
        | FileType::Socket
        | FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Unknown => Tree::copy(found, Recursive::No, path).map(Device::File),
    }
}

impl Devices {
    /// Replaces `/dev`, unless all of it remains.
    pub(super) fn attach(self) -> Result<(), MountError> {
        let Self::These(devices) = self else { return Ok(()) };
        let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
        let dev = Tree::empty(&[("mode", "0755"), ("size", "64k"), ("nr_inodes", "64")], attributes, "/dev")?;
        for (name, target) in LINKS {
            symlinkat(target, dev.fd(), name).map_err(failed("linking in /dev", name))?;
        }
        dev.attach(spot("/dev")?)?;
        for (name, device) in devices {
            match device {
                Device::Link(target) => {
                    symlinkat(&target, dev.fd(), &name).map_err(failed("linking in /dev", &name))?
                }
                Device::Directory(tree) => {
                    mkdirat(dev.fd(), &name, Mode::from(0o755)).map_err(failed("making in /dev", &name))?;
                    tree.attach(place(dev.fd(), &name)?)?;
                }
                Device::File(tree) => {
                    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
                    openat(dev.fd(), &name, flags, Mode::from(0o600)).map_err(failed("making in /dev", &name))?;
                    tree.attach(place(dev.fd(), &name)?)?;
                }
            }
        }
        dev.set(Attributes::READ_ONLY, Recursive::No)
    }
}

fn place(dev: &OwnedFd, name: &str) -> Result<OwnedFd, MountError> {
    openat(dev, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
        .map_err(failed("opening in /dev", name))
}
