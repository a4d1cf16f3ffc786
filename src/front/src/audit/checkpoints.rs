//! Checkpoints: when the log's tree is signed by the launcher, and what the log proves of itself. SEC-10.
//!
//! ```text
//!   64 records, a minute with a record, start, end, somebody asks ─▶ head, proof ─▶ launcher ─▶ note, kept in the log
//!                                                  not the base it wants ▲  │
//!                                                                        └──┘ once more
//! ```
//!
//! No request waits for a checkpoint. One that is not made is made later, and people have a notice until it is. But a
//! launcher that refuses to sign has seen another history than ours: somebody rewrote the log or put an older copy back.
//! Then the broker goes to amber, and no `resume` ends that: only the log that was signed does, or root's word that it is
//! lost, at a start.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use countersign_audit::{Store, StoreError, Visit, Writer};
use countersign_core::checkpoint::Checkpoint;
use countersign_core::code::{Code, Failure};
use countersign_core::evidence::{Evidence, encoded_hashes};
use countersign_core::message::{Handover, Unsigned};
use countersign_core::note::Note;
use countersign_core::record::{Act, Draft, Stamp};
use countersign_core::tree::{ProveError, TreeHead};
use tokio::sync::{Mutex, Notify, oneshot};
use tokio::time::interval;

use super::Ledger;
use crate::launch::Launcher;
use crate::notice::Topic;

/// After how many records a checkpoint is due.
const RECORDS: u64 = 64;
/// How long a record waits for a checkpoint at most, if the launcher signs.
const EVERY: Duration = Duration::from_secs(60);
/// How often a signature is asked for with another base: what the launcher signed last changes with us alone.
const ATTEMPTS: usize = 2;

/// What is not signed yet.
#[derive(Debug)]
pub(super) struct Checkpoints {
    /// How many records came since the last checkpoint; one at the begin, because a run begins with some.
    unsigned: AtomicU64,
    due: Notify,
    /// Whose turn it is to ask, and the size that the launcher signed last as far as is known.
    turn: Mutex<Option<u64>>,
    /// Whether the launcher signed another history than ours.
    rewritten: AtomicBool,
}

impl Checkpoints {
    pub(super) fn new() -> Self {
        Self {
            unsigned: AtomicU64::new(1),
            due: Notify::new(),
            turn: Mutex::new(None),
            rewritten: AtomicBool::new(false),
        }
    }

    /// So many records were written.
    pub(super) fn note(&self, records: u64) {
        let before = self.unsigned.fetch_add(records, Ordering::Relaxed);
        if before < RECORDS && before.saturating_add(records) >= RECORDS {
            self.due.notify_one();
        }
    }
}

/// Makes checkpoints when they are due, for as long as the broker lives.
pub(crate) async fn keep_up(ledger: &Ledger, launcher: &dyn Launcher) {
    let mut minute = interval(EVERY);
    loop {
        tokio::select! {
            _ = minute.tick() => {}
            () = ledger.checkpoints.due.notified() => {}
        }
        if ledger.checkpoints.unsigned.load(Ordering::Relaxed) > 0 {
            // One that failed has said so, and is tried again within the minute.
            drop(ledger.checkpoint(launcher).await);
        }
    }
}

impl Ledger {
    /// A checkpoint over all records that are in the log when this is called.
    ///
    /// # Errors
    /// `AuditUnavailable`: the log could not be read, or the launcher did not sign.
    pub(crate) async fn checkpoint(&self, launcher: &dyn Launcher) -> Result<String, Failure> {
        let mut base = self.checkpoints.turn.lock().await;
        let unsigned = self.checkpoints.unsigned.swap(0, Ordering::Relaxed);
        let signed = self.sign(launcher, &mut base).await;
        if signed.is_err() {
            self.checkpoints.unsigned.fetch_add(unsigned.max(1), Ordering::Relaxed);
        }
        let notice = signed.as_ref().err().map(|failure| failure.sentence.clone());
        self.standing.notices.say(Topic::Checkpoint, notice);
        signed
    }

    /// That the launcher has not refused this log.
    ///
    /// # Errors
    /// `AuditUnavailable`: it has, so this is not the log that was signed, and the state stays amber.
    pub(crate) fn has_what_was_signed(&self) -> Result<(), Failure> {
        if !self.checkpoints.rewritten.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(Failure::new(
            Code::AuditUnavailable,
            "The log is not the one that was signed, so only reads are served: CHECKPOINTS in countersignd(8) says how to go on.",
        ))
    }

    async fn sign(&self, launcher: &dyn Launcher, base: &mut Option<u64>) -> Result<String, Failure> {
        let (head, newest) = self.seen(Writer::sign, |store| Ok((store.tree(), store.newest_checkpoint()?))).await?;
        if let Some((size, note)) = newest {
            if base.is_some() && size == head.size {
                return Ok(note);
            }
            base.get_or_insert(size);
        }
        for _ in 0..ATTEMPTS {
            let from = base.unwrap_or(0).min(head.size);
            let proof = self.look(move |store| store.consistency(from, head.size).map_err(not_proven)).await?;
            match launcher.sign(from, head, proof).await {
                Ok(note) => {
                    *base = Some(head.size);
                    self.checkpoints.rewritten.store(false, Ordering::Relaxed);
                    let kept = note.clone();
                    self.look(move |store| store.keep(&head, &kept)).await?;
                    return Ok(note);
                }
                Err(Unsigned::Base { signed }) => *base = Some(signed.size),
                Err(unsigned @ Unsigned::Rewritten { .. }) => {
                    self.checkpoints.rewritten.store(true, Ordering::Relaxed);
                    self.standing.warn();
                    return Err(refused(&unsigned));
                }
                Err(unsigned @ Unsigned::Unavailable) => return Err(refused(&unsigned)),
            }
        }
        Err(refused(&Unsigned::Unavailable))
    }

    /// That this entry is in the log, with a checkpoint that covers it.
    ///
    /// # Errors
    /// `InvalidRequest`: there is no such entry here. `AuditUnavailable`, as for [`Self::checkpoint`].
    pub(crate) async fn evidence(&self, launcher: &dyn Launcher, entry: u64) -> Result<Evidence, Failure> {
        let (last, newest) = self.look(|store| Ok((store.tree().size, store.newest_checkpoint()?))).await?;
        let index = entry.checked_sub(1).filter(|_| entry <= last).ok_or_else(no_entry)?;
        let note = match newest {
            Some((size, note)) if size >= entry => note,
            Some(_) | None => self.checkpoint(launcher).await?,
        };
        let (note, checkpoint) = read(&note).ok_or_else(|| refused(&Unsigned::Unavailable))?;
        let size = checkpoint.head.size;
        let proof = self.look(move |store| store.inclusion(entry, size).map_err(not_proven)).await;
        Ok(Evidence { record: None, index, proof: proof.map_err(|_| no_entry())?, checkpoint: note })
    }

    /// The hashes, in base 64, that prove that the log of `new` entries begins with that of `old`.
    ///
    /// # Errors
    /// `InvalidRequest`: the log has fewer entries, or begins later.
    pub(crate) async fn consistency(&self, old: u64, new: u64) -> Result<Vec<String>, Failure> {
        if new > self.look(|store| Ok(store.tree().size)).await? {
            return Err(no_entry());
        }
        let proof = self.look(move |store| store.consistency(old, new).map_err(not_proven)).await;
        proof.map(|proof| encoded_hashes(&proof)).map_err(|_| no_entry())
    }

    /// The head of the log's tree.
    ///
    /// # Errors
    /// `AuditUnavailable`: the log has ended.
    pub(crate) async fn head(&self) -> Result<TreeHead, Failure> {
        self.look(|store| Ok(store.tree())).await
    }

    /// Looks at the store on its own thread, after all that was queued before.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&mut Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Failure> {
        self.seen(Writer::visit, look).await
    }

    /// The same through this door of the writer.
    async fn seen<T: Send + 'static>(
        &self,
        door: fn(&Writer, Visit),
        look: impl FnOnce(&mut Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Failure> {
        let (tell, seen) = oneshot::channel();
        // Whoever asked may have gone meanwhile.
        door(&self.writer, Box::new(move |store| drop(tell.send(store.and_then(look)))));
        match seen.await {
            Ok(Ok(seen)) => Ok(seen),
            Ok(Err(error)) => Err(unreadable(&crate::chain(&error))),
            Err(_) => Err(unreadable("it was closed")),
        }
    }
}

/// The handovers that the log does not have yet, each with its record.
pub(super) fn unknown(
    store: &Store,
    handovers: &[Handover],
    stamp: &Stamp,
) -> Result<Vec<(Handover, Draft)>, StoreError> {
    let mut found = Vec::new();
    for handover in handovers {
        let Some((_, checkpoint)) = read(&handover.note) else { continue };
        let Some(next) = checkpoint.next_key() else { continue };
        if !store.has_checkpoint(checkpoint.head.size, &handover.note)? {
            let why = format!("{} (the next key has the id {:08x})", handover.by.why, u32::from_be_bytes(next.id()));
            found.push((handover.clone(), Draft::control(stamp, Act::Rotate, &handover.by.who, &why)));
        }
    }
    Ok(found)
}

/// Keeps a handover among the checkpoints. One that the log cannot have is told of: then the log was rewritten, and the
/// launcher will not sign it either.
pub(super) fn keep(store: &mut Store, handover: &Handover) {
    let Some((_, checkpoint)) = read(&handover.note) else { return };
    if let Err(error) = store.keep(&checkpoint.head, &handover.note) {
        crate::complain(&format!("the change of the log's key could not be kept: {}", crate::chain(&error)));
    }
}

fn read(note: &str) -> Option<(Note, Checkpoint)> {
    let note = Note::parse(note.as_bytes()).ok()?;
    let checkpoint = Checkpoint::parse(note.text()).ok()?;
    Some((note, checkpoint))
}

fn not_proven(error: ProveError<StoreError>) -> StoreError {
    match error {
        ProveError::Beyond { .. } => StoreError::OtherTree,
        ProveError::Subtree(error) => error,
    }
}

fn no_entry() -> Failure {
    Failure::new(
        Code::InvalidRequest,
        "The log has no such entry, or it is in an earlier segment: count from 1 and see `countersign audit list`.",
    )
}

fn refused(unsigned: &Unsigned) -> Failure {
    let failure = Failure::new(
        Code::AuditUnavailable,
        format!("The log is not signed now: {unsigned}. CHECKPOINTS in countersignd(8) says what to do."),
    );
    crate::complain(&failure.sentence);
    failure
}

pub(super) fn unreadable(why: &str) -> Failure {
    Failure::new(
        Code::AuditUnavailable,
        format!("The log cannot be asked now: {why}. An administrator looks at the journal."),
    )
}

#[cfg(test)]
mod tests;
