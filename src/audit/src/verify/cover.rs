//! Cover: for which entries a signature vouches, and whether one was due over the rest. SEC-10.
//!
//! ```text
//!   entries ───── signed ─────┤ first ─ … ─ 64th ─ … ─ last      due: a minute after the first, at the 64th
//! ```
//!
//! Enters: the time of each entry, and each size that is signed. Leaves: how many are vouched for. The broker signs after 64
//! entries and after a minute with one; what it did not sign by then was written by somebody else, or its launcher is in trouble.

use countersign_core::time::Moment;

/// After how many entries the broker has the log signed.
const RECORDS: u64 = 64;
/// How old an entry becomes without being signed, in milliseconds.
const MINUTE: u64 = 60_000;
/// What a signature may take, in milliseconds, while more is written.
const GRACE: u64 = 10_000;
/// More than the broker writes meanwhile. Times can be forged, so that they alone do not excuse.
const MOST: u64 = 1_024;

/// How far the log is signed.
#[derive(Debug, Default)]
pub(super) struct Cover {
    signed: u64,
    /// When the first entry that is not signed was made.
    first: Option<Moment>,
    /// When the one was made with which a checkpoint became due.
    full: Option<Moment>,
    last: Option<Moment>,
    /// How many are not signed.
    rest: u64,
}

impl Cover {
    /// How many entries the newest signature vouches for; 0 without one.
    pub(super) const fn signed(&self) -> u64 {
        self.signed
    }

    /// One entry more.
    pub(super) fn entry(&mut self, time: Moment) {
        self.rest = self.rest.saturating_add(1);
        self.first.get_or_insert(time);
        self.last = Some(time);
        if self.rest == RECORDS {
            self.full = Some(time);
        }
    }

    /// All entries so far are vouched for, which are so many.
    pub(super) fn vouch(&mut self, size: u64) {
        *self = Self { signed: size, ..Self::default() };
    }

    /// Whether the broker would have had the log signed once more, by the times of its records.
    pub(super) fn is_due(&self) -> bool {
        let age = |since: Option<Moment>| {
            since.zip(self.last).map_or(0, |(since, last)| last.millis().saturating_sub(since.millis()))
        };
        age(self.first) > MINUTE.saturating_add(GRACE) || age(self.full) > GRACE || self.rest > MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many entries, one every so many milliseconds.
    fn after(count: u64, every: u64) -> Cover {
        let mut cover = Cover::default();
        cover.vouch(7);
        (0..count).for_each(|n| cover.entry(Moment::from_millis(n.saturating_mul(every))));
        cover
    }

    #[test]
    fn a_checkpoint_is_due_after_a_minute_at_n_and_n_plus_one() {
        assert!(!after(2, MINUTE + GRACE).is_due() && after(2, MINUTE + GRACE + 1).is_due());
        assert!(!after(1, 0).is_due() && !after(0, 0).is_due());
    }

    #[test]
    fn a_checkpoint_is_due_after_sixty_four_entries_at_n_and_n_plus_one() {
        // The 64th and what came in the ten seconds after it.
        assert!(!after(RECORDS, 1_000).is_due() && !after(RECORDS + 10, 1_000 - 100).is_due());
        assert!(!after(RECORDS + 100, 100).is_due() && after(RECORDS + 101, 100).is_due());
    }

    #[test]
    fn no_time_excuses_more_than_the_broker_writes_at_n_and_n_plus_one() {
        assert!(!after(MOST, 0).is_due() && after(MOST + 1, 0).is_due());
        let mut signed = after(MOST + 1, 0);
        signed.vouch(9);
        assert!(!signed.is_due() && signed.signed() == 9);
    }
}
