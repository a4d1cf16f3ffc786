//! `make demo`: the main job, to be watched. Boots a throwaway machine with the product installed and plays five scenes
//! in it with the real tools; what is printed is what they printed. Any scene that does not go as told ends it with an
//! error, so that it is also a test.

use std::io::Write;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use harness::users::{ADMIN, ADMIN_PASSWORD, AGENT};
use harness::{Machine, Output};
use promises::{PATIENCE, installed, log, the_waiting};

const WEB: &str = "[Service]\nExecStart=/usr/bin/python3 -m http.server --bind 127.0.0.1 8080\n";

fn main() -> Result<()> {
    let begun = Instant::now();
    say(
        "Booting a throwaway machine: systemd, D-Bus, polkit and PAM are real, and everything in it is gone afterwards.",
    )?;
    let machine = installed()
        .before_boot(|root| Ok(std::fs::write(root.join("etc/systemd/system/web.service"), WEB)?))
        .boot()
        .context("the machine did not boot")?;
    machine.run(["systemctl", "start", "web.service"])?.ok()?;
    say(&format!(
        "It is up after {:.1} s. `agent` may ask (it is in group countersign), `admin` may decide (it is in group sudo).",
        begun.elapsed().as_secs_f64()
    ))?;
    a_read(&machine)?;
    a_restart(&machine)?;
    a_refusal(&machine)?;
    a_denial(&machine)?;
    the_kill_switch(&machine)?;
    say("That is all of it. The machine is being thrown away.")
}

fn a_read(machine: &Machine) -> Result<()> {
    scene("1. A read runs at once: nobody is asked, and its sandbox could not change anything.")?;
    let output = play(machine, AGENT, &["countersign", "run", "--", "systemctl", "is-active", "web.service"])?;
    ensure!(output.stdout == "active\n", "{output:?}");
    play(machine, AGENT, &["countersign", "plan", "--", "systemctl", "restart", "web.service"])?.ok()?;
    Ok(())
}

fn a_restart(machine: &Machine) -> Result<()> {
    scene("2. A service restart waits for a human, who sees the exact command in a real polkit dialog.")?;
    let before = machine.run(["systemctl", "show", "--property=MainPID", "web.service"])?.ok()?.stdout;
    let words = [
        "countersign",
        "run",
        "--agent",
        "deploy-bot",
        "--reason",
        "the site answers 502",
        "--",
        "systemctl",
        "restart",
        "web.service",
    ];
    let mut client = start(machine, AGENT, &words)?;
    let id = the_waiting(machine)?;
    play(machine, "root", &["countersign", "requests"])?.ok()?;
    typed(ADMIN, &["countersign", "approve", &id])?;
    let (output, screen) = machine.run_with_agent(ADMIN, ADMIN_PASSWORD, ["countersign", "approve", &id])?;
    show(&screen)?;
    output.ok().context("the approval")?;
    let output = client.wait(PATIENCE)?.ok()?;
    let after = machine.run(["systemctl", "show", "--property=MainPID", "web.service"])?.ok()?.stdout;
    ensure!(before != after, "the service was restarted");
    say(&format!("The agent's command ended with status {}: {} became {}.", output.code, before.trim(), after.trim()))
}

fn a_refusal(machine: &Machine) -> Result<()> {
    scene("3. A human may say no, and why.")?;
    let mut client = start(
        machine,
        AGENT,
        &["countersign", "run", "--reason", "saving memory", "--", "systemctl", "stop", "web.service"],
    )?;
    let id = the_waiting(machine)?;
    play(machine, "root", &["countersign", "refuse", &id, "--reason", "people are using it"])?.ok()?;
    let output = client.wait(PATIENCE)?;
    told(&output)?;
    ensure!(output.code == 123, "{output:?}");
    machine.run(["systemctl", "is-active", "web.service"])?.ok().context("the service still runs")?;
    Ok(())
}

fn a_denial(machine: &Machine) -> Result<()> {
    scene("4. Some things are never done, whoever approves; no spelling helps.")?;
    for command in [&["rm", "-rf", "/"][..], &["sudo", "sh", "-c", "rm --recursive --force //usr/.."]] {
        let words: Vec<&str> = ["countersign", "run", "--"].iter().chain(command).copied().collect();
        let output = play(machine, AGENT, &words)?;
        ensure!(output.code == 122, "{output:?}");
    }
    Ok(())
}

fn the_kill_switch(machine: &Machine) -> Result<()> {
    scene("5. The kill switch ends everything at once, and only an operator brings it back. The log shows all of it.")?;
    let mut client = start(
        machine,
        AGENT,
        &["countersign", "run", "--", "sh", "-c", "touch /etc/begun; setsid sleep 1000 & sleep 1000"],
    )?;
    promises::approve_the_waiting(machine)?;
    promises::until("the job", || Ok((machine.pids_of("sleep 1000").len() >= 2).then_some(())))?;
    say("A job runs, with a child that made a session of its own.")?;
    let stopped = play(machine, "root", &["systemctl", "stop", "countersignd"])?.ok()?;
    let left = machine.processes().iter().filter(|process| process.command.starts_with("sleep 1000")).count();
    ensure!(left == 0, "{left} processes survived");
    say(&format!("Stopped in {} ms; {left} processes of the job are left.", stopped.duration.as_millis()))?;
    told(&client.wait(PATIENCE)?)?;
    let refused = play(machine, AGENT, &["countersign", "run", "--", "systemctl", "is-active", "web.service"])?;
    ensure!(refused.code == 125, "{refused:?}");
    play(machine, "root", &["countersign", "audit", "list"])?.ok()?;
    play(machine, "root", &["countersign", "audit", "verify"])?.ok()?;
    ensure!(log(machine)?.len() >= 10, "the log has every scene");
    typed("root", &["countersign", "clear", "--reason", "the demonstration is over"])?;
    let mut terminal =
        machine.spawn_pty_as("root", ["countersign", "clear", "--reason", "the demonstration is over"])?;
    let cleared = terminal.wait(PATIENCE)?;
    show(&terminal.screen())?;
    cleared.ok()?;
    play(machine, AGENT, &["countersign", "run", "--", "systemctl", "is-active", "web.service"])?.ok()?;
    Ok(())
}

/// Runs a command of a user and prints both.
fn play(machine: &Machine, user: &str, words: &[&str]) -> Result<Output> {
    typed(user, words)?;
    let output = machine.command(user, words.iter().copied())?.run()?;
    told(&output)?;
    Ok(output)
}

fn start(machine: &Machine, user: &str, words: &[&str]) -> Result<harness::Process> {
    typed(user, words)?;
    machine.spawn_as(user, words.iter().copied())
}

fn typed(user: &str, words: &[&str]) -> Result<()> {
    let plain = |word: &&&str| word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:=".contains(&b));
    let quoted = words.iter().map(|word| if plain(&word) { (*word).to_owned() } else { format!("'{word}'") });
    let line = quoted.collect::<Vec<_>>().join(" ");
    print(&format!("\n\u{1b}[1m{user}{} {line}\u{1b}[0m\n", if user == "root" { "#" } else { "$" }))
}

fn told(output: &Output) -> Result<()> {
    show(&output.stdout)?;
    show(&output.stderr)?;
    if output.success() { Ok(()) } else { show(&format!("[exit status {}]", output.code)) }
}

fn show(text: &str) -> Result<()> {
    text.lines()
        .map(|line| line.trim_end_matches('\r'))
        .filter(|line| !line.is_empty())
        .try_for_each(|line| print(&format!("  {line}\n")))
}

fn scene(title: &str) -> Result<()> {
    print(&format!("\n\u{1b}[1;34m{title}\u{1b}[0m\n"))
}

fn say(text: &str) -> Result<()> {
    print(&format!("\n\u{1b}[34m{text}\u{1b}[0m\n"))
}

fn print(text: &str) -> Result<()> {
    Ok(std::io::stdout().lock().write_all(text.as_bytes())?)
}
