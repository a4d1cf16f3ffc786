//! Audit: what the front writes into the log, and what happens when it cannot. SEC-2, SEC-8.
//!
//! Enters: drafts. Leaves: the place that the log gave them, once they are on the disk. A record that cannot be
//! written never raises and never lets anything run: the broker goes to amber, and whoever needed the record to be
//! there is told `AuditUnavailable`. Each record also goes to the journal, where a failure means nothing.

pub(crate) mod checkpoints;
mod journal;
pub(crate) mod owed;
pub(crate) mod query;
mod signs;

use std::path::Path;
use std::sync::Arc;

use countersign_audit::{Store, StoreError, Writer};
use countersign_core::code::{Code, Failure};
use countersign_core::message::Handover;
use countersign_core::policy::Policy;
use countersign_core::receipt::Recorded;
use countersign_core::record::{Draft, Entry, Record, Stamp};
use countersign_core::time::Moment;
use tokio::sync::oneshot;

use crate::clock::{self, Boot};
use crate::recall::{Recalled, recall};
use crate::standing::Standing;
use checkpoints::Checkpoints;
use journal::{Journal, Line};
use owed::Owed;
use signs::Signs;

/// The log as the pipeline knows it.
#[derive(Debug)]
pub(crate) struct Ledger {
    writer: Writer,
    journal: Journal,
    boot: Boot,
    standing: Arc<Standing>,
    checkpoints: Checkpoints,
    signs: Signs,
    owed: Owed,
}

impl Ledger {
    /// Opens the log in this directory, writes the first records of this run, closes what an earlier run left open as
    /// interrupted, and keeps the changes of the log's key that it does not have. Also says what the log knows of before.
    ///
    /// # Errors
    /// The log is not ours, not whole, or cannot be written.
    pub(crate) fn open(
        directory: &Path,
        boot: Boot,
        standing: Arc<Standing>,
        policy: &Policy,
        handovers: &[Handover],
        first: impl FnOnce(&Stamp, &Recalled) -> Vec<Draft>,
    ) -> Result<(Self, Recalled), StoreError> {
        let mut store = Store::open(directory)?;
        let journal = Journal::connect();
        let begin = Moment::from_millis(0);
        let newest = store.since(begin, 1)?.first().map_or(begin, |record| record.time);
        let signs = Signs::new(directory, newest).map_err(|errno| StoreError::File { name: ".", errno })?;
        if signs.trouble(clock::now()) {
            standing.warn();
        }
        let stamp = stamp(&boot, &standing, policy);
        let recalled = recall(&store.reader()?, stamp.time)?;
        let (handovers, rotated): (Vec<_>, Vec<_>) =
            checkpoints::unknown(&store, handovers, &stamp)?.into_iter().unzip();
        let first: Vec<Draft> = first(&stamp, &recalled).into_iter().chain(rotated).collect();
        let begun = store.begin(&stamp, &first)?;
        // After their records, so that a crash between the two tells of a change twice and not never.
        handovers.iter().for_each(|handover| checkpoints::keep(&mut store, handover));
        for entry in &begun {
            if let Ok(record) = Record::parse(&entry.body) {
                journal.tell(Line::of(&record), Some(entry.seq));
            }
        }
        let writer = Writer::start(store, policy.settings().segment_records)?;
        let owed = Owed::default();
        Ok((Self { writer, journal, boot, standing, checkpoints: Checkpoints::new(), signs, owed }, recalled))
    }

    /// The circumstances of a record that is made now.
    pub(crate) fn stamp(&self, policy: &Policy) -> Stamp {
        stamp(&self.boot, &self.standing, policy)
    }

    /// Writes one record; comes back when it is on the disk. What could not be written is owed, but for an intent.
    ///
    /// # Errors
    /// `AuditUnavailable`; the state is amber from then on.
    pub(crate) async fn write(&self, draft: Draft) -> Result<Recorded, Failure> {
        if self.signs.trouble(clock::now()) {
            self.standing.warn();
        }
        let (journal, line) = (self.journal.clone(), Line::of(draft.record()));
        let (tell, written) = oneshot::channel();
        let reply = move |entries: Result<Vec<Entry>, StoreError>| {
            journal.tell(line, entries.as_ref().ok().and_then(|entries| entries.first()).map(|entry| entry.seq));
            // Whoever waited may have gone meanwhile; the record is written all the same.
            drop(tell.send(entries));
        };
        self.writer.append(vec![draft.clone()], Box::new(reply));
        let first = |entries: Vec<Entry>| entries.first().map(Recorded::from);
        match written.await {
            Ok(Ok(entries)) => {
                self.checkpoints.note(1);
                first(entries).ok_or_else(|| self.unavailable())
            }
            Ok(Err(_)) | Err(_) => {
                self.owed.keep(draft);
                Err(self.unavailable())
            }
        }
    }

    /// Writes what is queued, and what is owed if that can be, and closes the log.
    pub(crate) async fn close(&self) {
        self.pay().await;
        let (tell, closed) = oneshot::channel();
        self.writer.stop(Box::new(move |done| drop(tell.send(done))));
        // What could not be emptied into the database now is there at the next start.
        drop(closed.await);
    }

    fn unavailable(&self) -> Failure {
        self.standing.warn();
        Failure::new(
            Code::AuditUnavailable,
            "The audit log cannot be written, so nothing runs: an administrator looks at the disk and the journal.",
        )
    }
}

fn stamp(boot: &Boot, standing: &Standing, policy: &Policy) -> Stamp {
    Stamp {
        time: clock::now(),
        boot_id: boot.id().to_owned(),
        monotonic_ms: clock::since_boot_ms(),
        state: standing.state(),
        mode: policy.settings().mode,
        ruleset: policy.ruleset(),
    }
}

#[cfg(test)]
impl Ledger {
    /// A disk that takes its time: nothing is written until what is returned is dropped.
    pub(crate) fn stall(&self) -> std::sync::mpsc::Sender<()> {
        let ((hold, held), (begin, begun)) = (std::sync::mpsc::channel(), std::sync::mpsc::channel());
        self.writer.visit(Box::new(move |_| {
            begin.send(()).ok();
            held.recv().ok();
        }));
        begun.recv().ok();
        hold
    }
}
