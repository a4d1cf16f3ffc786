//! Step `descriptors`: everything that the launcher had open is closed, known of or not; read back.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;

use countersign_core::outcome::Layer;
use rustix::fs::{Dir, Mode, OFlags};

use super::error::StepError;
use crate::sys;

/// The first descriptor after standard input, output and error.
const FIRST: u32 = 3;
/// Where the kernel shows what is open.
const OPEN: &str = "/proc/self/fd";

/// Closes all but the three first ones and the report, which closes itself when the program begins.
pub(super) fn close(report: &File) -> Result<Layer, StepError> {
    let kept = report.as_raw_fd().unsigned_abs();
    sys::close_between(FIRST, kept.saturating_sub(1)).map_err(StepError::Descriptors)?;
    sys::close_between(kept.saturating_add(1), u32::MAX).map_err(StepError::Descriptors)?;
    let open = open().map_err(StepError::Descriptors)?;
    if open.iter().any(|number| *number >= FIRST && *number != kept) {
        return Err(StepError::Descriptors(io::Error::from_raw_os_error(libc::ENOTSUP)));
    }
    let numbers: Vec<String> = open.iter().filter(|number| **number != kept).map(u32::to_string).collect();
    Ok(Layer { step: "descriptors".to_owned(), gives: format!("open are {} and no other", numbers.join(" ")) })
}

/// What is open, without the directory by which that is found out.
fn open() -> io::Result<Vec<u32>> {
    let listed = Dir::read_from(rustix::fs::open(OPEN, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)?;
    let own = listed.fd()?.as_raw_fd().unsigned_abs();
    let mut found = Vec::new();
    for entry in listed {
        let number: Option<u32> = entry?.file_name().to_str().ok().and_then(|name| name.parse().ok());
        found.extend(number.filter(|number| *number != own));
    }
    found.sort_unstable();
    Ok(found)
}
