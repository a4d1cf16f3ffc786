//! Checkpoints over a real log, signed by a launcher that checks as the real one does.

use std::path::Path;
use std::sync::Arc;

use countersign_core::message::StopNote;
use countersign_core::note::{Name, SigningKey};
use countersign_core::run_state::RunState;
use countersign_core::text::Steering;
use countersign_core::time::Moment;
use countersign_core::tree;

use super::*;
use crate::approve::Dialog;
use crate::clock::Boot;
use crate::control::{Operator, steer};
use crate::launch::sim::{Sim, key};
use crate::lock::lock;
use crate::pipeline::tests::stage::{Stage, caller, log_in, person, policy};
use crate::standing::Standing;

fn opened(directory: &Path, handovers: &[Handover]) -> (Ledger, Arc<Standing>) {
    let (standing, boot) = (Arc::new(Standing::new()), Boot::read().unwrap());
    let (ledger, _) =
        Ledger::open(directory, boot, Arc::clone(&standing), &policy(""), handovers, |_, _| vec![]).unwrap();
    (ledger, standing)
}

fn head_of(note: &str) -> TreeHead {
    let (note, checkpoint) = read(note).unwrap();
    note.verify(std::slice::from_ref(key().verifier())).unwrap();
    checkpoint.head
}

async fn write(ledger: &Ledger, count: u64) {
    for _ in 0..count {
        ledger.write(Draft::end(&ledger.stamp(&policy("")), "test")).await.unwrap();
    }
}

#[tokio::test]
async fn a_checkpoint_covers_all_and_is_made_once() {
    let directory = log_in();
    let (ledger, standing) = opened(directory.path(), &[]);
    let sim = Sim::new();
    write(&ledger, 3).await;
    let first = ledger.checkpoint(&*sim).await.unwrap();
    assert_eq!(head_of(&first), ledger.head().await.unwrap());
    assert_eq!(head_of(&first).size, 3);
    assert_eq!(ledger.checkpoint(&*sim).await.unwrap(), first, "nothing new, nothing signed");
    assert_eq!(sim.asked(), ["sign"]);
    write(&ledger, 2).await;
    assert_eq!(head_of(&ledger.checkpoint(&*sim).await.unwrap()).size, 5);
    assert_eq!(standing.state(), RunState::Green);
}

#[tokio::test]
async fn a_launcher_that_remembers_more_than_the_log_says_where_to_begin() {
    let directory = log_in();
    let (ledger, _) = opened(directory.path(), &[]);
    let sim = Sim::new();
    write(&ledger, 3).await;
    // A note that was signed and then lost, for instance with the power.
    *lock(&sim.signed) = Some(ledger.head().await.unwrap());
    write(&ledger, 2).await;
    assert_eq!(head_of(&ledger.checkpoint(&*sim).await.unwrap()).size, 5);
    assert_eq!(sim.asked(), ["sign", "sign"]);
}

#[tokio::test]
async fn a_refusal_turns_amber_and_requests_go_on() {
    let directory = log_in();
    let (ledger, standing) = opened(directory.path(), &[]);
    let sim = Sim::new();
    write(&ledger, 3).await;
    *lock(&sim.signed) = Some(TreeHead { size: 2, root: countersign_core::digest::Digest::ZERO });
    assert_eq!(ledger.checkpoint(&*sim).await.unwrap_err().code, Code::AuditUnavailable);
    assert_eq!(standing.state(), RunState::Amber);
    write(&ledger, 1).await;
}

#[tokio::test]
async fn a_key_that_cannot_be_used_is_a_notice_until_it_can() {
    let directory = log_in();
    let (ledger, standing) = opened(directory.path(), &[]);
    let sim = Sim::new();
    write(&ledger, 3).await;
    *lock(&sim.keyless) = true;
    for _ in 0..2 {
        let failure = ledger.checkpoint(&*sim).await.unwrap_err();
        assert!(failure.sentence.contains("countersignd(8)"), "{}", failure.sentence);
        assert_eq!(standing.notices.all(), [failure.sentence]);
        assert_eq!(standing.state(), RunState::Green);
        assert!(ledger.has_what_was_signed().is_ok(), "nobody says that it is another log");
    }
    *lock(&sim.keyless) = false;
    ledger.checkpoint(&*sim).await.unwrap();
    assert!(standing.notices.all().is_empty());
}

async fn steered(stage: &Stage, act: Steering) -> Result<(), Failure> {
    let root = caller(0);
    let operator = Operator { caller: &root, person: person(0), dialog: Dialog::Never };
    steer(&stage.pipeline, &operator, act, "it looks well").await
}

#[tokio::test]
async fn no_word_of_an_operator_makes_another_history_the_one_that_was_signed() {
    let stage = Stage::new("");
    let (ledger, standing) = (&stage.pipeline.ledger, &stage.pipeline.standing);
    write(ledger, 3).await;
    *lock(&stage.launcher.signed) = Some(TreeHead { size: 2, root: countersign_core::digest::Digest::ZERO });
    ledger.checkpoint(&*stage.launcher).await.unwrap_err();
    steered(&stage, Steering::Hold).await.unwrap();
    for _ in 0..2 {
        let before = ledger.head().await.unwrap().size;
        assert_eq!(steered(&stage, Steering::Resume).await.unwrap_err().code, Code::AuditUnavailable);
        assert_eq!(standing.state(), RunState::Amber);
        assert_eq!(standing.notices.all().len(), 2, "the hold stays as well: {:?}", standing.notices.all());
        assert_eq!(ledger.head().await.unwrap().size, before + 1, "that it was refused is recorded");
    }
    // The history that was signed is forgotten, and this one is.
    *lock(&stage.launcher.signed) = None;
    ledger.checkpoint(&*stage.launcher).await.unwrap();
    assert_eq!(standing.state(), RunState::Amber, "no signature makes it milder by itself");
    steered(&stage, Steering::Resume).await.unwrap();
    assert_eq!((standing.state(), standing.notices.all()), (RunState::Green, vec![]));
}

#[tokio::test]
async fn sixty_four_records_are_due_and_sixty_three_are_not() {
    let directory = log_in();
    let (ledger, _) = opened(directory.path(), &[]);
    let sim = Sim::new();
    ledger.checkpoint(&*sim).await.unwrap();
    let due = || tokio::time::timeout(Duration::from_millis(20), ledger.checkpoints.due.notified());
    write(&ledger, RECORDS.saturating_sub(1)).await;
    assert!(due().await.is_err());
    write(&ledger, 1).await;
    assert!(due().await.is_ok());
}

#[tokio::test]
async fn a_receipt_is_proven_and_only_what_is_there() {
    let directory = log_in();
    let (ledger, _) = opened(directory.path(), &[]);
    let sim = Sim::new();
    let mut receipts = Vec::new();
    for _ in 0..9 {
        receipts.push(ledger.write(Draft::end(&ledger.stamp(&policy("")), "test")).await.unwrap());
    }
    let known = [key().verifier().clone()];
    for receipt in &receipts {
        let text = ledger.evidence(&*sim, receipt.seq).await.unwrap().to_string();
        let evidence = Evidence::parse(text.as_bytes()).unwrap();
        assert!(evidence.check(&receipt.hash, &known).is_ok());
        assert!(evidence.check(&tree::leaf(b"another"), &known).is_err());
    }
    for entry in [0, 10, u64::MAX] {
        assert_eq!(ledger.evidence(&*sim, entry).await.unwrap_err().code, Code::InvalidRequest, "{entry}");
    }
    assert_eq!(ledger.consistency(3, 9).await.unwrap().len(), 5);
    for (old, new) in [(3, 10), (9, 3), (u64::MAX, u64::MAX)] {
        assert_eq!(ledger.consistency(old, new).await.unwrap_err().code, Code::InvalidRequest, "{old} to {new}");
    }
}

#[tokio::test]
async fn a_change_of_the_key_is_kept_and_recorded_once() {
    let directory = log_in();
    let sim = Sim::new();
    let head = {
        let (ledger, _) = opened(directory.path(), &[]);
        write(&ledger, 3).await;
        let note = ledger.checkpoint(&*sim).await.unwrap();
        ledger.close().await;
        head_of(&note)
    };
    let next = SigningKey::from_seed(Name::new("test/countersign").unwrap(), &[4; 32]);
    let note = Checkpoint::handover(key().verifier().name().clone(), head, next.verifier()).sign(&key()).unwrap();
    let by = StopNote { time: Moment::from_millis(1), who: "root".to_owned(), why: "yearly".to_owned() };
    let handovers = [Handover { note: note.to_string(), old: key().verifier().to_string(), by }];
    for _ in 0..2 {
        let (ledger, _) = opened(directory.path(), &handovers);
        assert_eq!(ledger.head().await.unwrap().size, 4, "its record came once");
        let newest = ledger.look(|store| store.newest_checkpoint()).await.unwrap();
        assert_eq!(newest, Some((3, note.to_string())));
        ledger.close().await;
    }
}
