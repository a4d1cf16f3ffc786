//! A dialog for who decides on a bare terminal: polkit's own terminal agent, for the time of one call.
//!
//! Only where a person sits at stdin, and only for deciding: in the session of whoever asks, a dialog must come from
//! outside of the asker's reach, so `run` never starts one. A desktop's agent goes first.

use std::io::{IsTerminal as _, stdin};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::process::{Child, Command, Stdio, id};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, kill_process};

/// How long the agent may take to register.
const PATIENCE: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };

/// A running agent, which ends with its holder.
#[derive(Debug)]
pub(crate) struct Agent(Child);

impl Agent {
    /// Starts one where stdin is a terminal. Without one the broker says that nobody can be asked, so a failure here
    /// need not be told apart.
    pub(crate) fn start() -> Option<Self> {
        if !stdin().is_terminal() {
            return None;
        }
        let (registered, notify) = pipe_with(PipeFlags::CLOEXEC).ok()?;
        let agent = Self(spawn(&notify).ok()?);
        // With our end closed, the pipe ends when the agent closes its own: registered, or gone.
        drop(notify);
        wait(&registered);
        Some(agent)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "polkit's terminal agent must be a child of the terminal's process; nothing privileged starts here"
)]
fn spawn(notify: &OwnedFd) -> std::io::Result<Child> {
    fcntl_setfd(notify, FdFlags::empty())?;
    Command::new("/usr/bin/pkttyagent")
        .args(["--process", &id().to_string(), "--notify-fd", &notify.as_raw_fd().to_string()])
        // polkit looks for a desktop's agent by login session, and where there is none it passes over a fallback too.
        .args(std::env::var_os("XDG_SESSION_ID").map(|_| "--fallback"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        // It says here that another agent is registered already, which is no error to anybody.
        .stderr(Stdio::null())
        .spawn()
}

/// Waits until the other end is closed, or for [`PATIENCE`].
fn wait(registered: &OwnedFd) {
    let mut ends = [PollFd::new(registered, PollFlags::IN)];
    poll(&mut ends, Some(&PATIENCE)).ok();
}

impl Drop for Agent {
    /// TERM and not KILL: it gives the terminal its echo back.
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
            kill_process(pid, Signal::TERM).ok();
        }
        drop(self.0.wait());
    }
}
