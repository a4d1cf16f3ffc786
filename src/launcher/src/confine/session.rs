//! Step `session`: a session and process group of its own, no terminal, every signal at its default.

use std::io;

use countersign_core::outcome::Layer;
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::unistd::{getpgrp, getsid, setsid};

use super::error::StepError;
use crate::cgroup::place;
use crate::sys;

/// Leaves the launcher's session, and makes sure that the child was born in its cgroup.
pub(super) fn begin(cgroup: &str) -> Result<Layer, StepError> {
    let failed = |what| move |error: io::Error| StepError::Session { what, error };
    let own = std::fs::read_to_string("/proc/self/cgroup").map_err(failed("reading the own cgroup"))?;
    if place(&own).and_then(|path| path.rsplit('/').next()) != Some(cgroup) {
        return Err(failed("the child is not in its cgroup")(io::ErrorKind::NotFound.into()));
    }
    let session = setsid().map_err(|errno| failed("setsid")(errno.into()))?;
    sys::default_signals();
    let none = SigSet::empty();
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&none), None).map_err(|errno| failed("sigprocmask")(errno.into()))?;
    let shown = getsid(None).map_err(|errno| failed("getsid")(errno.into()))?;
    if shown != session || getpgrp() != session {
        return Err(failed("the session is not its own")(io::Error::from_raw_os_error(libc::ENOTSUP)));
    }
    Ok(Layer { step: "session".to_owned(), gives: format!("own session and process group {session}, no terminal") })
}
