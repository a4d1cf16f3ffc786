//! Copy: writes to a caller's descriptor from a thread of its own.
//!
//! The descriptor's description is shared with the caller, so it is never made non-blocking. The thread asks first
//! whether there is room and then writes no more than a pipe takes at once; should the caller take that room away in
//! between, the thread waits alone, and its place in the caller's own budget with it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{AtFlags, FileType, OFlags, StatxFlags, fcntl_getfl, statx};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;

use crate::budget::Held;

/// How many chunks may wait for the thread.
const QUEUE: usize = 2;
/// What a pipe that polls as writable takes without waiting (`PIPE_BUF`, pipe(7)).
const AT_ONCE: usize = 4_096;
/// How often a thread that waits for room looks whether it was given up, in nanoseconds.
const LOOK_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
/// How long a thread rests that found no room where there should be some.
const BREATH: Duration = Duration::from_millis(10);

/// A descriptor of a caller that output may be written to.
#[derive(Debug)]
pub(crate) struct Sink(OwnedFd);

/// Why a descriptor is no place to write output to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotASink {
    /// It is a directory, a disk, or something else that is not written to in order.
    #[error("output can go to a pipe, a file, a terminal or a socket")]
    Kind,
    /// It was not opened for writing.
    #[error("the descriptor for output was not opened for writing")]
    ReadOnly,
    /// The kernel says nothing of it.
    #[error("the descriptor for output cannot be looked at")]
    Unknown,
}

impl Sink {
    /// Checks a descriptor. Asks no file server that could let us wait.
    ///
    /// # Errors
    /// [`NotASink`].
    pub(crate) fn new(fd: OwnedFd) -> Result<Self, NotASink> {
        let flags = fcntl_getfl(&fd).map_err(|_| NotASink::Unknown)?;
        if flags.contains(OFlags::PATH) || flags & OFlags::RWMODE == OFlags::RDONLY {
            return Err(NotASink::ReadOnly);
        }
        let what = statx(&fd, c"", AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC, StatxFlags::TYPE)
            .map_err(|_| NotASink::Unknown)?;
        match FileType::from_raw_mode(u32::from(what.stx_mode)) {
            FileType::Fifo | FileType::RegularFile | FileType::CharacterDevice | FileType::Socket => Ok(Self(fd)),
            FileType::Directory | FileType::BlockDevice | FileType::Symlink | FileType::Unknown => Err(NotASink::Kind),
        }
    }
}

impl Sink {
    /// The same place once more, for the next step of a bundle.
    ///
    /// # Errors
    /// There is no descriptor left.
    pub(crate) fn again(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }
}

/// A copying thread, from the outside.
pub(super) struct Copy {
    chunks: Sender<Vec<u8>>,
    done: oneshot::Receiver<()>,
    given_up: Arc<AtomicBool>,
}

/// Starts the thread.
pub(super) fn start(sink: Sink, place: Arc<Held>) -> io::Result<Copy> {
    let (chunks, queue) = channel(QUEUE);
    let (tell_done, done) = oneshot::channel();
    let given_up = Arc::new(AtomicBool::new(false));
    let look = Arc::clone(&given_up);
    let work = move || {
        if write_all(&sink, queue, &look).is_ok() {
            // Whoever asked may have given up meanwhile.
            tell_done.send(()).ok();
        }
        drop(place);
    };
    std::thread::Builder::new().name("output".to_owned()).spawn(work)?;
    Ok(Copy { chunks, done, given_up })
}

impl Copy {
    /// Hands on a chunk, waiting for room; says whether there is still somebody to write to.
    pub(super) async fn pass_on(&self, chunk: Vec<u8>) -> bool {
        self.chunks.send(chunk).await.is_ok()
    }

    /// Waits until everything is written; says whether it was.
    pub(super) async fn finish(mut self) -> bool {
        let (closed, _) = channel(1);
        drop(std::mem::replace(&mut self.chunks, closed));
        (&mut self.done).await.is_ok()
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        self.given_up.store(true, Ordering::Relaxed);
    }
}

fn write_all(sink: &Sink, mut queue: Receiver<Vec<u8>>, given_up: &AtomicBool) -> io::Result<()> {
    while let Some(chunk) = queue.blocking_recv() {
        let mut rest = chunk.as_slice();
        while !rest.is_empty() {
            wait_for_room(sink, given_up)?;
            let piece = rest.get(..AT_ONCE).unwrap_or(rest);
            let written = match rustix::io::write(&sink.0, piece) {
                // The caller made its own description non-blocking and took the room away, or a signal came.
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {
                    std::thread::sleep(BREATH);
                    0
                }
                written => written?,
            };
            rest = rest.get(written..).unwrap_or_default();
        }
    }
    Ok(())
}

fn wait_for_room(sink: &Sink, given_up: &AtomicBool) -> io::Result<()> {
    while !given_up.load(Ordering::Relaxed) {
        let mut asked = [PollFd::from_borrowed_fd(sink.0.as_fd(), PollFlags::OUT)];
        match poll(&mut asked, Some(&LOOK_EVERY)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}
