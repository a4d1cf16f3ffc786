//! Power loss and a disk that fails: what was said to be written is there afterwards, what was not is not said to be,
//! and the log goes on.

use std::collections::BTreeMap;
use std::fs;
use std::hash::BuildHasher;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, SeccompRule, TargetArch, apply_filter};

use super::{DATABASE, State, check, denied, intent, result, stamp, start};
use crate::{Report, Store, StoreError};

/// How often the machine loses its power.
const MOMENTS: usize = 200;
/// Names the directory in which the other process writes.
const CHILD: &str = "COUNTERSIGN_TEST_WRITES_IN";

/// From here on this thread's every fsync fails, as on a disk that is going.
fn fail_every_sync() {
    let calls = [libc::SYS_fsync, libc::SYS_fdatasync].map(|call| (call, Vec::<SeccompRule>::new()));
    let errno = SeccompAction::Errno(u32::try_from(libc::EIO).unwrap());
    let arch = TargetArch::try_from(std::env::consts::ARCH).unwrap();
    let filter = SeccompFilter::new(BTreeMap::from(calls), SeccompAction::Allow, errno, arch).unwrap();
    let program: BpfProgram = filter.try_into().unwrap();
    apply_filter(&program).unwrap();
}

#[test]
fn an_fsync_that_fails_fails_the_record_and_the_log_goes_on_when_the_disk_is_back() {
    let state = State::new();
    let mut store = state.open();
    store.append(&[start()]).unwrap();
    let before = (store.head().unwrap(), store.tree());
    let failing = std::thread::Builder::new().spawn(move || {
        fail_every_sync();
        for _ in 0..3 {
            assert!(matches!(store.append(&[denied(1)]), Err(StoreError::Io(_))));
        }
        store
    });
    let mut store = failing.unwrap().join().unwrap();
    assert_eq!((store.head().unwrap(), store.tree()), before);
    assert_eq!(store.append(&[denied(2)]).unwrap()[0].seq, 2);
    drop(store);
    assert!(matches!(check(state.path()).unwrap(), Report::Verified { entries: 2, .. }));
}

#[test]
fn a_segment_is_not_closed_on_a_disk_that_fails() {
    let state = State::new();
    let mut store = state.open();
    store.append(&[start(), denied(1)]).unwrap();
    store.keep(&store.tree(), "two").unwrap();
    let failing = std::thread::Builder::new().spawn(move || {
        fail_every_sync();
        assert!(store.close_segment(std::num::NonZeroU64::MIN).is_err());
        store
    });
    let mut store = failing.unwrap().join().unwrap();
    assert_eq!(store.append(&[denied(2)]).unwrap()[0].seq, 3);
    assert!(!state.path().join("audit.new.db").exists());
}

/// The other process: writes intents and results as fast as it can and says which are on the disk. In the process that
/// runs all tests it has nothing to do.
#[test]
fn the_process_that_writes() {
    let Some(directory) = std::env::var_os(CHILD) else { return };
    let mut store = Store::open(directory.as_ref()).unwrap();
    store.append(&[start()]).unwrap();
    for id in 0.. {
        store.append(&[intent(id)]).unwrap();
        println!("\nwritten {}", store.append(&[result(id)]).unwrap()[0].seq);
        if id % 8 == 0 {
            store.checkpoint().unwrap();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test starts itself as another process")]
fn writer(state: &State) -> Child {
    let itself = std::env::current_exe().unwrap();
    let arguments = ["--exact", "--nocapture", "tests::power::the_process_that_writes"];
    Command::new(itself).args(arguments).env(CHILD, state.path()).stdout(Stdio::piped()).spawn().unwrap()
}

/// Files as they are at this moment, in a directory of their own.
fn copy(state: &State) -> State {
    let copy = State::new();
    for name in [DATABASE, "audit.db-wal"] {
        let to = copy.path().join(name);
        fs::copy(state.path().join(name), &to).unwrap();
        fs::set_permissions(to, fs::Permissions::from_mode(0o600)).unwrap();
    }
    copy
}

#[test]
fn after_a_power_loss_at_any_moment_the_log_is_sound_and_every_intent_is_closed() {
    let mut moments = 0;
    while moments < MOMENTS {
        let state = State::new();
        let mut child = writer(&state);
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        // One process for some moments, so that the log stays short.
        for moment in 0..25_u64 {
            let written: u64 = said
                .by_ref()
                .find_map(|line| line.unwrap().strip_prefix("written ").map(|seq| seq.parse().unwrap()))
                .unwrap();
            std::thread::sleep(Duration::from_micros(moment * 97 % 1_000));
            kill(pid, Signal::SIGSTOP).unwrap();
            // It stops a little after it is told to.
            assert_eq!(waitpid(pid, Some(WaitPidFlag::WUNTRACED)).unwrap(), WaitStatus::Stopped(pid, Signal::SIGSTOP));
            let copy = copy(&state);
            let found = check(copy.path()).unwrap();
            assert!(matches!(found, Report::Verified { .. } | Report::Torn { .. }), "{found}");
            let mut store = copy.open();
            assert!(store.head().unwrap().seq >= written, "{written} was on the disk");
            store.begin(&stamp(), &[start()]).unwrap();
            assert!(store.open_intents().unwrap().is_empty());
            drop(store);
            assert!(matches!(check(copy.path()).unwrap(), Report::Verified { open: 0, .. }));
            moments += 1;
            kill(pid, Signal::SIGCONT).unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

/// A number that nobody chose, below `most`.
fn chance(most: u64) -> u64 {
    std::collections::hash_map::RandomState::new().hash_one(0) % most
}

#[test]
fn killed_at_two_hundred_moments_the_log_goes_on_and_every_intent_is_closed() {
    let (mut state, mut kills, mut interrupted) = (State::new(), 0, 0);
    while kills < MOMENTS {
        // A new one now and then, so that the log stays short.
        if kills % 25 == 0 {
            state = State::new();
        }
        let mut child = writer(&state);
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut lines = said.by_ref().filter_map(|line| line.ok()?.strip_prefix("written ")?.parse::<u64>().ok());
        let mut written = lines.next().unwrap();
        std::thread::sleep(Duration::from_micros(chance(4_000)));
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGKILL).unwrap();
        child.wait().unwrap();
        written = lines.last().unwrap_or(written);
        kills += 1;
        let found = check(state.path()).unwrap();
        assert!(matches!(found, Report::Verified { .. } | Report::Torn { .. }), "{found}");
        let mut store = Store::open(state.path()).unwrap();
        assert!(store.head().unwrap().seq >= written, "{written} was on the disk");
        interrupted += store.open_intents().unwrap().len();
        store.begin(&stamp(), &[start()]).unwrap();
        assert!(store.open_intents().unwrap().is_empty());
        drop(store);
        let found = check(state.path()).unwrap();
        assert!(matches!(found, Report::Verified { open: 0, .. }), "{found}");
    }
    assert_eq!(kills, 200);
    assert!(interrupted > 0, "some moments were between intent and result");
}

#[test]
fn of_a_journal_that_lost_its_end_everything_before_is_sound() {
    let state = State::new();
    let mut child = writer(&state);
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(said.by_ref().filter(|line| line.as_ref().unwrap().starts_with("written ")).nth(20).is_some());
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGKILL).unwrap();
    child.wait().unwrap();
    let length = fs::metadata(state.path().join("audit.db-wal")).unwrap().len();
    assert!(length > 0);
    for _ in 0..50 {
        let copy = copy(&state);
        let journal = fs::OpenOptions::new().write(true).open(copy.path().join("audit.db-wal")).unwrap();
        journal.set_len(chance(length)).unwrap();
        let found = check(copy.path()).unwrap();
        assert!(matches!(found, Report::Verified { .. } | Report::Torn { .. }), "{found}");
        let mut store = copy.open();
        store.begin(&stamp(), &[start()]).unwrap();
        assert!(store.open_intents().unwrap().is_empty());
        drop(store);
        assert!(matches!(check(copy.path()).unwrap(), Report::Verified { open: 0, .. }));
    }
}
