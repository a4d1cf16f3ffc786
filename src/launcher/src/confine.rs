//! The order of the steps by which a child becomes the program. The order is the property. SEC-13.
//!
//! ```text
//!   session ─ stdio ─ descriptors ─ limits ─ mounts ─ network ─ files ─ directory
//!     ─ credentials ─ capabilities ─ no-new-privs ─ leash ─ landlock ─ seccomp ─ execute
//! ```
//!
//! The cgroup comes first of all: a child is born in it. Steps know nothing of each other. Any failing step ends the
//! child and is reported by name; none is best effort (SEC-14). Whatever a step gave is read back where the kernel lets
//! us, and told.

mod descriptors;
mod directory;
mod error;
mod execute;
mod landlock;
mod leash;
mod limits;
mod mounts;
mod network;
mod session;
mod stdio;

use countersign_confine::credentials::Credentials;
use countersign_confine::{Layer, capabilities, credentials, no_new_privs, seccomp};
use countersign_core::profile::Network;
use error::StepError;

pub(crate) use mounts::can_mount;

use crate::prepare::Job;
use crate::report::{Failed, Line, Teller};

/// Becomes the program, or reports the step that failed. Returns only in the latter case.
pub(crate) fn become_program(job: Job, cgroup: &str, mut teller: Teller) {
    let Err(error) = steps(job, cgroup, &mut teller);
    let failed = Failed { step: error.step().to_owned(), errno: error.errno(), says: error.says() };
    // The launcher hears it, or is gone and the job with it.
    drop(teller.say(&Line::Failed(failed)).and_then(|()| teller.tell()));
}

fn steps(job: Job, cgroup: &str, teller: &mut Teller) -> Result<std::convert::Infallible, StepError> {
    let Job { sandbox, program, cwd, written, read, stdio, limits, controllers, .. } = job;
    let profile = &sandbox.profile;
    let account = &sandbox.account;
    tell(teller, session::begin(cgroup)?)?;
    tell(teller, stdio::attach(stdio)?)?;
    let closed = descriptors::close(teller.fd())?;
    tell(teller, closed)?;
    tell(teller, limits::set(limits, controllers)?)?;
    let view = mounts::build(profile, &mounts::Wanted { written: &written, read: &read, cwd: &cwd.path })?;
    tell(teller, view.layer)?;
    tell(
        teller,
        match profile.network {
            Network::Own => network::own()?,
            Network::Host => network::host()?,
        },
    )?;
    let files = execute::open(&program)?;
    directory::enter(&cwd, &profile.files.private)?;
    let who = Credentials { uid: account.uid.get(), gid: account.gid.get() };
    tell(teller, credentials::take(who)?)?;
    tell(teller, capabilities::limit(&sandbox.keep)?)?;
    tell(teller, no_new_privs::set()?)?;
    tell(teller, leash::fasten()?)?;
    tell(teller, landlock::restrict(profile, &view.opened)?)?;
    tell(teller, seccomp::install(&sandbox.filters)?)?;
    teller.tell().map_err(StepError::Report)?;
    execute::execute(&program, &files)
}

fn tell(teller: &mut Teller, layer: Layer) -> Result<(), StepError> {
    teller.say(&Line::Layer(layer)).map_err(StepError::Report)
}
