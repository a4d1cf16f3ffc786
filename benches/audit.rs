//! What the log costs: a durable record beside a bare SQLite commit on the same disk, many writers beside one, a checkpoint
//! and proofs at a thousand and at a million records, and verifying a million. Each figure has a limit; one that is
//! passed fails the run. `cargo bench -p benches --bench audit`; the files are made in the build directory.
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![expect(clippy::panic, clippy::unwrap_used, reason = "a measurement that cannot be taken ends the run")]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "it counts and divides, and panics anyway"
)]

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::num::NonZeroU64;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use countersign_audit::{Store, Trust, Writer, verify};
use countersign_core::argv::Argv;
use countersign_core::caller::{Caller, Gid, Uid};
use countersign_core::checkpoint::Checkpoint;
use countersign_core::classify::Rules;
use countersign_core::digest::Digest;
use countersign_core::environment::Environment;
use countersign_core::note::{Name, SigningKey};
use countersign_core::path::CleanPath;
use countersign_core::policy::{Mode, Ruleset};
use countersign_core::record::{Draft, Stamp};
use countersign_core::request::{Action, Claims, Narrowing, Request, RequestId};
use countersign_core::run_state::RunState;
use countersign_core::salt::Salt;
use countersign_core::time::Moment;
use rusqlite::Connection;

/// Commits that are timed one by one.
const COMMITS: usize = 1_000;
/// How much longer than a bare commit a record may take, at the middle and at the slowest hundredth.
const MOST_APPEND: f64 = 1.3;
/// How much more 64 writers must get done than one.
const LEAST_GROUP: f64 = 8.0;
const WRITERS: usize = 64;
/// How much longer a checkpoint may take at a million records than at a thousand; what is more is not noise.
const MOST_GROWTH: f64 = 2.0;
const FEW: u64 = 1_000;
const MANY: u64 = 1_000_000;
/// Records that are verified in a second.
const LEAST_VERIFIED: f64 = 300_000.0;
/// How much more memory a store of a million records may take than one of a thousand, in KiB.
const MOST_MEMORY: u64 = 4_096;
const SEGMENT: NonZeroU64 = NonZeroU64::MAX;

fn main() {
    // What `cargo test --benches` runs is not a measurement.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let place = Place::new();
    let mut failed = false;
    let mut limit = |name: &str, value: f64, good: bool, bound: f64| {
        println!("{name:<52}{value:>14.2}   limit {bound}{}", if good { "" } else { "   FAILED" });
        failed |= !good;
    };
    commits(&place, &mut limit);
    writers(&place, &mut limit);
    sizes(&place, &mut limit);
    drop(place);
    if failed {
        panic!("a figure is beyond its limit");
    }
}

type Limit<'a> = &'a mut dyn FnMut(&str, f64, bool, f64);

/// A directory that goes away with the run.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("audit-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn directory(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// One record of the usual sort and length.
fn draft(id: u64) -> Draft {
    let words = ["systemctl", "restart", "--no-block", "nginx.service"].map(str::to_owned);
    let action = Action {
        argv: Argv::new(words.to_vec()).unwrap(),
        cwd: CleanPath::new("/srv/example").unwrap(),
        env: Environment::new(BTreeMap::from([("LANG".to_owned(), "C.UTF-8".to_owned())])).unwrap(),
        stdin: None,
        timeout_ms: None,
    };
    let caller = Caller {
        uid: Uid::try_from(1000).unwrap(),
        gids: vec![Gid::try_from(1000).unwrap()],
        bus_name: ":1.42".to_owned().try_into().unwrap(),
        user: "agent".to_owned(),
        pid: 4_242,
        start_time: 99,
        exe: Some("/usr/bin/python3.11".to_owned()),
        unit: Some("session-1.scope".to_owned()),
        session: Some("1".to_owned()),
        login_uid: None,
        security_label: None,
    };
    let claims = Claims { agent: Some("helper".to_owned()), reason: Some("the configuration changed".to_owned()) };
    let id = RequestId::from_random(id.into());
    let request =
        Request::new(id, Salt::from_random([7; 16]), caller, action, claims, Narrowing::default(), Default::default())
            .unwrap();
    let stamp = Stamp {
        time: Moment::from_millis(1_700_000_000_000),
        boot_id: "c5bb4e4c-8f0e-4b0c-9b57-7a3c7a1d2f3e".to_owned(),
        monotonic_ms: 1_000_000,
        state: RunState::Green,
        mode: Mode::Guarded,
        ruleset: Ruleset { version: 1, digest: Digest::ZERO },
    };
    Draft::finished(&stamp, &request.classify(&Rules::parse(&[]).unwrap()))
}

/// Middle and slowest hundredth, in milliseconds.
fn spread(mut times: Vec<Duration>) -> (f64, f64) {
    times.sort();
    let at = |part: usize| times[times.len() * part / 100].as_secs_f64() * 1_000.0;
    (at(50), at(99))
}

/// A bare commit and a record in turn, so that both meet the same disk.
fn commits(place: &Place, limit: Limit<'_>) {
    let bare = Connection::open(place.directory("bare").join("bare.db")).unwrap();
    bare.pragma_update(None, "journal_mode", "WAL").unwrap();
    bare.pragma_update(None, "synchronous", "FULL").unwrap();
    bare.execute("CREATE TABLE entries (seq INTEGER PRIMARY KEY, hash BLOB NOT NULL, body BLOB NOT NULL) STRICT", ())
        .unwrap();
    let mut insert = bare.prepare("INSERT INTO entries (hash, body) VALUES (?1, ?2)").unwrap();
    let mut store = Store::open(&place.directory("one")).unwrap();
    let draft = draft(1);
    let body = draft.complete(1, Digest::ZERO).unwrap().body;
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..COMMITS {
        let begin = Instant::now();
        insert.execute(([7_u8; 32].as_slice(), body.as_slice())).unwrap();
        theirs.push(begin.elapsed());
        let begin = Instant::now();
        store.append(std::slice::from_ref(&draft)).unwrap();
        ours.push(begin.elapsed());
    }
    let ((bare_50, bare_99), (own_50, own_99)) = (spread(theirs), spread(ours));
    println!("a record has {} bytes", body.len());
    println!("bare commit: p50 {bare_50:.3} ms, p99 {bare_99:.3} ms; a record: p50 {own_50:.3} ms, p99 {own_99:.3} ms");
    for (name, own, bare) in [("p50", own_50, bare_50), ("p99", own_99, bare_99)] {
        let ratio = own / bare;
        limit(&format!("a record beside a bare commit, {name}, times"), ratio, ratio <= MOST_APPEND, MOST_APPEND);
    }
}

/// Records in a second from so many writers, each of which waits for its own.
fn rate(writer: &Writer, writers: usize, each: usize) -> f64 {
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..writers {
            scope.spawn(move || {
                let (sender, receiver) = channel();
                for _ in 0..each {
                    let sender = sender.clone();
                    let reply = move |entries: Result<Vec<_>, _>| sender.send(entries.unwrap().len()).unwrap();
                    writer.append(vec![draft(1)], Box::new(reply));
                    receiver.recv().unwrap();
                }
            });
        }
    });
    (writers * each) as f64 / begin.elapsed().as_secs_f64()
}

fn writers(place: &Place, limit: Limit<'_>) {
    let store = Store::open(&place.directory("many")).unwrap();
    let writer = Writer::start(store, SEGMENT).unwrap();
    let one = rate(&writer, 1, 500);
    let many = rate(&writer, WRITERS, 100);
    println!("one writer: {one:.0} records/s; {WRITERS} writers: {many:.0} records/s");
    limit("many writers beside one, times", many / one, many / one >= LEAST_GROUP, LEAST_GROUP);
}

/// Microseconds of one call, the middle of many.
fn cost(mut call: impl FnMut()) -> f64 {
    let times = (0..201).map(|_| {
        let begin = Instant::now();
        (0..10).for_each(|_| call());
        begin.elapsed() / 10
    });
    spread(times.collect()).0 * 1_000.0
}

/// What must not depend on the size.
struct Costs {
    head: f64,
    checkpoint: f64,
    proof: f64,
    memory: u64,
}

fn costs(store: &mut Store, size: u64) -> Costs {
    let before = memory();
    let head = cost(|| assert!(black_box(store.tree()).size > 0));
    let key = SigningKey::from_seed(Name::new("example.com/log").unwrap(), &[7; 32]);
    let mut notes = Vec::new();
    for _ in 0..51 {
        let begin = Instant::now();
        let tree = store.tree();
        store.consistency(size - 64, size).unwrap();
        let note = Checkpoint::new(key.verifier().name().clone(), tree).sign(&key).unwrap();
        // Keeping it is one commit, which costs what the disk costs.
        notes.push(begin.elapsed());
        store.keep(&tree, &note.to_string()).unwrap();
    }
    let proof = cost(|| drop(black_box(store.inclusion(size / 3, size).unwrap())));
    Costs { head, checkpoint: spread(notes).0 * 1_000.0, proof, memory: memory().saturating_sub(before) }
}

/// Resident memory in KiB.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn grow(store: &mut Store, to: u64) {
    let drafts: Vec<Draft> = (0..500).map(draft).collect();
    while store.tree().size < to {
        store.append(&drafts).unwrap();
    }
}

fn sizes(place: &Place, limit: Limit<'_>) {
    let directory = place.directory("large");
    let mut store = Store::open(&directory).unwrap();
    grow(&mut store, FEW);
    drop(store);
    let few = costs(&mut Store::open(&directory).unwrap(), FEW);
    let mut store = Store::open(&directory).unwrap();
    let begin = Instant::now();
    grow(&mut store, MANY);
    println!("in groups of 500: {:.0} records/s", (MANY - FEW) as f64 / begin.elapsed().as_secs_f64());
    drop(store);
    let begin = Instant::now();
    let mut store = Store::open(&directory).unwrap();
    println!("opening a million: {:.1} ms", begin.elapsed().as_secs_f64() * 1_000.0);
    let many = costs(&mut store, MANY);
    for (name, few, many) in [("head of the tree", few.head, many.head), ("inclusion proof", few.proof, many.proof)] {
        println!("{name}: {few:.1} µs at {FEW}, {many:.1} µs at {MANY}");
    }
    println!("checkpoint, proven and signed: {:.0} µs at {FEW}, {:.0} µs at {MANY}", few.checkpoint, many.checkpoint);
    let growth = many.checkpoint / few.checkpoint;
    limit("a checkpoint at a million beside a thousand, times", growth, growth <= MOST_GROWTH, MOST_GROWTH);
    println!("memory: {} KiB more at {FEW}, {} KiB more at {MANY}", few.memory, many.memory);
    let good = many.memory <= few.memory + MOST_MEMORY;
    limit("memory at a million beside a thousand, KiB", many.memory as f64, good, (few.memory + MOST_MEMORY) as f64);
    store.checkpoint().unwrap();
    drop(store);
    verified(&directory, limit);
}

fn verified(directory: &Path, limit: Limit<'_>) {
    let before = memory();
    let begin = Instant::now();
    let report = verify(&[directory], &Trust::default()).unwrap();
    let rate = MANY as f64 / begin.elapsed().as_secs_f64();
    assert!(report.is_verified(), "{report}");
    println!("memory of verifying: {} KiB more", memory().saturating_sub(before));
    limit("verified, records/s", rate, rate >= LEAST_VERIFIED, LEAST_VERIFIED);
}
