//! The stored tree: it is the one over the entries, its proofs hold, and what it costs does not depend on its size.

use countersign_core::record::Draft;
use countersign_core::tree::{Frontier, ProveError, TreeHead, leaf, verify_consistency, verify_inclusion};

use super::{State, denied, entries};
use crate::{Log, StoreError};

/// The heads of the tree after each entry, computed without the store.
pub(crate) fn heads(log: &Log) -> Vec<TreeHead> {
    let mut tree = Frontier::default();
    let mut heads = vec![tree.head()];
    for entry in entries(log) {
        tree.append(leaf(&entry.body), |_| {}).unwrap();
        heads.push(tree.head());
    }
    heads
}

fn many(count: u128) -> Vec<Draft> {
    (0..count).map(denied).collect()
}

#[test]
fn the_store_has_the_tree_over_its_entries_also_after_a_restart() {
    let state = State::new();
    for (count, total) in [(1, 1), (2, 3), (13, 16), (1, 17), (240, 257), (300, 557)] {
        let mut store = state.open();
        store.append(&many(count)).unwrap();
        let expected = *heads(&Log::open(state.path()).unwrap()).last().unwrap();
        assert_eq!((store.tree(), expected.size), (expected, total));
        drop(store);
        assert_eq!(state.open().tree(), expected);
    }
}

#[test]
fn a_failed_write_leaves_the_tree_as_it_was() {
    let state = State::with(&many(3));
    let mut store = state.open();
    let before = store.tree();
    state.forge("UPDATE head SET seq = 9");
    assert!(store.append(&many(1)).is_err());
    assert_eq!(store.tree(), before);
    state.forge("UPDATE head SET seq = 3");
    store.append(&many(1)).unwrap();
    assert_eq!(store.tree(), heads(&Log::open(state.path()).unwrap())[4]);
}

#[test]
fn every_proof_of_a_log_of_three_hundred_holds() {
    let state = State::with(&many(300));
    let log = Log::open(state.path()).unwrap();
    let (heads, entries, store) = (heads(&log), entries(&log), state.open());
    for size in [1_usize, 2, 15, 16, 17, 31, 32, 255, 256, 257, 300] {
        for seq in (1..=size).step_by(7) {
            let (at, of) = (u64::try_from(seq).unwrap(), u64::try_from(size).unwrap());
            let proof = log.inclusion(at, of).unwrap();
            assert_eq!(proof, store.inclusion(at, of).unwrap());
            verify_inclusion(&leaf(&entries[seq - 1].body), at - 1, &heads[size], &proof).unwrap();
            assert!(verify_inclusion(&leaf(b"another"), at - 1, &heads[size], &proof).is_err());
            let proof = log.consistency(at, of).unwrap();
            verify_consistency(&heads[seq], &heads[size], &proof).unwrap();
        }
    }
    assert!(matches!(log.inclusion(0, 300), Err(ProveError::Beyond { .. })));
    assert!(matches!(log.inclusion(301, 300), Err(ProveError::Beyond { .. })));
    assert!(matches!(store.inclusion(301, 400), Err(ProveError::Beyond { .. })));
    assert!(matches!(log.consistency(301, 300), Err(ProveError::Beyond { .. })));
}

#[test]
fn only_a_head_of_this_tree_is_kept_as_a_checkpoint() {
    let state = State::with(&many(20));
    let heads = heads(&Log::open(state.path()).unwrap());
    let mut store = state.open();
    assert_eq!(store.newest_checkpoint().unwrap(), None);
    store.keep(&heads[7], "seven").unwrap();
    let wrong = TreeHead { size: 8, ..heads[7] };
    assert!(matches!(store.keep(&wrong, "wrong"), Err(StoreError::OtherTree)));
    let later = TreeHead { size: 21, ..heads[20] };
    assert!(matches!(store.keep(&later, "later"), Err(StoreError::OtherTree)));
    store.keep(&heads[20], "twenty").unwrap();
    assert!(matches!(store.keep(&heads[7], "older"), Err(StoreError::OtherTree)));
    store.keep(&heads[20], "by another key").unwrap();
    let newest = Some((20, "by another key".to_owned()));
    assert_eq!(state.open().newest_checkpoint().unwrap(), newest);
    assert_eq!(Log::open(state.path()).unwrap().newest_checkpoint().unwrap(), newest);
}
