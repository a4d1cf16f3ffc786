//! The control groups of a machine, in every hierarchy that systemd manages.
//!
//! What enters: the groups this process is in; what leaves: a group of the machine's own below each of them, and the
//! processes in it. It must never touch a group that is not the machine's. Both the unified and the hybrid layout are
//! understood; only the unified tree can end a group at once.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::deadline::Deadline;

/// One mounted hierarchy: where it is, and which line of `/proc/PID/cgroup` speaks of it.
#[derive(Clone)]
pub(crate) struct Hierarchy {
    mount: PathBuf,
    /// The controllers as that line names them; empty for the unified tree.
    controllers: String,
}

impl Hierarchy {
    pub(crate) fn is_unified(&self) -> bool {
        self.controllers.is_empty()
    }

    /// The group of a process in this hierarchy, as a directory.
    pub(crate) fn group_of(&self, pid: &str) -> Result<PathBuf> {
        let text =
            fs::read_to_string(format!("/proc/{pid}/cgroup")).with_context(|| format!("groups of process {pid}"))?;
        let found = lines_of(&text).find(|(controllers, _)| *controllers == self.controllers);
        let (_, path) = found.with_context(|| format!("process {pid} has no group in {}", self.mount.display()))?;
        Ok(self.mount.join(path.trim_start_matches('/')))
    }
}

/// The hierarchies that systemd manages. It leaves a v1 cpuset alone, and that one takes no process before it is set up.
pub(crate) fn hierarchies() -> Result<Vec<Hierarchy>> {
    let groups = fs::read_to_string("/proc/self/cgroup").context("/proc/self/cgroup")?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").context("/proc/self/mountinfo")?;
    let managed = lines_of(&groups).map(|(controllers, _)| controllers).filter(|name| !name.contains("cpuset"));
    Ok(managed
        .filter_map(|name| Some(Hierarchy { mount: mount_of(&mounts, name)?, controllers: name.to_owned() }))
        .collect())
}

/// `ID:CONTROLLERS:PATH` lines as (controllers, path).
fn lines_of(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'))
}

fn mount_of(mountinfo: &str, controllers: &str) -> Option<PathBuf> {
    mountinfo.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let target = place.split(' ').nth(4)?;
        let mut kind = kind.split(' ');
        let matches = match kind.next()? {
            "cgroup2" => controllers.is_empty(),
            "cgroup" => kind.nth(1)?.ends_with(&format!(",{controllers}")),
            _ => false,
        };
        matches.then(|| PathBuf::from(target))
    })
}

/// Everything running in a group or below it, as pids seen from the host.
pub(crate) fn processes(group: &Path) -> Vec<i32> {
    let own = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    let mut pids: Vec<i32> = own.lines().filter_map(|line| line.parse().ok()).collect();
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            pids.extend(processes(&entry.path()));
        }
    }
    pids
}

/// Ends every process of a group and below at once, and waits until none is left.
pub(crate) fn kill(group: &Path) -> Result<()> {
    fs::write(group.join("cgroup.kill"), "1").with_context(|| format!("cgroup.kill in {}", group.display()))?;
    let empty = || processes(group).is_empty().then_some(());
    Deadline::after(Duration::from_secs(5)).poll(empty).with_context(|| format!("{} outlives a kill", group.display()))
}
