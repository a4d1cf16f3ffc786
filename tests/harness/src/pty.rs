//! A command on a real terminal of the machine.
//!
//! What enters: keys; what leaves: the screen. The terminal belongs to the machine's own devpts, so that programs inside
//! find it by name. It must never become the controlling terminal of the test.

use std::fs::File;
use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::os::fd::OwnedFd;
use std::os::unix::fs::fchown;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use crate::deadline::Deadline;
use crate::process::{Output, Process};
use crate::stream::Stream;

/// A new terminal pair: ours, and the side for the command, owned by `uid`.
pub(crate) fn open_pair(leader: i32, uid: u32) -> Result<(File, OwnedFd)> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let ours = open(format!("/proc/{leader}/root/dev/pts/ptmx"), flags, Mode::empty()).context("open a terminal")?;
    unlockpt(&ours).context("unlock the terminal")?;
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let theirs = ioctl_tiocgptpeer(&ours, flags).context("open the terminal's other side")?;
    fchown(&theirs, Some(uid), None).context("give the terminal away")?;
    Ok((ours.into(), theirs))
}

/// A command on a terminal, while it runs.
pub struct Terminal {
    keys: Option<File>,
    screen: Stream,
    process: Process,
    /// Dropping it makes the reader of the screen let go of the terminal.
    hook: Option<PipeWriter>,
}

/// Our side of the terminal, which ends when the hook is dropped.
struct Screen {
    terminal: File,
    hook: PipeReader,
}

impl Read for Screen {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let watched = PollFlags::IN;
        let mut both = [PollFd::new(&self.terminal, watched), PollFd::new(&self.hook, watched)];
        poll(&mut both, None)?;
        let [terminal, hook] = both.map(|fd| !fd.revents().is_empty());
        // What is on the screen comes before the hanging up.
        if hook && !terminal { Ok(0) } else { self.terminal.read(buffer) }
    }
}

impl Terminal {
    pub(crate) fn new(ours: File, process: Process) -> Result<Self> {
        let (hook_reader, hook) = pipe()?;
        let screen = Stream::listen(Screen { terminal: ours.try_clone()?, hook: hook_reader })?;
        Ok(Self { keys: Some(ours), screen, process, hook: Some(hook) })
    }

    /// Waits until `text` appears after what the last call found; returns the screen from there to its end.
    ///
    /// # Errors
    /// When the time passes or the terminal closes first.
    pub fn expect(&mut self, text: &str, within: Duration) -> Result<String> {
        self.screen.expect(text, within)
    }

    /// Waits likewise until one of `texts` appears, and returns which.
    ///
    /// # Errors
    /// As [`Terminal::expect`].
    pub fn first_of<'t>(&mut self, texts: &[&'t str], within: Duration) -> Result<&'t str> {
        self.screen.first_of(texts, within)
    }

    /// Waits until the screen ends with one of `prompts`, and returns which.
    ///
    /// # Errors
    /// When the time passes or the terminal closes first.
    pub fn prompt<'p>(&mut self, prompts: &[&'p str], within: Duration) -> Result<&'p str> {
        self.screen.prompt(prompts, within)
    }

    /// Types a line and Enter.
    pub fn send(&mut self, line: &str) -> Result<()> {
        self.keys(format!("{line}\n").as_bytes())
    }

    /// Types a password and Enter, once the terminal does not echo: a program that asks first and switches echo off then
    /// throws away what was typed in between.
    ///
    /// # Errors
    /// When the terminal still echoes after five seconds.
    pub fn send_secret(&mut self, secret: &str) -> Result<()> {
        let keys = self.keys.as_ref().context("the terminal is closed")?;
        let silent = || tcgetattr(keys).is_ok_and(|modes| !modes.local_modes.contains(LocalModes::ECHO)).then_some(());
        Deadline::after(Duration::from_secs(5)).poll(silent).context("the terminal would echo a password")?;
        self.send(secret)
    }

    /// Types keys as they are: `b"\x03"` is ^C, `b"\x04"` is ^D.
    pub fn keys(&mut self, keys: &[u8]) -> Result<()> {
        self.keys.as_mut().context("the terminal is closed")?.write_all(keys).context("type on the terminal")
    }

    /// Closes the terminal, as when its window is closed: its session gets SIGHUP.
    ///
    /// # Errors
    /// When the screen's reader does not let go within a second.
    pub fn hang_up(&mut self) -> Result<()> {
        self.keys = None;
        self.hook = None;
        anyhow::ensure!(self.screen.ended(&Deadline::after(Duration::from_secs(1))), "the terminal stayed open");
        Ok(())
    }

    /// Gives `text` some time to come anywhere on the screen, whatever was expected before.
    pub(crate) fn await_text(&self, text: &str, within: Duration) {
        Deadline::after(within).poll(|| self.screen().contains(text).then_some(()));
    }

    /// All that was ever on the screen.
    pub fn screen(&self) -> String {
        self.screen.text()
    }

    /// The command itself.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Waits for the command to end. Its output is on the screen, except what was directed to pipes.
    ///
    /// # Errors
    /// As [`Process::wait`].
    pub fn wait(&mut self, limit: Duration) -> Result<Output> {
        self.process.wait(limit)
    }
}
