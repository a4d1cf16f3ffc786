//! The launcher at the other end of the socket pair: one datagram per message, descriptors beside it.
//!
//! ```text
//!   pin, run, cancel … ── send ──▶ launcher ──▶ one reading task ──▶ whoever waits for that request
//! ```
//!
//! A message that cannot be read, or an end of the stream, is the launcher's end: everybody who waits is told, and
//! the front exits. The socket is never asked to wait: the kernel says when it is ready.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign_core::argv::Argv;
use countersign_core::code::{Code, Failure};
use countersign_core::message::{CancelCause, FromLauncher, Handover, MAX_BYTES, StopNote, ToLauncher, Unsigned};
use countersign_core::order::Order;
use countersign_core::path::CleanPath;
use countersign_core::plan::Pinned;
use countersign_core::policy::Ruleset;
use countersign_core::request::RequestId;
use countersign_core::tree::{Proof, TreeHead};
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use tokio::io::Interest;
use tokio::net::UnixDatagram;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::waiting::Waiting;
use super::{Job, JobFiles, Launcher, Soon};
use crate::lock::lock;

/// How long the launcher may take to load the policy and say that it is ready.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// How long an answer to a question may take. Hashing the largest programs takes a second or two.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How long ending every job may take. The unit's own limit is 5 s.
const STOP_WITHIN: Duration = Duration::from_secs(3);

/// Why there is no launcher to talk to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LaunchError {
    /// The socket cannot be watched.
    #[error("the launcher's socket cannot be used")]
    Socket(#[source] io::Error),
    /// Nothing came in time.
    #[error("the launcher did not get ready in time")]
    Late,
    /// It ended before it was ready; it said why on the journal.
    #[error("the launcher ended at once: its own message says why")]
    Ended,
    /// It said something else than `Ready`.
    #[error("the launcher did not say that it is ready")]
    Nonsense,
}

/// What the launcher says once it is ready.
#[derive(Debug)]
pub(crate) struct Ready {
    /// The policy that it read.
    pub(crate) ruleset: Ruleset,
    /// Who cleared the stop latch since the last run, and why.
    pub(crate) cleared: Option<StopNote>,
    /// Every change of the log's key.
    pub(crate) handovers: Vec<Handover>,
}

/// The launcher's client.
#[derive(Debug)]
pub(crate) struct Socket {
    // A SEQPACKET socket that the runtime watches as it would one of datagrams.
    socket: Arc<UnixDatagram>,
    waiting: Arc<Mutex<Waiting>>,
    gone: watch::Receiver<bool>,
}

impl Socket {
    /// Waits for the launcher's `Ready` and begins to listen.
    ///
    /// # Errors
    /// [`LaunchError`].
    pub(crate) async fn open(fd: OwnedFd) -> Result<(Self, Ready), LaunchError> {
        let socket = std::os::unix::net::UnixDatagram::from(fd);
        socket.set_nonblocking(true).map_err(LaunchError::Socket)?;
        let socket = Arc::new(UnixDatagram::from_std(socket).map_err(LaunchError::Socket)?);
        let first = timeout(READY_WITHIN, receive(&socket)).await.map_err(|_| LaunchError::Late)?;
        let ready = match first {
            Ok(Some(FromLauncher::Ready { ruleset, cleared, handovers })) => Ready { ruleset, cleared, handovers },
            Ok(None) | Err(_) => return Err(LaunchError::Ended),
            Ok(Some(_)) => return Err(LaunchError::Nonsense),
        };
        let waiting = Arc::new(Mutex::new(Waiting::default()));
        let (tell, gone) = watch::channel(false);
        tokio::spawn(listen(Arc::clone(&socket), Arc::clone(&waiting), tell));
        Ok((Self { socket, waiting, gone }, ready))
    }

    async fn send(&self, message: &ToLauncher<Order>, files: &[BorrowedFd<'_>]) -> Result<(), Failure> {
        let bytes = serde_json::to_vec(message).map_err(|_| unreachable_launcher())?;
        if bytes.len() > MAX_BYTES {
            return Err(Failure::new(
                Code::InvalidRequest,
                "The request is too large when written in full: shorten its words or its environment.",
            ));
        }
        let sent = self.socket.async_io(Interest::WRITABLE, || send_once(&self.socket, &bytes, files)).await;
        sent.map_err(|_| unreachable_launcher())
    }

    /// Sends a question and waits for the answer that `wait` registered for.
    async fn ask<T>(
        &self,
        message: ToLauncher<Order>,
        files: &[BorrowedFd<'_>],
        answer: oneshot::Receiver<T>,
        within: Duration,
    ) -> Result<T, Failure> {
        self.send(&message, files).await?;
        match timeout(within, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(unreachable_launcher()),
            Err(_) => Err(Failure::new(
                Code::LaunchFailed,
                "The launcher did not answer in time: try again, and see the journal if it stays so.",
            )),
        }
    }
}

impl Launcher for Socket {
    fn pin<'a>(&'a self, id: RequestId, argv: &'a Argv, cwd: &'a CleanPath) -> Soon<'a, Result<Pinned, Failure>> {
        Box::pin(async move {
            let answer = lock(&self.waiting).pin(id);
            let message = ToLauncher::Pin { id, argv: argv.clone(), cwd: cwd.clone() };
            self.ask(message, &[], answer, ANSWER_WITHIN).await?.map(|pinned| *pinned)
        })
    }

    fn run(&self, order: Order, files: JobFiles) -> Soon<'_, Result<Job, Failure>> {
        Box::pin(async move {
            let id = order.plan().id;
            let (started, outcome) = lock(&self.waiting).run(id);
            let message = ToLauncher::Run { order: Box::new(order) };
            let beside: Vec<BorrowedFd<'_>> = [Some(&files.stdout), Some(&files.stderr), files.stdin.as_ref()]
                .into_iter()
                .flatten()
                .map(AsFd::as_fd)
                .collect();
            let asked = self.ask(message, &beside, started, ANSWER_WITHIN).await;
            if asked.is_err() {
                // Nobody waits for it any more: should the launcher come to it yet, then to its end as well.
                self.cancel(id, CancelCause::Cancelled).await;
            }
            asked??;
            Ok(Job::new(outcome))
        })
    }

    fn cancel(&self, id: RequestId, cause: CancelCause) -> Soon<'_, ()> {
        // A launcher that cannot be told is gone, and its jobs with it.
        Box::pin(async move { drop(self.send(&ToLauncher::Cancel { id, cause }, &[]).await) })
    }

    fn stop(&self, note: StopNote) -> Soon<'_, Result<(), Failure>> {
        Box::pin(async move {
            let answer = lock(&self.waiting).stop();
            self.ask(ToLauncher::Stop { note }, &[], answer, STOP_WITHIN).await?.map_or(Ok(()), Err)
        })
    }

    fn drain(&self) -> Soon<'_, ()> {
        Box::pin(async move {
            let drained = lock(&self.waiting).drain();
            if self.send(&ToLauncher::Drain, &[]).await.is_ok() {
                // An error means that the launcher is gone, and its jobs with it.
                drop(drained.await);
            }
        })
    }

    fn reload(&self, expects: Ruleset) -> Soon<'_, Result<Ruleset, Failure>> {
        Box::pin(async move {
            let answer = lock(&self.waiting).reload();
            self.ask(ToLauncher::Reload { expects }, &[], answer, ANSWER_WITHIN).await?
        })
    }

    fn sign(&self, base: u64, head: TreeHead, proof: Proof) -> Soon<'_, Result<String, Unsigned>> {
        Box::pin(async move {
            let answer = lock(&self.waiting).sign();
            let asked = self.ask(ToLauncher::Sign { base, head, proof }, &[], answer, ANSWER_WITHIN).await;
            asked.unwrap_or(Err(Unsigned::Unavailable))
        })
    }

    fn gone(&self) -> Soon<'_, ()> {
        let mut gone = self.gone.clone();
        // An error means that the listening task itself is gone.
        Box::pin(async move { drop(gone.wait_for(|gone| *gone).await) })
    }
}

fn unreachable_launcher() -> Failure {
    Failure::new(
        Code::LaunchFailed,
        "The launcher is gone: the service starts anew by itself, so ask again in a moment.",
    )
}

/// Reads until the launcher ends, handing each message to whoever waits for it.
async fn listen(socket: Arc<UnixDatagram>, waiting: Arc<Mutex<Waiting>>, gone: watch::Sender<bool>) {
    while let Ok(Some(message)) = receive(&socket).await {
        lock(&waiting).deliver(message);
    }
    // Dropping what they wait on tells everybody.
    lock(&waiting).close();
    gone.send_replace(true);
}

/// The next message; nothing at the end of the stream.
async fn receive(socket: &UnixDatagram) -> io::Result<Option<FromLauncher>> {
    let mut buffer = vec![0_u8; MAX_BYTES];
    let read = || Ok(rustix::net::recv(socket, buffer.as_mut_slice(), RecvFlags::DONTWAIT | RecvFlags::TRUNC)?);
    let (kept, length) = socket.async_io(Interest::READABLE, read).await?;
    if length == 0 {
        return Ok(None);
    }
    let whole = buffer.get(..length).filter(|_| kept == length).ok_or(io::ErrorKind::InvalidData)?;
    Ok(Some(serde_json::from_slice(whole)?))
}

fn send_once(socket: &UnixDatagram, bytes: &[u8], files: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(countersign_core::message::MAX_DESCRIPTORS))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(files)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let sent =
        rustix::net::sendmsg(socket, &[IoSlice::new(bytes)], &mut beside, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?;
    if sent == bytes.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

#[cfg(test)]
mod tests;
