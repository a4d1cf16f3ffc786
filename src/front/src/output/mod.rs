//! Output: what a job writes goes through here, hashed whole, previewed, and copied to the caller's descriptors.
//!
//! ```text
//!   job ──pipe──▶ pump ──┬─▶ SHA-256 and length, over everything
//!                        ├─▶ preview, the first 64 KiB
//!                        └─▶ copy (a thread per descriptor) ──▶ the caller's descriptor
//! ```
//!
//! Memory is bounded whatever the amount. A reader that is slow slows its own job and nobody else; one that has
//! gone, or does not read within [`GRACE`] after the job's end, loses the rest and the stream is marked truncated.
//! Never stored, never logged: only hash and length leave this room for the record. SEC-9, SEC-15.

mod copy;
mod pump;

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use countersign_core::outcome::Stream;
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) use copy::Sink;

use crate::budget::Held;

/// How many bytes of each stream are kept for callers that passed no descriptor.
pub(crate) const PREVIEW: usize = 64 * 1_024;
/// How long after the job's end its output may still be drained and copied.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// One stream as it was captured.
#[derive(Debug)]
pub(crate) struct Captured {
    /// Hash, length, and whether it was cut.
    pub(crate) stream: Stream,
    /// Its first [`PREVIEW`] bytes, as the job wrote them.
    pub(crate) preview: Vec<u8>,
}

/// Both streams.
#[derive(Debug)]
pub(crate) struct Output {
    /// Standard output.
    pub(crate) stdout: Captured,
    /// Standard error.
    pub(crate) stderr: Captured,
}

/// The caller's own descriptors, checked.
#[derive(Debug, Default)]
pub(crate) struct Sinks {
    /// Where standard output is copied to.
    pub(crate) stdout: Option<Sink>,
    /// Where standard error is copied to.
    pub(crate) stderr: Option<Sink>,
}

/// The writing ends for the job.
#[derive(Debug)]
pub(crate) struct Ends {
    /// For standard output.
    pub(crate) stdout: OwnedFd,
    /// For standard error.
    pub(crate) stderr: OwnedFd,
}

/// A capture under way.
#[derive(Debug)]
pub(crate) struct Capture {
    stdout: JoinHandle<Captured>,
    stderr: JoinHandle<Captured>,
    ended: watch::Sender<Option<Duration>>,
    over: watch::Receiver<bool>,
}

/// The count against the profile's output cap, shared by both streams.
#[derive(Debug)]
struct Cap {
    written: AtomicU64,
    most: u64,
    over: watch::Sender<bool>,
}

impl Cap {
    fn count(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let before = self.written.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.most {
            self.over.send_replace(true);
        }
    }
}

/// Begins to capture two new pipes. `most` is the profile's output cap in bytes; `place` is held until the last
/// copying thread has ended, so that a caller's stuck descriptors count against nobody else.
///
/// # Errors
/// The kernel gave no pipe or no thread.
pub(crate) fn capture(sinks: Sinks, most: u64, place: &Arc<Held>) -> io::Result<(Ends, Capture)> {
    let (ended, end) = watch::channel(None);
    let (tell_over, over) = watch::channel(false);
    let cap = Arc::new(Cap { written: AtomicU64::new(0), most, over: tell_over });
    let begin = |sink: Option<Sink>| -> io::Result<(OwnedFd, JoinHandle<Captured>)> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
        let copy = sink.map(|sink| copy::start(sink, Arc::clone(place))).transpose()?;
        let pump = pump::Pump::new(reader, copy, Arc::clone(&cap), end.clone())?;
        Ok((writer, tokio::spawn(pump.run())))
    };
    let (stdout_end, stdout) = begin(sinks.stdout)?;
    let (stderr_end, stderr) = begin(sinks.stderr)?;
    Ok((Ends { stdout: stdout_end, stderr: stderr_end }, Capture { stdout, stderr, ended, over }))
}

impl Capture {
    /// Comes back when the job has written more than its cap; never otherwise.
    pub(crate) async fn overflow(&mut self) {
        if self.over.wait_for(|over| *over).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The job is over: takes what is left, for as long as `grace`, and says what was written.
    pub(crate) async fn finish(self, grace: Duration) -> Output {
        self.ended.send_replace(Some(grace));
        let nothing = |_| Captured::lost();
        Output { stdout: self.stdout.await.unwrap_or_else(nothing), stderr: self.stderr.await.unwrap_or_else(nothing) }
    }
}

impl Captured {
    /// What is said of a stream whose pump broke: nothing is known of it, so it counts as cut.
    fn lost() -> Self {
        Self {
            stream: Stream { sha256: countersign_core::digest::Digest::of(&[]), length: 0, truncated: true },
            preview: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
