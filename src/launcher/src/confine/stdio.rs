//! Step `stdio`: nothing or the approved content to read, two pipes to write.

use countersign_core::outcome::Layer;
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use super::error::StepError;
use crate::prepare::Stdio;

/// Puts the three in their places.
pub(super) fn attach(stdio: Stdio) -> Result<Layer, StepError> {
    let Stdio { stdin, stdout, stderr } = stdio;
    dup2_stdin(&stdin).map_err(StepError::Stdio)?;
    dup2_stdout(&stdout).map_err(StepError::Stdio)?;
    dup2_stderr(&stderr).map_err(StepError::Stdio)?;
    Ok(Layer { step: "stdio".to_owned(), gives: "stdin detached or sealed; stdout and stderr are pipes".to_owned() })
}
