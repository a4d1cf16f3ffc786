//! Witness: a cosignature on a checkpoint, from somebody who saw the log before and whom it is proved that the log only
//! grew since (<https://c2sp.org/tlog-witness>).
//!
//! ```text
//!   old SIZE, proof, note ─POST /add-checkpoint─▶ 200: signature lines
//!                                                 409: the size that it has seen; asked once more from there
//! ```

use countersign_core::anchors::{NOTE, Witness};
use countersign_core::note::Note;

use crate::broker::Broker;
use crate::error::AnchorError;
use crate::http::{Answer, Http, refused};
use crate::keep::Shelf;

/// Where a witness is asked, below its address.
const PATH: &str = "/add-checkpoint";

/// Has a checkpoint of this size cosigned, unless it is.
pub(crate) fn cosign(
    witness: &Witness,
    note: &Note,
    size: u64,
    shelf: &Shelf,
    http: &Http,
    broker: &Broker,
) -> Result<(), AnchorError> {
    if shelf.has(size, NOTE) {
        return Ok(());
    }
    let ask = |old: u64| {
        let body = request(old, &broker.consistency(old, size)?, note);
        http.post(&witness.name, &witness.url, PATH, "text/plain", body.as_bytes())
    };
    let known = shelf.newest(NOTE)?;
    // After a restore we may know more than there is.
    let mut answer = ask(if known > size { 0 } else { known })?;
    if let Some(seen) = conflict(&answer) {
        if seen > size {
            return Err(AnchorError::Ahead { name: witness.name.as_str().to_owned(), seen, size });
        }
        answer = ask(seen)?;
    }
    let cosigned = cosigned(witness, note, &answer, known)?;
    shelf.put(size, NOTE, &crate::bytes(&cosigned))
}

fn request(old: u64, proof: &[String], note: &Note) -> String {
    let lines: String = proof.iter().map(|hash| format!("{hash}\n")).collect();
    format!("old {old}\n{lines}\n{note}")
}

/// The size that the witness has seen, if it is another than we said.
fn conflict(answer: &Answer) -> Option<u64> {
    let text = std::str::from_utf8(&answer.body).ok().filter(|_| answer.status == 409)?;
    text.trim_end().parse().ok()
}

/// The checkpoint with the witness's signature below it.
fn cosigned(witness: &Witness, note: &Note, answer: &Answer, old: u64) -> Result<Note, AnchorError> {
    let name = || witness.name.as_str().to_owned();
    match answer.status {
        200 => {}
        422 => return Err(AnchorError::Inconsistent { name: name(), old }),
        status => return Err(refused(&witness.name, &witness.url, status)),
    }
    let both = [crate::bytes(note).as_slice(), &answer.body].concat();
    let both = Note::parse(&both).map_err(|source| AnchorError::NotACosignature { name: name(), source })?;
    witness.key.saw(&both).map_err(|source| AnchorError::Cosignature { name: name(), source })?;
    Ok(both)
}
