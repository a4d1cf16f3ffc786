//! The verifier against real databases: every field, every byte and every way to drop, double or move an entry.

use std::fs;

use countersign_core::digest::Digest;
use countersign_core::record::{Draft, Record};
use countersign_core::tree;
use rusqlite::Connection;

use super::{State, check, denied, entries, intent, result, six, start};
use crate::{Log, Report, Rule, StoreError};

fn broken(state: &State) -> (u64, Rule) {
    match check(state.path()).unwrap() {
        Report::Tampered { seq, rule, .. } => (seq, rule),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_sound_log_is_verified_with_its_head() {
    let state = State::with(&six());
    let head = entries(&Log::open(state.path()).unwrap()).last().unwrap().hash;
    let report = check(&state.database()).unwrap();
    let root = state.open().tree().root;
    assert_eq!(report, Report::Verified { entries: 6, head, root, signed: 0, open: 1 });
    assert_eq!(report.to_string(), format!("ok (6 entries, head {head}), not checked against any signature"));
    assert_eq!(
        serde_json::to_string(&report).unwrap(),
        format!(r#"{{"outcome":"verified","entries":6,"head":"{head}","root":"{root}","signed":0,"open":1}}"#)
    );
    let empty = State::with(&[]);
    assert!(matches!(check(empty.path()).unwrap(), Report::Verified { entries: 0, head: Digest::ZERO, .. }));
}

#[test]
fn every_sort_of_forgery_is_found_and_named() {
    for (sql, seq, rule) in [
        ("UPDATE entries SET hash = zeroblob(32) WHERE seq = 2", 2, Rule::Hash),
        ("UPDATE entries SET body = x'' WHERE seq = 2", 2, Rule::Hash),
        ("UPDATE entries SET body = CAST(body || x'20' AS BLOB) WHERE seq = 3", 3, Rule::Hash),
        ("UPDATE entries SET hash = x'00' WHERE seq = 3", 3, Rule::Type),
        ("DELETE FROM entries WHERE seq = 1", 1, Rule::Sequence),
        ("DELETE FROM entries WHERE seq = 4", 4, Rule::Sequence),
        ("DELETE FROM entries WHERE seq = 6", 6, Rule::Head),
        ("DELETE FROM entries WHERE seq > 3", 4, Rule::Head),
        ("DELETE FROM entries", 1, Rule::Head),
        ("UPDATE entries SET seq = 9 WHERE seq = 6", 6, Rule::Sequence),
        ("UPDATE entries SET seq = 0 WHERE seq = 1", 1, Rule::Sequence),
        ("UPDATE entries SET seq = -1 WHERE seq = 2", 1, Rule::Type),
        ("INSERT INTO entries SELECT 7, hash, body FROM entries WHERE seq = 6", 7, Rule::Sequence),
        (
            "CREATE TEMP TABLE t AS SELECT * FROM entries WHERE seq IN (3, 4);
             UPDATE entries SET (hash, body) = (SELECT hash, body FROM t WHERE t.seq = 7 - entries.seq) WHERE seq IN (3, 4)",
            3,
            Rule::Sequence,
        ),
        ("UPDATE head SET seq = 5", 6, Rule::Head),
        ("UPDATE head SET seq = 7", 7, Rule::Head),
        ("UPDATE head SET hash = zeroblob(32)", 6, Rule::Head),
        ("DELETE FROM head", 7, Rule::Head),
        ("DROP TRIGGER entries_never_go", 7, Rule::Schema),
        ("PRAGMA application_id = 1", 7, Rule::Schema),
        ("DROP TABLE entries", 1, Rule::Readable),
        (
            "DROP TRIGGER entries_never_change; UPDATE entries SET hash = zeroblob(32) WHERE seq = 5",
            5,
            Rule::Hash,
        ),
    ] {
        let state = State::with(&six());
        state.forge(sql);
        assert_eq!(broken(&state), (seq, rule), "{sql}");
    }
}

/// Rewrites an entry with a hash that fits, as somebody would who knows how.
fn rewrite(state: &State, seq: u64, change: impl Fn(&str) -> String) {
    let entry = Log::open(state.path()).unwrap().get(seq).unwrap().unwrap();
    let body = change(std::str::from_utf8(&entry.body).unwrap());
    assert_ne!(body.as_bytes(), entry.body);
    let hash = tree::leaf(body.as_bytes());
    state.forge(&format!("UPDATE entries SET body = CAST('{body}' AS BLOB), hash = x'{hash}' WHERE seq = {seq}"));
}

#[test]
fn a_rewritten_entry_is_found_even_if_its_hash_fits() {
    for (seq, found) in [(3, (4, Rule::Chain)), (6, (6, Rule::Head))] {
        let state = State::with(&six());
        rewrite(&state, seq, |body| body.replace("\"error\":\"no\"", "\"error\":\"on\""));
        assert_eq!(broken(&state), found);
    }
    for (from, to, rule) in [
        ("\"seq\":3", "\"seq\":4", Rule::Sequence),
        ("\"error\":\"no\"", "\"error\": \"no\"", Rule::Form),
        ("\"error\":\"no\"", "\"error\":null", Rule::Form),
        ("\"error\":\"no\"", "\"error\":\"no\",\"extra\":1", Rule::Form),
        ("\"v\":1", "\"v\":2", Rule::Form),
        ("\"phase\":\"final\"", "\"phase\":\"start\"", Rule::Form),
        ("\"phase\":\"final\"", "\"phase\":\"result\"", Rule::Pair),
        ("\"prev\":\"", "\"prev\":\"0", Rule::Form),
    ] {
        let state = State::with(&six());
        rewrite(&state, 3, |body| body.replace(from, to));
        assert_eq!(broken(&state), (3, rule), "{to}");
    }
    let state = State::with(&six());
    let second = Record::parse(&Log::open(state.path()).unwrap().get(2).unwrap().unwrap().body).unwrap();
    rewrite(&state, 3, |body| {
        body.replace(&format!("\"prev\":\"{}", second_hash(&state)), &format!("\"prev\":\"{}", second.prev))
    });
    assert_eq!(broken(&state), (3, Rule::Chain));
}

fn second_hash(state: &State) -> Digest {
    Log::open(state.path()).unwrap().get(2).unwrap().unwrap().hash
}

#[test]
fn an_intent_has_one_result_and_a_result_one_intent() {
    for (drafts, seq) in [
        (vec![start(), result(1)], 2),
        (vec![start(), intent(1), intent(1)], 3),
        (vec![start(), intent(1), result(1), result(1)], 4),
        (vec![start(), intent(1), result(2)], 3),
    ] {
        assert_eq!(broken(&State::with(&drafts)), (seq, Rule::Pair));
    }
    assert!(check(State::with(&[intent(1), intent(2), result(2), result(1)]).path()).unwrap().is_verified());
}

#[test]
fn every_field_of_every_entry_is_covered() {
    let state = State::with(&six());
    for entry in entries(&Log::open(state.path()).unwrap()) {
        let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&entry.body).unwrap();
        for name in fields.keys() {
            let copy = State::new();
            fs::copy(state.database(), copy.database()).unwrap();
            let change = format!("json_remove(CAST(body AS TEXT), '$.{name}')");
            copy.forge(&format!("UPDATE entries SET body = CAST({change} AS BLOB) WHERE seq = {}", entry.seq));
            assert_eq!(broken(&copy), (entry.seq, Rule::Hash), "{name}");
        }
    }
}

#[test]
fn what_is_no_log_is_told_from_what_cannot_be_read() {
    let state = State::new();
    assert!(matches!(check(state.path()), Err(StoreError::Io(_) | StoreError::File { .. } | StoreError::Copy(_))));
    fs::write(state.database(), vec![b'x'; 8_192]).unwrap();
    assert_eq!(broken(&state), (1, Rule::Readable));
    fs::write(state.database(), b"").unwrap();
    assert_eq!(broken(&state), (1, Rule::Readable));
    fs::remove_file(state.database()).unwrap();
    Connection::open(state.database()).unwrap().execute_batch("CREATE TABLE x (y)").unwrap();
    assert_eq!(broken(&state), (1, Rule::Readable));
}

#[test]
fn a_large_entry_and_many_entries_are_verified_and_found() {
    let mut drafts: Vec<Draft> = (0..600).map(denied).collect();
    drafts.insert(300, denied(1_000).with_error(&"é".repeat(500)));
    let state = State::with(&drafts);
    assert!(check(state.path()).unwrap().is_verified());
    state.forge("UPDATE entries SET body = CAST(replace(CAST(body AS TEXT), 'é', 'e') AS BLOB) WHERE seq = 301");
    assert_eq!(broken(&state), (301, Rule::Hash));
}

#[test]
fn a_log_in_use_is_verified_as_it_is() {
    let state = State::new();
    let mut store = state.open();
    for id in 0..20 {
        store.append(&[denied(id)]).unwrap();
        assert!(
            matches!(check(state.path()).unwrap(), Report::Verified { entries, .. } if entries == u64::try_from(id).unwrap() + 1)
        );
    }
}

#[test]
fn the_written_format_names_every_member_and_every_rule() {
    let format = include_str!("../../../../docs/audit-format.md");
    let outcome = countersign_core::outcome::Outcome {
        ended: countersign_core::outcome::Ended::Exited(0),
        enforced: vec![countersign_core::outcome::Layer { step: "landlock".to_owned(), gives: "abi 7".to_owned() }],
        started: countersign_core::time::Moment::from_millis(1),
        duration_us: 1,
        cpu_us: 1,
        peak_kib: 1,
    };
    let stream = countersign_core::outcome::Stream { sha256: Digest::ZERO, length: 0, truncated: false };
    let act = countersign_core::record::Act::Stop;
    let mut drafts = six();
    drafts.push(intent(9).record().result(&super::stamp()).with_outcome(&outcome).with_streams(&stream, &stream));
    drafts.push(Draft::control(&super::stamp(), act, "0", "why"));
    for draft in drafts {
        let record = serde_json::to_value(draft.record()).unwrap();
        let inner = ["caller", "ruleset", "stdout", "executable"].map(|name| record.get(name).cloned());
        for object in inner.into_iter().flatten().chain([record]) {
            for name in object.as_object().unwrap().keys() {
                assert!(format.contains(&format!("`{name}`")), "{name}");
            }
        }
    }
    for rule in [
        Rule::Readable,
        Rule::Schema,
        Rule::Type,
        Rule::Sequence,
        Rule::Hash,
        Rule::Form,
        Rule::Chain,
        Rule::Pair,
        Rule::Head,
        Rule::Journal,
        Rule::Tree,
        Rule::Checkpoint,
        Rule::Opening,
    ] {
        assert!(format.contains(&format!("`{}`", rule.name())), "{rule:?}");
    }
}
