//! Step `network`: a network namespace of its own with nothing in it, where the profile says so.

use countersign_core::outcome::Layer;
use nix::sched::{CloneFlags, unshare};

use super::error::StepError;

/// Leaves the machine's network.
pub(super) fn own() -> Result<Layer, StepError> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(StepError::Network)?;
    Ok(Layer { step: "network".to_owned(), gives: "own and empty".to_owned() })
}

/// Stays in the machine's network; which sockets can be opened there is said by seccomp.
pub(super) fn host() -> Layer {
    Layer { step: "network".to_owned(), gives: "the machine's".to_owned() }
}
