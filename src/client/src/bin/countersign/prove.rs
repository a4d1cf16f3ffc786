//! `audit checkpoint`, `audit prove`, `audit mine`: what the broker tells a caller of the log, for it to keep.
//!
//! ```text
//!   entry, request or receipt ──Query──▶ its record, if it is yours     ──Proof──▶ the way to a signed checkpoint ─▶ one file
//! ```
//!
//! Enters: which entry. Leaves: notes and proofs as they are published, and one's own entries. What comes from the broker is
//! believed no more than what comes from a file: see [`crate::proof`].

use std::collections::HashMap;

use countersign::{Broker, ClientError};
use countersign_core::checkpoint::Checkpoint;
use countersign_core::code::Code;
use countersign_core::evidence::Evidence;
use countersign_core::note::Note;
use countersign_core::record::Entry;
use countersign_core::request::RequestId;
use countersign_core::text::sentence;
use rustix::process::geteuid;
use serde_json::json;
use zbus::Variant;

use crate::cli::{MineArgs, ProveArgs};
use crate::complaint::Complaint;
use crate::proof::{Subject, subject};
use crate::{entries, print};

/// How many of one's own entries are shown unless said otherwise.
const MINE: u64 = 10;
/// The most entries that the broker gives at once.
const PAGE: u64 = 100;

pub(crate) async fn checkpoint(json: bool) -> Result<u8, Complaint> {
    let text = Broker::connect().await?.checkpoint().await?;
    let note = Note::parse(text.as_bytes()).map_err(|_| nonsense())?;
    let checkpoint = Checkpoint::parse(note.text()).map_err(|_| nonsense())?;
    if json {
        let head = checkpoint.head;
        let origin = checkpoint.origin.as_str();
        print::json(&json!({ "note": text, "origin": origin, "entries": head.size, "root": head.root }))?;
    } else {
        lines(&text)?;
    }
    Ok(0)
}

pub(crate) async fn prove(args: &ProveArgs, json: bool) -> Result<u8, Complaint> {
    let unsaid = || Complaint::usage("Say which entry: give its number, a request's id, or a receipt.");
    let subject = args.subject.as_deref().map(subject).transpose()?.ok_or_else(unsaid)?;
    let broker = Broker::connect().await?;
    let (number, record) = match &subject {
        Subject::Entry(number) => (*number, own(&broker, *number).await?),
        Subject::Receipt(recorded, _) => (recorded.seq, own(&broker, recorded.seq).await?),
        Subject::Request(id) => {
            let entry = last_of(&broker, *id).await?;
            (entry.seq, Some(entry))
        }
        Subject::Hash(_) => return Err(unsaid()),
    };
    let text = broker.proof(number).await?;
    let evidence = Evidence::parse(text.as_bytes()).map_err(|_| nonsense())?;
    let evidence = Evidence { record: record.map(|entry| entry.body), ..evidence }.to_string();
    if json {
        print::json(&json!({ "entry": number, "proof": evidence }))?;
    } else {
        lines(&evidence)?;
    }
    Ok(0)
}

/// One's own newest entries, oldest of them first.
pub(crate) async fn mine(args: &MineArgs, json: bool) -> Result<u8, Complaint> {
    let (broker, mut found, mut before) = (Broker::connect().await?, Vec::new(), None);
    let wanted = args.last.unwrap_or(MINE);
    loop {
        let missing = wanted.saturating_sub(u64::try_from(found.len()).unwrap_or(u64::MAX));
        if missing == 0 {
            break;
        }
        let mut keys = HashMap::from([("limit", Variant::from(missing.min(PAGE)))]);
        keys.extend(before.map(|before: u64| ("before", Variant::from(before))));
        let (entries, next) = broker.query(&keys).await?;
        found.extend(entries);
        if next == 0 {
            break;
        }
        before = Some(next);
    }
    found.iter().rev().try_for_each(|entry| entries::tell(entry, json)).map(|()| 0)
}

/// The entry of this number, if it is the caller's own; root's are everybody's.
async fn own(broker: &Broker, number: u64) -> Result<Option<Entry>, Complaint> {
    let keys = HashMap::from([("entry", Variant::from(number)), ("all", Variant::from(geteuid().is_root()))]);
    Ok(broker.query(&keys).await?.0.into_iter().find(|entry| entry.seq == number))
}

/// The newest entry about this request: how it ended, once it has.
async fn last_of(broker: &Broker, id: RequestId) -> Result<Entry, Complaint> {
    let mut before = None;
    loop {
        let mut keys = HashMap::from([
            ("id", Variant::from(id.to_string())),
            ("limit", Variant::from(1_u64)),
            ("all", Variant::from(geteuid().is_root())),
        ]);
        keys.extend(before.map(|before: u64| ("before", Variant::from(before))));
        let (entries, next) = broker.query(&keys).await?;
        if let Some(entry) = entries.into_iter().next() {
            return Ok(entry);
        }
        if next == 0 {
            let none = format!("The log has nothing about the request {id} that you may see.");
            return Err(ClientError::failed(Code::NoSuchRequest, none).into());
        }
        before = Some(next);
    }
}

/// A published text as it is, one inert line at a time.
fn lines(text: &str) -> Result<(), Complaint> {
    text.lines().try_for_each(|line| {
        let plain = line.strip_prefix('\u{2014}').unwrap_or(line);
        let dash = if plain.len() < line.len() { "\u{2014}" } else { "" };
        print::line(&format!("{dash}{}", sentence(plain, MAX_LINE).as_str()))
    })
}

/// The most bytes of a line of a proof.
const MAX_LINE: usize = 256 * 1_024;

fn nonsense() -> Complaint {
    Complaint::usage("The broker's answer is neither a checkpoint nor a proof: it is of another version.")
}
