//! Pages: every entry once, through segments that are closed meanwhile, and the writer never waits for a reader.

use std::fs;

use super::segment::{FOUR, close, names};
use super::{State, denied, six, start};
use crate::{Head, Pages, StoreError};

/// Every number from there on.
fn forward(pages: &mut Pages, mut seq: u64) -> Vec<u64> {
    let mut all = Vec::new();
    loop {
        let page = pages.after(seq).unwrap();
        let Some(last) = page.last() else { return all };
        seq = last.seq;
        all.extend(page.iter().map(|entry| entry.seq));
    }
}

/// Every number before that one.
fn back(pages: &mut Pages, mut seq: u64) -> Vec<u64> {
    let mut all = Vec::new();
    loop {
        let page = pages.before(seq).unwrap();
        let Some(last) = page.last() else { return all };
        seq = last.seq;
        all.extend(page.iter().map(|entry| entry.seq));
    }
}

fn everything(state: &State) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(state.path()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn all_entries_come_once_in_either_direction_through_all_segments() {
    let state = State::new();
    let mut store = state.open();
    for count in [5, 700, 40] {
        close(&mut store, count);
    }
    store.append(&(0..600).map(denied).collect::<Vec<_>>()).unwrap();
    let mut pages = Pages::of(state.path());
    assert_eq!((pages.begin().unwrap(), pages.head().unwrap()), (0, store.head().unwrap()));
    let all: Vec<u64> = (1..=1_345).collect();
    assert_eq!(forward(&mut pages, 0), all);
    assert_eq!(forward(&mut pages, 744), all[744..]);
    assert_eq!(back(&mut pages, 1_346), all.iter().rev().copied().collect::<Vec<_>>());
    assert_eq!(back(&mut pages, u64::MAX >> 1).len(), 1_345);
    assert_eq!((back(&mut pages, 1), back(&mut pages, 3)), (vec![], vec![2, 1]));
    assert_eq!(pages.extent().unwrap().segments, 4);
    assert_eq!(pages.newest_checkpoint().unwrap().map(|(size, _)| size), Some(745));
    // One segment alone begins where it begins.
    let mut third = Pages::of(&state.path().join("audit-000000000706-000000000745.db"));
    assert_eq!((third.begin().unwrap(), forward(&mut third, 705).len()), (705, 40));
    assert!(matches!(third.after(3), Err(StoreError::Missing { seq: 4 })));
}

#[test]
fn what_is_written_later_comes_later_and_the_writer_closes_its_segments_meanwhile() {
    let state = State::new();
    let mut store = state.open();
    store.append(&six()).unwrap();
    let mut pages = Pages::of(state.path());
    assert_eq!(forward(&mut pages, 0), [1, 2, 3, 4, 5, 6]);
    assert!(!pages.moved().unwrap(), "nothing happened");
    store.append(&[denied(7)]).unwrap();
    assert!(pages.moved().unwrap());
    assert_eq!(forward(&mut pages, 6), [7]);
    // A page is open in no database that is written, so the segment can be closed.
    close(&mut store, 4);
    assert!(pages.moved().unwrap());
    assert_eq!(forward(&mut pages, 7), [8, 9, 10, 11]);
    assert!(forward(&mut pages, 11).is_empty());
    store.append(&[denied(8)]).unwrap();
    assert_eq!(forward(&mut pages, 10), [11, 12]);
    // The broker ends, and another begins.
    drop(store);
    assert!(forward(&mut pages, 12).is_empty());
    state.open().append(&[start()]).unwrap();
    assert_eq!(forward(&mut pages, 12), [13]);
}

#[test]
fn a_segment_that_was_moved_away_is_said_to_be_missing() {
    let state = State::new();
    let mut store = state.open();
    for count in [5, 5, 5] {
        close(&mut store, count);
    }
    let mut pages = Pages::of(state.path());
    fs::remove_file(state.path().join("audit-000000000006-000000000010.db")).unwrap();
    assert_eq!(pages.after(0).unwrap().len(), 5);
    assert!(matches!(pages.after(5), Err(StoreError::Missing { seq: 6 })));
    assert_eq!(back(&mut pages, 16), [15, 14, 13, 12, 11]);
    fs::remove_file(state.path().join("audit-000000000001-000000000005.db")).unwrap();
    assert_eq!((pages.begin().unwrap(), forward(&mut pages, 10).len()), (10, 5));
    assert_eq!(names(&state), ["audit-000000000011-000000000015.db", "audit.db"]);
}

#[test]
fn a_log_that_became_shorter_is_told_of() {
    let state = State::with(&six());
    let mut pages = Pages::of(state.path());
    assert_eq!(pages.head().unwrap().seq, 6);
    fs::remove_file(state.database()).unwrap();
    state.open().append(&[start()]).unwrap();
    assert!(matches!(pages.after(6), Err(StoreError::Corrupt { seq: Some(7), .. })));
    let Head { seq, .. } = pages.head().unwrap();
    assert_eq!(seq, 1);
}

#[test]
fn reading_leaves_no_trace_whether_the_writer_ended_or_died() {
    let state = State::with(&six());
    assert_eq!(forward(&mut Pages::of(state.path()), 0).len(), 6);
    assert_eq!(everything(&state), ["audit.db"]);
    // As after a crash: a journal, and nothing else beside.
    let (dead, mut store) = (State::new(), state.open());
    store.append(&[denied(7)]).unwrap();
    fs::copy(state.database(), dead.database()).unwrap();
    fs::copy(state.journal(), dead.journal()).unwrap();
    let mut pages = Pages::of(dead.path());
    assert_eq!(forward(&mut pages, 0), [1, 2, 3, 4, 5, 6, 7]);
    assert!(!pages.moved().unwrap());
    assert_eq!(everything(&dead), ["audit.db", "audit.db-wal"]);
    // What is no log, or is not there.
    let strange = State::new();
    rusqlite::Connection::open(strange.database()).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    assert!(matches!(Pages::of(strange.path()).after(0), Err(StoreError::Schema)));
    assert!(Pages::of(State::new().path()).after(0).is_err());
    assert!(!store.close_segment(FOUR).unwrap(), "nobody asked for that");
}
