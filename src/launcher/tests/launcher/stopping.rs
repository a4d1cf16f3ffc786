//! The kill switch and the ends of either side: no job survives, and a stop stays.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use countersign_core::code::Code;
use countersign_core::message::{FromLauncher, StopNote, ToLauncher};
use countersign_core::outcome::Ended;

use crate::driver::{Launcher, now, shell, words};

/// A hundred processes that double-forked and called setsid, and one that waits.
const HUNDRED: &str =
    "i=0; while [ $i -lt 100 ]; do (setsid setsid sleep 1000 &) ; i=$((i+1)); done; echo up; sleep 1000";

fn note() -> StopNote {
    StopNote { time: now(), who: "tests".to_owned(), why: "to see it stop".to_owned() }
}

fn hundred(launcher: &mut Launcher) -> crate::driver::Running {
    let job = launcher.start_job(&shell("system", HUNDRED)).unwrap();
    let begun = Instant::now();
    while launcher.processes().len() < 102 {
        assert!(begun.elapsed() < Duration::from_secs(20), "{} of them", launcher.processes().len());
        std::thread::sleep(Duration::from_millis(10));
    }
    job
}

#[test]
fn a_stop_ends_a_hundred_scattered_processes_latches_and_takes_nothing_more() {
    let mut launcher = Launcher::start();
    let job = hundred(&mut launcher);
    let begun = Instant::now();
    launcher.send(&ToLauncher::Stop { note: note() }, &[]);
    while launcher.processes().len() > 1 {
        assert!(begun.elapsed() < Duration::from_secs(5), "survivors");
    }
    println!("a hundred processes gone after {:?}", begun.elapsed());
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
}

#[test]
fn the_end_of_the_front_ends_every_job() {
    let mut launcher = Launcher::start();
    drop(hundred(&mut launcher));
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
    launcher.send(&ToLauncher::Reload, &[]);
    assert!(matches!(launcher.next(), Some(FromLauncher::Reloaded { result: Err(_) })));
    assert_eq!(launcher.run(&words(&["true"])).status(), Some(0), "the old policy stays");
    fs::write(&file, "mode = 'readonly'\n").unwrap();
    launcher.send(&ToLauncher::Reload, &[]);
    let Some(FromLauncher::Reloaded { result: Ok(after) }) = launcher.next() else { panic!("not reloaded") };
    assert_ne!(before, after);
    let failure = launcher.start_job(&shell("system", "true; $X")).err().unwrap();
    assert_eq!(failure.code, Code::ModeCeiling);
}
