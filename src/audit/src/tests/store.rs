//! The store on real directories: owners, modes, links, crashes, and what is refused.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

use countersign_core::digest::Digest;
use countersign_core::outcome::Ended;
use countersign_core::record::{Draft, Entry, Phase, Record, Stamp};
use countersign_core::request::RequestId;
use countersign_core::time::Moment;
use rusqlite::Connection;

use super::{State, denied, entries, intent, result, six, stamp, start};
use crate::{DATABASE, Direction, Flaw, Head, Log, Store, StoreError};

fn flaw(state: &State) -> (&'static str, Flaw) {
    match Store::open(state.path()) {
        Err(StoreError::NotOurs { name, flaw }) => (name, flaw),
        other => panic!("{other:?}"),
    }
}

#[test]
fn entries_are_numbered_chained_and_there_after_a_restart() {
    let state = State::new();
    let mut store = state.open();
    assert_eq!(store.head().unwrap(), Head { seq: 0, hash: Digest::ZERO });
    let mut written: Vec<Entry> = store.append(&six()).unwrap();
    written.extend(store.append(&[denied(7)]).unwrap());
    assert_eq!(store.append(&[]).unwrap(), vec![]);
    drop(store);
    let store = state.open();
    let read = entries(&store.reader().unwrap());
    assert_eq!(read, written);
    let mut prev = Digest::ZERO;
    for (seq, entry) in (1..).zip(&read) {
        let record = Record::parse(&entry.body).unwrap();
        assert_eq!((entry.seq, record.seq, record.prev), (seq, seq, prev));
        prev = entry.hash;
    }
    assert_eq!(store.head().unwrap(), Head { seq: 7, hash: prev });
}

#[test]
fn the_files_are_for_nobody_else() {
    let state = State::new();
    let mut store = state.open();
    store.append(&[start()]).unwrap();
    for file in fs::read_dir(state.path()).unwrap() {
        assert_eq!(file.unwrap().metadata().unwrap().mode() & 0o7777, 0o600);
    }
}

#[test]
fn a_place_that_others_have_a_hand_in_is_refused() {
    let state = State::new();
    fs::set_permissions(state.path(), fs::Permissions::from_mode(0o701)).unwrap();
    assert_eq!(flaw(&state), (".", Flaw::Mode));
    fs::set_permissions(state.path(), fs::Permissions::from_mode(0o700)).unwrap();
    chown(state.path(), Some(1), None).unwrap();
    assert_eq!(flaw(&state), (".", Flaw::Owner));
    chown(state.path(), Some(0), None).unwrap();
    assert!(Store::open(state.path()).is_ok());
    for name in [DATABASE, "audit.db-wal"] {
        let file = state.path().join(name);
        fs::OpenOptions::new().append(true).create(true).open(&file).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(flaw(&state), (name, Flaw::Mode));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        chown(&file, Some(1), None).unwrap();
        assert_eq!(flaw(&state), (name, Flaw::Owner));
        chown(&file, Some(0), None).unwrap();
        fs::hard_link(&file, state.path().join("second")).unwrap();
        assert_eq!(flaw(&state), (name, Flaw::Links));
        fs::remove_file(state.path().join("second")).unwrap();
        assert!(Store::open(state.path()).is_ok());
    }
}

#[test]
fn links_and_other_things_are_refused() {
    let (state, other) = (State::new(), State::with(&[start()]));
    symlink(other.database(), state.database()).unwrap();
    assert_eq!(flaw(&state), (DATABASE, Flaw::Kind));
    fs::remove_file(state.database()).unwrap();
    fs::create_dir(state.database()).unwrap();
    assert_eq!(flaw(&state), (DATABASE, Flaw::Kind));
    fs::remove_dir(state.database()).unwrap();
    symlink("/nowhere", state.journal()).unwrap();
    assert_eq!(flaw(&state), ("audit.db-wal", Flaw::Kind));
    let link = state.path().join("link");
    symlink(other.path(), &link).unwrap();
    assert!(matches!(Store::open(&link), Err(StoreError::NotOurs { name: ".", flaw: Flaw::Kind })));
    assert!(matches!(Store::open(&state.path().join("none")), Err(StoreError::File { name: ".", .. })));
}

#[test]
fn another_database_is_not_a_log() {
    let state = State::new();
    fs::write(state.database(), b"not a database at all, not a database at all").unwrap();
    fs::set_permissions(state.database(), fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(Store::open(state.path()), Err(StoreError::Corrupt { .. })));
    for sql in ["CREATE TABLE entries (seq INTEGER PRIMARY KEY, hash BLOB, body BLOB)", "CREATE TABLE x (y)"] {
        fs::remove_file(state.database()).unwrap();
        Connection::open(state.database()).unwrap().execute_batch(sql).unwrap();
        fs::set_permissions(state.database(), fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(Store::open(state.path()), Err(StoreError::Schema)), "{sql}");
    }
    for sql in ["DROP TRIGGER entries_never_go", "CREATE INDEX i ON entries (hash)", "PRAGMA user_version = 2"] {
        let state = State::with(&six());
        state.forge(sql);
        assert!(matches!(Store::open(state.path()), Err(StoreError::Schema)), "{sql}");
    }
}

#[test]
fn the_database_itself_refuses_to_change_an_entry() {
    let state = State::with(&six());
    let connection = Connection::open(state.database()).unwrap();
    for sql in [
        "UPDATE entries SET body = x'00' WHERE seq = 1",
        "UPDATE entries SET seq = 9 WHERE seq = 6",
        "DELETE FROM entries WHERE seq = 6",
        "DELETE FROM entries",
        "INSERT INTO entries VALUES (9, x'00', x'00')",
        "INSERT INTO entries (hash, body) VALUES (x'00', x'00')",
        "INSERT OR REPLACE INTO entries VALUES (6, x'00', x'00')",
        "REPLACE INTO entries VALUES (1, x'00', x'00')",
        "UPDATE head SET seq = 5",
        "UPDATE head SET seq = 6",
        "DELETE FROM head",
        "INSERT INTO head VALUES (2, 0, x'00')",
    ] {
        let error = connection.execute_batch(sql).unwrap_err().to_string();
        assert!(["entry", "head", "one = 1"].iter().any(|word| error.contains(word)), "{sql}: {error}");
    }
    assert!(super::check(state.path()).unwrap().is_verified());
}

#[test]
fn a_changed_end_is_noticed_at_the_start() {
    for sql in [
        "UPDATE entries SET body = CAST(replace(CAST(body AS TEXT), 'no', 'on') AS BLOB) WHERE seq = 6",
        "UPDATE entries SET hash = zeroblob(32) WHERE seq = 6",
        "DELETE FROM entries WHERE seq = 6",
        "DELETE FROM entries",
        "UPDATE head SET seq = 5",
        "DELETE FROM head",
    ] {
        let state = State::with(&six());
        state.forge(sql);
        assert!(matches!(Store::open(state.path()), Err(StoreError::Corrupt { .. })), "{sql}");
    }
}

#[test]
fn a_start_closes_what_an_earlier_run_left_open_and_only_once() {
    let state = State::new();
    let mut store = state.open();
    store.begin(&stamp(), &[start()]).unwrap();
    store.append(&[intent(1), intent(2), result(1), intent(3)]).unwrap();
    let open: Vec<_> = store.open_intents().unwrap().into_iter().map(|record| record.id.unwrap()).collect();
    assert_eq!(open, [2, 3].map(RequestId::from_random));
    drop(store);

    let mut store = state.open();
    let first = Draft::control(&stamp(), countersign_core::record::Act::Clear, "0", "checked");
    let begun = store.begin(&stamp(), &[first, start()]).unwrap();
    let records: Vec<Record> = begun.iter().map(|entry| Record::parse(&entry.body).unwrap()).collect();
    let phases: Vec<Phase> = records.iter().map(|record| record.phase).collect();
    assert_eq!(phases, [Phase::Clear, Phase::Start, Phase::Result, Phase::Result]);
    for (record, id) in records[2..].iter().zip([2, 3]) {
        assert_eq!((record.id, &record.ended), (Some(RequestId::from_random(id)), &Some(Ended::Interrupted)));
    }
    assert_eq!(store.open_intents().unwrap(), vec![]);
    assert_eq!(store.begin(&stamp(), &[start()]).unwrap().len(), 1);
    assert!(super::check(state.path()).unwrap().is_verified());
}

#[test]
fn one_finds_entries_by_number_by_request_and_in_either_order() {
    let state = State::with(&six());
    let log = Log::open(state.path()).unwrap();
    assert_eq!(log.get(3).unwrap(), Some(entries(&log)[2].clone()));
    assert_eq!((log.get(0).unwrap(), log.get(7).unwrap()), (None, None));
    let phases: Vec<Phase> =
        log.of_request(RequestId::from_random(1)).unwrap().iter().map(|record| record.phase).collect();
    assert_eq!(phases, [Phase::Intent, Phase::Result]);
    let mut newest = Vec::new();
    log.each(Direction::Backward, |entry| {
        newest.push(entry.seq);
        if newest.len() == 2 { std::ops::ControlFlow::Break(()) } else { std::ops::ControlFlow::Continue(()) }
    })
    .unwrap();
    assert_eq!(newest, [6, 5]);
    assert_eq!(log.open_intents().unwrap().len(), 1);
}

#[test]
fn what_was_acknowledged_is_in_a_copy_taken_at_that_moment() {
    let state = State::new();
    let mut store = state.open();
    for id in 0..40 {
        let acknowledged = store.append(&[denied(id)]).unwrap();
        let copy = State::new();
        for (from, to) in [(state.database(), copy.database()), (state.journal(), copy.journal())] {
            fs::copy(from, to).unwrap();
        }
        let log = Log::open(copy.path()).unwrap();
        assert_eq!(entries(&log).last(), acknowledged.last());
        assert!(super::check(copy.path()).unwrap().is_verified());
        assert_eq!(copy.open().head().unwrap().seq, acknowledged[0].seq);
    }
}

#[test]
fn reading_and_verifying_leave_no_trace() {
    let state = State::new();
    let mut store = state.open();
    store.append(&six()).unwrap();
    let look = || {
        let mut seen: Vec<_> = fs::read_dir(state.path())
            .unwrap()
            .map(|file| file.unwrap().path())
            .filter(|path| !path.ends_with("audit.db-shm"))
            .map(|path| (path.clone(), fs::read(&path).unwrap(), fs::metadata(&path).unwrap().mtime_nsec()))
            .collect();
        seen.sort();
        seen
    };
    let before = look();
    assert!(fs::metadata(state.journal()).unwrap().len() > 0);
    assert!(super::check(state.path()).unwrap().is_verified());
    assert_eq!(entries(&Log::open(&state.database()).unwrap()).len(), 6);
    assert_eq!(look(), before);
    store.checkpoint().unwrap();
    let before = look();
    assert_eq!(fs::metadata(state.journal()).unwrap().len(), 0);
    assert!(super::check(state.path()).unwrap().is_verified());
    assert_eq!(look(), before);
}

#[test]
fn the_records_since_a_time_are_the_newest_first_and_bounded() {
    let at = |time: u64| Stamp { time: Moment::from_millis(time), ..stamp() };
    // The clock went back before the third, which must not hide the second.
    let drafts: Vec<Draft> = [10, 30, 5, 20].map(|time| Draft::end(&at(time), "test")).into();
    let state = State::new();
    let mut store = state.open();
    store.append(&drafts).unwrap();
    let seqs = |time, most| -> Vec<u64> {
        let live = store.since(Moment::from_millis(time), most).unwrap();
        let still = Log::open(state.path()).unwrap().since(Moment::from_millis(time), most).unwrap();
        assert_eq!(live, still);
        live.iter().map(|record| record.seq).collect()
    };
    assert_eq!(seqs(20, 4), [4, 2]);
    assert_eq!(seqs(21, 4), [2]);
    assert_eq!(seqs(0, 2), [4, 3]);
    assert_eq!(seqs(0, 3), [4, 3, 2]);
    assert!(seqs(31, 4).is_empty() && seqs(0, 0).is_empty());
}
