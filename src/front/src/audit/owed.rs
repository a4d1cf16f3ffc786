//! Owed: records that could not be written when they were due, kept until they can be. SEC-8.
//!
//! Enters: what the log refused, but for intents: what did not begin owes nothing. Leaves: the same, in its order and with the
//! time at which it was due. Kept in memory and bounded: what does not fit, and what is owed when the broker ends, is in
//! the journal alone. Nothing waits for it and nothing runs because of it.

use std::sync::Mutex;
use std::time::Duration;

use countersign_core::caller::Uid;
use countersign_core::record::{Draft, Phase};
use tokio::sync::{Notify, oneshot};

use super::Ledger;
use super::journal::Line;
use crate::lock::lock;

/// The most records that are owed: some megabytes.
const IN_ALL: usize = 1_024;
/// The most of one caller, so that none of them fills the room of the others.
const OF_ONE: usize = 64;
/// How long after a failure it is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// What is owed.
#[derive(Debug, Default)]
pub(super) struct Owed {
    drafts: Mutex<Vec<Draft>>,
    /// Held while some are being written, so that none is written twice.
    turn: tokio::sync::Mutex<()>,
    more: Notify,
}

impl Owed {
    /// Keeps a record that could not be written, if it is owed and there is room for it.
    pub(super) fn keep(&self, draft: Draft) {
        if draft.record().phase == Phase::Intent {
            return;
        }
        let mut drafts = lock(&self.drafts);
        let of_one = drafts.iter().filter(|other| caller(other) == caller(&draft)).count();
        if drafts.len() < IN_ALL && of_one < OF_ONE {
            drafts.push(draft);
            self.more.notify_one();
        }
    }

    fn all(&self) -> Vec<Draft> {
        lock(&self.drafts).clone()
    }

    /// Takes the first so many away, which are in the log now.
    fn paid(&self, count: usize) -> Vec<Draft> {
        let mut drafts = lock(&self.drafts);
        let most = count.min(drafts.len());
        drafts.drain(..most).collect()
    }
}

fn caller(draft: &Draft) -> Option<Uid> {
    draft.record().caller.as_ref().map(|caller| caller.uid)
}

/// Writes what is owed as soon as it can be written, for as long as the broker lives.
pub(crate) async fn pay_up(ledger: &Ledger) {
    loop {
        ledger.owed.more.notified().await;
        tokio::time::sleep(AGAIN).await;
        while !ledger.pay().await {
            tokio::time::sleep(AGAIN).await;
        }
    }
}

impl Ledger {
    /// Writes what is owed, all or nothing; says whether nothing is owed any more.
    pub(crate) async fn pay(&self) -> bool {
        let _turn = self.owed.turn.lock().await;
        let drafts = self.owed.all();
        if drafts.is_empty() {
            return true;
        }
        let count = drafts.len();
        let (tell, written) = oneshot::channel();
        self.writer.append(drafts, Box::new(move |entries| drop(tell.send(entries))));
        let Ok(Ok(entries)) = written.await else { return false };
        // Nobody else takes any away, so the first so many are still the same.
        for (entry, draft) in entries.iter().zip(self.owed.paid(count)) {
            self.journal.tell(Line::of(draft.record()), Some(entry.seq));
        }
        self.checkpoints.note(u64::try_from(count).unwrap_or(u64::MAX));
        true
    }
}

#[cfg(test)]
mod tests;
