//! Lobby: how much one user may have recorded without being taken in. SEC-15.
//!
//! ```text
//!   refused, or planned ──take─┬─ room ▶ recorded
//!                              └─ none ▶ Crowded: nothing has changed, and who asks is told when there is room again
//! ```
//!
//! Enters: how many records, how large they are, and the time. Leaves: yes, or a [`Crowded`]. It is counted apart from the
//! budgets, which what is refused never touches. Every sum saturates; a user's memory is one window, and whoever has
//! nothing in it is forgotten.

use std::collections::HashMap;
use std::time::Duration;

use super::{Budget, Limits, MINUTE_MS, SWEEP_MS, Window};
use crate::caller::Uid;
use crate::code::{Code, Failure};
use crate::time::Moment;

/// How many records there is room for within a minute at least: all that who has no grant may have, and enough for whoever
/// has a very small one to be told what is wrong with what it asks.
pub const LEAST: u64 = 60;

/// A record counts once for each so many bytes of it that have begun, so that room for records is room on the disk as
/// well. Most records are half as large.
pub const UNIT: u64 = 4_096;

/// What everybody had recorded within the last minute without being taken in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lobby {
    users: HashMap<Uid, Window<MINUTE_MS>>,
    swept_ms: u64,
}

/// There is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crowded {
    /// How much there is within a minute.
    pub most: u64,
    /// When there is some again.
    pub frees: Moment,
}

impl Crowded {
    /// What the caller is told.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let Self { most, frees } = self;
        let sentence = format!(
            "Your room of {most} records per minute for plans and for what is refused is used up: ask again after {}.",
            frees.rfc3339()
        );
        Failure::new(Code::OverBudget, sentence)
    }

    /// What the log says of all whom nobody answered so within a minute.
    #[must_use]
    pub fn recorded(&self) -> Failure {
        let sentence = format!(
            "The caller's room of {} records per minute for plans and for what is refused was used up: the rest is only counted.",
            self.most
        );
        Failure::new(Code::OverBudget, sentence)
    }
}

impl Limits {
    /// How many records a minute has room for: as many as there may be requests, and never fewer than [`LEAST`].
    #[must_use]
    pub fn room(&self) -> u64 {
        self.of(Budget::RequestsPerMinute).max(LEAST)
    }
}

impl Lobby {
    /// Whether there is room for so many more, without taking it.
    ///
    /// # Errors
    /// There is not.
    pub fn check(&self, uid: Uid, most: u64, records: u64, now: Moment) -> Result<(), Crowded> {
        let blank = Window::default();
        let window = self.users.get(&uid).unwrap_or(&blank);
        match window.sum(now).saturating_add(records).saturating_sub(most) {
            0 => Ok(()),
            excess => {
                let minute = now.after(Duration::from_millis(MINUTE_MS));
                Err(Crowded { most, frees: window.frees(excess, now).unwrap_or(minute) })
            }
        }
    }

    /// Takes room for so many records.
    ///
    /// # Errors
    /// There is not so much; then nothing has changed.
    pub fn take(&mut self, uid: Uid, most: u64, records: u64, now: Moment) -> Result<(), Crowded> {
        self.sweep(now);
        self.check(uid, most, records, now)?;
        self.users.entry(uid).or_default().add(now, records);
        Ok(())
    }

    /// Counts the bytes of a record for which room was taken once: a large one takes more than that, though it should be
    /// more than there is.
    pub fn weigh(&mut self, uid: Uid, bytes: u64, now: Moment) {
        let more = bytes.div_ceil(UNIT).saturating_sub(1);
        if more > 0 {
            self.users.entry(uid).or_default().add(now, more);
        }
    }

    /// For how many users something is remembered.
    #[must_use]
    pub fn users(&self) -> usize {
        self.users.len()
    }

    fn sweep(&mut self, now: Moment) {
        if now.millis().abs_diff(self.swept_ms) >= SWEEP_MS {
            self.swept_ms = now.millis();
            self.users.retain(|_, window| window.advance(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Allowance;
    use super::*;

    const START: u64 = 1_800_000_000_000;

    fn uid(id: u32) -> Uid {
        Uid::try_from(id).unwrap()
    }

    fn at(ms: u64) -> Moment {
        Moment::from_millis(START.saturating_add(ms))
    }

    #[test]
    fn the_nth_has_room_and_the_next_has_none_until_the_minute_has_passed() {
        let mut lobby = Lobby::default();
        for second in 0..3 {
            lobby.take(uid(1), 3, 1, at(second * 1_000)).unwrap();
        }
        let before = lobby.clone();
        let crowded = lobby.take(uid(1), 3, 1, at(3_000)).unwrap_err();
        assert_eq!((crowded.most, crowded.frees), (3, at(61_000)), "a minute after the first, rounded up to its slot");
        assert_eq!((lobby.check(uid(1), 3, 1, at(3_000)), &lobby), (Err(crowded), &before), "nothing has changed");
        let told = crowded.failure();
        assert!(told.code == Code::OverBudget && told.sentence.contains(&crowded.frees.rfc3339()), "{told}");
        lobby.take(uid(2), 3, 1, at(3_000)).unwrap();
        assert!(lobby.take(uid(1), 3, 1, Moment::from_millis(crowded.frees.millis() - 1)).is_err());
        lobby.take(uid(1), 3, 1, crowded.frees).unwrap();
        assert!(lobby.take(uid(1), 3, 1, crowded.frees).is_err(), "one freed, one taken");
    }

    #[test]
    fn several_have_room_together_or_not_at_all() {
        let mut lobby = Lobby::default();
        assert!(lobby.take(uid(1), 5, 6, at(0)).is_err() && lobby.users() == 0, "never so many");
        lobby.take(uid(1), 5, 3, at(0)).unwrap();
        assert!(lobby.take(uid(1), 5, 3, at(0)).is_err());
        lobby.take(uid(1), 5, 2, at(0)).unwrap();
        assert!(lobby.take(uid(1), 5, 1, at(0)).is_err());
    }

    #[test]
    fn a_record_counts_once_for_each_unit_that_has_begun() {
        for (bytes, room) in [(0, 3), (UNIT, 3), (UNIT + 1, 2), (2 * UNIT, 2), (4 * UNIT, 0), (u64::MAX, 0)] {
            let mut lobby = Lobby::default();
            lobby.take(uid(1), 4, 1, at(0)).unwrap();
            lobby.weigh(uid(1), bytes, at(0));
            let fits = (0..9).filter(|_| lobby.take(uid(1), 4, 1, at(0)).is_ok()).count();
            assert_eq!(fits, room, "{bytes}");
        }
    }

    #[test]
    fn there_is_as_much_room_as_requests_and_never_less_than_a_stranger_has() {
        for (text, room) in [("", 600), ("requests_per_minute = 61", 61), ("requests_per_minute = 60", 60)] {
            assert_eq!(toml::from_str::<Allowance>(text).unwrap().limits().room(), room, "{text}");
        }
        for few in [0, 1, 59] {
            let limits = toml::from_str::<Allowance>(&format!("requests_per_minute = {few}")).unwrap().limits();
            assert_eq!(limits.room(), LEAST, "{few}");
        }
    }

    #[test]
    fn who_has_nothing_in_it_is_forgotten() {
        let mut lobby = Lobby::default();
        for id in 0..1_000 {
            lobby.take(uid(id), 1, 1, at(0)).unwrap();
        }
        assert_eq!(lobby.users(), 1_000);
        lobby.take(uid(9_999), 1, 1, at(2 * MINUTE_MS)).unwrap();
        assert_eq!(lobby.users(), 1);
    }

    proptest! {
        /// Whatever comes when: no minute has more than there is room for.
        #[test]
        fn no_minute_has_more_than_there_is_room_for(
            calls in proptest::collection::vec((0_u64..200_000, 1_u64..4), 0..200),
            most in 1_u64..40,
        ) {
            let (mut lobby, mut taken) = (Lobby::default(), Vec::new());
            let mut ordered = calls;
            ordered.sort_unstable();
            for (ms, records) in ordered {
                if lobby.take(uid(1), most, records, at(ms)).is_ok() {
                    taken.push((ms, records));
                }
            }
            for (from, _) in &taken {
                let minute = taken.iter().filter(|(ms, _)| (*from..from.saturating_add(MINUTE_MS)).contains(ms));
                prop_assert!(minute.map(|(_, records)| records).sum::<u64>() <= most);
            }
        }
    }
}
