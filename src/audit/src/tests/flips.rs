//! Every byte of a small log is changed, one at a time, and every eighth of those that are empty. Either that is found, or it provably changed nothing: the
//! same entries come out.

use std::fs;
use std::ops::Range;
use std::path::Path;

use super::{State, check, denied, entries, intent, result, start};
use crate::{DATABASE, Log, Report};

/// Changes each byte of the range; says how many changes were found and how many changed nothing.
fn flip(state: &State, file: &Path, range: Range<usize>) -> (usize, usize) {
    let expected = entries(&Log::open(state.path()).unwrap());
    let count = u64::try_from(expected.len()).unwrap();
    let original = fs::read(file).unwrap();
    let (mut found, mut harmless) = (0_usize, 0_usize);
    let mut bytes = original.clone();
    for at in range {
        let masks: &[u8] = match (original[at], file.ends_with(DATABASE)) {
            // Pages are mostly empty.
            (0, _) if at % 8 != 0 => &[],
            (0, _) | (_, false) => &[0xff],
            (_, true) => &[0x01, 0x80],
        };
        for mask in masks {
            bytes[at] = original[at] ^ mask;
            fs::write(file, &bytes).unwrap();
            match check(state.path()).unwrap() {
                Report::Verified { entries: verified, .. } => {
                    let read = entries(&Log::open(state.path()).unwrap());
                    assert_eq!((verified, &read), (count, &expected), "byte {at} ^ {mask}");
                    harmless += 1;
                }
                Report::Torn { .. } | Report::Unsigned { .. } => found += 1,
                Report::Tampered { seq, .. } => {
                    // In the journal a change is met where SQLite would stop, which is not after that entry.
                    let mut bodies = expected.iter().filter(|_| file.ends_with(DATABASE));
                    let inside = bodies.find(|entry| holds(&original, at, &entry.body));
                    let named = inside.map_or((1..=count + 1).contains(&seq), |entry| entry.seq == seq);
                    assert!(named, "byte {at} ^ {mask}: entry {seq}");
                    found += 1;
                }
            }
        }
        bytes[at] = original[at];
    }
    fs::write(file, &original).unwrap();
    assert!(check(state.path()).unwrap().is_verified());
    (found, harmless)
}

/// Whether this byte of the file is one of a body that lies there in one piece.
fn holds(file: &[u8], at: usize, body: &[u8]) -> bool {
    (at.saturating_sub(body.len() - 1)..=at).any(|begin| file[begin..].starts_with(body))
}

/// The same for the whole file, by two threads with a copy each.
fn flip_all(state: &State, name: &str) -> (usize, usize) {
    let length = fs::read(state.path().join(name)).unwrap().len();
    let half = |range: Range<usize>| {
        let copy = State::new();
        for file in fs::read_dir(state.path()).unwrap().map(|file| file.unwrap()) {
            fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
        }
        flip(&copy, &copy.path().join(name), range)
    };
    std::thread::scope(|scope| {
        let first = scope.spawn(|| half(0..length / 2));
        let second = half(length / 2..length);
        let first = first.join().unwrap();
        (first.0 + second.0, first.1 + second.1)
    })
}

#[test]
fn every_byte_of_the_database() {
    // The long one spills over into pages of its own.
    let long = denied(2).with_error(&"\u{1}".repeat(500));
    let state = State::with(&[start(), intent(1), long, result(1)]);
    let (found, harmless) = flip_all(&state, DATABASE);
    let content: usize = entries(&Log::open(state.path()).unwrap()).iter().map(|entry| entry.body.len() + 32).sum();
    assert!(found >= content * 2, "{found} found, {harmless} harmless, {content} bytes of content");
}

#[test]
fn every_byte_of_the_journal() {
    let live = State::new();
    let mut store = live.open();
    store.append(&[start(), intent(1)]).unwrap();
    store.append(&[result(1)]).unwrap();
    let copy = State::new();
    fs::copy(live.database(), copy.database()).unwrap();
    fs::copy(live.journal(), copy.journal()).unwrap();
    let (_, harmless) = flip_all(&copy, "audit.db-wal");
    // The checkpoint counter in the header is summed too; nothing in a journal is without a checksum.
    assert_eq!(harmless, 0);
}

#[test]
fn a_journal_that_ends_too_early_is_torn_and_not_tampered_with() {
    let live = State::new();
    let mut store = live.open();
    store.append(&[start(), denied(1)]).unwrap();
    store.append(&[denied(2)]).unwrap();
    let whole = fs::read(live.journal()).unwrap();
    let copy = State::new();
    let mut seen = std::collections::BTreeSet::new();
    for length in (0..whole.len()).step_by(7) {
        fs::copy(live.database(), copy.database()).unwrap();
        fs::write(copy.journal(), &whole[..length]).unwrap();
        match check(copy.path()).unwrap() {
            Report::Verified { entries, .. } => seen.insert(("verified", entries)),
            Report::Torn { entries, .. } => seen.insert(("torn", entries)),
            other @ (Report::Tampered { .. } | Report::Unsigned { .. }) => panic!("cut at {length}: {other}"),
        };
    }
    assert!(seen.contains(&("torn", 0)) && seen.contains(&("torn", 2)), "{seen:?}");
}

#[test]
fn what_a_crash_left_in_the_journal_is_gone_after_the_next_start() {
    let live = State::new();
    let mut store = live.open();
    store.append(&[start(), intent(1)]).unwrap();
    store.append(&[result(1), denied(2)]).unwrap();
    let copy = State::new();
    fs::copy(live.database(), copy.database()).unwrap();
    let whole = fs::read(live.journal()).unwrap();
    fs::write(copy.journal(), &whole[..whole.len() - 100]).unwrap();
    for file in [copy.database(), copy.journal()] {
        fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
    assert!(matches!(check(copy.path()).unwrap(), Report::Torn { entries: 2, .. }));
    let mut store = copy.open();
    store.begin(&super::stamp(), &[start()]).unwrap();
    assert!(matches!(check(copy.path()).unwrap(), Report::Verified { entries: 4, open: 0, .. }));
}
