//! The writer: one thread that owns the store and commits whatever has queued in one transaction.
//!
//! ```text
//!   append ─▶ queue (bounded) ─▶ thread: take one, take all that wait ─▶ one commit ─▶ reply to each
//!   visit  ─┘                          then the visits; nothing for a moment ─▶ empty the journal, close the segment
//!   sign: where the segment is full, what is appended waits until the head is signed, and the segment is closed there
//! ```
//!
//! Enters: drafts with a reply each. Leaves: the entries, or one error for every draft of that commit. A reply is
//! called exactly once, unless the thread died; then it is dropped, which the asker must take for a failure.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use countersign_core::record::{Draft, Entry};

use crate::error::StoreError;
use crate::store::Store;

/// What is done with the outcome of an append. Called on the writer's thread: it must be short and must not block.
pub type Reply = Box<dyn FnOnce(Result<Vec<Entry>, StoreError>) + Send>;

/// The most appends that wait. Above every bound on open requests, so that a full queue means a disk that hangs.
const QUEUE: usize = 4_096;
/// The most appends in one commit, so that the first of them does not wait for ever.
const GROUP: usize = 512;
/// How long the writer is idle before it empties SQLite's journal, so that the database file is the whole log.
const IDLE: Duration = Duration::from_millis(100);
/// How long appends wait at most for a signature over the last entry, where a segment can be closed.
const HOLD: Duration = Duration::from_millis(500);
/// How long it is before they wait again, where it could not.
const AGAIN: Duration = Duration::from_mins(1);

/// What is done with the store between two commits. Called on the writer's thread: it must be short.
pub type Visit = Box<dyn FnOnce(Result<&mut Store, StoreError>) + Send>;

enum Job {
    Append { drafts: Vec<Draft>, reply: Reply },
    Visit(Visit),
    Sign(Visit),
    Stop { done: Reply },
}

/// The way to the writer's thread. Dropping it ends the thread once the queue is empty.
#[derive(Debug)]
pub struct Writer {
    queue: SyncSender<Job>,
}

impl Writer {
    /// Starts the thread `audit-writer`, which owns the store from now on. It closes a segment of the log at the first
    /// signed checkpoint over the last entry once there are `segment` entries in it.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(store: Store, segment: NonZeroU64) -> Result<Self, StoreError> {
        let (queue, jobs) = sync_channel(QUEUE);
        let builder = thread::Builder::new().name("audit-writer".to_owned());
        builder.spawn(move || run(store, segment, &jobs)).map_err(|error| StoreError::Thread(Arc::new(error)))?;
        Ok(Self { queue })
    }

    /// Queues these records; `reply` gets their entries, in order, when they are on the disk. All or none. Never blocks.
    pub fn append(&self, drafts: Vec<Draft>, reply: Reply) {
        self.queue(Job::Append { drafts, reply });
    }

    /// Shows the store to `visit` after all that was queued before is written: to prove something about the log, or to
    /// keep a checkpoint. Never blocks.
    pub fn visit(&self, visit: Visit) {
        self.queue(Job::Visit(visit));
    }

    /// Like [`Self::visit`], for a head that is signed now. Where the segment is full, what is appended from here on waits
    /// until a checkpoint over the last entry is kept, half a second at most, and the segment is closed there; a visit does not
    /// wait for what waits. Where it could not be closed, nothing waits again for a minute. Never blocks.
    pub fn sign(&self, visit: Visit) {
        self.queue(Job::Sign(visit));
    }

    /// Writes all that is queued, empties the journal and closes the log; then `done` gets an empty list. What is
    /// appended later is answered with [`StoreError::Gone`].
    pub fn stop(&self, done: Reply) {
        self.queue(Job::Stop { done });
    }

    fn queue(&self, job: Job) {
        match self.queue.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Full(job)) => job.refuse(StoreError::Overloaded),
            Err(TrySendError::Disconnected(job)) => job.refuse(StoreError::Gone),
        }
    }
}

impl Job {
    fn refuse(self, error: StoreError) {
        match self {
            Self::Append { reply, .. } | Self::Stop { done: reply } => reply(Err(error)),
            Self::Visit(visit) | Self::Sign(visit) => visit(Err(error)),
        }
    }
}

fn run(mut store: Store, segment: NonZeroU64, jobs: &Receiver<Job>) {
    let (mut dirty, mut held, mut failed) = (false, Vec::new(), None::<Instant>);
    loop {
        let next =
            if held.is_empty() { jobs.recv_timeout(IDLE).map(|job| vec![job]) } else { Ok(std::mem::take(&mut held)) };
        let first = match next {
            Ok(job) => job,
            Err(RecvTimeoutError::Timeout) => {
                // A checkpoint that fails loses nothing; it is tried again after the next idle moment.
                dirty = dirty && (store.checkpoint().is_err() || store.close_segment(segment).is_err());
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let group: Vec<Job> = first.into_iter().chain(jobs.try_iter()).take(GROUP).collect();
        let signing = group.iter().any(|job| matches!(job, Job::Sign(_)));
        dirty = true;
        if let Some(done) = commit(&mut store, group) {
            let emptied = store.checkpoint().map(|()| Vec::new());
            drop(store);
            done(emptied);
            // Whoever comes later is told so until nobody can come any more.
            jobs.iter().for_each(|late| late.refuse(StoreError::Gone));
            break;
        }
        if signing && store.is_full(segment) && failed.is_none_or(|at| at.elapsed() >= AGAIN) {
            failed = (!hold(&mut store, segment, jobs, &mut held)).then(Instant::now);
        }
    }
}

/// Lets appends wait in their order while the log is signed, and closes the segment as soon as it is. Says whether it did.
fn hold(store: &mut Store, segment: NonZeroU64, jobs: &Receiver<Job>, held: &mut Vec<Job>) -> bool {
    let begun = Instant::now();
    while held.len() < GROUP {
        match store.close_segment(segment) {
            Ok(false) => {}
            Ok(true) => return true,
            Err(_) => return false,
        }
        match jobs.recv_timeout(HOLD.saturating_sub(begun.elapsed())) {
            Ok(Job::Visit(visit) | Job::Sign(visit)) => visit(Ok(store)),
            Ok(append @ Job::Append { .. }) => held.push(append),
            Ok(end @ Job::Stop { .. }) => {
                held.push(end);
                return false;
            }
            Err(_) => return false,
        }
    }
    false
}

/// Gives each its own entries, or all the same error.
fn answer(written: Result<Vec<Entry>, StoreError>, replies: Vec<(usize, Reply)>) {
    match written {
        Ok(entries) => {
            let mut entries = entries.into_iter();
            for (count, reply) in replies {
                reply(Ok(entries.by_ref().take(count).collect()));
            }
        }
        Err(error) => replies.into_iter().for_each(|(_, reply)| reply(Err(error.clone()))),
    }
}

/// Commits the appends of a group and answers them; returns the end's reply if the group asked for the end.
fn commit(store: &mut Store, group: Vec<Job>) -> Option<Reply> {
    let (mut drafts, mut replies, mut visits, mut end) = (Vec::new(), Vec::new(), Vec::new(), None);
    for job in group {
        match (job, &end) {
            (Job::Append { drafts: more, reply }, None) => {
                replies.push((more.len(), reply));
                drafts.extend(more);
            }
            (Job::Visit(visit) | Job::Sign(visit), None) => visits.push(visit),
            (Job::Stop { done }, None) => end = Some(done),
            (late, Some(_)) => late.refuse(StoreError::Gone),
        }
    }
    if !replies.is_empty() {
        answer(store.append(&drafts), replies);
    }
    visits.into_iter().for_each(|visit| visit(Ok(store)));
    end
}
