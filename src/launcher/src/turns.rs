//! Turns: the steps of a bundle begin in order, each once, and none after one that failed. SEC-12.
//!
//! ```text
//!   (unknown) ──step 0──▶ running 0 ──exited 0──▶ next 1 ──step 1──▶ running 1 ──exited 0──▶ next 2 …
//!                             └── anything else, or an order that was refused ──▶ void, until it has expired
//! ```
//!
//! Enters: orders of steps, and how jobs ended, which this process sees itself. Leaves: whether it is a step's turn. Bundles
//! are known by their digest, and forgotten once they have expired, when every order of theirs would be refused anyway. A
//! restart forgets them too: after it no step begins but a first one.

use std::collections::BTreeMap;

use countersign_core::code::{Code, Failure};
use countersign_core::digest::Digest;
use countersign_core::outcome::Ended;
use countersign_core::request::RequestId;
use countersign_core::time::Moment;

/// The most bundles that are known; more at one time is refused. As many as steps that [`crate::seen`] keeps would make.
pub(crate) const MOST: usize = crate::seen::MOST / countersign_core::bundle::FEWEST;

/// How far a bundle has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The step of this index may begin.
    Next(u32),
    /// The step of this index runs.
    Running(u32),
    /// No step begins any more.
    Void,
}

#[derive(Debug)]
struct Known {
    stage: Stage,
    expires: Moment,
}

/// A step's claim to its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    /// The bundle.
    pub(crate) bundle: Digest,
    /// Which of its steps, counted from 0.
    pub(crate) index: u32,
    /// When the bundle expires.
    pub(crate) expires: Moment,
}

/// Every bundle that has begun and not expired.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    known: BTreeMap<Digest, Known>,
    /// The steps that run, by their requests; as many as jobs at most.
    running: BTreeMap<RequestId, Digest>,
}

impl Turns {
    /// Whether it is this step's turn. Changes nothing.
    ///
    /// # Errors
    /// `Void`: it is not, and why.
    pub(crate) fn is(&self, turn: &Turn) -> Result<(), Failure> {
        let stage = self.known.get(&turn.bundle).map_or(Stage::Next(0), |known| known.stage);
        let no = |sentence: &str| Err(Failure::new(Code::Void, sentence));
        match stage {
            Stage::Next(index) if index == turn.index => Ok(()),
            Stage::Next(_) => no("It is not this step's turn in its bundle, or it ran before."),
            Stage::Running(_) => no("Another step of this bundle runs."),
            Stage::Void => no("A step of this bundle failed, so none of it begins any more."),
        }
    }

    /// Notes that the step begins.
    ///
    /// # Errors
    /// `Void` if it is not its turn, `OverBudget` if too many bundles are known.
    pub(crate) fn begin(&mut self, turn: &Turn, id: RequestId, now: Moment) -> Result<(), Failure> {
        self.is(turn)?;
        self.know(turn, Stage::Running(turn.index), now)?;
        self.running.insert(id, turn.bundle);
        Ok(())
    }

    /// A job is over. The next step may begin if it was a step that came to a good end by itself.
    pub(crate) fn ended(&mut self, id: RequestId, ended: &Ended) {
        let Some(known) = self.running.remove(&id).and_then(|bundle| self.known.get_mut(&bundle)) else { return };
        known.stage = match (known.stage, ended) {
            (Stage::Running(index), Ended::Exited(0)) => index.checked_add(1).map_or(Stage::Void, Stage::Next),
            (Stage::Running(_) | Stage::Next(_) | Stage::Void, _) => Stage::Void,
        };
    }

    /// An order of the step was refused, or could not be carried out: nothing of its bundle begins any more. Not even where
    /// it was another's turn: an honest front sends none such.
    pub(crate) fn void(&mut self, turn: &Turn, now: Moment) {
        // Where there is no room to know it, there is none to begin it either.
        drop(self.know(turn, Stage::Void, now));
    }

    fn know(&mut self, turn: &Turn, stage: Stage, now: Moment) -> Result<(), Failure> {
        if !self.known.contains_key(&turn.bundle) && self.known.len() >= MOST {
            self.known.retain(|_, known| known.expires > now);
            if self.known.len() >= MOST {
                return Err(Failure::new(Code::OverBudget, "Too many bundles ran at one time: ask again later."));
            }
        }
        self.known.insert(turn.bundle, Known { stage, expires: turn.expires });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EARLY: Moment = Moment::from_millis(1);
    const LATE: Moment = Moment::from_millis(1_000);

    fn turn(index: u32) -> Turn {
        Turn { bundle: Digest::ZERO, index, expires: LATE }
    }

    fn id(index: u32) -> RequestId {
        RequestId::from_random(index.into())
    }

    fn begins(turns: &mut Turns, index: u32) -> Result<(), Code> {
        turns.begin(&turn(index), id(index), EARLY).map_err(|failure| failure.code)
    }

    #[test]
    fn steps_begin_in_order_and_each_once() {
        let mut turns = Turns::default();
        assert_eq!(begins(&mut turns, 1), Err(Code::Void), "the first comes first");
        for index in 0..16 {
            assert_eq!(begins(&mut turns, index), Ok(()));
            for other in 0..17 {
                assert_eq!(begins(&mut turns, other), Err(Code::Void), "{other} while {index} runs");
            }
            turns.ended(id(index), &Ended::Exited(0));
            assert_eq!(begins(&mut turns, index), Err(Code::Void), "{index} again");
            assert_eq!(begins(&mut turns, index + 2), Err(Code::Void), "one left out");
        }
    }

    #[test]
    fn nothing_begins_after_any_other_end() {
        let not_confined = Ended::NotConfined { step: "seccomp".to_owned(), errno: 1 };
        let ends = [
            Ended::Exited(1),
            Ended::Exited(255),
            Ended::Signalled(9),
            Ended::TimedOut,
            Ended::Cancelled,
            Ended::Stopped,
            Ended::OutputLimit,
            not_confined,
            Ended::Interrupted,
        ];
        for ended in ends {
            let mut turns = Turns::default();
            begins(&mut turns, 0).unwrap();
            turns.ended(id(0), &ended);
            for index in 0..3 {
                assert_eq!(begins(&mut turns, index), Err(Code::Void), "{ended:?}");
            }
        }
    }

    #[test]
    fn a_refused_order_voids_its_bundle_and_no_other() {
        let mut turns = Turns::default();
        turns.void(&turn(0), EARLY);
        assert_eq!(begins(&mut turns, 0), Err(Code::Void));
        let other = Turn { bundle: Digest::of(b"other"), ..turn(0) };
        assert!(turns.begin(&other, id(7), EARLY).is_ok());
        // A refusal while a step runs is not undone by that step's good end.
        turns.void(&other, EARLY);
        turns.ended(id(7), &Ended::Exited(0));
        assert!(turns.is(&Turn { index: 1, ..other }).is_err());
    }

    #[test]
    fn the_bound_holds_at_n_and_n_plus_one_and_only_the_expired_make_room() {
        let mut turns = Turns::default();
        let nth = |n: usize| Turn { bundle: Digest::of(&n.to_be_bytes()), ..turn(0) };
        for n in 0..MOST {
            turns.begin(&nth(n), id(0), EARLY).unwrap();
        }
        assert_eq!(turns.begin(&nth(MOST), id(1), EARLY).unwrap_err().code, Code::OverBudget);
        assert!(turns.begin(&nth(MOST), id(1), LATE).is_ok());
    }

    /// Every row of six events: what began is 0, 1, 2 … without a gap, and nothing begins after a bad end.
    #[test]
    fn what_begins_is_a_beginning_of_the_order_whatever_comes() {
        const EVENTS: u32 = 6;
        for row in 0..EVENTS.pow(6) {
            let (mut turns, mut begun, mut bad) = (Turns::default(), Vec::new(), false);
            for event in (0..6).map(|place| row / EVENTS.pow(place) % EVENTS) {
                match event {
                    0..=2 => {
                        if begins(&mut turns, event).is_ok() {
                            assert!(!bad, "{row}");
                            begun.push(event);
                        }
                    }
                    3 | 4 => {
                        let last = begun.last().copied().unwrap_or(0);
                        bad |= event == 4 && turns.running.contains_key(&id(last));
                        turns.ended(id(last), &Ended::Exited(u8::from(event == 4)));
                    }
                    _ => {
                        turns.void(&turn(0), EARLY);
                        bad = true;
                    }
                }
            }
            assert!(begun.iter().copied().eq((0..).take(begun.len())), "{row}: {begun:?}");
            assert!(turns.running.len() <= 1);
        }
    }
}
