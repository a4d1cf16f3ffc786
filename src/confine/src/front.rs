//! The front's own sandbox: the same steps as a job's, taken by the process on itself before it has a second thread. SEC-7.
//!
//! What is left: its state directory, reading the places it names, local sockets, threads. No program can be started,
//! no process made or signalled, no network socket opened, nothing mounted or traced.

use std::path::PathBuf;

use countersign_core::profile::{CallSet, Socket};

use crate::capabilities::{self, Keep};
use crate::credentials::{self, Credentials};
use crate::landlock::{self, Domain, Outside, Reach, Rule};
use crate::seccomp::{self, Refusals, Starts};
use crate::{ConfineError, Layer, no_new_privs};

/// The least version of Landlock's interface for the front: Linux 5.19.
const LEAST_ABI: u8 = 2;

/// Everything that no server of messages needs. Memory files are left: the journal takes long lines by them.
const REFUSED: &[CallSet] = &[
    CallSet::Modules,
    CallSet::Boot,
    CallSet::Kexec,
    CallSet::KernelPrograms,
    CallSet::PageFaults,
    CallSet::Processes,
    CallSet::Keys,
    CallSet::Handles,
    CallSet::IoUring,
    CallSet::Mounts,
    CallSet::Chroot,
    CallSet::Namespaces,
    CallSet::Swap,
    CallSet::Ports,
    CallSet::Accounting,
    CallSet::Personality,
    CallSet::Clock,
    CallSet::Terminals,
    CallSet::KernelLog,
    CallSet::Names,
    CallSet::Nodes,
    CallSet::Attributes,
    CallSet::Credentials,
];

/// What the front keeps. Every path must exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrontLimits {
    /// The user and group of the front.
    pub credentials: Credentials,
    /// Directories below which it reads, writes, makes and removes.
    pub write: Vec<PathBuf>,
    /// Places that it reads; local sockets below them may be connected to.
    pub read: Vec<PathBuf>,
    /// Places that it only reads.
    pub look: Vec<PathBuf>,
}

/// Where the front's log is.
pub const STATE: &str = "/var/lib/countersign";
/// What the front reads: facts about callers, the accounts, the policy, and the sockets of the bus, the journal and PID 1.
/// `/etc` as a whole, because accounts are changed by replacing a file, and a rule holds for the file that was there.
const READ: [&str; 6] = ["/proc", "/etc", "/usr/share/countersign", "/run/dbus", "/run/systemd", "/dev/urandom"];

impl FrontLimits {
    /// What the front keeps on an installed machine.
    #[must_use]
    pub fn of_the_machine(credentials: Credentials) -> Self {
        Self { credentials, write: vec![STATE.into()], read: READ.iter().map(Into::into).collect(), look: vec![] }
    }
}

/// What the front's filter refuses. Local sockets and threads are left.
pub(crate) const REFUSALS: Refusals<'static> =
    Refusals { sets: REFUSED, sockets: &[Socket::Unix], starts: Starts::Threads, guarded: &[] };

/// Confines the calling process for good. Must be called while it has one thread; later threads inherit it.
///
/// # Errors
/// The first step that failed; the process must then end.
pub fn confine_self(limits: &FrontLimits) -> Result<Vec<Layer>, ConfineError> {
    let filters = seccomp::compile(&REFUSALS)?;
    Ok(vec![
        credentials::take(limits.credentials)?,
        capabilities::limit(&Keep::nothing())?,
        no_new_privs::set()?,
        landlock::restrict(&domain(limits))?,
        seccomp::install(&filters)?,
    ])
}

fn domain(limits: &FrontLimits) -> Domain {
    let read = limits.read.iter().map(|path| Rule { path: path.clone(), reach: Reach::ReadAndConnect });
    let look = limits.look.iter().map(|path| Rule { path: path.clone(), reach: Reach::Read });
    let write = limits.write.iter().map(|path| Rule { path: path.clone(), reach: Reach::Change });
    // Signals and abstract sockets of others are no business of the front's either.
    Domain { least_abi: LEAST_ABI, rules: read.chain(look).chain(write).collect(), outside: Outside::Closed }
}
