//! The only place of the project where a process of somebody else's choice starts.
//!
//! Enters: a prepared job. Leaves: in the launcher a running child with its cgroup and its report; in the child nothing,
//! because it becomes the program or ends. The launcher has one thread, so the child is a whole copy.

use std::io;

use countersign_core::outcome::Layer;

use crate::cgroup::{CgroupError, JobGroup, Unit};
use crate::confine;
use crate::prepare::Job;
use crate::report::{self, Hearer};
use crate::sys::{self, Child, Side};

/// The status of a child that could not become the program. The report says why.
const NOT_EXECUTED: i32 = 127;

/// Why nothing was started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpawnError {
    /// No cgroup for the job.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    /// No pipe for the child's report.
    #[error("no pipe for a job's report")]
    Report(#[source] io::Error),
    /// The kernel starts no process.
    #[error("a process could not be started")]
    Start(#[source] io::Error),
}

/// A child that was started.
#[derive(Debug)]
pub(crate) struct Spawned {
    /// The process.
    pub(crate) child: Child,
    /// Its cgroup.
    pub(crate) group: JobGroup,
    /// What it says while it confines itself.
    pub(crate) hearer: Hearer,
    /// The layers that are in force from the outside.
    pub(crate) layers: Vec<Layer>,
}

/// Starts a job.
///
/// # Errors
/// [`SpawnError`]; nothing was started then and nothing is left.
pub(crate) fn spawn(unit: &Unit, id: &str, job: Job) -> Result<Spawned, SpawnError> {
    let (teller, hearer) = report::pair().map_err(SpawnError::Report)?;
    let (group, gives) = unit.open_job(id, job.limits)?;
    match sys::start_child(group.fd()) {
        Ok(Side::Child) => {
            confine::become_program(job, group.name(), teller);
            exit()
        }
        Ok(Side::Parent(child)) => {
            let layers = vec![Layer { step: "cgroup".to_owned(), gives }];
            Ok(Spawned { child, group, hearer, layers })
        }
        Err(error) => {
            // Empty as it is, it goes; if not, the next start of the launcher removes it.
            drop(group.remove());
            Err(SpawnError::Start(error))
        }
    }
}

/// Ends the child without running a destructor: what it owns is the launcher's, and was closed beneath it.
#[expect(clippy::exit, reason = "a child that is not the program must not return into the launcher's loop")]
fn exit() -> ! {
    std::process::exit(NOT_EXECUTED)
}
