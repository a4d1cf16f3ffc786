//! Step `no-new-privs`: from here on no `execve` gives anything back; read back.

use nix::errno::Errno;
use nix::sys::prctl;

use crate::{ConfineError, Layer, layer};

/// Gives up for good what set-id bits and file capabilities would give.
///
/// # Errors
/// The kernel refused, or shows that it did not.
pub fn set() -> Result<Layer, ConfineError> {
    prctl::set_no_new_privs().map_err(ConfineError::NoNewPrivs)?;
    if prctl::get_no_new_privs().map_err(ConfineError::NoNewPrivs)? {
        Ok(layer("no-new-privs", "set"))
    } else {
        Err(ConfineError::NoNewPrivs(Errno::ENOTSUP))
    }
}
