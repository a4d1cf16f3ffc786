//! Steps `files` and `execute`: what was pinned is opened inside the sandbox, compared, and executed by descriptor.
//!
//! The comparison covers the time of the last change, which nobody can set, so that a file which was written to or
//! exchanged after it was hashed is not the same. A script is handed to its interpreter as the descriptor that was
//! compared, which is the one descriptor that stays open.

use std::convert::Infallible;
use std::ffi::CString;
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::fcntl::AtFlags;
use nix::unistd::execveat;
use rustix::fs::{Mode, OFlags, fstat, openat};
use rustix::io::{FdFlags, fcntl_setfd};

use super::error::StepError;
use crate::pin::Identity;
use crate::prepare::{Exact, Program};
use crate::walk::{Trust, WalkError, walk};

/// What was pinned, open.
#[derive(Debug)]
pub(super) struct Files {
    executable: OwnedFd,
    script: Option<OwnedFd>,
}

/// Opens and compares.
pub(super) fn open(program: &Program) -> Result<Files, StepError> {
    let executable = exact(&program.executable, Use::Execute)?;
    let script = program.script.as_ref().map(|script| exact(script, Use::Read)).transpose()?;
    Ok(Files { executable, script })
}

/// Becomes the program.
pub(super) fn execute(program: &Program, files: &Files) -> Result<Infallible, StepError> {
    let script = files.script.as_ref().map(by_descriptor).transpose()?;
    let words: Vec<&CString> = program.head.iter().chain(&script).chain(&program.words).collect();
    let environment: Vec<&CString> = program.environment.iter().collect();
    execveat(&files.executable, c"", &words, &environment, AtFlags::AT_EMPTY_PATH).map_err(StepError::Execute)
}

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Execute,
    Read,
}

fn exact(file: &Exact, purpose: Use) -> Result<OwnedFd, StepError> {
    let path = || file.path.as_str().to_owned();
    let failed = |error| StepError::Open { path: path(), error };
    let found = walk(&file.path, Trust::RootOnly).map_err(failed)?;
    let opened = match (purpose, &found.directory) {
        (Use::Execute, _) | (Use::Read, None) => found.fd,
        (Use::Read, Some(directory)) => {
            let name = file.path.as_str().rsplit('/').next().unwrap_or_default();
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let opened = openat(directory, name, flags, Mode::empty());
            opened.map_err(|errno| failed(WalkError::Open { path: path(), errno }))?
        }
    };
    let stat = fstat(&opened).map_err(|errno| failed(WalkError::Open { path: path(), errno }))?;
    if Identity::of(&stat) == file.identity { Ok(opened) } else { Err(StepError::Changed { path: path() }) }
}

/// The path by which the interpreter opens the script that was compared.
fn by_descriptor(script: &OwnedFd) -> Result<CString, StepError> {
    fcntl_setfd(script, FdFlags::empty())
        .map_err(|errno| StepError::Execute(nix::errno::Errno::from_raw(errno.raw_os_error())))?;
    CString::new(format!("/proc/self/fd/{}", script.as_raw_fd()))
        .map_err(|_| StepError::Execute(nix::errno::Errno::EINVAL))
}
