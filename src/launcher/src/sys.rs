//! The only unsafe code of the project: eight calls of the kernel or the C library that no library offers safely.
//!
//! Enters: owned or borrowed descriptors. Leaves: owned descriptors and plain values. Nothing here decides anything.
#![expect(unsafe_code, reason = "every call of the kernel that the project needs and no library wraps is in this file")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::resource::{Usage, UsageWho, getrusage};

/// Which side of [`start_child`] a process is on.
pub(crate) enum Side {
    /// The launcher, with its new child.
    Parent(Child),
    /// The child: a copy of the launcher in the job's cgroup.
    Child,
}

/// A child that was started and not yet reaped.
#[derive(Debug)]
pub(crate) struct Child {
    /// Its process id, valid until it is reaped.
    pub(crate) pid: i32,
    /// Becomes readable when it ends.
    pub(crate) pidfd: OwnedFd,
}

/// Takes the descriptor that whoever started this process left open at this number.
///
/// # Errors
/// Nothing is open there.
pub(crate) fn inherited(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: fcntl(F_GETFD) takes any number; it reads the descriptor's flags and touches no memory.
    Errno::result(unsafe { libc::fcntl(number, libc::F_GETFD) })?;
    // SAFETY: from_raw_fd needs an open descriptor that nothing else owns: it was just seen open, and this is called
    // once, before anything else in this process opened or took over a descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Starts a child inside a cgroup. It begins with a copy of everything, as after `fork`.
///
/// # Errors
/// The kernel's answer: no memory, a limit on processes, or a cgroup that takes no process.
pub(crate) fn start_child(cgroup: BorrowedFd<'_>) -> io::Result<Side> {
    let mut pidfd: RawFd = -1;
    let flags = libc::CLONE_PIDFD.unsigned_abs();
    let arguments = libc::clone_args {
        flags: u64::from(flags) | INTO_CGROUP,
        pidfd: std::ptr::from_mut(&mut pidfd).expose_provenance() as u64,
        child_tid: 0,
        parent_tid: 0,
        exit_signal: u64::from(libc::SIGCHLD.unsigned_abs()),
        stack: 0,
        stack_size: 0,
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
        cgroup: u64::from(cgroup.as_raw_fd().unsigned_abs()),
    };
    // SAFETY: clone3 reads `size` bytes of its arguments and writes the descriptor to `pidfd`; both live on this stack.
    // Without CLONE_VM the child gets a copy of all memory, and this process has a single thread, so no lock is held
    // that nobody in the child could release.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of::<libc::clone_args>()) };
    match Errno::result(pid)? {
        0 => Ok(Side::Child),
        pid => {
            // SAFETY: after success the kernel has put a new descriptor there that nothing else knows of.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Side::Parent(Child { pid: i32::try_from(pid).map_err(|_| io::ErrorKind::InvalidData)?, pidfd }))
        }
    }
}

/// `CLONE_INTO_CGROUP`: the child is a member of the cgroup before it runs.
const INTO_CGROUP: u64 = 0x2_0000_0000;

/// Closes every descriptor from `first` to `last`, open or not.
///
/// # Errors
/// The kernel is older than 5.9.
pub(crate) fn close_between(first: u32, last: u32) -> io::Result<()> {
    if first > last {
        return Ok(());
    }
    // SAFETY: close_range touches no memory. The child that calls it execs or exits without running a destructor, so
    // that no owner of a closed descriptor uses or closes it afterwards.
    Errno::result(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) })?;
    Ok(())
}

/// Changes the attributes of a mount, and of all mounts below it if `recursive` says so.
///
/// # Errors
/// The kernel's answer.
pub(crate) fn set_mount_attributes(mount: impl AsFd, set: u64, clear: u64, recursive: Recursive) -> io::Result<()> {
    let attributes = libc::mount_attr { attr_set: set, attr_clr: clear, propagation: 0, userns_fd: 0 };
    let flags = match recursive {
        Recursive::Yes => libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
        Recursive::No => libc::AT_EMPTY_PATH,
    };
    let (fd, size) = (mount.as_fd().as_raw_fd(), size_of::<libc::mount_attr>());
    // SAFETY: mount_setattr reads a path that ends in NUL and `size` bytes of attributes; both outlive the call.
    let done = unsafe { libc::syscall(libc::SYS_mount_setattr, fd, c"".as_ptr(), flags, &raw const attributes, size) };
    Errno::result(done)?;
    Ok(())
}

/// Whether a change reaches the mounts below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recursive {
    /// The mount and all below.
    Yes,
    /// The mount alone.
    No,
}

/// Reaps a child if it has ended: its wait status, and what it and its waited-for children used.
///
/// # Errors
/// It is not a child of this process, or was reaped before.
pub(crate) fn reap(child: &Child) -> io::Result<Option<(i32, Usage)>> {
    let mut status = 0;
    // A value to be overwritten; the library offers no other way to make one.
    let mut usage = getrusage(UsageWho::RUSAGE_SELF)?;
    // SAFETY: wait4 writes one int and one rusage; both are borrowed mutably for the call.
    let pid = unsafe { libc::wait4(child.pid, &raw mut status, libc::WNOHANG, usage.as_mut()) };
    Ok((Errno::result(pid)? != 0).then_some((status, usage)))
}

/// Gives every signal its default effect again: what the launcher ignores, or inherited as ignored, would else be
/// ignored by the program as well.
pub(crate) fn default_signals() {
    for number in 1..=LAST_SIGNAL {
        // SAFETY: SIG_DFL is a disposition and no function. Only a child on its way to exec calls this, and nothing of
        // it relies on a signal being ignored. For the two that cannot be changed the call fails and does nothing.
        unsafe { libc::signal(number, libc::SIG_DFL) };
    }
}

/// Gives memory that was freed back to the kernel. A child begins as a copy of this process, and every page of it costs.
pub(crate) fn give_memory_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim touches only memory that the allocator holds and nobody owns, and takes its locks.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// The last signal that is not a real-time one.
const LAST_SIGNAL: i32 = 31;
