//! Step `limits`: umask, resource limits, and who is killed first when memory is short.

use std::io;

use countersign_core::outcome::Layer;
use nix::errno::Errno;
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
const OOM: &str = "/proc/self/oom_score_adj";

/// Sets every limit. Where a controller enforces tasks or memory for the whole job, no limit per user or process
/// stands in for it.
pub(super) fn set(limits: Limits, controllers: Controllers) -> Result<Layer, StepError> {
    umask(UMASK);
    // The kernel tells a mask only to who sets one.
    let mask = umask(UMASK);
    limit("core", Resource::RLIMIT_CORE, (0, 0))?;
    let (_, own) =
        getrlimit(Resource::RLIMIT_NOFILE).map_err(|errno| StepError::Limits { what: "files", error: errno.into() })?;
    let files = (FILES.0.min(own), FILES.1.min(own));
    limit("files", Resource::RLIMIT_NOFILE, files)?;
    let mut gives = format!("no core files, {} to {} open files, umask {:03o}", files.0, files.1, mask.bits());
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
    std::fs::write(OOM, OOM_SCORE).map_err(|error| StepError::Limits { what: "oom", error })?;
    let oom = std::fs::read_to_string(OOM).map_err(|error| StepError::Limits { what: "oom", error })?;
    gives.push_str(&format!(", out of memory score {}", oom.trim()));
    Ok(Layer { step: "limits".to_owned(), gives })
}

/// Sets a limit and reads it back.
fn limit(what: &'static str, resource: Resource, (soft, hard): (u64, u64)) -> Result<(), StepError> {
    let failed = |errno| StepError::Limits { what, error: io::Error::from(errno) };
    setrlimit(resource, soft, hard).map_err(failed)?;
    if getrlimit(resource).map_err(failed)? == (soft, hard) { Ok(()) } else { Err(failed(Errno::ENOTSUP)) }
}
