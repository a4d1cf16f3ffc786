//! Step `stdio`: nothing or the approved content to read, two pipes to write.

use std::os::fd::BorrowedFd;

use countersign_core::outcome::Layer;
use rustix::fs::{FileType, fstat};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use super::error::StepError;
use crate::prepare::Stdio;

/// Puts the three in their places.
pub(super) fn attach(stdio: Stdio) -> Result<Layer, StepError> {
    let Stdio { stdin, stdout, stderr } = stdio;
    dup2_stdin(&stdin).map_err(StepError::Stdio)?;
    dup2_stdout(&stdout).map_err(StepError::Stdio)?;
    dup2_stderr(&stderr).map_err(StepError::Stdio)?;
    let [stdin, stdout, stderr] = [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()].map(kind);
    Ok(Layer { step: "stdio".to_owned(), gives: format!("stdin {}; stdout {}; stderr {}", stdin?, stdout?, stderr?) })
}

/// What a descriptor leads to, as the kernel shows it.
fn kind(fd: BorrowedFd<'_>) -> Result<&'static str, StepError> {
    let stat = fstat(fd).map_err(StepError::Stdio)?;
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::Fifo => "a pipe",
        FileType::CharacterDevice => "a device",
        FileType::RegularFile => "a file",
        FileType::Directory | FileType::Symlink | FileType::Socket | FileType::BlockDevice | FileType::Unknown => {
            return Err(StepError::Stdio(rustix::io::Errno::NOTSUP));
        }
    })
}
