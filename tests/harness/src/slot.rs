//! How many machines may be up at once on this host, over all test processes.
//!
//! What enters: nothing; what leaves: a locked file that is the permission. The guard keeps a copy of it until its
//! machine is gone. It must never hand out more than [`LIMIT`]. A test that boots two machines while others do the same
//! could wait for ever, so waiting ends at [`PATIENCE`].

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::deadline::Deadline;

/// Machines at once: two cores serve three boots about as fast as two, and more only slows each.
const LIMIT: u32 = 3;
/// The longest wait for a slot; a machine lives for seconds.
const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) fn take() -> Result<File> {
    let free = || (0..LIMIT).find_map(|number| try_take(number).transpose());
    Deadline::after(PATIENCE).poll(free).context("no machine slot came free")?
}

fn try_take(number: u32) -> Result<Option<File>> {
    let path = format!("/run/lock/countersign-machine.{number}");
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path).context(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => Err(error).context("lock a machine slot"),
    }
}
