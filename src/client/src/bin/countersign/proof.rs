//! `audit checkpoint`, `audit prove`, `audit key`: what a caller keeps of the log, and checks without anybody's help.
//!
//! ```text
//!   receipt ─▶ entry, hash ──bus──▶ proof ─▶ file          file + receipt + key ─▶ proven or not, offline
//! ```
//!
//! Enters: receipts, proofs, the log's public key. Leaves: notes and proofs as they are published, and verdicts. A proof
//! that comes from the broker is believed no more than one from a file.

use std::path::Path;

use countersign::Broker;
use countersign_core::checkpoint::Checkpoint;
use countersign_core::digest::Digest;
use countersign_core::evidence::Evidence;
use countersign_core::note::{Note, VerifierKey};
use countersign_core::receipt::Recorded;
use countersign_core::text::sentence;
use countersign_core::tree::leaf;
use serde_json::{Value, json};

use crate::cli::ProveArgs;
use crate::complaint::{Complaint, MAX_SENTENCE};
use crate::{digest, exit, print};

/// Where the launcher leaves the log's public key for everybody.
const KEY: &str = "/run/countersign/audit-key";

/// What is to be proven.
#[derive(Debug, PartialEq, Eq)]
enum Subject {
    /// The entry of this number, whatever is in it.
    Entry(u64),
    /// The entry of this hash, wherever it is.
    Hash(Digest),
    /// Both, as a receipt says.
    Recorded(Recorded),
}

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
    let subject = args.subject.as_deref().map(subject).transpose()?;
    let number = match &subject {
        Some(Subject::Entry(number)) => *number,
        Some(Subject::Recorded(recorded)) => recorded.seq,
        Some(Subject::Hash(_)) | None => {
            return Err(Complaint::usage("Say which entry: give its number, or a receipt."));
        }
    };
    let text = Broker::connect().await?.proof(number).await?;
    Evidence::parse(text.as_bytes()).map_err(|_| nonsense())?;
    if json {
        print::json(&json!({ "entry": number, "proof": text }))?;
    } else {
        lines(&text)?;
    }
    Ok(0)
}

/// Checks a proof from a file: exit status 1 if it proves nothing.
pub(crate) fn check(args: &ProveArgs, file: &Path, json: bool) -> Result<u8, Complaint> {
    let subject = args.subject.as_deref().map(subject).transpose()?;
    let key = match &args.key {
        Some(text) => parse_key(text)?,
        None => published_key()?,
    };
    let proven = examine(&digest::read(file)?, subject.as_ref(), &key)?;
    let told = match &proven {
        Ok((entry, checkpoint)) => json!({
            "proven": true, "entry": entry, "origin": checkpoint.origin.as_str(),
            "entries": checkpoint.head.size, "root": checkpoint.head.root,
        }),
        Err(why) => json!({ "proven": false, "sentence": sentence(why, MAX_SENTENCE).as_str() }),
    };
    if json {
        print::json(&told)?;
    } else {
        print::line(sentence(&in_words(&proven), MAX_SENTENCE).as_str())?;
    }
    Ok(if proven.is_ok() { 0 } else { exit::NO })
}

pub(crate) fn key(json: bool) -> Result<u8, Complaint> {
    let key = published_key()?.to_string();
    if json {
        print::json(&json!({ "key": key }))?
    } else {
        print::line(&key)?
    }
    Ok(0)
}

fn in_words(proven: &Result<(u64, Checkpoint), String>) -> String {
    match proven {
        Ok((entry, checkpoint)) => {
            format!("proven: entry {entry} is in the log {}: {}", checkpoint.origin, checkpoint.head)
        }
        Err(why) => format!("NOT PROVEN: {why}"),
    }
}

/// The entry that is proven and the checkpoint that vouches for it, or why nothing is.
fn examine(
    text: &[u8],
    subject: Option<&Subject>,
    key: &VerifierKey,
) -> Result<Result<(u64, Checkpoint), String>, Complaint> {
    let evidence = match Evidence::parse(text) {
        Ok(evidence) => evidence,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let entry = evidence.index.saturating_add(1);
    let (number, hash) = match subject {
        Some(Subject::Entry(number)) => (Some(*number), None),
        Some(Subject::Hash(hash)) => (None, Some(*hash)),
        Some(Subject::Recorded(recorded)) => (Some(recorded.seq), Some(recorded.hash)),
        None => (None, None),
    };
    let enclosed = evidence.record.as_deref().map(leaf);
    let hash = hash.or(enclosed).ok_or_else(|| {
        Complaint::usage("Say what is to be proven: give the receipt, or the entry's hash; the proof has no record.")
    })?;
    if number.is_some_and(|number| number != entry) || enclosed.is_some_and(|enclosed| enclosed != hash) {
        return Ok(Err(format!("it is a proof of entry {entry}, and of another record")));
    }
    let checked = evidence.check(&hash, std::slice::from_ref(key));
    Ok(checked.map(|checkpoint| (entry, checkpoint)).map_err(|error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        format!("{error}{cause}")
    }))
}

/// A number, a hash, or a file with a receipt.
fn subject(word: &str) -> Result<Subject, Complaint> {
    if let Ok(hash) = word.parse() {
        return Ok(Subject::Hash(hash));
    }
    if let Ok(number) = word.parse() {
        return Ok(Subject::Entry(number));
    }
    let none = || Complaint::usage("The file holds no receipt with the number and hash of an entry.");
    let value: Value = serde_json::from_slice(&digest::read(Path::new(word))?).map_err(|_| none())?;
    let receipt = value.get("receipt").filter(|receipt| receipt.is_object()).unwrap_or(&value);
    let recorded = receipt.get("audit").cloned().ok_or_else(none)?;
    serde_json::from_value(recorded).map(Subject::Recorded).map_err(|_| none())
}

fn published_key() -> Result<VerifierKey, Complaint> {
    let text = std::fs::read_to_string(KEY).map_err(|source| Complaint::System {
        what: "The log's public key is not there: the broker leaves it in /run/countersign when it starts",
        source,
    })?;
    parse_key(text.trim_end())
}

fn parse_key(text: &str) -> Result<VerifierKey, Complaint> {
    text.parse().map_err(|error| Complaint::usage(format!("The log's key is none: {error}.")))
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

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::note::{Name, SigningKey};
    use countersign_core::tree::{Frontier, Proof};

    fn signer(seed: u8) -> SigningKey {
        SigningKey::from_seed(Name::new("web1/countersign").unwrap(), &[seed; 32])
    }

    /// The proof of the second of two records.
    fn evidence(record: Option<&[u8]>) -> Vec<u8> {
        let mut tree = Frontier::default();
        for record in [b"first".as_slice(), b"second"] {
            tree.append(leaf(record), |_| {}).unwrap();
        }
        let checkpoint = Checkpoint::new(signer(1).verifier().name().clone(), tree.head()).sign(&signer(1)).unwrap();
        let proof = Proof::try_from(vec![leaf(b"first")]).unwrap();
        let record = record.map(<[u8]>::to_vec);
        Evidence { record, index: 1, proof, checkpoint }.to_string().into_bytes()
    }

    fn proves(text: &[u8], subject: Option<Subject>) -> bool {
        examine(text, subject.as_ref(), signer(1).verifier()).unwrap().is_ok()
    }

    fn recorded(seq: u64, record: &[u8]) -> Option<Subject> {
        Some(Subject::Recorded(Recorded { seq, hash: leaf(record) }))
    }

    #[test]
    fn a_receipt_is_proven_and_another_is_not() {
        let bare = evidence(None);
        assert!(proves(&bare, recorded(2, b"second")));
        assert!(proves(&bare, Some(Subject::Hash(leaf(b"second")))));
        assert!(!proves(&bare, recorded(1, b"second")), "another number");
        assert!(!proves(&bare, recorded(2, b"first")), "another record");
        assert!(!proves(b"nothing", recorded(2, b"second")));
        assert!(
            examine(&bare, Some(&Subject::Entry(2)), signer(1).verifier()).is_err(),
            "a number says nothing of what"
        );
        assert!(examine(&bare, recorded(2, b"second").as_ref(), signer(2).verifier()).unwrap().is_err(), "another key");
    }

    #[test]
    fn an_enclosed_record_is_what_is_proven() {
        assert!(proves(&evidence(Some(b"second")), None));
        assert!(!proves(&evidence(Some(b"first")), None));
        assert!(!proves(&evidence(Some(b"first")), recorded(2, b"second")), "not the record that was asked about");
    }

    #[test]
    fn a_subject_is_a_number_a_hash_or_a_receipt() {
        assert_eq!(subject("17").unwrap(), Subject::Entry(17));
        assert_eq!(subject(&Digest::ZERO.to_string()).unwrap(), Subject::Hash(Digest::ZERO));
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("receipt");
        for (text, good) in [
            (json!({ "audit": { "seq": 4, "hash": Digest::ZERO } }), true),
            (json!({ "exit": 0, "receipt": { "audit": { "seq": 4, "hash": Digest::ZERO } } }), true),
            (json!({ "audit": { "seq": 4 } }), false),
            (json!({ "receipt": {} }), false),
            (json!([]), false),
        ] {
            std::fs::write(&file, text.to_string()).unwrap();
            let expected = Subject::Recorded(Recorded { seq: 4, hash: Digest::ZERO });
            assert_eq!(subject(file.to_str().unwrap()).is_ok_and(|subject| subject == expected), good, "{text}");
        }
    }
}
