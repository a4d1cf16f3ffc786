//! The one who cleans up: a small process that outlives the test by as long as taking the machine down needs.
//!
//! What enters: names of everything the machine will leave outside itself; what leaves: nothing, when the pipe to it
//! closes. It must be started before anything it is to remove, and it must never depend on the test running a destructor.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context, Result};

const SCRIPT: &str = include_str!("guard.sh");

/// Everything of a machine that exists outside it.
pub(crate) struct Estate<'a> {
    pub(crate) name: &'a str,
    pub(crate) dir: &'a Path,
    pub(crate) cgroups: Vec<PathBuf>,
    /// The command that boots, run when [`Guard::boot`] says so.
    pub(crate) boot: Vec<String>,
}

/// Dropping it takes the machine down and returns when it is gone.
pub(crate) struct Guard {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Guard {
    /// Starts the guard in a session of its own, so that no terminal and no kill of the test's group reaches it.
    #[expect(clippy::disallowed_methods, reason = "the guard is a process by design")]
    pub(crate) fn start(estate: &Estate<'_>, slot: File) -> Result<Self> {
        let mut child = Command::new("setsid")
            .args(["sh", "-c", SCRIPT, "countersign-machine-guard", estate.name])
            .arg(estate.dir)
            .args(&estate.cgroups)
            .arg("--")
            .args(&estate.boot)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(slot)
            .spawn()
            .context("start the machine's guard")?;
        let pipe = child.stdin.take();
        Ok(Self { child, pipe })
    }

    pub(crate) fn boot(&mut self) -> Result<()> {
        self.pipe.as_mut().context("the guard has no pipe")?.write_all(b"boot\n").context("tell the guard to boot")
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.pipe.take());
        // A guard that cannot be waited for is gone, which is all that is wanted here.
        self.child.wait().ok();
    }
}
