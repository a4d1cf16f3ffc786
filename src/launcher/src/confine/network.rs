//! Step `network`: a network namespace of its own with nothing in it, where the profile says so.

use countersign_core::outcome::Layer;
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};

use super::error::StepError;

/// Leaves the machine's network.
pub(super) fn own() -> Result<Layer, StepError> {
    let before = which()?;
    unshare(CloneFlags::CLONE_NEWNET).map_err(StepError::Network)?;
    let own = which()?;
    if own == before {
        return Err(StepError::Network(Errno::ENOTSUP));
    }
    Ok(Layer { step: "network".to_owned(), gives: format!("own and empty, {own}") })
}

/// Stays in the machine's network; which sockets can be opened there is said by seccomp.
pub(super) fn host() -> Result<Layer, StepError> {
    Ok(Layer { step: "network".to_owned(), gives: format!("the machine's, {}", which()?) })
}

/// The namespace as the kernel names it (namespaces(7)).
fn which() -> Result<String, StepError> {
    let link = nix::fcntl::readlink("/proc/self/ns/net").map_err(StepError::Network)?;
    Ok(link.to_string_lossy().into_owned())
}
