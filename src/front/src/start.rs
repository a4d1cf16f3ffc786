//! Start: the launcher first, then root given up for good, then threads and the bus.
//!
//! ```text
//!   socket pair ─▶ launcher (fd 3) ─▶ policy ─▶ confine ourselves ─▶ runtime ─▶ bus, log, launcher's Ready ─▶ serve
//! ```
//!
//! The order is the property: no thread exists before we are confined, so no thread keeps root, and nothing of a
//! caller is read before that either.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;

use countersign_config::Accounts;
use countersign_confine::ConfineError;
use countersign_confine::credentials::Credentials;
use countersign_confine::front::{FrontLimits, STATE, confine_self};
use countersign_core::message::StopNote;
use countersign_core::policy::{Names as _, Policy};
use countersign_core::record::{Act, Draft, Stamp};
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use tokio::sync::mpsc;

use crate::approve::Humans;
use crate::audit::Ledger;
use crate::audit::checkpoints::keep_up;
use crate::audit::owed::pay_up;
use crate::clock::Boot;
use crate::conditions::Conditions;
use crate::launch::Launcher;
use crate::launch::socket::{LaunchError, Socket};
use crate::lifecycle::{self, Signals};
use crate::lock::lock;
use crate::pipeline::Pipeline;
use crate::recall::Recalled;
use crate::standing::Standing;
use crate::{bus, config};

/// The launcher's program.
const LAUNCHER: &str = "/usr/libexec/countersign/countersign-launcher";
/// The launcher's end of the socket, in the launcher.
const LAUNCHER_FD: i32 = 3;
/// The user and the group that we become.
const ACCOUNT: &str = "_countersign";
/// How many threads look at processes and descriptors at once, at most.
const BLOCKING: usize = 32;
/// How many phase changes may wait to be told.
const NEWS: usize = 1_024;

/// Why the broker did not start. A variant is a step.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The launcher could not be started.
    #[error("the launcher could not be started")]
    Spawn(#[source] io::Error),
    /// The policy could not be read.
    #[error("the policy could not be read")]
    Policy(#[from] countersign_config::ConfigError),
    /// The boot id could not be read.
    #[error("the kernel's boot id could not be read")]
    Boot(#[source] io::Error),
    /// The accounts could not be read.
    #[error("the accounts of this machine could not be read")]
    Accounts(#[source] io::Error),
    /// There is no account for us.
    #[error("there is no user and group _countersign: run systemd-sysusers")]
    NoAccount,
    /// We could not give up root.
    #[error("the broker could not confine itself")]
    Confine(#[from] ConfineError),
    /// No runtime.
    #[error("the runtime could not be started")]
    Runtime(#[source] io::Error),
    /// The launcher did not get ready.
    #[error(transparent)]
    Launcher(#[from] LaunchError),
    /// It reads another policy than we do.
    #[error("the launcher read another policy: the files changed during the start")]
    Ruleset,
    /// The log cannot be written.
    #[error("the audit log cannot be opened")]
    Audit(#[from] countersign_audit::StoreError),
    /// The bus refused.
    #[error("the system bus cannot be used")]
    Bus(#[from] zbus::Error),
}

/// Starts the broker and lives its life.
///
/// # Errors
/// The first step that failed; nothing was served then.
pub(crate) fn run() -> Result<ExitCode, StartError> {
    let socket = start_launcher().map_err(StartError::Spawn)?;
    let (policy, files) = config::read()?;
    let boot = Boot::read().map_err(StartError::Boot)?;
    let conditions = Conditions::of_the_machine();
    confine(conditions.reads(&policy.rules().files_looked_at()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(BLOCKING)
        .thread_name("front")
        .enable_all()
        .build()
        .map_err(StartError::Runtime)?;
    let code = runtime.block_on(serve(socket, (policy, files), boot, conditions));
    // A thread that is stuck in a caller's descriptor is not waited for.
    runtime.shutdown_background();
    code
}

/// Starts the launcher with its end of a socket pair as descriptor 3.
#[expect(
    clippy::disallowed_methods,
    reason = "the launcher is the one process that the front starts, before it is confined"
)]
fn start_launcher() -> io::Result<OwnedFd> {
    let (first, second) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    let (theirs, ours) = if first.as_raw_fd() == LAUNCHER_FD {
        (first, second)
    } else {
        (fcntl_dupfd_cloexec(first, LAUNCHER_FD)?, second)
    };
    if theirs.as_raw_fd() != LAUNCHER_FD {
        return Err(io::Error::other("descriptor 3 was passed to us and is not free"));
    }
    fcntl_setfd(&theirs, FdFlags::empty())?;
    // Nobody waits for it: that it ended is read from the socket, and PID 1 collects it after us.
    drop(Command::new(LAUNCHER).env_clear().spawn()?);
    Ok(ours)
}

/// Gives up root, for good.
fn confine(reads: Vec<PathBuf>) -> Result<(), StartError> {
    let read = |path| fs::read_to_string(path).map_err(StartError::Accounts);
    let accounts = Accounts::parse(&read("/etc/passwd")?, &read("/etc/group")?);
    let (uid, gid) = accounts.uid(ACCOUNT).zip(accounts.gid(ACCOUNT)).ok_or(StartError::NoAccount)?;
    let credentials = Credentials { uid: uid.get(), gid: gid.get() };
    confine_self(&FrontLimits { look: reads, ..FrontLimits::of_the_machine(credentials) })?;
    Ok(())
}

async fn serve(
    socket: OwnedFd,
    (policy, files): (Policy, config::Files),
    boot: Boot,
    conditions: Conditions,
) -> Result<ExitCode, StartError> {
    let signals = Signals::catch().map_err(StartError::Runtime)?;
    let policy = Arc::new(policy);
    let (launcher, ready) = Socket::open(socket).await?;
    if ready.ruleset != policy.ruleset() {
        return Err(StartError::Ruleset);
    }
    let standing = Arc::new(Standing::new());
    let (ledger, recalled) =
        Ledger::open(Path::new(STATE), boot, Arc::clone(&standing), &policy, &ready.handovers, |stamp, recalled| {
            first_records(stamp, ready.cleared, recalled)
        })?;
    let connection = bus::connect().await?;
    let humans: Arc<dyn Humans> = Arc::new(bus::polkit(&connection).await?);
    let conditions = conditions.asking(Arc::new(bus::units(&connection)));
    let launcher: Arc<dyn Launcher> = Arc::new(launcher);
    let (tell, news) = mpsc::channel(NEWS);
    let (stop, stops) = mpsc::channel(1);
    let pipeline = Pipeline::new(policy, launcher, humans, ledger, standing, recalled, tell).on(conditions);
    let pipeline = Arc::new(pipeline);
    let signing = Arc::clone(&pipeline);
    tokio::spawn(async move { keep_up(&signing.ledger, &*signing.launcher).await });
    let paying = Arc::clone(&pipeline);
    tokio::spawn(async move { pay_up(&paying.ledger).await });
    *lock(&pipeline.files) = files;
    bus::serve(&connection, Arc::clone(&pipeline), news, stop).await?;
    tokio::spawn(crate::taint::watch(Arc::clone(&pipeline)));
    Ok(lifecycle::live(pipeline, connection, signals, stops).await)
}

/// The first records of a run: that the stop latch was cleared, if it was, that we begin and who is tainted still, and
/// under which policy.
fn first_records(stamp: &Stamp, cleared: Option<StopNote>, recalled: &Recalled) -> Vec<Draft> {
    let cleared = cleared.map(|note| Draft::control(stamp, Act::Clear, &note.who, &note.why));
    let start = Draft::start(stamp, env!("CARGO_PKG_VERSION")).with_tainted(recalled.tainted.iter().copied().collect());
    cleared.into_iter().chain([start, Draft::load(stamp)]).collect()
}
