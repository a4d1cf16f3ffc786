//! A log whose key changed: one key is enough to believe all of it, and the old one signs nothing more.

use countersign_core::checkpoint::Checkpoint;
use countersign_core::note::{Name, SigningKey};

use super::{State, denied};
use crate::{Report, Rule, Trust, verify};

pub(super) fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(Name::new("log.example/handover").unwrap(), &[seed; 32])
}

/// A log with a checkpoint of key 1, one that names key 2, and one of this key.
fn log(last: &SigningKey) -> State {
    let state = State::new();
    let mut store = state.open();
    let name = key(1).verifier().name().clone();
    store.append(&[denied(1)]).unwrap();
    let head = store.tree();
    let (first, next) =
        (Checkpoint::new(name.clone(), head), Checkpoint::handover(name.clone(), head, key(2).verifier()));
    for checkpoint in [first, next] {
        store.keep(&head, &checkpoint.sign(&key(1)).unwrap().to_string()).unwrap();
    }
    store.append(&[denied(2)]).unwrap();
    let head = store.tree();
    store.keep(&head, &Checkpoint::new(name, head).sign(last).unwrap().to_string()).unwrap();
    state
}

fn verified(state: &State, known: &[u8]) -> Report {
    let keys = known.iter().map(|seed| key(*seed).verifier().clone()).collect();
    verify(&[state.path()], &Trust::in_keys(keys)).unwrap()
}

#[test]
fn who_believes_the_first_key_believes_the_one_that_it_names() {
    let state = log(&key(2));
    for known in [&[1_u8] as &[u8], &[1, 2], &[]] {
        let report = verified(&state, known);
        assert!(matches!(report, Report::Verified { entries: 2, .. }), "{known:?}: {report}");
    }
}

#[test]
fn a_key_that_handed_over_or_was_never_named_signs_nothing() {
    for last in [1, 3] {
        let state = log(&key(last));
        for known in [&[1_u8] as &[u8], &[1, 2]] {
            let report = verified(&state, known);
            assert!(matches!(&report, Report::Tampered { rule: Rule::Checkpoint, .. }), "{last}: {report}");
        }
    }
}
