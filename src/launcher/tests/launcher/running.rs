//! Jobs from order to outcome: what they get, what they can leave behind, how they end.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use countersign_core::code::Code;
use countersign_core::message::{CancelCause, FromLauncher, ToLauncher};
use countersign_core::outcome::Ended;

use crate::driver::{Launcher, approved, shell, words};

const STEPS: [&str; 13] = [
    "cgroup",
    "session",
    "stdio",
    "descriptors",
    "limits",
    "mounts",
    "network",
    "credentials",
    "capabilities",
    "no-new-privs",
    "leash",
    "landlock",
    "seccomp",
];

#[test]
fn every_profile_runs_and_says_every_layer_in_the_documented_order() {
    let mut launcher = Launcher::start();
    for (profile, uid) in [("observe", "64242"), ("change", "0"), ("system", "0")] {
        let ran = launcher.run(&shell(profile, "id -u; exit 7"));
        assert_eq!((ran.outcome.ended.clone(), ran.stdout.trim()), (Ended::Exited(7), uid), "{ran:?}");
        let steps: Vec<&str> = ran.outcome.enforced.iter().map(|layer| layer.step.as_str()).collect();
        assert_eq!(steps, STEPS);
        assert!(ran.layer("landlock").starts_with("abi "), "{ran:?}");
        println!("{profile}: {:#?}", ran.outcome.enforced);
    }
}

#[test]
fn a_read_runs_unasked_by_the_grant() {
    let mut launcher = Launcher::start();
    let plan = launcher.plan(&words(&["cat", "/etc/passwd"])).unwrap();
    assert_eq!(plan.profile.as_str(), "observe");
    let running = launcher.order(crate::driver::unasked(plan), None).unwrap();
    let ran = launcher.wait(running);
    assert_eq!(ran.status(), Some(0), "{ran:?}");
    assert!(ran.stdout.contains("_countersign-observe"), "{ran:?}");
    assert!(ran.layer("credentials").contains("uid 64242"), "{ran:?}");
    assert!(ran.layer("capabilities").starts_with("DAC_READ_SEARCH ("), "{ran:?}");
}

#[test]
fn statuses_and_signals_come_back() {
    let mut launcher = Launcher::start();
    for status in [0_u8, 1, 126, 127, 255] {
        assert_eq!(launcher.run(&shell("system", &format!("exit {status}"))).outcome.ended, Ended::Exited(status));
    }
    assert_eq!(launcher.run(&shell("system", "kill -SEGV $$")).outcome.ended, Ended::Signalled(11));
    let ran = launcher.run(&shell("observe", "echo out; echo err >&2"));
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("out\n", "err\n"));
}

#[test]
fn a_job_has_three_descriptors_and_default_signals_and_its_own_session() {
    let mut launcher = Launcher::start();
    for profile in ["observe", "change", "system"] {
        // The listing's own descriptor is the fourth.
        let ran = launcher.run(&shell(profile, "exec ls /proc/self/fd"));
        assert_eq!(ran.stdout.split_whitespace().collect::<Vec<_>>(), ["0", "1", "2", "3"], "{ran:?}");
        let ran = launcher
            .run(&shell(profile, "grep -E '^Sig(Blk|Ign)' /proc/self/status; ps -o pid=,sid=,pgid=,tty= -p $$"));
        let lines: Vec<&str> = ran.stdout.lines().collect();
        assert!(lines[0].ends_with("0000000000000000"), "{ran:?}");
        // The C library keeps two numbers above these for itself, which whoever started this test may ignore.
        assert!(lines[1].ends_with("00000000") || lines[1].ends_with("80000000"), "{ran:?}");
        let ids: Vec<&str> = lines[2].split_whitespace().collect();
        assert!(ids[0] == ids[1] && ids[1] == ids[2] && ids[3] == "?", "{ran:?}");
    }
}

#[test]
fn the_environment_is_built_from_nothing() {
    let mut launcher = Launcher::start();
    let mut ask = shell("system", "exec env");
    ask.env = BTreeMap::from([("LC_ALL".to_owned(), "C".to_owned())]);
    let ran = launcher.run(&ask);
    let names: Vec<&str> = ran.stdout.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    for name in ["PATH", "HOME", "USER", "LC_ALL"] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(!names.contains(&"T") && !names.contains(&"LISTEN_FDS"), "{names:?}");
    assert!(ran.stdout.contains("HOME=/root\n"), "{ran:?}");
}

#[test]
fn standard_input_is_detached_or_exactly_what_was_approved() {
    let mut launcher = Launcher::start();
    assert_eq!(launcher.run(&shell("observe", "readlink /proc/self/fd/0; cat")).stdout, "/dev/null\n");
    assert_eq!(launcher.run(&shell("observe", "cat").stdin(b"approved")).stdout, "approved");
    let ask = shell("observe", "cat").stdin(b"approved");
    for (file, what) in [
        (crate::driver::memory_file(b"another"), "another content"),
        (crate::driver::unsealed_file(b"approved"), "not sealed"),
    ] {
        let plan = launcher.plan(&ask).unwrap();
        let failure = launcher.order(approved(plan), Some(&file)).err().unwrap();
        assert_eq!(failure.code, Code::Changed, "{what}");
    }
    let plan = launcher.plan(&ask).unwrap();
    assert_eq!(launcher.order(approved(plan), None).err().unwrap().code, Code::Internal);
}

#[test]
fn the_working_directory_is_the_pinned_one_and_private_ones_show_it() {
    let mut launcher = Launcher::start_after(
        "mkdir -p tmp/own/deep srv/here; echo seen > tmp/own/deep/file; mkdir -m 700 tmp/closed; ln -s /srv/here srv/link",
    );
    assert_eq!(launcher.run(&words(&["pwd"]).within("observe").at("/srv/link")).stdout, "/srv/here\n");
    let ran = launcher.run(&words(&["cat", "file"]).within("observe").at("/tmp/own/deep"));
    assert_eq!(ran.stdout, "seen\n", "{ran:?}");
    assert_eq!(launcher.run(&words(&["cat", "/tmp/own/deep/file"]).within("observe")).stdout, "seen\n");
    assert_eq!(launcher.run(&shell("observe", "cd /tmp; ls -A")).stdout, "");
    assert_eq!(launcher.run(&shell("observe", "pwd; echo x > y; cat y; rm y").at("/tmp")).stdout, "/tmp\nx\n");
    let ran = launcher.run(&shell("observe", "echo x > /tmp/own/deep/file").at("/tmp/own/deep"));
    assert_ne!(ran.status(), Some(0), "what is shown is read-only: {ran:?}");
    let plan = launcher.plan(&words(&["pwd"]).within("observe").at("/srv/here")).unwrap();
    let root = launcher.root();
    fs::rename(root.join("srv/here"), root.join("srv/there")).unwrap();
    fs::create_dir(root.join("srv/here")).unwrap();
    assert_eq!(launcher.order(approved(plan), None).err().unwrap().code, Code::Changed);
}

#[test]
fn a_script_runs_from_the_descriptor_that_was_compared() {
    let mut launcher = Launcher::start_after(
        "mkdir -p opt/scripts; printf '#!/bin/sh -e\\necho \"script $1\"; false; echo not reached\\n' > opt/scripts/script; chmod 755 opt/scripts opt/scripts/script",
    );
    for profile in ["observe", "change", "system"] {
        let ran = launcher.run(&words(&["/opt/scripts/script", "word"]).within(profile));
        assert_eq!((ran.stdout.as_str(), ran.status()), ("script word\n", Some(1)), "{ran:?}");
    }
}

#[test]
fn a_deadline_ends_a_job_and_one_that_ignores_it_is_killed() {
    let mut launcher = Launcher::start();
    let begun = Instant::now();
    let ran = launcher.run(&words(&["sleep", "30"]).within("observe").timeout(200));
    assert_eq!(ran.outcome.ended, Ended::TimedOut);
    assert!(begun.elapsed() < Duration::from_secs(2), "TERM is enough for it");
    let begun = Instant::now();
    let ran = launcher.run(&shell("observe", "trap '' TERM; while :; do sleep 1; done").timeout(200));
    assert_eq!(ran.outcome.ended, Ended::TimedOut);
    assert!(
        begun.elapsed() > Duration::from_secs(2) && begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
    let begun = Instant::now();
    let ran = launcher.run(&shell("system", "kill -STOP $$").timeout(200));
    assert_eq!(ran.outcome.ended, Ended::TimedOut);
    assert!(begun.elapsed() < Duration::from_secs(4));
}

#[test]
fn a_grandchild_in_its_own_session_neither_survives_nor_keeps_the_call_waiting() {
    let mut launcher = Launcher::start();
    for profile in ["observe", "change", "system"] {
        let begun = Instant::now();
        // It holds standard output, which the front reads to its end.
        let ran = launcher.run(&shell(profile, "setsid sh -c 'setsid sleep 1000 & sleep 1000' & sleep 0.1; echo done"));
        assert_eq!((ran.stdout.as_str(), ran.status()), ("done\n", Some(0)), "{ran:?}");
        assert!(begun.elapsed() < Duration::from_secs(5));
        assert_eq!(launcher.processes(), [launcher.pid()]);
        let left = fs::read_dir(launcher.cgroup()).unwrap().flatten().filter(|entry| entry.path().is_dir()).count();
        assert_eq!(left, 0, "the job's cgroup is gone");
    }
}

#[test]
fn cancelling_ends_a_job_and_says_why() {
    let mut launcher = Launcher::start();
    for (cause, ended) in [(CancelCause::Cancelled, Ended::Cancelled), (CancelCause::OutputLimit, Ended::OutputLimit)] {
        let running = launcher.start_job(&shell("observe", "echo up; sleep 1000")).unwrap();
        launcher.cancel(running.id, cause);
        assert_eq!(launcher.wait(running).outcome.ended, ended);
    }
    // A request that does not run is none of its business.
    launcher.cancel(crate::driver::fresh_id(), CancelCause::Cancelled);
    assert_eq!(launcher.run(&words(&["true"])).status(), Some(0));
}

#[test]
fn a_drain_lets_the_running_end_and_takes_nothing_new() {
    let mut launcher = Launcher::start();
    let running = launcher.start_job(&shell("observe", "sleep 0.5; echo whole")).unwrap();
    launcher.send(&ToLauncher::Drain, &[]);
    assert_eq!(launcher.start_job(&words(&["true"])).err().unwrap().code, Code::Held);
    let ran = launcher.wait(running);
    assert_eq!((ran.stdout.as_str(), ran.status()), ("whole\n", Some(0)));
    assert!(matches!(launcher.next(), Some(FromLauncher::Drained)));
    assert_eq!(launcher.start_job(&words(&["true"])).err().unwrap().code, Code::Held, "not after it either");
}

#[test]
fn several_jobs_run_beside_each_other() {
    let mut launcher = Launcher::start();
    let begun = Instant::now();
    let running: Vec<_> =
        (0..4).map(|n| launcher.start_job(&shell("observe", &format!("sleep 0.5; echo {n}"))).unwrap()).collect();
    for (n, job) in running.into_iter().enumerate() {
        assert_eq!(launcher.wait(job).stdout, format!("{n}\n"));
    }
    assert!(begun.elapsed() < Duration::from_millis(1_900), "{:?}", begun.elapsed());
}
