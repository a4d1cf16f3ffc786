//! The kill switch and the ends of either side: no job survives, and a stop stays.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use countersign_core::code::Code;
use countersign_core::message::{CancelCause, FromLauncher, StopNote, ToLauncher};
use countersign_core::outcome::Ended;

use crate::driver::{Launcher, now, shell, words};

/// A hundred processes that double-forked and called setsid, and one that waits.
const HUNDRED: &str = "use POSIX; for (1..100) { next if my $pid = fork; setsid; exit if fork; sleep 1000; exit } \
    1 while wait != -1; sleep 1000";
/// The bound that is meant. What else the machine does falls on a single try, so that the best of some must keep it.
const AT_ONCE: Duration = Duration::from_millis(50);
const TRIES: u32 = 5;
/// What no try may take on a busy machine.
const AT_WORST: Duration = Duration::from_millis(250);

fn note() -> StopNote {
    StopNote { time: now(), who: "tests".to_owned(), why: "to see it stop".to_owned() }
}

fn hundred(launcher: &mut Launcher, timeout_ms: u64) -> crate::driver::Running {
    let ask = shell("system", &format!("exec perl -e '{HUNDRED}'")).timeout(timeout_ms);
    let job = launcher.start_job(&ask).unwrap();
    let begun = Instant::now();
    while launcher.processes().len() < 102 {
        assert!(begun.elapsed() < Duration::from_secs(20), "{} of them", launcher.processes().len());
        std::thread::sleep(Duration::from_millis(10));
    }
    job
}

/// The time until nothing but the launcher is left, from the given moment.
fn gone(launcher: &Launcher, what: &str, begun: Instant) -> Duration {
    while launcher.processes().len() > 1 {
        assert!(begun.elapsed() < Duration::from_secs(5), "survivors of {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
    let took = begun.elapsed();
    println!("{what}: a hundred processes gone after {took:?}");
    assert!(took < AT_WORST, "{what}: {took:?}");
    took
}

/// Tries until it took no longer than is meant.
fn at_once(once: impl Fn() -> Duration) {
    let took: Vec<Duration> = (0..TRIES).map(|_| once()).take_while(|took| *took >= AT_ONCE).collect();
    assert!(took.len() < usize::try_from(TRIES).unwrap(), "not once within {AT_ONCE:?}: {took:?}");
}

#[test]
fn a_stop_ends_a_hundred_scattered_processes_latches_and_takes_nothing_more() {
    at_once(stop_a_hundred);
}

fn stop_a_hundred() -> Duration {
    let mut launcher = Launcher::start();
    let job = hundred(&mut launcher, 60_000);
    let begun = Instant::now();
    launcher.send(&ToLauncher::Stop { note: note() }, &[]);
    let took = gone(&launcher, "stop", begun);
    assert_eq!(launcher.ended(job.id).ended, Ended::Stopped);
    assert!(matches!(launcher.next(), Some(FromLauncher::Stopped { failure: None })));
    assert_eq!(launcher.start_job(&words(&["true"])).err().unwrap().code, Code::Stopped);
    let root = launcher.root();
    for (path, mode) in [("var/lib/countersign-launcher/stopped", 0o600), ("run/countersign/stopped", 0o644)] {
        let found = fs::metadata(root.join(path)).unwrap();
        assert_eq!((found.mode() & 0o777, found.uid()), (mode, 0), "{path}");
        let read: StopNote = serde_json::from_slice(&fs::read(root.join(path)).unwrap()).unwrap();
        assert_eq!(read.why, "to see it stop");
    }
    let (status, left) = launcher.hang_up();
    assert!(status.success() && left.is_empty());
    took
}

#[test]
fn a_cancel_ends_a_hundred_scattered_processes() {
    at_once(|| {
        let mut launcher = Launcher::start();
        let job = hundred(&mut launcher, 60_000);
        let begun = Instant::now();
        launcher.cancel(job.id, CancelCause::Cancelled);
        let took = gone(&launcher, "cancel", begun);
        assert_eq!(launcher.ended(job.id).ended, Ended::Cancelled);
        took
    });
}

#[test]
fn a_time_out_ends_a_hundred_scattered_processes() {
    at_once(|| {
        let mut launcher = Launcher::start();
        let ordered = Instant::now();
        let job = hundred(&mut launcher, 4_000);
        // The order was taken later than it was given, so that this begins too early rather than too late.
        let due = ordered + Duration::from_millis(4_000);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let took = gone(&launcher, "time-out", due);
        let outcome = launcher.ended(job.id);
        assert_eq!(outcome.ended, Ended::TimedOut);
        assert!(outcome.duration_us >= 4_000_000, "not before its time: {outcome:?}");
        took
    });
}

#[test]
fn the_end_of_the_front_ends_every_job() {
    let mut launcher = Launcher::start();
    drop(hundred(&mut launcher, 60_000));
    let begun = Instant::now();
    let (status, left) = launcher.hang_up();
    assert!(status.success() && left.is_empty(), "{left:?}");
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[test]
fn the_end_of_the_launcher_ends_the_first_process_of_a_job() {
    let mut launcher = Launcher::start();
    for profile in ["observe", "change", "system"] {
        launcher
            .start_job(&words(&["sleep", "1000"]).within(if profile == "observe" { "observe" } else { profile }))
            .ok();
    }
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(launcher.pid().try_into().unwrap()),
        nix::sys::signal::Signal::SIGKILL,
    )
    .unwrap();
    launcher.wait_for_end();
    let begun = Instant::now();
    while !launcher.processes().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", launcher.processes());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn signals_to_the_unit_are_left_to_the_front() {
    let mut launcher = Launcher::start();
    for signal in [nix::sys::signal::Signal::SIGTERM, nix::sys::signal::Signal::SIGHUP] {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(launcher.pid().try_into().unwrap()), signal).unwrap();
    }
    assert_eq!(launcher.run(&words(&["true"])).status(), Some(0));
}

#[test]
fn a_latch_keeps_the_launcher_from_starting_whatever_is_in_it() {
    for latch in ["echo '{}' >", "mkdir", "ln -s /nowhere"] {
        let mut launcher = Launcher::begin(&format!(
            "mkdir -p var/lib/countersign-launcher; {latch} var/lib/countersign-launcher/stopped"
        ));
        assert!(launcher.next().is_none(), "{latch}");
        assert!(!launcher.wait_for_end().success());
    }
}

#[test]
fn who_cleared_the_latch_is_told_once() {
    let text = serde_json::to_string(&note()).unwrap();
    let launcher = Launcher::start_after(&format!(
        "mkdir -p var/lib/countersign-launcher; echo '{text}' > var/lib/countersign-launcher/cleared.json"
    ));
    assert_eq!(launcher.cleared.as_ref().unwrap().why, "to see it stop");
    assert!(!launcher.root().join("var/lib/countersign-launcher/cleared.json").exists());
    assert_eq!(Launcher::start().cleared, None);
}

#[test]
fn a_policy_that_is_not_right_keeps_the_launcher_from_starting() {
    for before in [
        "echo 'mode = \"opne\"' > etc/countersign/countersign.toml",
        "chmod 666 etc/countersign/countersign.toml",
        "sed -i /_countersign-observe/d etc/passwd",
    ] {
        let mut launcher = Launcher::begin(before);
        assert!(launcher.next().is_none(), "{before}");
        assert!(!launcher.wait_for_end().success());
    }
}

#[test]
fn a_reload_is_all_or_nothing() {
    let mut launcher = Launcher::start();
    let file = launcher.root().join("etc/countersign/countersign.toml");
    let before = launcher.policy.ruleset();
    fs::write(&file, "mode = 'opne'\n").unwrap();
    launcher.send(&ToLauncher::Reload { expects: before }, &[]);
    assert!(matches!(launcher.next(), Some(FromLauncher::Reloaded { result: Err(_) })));
    assert_eq!(launcher.run(&words(&["true"])).status(), Some(0), "the old policy stays");
    fs::write(&file, "mode = 'readonly'\n").unwrap();
    launcher.send(&ToLauncher::Reload { expects: before }, &[]);
    assert!(
        matches!(launcher.next(), Some(FromLauncher::Reloaded { result: Err(failure) }) if failure.code == Code::Changed),
        "what the front did not read is not put in force"
    );
    assert_eq!(launcher.run(&words(&["true"])).status(), Some(0), "the old policy stays");
    let expects = countersign_config::load(&launcher.root()).unwrap().ruleset();
    launcher.send(&ToLauncher::Reload { expects }, &[]);
    let Some(FromLauncher::Reloaded { result: Ok(after) }) = launcher.next() else { panic!("not reloaded") };
    assert_ne!(before, after);
    let failure = launcher.start_job(&shell("system", "true; $X")).err().unwrap();
    assert_eq!(failure.code, Code::ModeCeiling);
}
