//! Every form of a log, damaged by hand: what is said of each is what somebody who looks for the damage needs.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::handover::key;
use super::segment::{FOUR, sign};
use super::{State, denied, intent, result, start};
use crate::{Store, Trust, export, verify};

/// Entries 1 to 5, 6 to 9 and 10 to 13 in three files; the last is signed up to 12, and not emptied of its journal.
fn log() -> (State, Store) {
    let state = State::new();
    let mut store = state.open();
    store.append(&[start(), intent(1), denied(2), result(1), denied(3)]).unwrap();
    sign(&mut store);
    assert!(store.close_segment(FOUR).unwrap());
    store.append(&[denied(4), intent(5), result(5), denied(6)]).unwrap();
    sign(&mut store);
    assert!(store.close_segment(FOUR).unwrap());
    store.append(&[denied(7), intent(8), denied(9)]).unwrap();
    sign(&mut store);
    store.append(&[denied(10)]).unwrap();
    (state, store)
}

const FIRST: &str = "audit-000000000001-000000000005.db";
const SECOND: &str = "audit-000000000006-000000000009.db";

/// A copy of all files, to be damaged.
fn copy(of: &Path) -> tempfile::TempDir {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    for file in fs::read_dir(of).unwrap() {
        let file = file.unwrap();
        if !file.file_name().to_string_lossy().ends_with("-shm") {
            fs::copy(file.path(), directory.path().join(file.file_name())).unwrap();
        }
    }
    directory
}

pub(super) fn forge(file: &Path, sql: &str) {
    let connection = Connection::open(file).unwrap();
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).unwrap();
    connection.execute_batch(sql).unwrap();
}

/// Changes a byte behind the first place where these bytes stand.
fn flip(file: &Path, at: &[u8]) {
    let mut bytes = fs::read(file).unwrap();
    let place = bytes.windows(at.len()).position(|part| part == at).unwrap();
    bytes[place + at.len()] ^= 1;
    fs::write(file, bytes).unwrap();
}

fn said(path: &Path) -> String {
    let keys = Trust::in_keys(vec![key(1).verifier().clone()]);
    verify(&[path], &keys).unwrap().to_string()
}

/// Damages a copy and holds what is said of it against its beginning and its parts.
fn told(name: &str, of: &Path, damage: impl FnOnce(&Path), begin: &str, parts: &[&str]) {
    let copy = copy(of);
    damage(copy.path());
    let said = said(copy.path());
    assert!(said.starts_with(begin), "{name}: {said}");
    for part in parts {
        assert!(said.contains(part), "{name} lacks {part}: {said}");
    }
}

const EDIT: &str =
    "UPDATE entries SET body = CAST(replace(CAST(body AS TEXT), '\"agent\"', '\"agenT\"') AS BLOB) WHERE seq = ";

#[test]
fn an_entry_in_any_file_of_a_segment_set_is_named_with_its_file() {
    let (state, _store) = log();
    assert!(said(state.path()).starts_with("ok (13 entries, the first 12 as signed, head "));
    for (file, at, last, after) in [(FIRST, 3, 5, 1), (SECOND, 7, 9, 6), ("audit.db", 11, 13, 10)] {
        let (signed, next) = (if last == 13 { 12 } else { last }, last + 1);
        for (sql, entry, rule, parts) in [
            (format!("{EDIT}{at}"), at, "hash", vec![]),
            (format!("UPDATE entries SET hash = zeroblob(32) WHERE seq = {at}"), at, "hash", vec!["found 0000"]),
            (format!("UPDATE entries SET hash = x'00' WHERE seq = {at}"), at, "type", vec!["32 bytes"]),
            (format!("DELETE FROM entries WHERE seq = {at}"), at, "sequence", vec![&*format!("expected {at}")]),
            (
                format!(
                    "UPDATE entries SET (hash, body) = (SELECT hash, body FROM entries WHERE seq = {at} - 1) WHERE seq = {at}"
                ),
                at,
                "sequence",
                vec![&*format!("expected {at}, found {}", at - 1)],
            ),
            (
                format!("DELETE FROM entries WHERE seq > {at}"),
                at + 1,
                "checkpoint",
                vec![&*format!("expected {signed} entries"), &*format!("found {at} entries: the log was cut after")],
            ),
            ("UPDATE head SET seq = seq + 1".to_owned(), next, "head", vec![&*format!("found entry {last} with hash")]),
            (
                "UPDATE checkpoints SET note = replace(note, 'A', 'B')".to_owned(),
                after,
                "checkpoint",
                vec!["does not match the text: the checkpoint, or an entry from"],
            ),
            (
                "INSERT INTO subtrees VALUES (4, 0, zeroblob(32))".to_owned(),
                next,
                "tree",
                vec!["expected 0 stored subtrees, found 1"],
            ),
            (
                "CREATE TABLE more (x)".to_owned(),
                next,
                "schema",
                vec!["expected nothing more, found more (CREATE TABLE more (x))"],
            ),
            (
                "DROP TRIGGER openings_never_change".to_owned(),
                next,
                "schema",
                vec!["expected openings_never_change (CREATE TRIGGER", "found nothing more"],
            ),
            ("PRAGMA user_version = 2".to_owned(), next, "schema", vec!["expected user_version 1, found 2"]),
        ] {
            let begin = format!("entry {entry} breaks the rule {rule} in ");
            let named: Vec<&str> = parts.into_iter().chain([file]).collect();
            told(&sql, state.path(), |copy| forge(&copy.join(file), &sql), &begin, &named);
        }
    }
}

#[test]
fn a_file_of_a_segment_set_is_named_where_it_is_the_damage() {
    let (state, _store) = log();
    let cut = |file: &'static str, by: usize| {
        move |copy: &Path| {
            let bytes = fs::read(copy.join(file)).unwrap();
            fs::write(copy.join(file), &bytes[..bytes.len() - by]).unwrap();
        }
    };
    let write = |file: &'static str, text: &'static str| move |copy: &Path| fs::write(copy.join(file), text).unwrap();
    let remove = |file: &'static str| move |copy: &Path| fs::remove_file(copy.join(file)).unwrap();
    let in_second = "entry 6 breaks the rule readable in ";
    let told =
        |name, damage: &dyn Fn(&Path), begin: &str, parts: &[&str]| told(name, state.path(), damage, begin, parts);
    told("text", &write(SECOND, "something else"), in_second, &[SECOND, "not a sound database"]);
    told("nothing in it", &write(SECOND, ""), in_second, &[SECOND, "found "]);
    told("cut", &cut(SECOND, 5_000), in_second, &[SECOND]);
    told(
        "gone",
        &remove(SECOND),
        "entry 6 breaks the rule sequence in ",
        &["audit.db", "a segment that begins with 10"],
    );
    // Of older files that were moved away nothing is said, as long as what follows is whole.
    told("moved away", &remove(FIRST), "ok (13 entries", &[]);
    let last = |copy: &Path| {
        fs::write(copy.join("audit.db"), "something else").unwrap();
        fs::remove_file(copy.join("audit.db-wal")).unwrap();
    };
    told("the last", &last, "entry 10 breaks the rule readable in ", &["audit.db", "not a sound database"]);
    let twice = |copy: &Path| {
        fs::copy(copy.join(FIRST), copy.join("audit-000000000014-000000000018.db")).unwrap();
    };
    told(
        "twice",
        &twice,
        "entry 6 breaks the rule sequence in ",
        &["014-", "expected 6, found a segment that begins with 1"],
    );
    let names = |copy: &Path| {
        for (from, to) in [(FIRST, "x"), (SECOND, FIRST), ("x", SECOND)] {
            fs::rename(copy.join(from), copy.join(to)).unwrap();
        }
    };
    told("names", &names, "ok (13 entries", &[]);
    told("flip", &|copy| flip(&copy.join(FIRST), b"unit-3"), "entry 5 breaks the rule hash in ", &[FIRST]);
    let journal = "entry 10 breaks the rule journal in ";
    told(
        "journal",
        &|copy| flip(&copy.join("audit.db-wal"), b"unit-7"),
        journal,
        &["audit.db", "a frame that was changed"],
    );
    told("torn", &cut("audit.db-wal", 1_000), "torn: entry 13 was not written to its end", &[]);
}

#[test]
fn a_line_of_an_export_is_named() {
    let (state, _store) = log();
    let mut text = Vec::new();
    export(&[state.path()], &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let whole: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let file = directory.path().join("export");
    let told = |name: &str, change: &dyn Fn(&mut Vec<String>), begin: &str| {
        let mut lines = whole.clone();
        change(&mut lines);
        assert!(name == "whole" || lines != whole, "{name} changes nothing");
        fs::write(&file, lines.concat()).unwrap();
        let said = said(&file);
        assert!(said.starts_with(begin), "{name}: {said}");
    };
    let swapped = |line: &mut String, from: &str, to: &str| *line = line.replacen(from, to, 1);
    told("whole", &|_| {}, "ok (13 entries");
    told("edit", &|lines| swapped(&mut lines[3], "\"agent\"", "\"agenT\""), "entry 3 breaks the rule hash: expected ");
    told("blank", &|lines| swapped(&mut lines[3], "\"boot_id\"", " \"boot_id\""), "entry 3 breaks the rule hash: ");
    told("drop", &|lines| drop(lines.remove(3)), "entry 3 breaks the rule sequence: expected 3, found 4");
    told("double", &|lines| lines.insert(3, lines[3].clone()), "entry 4 breaks the rule sequence: expected 4, found 3");
    told("swap", &|lines| lines.swap(3, 4), "entry 3 breaks the rule sequence: expected 3, found 4");
    let odd = "entry 3 breaks the rule type: expected an entry with its hash, or a checkpoint, found another line";
    told("no hash", &|lines| swapped(&mut lines[3], "\"hash\":\"", "\"hash\":\"x"), odd);
    told("another object", &|lines| lines[3] = "{}\n".to_owned(), odd);
    told("an empty line", &|lines| lines[3] = "\n".to_owned(), odd);
    let first = "entry 1 breaks the rule readable: expected what it continues, found another first line";
    told("another version", &|lines| swapped(&mut lines[0], "\"v\":1", "\"v\":2"), first);
    told("no first line", &|lines| drop(lines.remove(0)), first);
    told(
        "another begin",
        &|lines| swapped(&mut lines[0], ":\"0", ":\"1"),
        "entry 1 breaks the rule chain: expected 1000",
    );
    let note = "entry 1 breaks the rule checkpoint: expected ";
    told("a note", &|lines| swapped(&mut lines[6], "A", "B"), note);
    told(
        "a note moved",
        &|lines| lines.swap(6, 7),
        "entry 7 breaks the rule checkpoint: expected here a checkpoint over 6",
    );
    told("torn", &|lines| lines[16].truncate(50), "torn: entry 13 was not written to its end");
    // Only an earlier checkpoint tells of these, or nothing does: they are not part of the entries.
    told("the end", &|lines| lines.truncate(12), "ok (9 entries");
    told("no note", &|lines| drop(lines.remove(6)), "ok (13 entries");
}
