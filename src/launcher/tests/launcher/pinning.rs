//! What was approved is what runs: whatever is put in its place before, meanwhile or beside, does not.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use countersign_core::argv::Argv;
use countersign_core::code::Code;
use countersign_core::message::{CancelCause, FromLauncher, ToLauncher};
use countersign_core::outcome::Ended;
use countersign_core::path::CleanPath;

use crate::driver::{Launcher, approved, fresh_id, shell, words};

const ROUNDS: u32 = 1_000;
/// The longest that the other one waits before it takes the place: longer than it takes from the order to the program.
const LATEST_US: u64 = 6_000;

/// Puts a copy of a program somewhere by a rename, as an installation does.
fn put(root: &Path, program: &str, at: &str) {
    let (beside, at) = (root.join("opt/beside"), root.join(at));
    fs::copy(root.join(program), &beside).unwrap();
    fs::rename(beside, at).unwrap();
}

/// In each round another program, which leaves a mark, takes the approved one's place at a moment of its own.
#[test]
fn a_program_that_another_is_renamed_over_runs_as_approved_or_not_at_all() {
    let mut launcher = Launcher::start();
    let root = launcher.root();
    let ask = words(&["/opt/program", "/srv/mark"]).within("system");
    let (start, rounds) = mpsc::channel::<u64>();
    let racing = root.clone();
    let racer = std::thread::Builder::new()
        .spawn(move || {
            for wait in rounds {
                std::thread::sleep(Duration::from_micros(wait));
                fs::rename(racing.join("opt/other"), racing.join("opt/program")).unwrap();
            }
        })
        .unwrap();
    let (mut ran, mut refused, mut stopped) = (0, 0, 0);
    for round in 0..ROUNDS {
        put(&root, "usr/bin/true", "opt/program");
        fs::copy(root.join("usr/bin/touch"), root.join("opt/other")).unwrap();
        let claim = approved(launcher.plan(&ask).unwrap());
        // The golden section of the time spreads the rounds evenly over it.
        start.send(u64::from(round) * 6_180 * LATEST_US / 10_000 % LATEST_US).unwrap();
        match launcher.order(claim, None) {
            Err(failure) => {
                assert_eq!(failure.code, Code::Changed, "{failure}");
                refused += 1;
            }
            Ok(running) => {
                let ended = launcher.ended(running.id).ended;
                let inside = Ended::NotConfined { step: "files".to_owned(), errno: libc::ESTALE };
                assert!([Ended::Exited(0), inside].contains(&ended), "{ended:?}");
                if ended == Ended::Exited(0) { ran += 1 } else { stopped += 1 }
            }
        }
        // The next round begins when the other one is in place.
        while root.join("opt/other").exists() {
            std::thread::yield_now();
        }
    }
    drop(start);
    racer.join().unwrap();
    println!("{ran} ran as approved, {refused} refused before, {stopped} inside the sandbox");
    assert!(!root.join("srv/mark").exists(), "the other program ran");
    assert!(ran > 0 && refused > 0, "{ran} ran, {refused} refused: the race was none");
    // The mark is what the other program leaves, when it is what is approved.
    assert_eq!(launcher.run(&ask).status(), Some(0));
    assert!(root.join("srv/mark").exists());
}

/// A way to have another program run than the approved one.
struct Swap {
    what: &'static str,
    before: &'static str,
    program: &'static str,
    swap: fn(&Path),
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn rewrite(path: &Path) {
    let found = fs::metadata(path).unwrap();
    let mut content = fs::read(path).unwrap();
    *content.last_mut().unwrap() ^= 1;
    fs::write(path, content).unwrap();
    fs::File::options().write(true).open(path).unwrap().set_modified(found.modified().unwrap()).unwrap();
}

fn replace(from: &Path, to: &Path) {
    fs::rename(from, to).unwrap();
}

const SWAPS: [Swap; 10] = [
    Swap {
        what: "written to in place, with the time put back",
        before: "cp bin/true opt/program",
        program: "/opt/program",
        swap: |root| rewrite(&root.join("opt/program")),
    },
    Swap {
        what: "another hard link under its name",
        before: "cp bin/true opt/program; cp bin/false opt/other",
        program: "/opt/program",
        swap: |root| {
            fs::remove_file(root.join("opt/program")).unwrap();
            fs::hard_link(root.join("opt/other"), root.join("opt/program")).unwrap();
        },
    },
    Swap {
        what: "its directory exchanged",
        before: "mkdir opt/in opt/evil; cp bin/true opt/in/program; cp bin/false opt/evil/program",
        program: "/opt/in/program",
        swap: |root| {
            replace(&root.join("opt/in"), &root.join("opt/was"));
            replace(&root.join("opt/evil"), &root.join("opt/in"));
        },
    },
    Swap {
        what: "its directory a link to another",
        before: "mkdir opt/in opt/evil; cp bin/true opt/in/program; cp bin/false opt/evil/program",
        program: "/opt/in/program",
        swap: |root| {
            replace(&root.join("opt/in"), &root.join("opt/was"));
            std::os::unix::fs::symlink("/opt/evil", root.join("opt/in")).unwrap();
        },
    },
    Swap {
        what: "a link that leads elsewhere",
        before: "cp bin/true opt/program; cp bin/false opt/other; ln -s program opt/link; ln -s other opt/new",
        program: "/opt/link",
        swap: |root| replace(&root.join("opt/new"), &root.join("opt/link")),
    },
    Swap {
        what: "a script exchanged",
        before: "printf '#!/bin/sh\nexit 0\n' > opt/script; printf '#!/bin/sh\nexit 1\n' > opt/new; chmod 755 opt/script opt/new",
        program: "/opt/script",
        swap: |root| replace(&root.join("opt/new"), &root.join("opt/script")),
    },
    Swap {
        what: "an interpreter exchanged",
        before: "printf '#!/opt/sh\nexit 0\n' > opt/script; chmod 755 opt/script; cp bin/dash opt/sh; cp bin/false opt/new",
        program: "/opt/script",
        swap: |root| replace(&root.join("opt/new"), &root.join("opt/sh")),
    },
    Swap {
        what: "gone",
        before: "cp bin/true opt/program",
        program: "/opt/program",
        swap: |root| fs::remove_file(root.join("opt/program")).unwrap(),
    },
    Swap {
        what: "writable by others",
        before: "cp bin/true opt/program",
        program: "/opt/program",
        swap: |root| mode(&root.join("opt/program"), 0o757),
    },
    Swap {
        what: "in a directory that is writable by others",
        before: "mkdir opt/in; cp bin/true opt/in/program",
        program: "/opt/in/program",
        swap: |root| mode(&root.join("opt/in"), 0o777),
    },
];

#[test]
fn each_way_to_put_another_program_in_its_place_is_refused_as_a_change() {
    for Swap { what, before, program, swap } in SWAPS {
        let mut launcher = Launcher::start_after(before);
        let ask = words(&[program]).within("system");
        assert_eq!(launcher.run(&ask).status(), Some(0), "{what}: unchanged it runs");
        let plan = launcher.plan(&ask).unwrap();
        swap(&launcher.root());
        let failure = launcher.order(approved(plan), None).err().unwrap_or_else(|| panic!("{what}: it ran"));
        assert_eq!(failure.code, Code::Changed, "{what}: {failure}");
    }
}

/// What a person would not notice, on a busy machine; reading the file takes many times as long.
const PROMPT: Duration = Duration::from_millis(500);

#[test]
fn a_program_of_a_gibibyte_that_is_being_read_keeps_no_cancel_waiting() {
    let mut launcher = Launcher::start_after("truncate -s 1G opt/huge; chmod 755 opt/huge");
    let running = launcher.start_job(&shell("observe", "sleep 1000")).unwrap();
    let id = fresh_id();
    let argv = Argv::new(vec!["/opt/huge".to_owned()]).unwrap();
    launcher.send(&ToLauncher::Pin { id, argv, cwd: CleanPath::new("/").unwrap() }, &[]);
    std::thread::sleep(Duration::from_millis(50));
    let begun = Instant::now();
    launcher.cancel(running.id, CancelCause::Cancelled);
    assert_eq!(launcher.ended(running.id).ended, Ended::Cancelled);
    assert!(begun.elapsed() < PROMPT, "{:?}", begun.elapsed());
    assert!(launcher.stash.is_empty(), "the file is still being read: {:?}", launcher.stash);
    assert_eq!(launcher.run(&words(&["true"])).status(), Some(0), "others run meanwhile");
    launcher.cancel(id, CancelCause::Cancelled);
    match launcher.next() {
        Some(FromLauncher::Pinned { id: answered, result: Err(failure) }) => {
            assert_eq!((answered, failure.code), (id, Code::Cancelled));
        }
        other => panic!("{other:?}"),
    }
}
