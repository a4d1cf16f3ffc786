//! countersign-audit: where the log is kept and how it is checked. SEC-2, SEC-9, SEC-10.
//!
//! ```text
//!   front ── Draft ──▶ Writer (one thread, group commit) ──▶ Store ──▶ audit.db (SQLite, only ever longer)
//!   client ── a path ──▶ Log (list, show)   verify ──▶ Report: verified, torn, or tampered with and where
//! ```
//!
//! Enters: drafts of records, and log files. Leaves: entries that are on the disk, and reports. It decides nothing
//! about requests, and what it cannot write it reports; it never drops a record in silence.

#![forbid(unsafe_code)]

mod backup;
mod base;
mod error;
mod journal;
mod log;
mod pages;
mod place;
mod schema;
mod segment;
mod snapshot;
mod store;
mod stored;
mod verify;
mod writer;

#[cfg(test)]
mod tests;

pub use backup::{BackupError, Saved, backup};
pub use error::{Flaw, StoreError};
pub use log::{Direction, Log};
pub use pages::{Extent, Pages};
pub use place::DATABASE;
pub use store::{Head, Store};
pub use verify::{ExportError, NotTrusted, Report, Rule, Trust, export, verify};
pub use writer::{Reply, Visit, Writer};
