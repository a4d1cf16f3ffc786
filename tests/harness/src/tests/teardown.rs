//! Nothing of a machine is left, however the test ends.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Machine, users};

/// What a machine is known by from outside.
struct Traces {
    name: String,
    cgroups: Vec<PathBuf>,
}

impl Traces {
    fn of(machine: &Machine) -> Self {
        let traces = Self { name: machine.name().to_owned(), cgroups: machine.cgroups().to_vec() };
        assert!(traces.left().len() >= 4, "mounts, groups, directory and processes are seen: {:?}", traces.left());
        traces
    }

    fn left(&self) -> Vec<String> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let mut left: Vec<String> =
            mounts.lines().filter(|line| line.contains(&self.name)).map(str::to_owned).collect();
        left.extend(self.cgroups.iter().filter(|group| group.exists()).map(|group| group.display().to_string()));
        for place in ["/run/countersign-machines", "/run/systemd/nspawn/propagate"] {
            left.extend(
                [Path::new(place).join(&self.name)]
                    .iter()
                    .filter(|dir| dir.exists())
                    .map(|dir| dir.display().to_string()),
            );
        }
        left.extend(processes_naming(&self.name));
        left
    }
}

/// Command lines of the host's processes that contain `name`, which those of the guard and of nspawn do.
fn processes_naming(name: &str) -> Vec<String> {
    let pids = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path().join("cmdline"));
    let lines =
        pids.filter_map(|path| fs::read(path).ok()).map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains(name)).collect()
}

#[test]
fn a_drop_leaves_nothing_and_kills_what_runs() {
    let machine = Machine::boot().unwrap();
    let traces = Traces::of(&machine);
    let unit = ["systemd-run", "--quiet", "sh", "-c", "setsid setsid sleep 7658 & sleep 7658"];
    machine.run(unit).unwrap().ok().unwrap();
    let mut entered = machine.spawn_as(users::AGENT, ["sleep", "7658"]).unwrap();
    let pids = [machine.pids_of("sleep 7658"), vec![machine.leader_pid(), entered.pid().unwrap()]].concat();
    let start = Instant::now();
    drop(machine);
    eprintln!("taken down in {:?}", start.elapsed());
    assert_eq!(traces.left(), [""; 0]);
    assert_eq!(entered.wait(Duration::from_secs(1)).unwrap().code, 128 + 9);
    for pid in pids {
        assert!(!Path::new(&format!("/proc/{pid}")).exists(), "{pid} is left");
    }
}

#[test]
fn a_panic_leaves_nothing() {
    let (send, receive) = std::sync::mpsc::channel();
    let panicked = std::thread::Builder::new()
        .spawn(move || {
            let machine = Machine::boot().unwrap();
            send.send(Traces::of(&machine)).unwrap();
            panic!("as a failing test does");
        })
        .unwrap()
        .join();
    assert!(panicked.is_err());
    assert_eq!(receive.recv().unwrap().left(), [""; 0]);
}

#[test]
fn two_boot_in_parallel_and_are_two() {
    let boot = || std::thread::Builder::new().spawn(|| Machine::boot().unwrap()).unwrap();
    let (one, two) = (boot(), boot());
    let (one, two) = (one.join().unwrap(), two.join().unwrap());
    assert_ne!(one.name(), two.name());
    one.write("/etc/mark", "one").unwrap();
    assert!(!two.exists("/etc/mark").unwrap());
    let traces = Traces::of(&one);
    drop(one);
    assert_eq!(traces.left(), [""; 0]);
    two.run(["systemctl", "is-system-running"]).unwrap().ok().unwrap();
}

/// Set for the process that is killed; see below.
const VICTIM: &str = "COUNTERSIGN_HARNESS_VICTIM";

/// Boots and waits to be killed when [`VICTIM`] says so; otherwise nothing is asked of it.
#[test]
fn victim() {
    if std::env::var_os(VICTIM).is_some() {
        let machine = Machine::boot().unwrap();
        let groups: Vec<String> = machine.cgroups().iter().map(|group| group.display().to_string()).collect();
        println!("\nbooted {} {}", machine.name(), groups.join(" "));
        machine.command("root", ["sleep", "60"]).unwrap().deadline(Duration::from_secs(60)).run().unwrap();
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test process of its own, to be killed")]
fn a_killed_test_process_leaves_nothing() {
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::teardown::victim", "--nocapture"])
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.find_map(|line| line.strip_prefix("booted ").map(str::to_owned)).unwrap();
    let mut words = line.split(' ').map(str::to_owned);
    let traces = Traces { name: words.next().unwrap(), cgroups: words.map(PathBuf::from).collect() };
    assert!(!traces.left().is_empty());
    victim.kill().unwrap();
    victim.wait().unwrap();
    let start = Instant::now();
    while !traces.left().is_empty() && start.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(traces.left(), [""; 0]);
}
