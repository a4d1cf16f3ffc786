//! countersign-anchor: has the log's newest checkpoint kept outside of this machine, once, and ends.
//!
//! ```text
//!   broker ─Checkpoint─▶ note ─┬─▶ authority (RFC 3161) ─▶ time-stamp ─┬─▶ state directory/NAME/SIZE.{note,tsr}
//!                              └─▶ witness (C2SP) ──────▶ cosignature ─┘
//! ```
//!
//! Enters: the administrator's `anchor.toml`. Leaves: what the anchors answered, checked before it is kept. It is the one
//! program of the project that opens a network socket, so it runs in a unit of its own, as a user of its own that may
//! ask the broker for checkpoints and for nothing else. One anchor that fails keeps none of the others from being asked.

#![forbid(unsafe_code)]

mod authority;
mod broker;
mod error;
mod http;
mod keep;
mod witness;

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use countersign_core::anchors::Anchors;
use countersign_core::checkpoint::Checkpoint;
use countersign_core::note::Note;

use broker::Broker;
use error::AnchorError;
use http::Http;
use keep::Shelf;

/// Has the newest checkpoint of the log time-stamped and cosigned by everybody in the configuration.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Who is asked.
    #[arg(long, value_name = "FILE", default_value = "/etc/countersign/anchor.toml")]
    config: PathBuf,
    /// Where the answers are kept.
    #[arg(long, value_name = "DIR", env = "STATE_DIRECTORY")]
    state: PathBuf,
}

fn main() -> ExitCode {
    let failures = match round(&Arguments::parse()) {
        Ok(failures) => failures,
        Err(error) => vec![error],
    };
    for failure in &failures {
        say(failure);
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Asks everybody once; what went wrong with whom comes back.
fn round(arguments: &Arguments) -> Result<Vec<AnchorError>, AnchorError> {
    let path = &arguments.config;
    let text = fs::read_to_string(path).map_err(|source| AnchorError::Open { path: path.clone(), source })?;
    let anchors =
        Anchors::parse(&text).map_err(|error| AnchorError::Config { path: path.clone(), error: Box::new(error) })?;
    let broker = Broker::connect()?;
    let note = broker.checkpoint()?;
    let checkpoint = Checkpoint::parse(note.text()).map_err(AnchorError::NotACheckpoint)?;
    let http = Http::new();
    let stamped = anchors.authorities.iter().map(|authority| {
        Shelf::open(&arguments.state, &authority.name)
            .and_then(|shelf| authority::stamp(authority, &note, checkpoint.head.size, &shelf, &http))
    });
    let cosigned = anchors.witnesses.iter().map(|witness| {
        Shelf::open(&arguments.state, &witness.name)
            .and_then(|shelf| witness::cosign(witness, &note, checkpoint.head.size, &shelf, &http, &broker))
    });
    Ok(stamped.chain(cosigned).filter_map(Result::err).collect())
}

/// One failure with its causes, in one line. That nobody reads it changes nothing.
fn say(error: &AnchorError) {
    let mut line = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        line.push_str(&format!(": {error}"));
        cause = error.source();
    }
    let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    writeln!(std::io::stderr(), "countersign-anchor: {line}").ok();
}

/// The bytes of a note, as everybody sees them.
fn bytes(note: &Note) -> Vec<u8> {
    note.to_string().into_bytes()
}
