//! A booted machine with Countersign installed in it, as `make install` lays it down.
//!
//! What enters: the built binaries (`COUNTERSIGN_BINARIES`, or `target/release` of this checkout); what leaves: a
//! [`harness::Builder`] for a machine in which `agent` is a member of group `countersign`, `admin` of group `sudo` and
//! `stranger` of neither. It must never install by another way than people do.

pub mod pour;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use harness::{Builder, Machine, Process, users};
use serde_json::Value;

/// Long enough for a busy host, short enough to tell waiting from hanging.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A machine that will boot with the product installed.
#[must_use]
pub fn installed<'a>() -> Builder<'a> {
    Machine::builder().before_boot(install)
}

/// Like [`installed`], with an administrator's file below `/etc/countersign`.
#[must_use]
pub fn installed_with<'a>(path: &'static str, content: &'static str) -> Builder<'a> {
    installed().before_boot(move |root| {
        let file = root.join("etc/countersign").join(path);
        std::fs::write(&file, content).with_context(|| file.display().to_string())
    })
}

/// The directory of this checkout.
#[must_use]
pub fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The directory of the built binaries.
///
/// # Errors
/// They are not built.
pub fn binaries() -> Result<PathBuf> {
    let binaries =
        std::env::var_os("COUNTERSIGN_BINARIES").map_or_else(|| checkout().join("target/release"), PathBuf::from);
    if !binaries.join("countersignd").exists() {
        bail!("{} has no countersignd: run `make build` first", binaries.display());
    }
    Ok(binaries)
}

/// `make install`, then what the README says comes after it; PID 1 and the bus have not started yet.
fn install(root: &Path) -> Result<()> {
    let words = [format!("RELEASE={}", binaries()?.display()), format!("DESTDIR={}", root.display())];
    host(&["make", "--silent", "-C", &checkout().display().to_string(), "install", &words[0], &words[1]])?;
    host(&["systemd-sysusers", &format!("--root={}", root.display())])?;
    host(&["systemd-tmpfiles", "--create", &format!("--root={}", root.display()), "countersign.conf"])?;
    host(&["chroot", &root.display().to_string(), "gpasswd", "--add", users::AGENT, "countersign"])
}

#[expect(
    clippy::disallowed_methods,
    reason = "installing is done by the tools that people use, before the machine runs"
)]
fn host(words: &[&str]) -> Result<()> {
    let [program, arguments @ ..] = words else { bail!("nothing to run") };
    let output = Command::new(program).args(arguments).output().with_context(|| (*program).to_owned())?;
    if !output.status.success() {
        bail!("{words:?}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// Asks again until there is an answer.
///
/// # Errors
/// There is none within [`PATIENCE`].
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if begun.elapsed() > PATIENCE {
            bail!("waited {PATIENCE:?} for {what}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The requests that wait for a human, as root sees them.
///
/// # Errors
/// The client failed or did not print JSON.
pub fn waiting(machine: &Machine) -> Result<Vec<Value>> {
    let output = machine.run(["countersign", "requests", "--json"])?.ok()?;
    let all: Value = serde_json::from_str(&output.stdout).with_context(|| output.stdout.clone())?;
    Ok(all.as_array().cloned().unwrap_or_default())
}

/// The id of the one request that waits, once it does.
///
/// # Errors
/// None waits within [`PATIENCE`].
pub fn the_waiting(machine: &Machine) -> Result<String> {
    until("a waiting request", || {
        Ok(waiting(machine)?.first().and_then(|request| request["id"].as_str().map(str::to_owned)))
    })
}

/// The agent's `countersign run -- …`, started and left running.
///
/// # Errors
/// It could not be started.
pub fn ask(machine: &Machine, command: &[&str]) -> Result<Process> {
    let words = ["countersign", "run", "--"].iter().chain(command).map(|word| (*word).to_owned());
    machine.spawn_as(users::AGENT, words.collect::<Vec<_>>())
}

/// Approves the one waiting request as the administrator, by password, before a real terminal agent. Returns the screen.
///
/// # Errors
/// The approval failed.
pub fn approve_the_waiting(machine: &Machine) -> Result<String> {
    let id = the_waiting(machine)?;
    let (output, screen) =
        machine.run_with_agent(users::ADMIN, users::ADMIN_PASSWORD, ["countersign", "approve", &id])?;
    output.ok().with_context(|| screen.clone())?;
    Ok(screen)
}

/// The entries of the log, oldest first.
///
/// # Errors
/// The log could not be listed.
pub fn log(machine: &Machine) -> Result<Vec<Value>> {
    let output = machine.run(["countersign", "audit", "list", "--json"])?.ok()?;
    let lines = output.stdout.lines().filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
}

/// The last entry of the log.
///
/// # Errors
/// As [`log`], or there is none.
pub fn last_entry(machine: &Machine) -> Result<Value> {
    log(machine)?.pop().context("an empty log")
}
