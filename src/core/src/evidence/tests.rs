//! Evidence that holds, and evidence that was bent.

use super::*;
use crate::note::{Name, SigningKey};
use crate::tree::tests::Kept;
use crate::tree::{TreeHead, inclusion, root};

fn key(name: &str) -> SigningKey {
    SigningKey::from_seed(Name::new(name).unwrap(), &[7; 32])
}

fn records() -> Vec<Vec<u8>> {
    (0_u8..11).map(|n| format!("{{\"seq\":{n}}}").into_bytes()).collect()
}

fn head_of(kept: &Kept) -> TreeHead {
    root(kept, 11).unwrap()
}

fn entry(index: u64) -> Digest {
    tree::leaf(&records()[usize::try_from(index).unwrap()])
}

fn evidence(index: u64) -> Evidence {
    let records = records();
    let kept = Kept::of(records.iter().map(|record| tree::leaf(record)));
    let key = key("web1/countersign");
    let checkpoint = Checkpoint::new(key.verifier().name().clone(), head_of(&kept));
    Evidence {
        record: Some(records[usize::try_from(index).unwrap()].clone()),
        index,
        proof: inclusion(&kept, index, 11).unwrap(),
        checkpoint: checkpoint.sign(&key).unwrap(),
    }
}

#[test]
fn evidence_is_written_read_and_holds() {
    for index in 0..11 {
        let bare = Evidence { record: None, ..evidence(index) };
        for made in [evidence(index), bare] {
            let read = Evidence::parse(made.to_string().as_bytes()).unwrap();
            assert_eq!(read, made);
            let known = [key("web1/countersign").verifier().clone()];
            assert_eq!(read.check(&entry(index), &known).unwrap().head.size, 11);
        }
    }
}

#[test]
fn the_form_is_the_published_one() {
    let text = evidence(10).to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..3], ["c2sp.org/tlog-proof@v1", "extra eyJzZXEiOjEwfQ==", "index 10"]);
    let hashes = evidence(10).proof.hashes().len();
    assert!(lines[3..3 + hashes].iter().all(|line| line.len() == 44));
    assert_eq!(lines[3 + hashes..][..2], ["", "web1/countersign"]);
}

#[test]
fn bent_evidence_does_not_hold() {
    let known = [key("web1/countersign").verifier().clone()];
    let good = evidence(4);
    for (bent, why) in [
        (Evidence { index: 5, ..good.clone() }, NotProven::Proof(Mismatch::Root)),
        (Evidence { index: 11, ..good.clone() }, NotProven::Proof(Mismatch::Size)),
        (Evidence { index: u64::MAX, ..good.clone() }, NotProven::Proof(Mismatch::Size)),
        (Evidence { proof: Proof::default(), ..good.clone() }, NotProven::Proof(Mismatch::Length)),
    ] {
        assert_eq!(bent.check(&entry(4), &known), Err(why));
    }
    assert_eq!(good.check(&entry(5), &known), Err(NotProven::Proof(Mismatch::Root)));
    let stranger = [key("web2/countersign").verifier().clone()];
    assert_eq!(good.check(&entry(4), &stranger), Err(NotProven::Signature(NotVerified::Unknown)));
    assert_eq!(good.check(&entry(4), &[]), Err(NotProven::Signature(NotVerified::Unknown)));
    let foreign = Checkpoint::new(Name::new("web3/countersign").unwrap(), TreeHead::empty());
    let misnamed = Evidence { checkpoint: foreign.sign(&key("web1/countersign")).unwrap(), ..good.clone() };
    assert_eq!(misnamed.check(&entry(4), &known), Err(NotProven::Origin));
    let note = Note::sign("just text\n", &[&key("web1/countersign")]).unwrap();
    let nothing = Evidence { checkpoint: note, ..good };
    assert_eq!(nothing.check(&entry(4), &known), Err(NotProven::Checkpoint(NotACheckpoint::Lines)));
}

#[test]
fn another_form_is_refused() {
    let good = evidence(4).to_string();
    for (from, to) in [
        ("@v1", "@v2"),
        ("@v1", "@v1 "),
        ("extra ", "extras "),
        ("extra ", "extra !"),
        ("index 4", "index 04"),
        ("index 4", "index -4"),
        ("index 4", "index 18446744073709551616"),
        ("index 4\n", "index 4\nAAAA\n"),
        ("\n\n", "\n"),
    ] {
        assert!(Evidence::parse(good.replacen(from, to, 1).as_bytes()).is_err(), "{from:?} to {to:?}");
    }
    let hash = format!("{}\n", encoded(&[0; 32]));
    let padded = |count: usize| good.replacen("index 4\n", &format!("index 4\n{}", hash.repeat(count)), 1);
    let full = MAX_PROOF.saturating_sub(evidence(4).proof.hashes().len());
    assert!(Evidence::parse(padded(full).as_bytes()).is_ok());
    assert_eq!(Evidence::parse(padded(full + 1).as_bytes()), Err(NotEvidence::Form));
    assert_eq!(Evidence::parse(" ".repeat(MAX_EVIDENCE + 1).as_bytes()), Err(NotEvidence::Form));
    assert_eq!(Evidence::parse(&[0xff]), Err(NotEvidence::Form));
}
