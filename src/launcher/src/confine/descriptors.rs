//! Step `descriptors`: everything that the launcher had open is closed, known of or not.

use std::fs::File;
use std::os::fd::AsRawFd as _;

use countersign_core::outcome::Layer;

use super::error::StepError;
use crate::sys;

/// The first descriptor after standard input, output and error.
const FIRST: u32 = 3;

/// Closes all but the three first ones and the report, which closes itself when the program begins.
pub(super) fn close(report: &File) -> Result<Layer, StepError> {
    let kept = report.as_raw_fd().unsigned_abs();
    sys::close_between(FIRST, kept.saturating_sub(1)).map_err(StepError::Descriptors)?;
    sys::close_between(kept.saturating_add(1), u32::MAX).map_err(StepError::Descriptors)?;
    Ok(Layer { step: "descriptors".to_owned(), gives: "all others closed".to_owned() })
}
