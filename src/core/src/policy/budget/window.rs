//! A sliding window over the last `LENGTH` milliseconds, in sixty slots and the one that has begun.
//!
//! What is added counts for at least the whole window and at most a sixtieth longer. What the clock says is in the
//! future, because it was set back, counts as of now once the window is looked through.

use std::collections::BTreeMap;

use crate::time::Moment;

const SLOTS: u64 = 60;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Window<const LENGTH: u64>(BTreeMap<u64, u64>);

impl<const LENGTH: u64> Window<LENGTH> {
    const SLOT: u64 = LENGTH.div_ceil(SLOTS);

    /// The first slot that still counts, and the one that has begun.
    const fn bounds(now: Moment) -> (u64, u64) {
        // A slot is never empty of time: every length is at least a minute.
        let current = match now.millis().checked_div(Self::SLOT) {
            Some(slot) => slot,
            None => 0,
        };
        (current.saturating_sub(SLOTS), current)
    }

    /// All that counts.
    pub(super) fn sum(&self, now: Moment) -> u64 {
        let (first, _) = Self::bounds(now);
        self.0.range(first..).fold(0, |sum, (_, amount)| sum.saturating_add(*amount))
    }

    /// Adds an amount at its time.
    pub(super) fn add(&mut self, at: Moment, amount: u64) {
        if amount > 0 {
            let (_, slot) = Self::bounds(at);
            let sum = self.0.entry(slot).or_default();
            *sum = sum.saturating_add(amount);
        }
    }

    /// Lets go of what counts no longer; says whether anything still does.
    pub(super) fn advance(&mut self, now: Moment) -> bool {
        let (first, current) = Self::bounds(now);
        self.0 = self.0.split_off(&first);
        let future = self.0.split_off(&current.saturating_add(1));
        self.add(now, future.values().fold(0, |sum, amount| sum.saturating_add(*amount)));
        !self.0.is_empty()
    }

    /// When this much of what counts counts no longer; never if there is not so much.
    pub(super) fn frees(&self, amount: u64, now: Moment) -> Option<Moment> {
        let (first, current) = Self::bounds(now);
        let mut freed = 0_u64;
        let slot = self.0.range(first..).find_map(|(slot, amount_of_slot)| {
            freed = freed.saturating_add(*amount_of_slot);
            (freed >= amount).then_some((*slot).min(current))
        })?;
        let after = slot.saturating_add(SLOTS).saturating_add(1);
        Some(Moment::from_millis(after.saturating_mul(Self::SLOT)))
    }
}
