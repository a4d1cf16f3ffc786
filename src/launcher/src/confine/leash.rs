//! Step `leash`: a job does not outlive the launcher. After the change of user, which would undo it.

use countersign_core::outcome::Layer;
use nix::errno::Errno;
use nix::sys::prctl::{get_pdeathsig, set_pdeathsig};
use nix::sys::signal::Signal;
use nix::unistd::getppid;

use super::error::StepError;

/// Has the kernel kill the job's first process when the launcher ends.
pub(super) fn fasten() -> Result<Layer, StepError> {
    set_pdeathsig(Signal::SIGKILL).map_err(StepError::Leash)?;
    if get_pdeathsig().map_err(StepError::Leash)? != Some(Signal::SIGKILL) {
        return Err(StepError::Leash(Errno::ENOTSUP));
    }
    // The launcher may have ended just before: then the parent is another one already.
    if getppid().as_raw() <= 1 {
        return Err(StepError::Leash(Errno::ESRCH));
    }
    Ok(Layer { step: "leash".to_owned(), gives: "killed when the launcher ends".to_owned() })
}
