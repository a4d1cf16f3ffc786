//! Commands: who they are, what they return, and that they can be ended.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::{Machine, users};

const SOON: Duration = Duration::from_secs(5);

#[test]
fn exit_codes_and_streams_come_back() {
    let machine = Machine::boot().unwrap();
    for (script, code, stdout, stderr) in [
        ("echo out; echo err >&2", 0, "out\n", "err\n"),
        ("exit 7", 7, "", ""),
        ("kill -TERM $$", 128 + 15, "", "Terminated\n"),
    ] {
        let output = machine.run(["sh", "-c", script]).unwrap();
        assert_eq!((output.code, &*output.stdout, &*output.stderr), (code, stdout, stderr), "{script}");
    }
    assert_eq!(machine.run(["/no/such/program"]).unwrap().code, 127);
    machine.run(["false"]).unwrap().ok().unwrap_err();
}

#[test]
fn a_user_is_that_user_with_that_users_groups_and_home() {
    let machine = Machine::boot().unwrap();
    let who = ["sh", "-c", "id -un; id -Gn; pwd; echo $HOME $USER; grep CapEff /proc/self/status; ps -o ppid= -p $$"];
    for (user, groups) in [(users::AGENT, "agent"), (users::ADMIN, "admin sudo"), (users::STRANGER, "stranger")] {
        let output = machine.run_as(user, who).unwrap().ok().unwrap();
        let lines: Vec<&str> = output.stdout.lines().collect();
        assert_eq!(lines[..2], [user, groups]);
        assert_eq!(lines[2..4], [format!("/home/{user}"), format!("/home/{user} {user}")]);
        assert!(lines[4].ends_with("0000000000000000"), "{}", lines[4]);
        assert_ne!(lines[5].trim(), "0", "the parent is inside");
    }
    machine.run_as("nobody-of-that-name", ["true"]).unwrap_err();
}

#[test]
fn environment_and_input_are_what_was_given() {
    let machine = Machine::boot().unwrap();
    let command = machine.command(users::AGENT, ["sh", "-c", "echo $GIVEN; cat"]).unwrap();
    let output = command.env("GIVEN", "a b").stdin("read this").run().unwrap();
    assert_eq!(output.stdout, "a b\nread this");
    let output = machine.run_as(users::AGENT, ["printenv", "CARGO_TARGET_DIR"]).unwrap();
    assert_eq!((output.code, &*output.stdout), (1, ""));
}

#[test]
fn what_is_too_late_is_killed_with_all_it_started() {
    let machine = Machine::boot().unwrap();
    let script = "setsid sleep 7654 & sleep 7654";
    let command = machine.command("root", ["sh", "-c", script]).unwrap().deadline(Duration::from_millis(300));
    let start = Instant::now();
    let error = command.run().unwrap_err();
    assert!(error.to_string().contains("not ended after 300ms"), "{error}");
    assert!(start.elapsed() < SOON);
    assert_eq!(machine.pids_of("sleep 7654"), [0; 0]);
}

#[test]
fn a_running_process_is_spoken_to_and_signalled() {
    let machine = Machine::boot().unwrap();
    let script = r#"trap 'echo caught; exit 9' TERM; echo ready; while :; do read line && echo "got $line"; done"#;
    let mut process = machine.spawn_as(users::AGENT, ["bash", "-c", script]).unwrap();
    process.stdout().unwrap().expect("ready\n", SOON).unwrap();
    process.write(b"one\n").unwrap();
    process.stdout().unwrap().expect("got one\n", SOON).unwrap();
    assert_eq!(machine.pids_of("trap 'echo caught"), [process.pid().unwrap()]);
    process.signal(Signal::TERM).unwrap();
    process.stdout().unwrap().expect("caught", SOON).unwrap();
    assert_eq!(process.wait(SOON).unwrap().code, 9);
}

#[test]
fn killing_a_process_and_dropping_it_leave_nothing() {
    let machine = Machine::boot().unwrap();
    let mut killed = machine.spawn_as(users::AGENT, ["sleep", "7655"]).unwrap();
    killed.pid().unwrap();
    killed.kill().unwrap();
    assert_eq!(killed.wait(SOON).unwrap().code, 128 + 9);
    let dropped = machine.spawn_as(users::AGENT, ["sleep", "7656"]).unwrap();
    dropped.pid().unwrap();
    drop(dropped);
    assert_eq!(machine.pids_of("sleep 765"), [0; 0]);
}

#[test]
fn a_terminal_is_real_and_belongs_to_the_user() {
    let machine = Machine::boot().unwrap();
    let script =
        r#"tty; stat -c %U "$(tty)"; ls -l /dev/tty >/dev/null && read -p "name? " name && echo "hello $name""#;
    let mut terminal = machine.spawn_pty_as(users::AGENT, ["bash", "-c", script]).unwrap();
    terminal.expect("/dev/pts/", SOON).unwrap();
    terminal.expect("agent", SOON).unwrap();
    terminal.prompt(&["name? "], SOON).unwrap();
    terminal.send("you").unwrap();
    terminal.expect("hello you", SOON).unwrap();
    assert!(terminal.wait(SOON).unwrap().success());
}

#[test]
fn sudo_on_a_terminal_asks_the_administrator_for_a_password() {
    let machine = Machine::boot().unwrap();
    for (user, password, code) in [(users::ADMIN, users::ADMIN_PASSWORD, 0), (users::AGENT, users::AGENT_PASSWORD, 1)] {
        let mut terminal = machine.spawn_pty_as(user, ["sudo", "-p", "secret: ", "id", "-u"]).unwrap();
        terminal.prompt(&["secret: "], SOON).unwrap();
        terminal.send_secret(password).unwrap();
        assert_eq!(terminal.wait(SOON).unwrap().code, code, "{}", terminal.screen());
    }
}

#[test]
fn hanging_up_and_interrupting_end_a_program_on_a_terminal() {
    let machine = Machine::boot().unwrap();
    let program = ["sh", "-c", "echo up; exec sleep 60"];
    let mut hung_up = machine.spawn_pty_as(users::AGENT, program).unwrap();
    hung_up.expect("up", SOON).unwrap();
    hung_up.hang_up().unwrap();
    assert_eq!(hung_up.wait(SOON).unwrap().code, 128 + 1);
    let mut interrupted = machine.spawn_pty_as(users::AGENT, program).unwrap();
    interrupted.expect("up", SOON).unwrap();
    interrupted.keys(b"\x03").unwrap();
    assert_eq!(interrupted.wait(SOON).unwrap().code, 128 + 2);
}
