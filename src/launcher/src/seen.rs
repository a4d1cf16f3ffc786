//! Requests that were run: none runs twice. Kept until their plan has expired, when it would be refused anyway.

use std::collections::BTreeMap;

use countersign_core::request::RequestId;
use countersign_core::time::Moment;

/// The most requests that are kept; more at one time is refused.
pub(crate) const MOST: usize = 65_536;

/// The requests that were run, each with the moment from which its plan is void.
#[derive(Debug, Default)]
pub(crate) struct Seen(BTreeMap<RequestId, Moment>);

/// Why a request cannot be noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotNoted {
    /// It ran before.
    Twice,
    /// [`MOST`] requests are kept already.
    Full,
}

impl Seen {
    /// Notes that a request runs now.
    pub(crate) fn note(&mut self, id: RequestId, expires: Moment, now: Moment) -> Result<(), NotNoted> {
        if self.0.contains_key(&id) {
            return Err(NotNoted::Twice);
        }
        if self.0.len() >= MOST {
            self.0.retain(|_, expires| *expires > now);
        }
        if self.0.len() >= MOST {
            return Err(NotNoted::Full);
        }
        self.0.insert(id, expires);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EARLY: Moment = Moment::from_millis(1);
    const LATE: Moment = Moment::from_millis(1_000);

    #[test]
    fn nothing_runs_twice() {
        let mut seen = Seen::default();
        assert_eq!(seen.note(RequestId::from_random(1), LATE, EARLY), Ok(()));
        assert_eq!(seen.note(RequestId::from_random(1), LATE, EARLY), Err(NotNoted::Twice));
        assert_eq!(seen.note(RequestId::from_random(2), LATE, EARLY), Ok(()));
    }

    #[test]
    fn the_bound_holds_and_only_the_expired_make_room() {
        let mut seen = Seen::default();
        for n in 0..MOST as u128 {
            assert_eq!(seen.note(RequestId::from_random(n), LATE, EARLY), Ok(()));
        }
        let next = RequestId::from_random(u128::MAX);
        assert_eq!(seen.note(next, LATE, EARLY), Err(NotNoted::Full));
        assert_eq!(seen.note(next, LATE, LATE), Ok(()));
    }
}
