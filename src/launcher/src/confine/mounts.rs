//! Step `mounts`: a view of the file system of the job's own, built from descriptors.
//!
//! ```text
//!   namespace ─▶ read-only, all of it ─▶ targets, listed ─▶ /dev ─▶ private directories ─▶ covers ─▶ masks ─▶ machine
//!                (unless everything is    (change; users,          (observe)              protected  hidden   (storage)
//!                written)                  services, …)
//! ```
//!
//! Enters: a profile and the paths that a request names. Leaves: a namespace in which chmod, chown, setxattr and utime
//! fail where writing does, which Landlock does not see to; and the directories that were opened, for Landlock's rules.
//! Nothing that is mounted here or later reaches the machine, and nothing that the machine mounts later reaches here,
//! unless mounting is what the profile is for: then what is mounted after the view was built does.

mod anchors;
mod covers;
mod devices;
mod listed;
mod machine;
mod opened;
mod places;
mod private;
mod scratch;
mod tree;

use std::fs;

use countersign_core::outcome::Layer;
use countersign_core::path::CleanPath;
use countersign_core::profile::{CallSet, Profile, Written};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::getppid;
use rustix::fs::{StatVfsMountFlags, statvfs};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, MountPropagationFlags, mount_change};

use covers::Covers;
use scratch::Scratch;
use tree::{Attributes, Tree};

use crate::sys::Recursive;

/// Why a view could not be built.
#[derive(Debug, thiserror::Error)]
#[error("{what} {path:?}")]
pub(crate) struct MountError {
    what: &'static str,
    path: String,
    #[source]
    error: std::io::Error,
}

impl MountError {
    fn new(what: &'static str, path: impl Into<String>, error: impl Into<std::io::Error>) -> Self {
        Self { what, path: path.into(), error: error.into() }
    }

    /// The kernel's error number.
    pub(super) fn errno(&self) -> i32 {
        self.error.raw_os_error().unwrap_or(libc::EIO)
    }
}

/// The paths that a request names.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    /// As written.
    pub(super) written: &'a [CleanPath],
    /// As read.
    pub(super) read: &'a [CleanPath],
    /// As working directory.
    pub(super) cwd: &'a CleanPath,
}

/// What was built.
#[derive(Debug)]
pub(super) struct View {
    /// The directories in which something may be changed, for a profile that opens targets.
    pub(super) opened: Vec<CleanPath>,
    /// What the step gave.
    pub(super) layer: Layer,
}

/// Whether the kernel makes, copies, changes and attaches mounts by descriptor. Tried on one that is nowhere attached.
pub(crate) fn can_mount() -> bool {
    let tried = Tree::empty(&[], MountAttrFlags::empty(), "a probe").and_then(|tree| {
        let copy = tree::root()?;
        Tree::copy(copy.fd(), Recursive::No, "a probe")?.set(Attributes::DEAD, Recursive::No)?;
        tree.set(Attributes::READ_ONLY, Recursive::No)?;
        Ok(tree)
    });
    // Nothing can be attached over itself: a kernel that has the call says that.
    tried.is_ok_and(|tree| tree.attach(tree.fd()).is_err_and(|error| error.errno() == libc::EINVAL))
}

/// Builds the view that the profile describes.
pub(super) fn build(profile: &Profile, wanted: &Wanted<'_>) -> Result<View, MountError> {
    unshare(CloneFlags::CLONE_NEWNS).map_err(|errno| MountError::new("unsharing", "/", errno))?;
    let machine = profile.allows(CallSet::Mounts).then(machine::take).transpose()?;
    mount_change(c"/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)
        .map_err(|errno| MountError::new("making private", "/", errno))?;
    // Taken before everything is read-only and without devices: they are the devices that remain.
    let scratch = Scratch::new()?;
    let devices = devices::take(profile, &scratch)?;
    let mut covers = Covers::take(&scratch)?;
    let listed = listed::take(profile)?;
    let files = &profile.files;
    let read_only = match files.written {
        Written::Everything => false,
        Written::Nothing | Written::Targets | Written::Listed => true,
    };
    if read_only {
        tree::root()?.set(Attributes::READ_ONLY_AND_INERT, Recursive::Yes)?;
    }
    let protected = protected(profile)?;
    let hidden = places::existing(profile.hidden())?;
    let open: Vec<CleanPath> = listed.iter().map(|place| place.path.clone()).collect();
    let mut opened = match files.written {
        Written::Targets | Written::Listed => {
            opened::open(wanted.written, &[protected.as_slice(), &hidden, &open].concat())?
        }
        Written::Nothing | Written::Everything => Vec::new(),
    };
    let count_opened = opened.len();
    for place in &listed {
        place.attach()?;
    }
    opened.extend(open);
    let writable: Vec<CleanPath> =
        protected.into_iter().filter(|place| is_writable(files.written, place, &opened)).collect();
    let (covered, hidden) = (places::there(&writable)?, places::there(&hidden)?);
    let absent = writable.len().saturating_sub(covered.len());
    // Where jobs mount, a copy of a directory would keep their mounts from the machine; they could undo covers anyway.
    let held = if profile.allows(CallSet::Mounts) {
        0
    } else {
        anchors::hold(covered.iter().chain(&hidden), |place| is_writable(files.written, place, &opened))?
    };
    let private = private::take(&files.private, wanted)?;
    scratch.attach()?;
    let count_private = private.len();
    for directory in private {
        directory.attach(&scratch)?;
    }
    let count_covered = cover(&covered)?;
    let masked = covers.mask(&scratch, &hidden)?;
    devices.attach(&scratch)?;
    let shared = machine.map_or(Ok(0), |machine| machine.rejoin())?;
    let base = root_as_shown()?;
    let mut gives = format!(
        "own namespace; {base} at the root; {count_opened} directories opened for targets; {} listed places writable; {count_private} private; {} places covered read-only and {} absent, {held} directories above held; {masked} places hidden",
        listed.len(),
        count_covered,
        absent
    );
    if shared > 0 {
        gives.push_str(&format!("; {shared} mounts shared with the machine"));
    }
    Ok(View { opened, layer: Layer { step: "mounts".to_owned(), gives } })
}

/// What the kernel shows of the mount at the root of the view.
fn root_as_shown() -> Result<String, MountError> {
    let flags = statvfs(c"/").map_err(failed("reading back", "/"))?.f_flag;
    let names = [
        (StatVfsMountFlags::RDONLY, "read-only"),
        (StatVfsMountFlags::NODEV, "no devices"),
        (StatVfsMountFlags::NOSUID, "no set-id"),
    ];
    let shown: Vec<&str> = names.iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, name)| *name).collect();
    Ok(if shown.is_empty() { "writable".to_owned() } else { shown.join(", ") })
}

/// Covers protected places, and says how many.
fn cover(protected: &[CleanPath]) -> Result<usize, MountError> {
    let mut covered = 0_usize;
    for place in protected {
        let Some(found) = places::find(place)? else { continue };
        let tree = Tree::copy(&found, Recursive::Yes, place.as_str())?;
        tree.set(Attributes::READ_ONLY, Recursive::Yes)?;
        tree.attach(&found)?;
        covered = covered.saturating_add(1);
    }
    Ok(covered)
}

/// The places that must stay as they are. Where nothing is writable nothing has to be covered.
fn protected(profile: &Profile) -> Result<Vec<CleanPath>, MountError> {
    match profile.files.written {
        Written::Nothing => Ok(Vec::new()),
        Written::Targets | Written::Listed | Written::Everything => {
            let mut protected = places::existing(profile.protected())?;
            protected.extend(processes());
            Ok(protected)
        }
    }
}

/// What the kernel shows of the processes above this one, up to PID 1: the launcher, the front. Their marks for the
/// out-of-memory killer and the like are no job's to set.
fn processes() -> Vec<CleanPath> {
    let mut above = Vec::new();
    let mut next = Some(getppid().as_raw());
    while let Some(pid) = next.filter(|pid| *pid > 0) {
        above.extend(CleanPath::new(&format!("/proc/{pid}")));
        next = parent_of(pid);
    }
    above
}

/// The parent, as proc_pid_stat(5) has it: the second word after the name, which may hold anything.
fn parent_of(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Whether the view would let a place be changed before anything covers it.
fn is_writable(written: Written, place: &CleanPath, opened: &[CleanPath]) -> bool {
    match written {
        Written::Nothing => false,
        Written::Targets | Written::Listed => opened.iter().any(|directory| place.is_within(directory)),
        Written::Everything => true,
    }
}

/// An error of the library as one of ours.
fn failed(what: &'static str, path: &str) -> impl FnOnce(Errno) -> MountError {
    let path = path.to_owned();
    move |errno| MountError::new(what, path, errno)
}
