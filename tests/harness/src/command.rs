//! A command for the machine, before it runs.
//!
//! What enters: who and what; what leaves: a process, an output or a terminal. It must never borrow the test's
//! environment.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::enter::{self, Door};
use crate::process::{Output, Process, Streams};
use crate::pty::{self, Terminal};

/// How long a command may run when nobody says.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Built by [`crate::Machine::command`].
pub struct Command {
    door: Door,
    account: Option<Account>,
    argv: Vec<String>,
    env: Vec<String>,
    stdin: Option<Vec<u8>>,
    limit: Duration,
}

pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) uid: u32,
}

/// Takes the terminal on standard input as the controlling one.
const ON_TERMINAL: [&str; 4] = ["setsid", "--ctty", "--wait", "--"];

impl Command {
    pub(crate) fn new(door: Door, account: Option<Account>, argv: Vec<String>) -> Self {
        Self { door, account, argv, env: Vec::new(), stdin: None, limit: PATIENCE }
    }

    /// Adds a variable to the command's environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push(format!("{name}={value}"));
        self
    }

    /// What the command reads; without this, `/dev/null`, and for [`Command::spawn`] an open pipe.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// How long [`Command::run`] waits; 30 s otherwise.
    #[must_use]
    pub fn deadline(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// When it cannot be started, or the deadline passes: then it is killed with all it started.
    pub fn run(mut self) -> Result<Output> {
        let input = self.stdin.take();
        let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
        let mut process = self.start(&[], Streams { stdin, stdout: Stdio::piped(), stderr: Stdio::piped() })?;
        if let Some(bytes) = input {
            process.write(&bytes)?;
        }
        process.wait(self.limit)
    }

    /// Starts it and leaves it running, with pipes to all three streams.
    pub fn spawn(mut self) -> Result<Process> {
        let input = self.stdin.take();
        let streams = Streams { stdin: Stdio::piped(), stdout: Stdio::piped(), stderr: Stdio::piped() };
        let mut process = self.start(&[], streams)?;
        if let Some(bytes) = input {
            process.write(&bytes)?;
        }
        Ok(process)
    }

    /// Starts it on a terminal of its own, as the leader of a session.
    pub fn spawn_pty(self) -> Result<Terminal> {
        let (ours, theirs) = self.terminal()?;
        let (stdout, stderr) = (theirs.try_clone()?, theirs.try_clone()?);
        let streams = Streams { stdin: theirs.into(), stdout: stdout.into(), stderr: stderr.into() };
        Terminal::new(ours, self.start(&ON_TERMINAL, streams)?)
    }

    /// Starts it on a terminal, but with standard output and error on pipes.
    pub(crate) fn spawn_pty_piped(self) -> Result<Terminal> {
        let (ours, theirs) = self.terminal()?;
        let streams = Streams { stdin: theirs.into(), stdout: Stdio::piped(), stderr: Stdio::piped() };
        Terminal::new(ours, self.start(&ON_TERMINAL, streams)?)
    }

    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    pub(crate) fn map_argv(mut self, map: impl FnOnce(Vec<String>) -> Vec<String>) -> Self {
        self.argv = map(self.argv);
        self
    }

    fn terminal(&self) -> Result<(std::fs::File, std::os::fd::OwnedFd)> {
        pty::open_pair(self.door.leader, self.account.as_ref().map_or(0, |account| account.uid))
    }

    fn start(&self, below: &[&str], streams: Streams) -> Result<Process> {
        let mut below = enter::words(below);
        if let Some(account) = &self.account {
            below.extend(enter::as_user(&account.name));
        }
        if !self.env.is_empty() {
            below.push("env".to_owned());
            below.extend(self.env.iter().cloned());
        }
        let group: PathBuf = self.door.new_group()?;
        let argv = self.door.argv(&group, &below, &self.argv);
        Process::start(&argv, &root_environment(), group, streams).with_context(|| format!("run {:?}", self.argv))
    }
}

fn root_environment() -> Vec<(String, String)> {
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    [("PATH", path), ("HOME", "/root"), ("USER", "root"), ("LOGNAME", "root"), ("LANG", "C.UTF-8"), ("TERM", "dumb")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
}
