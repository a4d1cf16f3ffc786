//! What can go wrong with whom. A variant is a step; none of them is retried here: the timer asks again.

use std::io;
use std::path::PathBuf;

use countersign_core::anchors::AnchorsError;
use countersign_core::checkpoint::NotACheckpoint;
use countersign_core::note::{NotANote, NotVerified};

/// Why a checkpoint was not anchored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnchorError {
    /// The configuration cannot be read.
    #[error("{} cannot be read", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The configuration is not right.
    #[error("{}", path.display())]
    Config {
        /// Which file.
        path: PathBuf,
        #[source]
        error: Box<AnchorsError>,
    },
    /// The broker did not answer.
    #[error("the broker gave no checkpoint: see `systemctl status countersignd`")]
    Broker(#[source] Box<zbus::Error>),
    /// No runtime for the bus.
    #[error("the bus cannot be spoken to")]
    Runtime(#[source] io::Error),
    /// What the broker gave is no note.
    #[error("the broker gave something that is no note")]
    NotANote(#[source] NotANote),
    /// What the broker gave is no checkpoint.
    #[error("the broker gave something that is no checkpoint")]
    NotACheckpoint(#[source] NotACheckpoint),
    /// An answer cannot be kept, or an earlier one not be read.
    #[error("{} cannot be used", path.display())]
    Keep {
        /// Which file or directory.
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// An anchor could not be asked.
    #[error("{name} ({url}) did not answer")]
    Asked {
        /// Which anchor.
        name: String,
        /// Where.
        url: String,
        #[source]
        source: Box<ureq::Error>,
    },
    /// An anchor answered with a status that is no success.
    #[error("{name} ({url}) answered with status {status}")]
    Status {
        /// Which anchor.
        name: String,
        /// Where.
        url: String,
        /// The status.
        status: u16,
    },
    /// `openssl` could not be run.
    #[error("openssl could not be run: install the package openssl")]
    Openssl(#[source] io::Error),
    /// `openssl` made no request of the checkpoint.
    #[error("openssl made no time-stamp request: {says}")]
    Query {
        /// Its last line.
        says: String,
    },
    /// A time-stamp does not verify.
    #[error("the time-stamp of {name} does not verify and is not kept: {says}")]
    Stamp {
        /// Which authority.
        name: String,
        /// What `openssl` says of it.
        says: String,
    },
    /// What a witness answered is no cosignature.
    #[error("{name} answered with something that is no cosignature")]
    NotACosignature {
        /// Which witness.
        name: String,
        #[source]
        source: NotANote,
    },
    /// A cosignature does not verify.
    #[error("the cosignature of {name} does not verify and is not kept")]
    Cosignature {
        /// Which witness.
        name: String,
        #[source]
        source: NotVerified,
    },
    /// A witness has seen a larger log than there is.
    #[error("{name} has seen {seen} records of this log, which has {size}: records are missing here")]
    Ahead {
        /// Which witness.
        name: String,
        /// How many it has seen.
        seen: u64,
        /// How many there are.
        size: u64,
    },
    /// A witness does not accept that the log only grew.
    #[error("{name} does not accept the proof that this log only grew since {old} records")]
    Inconsistent {
        /// Which witness.
        name: String,
        /// What it has seen.
        old: u64,
    },
}
