//! Segments: where they end, that the chain and the tree go on, and that a crash between any two steps loses nothing.

use std::fs;
use std::num::NonZeroU64;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc::channel;
use std::time::Duration;

use countersign_core::checkpoint::Checkpoint;
use countersign_core::record::Record;
use countersign_core::request::RequestId;
use countersign_core::tree::{ProveError, verify_consistency, verify_inclusion};

use super::handover::key;
use super::{State, denied, intent, stamp, start};
use crate::{Log, Store, StoreError, Writer};

pub(super) const FOUR: NonZeroU64 = NonZeroU64::new(4).unwrap();

/// Adds entries and closes the segment over them.
pub(super) fn close(store: &mut Store, count: u128) {
    store.append(&(0..count).map(denied).collect::<Vec<_>>()).unwrap();
    sign(store);
    assert!(store.close_segment(FOUR).unwrap());
}

/// Signs what is there, with key 1.
pub(super) fn sign(store: &mut Store) {
    let (signer, head) = (key(1), store.tree());
    let note = Checkpoint::new(signer.verifier().name().clone(), head).sign(&signer).unwrap();
    store.keep(&head, &note.to_string()).unwrap();
}

pub(super) fn names(state: &State) -> Vec<String> {
    let names = fs::read_dir(state.path()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| !name.ends_with("-wal") && !name.ends_with("-shm")).collect();
    names.sort();
    names
}

#[test]
fn a_segment_closes_with_enough_entries_at_a_checkpoint_over_the_last() {
    let state = State::new();
    let mut store = state.open();
    store.append(&[denied(1), denied(2), denied(3)]).unwrap();
    store.keep(&store.tree(), "three").unwrap();
    assert!(!store.close_segment(FOUR).unwrap(), "one too few");
    store.append(&[denied(4)]).unwrap();
    assert!(!store.close_segment(FOUR).unwrap(), "the last is not signed");
    store.keep(&store.tree(), "four").unwrap();
    assert!(store.close_segment(FOUR).unwrap());
    assert_eq!(names(&state), ["audit-000000000001-000000000004.db", "audit.db"]);
    assert!(!store.close_segment(FOUR).unwrap(), "the next one is empty");
    assert_eq!(store.newest_checkpoint().unwrap(), Some((4, "four".to_owned())));
}

#[test]
fn chain_and_tree_go_on_from_segment_to_segment() {
    let state = State::new();
    let mut store = state.open();
    close(&mut store, 5);
    let five = store.tree();
    close(&mut store, 7);
    store.append(&[denied(1)]).unwrap();
    drop(store);
    let mut store = state.open();
    store.append(&[denied(2)]).unwrap();
    let now = store.tree();
    assert_eq!((now.size, names(&state).len()), (14, 3));

    let last = |name: &str| Log::open(&state.path().join(name)).unwrap();
    let older = last("audit-000000000006-000000000012.db");
    let twelfth = older.get(12).unwrap().unwrap();
    let entry = Log::open(state.path()).unwrap().get(13).unwrap().unwrap();
    assert_eq!(Record::parse(&entry.body).unwrap().prev, twelfth.hash);
    verify_inclusion(&entry.hash, 12, &now, &store.inclusion(13, 14).unwrap()).unwrap();
    verify_inclusion(&twelfth.hash, 11, &older_head(&store), &older.inclusion(12, 12).unwrap()).unwrap();
    // What was signed at the end of a segment is the begin of all that follows.
    verify_consistency(&older_head(&store), &now, &store.consistency(12, 14).unwrap()).unwrap();
    verify_consistency(&five, &older_head(&store), &older.consistency(5, 12).unwrap()).unwrap();

    fn older_head(store: &Store) -> countersign_core::tree::TreeHead {
        let head = store.head_at(12).unwrap();
        assert_eq!(head.size, 12);
        head
    }
}

#[test]
fn a_crash_between_any_two_steps_loses_nothing() {
    let made = State::new();
    let mut store = made.open();
    close(&mut store, 4);
    drop(store);
    let (old, new) = (made.path().join("audit-000000000001-000000000004.db"), made.database());
    // Before the first rename, between the two, and with a new file that was only begun.
    for (files, entries) in [
        (vec![(&old, "audit.db"), (&new, "audit.new.db")], 4),
        (vec![(&old, "audit-000000000001-000000000004.db"), (&new, "audit.new.db")], 4),
    ] {
        let state = State::new();
        for (from, to) in &files {
            let to = state.path().join(to);
            fs::copy(from, &to).unwrap();
            fs::set_permissions(to, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let mut store = state.open();
        assert_eq!(store.append(&[denied(9)]).unwrap()[0].seq, entries + 1);
        assert!(!state.path().join("audit.new.db").exists());
    }
    let begun = State::new();
    fs::copy(&old, begun.database()).unwrap();
    fs::set_permissions(begun.database(), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(begun.path().join("audit.new.db"), b"half").unwrap();
    let mut store = begun.open();
    assert!(store.close_segment(FOUR).unwrap());
    assert_eq!(store.append(&[denied(9)]).unwrap()[0].seq, 5);
}

#[test]
fn a_segment_that_cannot_be_closed_goes_on() {
    let state = State::new();
    let mut store = state.open();
    store.append(&(0..4).map(denied).collect::<Vec<_>>()).unwrap();
    store.keep(&store.tree(), "four").unwrap();
    // The name that it would get is taken.
    fs::write(state.path().join("audit-000000000001-000000000004.db"), b"x").unwrap();
    assert!(matches!(store.close_segment(FOUR), Err(StoreError::File { .. })));
    assert_eq!(store.append(&[denied(9)]).unwrap()[0].seq, 5);
    assert!(!state.path().join("audit.new.db").exists());
    // A reader beside it postpones.
    let other = State::new();
    let mut store = other.open();
    store.append(&(0..4).map(denied).collect::<Vec<_>>()).unwrap();
    store.keep(&store.tree(), "four").unwrap();
    let reader = store.reader().unwrap();
    reader.head().unwrap();
    assert!(!store.close_segment(FOUR).unwrap_or(false));
    assert_eq!(store.append(&[denied(9)]).unwrap()[0].seq, 5);
}

#[test]
fn the_writer_closes_segments_by_itself() {
    let state = State::new();
    let writer = Writer::start(state.open(), FOUR).unwrap();
    let (sender, receiver) = channel();
    for _ in 0..3 {
        let sender = sender.clone();
        writer.append((0..5).map(denied).collect(), Box::new(|entries| drop(entries.unwrap())));
        writer.visit(Box::new(move |store| {
            let store = store.unwrap();
            store.keep(&store.tree(), "signed").unwrap();
            sender.send(store.tree().size).unwrap();
        }));
        receiver.recv().unwrap();
        std::thread::sleep(Duration::from_millis(300));
    }
    assert_eq!(names(&state).len(), 4, "{:?}", names(&state));
}

/// Every entry of every closed segment is proven as long as its file is there, and not with another file in its place.
#[test]
fn entries_of_closed_segments_are_proven_until_their_file_is_gone() {
    let state = State::new();
    let mut store = state.open();
    for count in [5, 7, 40, 300] {
        close(&mut store, count);
    }
    store.append(&[denied(1), denied(2)]).unwrap();
    let (now, log) = (store.tree(), store.reader().unwrap());
    let mut shown = 0;
    log.back(|entry| {
        for proof in [store.inclusion(entry.seq, now.size), log.inclusion(entry.seq, now.size)] {
            verify_inclusion(&entry.hash, entry.seq - 1, &now, &proof.unwrap()).unwrap();
        }
        let then = store.head_at(entry.seq).unwrap();
        verify_consistency(&then, &now, &store.consistency(entry.seq, now.size).unwrap()).unwrap();
        shown += 1;
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!((shown, now.size), (354, 354));

    let second = state.path().join("audit-000000000006-000000000012.db");
    fs::rename(&second, state.path().join("elsewhere")).unwrap();
    for seq in 6..=12 {
        assert!(matches!(store.inclusion(seq, 354), Err(ProveError::Subtree(StoreError::Earlier))), "{seq}");
    }
    // The last entries have no sibling there.
    assert!(store.inclusion(354, 354).is_ok() && store.inclusion(353, 354).is_ok());
    let mut back = Vec::new();
    log.back(|entry| {
        back.push(entry.seq);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!((back.first(), back.last()), (Some(&354), Some(&13)));

    fs::copy(state.path().join("audit-000000000001-000000000005.db"), &second).unwrap();
    let wrong = store.reader().unwrap().back(|_| ControlFlow::Continue(()));
    assert!(matches!(wrong, Err(StoreError::Corrupt { seq: Some(12), .. })), "{wrong:?}");
}

#[test]
fn an_intent_whose_segment_was_closed_meanwhile_is_closed_at_the_next_start() {
    let state = State::new();
    let mut store = state.open();
    store.begin(&stamp(), &[start()]).unwrap();
    store.append(&[intent(7), intent(8)]).unwrap();
    close(&mut store, 4);
    store.append(&[intent(7).record().interrupted(&stamp())]).unwrap();
    close(&mut store, 4);
    drop(store);
    let mut store = state.open();
    let open: Vec<_> = store.open_intents().unwrap().into_iter().map(|record| record.id).collect();
    assert_eq!(open, [Some(RequestId::from_random(8))]);
    assert_eq!(store.begin(&stamp(), &[start()]).unwrap().len(), 2);
    assert!(store.open_intents().unwrap().is_empty());
}
