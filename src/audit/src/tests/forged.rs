//! What must show: a log of two hundred records of every sort, changed in every way, and both verifiers asked. The second
//! one is `docs/verify.py`, which was made from the format's description alone.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use countersign_core::checkpoint::Checkpoint;
use countersign_core::code::{Code, Failure};
use countersign_core::digest::{Digest, canonical};
use countersign_core::note::{Name, SigningKey};
use countersign_core::outcome::{Ended, Layer, Outcome, Stream};
use countersign_core::policy::Taint;
use countersign_core::record::{Act, Draft, Judgement};
use countersign_core::time::Moment;
use countersign_core::tree::{Frontier, leaf};
use serde_json::Value;

use super::{State, case, check, denied, intent, stamp, start};
use crate::{Report, Rule, Trust, export, verify};

const RECORDS: usize = 200;

/// A driver for the second verifier: reads the edits of a log, one in a line, and prints what it says to each.
const DRIVER: &str = r#"
import contextlib, importlib.util, io, json, os, sys
sys.argv, (module, log, copy, note, key) = [""], sys.argv[1:]
spec = importlib.util.spec_from_file_location("verify", module)
with contextlib.suppress(SystemExit):
    verify = importlib.util.module_from_spec(spec); spec.loader.exec_module(verify)
key = verify.read(key)
trusted, lines = verify.signed(verify.read(note), key), open(log, "rb").read().splitlines(True)
for edit in map(json.loads, sys.stdin):
    with open(copy, "wb") as out: out.writelines([edit["head"].encode()] + lines[edit["base"] + 1:edit["from"]] + [l.encode() for l in edit["with"]] + lines[edit["to"]:])
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said): verify.verify([copy], *((trusted, key) if edit["trust"] else (None, None)))
        print(json.dumps(said.getvalue().strip()))
    except SystemExit as end: print(json.dumps(str(end.code)))
"#;

/// A log as an export, signed over all of it.
struct Signed {
    state: State,
    lines: Vec<String>,
    /// The first lines of exports that go on behind each entry.
    heads: Vec<String>,
    trust: Trust,
}

/// Lines that take the place of others, and the entry at which that must be found. What is before `base` is left out, as
/// in a log whose older segments were moved away.
struct Edit {
    base: usize,
    from: usize,
    to: usize,
    with: Vec<String>,
    trust: bool,
    found: Option<u64>,
}

fn drafts() -> Vec<Draft> {
    let failure = Failure::new(Code::Denied, "No: “never” \u{1}\\ \"here\" \u{7f}");
    let stream = Stream { sha256: Digest::of(b"out"), length: 3, truncated: false };
    let ended = |ended| Outcome {
        ended,
        enforced: vec![Layer { step: "landlock".to_owned(), gives: "abi 7".to_owned() }],
        started: Moment::from_millis(1),
        duration_us: 2,
        cpu_us: 3,
        peak_kib: 4,
    };
    let of_one = |id: u128| {
        let intent = intent(id).with_taint(Taint::Tainted);
        let result = intent.record().result(&stamp());
        let result = match id % 3 {
            0 => intent.record().interrupted(&stamp()),
            1 => result.with_outcome(&ended(Ended::Signalled(9))).with_streams(&stream, &stream),
            _ => result.with_outcome(&ended(Ended::NotConfined { step: "seccomp".to_owned(), errno: 1 })),
        };
        vec![
            start(),
            Draft::load(&stamp()).with_failure(&failure),
            Draft::planned(&stamp(), &case(id)).with_verdict(Judgement::Hold),
            denied(id),
            intent,
            result,
            Draft::control(&stamp(), Act::Stop, "0", "why"),
            Draft::rejected(&stamp(), case(id).request().caller(), &failure),
            Draft::end(&stamp(), "restart"),
        ]
    };
    (0..).flat_map(of_one).take(RECORDS).collect()
}

impl Signed {
    fn new() -> Self {
        let state = State::new();
        let mut store = state.open();
        store.append(&drafts()).unwrap();
        let key = SigningKey::from_seed(Name::new("example.com/log").unwrap(), &[7; 32]);
        let note = Checkpoint::new(key.verifier().name().clone(), store.tree()).sign(&key).unwrap().to_string();
        fs::write(state.path().join("note"), &note).unwrap();
        fs::write(state.path().join("key"), key.verifier().to_string()).unwrap();
        drop(store);
        let mut written = Vec::new();
        export(&[state.path()], &mut written).unwrap();
        fs::write(state.path().join("export"), &written).unwrap();
        let text = String::from_utf8(written).unwrap();
        let lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
        let heads = heads(&lines, &key);
        let trust = Trust::in_keys(vec![key.verifier().clone()]).with_checkpoint(note.as_bytes()).unwrap();
        Self { state, lines, heads, trust }
    }

    fn body(&self, seq: usize) -> Value {
        body(&self.lines[seq])
    }

    /// What this verifier says of each edit: the entry that it names, or none.
    fn ours(&self, edit: &Edit) -> Report {
        let copy = self.state.path().join("copy");
        let head = [self.heads[edit.base].clone()];
        let (before, after) = (&self.lines[edit.base + 1..edit.from], &self.lines[edit.to..]);
        let lines: Vec<&str> = head.iter().chain(before).chain(&edit.with).chain(after).map(String::as_str).collect();
        fs::write(&copy, lines.concat()).unwrap();
        if edit.trust { verify(&[&copy], &self.trust).unwrap() } else { check(&copy).unwrap() }
    }

    /// What the other one says of all of them.
    fn theirs(&self, edits: &[Edit]) -> Vec<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/verify.py");
        let files = ["export", "copy", "note", "key"].map(|name| self.state.path().join(name));
        let mut python = command().arg("-c").arg(DRIVER).arg(root).args(files).spawn().unwrap();
        let mut input = python.stdin.take().unwrap();
        let text: String = edits.iter().map(|edit| edit.line(&self.heads[edit.base])).collect();
        let feeder = std::thread::Builder::new().spawn(move || input.write_all(text.as_bytes()).unwrap()).unwrap();
        let output = python.wait_with_output().unwrap();
        feeder.join().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Both must find each edit where it is.
    fn both_find(&self, edits: &[Edit]) {
        let theirs = self.theirs(edits);
        assert_eq!(theirs.len(), edits.len());
        for (edit, theirs) in edits.iter().zip(theirs) {
            let what = format!("lines {}..{} with {:?}", edit.from, edit.to, edit.with);
            let ours = self.ours(edit);
            match (edit.found, &ours) {
                (Some(found), Report::Tampered { seq, .. }) => assert_eq!(*seq, found, "{what}: {ours}"),
                (None, Report::Verified { .. }) => {}
                (_, ours) => panic!("{what}: {ours}"),
            }
            let named = edit.found.map_or("ok (".to_owned(), |found| format!("entry {found} breaks"));
            assert!(theirs.starts_with(&named), "{what}: {theirs}");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test starts the second verifier")]
pub(super) fn command() -> Command {
    let mut command = Command::new("/usr/bin/python3");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

impl Edit {
    fn new(seqs: std::ops::Range<usize>, with: Vec<String>, found: usize) -> Self {
        Self { base: 0, from: seqs.start, to: seqs.end, with, trust: true, found: Some(u64::try_from(found).unwrap()) }
    }

    fn line(&self, head: &str) -> String {
        let Self { base, from, to, with, trust, .. } = self;
        let edit =
            serde_json::json!({"head": head, "base": base, "from": from, "to": to, "with": with, "trust": trust});
        edit.to_string() + "\n"
    }
}

fn body(line: &str) -> Value {
    serde_json::from_str::<Value>(line).unwrap()["body"].clone()
}

fn heads(lines: &[String], key: &SigningKey) -> Vec<String> {
    let mut tree = Frontier::default();
    let mut heads = vec![lines[0].clone()];
    for line in &lines[1..] {
        let hash = leaf(&canonical(&body(line)).unwrap());
        tree.append(hash, |_| {}).unwrap();
        let note = Checkpoint::new(key.verifier().name().clone(), tree.head()).sign(key).unwrap().to_string();
        let base = serde_json::json!({"hash": hash, "note": note, "peaks": tree.peaks(), "seq": tree.size()});
        heads.push(serde_json::json!({"base": base, "format": "countersign-log", "v": 1}).to_string() + "\n");
    }
    heads
}

/// Another value of the same sort.
fn other(value: &Value) -> Value {
    match value {
        Value::Null => Value::Bool(true),
        Value::Bool(yes) => Value::Bool(!yes),
        Value::Number(number) => Value::from(number.as_i64().unwrap() + 1),
        Value::String(text) => Value::String(format!("{text}x")),
        Value::Array(list) => list.iter().map(other).collect(),
        Value::Object(object) => object.iter().map(|(name, value)| (name.clone(), other(value))).collect(),
    }
}

fn line(body: &Value, hash: &str) -> String {
    let body = String::from_utf8(canonical(body).unwrap()).unwrap();
    format!("{{\"body\":{body},\"hash\":\"{hash}\"}}\n")
}

/// What somebody without the key can do at best: every entry from there on written anew, so that all fits.
fn rebuilt(signed: &Signed, from: usize, change: impl Fn(&mut Value)) -> Vec<String> {
    let mut prev: Option<String> = None;
    let mut lines = Vec::new();
    for seq in from..=RECORDS {
        let mut body = signed.body(seq);
        if let Some(prev) = prev {
            body["prev"] = prev.into();
        } else {
            change(&mut body);
        }
        let hash = leaf(&canonical(&body).unwrap()).to_string();
        lines.push(line(&body, &hash));
        prev = Some(hash);
    }
    lines
}

#[test]
fn every_edited_field_of_every_entry_is_found_and_located_by_both() {
    let signed = Signed::new();
    let mut edits = Vec::new();
    for seq in 1..=RECORDS {
        let body = signed.body(seq);
        let hash = leaf(&canonical(&body).unwrap()).to_string();
        for name in body.as_object().unwrap().keys() {
            let mut changed = body.clone();
            changed[name] = other(&body[name]);
            edits.push(Edit { base: (seq - 1) / 10 * 10, ..Edit::new(seq..seq + 1, vec![line(&changed, &hash)], seq) });
        }
        edits.push(Edit::new(seq..seq + 1, vec![line(&body, &Digest::ZERO.to_string())], seq));
    }
    assert!(edits.len() > RECORDS * 12, "{}", edits.len());
    signed.both_find(&edits);
}

#[test]
fn every_entry_dropped_doubled_or_swapped_is_found_and_located_by_both() {
    let signed = Signed::new();
    let mut edits = Vec::new();
    for seq in 1..=RECORDS {
        edits.push(Edit::new(seq..seq + 1, vec![], seq));
        edits.push(Edit::new(seq + 1..seq + 1, vec![signed.lines[seq].clone()], seq + 1));
        // The tail cut off there.
        edits.push(Edit::new(seq..RECORDS + 1, vec![], seq));
        if seq < RECORDS {
            let swapped = vec![signed.lines[seq + 1].clone(), signed.lines[seq].clone()];
            edits.push(Edit::new(seq..seq + 2, swapped, seq));
        }
    }
    signed.both_find(&edits);
}

#[test]
fn a_log_rebuilt_without_the_key_is_found_by_both_with_an_earlier_checkpoint() {
    let signed = Signed::new();
    let mut edits = Vec::new();
    for seq in (1..=RECORDS).step_by(9) {
        let lines = rebuilt(&signed, seq, |body| body["time"] = other(&body["time"]));
        // Nothing vouches for any entry apart, so all of them are in doubt.
        edits.push(Edit::new(seq..RECORDS + 1, lines.clone(), 1));
        // It fits so well that nobody sees it who knows nothing from elsewhere.
        edits.push(Edit { found: None, trust: false, ..Edit::new(seq..RECORDS + 1, lines, 1) });
    }
    signed.both_find(&edits);
}

#[test]
fn an_untouched_log_passes_both_and_a_torn_last_line_is_no_tampering() {
    let signed = Signed::new();
    let untouched = |base, trust| Edit { base, from: base + 1, to: base + 1, with: vec![], trust, found: None };
    signed.both_find(&[untouched(0, true), untouched(0, false), untouched(150, true), untouched(199, true)]);
    let last = &signed.lines[RECORDS];
    let cut = |trust| Edit { trust, ..Edit::new(RECORDS..RECORDS + 1, vec![last.chars().take(40).collect()], RECORDS) };
    assert!(matches!(signed.ours(&cut(false)), Report::Torn { entries: 199, .. }));
    // A checkpoint over it says that it was there.
    assert!(matches!(signed.ours(&cut(true)), Report::Tampered { seq: 200, rule: Rule::Checkpoint, .. }));
    assert!(signed.theirs(&[cut(false)])[0].starts_with("torn"));
}

#[test]
fn a_line_of_an_export_that_is_written_otherwise_is_found_and_located_by_both() {
    let signed = Signed::new();
    let line = |seq: usize| signed.lines[seq].trim_end().to_owned();
    let hash = |seq: usize| leaf(&canonical(&signed.body(seq)).unwrap()).to_string();
    let mut edits = Vec::new();
    for seq in [1, 88, RECORDS] {
        let (line, hash) = (line(seq), hash(seq));
        for other in [
            format!("{line} "),
            line.replacen("{\"body\":", "{\"body\": ", 1),
            line.replace(&hash, &hash.to_uppercase()),
            line.replacen("{\"body\":{", "{\"body\":{\"v\":1,", 1),
            format!(
                "{{\"hash\":\"{hash}\",\"body\":{}}}",
                String::from_utf8(canonical(&signed.body(seq)).unwrap()).unwrap()
            ),
            String::new(),
            "{\"comment\":\"none\"}".to_owned(),
            signed.lines[0].trim_end().to_owned(),
        ] {
            edits.push(Edit::new(seq..seq + 1, vec![format!("{other}\n")], seq));
        }
        edits.push(Edit::new(seq + 1..seq + 1, vec!["\n".to_owned()], seq + 1));
    }
    signed.both_find(&edits);
}

/// What the second verifier says when it is called as its first lines say.
pub(super) fn called(words: &[&Path]) -> (bool, String) {
    let verifier = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/verify.py");
    let output = command().stderr(Stdio::piped()).arg(verifier).args(words).output().unwrap();
    (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

#[test]
fn the_second_verifier_reads_any_number_of_segments_with_and_without_a_checkpoint_of_any_of_them() {
    let state = State::new();
    let mut store = state.open();
    let key = super::handover::key(1);
    let at = |name: &str| state.path().join(name);
    fs::write(at("key"), key.verifier().to_string()).unwrap();
    for size in [5, 10, 15] {
        super::segment::close(&mut store, 5);
        assert_eq!(store.tree().size, size);
        let note = Checkpoint::new(key.verifier().name().clone(), store.tree()).sign(&key).unwrap();
        fs::write(at(&format!("note-{size}")), note.to_string()).unwrap();
    }
    drop(store);
    let names: Vec<_> = super::segment::names(&state).into_iter().filter(|name| name.ends_with(".db")).collect();
    let files: Vec<_> = names.iter().map(|name| at(name)).collect();
    let files: Vec<&Path> = files.iter().map(|file| file.as_path()).collect();
    assert_eq!(files.len(), 4);
    for (several, entries) in [(&files[..1], 5), (&files[..3], 15), (&files[..], 15), (&files[1..], 15)] {
        let (fine, said) = called(several);
        assert!(fine && said.starts_with(&format!("ok ({entries} entries")), "{several:?}: {said}");
    }
    let with = |several: &[&Path], note: &str| called(&[several, &[&at(note), &at("key")]].concat());
    for note in ["note-5", "note-10", "note-15"] {
        let (fine, said) = with(&files, note);
        assert!(fine && said.starts_with("ok (15 entries"), "{note}: {said}");
    }
    for (several, note, says) in [
        (&files[..2], "note-15", "entry 11 breaks the rule checkpoint"),
        (&files[2..], "note-5", "the checkpoint is older"),
        (&[files[0], files[2]][..], "note-5", "entry 6 breaks the rule base"),
    ] {
        let (fine, said) = with(several, note);
        assert!(!fine && said.starts_with(says), "{several:?} {note}: {said}");
    }
}

#[test]
fn the_second_verifier_does_not_pass_over_entries_in_a_journal() {
    let state = State::new();
    let mut store = state.open();
    store.append(&drafts()).unwrap();
    let copy = State::new();
    fs::copy(state.database(), copy.database()).unwrap();
    fs::copy(state.journal(), copy.journal()).unwrap();
    let (fine, said) = called(&[&copy.database()]);
    assert!(!fine && said.contains("-wal"), "{said}");
}

#[test]
fn what_the_second_verifier_cannot_read_has_a_place() {
    let state = State::new();
    let copy = state.path().join("copy");
    for bytes in [&b"{\"base\":1}\n"[..], b"{\"base\":{},\"format\":\"countersign-log\",\"v\":2}\n", b"no log", b""] {
        fs::write(&copy, bytes).unwrap();
        let (fine, said) = called(&[&copy]);
        assert!(!fine && said.starts_with("entry 1 breaks the rule readable"), "{said}");
    }
}
