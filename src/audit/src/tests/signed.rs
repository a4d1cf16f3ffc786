//! What checkpoints vouch for: a log cut after every entry, checkpoints that are missing, doubled or of another place, too few
//! of them, and the salts beside the records. Both verifiers are asked.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use countersign_core::record::{Draft, Stamp};
use countersign_core::time::Moment;

use super::forged::command;
use super::handover::key;
use super::segment::{names, sign};
use super::{State, case_in, denied, stamp, start};
use crate::{Report, Rule, Store, Trust, export, verify};

/// Reads lists of files, one in a line, and prints what the second verifier says to each.
const DRIVER: &str = r#"
import contextlib, importlib.util, io, json, sys
sys.argv, (module, key) = [""], sys.argv[1:]
spec = importlib.util.spec_from_file_location("verify", module)
with contextlib.suppress(SystemExit):
    verify = importlib.util.module_from_spec(spec); spec.loader.exec_module(verify)
for case in map(json.loads, sys.stdin):
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said): verify.verify(case["files"], None, verify.read(key) if case["key"] else None)
        print(json.dumps(said.getvalue().strip()))
    except SystemExit as end: print(json.dumps(str(end.code)))
"#;

/// Whether the log's key is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Known,
    Unknown,
}

/// Copies of logs, and what each verifier must say of them.
struct Cases {
    directory: tempfile::TempDir,
    cases: Vec<(Vec<PathBuf>, Key, String, String)>,
}

impl Cases {
    fn new() -> Self {
        let directory = tempfile::tempdir_in("/dev/shm").unwrap();
        fs::write(directory.path().join("key"), key(1).verifier().to_string()).unwrap();
        Self { directory, cases: Vec::new() }
    }

    /// A new place for a file.
    fn place(&self) -> PathBuf {
        self.directory.path().join(self.cases.len().to_string())
    }

    /// Both must begin with these words.
    fn add(&mut self, files: Vec<PathBuf>, known: Key, ours: &str, theirs: &str) {
        self.cases.push((files, known, ours.to_owned(), theirs.to_owned()));
    }

    /// A copy of the database, changed, of which both must begin so.
    fn forged(&mut self, state: &State, sql: &str, known: Key, ours: &str, theirs: &str) {
        let copy = self.place();
        fs::copy(state.database(), &copy).unwrap();
        super::damage::forge(&copy, sql);
        self.add(vec![copy], known, ours, theirs);
    }

    fn hold(&self) {
        let theirs = self.theirs();
        assert_eq!(theirs.len(), self.cases.len());
        for ((files, known, ours, second), theirs) in self.cases.iter().zip(theirs) {
            let paths: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
            let said = verify(&paths, &trust(*known)).unwrap().to_string();
            assert!(said.starts_with(ours), "{files:?}, {known:?}: not {ours}: {said}");
            assert!(theirs.starts_with(second), "{files:?}, {known:?}: not {second}: {theirs}");
        }
    }

    fn theirs(&self) -> Vec<String> {
        let verifier = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/verify.py");
        let key = self.directory.path().join("key");
        let mut python = command().arg("-c").arg(DRIVER).arg(verifier).arg(key).spawn().unwrap();
        let mut input = python.stdin.take().unwrap();
        let line = |(files, known, ..): &(Vec<PathBuf>, Key, String, String)| {
            serde_json::json!({"files": files, "key": *known == Key::Known}).to_string() + "\n"
        };
        let text: String = self.cases.iter().map(line).collect();
        let feeder = std::thread::Builder::new().spawn(move || input.write_all(text.as_bytes()).unwrap()).unwrap();
        let output = python.wait_with_output().unwrap();
        feeder.join().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn trust(known: Key) -> Trust {
    match known {
        Key::Known => Trust::in_keys(vec![key(1).verifier().clone()]),
        Key::Unknown => Trust::default(),
    }
}

/// Adds so many entries, each third of which commits to something, and signs after every fifth.
fn fill(store: &mut Store, count: u128) {
    for id in 0..count {
        let draft = if id % 3 == 0 { hiding(id) } else { denied(id) };
        store.append(&[draft]).unwrap();
        if store.tree().size.is_multiple_of(5) {
            sign(store);
        }
    }
}

fn hiding(id: u128) -> Draft {
    let environment = BTreeMap::from([("LANG".to_owned(), "C.UTF-8".to_owned())]);
    let draft = Draft::planned(&stamp(), &case_in(id, environment));
    assert!(draft.opening().is_some());
    draft
}

/// 43 entries in one file, signed up to 40.
fn one_file() -> State {
    let state = State::new();
    let mut store = state.open();
    fill(&mut store, 43);
    state
}

/// Takes all entries from the end down to that one, and what goes with them; the head too if it is mended.
fn cut(after: u64, head: &str) -> String {
    format!(
        "DELETE FROM entries WHERE seq > {after}; DELETE FROM openings WHERE seq > {after};
         DELETE FROM subtrees WHERE ((place + 1) << level) > {after}; {head}"
    )
}

fn mended(after: u64) -> String {
    format!(
        "UPDATE head SET seq = {after}, hash = coalesce((SELECT hash FROM entries WHERE seq = {after}),
         (SELECT hash FROM base WHERE seq = {after}))"
    )
}

#[test]
fn a_database_cut_after_any_entry_says_where_while_its_checkpoints_are_there() {
    let (state, mut cases) = (one_file(), Cases::new());
    for after in 0..40 {
        let ours = format!(
            "entry {} breaks the rule checkpoint: expected 40 entries, as a checkpoint says, found {after} entries: \
             the log was cut after entry {after}",
            after + 1
        );
        let theirs = format!("entry {} breaks the rule checkpoint: 40 entries were signed and {after} are", after + 1);
        for (head, known) in [(mended(after), Key::Known), (String::new(), Key::Known), (mended(after), Key::Unknown)] {
            cases.forged(&state, &cut(after, &head), known, &ours, &theirs);
        }
    }
    // Beyond the last checkpoint only the head knows.
    for after in 40..43 {
        let (ours, theirs) = (format!("ok ({after} entries, the first 40 as signed"), format!("ok ({after} entries"));
        cases.forged(&state, &cut(after, &mended(after)), Key::Known, &ours, &theirs);
        let found = format!("entry {} breaks the rule head", after + 1);
        cases.forged(&state, &cut(after, ""), Key::Known, &found, &found);
    }
    cases.hold();
}

#[test]
fn segments_cut_after_any_entry_say_where_while_their_checkpoints_are_there() {
    let state = State::new();
    let mut store = state.open();
    for count in [10, 15, 10] {
        fill(&mut store, count);
        assert!(store.close_segment(super::segment::FOUR).unwrap());
    }
    fill(&mut store, 5);
    drop(store);
    let names: Vec<_> = names(&state).into_iter().filter(|name| name.ends_with(".db")).collect();
    assert_eq!(names.len(), 4);
    let mut cases = Cases::new();
    for after in 0..40_u64 {
        let (file, signed) = [(0, 10), (1, 25), (2, 35), (3, 40)].into_iter().find(|(_, last)| after < *last).unwrap();
        let cut_file = cases.place();
        fs::copy(state.path().join(&names[file]), &cut_file).unwrap();
        super::damage::forge(&cut_file, &cut(after, &mended(after)));
        let before = names[..file].iter().map(|name| state.path().join(name));
        let files: Vec<_> = before.chain([cut_file]).collect();
        let place = files.last().filter(|_| file > 0).map(|path| format!(" in {}", path.display())).unwrap_or_default();
        let ours = format!(
            "entry {} breaks the rule checkpoint{place}: expected {signed} entries, as a checkpoint says, found {after} \
             entries: the log was cut after entry {after}",
            after + 1
        );
        let theirs = format!("entry {} breaks the rule checkpoint: {signed} entries were signed", after + 1);
        cases.add(files, if after % 2 == 0 { Key::Known } else { Key::Unknown }, &ours, &theirs);
    }
    cases.hold();
}

/// The lines of an export of a log in one file.
fn exported(state: &State) -> Vec<String> {
    let mut written = Vec::new();
    export(&[state.path()], &mut written).unwrap();
    String::from_utf8(written).unwrap().split_inclusive('\n').map(str::to_owned).collect()
}

#[test]
fn an_export_cut_after_any_entry_says_where_while_its_checkpoints_are_there() {
    let (lines, mut cases) = (exported(&one_file()), Cases::new());
    for after in 0..40 {
        let (mut entries, copy) = (0, cases.place());
        let kept = lines.iter().filter(|line| {
            entries += u64::from(line.starts_with("{\"body\""));
            entries <= after || line.starts_with("{\"note\"")
        });
        fs::write(&copy, kept.map(String::as_str).collect::<String>()).unwrap();
        let begin = format!("entry {} breaks the rule checkpoint: ", after + 1);
        let ours = format!("{begin}expected 40 entries, as a checkpoint says, found {after} entries: the log was cut");
        cases.add(vec![copy], Key::Known, &ours, &format!("{begin}40 entries were signed and {after} are here"));
    }
    cases.hold();
}

#[test]
fn a_kept_checkpoint_says_after_which_entry_a_log_was_cut() {
    let state = one_file();
    let note = crate::Log::open(state.path()).unwrap().newest_checkpoint().unwrap().unwrap().1;
    let trust = trust(Key::Known).with_checkpoint(note.as_bytes()).unwrap();
    for after in 0..40 {
        let copy = State::new();
        fs::copy(state.database(), copy.database()).unwrap();
        copy.forge(&format!("{}; DELETE FROM checkpoints WHERE size > {after}", cut(after, &mended(after))));
        let said = verify(&[copy.path()], &trust).unwrap().to_string();
        let expected =
            format!("expected 40 entries, as a checkpoint says, found {after} entries: the log was cut after");
        assert!(said.starts_with(&format!("entry {} breaks the rule checkpoint: {expected}", after + 1)), "{said}");
    }
}

#[test]
fn a_checkpoint_that_is_gone_doubled_or_elsewhere_is_found() {
    let (state, mut cases) = (one_file(), Cases::new());
    for known in [Key::Known, Key::Unknown] {
        for number in 1..8 {
            let found = format!("entry {} breaks the rule checkpoint", (number + 1) * 5 + 1);
            let theirs = if known == Key::Known {
                format!("entry {} breaks", (number - 1) * 5 + 1)
            } else {
                "entry 1 ".to_owned()
            };
            cases.forged(&state, &format!("DELETE FROM checkpoints WHERE number = {number}"), known, &found, &theirs);
        }
        let doubled = "INSERT INTO checkpoints SELECT 9, size, note FROM checkpoints WHERE number = 8";
        let found = "entry 41 breaks the rule checkpoint";
        cases.forged(&state, doubled, known, &format!("{found}: expected each checkpoint once"), found);
        let moved = "UPDATE checkpoints SET size = 12 WHERE number = 2";
        let found = "entry 13 breaks the rule checkpoint";
        cases.forged(&state, moved, known, &format!("{found}: expected here a checkpoint over 12"), found);
        let early = "UPDATE checkpoints SET size = 7 WHERE number = 2";
        let found = "entry 8 breaks the rule checkpoint";
        cases.forged(&state, early, known, &format!("{found}: expected here a checkpoint over 7"), found);
        let lines = exported(&state);
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("{\"note\"")) {
            let size = lines[..at].iter().filter(|line| line.starts_with("{\"body\"")).count();
            let found = format!("entry {} breaks the rule checkpoint", size + 1);
            let copy = cases.place();
            fs::write(&copy, [&lines[..at], std::slice::from_ref(line), &lines[at..]].concat().concat()).unwrap();
            cases.add(vec![copy], known, &format!("{found}: expected each checkpoint once"), &found);
            let (copy, found) = (cases.place(), format!("entry {} breaks the rule checkpoint", size + 2));
            let later = [&lines[..at], &lines[at + 1..at + 2], std::slice::from_ref(line), &lines[at + 2..]];
            fs::write(&copy, later.concat().concat()).unwrap();
            cases.add(vec![copy], known, &format!("{found}: expected here a checkpoint over"), &found);
        }
    }
    cases.hold();
}

#[test]
fn what_a_segment_continues_is_named_where_its_checkpoint_was_changed() {
    let state = State::new();
    let mut store = state.open();
    fill(&mut store, 10);
    let five = store.tree();
    assert!(store.close_segment(super::segment::FOUR).unwrap() && five.size == 10);
    fill(&mut store, 3);
    drop(store);
    let (first, mut cases) = (state.path().join("audit-000000000001-000000000010.db"), Cases::new());
    let older = crate::base::Base::read(&rusqlite::Connection::open(&first).unwrap()).unwrap();
    assert!(older.note.is_empty());
    for known in [Key::Known, Key::Unknown] {
        for note in ["''", "'nonsense'", "replace(note, '10', '11')"] {
            for before in [vec![], vec![first.clone()]] {
                let copy = cases.place();
                fs::copy(state.database(), &copy).unwrap();
                super::damage::forge(&copy, &format!("UPDATE base SET note = {note}"));
                let place = if before.is_empty() { String::new() } else { format!(" in {}", copy.display()) };
                let ours = format!("entry 11 breaks the rule checkpoint{place}: expected in base.note the checkpoint");
                let files = before.into_iter().chain([copy]).collect();
                cases.add(files, known, &ours, "entry 11 breaks the rule checkpoint");
            }
        }
        let copy = cases.place();
        fs::copy(&first, &copy).unwrap();
        super::damage::forge(&copy, "UPDATE base SET note = 'nonsense'");
        let found = "entry 1 breaks the rule checkpoint";
        cases.add(vec![copy], known, &format!("{found}: expected in base.note"), found);
    }
    cases.hold();
}

#[test]
fn nothing_passes_for_signed_that_is_not() {
    let (state, mut cases) = (one_file(), Cases::new());
    let none = "not vouched for: no checkpoint is signed over any of 43 entries";
    cases.forged(&state, "DELETE FROM checkpoints", Key::Known, none, "not vouched for: the last 43 of 43");
    let unknown = "ok (43 entries, head";
    cases.forged(&state, "DELETE FROM checkpoints", Key::Unknown, unknown, unknown);
    cases.forged(&state, "", Key::Unknown, unknown, unknown);
    let signed = "ok (43 entries, the first 40 as signed";
    cases.forged(&state, "", Key::Known, signed, unknown);
    cases.hold();
    let said = verify(&[&state.database()], &trust(Key::Unknown)).unwrap().to_string();
    assert!(said.ends_with("), not checked against any signature"), "{said}");
    let said = verify(&[&state.database()], &trust(Key::Known)).unwrap().to_string();
    assert!(said.ends_with("), the last 3 not vouched for"), "{said}");
}

/// So many entries behind a checkpoint, one every so many milliseconds.
fn behind(count: u64, every: u64) -> State {
    let state = State::new();
    let mut store = state.open();
    store.append(&[start()]).unwrap();
    sign(&mut store);
    let at = |n| Stamp { time: Moment::from_millis(stamp().time.millis() + n * every), ..stamp() };
    store.append(&(0..count).map(|n| Draft::start(&at(n), "0.1.0")).collect::<Vec<_>>()).unwrap();
    state
}

#[test]
fn a_checkpoint_that_was_due_by_the_times_of_the_records_is_missed_by_both() {
    let mut cases = Cases::new();
    let mut states = Vec::new();
    for (count, every, due) in [
        (0, 0, false),
        (2, 70_000, false),
        (2, 70_001, true),
        (64, 1_000, false),
        (164, 100, false),
        (165, 100, true),
        (1_024, 0, false),
        (1_025, 0, true),
    ] {
        let state = behind(count, every);
        let (ours, theirs) = if due {
            let begin = format!("not vouched for: the last {count} of {}", count + 1);
            (begin.clone(), begin)
        } else {
            (format!("ok ({} entries, the first 1 as signed", count + 1), format!("ok ({}", count + 1))
        };
        cases.add(vec![state.database()], Key::Known, &ours, &theirs);
        // Who knows no key looks for no signature.
        cases.add(vec![state.database()], Key::Unknown, "ok (", "ok (");
        states.push(state);
    }
    cases.hold();
}

#[test]
fn a_salt_that_is_gone_of_another_form_or_for_nothing_is_found() {
    let (state, mut cases) = (one_file(), Cases::new());
    let found = |seq: u64| format!("entry {seq} breaks the rule opening");
    // The records 1, 4, 7 … have one.
    for seq in (1..43).step_by(3) {
        for (sql, place) in [
            (format!("DELETE FROM openings WHERE seq = {seq}"), seq),
            (format!("UPDATE openings SET salt = x'00' WHERE seq = {seq}"), seq),
            (format!("UPDATE openings SET salt = zeroblob(17) WHERE seq = {seq}"), seq),
            (format!("INSERT INTO openings VALUES ({}, zeroblob(16))", seq + 1), seq + 1),
            (format!("UPDATE openings SET seq = {} WHERE seq = {seq}", seq + 1), seq),
        ] {
            cases.forged(&state, &sql, Key::Known, &found(place), &found(place));
        }
    }
    for seq in [44, 1_000] {
        let beyond = format!("INSERT INTO openings VALUES ({seq}, zeroblob(16))");
        cases.forged(&state, &beyond, Key::Unknown, &found(44), &found(44));
    }
    let before = "INSERT INTO openings VALUES (0, zeroblob(16))";
    cases.forged(&state, before, Key::Unknown, &found(44), &found(1));
    cases.hold();
    let report = verify(&[state.path()], &Trust::default()).unwrap();
    assert!(matches!(report, Report::Verified { entries: 43, .. }) && Rule::Opening.name() == "opening");
}
