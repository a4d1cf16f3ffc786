//! The start: socket, signals, latch, policy, cgroup; then serve. Whatever is not right ends it here.

use std::io;
use std::path::Path;

use countersign_config::ConfigError;
use countersign_core::policy::Policy;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use rustix::net::{SocketType, sockopt};

use crate::cgroup::{CgroupError, Unit};
use crate::channel::Channel;
use crate::latch::Latch;
use crate::probe::Kernel;
use crate::sandbox::{SandboxError, Sandboxes};
use crate::serve::{Serve, ServeError};
use crate::sys;
use crate::witness::Witness;

/// Where the front leaves the socket.
const SOCKET: i32 = 3;
/// The signals by which a service manager tells every process of a unit to end. The front decides, and says so.
const LEFT_TO_THE_FRONT: [Signal; 4] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT];

/// Why the launcher did not start, or why it ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// There is no socket.
    #[error("there is no socket at descriptor 3: countersignd starts this program, nobody else does")]
    Socket(#[source] io::Error),
    /// The signals could not be set.
    #[error("signals")]
    Signals(#[source] nix::errno::Errno),
    /// The stop latch is engaged.
    #[error("the broker is stopped: an operator clears it with `countersign clear`")]
    Stopped,
    /// Another thread exists.
    #[error("the launcher has more than one thread")]
    Threads,
    /// No policy.
    #[error("there is no policy")]
    Config(#[from] ConfigError),
    /// The accounts cannot be read.
    #[error("/etc/passwd cannot be read")]
    Accounts(#[source] io::Error),
    /// A profile cannot be made ready.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// No cgroup.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    /// The loop ended.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// Starts and serves until the front is gone.
///
/// # Errors
/// [`StartError`].
pub(crate) fn run() -> Result<(), StartError> {
    let socket = sys::inherited(SOCKET).map_err(StartError::Socket)?;
    let kind = sockopt::socket_type(&socket).map_err(|errno| StartError::Socket(errno.into()))?;
    if kind != SocketType::SEQPACKET {
        return Err(StartError::Socket(io::ErrorKind::InvalidInput.into()));
    }
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC).map_err(|errno| StartError::Socket(errno.into()))?;
    leave_signals_to_the_front()?;
    let latch = Latch::of_the_machine();
    if latch.is_engaged() {
        return Err(StartError::Stopped);
    }
    let unit = Unit::of_this_process()?;
    let (policy, sandboxes) = load(Path::new("/"), &unit)?;
    single_threaded()?;
    let mut witness = Witness::of_the_machine();
    // Without a key there are no checkpoints, and requests are served all the same; every checkpoint tries again.
    if let Err(error) = witness.prepare(policy.settings()) {
        crate::complain(&error);
    }
    Ok(Serve::new(Channel::new(socket), policy, sandboxes, unit, latch, witness).run()?)
}

/// Loads the policy and makes its profiles ready, as far as this machine offers what they require.
///
/// # Errors
/// The first file or profile that is not right.
pub(crate) fn load(root: &Path, unit: &Unit) -> Result<(Policy, Sandboxes), StartError> {
    let policy = countersign_config::load(root)?;
    let passwd = std::fs::read_to_string(root.join("etc/passwd")).map_err(StartError::Accounts)?;
    let sandboxes = Sandboxes::ready(policy.profiles(), &passwd, &Kernel::probe(unit))?;
    // What reading and parsing needed is free now.
    sys::give_memory_back();
    Ok((policy, sandboxes))
}

fn leave_signals_to_the_front() -> Result<(), StartError> {
    let left: SigSet = LEFT_TO_THE_FRONT.into_iter().collect();
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&left), None).map_err(StartError::Signals)
}

/// A child is a copy of one thread: with a second one it could wait for ever for a lock that nobody holds.
fn single_threaded() -> Result<(), StartError> {
    let threads = std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    if threads == 1 { Ok(()) } else { Err(StartError::Threads) }
}
