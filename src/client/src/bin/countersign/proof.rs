//! `audit prove --check`, `audit key`: what a caller kept of the log, checked without anybody's help.
//!
//! ```text
//!   proof + key ─▶ the entry is in the log     record in the proof ─▶ what it says     receipt ─▶ whether it says the same
//! ```
//!
//! Enters: a proof from a file, the log's public key, and where there is one a receipt. Leaves: a verdict. How proofs are
//! got is in [`crate::prove`].

use std::path::Path;

use countersign_core::checkpoint::Checkpoint;
use countersign_core::digest::Digest;
use countersign_core::evidence::Evidence;
use countersign_core::note::VerifierKey;
use countersign_core::receipt::Recorded;
use countersign_core::record::{Entry, Record};
use countersign_core::request::RequestId;
use countersign_core::text::sentence;
use countersign_core::tree::leaf;
use serde_json::{Value, json};

use crate::cli::ProveArgs;
use crate::complaint::{Complaint, MAX_SENTENCE};
use crate::{digest, entries, exit, print};

/// Where the launcher leaves the log's public key for everybody.
const KEY: &str = "/run/countersign/audit-key";

/// What is to be proven.
#[derive(Debug, PartialEq)]
pub(crate) enum Subject {
    /// The entry of this number, whatever is in it.
    Entry(u64),
    /// The entry of this hash, wherever it is.
    Hash(Digest),
    /// What became of this request.
    Request(RequestId),
    /// What a receipt says, all of which it may be held against.
    Receipt(Recorded, Box<Value>),
}

/// What a proof proves.
#[derive(Debug)]
struct Proven {
    /// The entry, with its record if that goes with the proof.
    entry: u64,
    record: Option<Vec<u8>>,
    /// The checkpoint that vouches for it.
    checkpoint: Checkpoint,
}

/// Checks a proof from a file: exit status 1 if it proves nothing.
pub(crate) fn check(args: &ProveArgs, file: &Path, json: bool) -> Result<u8, Complaint> {
    let subject = args.subject.as_deref().map(subject).transpose()?;
    let key = match &args.key {
        Some(text) => parse_key(text)?,
        None => published_key()?,
    };
    let proven = examine(&digest::read(file)?, subject.as_ref(), &key)?;
    if json {
        print::json(&in_json(&proven)?)?;
    } else {
        in_words(&proven).iter().try_for_each(|line| print::line(sentence(line, MAX_SENTENCE).as_str()))?;
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

fn in_json(proven: &Result<Proven, String>) -> Result<Value, Complaint> {
    let Proven { entry, record, checkpoint } = match proven {
        Ok(proven) => proven,
        Err(why) => return Ok(json!({ "proven": false, "sentence": sentence(why, MAX_SENTENCE).as_str() })),
    };
    let record: Option<Value> =
        record.as_deref().map(serde_json::from_slice).transpose().map_err(std::io::Error::from)?;
    Ok(json!({
        "proven": true, "entry": entry, "origin": checkpoint.origin.as_str(),
        "entries": checkpoint.head.size, "root": checkpoint.head.root, "record": record,
    }))
}

fn in_words(proven: &Result<Proven, String>) -> Vec<String> {
    let Proven { entry, record, checkpoint } = match proven {
        Ok(proven) => proven,
        Err(why) => return vec![format!("NOT PROVEN: {why}")],
    };
    let first = format!("proven: entry {entry} is in the log {}: {}", checkpoint.origin, checkpoint.head);
    let says = record.as_ref().map(|body| entries::row(&Entry { seq: *entry, hash: leaf(body), body: body.clone() }));
    let digest = record.as_deref().and_then(|body| Record::parse(body).ok()).and_then(|record| record.digest);
    let digest = digest.map(|digest| format!("digest {digest}, fingerprint {}", digest.fingerprint()));
    [Some(first), says, digest].into_iter().flatten().collect()
}

/// What is proven, or why nothing is.
fn examine(text: &[u8], subject: Option<&Subject>, key: &VerifierKey) -> Result<Result<Proven, String>, Complaint> {
    let evidence = match Evidence::parse(text) {
        Ok(evidence) => evidence,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let entry = evidence.index.saturating_add(1);
    let (number, hash) = match subject {
        Some(Subject::Entry(number)) => (Some(*number), None),
        Some(Subject::Hash(hash)) => (None, Some(*hash)),
        Some(Subject::Receipt(recorded, _)) => (Some(recorded.seq), Some(recorded.hash)),
        Some(Subject::Request(_)) | None => (None, None),
    };
    let enclosed = evidence.record.as_deref().map(leaf);
    let hash = hash.or(enclosed).ok_or_else(|| {
        Complaint::usage("Say what is to be proven: give the receipt, or the entry's hash; the proof has no record.")
    })?;
    if number.is_some_and(|number| number != entry) || enclosed.is_some_and(|enclosed| enclosed != hash) {
        return Ok(Err(format!("it is a proof of entry {entry}, and of another record")));
    }
    let checkpoint = match evidence.check(&hash, std::slice::from_ref(key)) {
        Ok(checkpoint) => checkpoint,
        Err(error) => {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            return Ok(Err(format!("{error}{cause}")));
        }
    };
    let said = evidence.record.as_deref().zip(subject).map_or(Ok(()), |(record, subject)| says(record, subject));
    Ok(said.map(|()| Proven { entry, record: evidence.record, checkpoint }))
}

/// Whether the record says what it is held against: of which request it is, and which digest was planned.
fn says(body: &[u8], subject: &Subject) -> Result<(), String> {
    let (receipt, asked) = match subject {
        Subject::Entry(_) | Subject::Hash(_) => return Ok(()),
        Subject::Request(asked) => (None, Some(asked.to_string())),
        Subject::Receipt(_, receipt) => (Some(receipt), said(receipt, "id")),
    };
    let record = Record::parse(body).map_err(|error| error.to_string())?;
    let (digest, id) = (receipt.and_then(|receipt| said(receipt, "digest")), record.id.map(|id| id.to_string()));
    for (what, expected, found) in [("request", asked, id), ("digest", digest, record.digest.map(|d| d.to_string()))] {
        if expected.is_some() && expected != found {
            let (expected, found) = (expected.unwrap_or_default(), found.unwrap_or_else(|| "none".to_owned()));
            return Err(format!("the record has the {what} {found}, and asked about is {expected}"));
        }
    }
    match receipt.filter(|receipt| receipt.get("plan").is_some_and(Value::is_object)) {
        Some(receipt) if digest::agrees(receipt) != Some(true) => {
            Err("the plan in the receipt is not the one of its digest".to_owned())
        }
        Some(_) | None => Ok(()),
    }
}

fn said(receipt: &Value, key: &str) -> Option<String> {
    receipt.get(key).and_then(Value::as_str).map(str::to_owned)
}

/// A number, a hash, a request's id, or a file with a receipt.
pub(crate) fn subject(word: &str) -> Result<Subject, Complaint> {
    if let Ok(hash) = word.parse() {
        return Ok(Subject::Hash(hash));
    }
    if let Ok(id) = word.parse() {
        return Ok(Subject::Request(id));
    }
    if let Ok(number) = word.parse() {
        return Ok(Subject::Entry(number));
    }
    let none = || Complaint::usage("The file holds no receipt with the number and hash of an entry.");
    let value: Value = serde_json::from_slice(&digest::read(Path::new(word))?).map_err(|_| none())?;
    let receipt = value.get("receipt").filter(|receipt| receipt.is_object()).unwrap_or(&value);
    let recorded = receipt.get("audit").cloned().ok_or_else(none)?;
    let recorded = serde_json::from_value(recorded).map_err(|_| none())?;
    Ok(Subject::Receipt(recorded, Box::new(receipt.clone())))
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

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::note::{Name, SigningKey};
    use countersign_core::tree::{Frontier, Proof};

    fn signer(seed: u8) -> SigningKey {
        SigningKey::from_seed(Name::new("web1/countersign").unwrap(), &[seed; 32])
    }

    /// The record of a request that was denied, in its canonical form.
    fn record() -> Vec<u8> {
        let (id, digest) = (RequestId::from_random(7), Digest::of(b"a plan"));
        let zero = Digest::ZERO;
        format!(
            r#"{{"boot_id":"x","digest":"{digest}","id":"{id}","kind":"request","mode":"guarded","monotonic_ms":1,"phase":"final","prev":"{zero}","ruleset":{{"digest":"{zero}","version":1}},"seq":2,"state":"green","time":1,"v":1}}"#
        )
        .into_bytes()
    }

    fn evidence(enclosed: Option<&[u8]>) -> Vec<u8> {
        of(b"second", enclosed)
    }

    /// The proof of the second of two records.
    fn of(second: &[u8], record: Option<&[u8]>) -> Vec<u8> {
        let mut tree = Frontier::default();
        for record in [b"first".as_slice(), second] {
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
        Some(Subject::Receipt(Recorded { seq, hash: leaf(record) }, Box::new(json!({}))))
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
        let (record, other) = (record(), b"another".as_slice());
        let proof = of(&record, Some(&record));
        assert!(proves(&proof, None) && proves(&proof, recorded(2, &record)));
        assert!(!proves(&of(&record, Some(other)), None));
        assert!(!proves(&of(&record, Some(other)), recorded(2, &record)), "not the record that was asked about");
        assert!(!proves(&of(other, Some(other)), Some(Subject::Request(RequestId::from_random(7)))), "no record");
    }

    #[test]
    fn an_enclosed_record_says_what_the_receipt_says_or_nothing_is_proven() {
        let record = record();
        let proof = of(&record, Some(&record));
        let request = |id| Some(Subject::Request(RequestId::from_random(id)));
        assert!(proves(&proof, request(7)) && !proves(&proof, request(8)));
        let (id, digest) = (RequestId::from_random(7).to_string(), Digest::of(b"a plan").to_string());
        let receipt = |receipt: Value| {
            proves(&proof, Some(Subject::Receipt(Recorded { seq: 2, hash: leaf(&record) }, Box::new(receipt))))
        };
        assert!(receipt(json!({ "id": id, "digest": digest })));
        assert!(!receipt(json!({ "id": "0".repeat(32), "digest": digest })));
        assert!(!receipt(json!({ "id": id, "digest": "0".repeat(64) })));
        assert!(
            !receipt(json!({ "id": id, "digest": digest, "plan": { "v": 1 } })),
            "no whole plan, or of another digest"
        );
    }

    #[test]
    fn a_subject_is_a_number_a_hash_or_a_receipt() {
        assert_eq!(subject("17").unwrap(), Subject::Entry(17));
        assert_eq!(subject(&"0".repeat(32)).unwrap(), Subject::Request(RequestId::from_random(0)));
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
            let expected = Recorded { seq: 4, hash: Digest::ZERO };
            let read = subject(file.to_str().unwrap());
            assert_eq!(
                read.is_ok_and(|s| matches!(s, Subject::Receipt(recorded, _) if recorded == expected)),
                good,
                "{text}"
            );
        }
    }
}
