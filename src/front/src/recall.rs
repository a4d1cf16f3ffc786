//! Recall: what the log knows of the time before this start: what was spent, what was refused, whose latch is armed.
//!
//! ```text
//!   newest record ◀── ◀── ◀── an hour ◀── a day ◀── the last start
//!                      spent, refused      T3s       latches
//! ```
//!
//! Enters: the log, newest entry first. Leaves: [`Recalled`]. Read back to the last start and at least a day, one entry
//! at a time, through segments that were closed since. Times are what the clock said: a few records that seem too old, made while
//! it was wrong, hide nothing that lies before them. A record that cannot be read, for instance one of another version, is
//! passed over: what can be read counts all the same.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;
use std::time::Duration;

use countersign_audit::{Log, StoreError};
use countersign_core::caller::Uid;
use countersign_core::policy::budget::{Accounts, Charge};
use countersign_core::policy::memory::{Deed, Refusals, Refuser, is_refused};
use countersign_core::record::{Judgement, Phase, Record};
use countersign_core::request::RequestId;
use countersign_core::target::TargetKind;
use countersign_core::tier::Tier;
use countersign_core::time::Moment;

/// The longest time for which anything that was spent counts.
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// So many records in a row that are older than that end the reading.
const OLD_IN_A_ROW: u32 = 256;

/// What is known of before.
#[derive(Debug, Default)]
pub(crate) struct Recalled {
    /// What was spent.
    pub(crate) accounts: Accounts,
    /// What was refused.
    pub(crate) refusals: Refusals,
    /// Whose latch is armed.
    pub(crate) tainted: BTreeSet<Uid>,
}

/// What is noted on the way back.
#[derive(Debug, Default)]
struct Walk {
    recalled: Recalled,
    /// Whose latch is known: the newest record decides.
    settled: HashSet<Uid>,
    /// When runs ended, and whether their time is known.
    ends: HashMap<RequestId, Option<Moment>>,
    start_seen: bool,
    /// How many records in a row were older than a day.
    old: u32,
}

/// Reads the log back.
///
/// # Errors
/// The log cannot be read.
pub(crate) fn recall(log: &Log, now: Moment) -> Result<Recalled, StoreError> {
    let mut walk = Walk::default();
    let day_ago = Moment::from_millis(now.millis().saturating_sub(u64::try_from(DAY.as_millis()).unwrap_or(u64::MAX)));
    log.back(|entry| {
        let Ok(record) = Record::parse(&entry.body) else { return ControlFlow::Continue(()) };
        walk.old = if record.time < day_ago { walk.old.saturating_add(1) } else { 0 };
        if walk.start_seen && walk.old > OLD_IN_A_ROW {
            return ControlFlow::Break(());
        }
        walk.pass(&record, now);
        ControlFlow::Continue(())
    })?;
    Ok(walk.recalled)
}

impl Walk {
    fn pass(&mut self, record: &Record, now: Moment) {
        if !self.start_seen {
            self.latch(record);
        }
        let Some(uid) = record.caller.as_ref().map(|caller| caller.uid) else { return };
        match record.phase {
            Phase::Final => self.ended_without_running(uid, record, now),
            Phase::Intent => self.ran(uid, record, now),
            Phase::Result => self.result(uid, record),
            Phase::Start
            | Phase::End
            | Phase::Load
            | Phase::Plan
            | Phase::Stop
            | Phase::Clear
            | Phase::Hold
            | Phase::Resume
            | Phase::Rotate
            | Phase::MarkTainted
            | Phase::ClearTaint => {}
        }
    }

    /// Up to the last start, which says whose latches were armed before it.
    fn latch(&mut self, record: &Record) {
        let armed: Vec<Uid> = match record.phase {
            Phase::Intent => record.caller.iter().map(|caller| caller.uid).collect(),
            Phase::MarkTainted => subjects(record).collect(),
            // One that was refused changed nothing.
            Phase::ClearTaint if record.code.is_some() => return,
            Phase::ClearTaint => {
                self.settled.extend(subjects(record));
                return;
            }
            Phase::Start => {
                self.start_seen = true;
                record.tainted.clone()
            }
            Phase::End
            | Phase::Load
            | Phase::Plan
            | Phase::Final
            | Phase::Result
            | Phase::Stop
            | Phase::Clear
            | Phase::Hold
            | Phase::Resume
            | Phase::Rotate => return,
        };
        for uid in armed {
            if self.settled.insert(uid) {
                self.recalled.tainted.insert(uid);
            }
        }
    }

    /// Only what had a plan was taken in, and so was charged; what policy or a human refused is remembered.
    fn ended_without_running(&mut self, uid: Uid, record: &Record, now: Moment) {
        if record.digest.is_some() {
            self.recalled.accounts.recall(uid, &asked(record), record.time);
        }
        let refuser = match record.gate {
            _ if is_refused(record) => Some(Refuser::Human),
            Some(gate) if gate.is_policy() => Some(Refuser::Policy),
            Some(_) | None => None,
        };
        if let Some((refuser, deed)) = refuser.zip(Deed::of(record)) {
            self.recalled.refusals.note(uid, deed, refuser, record.time, now);
        }
    }

    /// A run whose time nobody wrote down took from its intent to its result, or until now.
    fn ran(&mut self, uid: Uid, record: &Record, now: Moment) {
        let unknown = record.id.map_or(Some(now), |id| self.ends.get(&id).copied().unwrap_or(Some(now)));
        let job_ms = unknown.map_or(0, |end| Charge::job(millis(record.time.until(end))).job_ms);
        let charge = Charge { job_ms, ..asked(record) };
        self.recalled.accounts.recall(uid, &charge, record.time);
    }

    fn result(&mut self, uid: Uid, record: &Record) {
        let known = record.duration_us.map(|us| us.div_ceil(1_000));
        if let Some(job_ms) = known {
            self.recalled.accounts.recall(uid, &Charge { job_ms, ..Charge::NONE }, record.time);
        }
        if let Some(id) = record.id {
            self.ends.insert(id, if known.is_some() || record.ended.is_none() { None } else { Some(record.time) });
        }
    }
}

/// The users whose latch a record is about.
fn subjects(record: &Record) -> impl Iterator<Item = Uid> {
    let users = record.targets.iter().filter(|target| target.kind == TargetKind::User);
    users.filter_map(|target| target.name.parse().ok().and_then(|id: u32| Uid::try_from(id).ok()))
}

/// What a request cost when it was taken in. A bundle is one question, which its first step stands for.
fn asked(record: &Record) -> Charge {
    let tier = record.tier.and_then(|ruling| ruling.tier()).unwrap_or(Tier::T3);
    let first = record.bundle.as_ref().is_none_or(|part| part.step == 1);
    Charge::request(tier, first && record.verdict == Some(Judgement::Hold)).counted()
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
