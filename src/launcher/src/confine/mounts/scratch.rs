//! The one file system in memory that a job has: its `/dev`, its private directories, and what hides a place.
//!
//! One for all of them, because making one is what costs, and because tools that list file systems then show one. It is
//! filled while it is nowhere, attached once below what will be `/dev`, and its parts are copied from there.

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, chmodat, mkdirat, mknodat, openat};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, UnmountFlags, unmount};

use super::tree::{Attributes, Tree, spot};
use super::{MountError, failed};
use crate::sys::Recursive;

/// The most that a job may keep in it.
const SIZE: (&str, &str) = ("size", "64m");
/// The most files in it.
const FILES: (&str, &str) = ("nr_inodes", "16384");
/// Where it is attached while its parts are copied.
const PLACE: &str = "/dev";

/// The file system.
#[derive(Debug)]
pub(super) struct Scratch(Tree);

impl Scratch {
    /// A new one, empty.
    pub(super) fn new() -> Result<Self, MountError> {
        let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
        Tree::empty(&[("mode", "0755"), SIZE, FILES], attributes, "the job's own").map(Self)
    }

    /// Makes a directory in it and opens it.
    pub(super) fn directory(&self, name: &str, mode: u32) -> Result<OwnedFd, MountError> {
        let mode = Mode::from_raw_mode(mode);
        mkdirat(self.0.fd(), name, mode).map_err(failed("making", name))?;
        // The umask does not count here.
        chmodat(self.0.fd(), name, mode, AtFlags::empty()).map_err(failed("making", name))?;
        self.open(name)
    }

    /// Makes a device in it like the one that was found. `false` where a container lets nobody make one.
    pub(super) fn node(&self, directory: &OwnedFd, name: &str, like: &Stat) -> Result<bool, MountError> {
        let mode = Mode::from_raw_mode(like.st_mode & 0o666);
        match mknodat(directory, name, FileType::CharacterDevice, mode, like.st_rdev) {
            Ok(()) => chmodat(directory, name, mode, AtFlags::empty()).map_err(failed("making", name)).map(|()| true),
            Err(Errno::PERM) => Ok(false),
            Err(errno) => Err(failed("making", name)(errno)),
        }
    }

    /// Attaches it, so that its parts can be copied.
    pub(super) fn attach(&self) -> Result<(), MountError> {
        self.0.attach(spot(PLACE)?)
    }

    /// Takes it away again where the machine's `/dev` remains; its parts stay.
    pub(super) fn detach(&self) -> Result<(), MountError> {
        unmount(PLACE, UnmountFlags::DETACH).map_err(failed("uncovering", PLACE))
    }

    /// A part of it as a tree of its own.
    pub(super) fn part(&self, name: &str, attributes: Attributes) -> Result<Tree, MountError> {
        let part = Tree::copy(self.open(name)?, Recursive::No, name)?;
        part.set(attributes, Recursive::No)?;
        Ok(part)
    }

    /// Its topmost directory.
    pub(super) const fn fd(&self) -> &OwnedFd {
        self.0.fd()
    }

    fn open(&self, name: &str) -> Result<OwnedFd, MountError> {
        openat(self.0.fd(), name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
            .map_err(failed("opening", name))
    }
}
