//! The verifier: reads a log, or a copy of one, and says whether anything in it was changed. SEC-10.
//!
//! ```text
//!   files ─▶ sources (segments, an export) ─▶ batches ─▶ two threads: hash, form ─▶ walk: chain, pairs, tree, checkpoints
//! ```
//!
//! Offline, by anybody who may read the files, without a trace, and with a few megabytes however long the log is. Each
//! entry must be what its hash says, stand in its place, follow the one before it, and be a record in canonical form; an
//! intent has at most one result and a result one intent; the end must be where the store left it. The first entry that
//! breaks a rule is named. A tail that was cut, or a log that was written anew, is found by comparing with a checkpoint
//! that was signed before: [`Trust`].

mod cover;
mod lines;
mod pool;
mod report;
mod rows;
mod source;
mod trust;
mod walk;

use std::path::Path;

pub use lines::{ExportError, export};
pub use report::{Report, Rule};
pub use trust::{NotTrusted, Trust};

use crate::error::StoreError;
use report::tampered;
use source::Source;
use walk::{Halt, Walk};

/// How often a log that is being written is read anew.
const ATTEMPTS: usize = 8;

/// Verifies a log: a directory that holds one, a database, some closed segments of one, or an export. SQLite's `-wal` file
/// is part of a database.
///
/// # Errors
/// A file cannot be read, or is being written all the time; or the trusted checkpoint is older than what is there. A
/// damaged file is no error but a [`Report::Tampered`].
pub fn verify(paths: &[&Path], trust: &Trust) -> Result<Report, StoreError> {
    for _ in 0..ATTEMPTS {
        let mut sources = match source::open(paths) {
            Err(StoreError::Corrupt { what, .. }) => return Ok(tampered(1, Rule::Readable, "a sound database", what)),
            other => other?,
        };
        let report = examine(&mut sources, trust);
        if sources.iter().all(Source::held_still) {
            return report;
        }
    }
    Err(StoreError::Moving)
}

fn examine(sources: &mut [Source], trust: &Trust) -> Result<Report, StoreError> {
    let mut walk = Walk::new(trust);
    let several = sources.len() > 1;
    for source in sources {
        match pool::walk(source, &mut walk) {
            Ok(()) => {}
            Err(Halt::Found(report)) if several => return Ok(report.within(source.path())),
            Err(Halt::Found(report)) => return Ok(report),
            Err(Halt::Failed(error)) => return Err(error),
        }
    }
    walk.end()
}
