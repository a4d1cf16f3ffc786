//! A booted machine.
//!
//! What enters: commands; what leaves: what they did. Dropping it takes it down. It must never be used to decide
//! anything: what runs inside are the real parts.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::builder::Builder;
use crate::cgroup;
use crate::command::{Account, Command};
use crate::enter::{self, Door};
use crate::guard::Guard;
use crate::process::{Output, Process};
use crate::pty::Terminal;

/// Gone, with everything in it, when dropped.
pub struct Machine {
    name: String,
    door: Door,
    cgroups: Vec<PathBuf>,
    /// Last, so that it is dropped after everything above.
    _guard: Guard,
}

/// A process in the machine, seen from the host.
#[derive(Clone, Debug)]
pub struct Running {
    /// As the host numbers it.
    pub pid: i32,
    /// The command line, with spaces between the words.
    pub command: String,
}

/// PID 1 answers before it listens, so its socket is waited for.
const BOOTED: &str = "until [ -S /run/systemd/private ]; do sleep 0.01; done; systemctl is-system-running --wait";

/// Every mount below /proc goes, in rounds, for some lie below others; those in /sys are what makes it up, so they become
/// writable instead, their common superblock first. Lazily, for units may have one open.
const UNCOVER: &str = r#"set -e
covers() { findmnt -rno TARGET -R "$1" | tail -n +2 | tac; }
for round in 1 2 3; do for cover in $(covers /proc); do umount --lazy "$cover" 2>/dev/null || :; done; done
[ -z "$(covers /proc)" ]
mount -o remount,rw /sys/kernel
for cover in /sys $(covers /sys); do mount -o remount,bind,rw "$cover"; done"#;

impl Machine {
    /// Boots one with the three [`crate::users`] and nothing installed.
    ///
    /// # Errors
    /// As [`Builder::boot`].
    pub fn boot() -> Result<Self> {
        Self::builder().boot()
    }

    /// One to be changed before it boots.
    pub fn builder<'a>() -> Builder<'a> {
        Builder::default()
    }

    pub(crate) fn new(name: String, door: Door, cgroups: Vec<PathBuf>, guard: Guard) -> Self {
        Self { name, door, cgroups, _guard: guard }
    }

    /// Its host name, unique on this host.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its first process, as the host numbers it.
    pub fn leader_pid(&self) -> i32 {
        self.door.leader
    }

    /// Its control groups, one in each hierarchy that systemd manages.
    pub fn cgroups(&self) -> &[PathBuf] {
        &self.cgroups
    }

    /// A command as `user`, or as root with `"root"`, to be shaped and then run.
    ///
    /// Root's commands come in from outside, so nspawn's system call filter and capability bounds do not hold for
    /// them; for a unit's view use `systemd-run --pipe --wait`.
    ///
    /// # Errors
    /// When there is no such user.
    pub fn command<I: IntoIterator<Item = S>, S: Into<String>>(&self, user: &str, argv: I) -> Result<Command> {
        let account = if user == "root" { None } else { Some(self.account(user)?) };
        Ok(Command::new(self.door.clone(), account, argv.into_iter().map(Into::into).collect()))
    }

    /// Runs as root, 30 s at most.
    ///
    /// # Errors
    /// As [`Command::run`]; an exit code other than 0 is not an error, see [`Output::ok`].
    pub fn run<I: IntoIterator<Item = S>, S: Into<String>>(&self, argv: I) -> Result<Output> {
        self.command("root", argv)?.run()
    }

    /// Runs as `user`, with the user's groups, home and environment, 30 s at most.
    ///
    /// # Errors
    /// As [`Machine::run`].
    pub fn run_as<I: IntoIterator<Item = S>, S: Into<String>>(&self, user: &str, argv: I) -> Result<Output> {
        self.command(user, argv)?.run()
    }

    /// Starts as `user`, with pipes.
    pub fn spawn_as<I: IntoIterator<Item = S>, S: Into<String>>(&self, user: &str, argv: I) -> Result<Process> {
        self.command(user, argv)?.spawn()
    }

    /// Starts as `user` on a terminal.
    pub fn spawn_pty_as<I: IntoIterator<Item = S>, S: Into<String>>(&self, user: &str, argv: I) -> Result<Terminal> {
        self.command(user, argv)?.spawn_pty()
    }

    /// Everything that runs in it, commands of the test included; not what stands between them and the test.
    pub fn processes(&self) -> Vec<Running> {
        let mut pids: Vec<i32> = self.cgroups.iter().flat_map(|group| cgroup::processes(group)).collect();
        pids.sort_unstable();
        pids.dedup();
        pids.into_iter().filter_map(running).collect()
    }

    /// The processes whose command line contains `text`.
    pub fn pids_of(&self, text: &str) -> Vec<i32> {
        self.processes()
            .into_iter()
            .filter(|process| process.command.contains(text))
            .map(|process| process.pid)
            .collect()
    }

    /// What a unit wrote to the journal: messages only, oldest first.
    pub fn journal(&self, unit: &str) -> Result<String> {
        self.run(["journalctl", "--sync"])?.ok()?;
        Ok(self.run(["journalctl", "--no-pager", "--quiet", "--output=cat", "--unit", unit])?.ok()?.stdout)
    }

    /// Waits until the boot is over. A degraded machine (a unit failed) is up: what failed is the test's to ask.
    pub(crate) fn await_boot(&self, limit: Duration) -> Result<()> {
        let output = self.command("root", ["sh", "-c", BOOTED])?.deadline(limit).run()?;
        match output.stdout.trim() {
            "running" | "degraded" => Ok(()),
            other => bail!("the machine is {other:?} after boot: {}", output.stderr),
        }
    }

    pub(crate) fn uncover(&self) -> Result<()> {
        self.run(["sh", "-c", UNCOVER])?.ok().context("uncover /proc and /sys")?;
        Ok(())
    }

    fn account(&self, name: &str) -> Result<Account> {
        let passwd = self.read("/etc/passwd")?;
        let mut entries = passwd.lines().map(|line| line.split(':'));
        let uid = entries.find_map(|mut fields| (fields.next()? == name).then(|| fields.nth(1))?);
        let uid = uid.with_context(|| format!("no user {name} in the machine"))?.parse()?;
        Ok(Account { name: name.to_owned(), uid })
    }
}

/// `None` for what is outside the pid namespace (nspawn, the way in), and for a kernel thread or what just ended.
fn running(pid: i32) -> Option<Running> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let pids = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    let inside = pids.split_whitespace().count() > 1;
    let words = fs::read(format!("/proc/{pid}/cmdline")).ok().filter(|words| inside && !words.is_empty())?;
    let command = String::from_utf8_lossy(&words).trim_end_matches('\0').replace('\0', " ");
    (!enter::is_way_in(&command)).then_some(Running { pid, command })
}
