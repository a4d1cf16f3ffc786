//! Real polkit, answered by a real agent: right is yes, everything else is no.

use std::time::{Duration, Instant};

use crate::{Answer, Attended, Machine, users};

/// Asks PID 1 for something that polkit's policy gives to administrators only.
const RESTART: [&str; 9] = [
    "busctl",
    "call",
    "--allow-interactive-authorization=yes",
    "org.freedesktop.systemd1",
    "/org/freedesktop/systemd1",
    "org.freedesktop.systemd1.Manager",
    "RestartUnit",
    "ss",
    "systemd-logind.service",
];

fn restart() -> Vec<&'static str> {
    [&RESTART[..], &["replace"]].concat()
}

fn asked(machine: &Machine, deadline: Duration) -> Attended {
    let mut attended = machine.command(users::AGENT, restart()).unwrap().deadline(deadline).attended().unwrap();
    let screen = attended.dialog().unwrap();
    assert!(screen.contains("Authentication is required to restart 'systemd-logind.service'."), "{screen}");
    assert!(screen.contains("Authenticating as: admin"), "{screen}");
    attended
}

#[test]
fn the_right_password_is_yes() {
    let machine = Machine::boot().unwrap();
    let (output, screen) = machine.run_with_agent(users::AGENT, users::ADMIN_PASSWORD, restart()).unwrap();
    assert!(output.success(), "{output:?}");
    assert!(output.stdout.contains("/org/freedesktop/systemd1/job/"), "{output:?}");
    assert!(screen.contains("==== AUTHENTICATION COMPLETE ===="), "{screen}");
    assert!(!screen.contains(users::ADMIN_PASSWORD), "{screen}");
}

#[test]
fn a_wrong_password_is_no() {
    let machine = Machine::boot().unwrap();
    for wrong in ["signed and sealed ", users::AGENT_PASSWORD, ""] {
        let (output, screen) = machine.run_with_agent(users::AGENT, wrong, restart()).unwrap();
        assert_eq!(output.code, 1, "{output:?}");
        assert!(output.stderr.contains("Access denied"), "{output:?}");
        assert!(screen.contains("==== AUTHENTICATION FAILED ===="), "{screen}");
    }
}

#[test]
fn pkexec_runs_as_root_for_the_right_password_only() {
    let machine = Machine::boot().unwrap();
    // pkexec asks about its parent, so that must be the process the agent speaks for.
    let client = ["sh", "-c", "pkexec --disable-internal-agent id -u; exit $?"];
    let (yes, _) = machine.run_with_agent(users::AGENT, users::ADMIN_PASSWORD, client).unwrap();
    assert_eq!((yes.code, &*yes.stdout), (0, "0\n"), "{yes:?}");
    let (no, _) = machine.run_with_agent(users::AGENT, users::STRANGER_PASSWORD, client).unwrap();
    assert_eq!((no.code, &*no.stdout), (127, ""), "{no:?}");
}

#[test]
fn without_an_agent_nobody_is_asked() {
    let machine = Machine::boot().unwrap();
    let output = machine.run_as(users::AGENT, restart()).unwrap();
    assert_eq!(output.code, 1, "{output:?}");
    assert!(output.duration < Duration::from_secs(2), "{output:?}");
}

#[test]
fn a_client_that_asks_nothing_ends_without_a_dialog() {
    let machine = Machine::boot().unwrap();
    let client = ["sh", "-c", "echo out; echo err >&2; exit 7"];
    let attended = machine.command(users::AGENT, client).unwrap().attended().unwrap();
    let (output, screen) = attended.wait().unwrap();
    assert_eq!((output.code, &*output.stdout, &*output.stderr, &*screen), (7, "out\n", "err\n", ""));
    let error = machine.run_with_agent(users::AGENT, "", client).unwrap_err();
    assert!(error.to_string().contains("without a dialog"), "{error}");
}

#[test]
fn interrupting_and_hanging_up_are_no() {
    let machine = Machine::boot().unwrap();
    for (answer, code) in [(Answer::Interrupt, 128 + 2), (Answer::HangUp, 128 + 1)] {
        let mut attended = asked(&machine, Duration::from_secs(10));
        attended.answer(answer).unwrap();
        let (output, screen) = attended.wait().unwrap();
        assert_eq!((output.code, &*output.stdout), (code, ""), "{answer:?} {output:?} {screen}");
    }
}

#[test]
fn silence_lasts_until_the_deadline() {
    let machine = Machine::boot().unwrap();
    let start = Instant::now();
    let mut attended = asked(&machine, Duration::from_secs(2));
    attended.answer(Answer::Silence).unwrap();
    let error = attended.wait().unwrap_err();
    assert!(error.to_string().contains("not ended"), "{error}");
    assert!(start.elapsed() >= Duration::from_secs(2));
    assert_eq!(machine.pids_of("pkttyagent"), [0; 0]);
}

#[test]
fn with_two_administrators_the_first_is_chosen() {
    let machine = Machine::boot().unwrap();
    machine.run(["gpasswd", "--add", users::STRANGER, "sudo"]).unwrap().ok().unwrap();
    let mut attended = machine.command(users::AGENT, restart()).unwrap().attended().unwrap();
    let screen = attended.dialog().unwrap();
    assert!(screen.contains("Multiple identities"), "{screen}");
    assert!(screen.contains("1.  admin"), "{screen}");
    attended.answer(Answer::Password(users::ADMIN_PASSWORD)).unwrap();
    let (output, screen) = attended.wait().unwrap();
    assert!(output.success(), "{output:?} {screen}");
}
