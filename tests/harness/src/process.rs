//! A command that runs in the machine.
//!
//! What enters: an argv that leads inside; what leaves: its output, exit code and duration. It must never outlive its
//! handle: dropping it ends the command and all that it started and that is still in its group.

use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use crate::cgroup;
use crate::deadline::Deadline;
use crate::stream::Stream;

/// What a command left behind.
#[derive(Clone, Debug)]
pub struct Output {
    /// The exit code; 128+n when signal n ended it, as a shell says it.
    pub code: i32,
    /// Standard output; bytes that are not UTF-8 are replaced.
    pub stdout: String,
    /// Standard error, likewise.
    pub stderr: String,
    /// From the start, entering the machine included (about 10 ms), to the end of the command.
    pub duration: Duration,
}

impl Output {
    /// Whether the exit code is 0.
    pub fn success(&self) -> bool {
        self.code == 0
    }

    /// # Errors
    /// When the exit code is not 0; the message has the whole output.
    pub fn ok(self) -> Result<Self> {
        if !self.success() {
            bail!("exit {}; stdout: {}; stderr: {}", self.code, self.stdout, self.stderr);
        }
        Ok(self)
    }
}

/// Where a command's three standard streams go.
pub(crate) struct Streams {
    pub(crate) stdin: Stdio,
    pub(crate) stdout: Stdio,
    pub(crate) stderr: Stdio,
}

/// A command while it runs.
pub struct Process {
    child: Child,
    group: PathBuf,
    stdin: Option<ChildStdin>,
    stdout: Option<Stream>,
    stderr: Option<Stream>,
    started: Instant,
}

impl Process {
    #[expect(clippy::disallowed_methods, reason = "running commands in the machine is what this library is for")]
    pub(crate) fn start(argv: &[String], env: &[(String, String)], group: PathBuf, streams: Streams) -> Result<Self> {
        let (program, arguments) = argv.split_first().context("an empty command")?;
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(env.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .stdin(streams.stdin)
            .stdout(streams.stdout)
            .stderr(streams.stderr)
            .spawn()
            .with_context(|| format!("start {program}"))?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().map(Stream::listen).transpose()?;
        let stderr = child.stderr.take().map(Stream::listen).transpose()?;
        Ok(Self { child, group, stdin, stdout, stderr, started: Instant::now() })
    }

    /// What the command says on standard output; empty for a command on a terminal.
    pub fn stdout(&mut self) -> Result<&mut Stream> {
        self.stdout.as_mut().context("standard output is not a pipe")
    }

    /// What the command says on standard error.
    pub fn stderr(&mut self) -> Result<&mut Stream> {
        self.stderr.as_mut().context("standard error is not a pipe")
    }

    /// Writes to the command's standard input.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let stdin = self.stdin.as_mut().context("standard input is closed")?;
        stdin.write_all(bytes).and_then(|()| stdin.flush()).context("write to the command")
    }

    /// Ends the command's standard input.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// The command's own process, as the host numbers it: the child of the shell inside, which is the child of the
    /// process that entered. Waits up to two seconds for it to exist.
    pub fn pid(&self) -> Result<i32> {
        let ours = i32::try_from(self.child.id())?;
        let command = || cgroup::processes(&self.group).into_iter().find(|&pid| grandparent(pid) == Some(ours));
        Deadline::after(Duration::from_secs(2)).poll(command).context("the command has no process")
    }

    /// Everything that the command started and that is still in its group, as the host numbers it.
    pub fn pids(&self) -> Vec<i32> {
        cgroup::processes(&self.group)
    }

    /// Sends a signal to the command's own process.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(self.pid()?).context("a pid is positive")?;
        kill_process(pid, signal).context("signal the command")
    }

    /// Ends the command and everything in its group, at once.
    pub fn kill(&self) -> Result<()> {
        cgroup::kill(&self.group)
    }

    /// Whether the command has not ended.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Waits for the end of the command and of its output, and closes standard input first.
    ///
    /// # Errors
    /// When `limit` passes: then everything in its group is killed, and the message shows what was said. A grandchild
    /// that keeps the output open counts as running.
    pub fn wait(&mut self, limit: Duration) -> Result<Output> {
        self.close_stdin();
        let deadline = Deadline::after(limit);
        if !self.ended(&deadline)? {
            self.kill()?;
            self.child.wait()?;
            bail!(
                "not ended after {:?}; stdout: {}; stderr: {}",
                deadline.limit(),
                said(&self.stdout),
                said(&self.stderr)
            );
        }
        let code = code_of(self.child.wait()?);
        Ok(self.output(code))
    }

    /// Ends it with everything in its group, and returns what it said, as if it had ended with `code`.
    ///
    /// # Errors
    /// Something keeps its output open.
    pub fn kill_and_collect(&mut self, code: i32) -> Result<Output> {
        self.kill()?;
        self.child.wait()?;
        let deadline = Deadline::after(Duration::from_secs(2));
        anyhow::ensure!(self.streams_ended(&deadline), "the command's output stayed open");
        Ok(self.output(code))
    }

    fn output(&self, code: i32) -> Output {
        Output { code, stdout: said(&self.stdout), stderr: said(&self.stderr), duration: self.started.elapsed() }
    }

    fn ended(&self, deadline: &Deadline) -> Result<bool> {
        let pid = Pid::from_raw(i32::try_from(self.child.id())?).context("a pid is positive")?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).context("watch the command")?;
        let ready = poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&deadline.timespec()))?;
        Ok(ready > 0 && self.streams_ended(deadline))
    }

    fn streams_ended(&self, deadline: &Deadline) -> bool {
        [&self.stdout, &self.stderr].into_iter().flatten().all(|stream| stream.ended(deadline))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when it is over already: the machine was taken down, or the command was waited for.
        self.kill().ok();
        self.child.wait().ok();
    }
}

fn said(stream: &Option<Stream>) -> String {
    stream.as_ref().map(Stream::text).unwrap_or_default()
}

fn code_of(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| status.signal().unwrap_or_default().saturating_add(128))
}

fn grandparent(pid: i32) -> Option<i32> {
    parent(parent(pid)?)
}

fn parent(pid: i32) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}
