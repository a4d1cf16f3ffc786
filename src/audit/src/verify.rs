//! The verifier: reads a log, or a copy of one, and says whether anything in it was changed. SEC-10.
//!
//! Offline, by anybody who may read the file, without a trace. Entries are streamed; each must be what its hash says,
//! stand in its place, follow the one before it, and be a record in canonical form; an intent has at most one result
//! and a result one intent; the end must be where the store left it. The first entry that breaks a rule is named. A tail
//! that was cut together with the stored end is only found by comparing with an earlier head.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;

use countersign_core::digest::Digest;
use countersign_core::record::{Phase, Record};
use countersign_core::request::RequestId;
use countersign_core::tree;
use rusqlite::{Connection, ErrorCode, Row};
use serde::Serialize;

use crate::error::StoreError;
use crate::journal::Journal;
use crate::log::{self, blob_of, digest_of, number_of};
use crate::schema;
use crate::snapshot::Snapshot;
use crate::store::Head;

/// What every entry, and the log as a whole, must satisfy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The file is a database whose pages can be read.
    Readable,
    /// The tables are those of this version of the log.
    Schema,
    /// Number, hash and body have the right types.
    Type,
    /// Entries are numbered from 1 without gaps, outside and inside the body.
    Sequence,
    /// The hash is SHA-256 over the body.
    Hash,
    /// The body is a record in canonical form.
    Form,
    /// The record names the hash of the entry before it.
    Chain,
    /// A result closes an open intent, and an intent is not opened twice.
    Pair,
    /// The last entry is the one that the store wrote last.
    Head,
    /// SQLite's journal beside the database is whole.
    Journal,
}

impl Rule {
    /// The rule's name, as in `--json`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Readable => "readable",
            Self::Schema => "schema",
            Self::Type => "type",
            Self::Sequence => "sequence",
            Self::Hash => "hash",
            Self::Form => "form",
            Self::Chain => "chain",
            Self::Pair => "pair",
            Self::Head => "head",
            Self::Journal => "journal",
        }
    }
}

/// What the verifier found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Report {
    /// Nothing was changed.
    Verified {
        /// How many entries there are.
        entries: u64,
        /// The last one's hash; zeros for an empty log.
        head: Digest,
        /// How many intents have no result yet: jobs that run, or that ran when the broker died.
        open: usize,
    },
    /// Everything that is there is sound, but a last write was not completed: a crash, or a copy of a moving log.
    Torn {
        /// How many entries there are before it.
        entries: u64,
        /// The last one's hash.
        head: Digest,
    },
    /// Something was changed.
    Tampered {
        /// The first entry that breaks a rule.
        seq: u64,
        /// The rule.
        rule: Rule,
        /// What the rule asks for.
        expected: String,
        /// What is there.
        found: String,
    },
}

impl Report {
    /// Whether nothing was changed and nothing is missing at the end.
    #[must_use]
    pub const fn is_verified(&self) -> bool {
        match self {
            Self::Verified { .. } => true,
            Self::Torn { .. } | Self::Tampered { .. } => false,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verified { entries, head, .. } => write!(f, "ok ({entries} entries, head {head})"),
            Self::Torn { entries, head } => {
                let next = entries.saturating_add(1);
                write!(
                    f,
                    "torn: entry {next} was not written to its end; sound before it ({entries} entries, head {head})"
                )
            }
            Self::Tampered { seq, rule, expected, found } => {
                write!(f, "entry {seq} breaks the rule {}: expected {expected}, found {found}", rule.name())
            }
        }
    }
}

/// How often a log that is being written is read anew.
const ATTEMPTS: usize = 8;

/// Verifies the log at this path: the database, or the directory that holds it. SQLite's `-wal` file is part of it.
///
/// # Errors
/// The file cannot be read, or is being written all the time. A damaged file is no error but a [`Report::Tampered`].
pub fn verify(path: &Path) -> Result<Report, StoreError> {
    for _ in 0..ATTEMPTS {
        let snapshot = match Snapshot::take(path) {
            Err(StoreError::Corrupt { what, .. }) => return Ok(tampered(1, Rule::Readable, "a sound database", what)),
            other => other?,
        };
        let report = examine(snapshot.connection(), snapshot.journal());
        if snapshot.held_still() {
            return report;
        }
    }
    Err(StoreError::Moving)
}

/// Why the walk ended early.
enum Halt {
    /// A rule is broken.
    Broken(Report),
    /// SQLite gave up.
    Failed(rusqlite::Error),
}

impl From<rusqlite::Error> for Halt {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error)
    }
}

fn examine(connection: &Connection, journal: Journal) -> Result<Report, StoreError> {
    let mut walk = Walk { at: Head { seq: 0, hash: Digest::ZERO }, open: HashSet::new() };
    match walk.all(connection) {
        Ok(()) => Ok(walk.report(journal)),
        Err(Halt::Broken(report)) => Ok(report),
        Err(Halt::Failed(error)) => damage(error, walk.next()),
    }
}

/// A database that SQLite cannot read is a finding, a disk that cannot be read is an error.
fn damage(error: rusqlite::Error, seq: u64) -> Result<Report, StoreError> {
    let code = error.sqlite_error_code();
    let short = error.sqlite_extended_error_code() == Some(rusqlite::ffi::SQLITE_IOERR_SHORT_READ);
    match code {
        Some(
            ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::PermissionDenied
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::OutOfMemory,
        ) if !short => Err(StoreError::from(error)),
        Some(code) => Ok(tampered(seq, Rule::Readable, "an entry or the end of the log", format!("{code:?}"))),
        None => Ok(tampered(seq, Rule::Readable, "an entry or the end of the log", "values of the wrong type")),
    }
}

fn tampered(seq: u64, rule: Rule, expected: impl fmt::Display, found: impl fmt::Display) -> Report {
    Report::Tampered { seq, rule, expected: expected.to_string(), found: found.to_string() }
}

/// How far the log is proved.
struct Walk {
    at: Head,
    open: HashSet<RequestId>,
}

impl Walk {
    const fn next(&self) -> u64 {
        self.at.seq.saturating_add(1)
    }

    fn all(&mut self, connection: &Connection) -> Result<(), Halt> {
        let mut statement = connection.prepare("SELECT seq, hash, body FROM entries ORDER BY seq")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            self.step(row).map_err(Halt::Broken)?;
        }
        let stored = log::head(connection).map_err(|_| self.broken(Rule::Head, "the stored head", "none"))?;
        self.end(stored)?;
        // Last, so that whoever took the triggers away to change an entry is still told which.
        if schema::is_ours(connection)? {
            Ok(())
        } else {
            Err(self.broken(Rule::Schema, "the tables of a log", "others"))
        }
    }

    fn broken(&self, rule: Rule, expected: impl fmt::Display, found: impl fmt::Display) -> Halt {
        Halt::Broken(tampered(self.next(), rule, expected, found))
    }

    /// Proves the next entry, or says which rule it breaks.
    fn step(&mut self, row: &Row<'_>) -> Result<(), Report> {
        let seq = self.next();
        let broken = |rule, expected: &dyn fmt::Display, found: &dyn fmt::Display| tampered(seq, rule, expected, found);
        let Some(((number, hash), body)) = number_of(row, 0).zip(digest_of(row, 1)).zip(blob_of(row, 2)) else {
            return Err(broken(Rule::Type, &"a number, 32 bytes and a body", &"something else"));
        };
        if number != seq {
            return Err(broken(Rule::Sequence, &seq, &number));
        }
        let computed = tree::leaf(body);
        if computed != hash {
            return Err(broken(Rule::Hash, &computed, &hash));
        }
        let record = Record::parse(body).map_err(|error| broken(Rule::Form, &"a record in canonical form", &error))?;
        if record.seq != seq {
            return Err(broken(Rule::Sequence, &seq, &record.seq));
        }
        if record.prev != self.at.hash {
            return Err(broken(Rule::Chain, &self.at.hash, &record.prev));
        }
        self.pair(&record)?;
        self.at = Head { seq, hash };
        Ok(())
    }

    fn pair(&mut self, record: &Record) -> Result<(), Report> {
        let (fits, expected, found) = match (record.phase, record.id) {
            (Phase::Intent, Some(id)) => (self.open.insert(id), "an intent not yet open", "one that is open already"),
            (Phase::Result, Some(id)) => (self.open.remove(&id), "an open intent before it", "none"),
            (Phase::Intent | Phase::Result, None) => (false, "the id of a request", "none"),
            (
                Phase::Start
                | Phase::End
                | Phase::Load
                | Phase::Plan
                | Phase::Final
                | Phase::Stop
                | Phase::Clear
                | Phase::Hold
                | Phase::Resume
                | Phase::MarkTainted
                | Phase::ClearTaint
                | Phase::Rotate,
                _,
            ) => return Ok(()),
        };
        if fits { Ok(()) } else { Err(tampered(self.next(), Rule::Pair, expected, found)) }
    }

    /// The last entry must be the one that the store wrote last.
    fn end(&self, stored: Head) -> Result<(), Halt> {
        let describe = |head: Head| format!("entry {} with hash {} as the last", head.seq, head.hash);
        if stored == self.at {
            return Ok(());
        }
        let first =
            if stored.seq == self.at.seq { stored.seq.max(1) } else { stored.seq.min(self.at.seq).saturating_add(1) };
        Err(Halt::Broken(tampered(first, Rule::Head, describe(stored), describe(self.at))))
    }

    fn report(&self, journal: Journal) -> Report {
        let Head { seq: entries, hash: head } = self.at;
        match journal {
            Journal::Empty | Journal::Whole => Report::Verified { entries, head, open: self.open.len() },
            Journal::Torn => Report::Torn { entries, head },
            Journal::Damaged => tampered(self.next(), Rule::Journal, "a whole journal", "a frame that was changed"),
        }
    }
}
