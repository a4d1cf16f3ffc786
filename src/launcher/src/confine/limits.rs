//! Step `limits`: umask, resource limits, and who is killed first when memory is short.

use std::io;

use countersign_core::outcome::Layer;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::{Mode, umask};

use super::error::StepError;
use crate::cgroup::{Controllers, Limits};

/// The mode bits that new files do not have.
const UMASK: Mode = Mode::from_bits_truncate(0o022);
/// Open files: what programs expect, and what they may raise it to unless the launcher's own limit is lower.
const FILES: (u64, u64) = (1_024, 65_536);
/// A job goes before any service does.
const OOM_SCORE: &str = "500";

/// Sets every limit. Where a controller enforces tasks or memory for the whole job, no limit per user or process
/// stands in for it.
pub(super) fn set(limits: Limits, controllers: Controllers) -> Result<Layer, StepError> {
    umask(UMASK);
    limit("core", Resource::RLIMIT_CORE, (0, 0))?;
    let (_, own) =
        getrlimit(Resource::RLIMIT_NOFILE).map_err(|errno| StepError::Limits { what: "files", error: errno.into() })?;
    let files = (FILES.0.min(own), FILES.1.min(own));
    limit("files", Resource::RLIMIT_NOFILE, files)?;
    let mut gives = format!("no core files, {} to {} open files, umask 022", files.0, files.1);
    if !controllers.pids {
        let tasks = u64::from(limits.tasks);
        limit("tasks", Resource::RLIMIT_NPROC, (tasks, tasks))?;
        gives.push_str(&format!(", {tasks} tasks per user unless root"));
    }
    if let Some(mib) = limits.memory_mib.filter(|_| !controllers.memory) {
        let bytes = u64::from(mib).saturating_mul(1_024 * 1_024);
        limit("memory", Resource::RLIMIT_DATA, (bytes, bytes))?;
        gives.push_str(&format!(", {mib} MiB of data per process"));
    }
    std::fs::write("/proc/self/oom_score_adj", OOM_SCORE).map_err(|error| StepError::Limits { what: "oom", error })?;
    Ok(Layer { step: "limits".to_owned(), gives })
}

fn limit(what: &'static str, resource: Resource, (soft, hard): (u64, u64)) -> Result<(), StepError> {
    setrlimit(resource, soft, hard).map_err(|errno| StepError::Limits { what, error: io::Error::from(errno) })
}
