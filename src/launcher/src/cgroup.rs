//! Cgroups: one per job below the unit's own, on the unified layout and on the hybrid one.
//!
//! `cgroup.kill` needs no controller and is required. Limits on memory and tasks are set where the controller is on the
//! unified tree; where it is not, [`Limits`] says so and the job's own limits stand in as far as they reach.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, mkdirat, open, openat, unlinkat};
use rustix::io::Errno;

/// Where the unified tree is mounted: the hybrid layout, then the unified one.
const MOUNTS: [&str; 2] = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"];
/// The prefix of jobs' cgroups.
const JOB: &str = "job-";
/// The leaf into which the broker's own processes go, so that the unit's cgroup can hand controllers down.
const LEAF: &str = "broker";

/// Why there is no cgroup to use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CgroupError {
    /// No unified tree is mounted.
    #[error("no unified cgroup tree is mounted: Countersign needs one, alone or beside the old ones")]
    NoTree,
    /// The process's place in it cannot be read.
    #[error("/proc/self/cgroup does not name a place in the unified tree")]
    NoPlace,
    /// The kernel has no `cgroup.kill`.
    #[error("the kernel cannot kill a cgroup as a whole: Countersign needs Linux 5.14")]
    NoKill,
    /// A file of a cgroup could not be used.
    #[error("cgroup: {what}")]
    File {
        /// What was tried.
        what: &'static str,
        /// The kernel's answer.
        #[source]
        error: io::Error,
    },
}

/// The unit's cgroup.
#[derive(Debug)]
pub(crate) struct Unit {
    dir: OwnedFd,
    controllers: Controllers,
}

/// Which controllers are handed down to jobs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Controllers {
    /// Memory.
    pub(crate) memory: bool,
    /// Tasks.
    pub(crate) pids: bool,
}

/// What a job's cgroup limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Tasks.
    pub(crate) tasks: u32,
    /// Memory, in MiB.
    pub(crate) memory_mib: Option<u32>,
}

/// A job's cgroup. It is killed and removed by whoever made it.
#[derive(Debug)]
pub(crate) struct JobGroup {
    name: String,
    unit: OwnedFd,
    dir: OwnedFd,
    events: File,
    kill: File,
}

impl Unit {
    /// The cgroup that this process is in, made ready for jobs: what a former run left is ended and removed, and
    /// controllers are handed down where PID 1 delegated the cgroup.
    ///
    /// # Errors
    /// [`CgroupError`].
    pub(crate) fn of_this_process() -> Result<Self, CgroupError> {
        let read = |path, what| fs::read_to_string(path).map_err(file(what));
        let mounts = read("/proc/self/mountinfo", "reading /proc/self/mountinfo")?;
        let own = read("/proc/self/cgroup", "reading /proc/self/cgroup")?;
        Self::at(&units_path(&mounts, &own)?)
    }

    fn at(path: &Path) -> Result<Self, CgroupError> {
        let dir = open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        let dir = dir.map_err(|errno| CgroupError::File { what: "opening the unit's cgroup", error: errno.into() })?;
        let mut unit = Self { dir, controllers: Controllers::default() };
        unit.sweep(path)?;
        if is_delegated(path) {
            unit.controllers = unit.hand_down(path)?;
        }
        Ok(unit)
    }

    /// A new cgroup for a job.
    ///
    /// # Errors
    /// [`CgroupError`].
    pub(crate) fn open_job(&self, id: &str, limits: Limits) -> Result<(JobGroup, String), CgroupError> {
        let name = format!("{JOB}{id}");
        mkdirat(&self.dir, &name, Mode::from(0o755))
            .map_err(|errno| CgroupError::File { what: "making a job's cgroup", error: errno.into() })?;
        let group = JobGroup::open(&self.dir, &name);
        if group.is_err() {
            unlinkat(&self.dir, &name, rustix::fs::AtFlags::REMOVEDIR).ok();
        }
        let group = group?;
        match group.limit(self.controllers, limits) {
            Ok(gives) => Ok((group, gives)),
            Err(error) => {
                // Nothing was born in it. If it stays all the same, the next start of the launcher removes it.
                drop(group.remove());
                Err(error)
            }
        }
    }

    /// Whether the kernel can kill a cgroup of a job as a whole.
    pub(crate) fn can_be_killed(&self) -> bool {
        rustix::fs::accessat(&self.dir, "cgroup.kill", rustix::fs::Access::EXISTS, rustix::fs::AtFlags::empty()).is_ok()
    }

    /// Which controllers jobs have.
    pub(crate) const fn controllers(&self) -> Controllers {
        self.controllers
    }

    fn sweep(&self, path: &Path) -> Result<(), CgroupError> {
        for entry in fs::read_dir(path).map_err(file("listing the unit's cgroup"))?.flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            if !name.starts_with(JOB) {
                continue;
            }
            let mut left = JobGroup::open(&self.dir, &name)?;
            left.kill()?;
            // Its processes die at once; the directory goes as soon as they are gone, or stays empty.
            drop(left.remove());
        }
        Ok(())
    }

    /// The rule of the unified tree: a cgroup that hands controllers down has no processes of its own.
    fn hand_down(&self, path: &Path) -> Result<Controllers, CgroupError> {
        let offered = fs::read_to_string(path.join("cgroup.controllers")).map_err(file("reading controllers"))?;
        let has = |name: &str| offered.split_whitespace().any(|word| word == name);
        let controllers = Controllers { memory: has("memory"), pids: has("pids") };
        if controllers == Controllers::default() {
            return Ok(controllers);
        }
        let leaf = path.join(LEAF);
        match fs::create_dir(&leaf) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(file("making the broker's leaf")(error));
            }
            Ok(()) | Err(_) => {}
        }
        let own = fs::read_to_string(path.join("cgroup.procs")).map_err(file("listing the unit's processes"))?;
        for pid in own.lines() {
            fs::write(leaf.join("cgroup.procs"), pid).map_err(file("moving the unit's processes"))?;
        }
        for (name, wanted) in [("+memory", controllers.memory), ("+pids", controllers.pids)] {
            if wanted {
                fs::write(path.join("cgroup.subtree_control"), name).map_err(file("handing controllers down"))?;
            }
        }
        Ok(controllers)
    }
}

impl JobGroup {
    fn open(unit: &OwnedFd, name: &str) -> Result<Self, CgroupError> {
        let failed = |errno: Errno| CgroupError::File { what: "opening a job's cgroup", error: errno.into() };
        let dir =
            openat(unit, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
        let events = openat(&dir, "cgroup.events", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
        let kill = openat(&dir, "cgroup.kill", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty());
        let kill = kill.map_err(|errno| if errno == Errno::NOENT { CgroupError::NoKill } else { failed(errno) })?;
        let unit = unit.try_clone().map_err(file("keeping the unit's cgroup"))?;
        Ok(Self { name: name.to_owned(), unit, dir, events: events.into(), kill: kill.into() })
    }

    /// For starting a process in it.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    /// Becomes readable as an exception when it gets empty.
    pub(crate) fn events(&self) -> &File {
        &self.events
    }

    /// Its name below the unit's.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Kills every process in it at once, whatever it forked and whichever session it is in.
    pub(crate) fn kill(&mut self) -> Result<(), CgroupError> {
        self.kill.write_all(b"1").map_err(file("killing a job's cgroup"))
    }

    /// Whether no process is left in it.
    pub(crate) fn is_empty(&mut self) -> Result<bool, CgroupError> {
        let mut text = String::new();
        self.events.rewind().map_err(file("reading a job's events"))?;
        self.events.read_to_string(&mut text).map_err(file("reading a job's events"))?;
        Ok(text.lines().any(|line| line == "populated 0"))
    }

    /// Removes it; it must be empty.
    pub(crate) fn remove(&self) -> Result<(), CgroupError> {
        unlinkat(&self.unit, &self.name, rustix::fs::AtFlags::REMOVEDIR)
            .map_err(|errno| CgroupError::File { what: "removing a job's cgroup", error: errno.into() })
    }

    fn limit(&self, controllers: Controllers, limits: Limits) -> Result<String, CgroupError> {
        let mut gives = format!("{}, killed as a whole", self.name);
        if controllers.pids {
            self.write("pids.max", &limits.tasks.to_string())?;
            gives.push_str(&format!("; tasks {}", self.read("pids.max")?));
        } else {
            gives.push_str("; tasks not limited here");
        }
        match limits.memory_mib {
            Some(mib) if controllers.memory => {
                self.write("memory.max", &format!("{mib}M"))?;
                self.write("memory.oom.group", "1")?;
                gives.push_str(&format!("; memory {} bytes", self.read("memory.max")?));
            }
            Some(_) | None => gives.push_str("; memory not limited here"),
        }
        Ok(gives)
    }

    /// What the kernel made of a limit.
    fn read(&self, name: &str) -> Result<String, CgroupError> {
        let opened = openat(&self.dir, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        let opened = opened.map_err(|errno| CgroupError::File { what: "reading back a limit", error: errno.into() })?;
        let mut text = String::new();
        File::from(opened).read_to_string(&mut text).map_err(file("reading back a limit"))?;
        Ok(text.trim().to_owned())
    }

    fn write(&self, name: &str, value: &str) -> Result<(), CgroupError> {
        let opened = openat(&self.dir, name, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty());
        let opened =
            opened.map_err(|errno| CgroupError::File { what: "limiting a job's cgroup", error: errno.into() })?;
        File::from(opened).write_all(value.as_bytes()).map_err(file("limiting a job's cgroup"))
    }
}

/// The path in the unified tree, from the text of `/proc/<pid>/cgroup` (cgroups(7)).
pub(crate) fn place(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix("0::"))
}

/// Where the unit's cgroup is to be seen, from the texts of `/proc/self/mountinfo` and `/proc/self/cgroup`.
fn units_path(mountinfo: &str, own: &str) -> Result<PathBuf, CgroupError> {
    let mount = MOUNTS.into_iter().find(|place| is_unified(mountinfo, place)).ok_or(CgroupError::NoTree)?;
    let place = place(own).ok_or(CgroupError::NoPlace)?;
    let unit = place.strip_suffix(LEAF).filter(|unit| unit.ends_with('/')).unwrap_or(place);
    Ok(Path::new(mount).join(unit.trim_matches('/')))
}

/// Whether what is mounted there last is the unified tree (proc_pid_mountinfo(5): the fifth word, and the first after the
/// dash).
fn is_unified(mountinfo: &str, place: &str) -> bool {
    let mut there = mountinfo.lines().filter_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        (mount.split(' ').nth(4) == Some(place)).then(|| kind.starts_with("cgroup2 "))
    });
    there.next_back().unwrap_or(false)
}

/// PID 1 marks what it delegates, and stays away from what lies below.
fn is_delegated(path: &Path) -> bool {
    let mut value = [0_u8; 8];
    rustix::fs::getxattr(path, "trusted.delegate", &mut value).is_ok_and(|length| value.get(..length) == Some(b"1"))
}

fn file(what: &'static str) -> impl FnOnce(io::Error) -> CgroupError {
    move |error| CgroupError::File { what, error }
}

#[cfg(test)]
mod tests;
