//! Query: what the log has of a caller's own requests, a page at a time, newest first.
//!
//! ```text
//!   before ─▶ looked at, newest first, so many at most ─▶ those that fit, so many at most ─▶ where to go on
//! ```
//!
//! Enters: what is asked for, by somebody who may. Leaves: entries as they are stored, secrets redacted. A call looks at
//! a bounded part of the log, so nobody can keep the broker busy by asking for what is not there. Reading goes beside the
//! writer, on a thread that may block.

use std::ops::ControlFlow;

use countersign_audit::{Log, StoreError};
use countersign_core::caller::Uid;
use countersign_core::code::Failure;
use countersign_core::record::{Entry, Record};
use countersign_core::request::RequestId;
use countersign_core::time::Moment;

use super::Ledger;
use super::checkpoints::unreadable;

/// The most entries of an answer.
pub(crate) const MAX_ENTRIES: usize = 100;
/// What one call costs at most.
const BOUNDS: Bounds = Bounds { answered: 1 << 20, looked_at: 10_000, read: 32 << 20 };

/// What a call costs at most.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Bytes of an answer, but for its last entry.
    answered: usize,
    /// Entries that are looked at.
    looked_at: u64,
    /// Bytes that are looked at, but for the last entry.
    read: usize,
}

/// What is asked for. Everything that is said must fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Query {
    /// Only entries before this number.
    pub(crate) before: u64,
    /// Only entries from this number on.
    pub(crate) first: u64,
    /// At most so many, and at most [`MAX_ENTRIES`].
    pub(crate) limit: usize,
    /// Of requests of this user; nobody in particular if absent.
    pub(crate) uid: Option<Uid>,
    /// Of this request.
    pub(crate) id: Option<RequestId>,
    /// Of this tier, as a record has it.
    pub(crate) tier: Option<String>,
    /// With this verdict.
    pub(crate) verdict: Option<String>,
    /// With this code.
    pub(crate) code: Option<String>,
    /// Not before this time.
    pub(crate) since: Moment,
    /// Not after this time.
    pub(crate) until: Moment,
}

impl Default for Query {
    fn default() -> Self {
        let (since, until) = (Moment::from_millis(0), Moment::from_millis(u64::MAX));
        let (uid, id, tier, verdict, code) = (None, None, None, None, None);
        Self { before: u64::MAX, first: 0, limit: MAX_ENTRIES, uid, id, tier, verdict, code, since, until }
    }
}

/// An answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// Newest first.
    pub(crate) entries: Vec<Entry>,
    /// What to give as `before` to go on; 0 if that is all.
    pub(crate) next: u64,
}

impl Ledger {
    /// The newest entries that fit.
    ///
    /// # Errors
    /// `AuditUnavailable`: the log cannot be read.
    pub(crate) async fn query(&self, query: Query) -> Result<Page, Failure> {
        let log = self.look(|store| store.reader()).await?;
        let read = tokio::task::spawn_blocking(move || query.read(&log, BOUNDS)).await;
        let read = read.map_err(|_| unreadable("it was not looked at to the end"))?;
        read.map_err(|error| unreadable(&crate::chain(&error)))
    }
}

impl Query {
    fn read(&self, log: &Log, bounds: Bounds) -> Result<Page, StoreError> {
        let (mut page, mut looked_at, mut read, mut answered) = (Page::default(), 0_u64, 0_usize, 0_usize);
        let limit = self.limit.min(MAX_ENTRIES);
        log.back_before(self.before, |entry| {
            if entry.seq < self.first {
                return ControlFlow::Break(());
            }
            let used_up = looked_at >= bounds.looked_at || read >= bounds.read || answered >= bounds.answered;
            if used_up || page.entries.len() >= limit {
                page.next = entry.seq.saturating_add(1);
                return ControlFlow::Break(());
            }
            looked_at = looked_at.saturating_add(1);
            read = read.saturating_add(entry.body.len());
            if self.fits(&entry) {
                answered = answered.saturating_add(entry.body.len());
                page.entries.push(entry);
            }
            ControlFlow::Continue(())
        })?;
        Ok(page)
    }

    /// What is no record is nobody's.
    fn fits(&self, entry: &Entry) -> bool {
        let says = |words: String| entry.body.windows(words.len()).any(|part| part == words.as_bytes());
        // Most entries are somebody else's: reading them as records is saved.
        if self.id.is_some_and(|id| !says(id.to_string()))
            || self.uid.is_some_and(|uid| !says(format!("\"uid\":{uid}")))
        {
            return false;
        }
        Record::parse(&entry.body).is_ok_and(|record| self.wants(&record))
    }

    fn wants(&self, record: &Record) -> bool {
        let word =
            |wanted: &Option<String>, is: Option<&str>| wanted.as_deref().is_none_or(|wanted| is == Some(wanted));
        let verdict = record.verdict.and_then(|verdict| serde_json::to_value(verdict).ok());
        self.uid.is_none_or(|uid| record.caller.as_ref().is_some_and(|caller| caller.uid == uid))
            && self.id.is_none_or(|id| record.id == Some(id))
            && word(&self.tier, record.tier.map(|tier| tier.name()))
            && word(&self.verdict, verdict.as_ref().and_then(serde_json::Value::as_str))
            && word(&self.code, record.code.map(|code| code.name()))
            && (self.since..=self.until).contains(&record.time)
    }
}

#[cfg(test)]
mod tests;
