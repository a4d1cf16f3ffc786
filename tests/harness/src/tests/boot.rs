//! A machine boots, answers and runs commands.

use std::time::{Duration, Instant};

use crate::{Machine, users};

#[test]
fn boots_runs_and_answers() {
    let start = Instant::now();
    let machine = Machine::boot().unwrap();
    eprintln!("boot: {:?}", start.elapsed());
    let pid1 = machine.run(["readlink", "/proc/1/exe"]).unwrap().ok().unwrap();
    assert_eq!(pid1.stdout.trim(), "/usr/lib/systemd/systemd");
    let state = machine.run(["systemctl", "is-system-running"]).unwrap();
    assert_eq!(state.stdout.trim(), "running", "{}", machine.run(["systemctl", "--failed"]).unwrap().stdout);
    let bus = ["busctl", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetId"];
    machine.run_as(users::AGENT, bus).unwrap().ok().unwrap();
    let (output, screen) = machine
        .run_with_agent(users::AGENT, users::ADMIN_PASSWORD, ["pkexec", "--disable-internal-agent", "id", "-u"])
        .unwrap();
    eprintln!("{output:?} {screen}");
    let (output, screen) =
        machine.run_with_agent(users::AGENT, "wrong", ["pkexec", "--disable-internal-agent", "id", "-u"]).unwrap();
    eprintln!("{output:?} {screen}");
    let start = Instant::now();
    drop(machine);
    eprintln!("down: {:?}", start.elapsed());
    let _ = Duration::ZERO;
}
