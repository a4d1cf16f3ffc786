//! Mount trees as descriptors: copied, changed, and attached where another descriptor points. No path is looked up twice.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, StatVfsMountFlags, fstatvfs, open};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create, fsconfig_set_string,
    fsmount, fsopen, move_mount, open_tree,
};

use super::{MountError, failed};
use crate::sys::{self, Recursive};

/// Attributes of a mount to set and to clear (mount_setattr(2)).
#[derive(Debug, Clone, Copy)]
pub(super) struct Attributes {
    set: u64,
    clear: u64,
}

impl Attributes {
    /// Nothing can be written, no device opened, no set-id bit obeyed.
    pub(super) const READ_ONLY_AND_INERT: Self =
        Self { set: libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV, clear: 0 };
    /// Nothing can be written.
    pub(super) const READ_ONLY: Self = Self { set: libc::MOUNT_ATTR_RDONLY, clear: 0 };
    /// Can be written again; everything else stays as it is.
    pub(super) const WRITABLE: Self = Self { set: 0, clear: libc::MOUNT_ATTR_RDONLY };
    /// No device can be opened.
    pub(super) const NO_DEVICES: Self = Self { set: libc::MOUNT_ATTR_NODEV, clear: 0 };
    /// No device can be opened, and nothing written.
    pub(super) const DEAD: Self = Self { set: libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NODEV, clear: 0 };
}

impl Attributes {
    /// Reads them back.
    fn are_shown(self, fd: &OwnedFd, path: &str) -> Result<(), MountError> {
        let flags = fstatvfs(fd).map_err(failed("reading back the mount of", path))?.f_flag;
        let known = [
            (libc::MOUNT_ATTR_RDONLY, StatVfsMountFlags::RDONLY),
            (libc::MOUNT_ATTR_NOSUID, StatVfsMountFlags::NOSUID),
            (libc::MOUNT_ATTR_NODEV, StatVfsMountFlags::NODEV),
        ];
        let set = known.iter().all(|(bit, flag)| self.set & bit == 0 || flags.contains(*flag));
        // A file system that is read-only itself stays so, whatever its mount says.
        if set { Ok(()) } else { Err(failed("the kernel shows other attributes for", path)(Errno::NOTSUP)) }
    }
}

/// A mount tree that is not attached anywhere yet, or was.
#[derive(Debug)]
pub(super) struct Tree {
    fd: OwnedFd,
    path: String,
}

impl Tree {
    /// A copy of what a descriptor points to, with the mounts below it if asked for.
    pub(super) fn copy(of: impl AsFd, recursive: Recursive, path: &str) -> Result<Self, MountError> {
        let below = match recursive {
            Recursive::Yes => OpenTreeFlags::AT_RECURSIVE,
            Recursive::No => OpenTreeFlags::empty(),
        };
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
        let fd = open_tree(of, c"", flags | below).map_err(failed("copying", path))?;
        Ok(Self { fd, path: path.to_owned() })
    }

    /// A new and empty file system in memory.
    pub(super) fn empty(options: &[(&str, &str)], attributes: MountAttrFlags, path: &str) -> Result<Self, MountError> {
        let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).map_err(failed("making a tmpfs for", path))?;
        for (key, value) in options {
            fsconfig_set_string(&context, *key, *value).map_err(failed("making a tmpfs for", path))?;
        }
        fsconfig_create(&context).map_err(failed("making a tmpfs for", path))?;
        let fd = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes);
        Ok(Self { fd: fd.map_err(failed("making a tmpfs for", path))?, path: path.to_owned() })
    }

    /// Changes its attributes.
    pub(super) fn set(&self, attributes: Attributes, recursive: Recursive) -> Result<(), MountError> {
        sys::set_mount_attributes(&self.fd, attributes.set, attributes.clear, recursive)
            .map_err(|error| MountError::new("changing the mount of", self.path.as_str(), error))?;
        attributes.are_shown(&self.fd, &self.path)
    }

    /// Attaches it over what the other descriptor points to.
    pub(super) fn attach(&self, over: impl AsFd) -> Result<(), MountError> {
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        move_mount(&self.fd, c"", over, c"", flags).map_err(failed("attaching over", &self.path))
    }

    /// Its topmost directory or file.
    pub(super) const fn fd(&self) -> &OwnedFd {
        &self.fd
    }
}

/// The root of the namespace, in place.
pub(super) fn root() -> Result<Tree, MountError> {
    let flags = OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let fd = open_tree(CWD, c"/", flags).map_err(failed("opening", "/"))?;
    Ok(Tree { fd, path: "/".to_owned() })
}

/// Opens a path of the system that has no links in it, for attaching over it.
pub(super) fn spot(path: &str) -> Result<OwnedFd, MountError> {
    open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()).map_err(failed("opening", path))
}
