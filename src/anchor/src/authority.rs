//! Authority: a time-stamp (RFC 3161) over the bytes of a checkpoint.
//!
//! ```text
//!   SIZE.note ─openssl ts -query─▶ request ─HTTP─▶ reply ─openssl ts -verify─▶ SIZE.tsr
//! ```
//!
//! The request carries a nonce and asks for the certificates; a reply that does not verify against request and configured
//! certificates is not kept. The forms and signatures are left to `openssl`, which knows them better than we would.

use std::path::Path;
use std::process::{Command, Output};

use countersign_core::anchors::{Authority, NOTE, TIMESTAMP};
use countersign_core::note::Note;

use crate::error::AnchorError;
use crate::http::{Http, refused};
use crate::keep::Shelf;

/// What is sent and what comes back.
const REQUEST: &str = "application/timestamp-query";
/// Endings of what is only there while an authority is asked.
const QUERY: &str = "tsq";
const UNVERIFIED: &str = "unverified";

/// Has a checkpoint of this size time-stamped, unless it is.
pub(crate) fn stamp(
    authority: &Authority,
    note: &Note,
    size: u64,
    shelf: &Shelf,
    http: &Http,
) -> Result<(), AnchorError> {
    if shelf.has(size, TIMESTAMP) {
        return Ok(());
    }
    shelf.put(size, NOTE, &crate::bytes(note))?;
    let stamped = ask(authority, size, shelf, http).and_then(|reply| shelf.put(size, TIMESTAMP, &reply));
    for ending in [QUERY, UNVERIFIED] {
        // It is overwritten the next time.
        std::fs::remove_file(shelf.path(size, ending)).ok();
    }
    stamped
}

fn ask(authority: &Authority, size: u64, shelf: &Shelf, http: &Http) -> Result<Vec<u8>, AnchorError> {
    let (note, query, reply) = (shelf.path(size, NOTE), shelf.path(size, QUERY), shelf.path(size, UNVERIFIED));
    let made = openssl(&["-query", "-sha256", "-cert"], &[("-data", &note), ("-out", &query)])?;
    let request = std::fs::read(&query).map_err(|source| AnchorError::Keep { path: query.clone(), source });
    let request = request
        .map_err(|error| if made.status.success() { error } else { AnchorError::Query { says: last_line(&made) } })?;
    let answer = http.post(&authority.name, &authority.url, "", REQUEST, &request)?;
    if answer.status != 200 {
        return Err(refused(&authority.name, &authority.url, answer.status));
    }
    shelf.put(size, UNVERIFIED, &answer.body)?;
    let ca = authority.ca.as_path();
    let verified = openssl(&["-verify"], &[("-queryfile", &query), ("-in", &reply), ("-CAfile", ca)])?;
    if verified.status.success() {
        Ok(answer.body)
    } else {
        Err(AnchorError::Stamp { name: authority.name.as_str().to_owned(), says: last_line(&verified) })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "openssl is asked for what it knows; nothing that a caller sent is in its words"
)]
fn openssl(words: &[&str], files: &[(&str, &Path)]) -> Result<Output, AnchorError> {
    let mut command = Command::new("/usr/bin/openssl");
    command.arg("ts").args(words).env_clear();
    for (option, path) in files {
        command.arg(option).arg(path);
    }
    command.output().map_err(AnchorError::Openssl)
}

fn last_line(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it says nothing").to_owned()
}
