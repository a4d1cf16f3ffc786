//! Why the log could not be opened, read or written, in the terms by which the broker reacts.

use std::sync::Arc;

use countersign_core::digest::NotCanonical;
use rusqlite::ErrorCode;
use rustix::io::Errno;

/// What is wrong with a file or directory of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// It belongs to somebody else.
    Owner,
    /// Others may reach it.
    Mode,
    /// It is a link, or not of the sort that it should be.
    Kind,
    /// It has a second name elsewhere.
    Links,
}

impl Flaw {
    const fn says(self) -> &'static str {
        match self {
            Self::Owner => "belongs to somebody else",
            Self::Mode => "may be reached by others",
            Self::Kind => "is a link or not of the right sort",
            Self::Links => "has a second name",
        }
    }
}

/// Why the log could not be opened, read or written. Nothing was half written in any case.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The disk, or the account's share of it, is full.
    #[error("the disk is full, so the log cannot be written")]
    Full(#[source] Arc<rusqlite::Error>),
    /// The file system or the file may not be written.
    #[error("the log may not be written")]
    ReadOnly(#[source] Arc<rusqlite::Error>),
    /// The disk failed, or a file limit was reached.
    #[error("the log could not be read or written")]
    Io(#[source] Arc<rusqlite::Error>),
    /// Another process holds the log.
    #[error("another process holds the log")]
    Busy(#[source] Arc<rusqlite::Error>),
    /// The database is damaged, or is none.
    #[error("the log is damaged: {what}")]
    Corrupt {
        /// Which part of it.
        what: &'static str,
        /// The entry at or after which the damage was met, if that is known.
        seq: Option<u64>,
    },
    /// The tables are not those of this version of the log.
    #[error("the log's tables are not those of this version")]
    Schema,
    /// What is asked for is in an earlier segment of the log.
    #[error("that is in an earlier segment of the log")]
    Earlier,
    /// An entry is in a segment that was moved away.
    #[error("entry {seq} is in a segment that is not here")]
    Missing {
        /// The entry.
        seq: u64,
    },
    /// A checkpoint was handed over that is not one of this log's tree.
    #[error("the checkpoint is not one of this log")]
    OtherTree,
    /// A file or directory is not the log's own.
    #[error("{name} {}", flaw.says())]
    NotOurs {
        /// The file's name, or `.` for the directory.
        name: &'static str,
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// A file or directory could not be opened.
    #[error("{name} could not be opened")]
    File {
        /// The file's name, or `.` for the directory.
        name: &'static str,
        /// The kernel's answer.
        #[source]
        errno: Errno,
    },
    /// No private copy could be made for reading.
    #[error("the log could not be copied for reading")]
    Copy(#[source] Arc<std::io::Error>),
    /// The log grew during every attempt to read it as one piece.
    #[error("the log is being written: read a copy, or try again")]
    Moving,
    /// A record has no canonical form.
    #[error(transparent)]
    NotCanonical(#[from] Arc<NotCanonical>),
    /// The writer's queue is full.
    #[error("too many records wait to be written")]
    Overloaded,
    /// The writer has ended.
    #[error("the log's writer has ended")]
    Gone,
    /// The writer's thread could not be started.
    #[error("the log's writer could not be started")]
    Thread(#[source] Arc<std::io::Error>),
    /// Something that SQLite reports and that none of the others names.
    #[error("the log's database refused")]
    Database(#[source] Arc<rusqlite::Error>),
}

impl StoreError {
    /// Whether it may be gone at the next look: a log that is written, or whose segment is being closed.
    pub(crate) const fn passes(&self) -> bool {
        match self {
            Self::Busy(_) | Self::Io(_) | Self::Copy(_) | Self::Moving => true,
            Self::Full(_)
            | Self::ReadOnly(_)
            | Self::Corrupt { .. }
            | Self::Schema
            | Self::Earlier
            | Self::Missing { .. }
            | Self::OtherTree
            | Self::NotOurs { .. }
            | Self::File { .. }
            | Self::NotCanonical(_)
            | Self::Overloaded
            | Self::Gone
            | Self::Thread(_)
            | Self::Database(_) => false,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error_code();
        let error = Arc::new(error);
        match code {
            Some(ErrorCode::DiskFull) => Self::Full(error),
            Some(ErrorCode::ReadOnly) => Self::ReadOnly(error),
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => Self::Io(error),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy(error),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Corrupt { what: "it is not a sound database", seq: None }
            }
            Some(_) | None => Self::Database(error),
        }
    }
}
