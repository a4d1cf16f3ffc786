//! The time of day, which here never goes back: what has expired stays expired when somebody sets the clock.

use std::time::SystemTime;

use countersign_core::time::Moment;

/// The latest moment that was seen.
#[derive(Debug, Default)]
pub(crate) struct Clock(u64);

impl Clock {
    /// Now, or the latest moment that was ever now.
    pub(crate) fn now(&mut self) -> Moment {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.0 = self.0.max(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
        Moment::from_millis(self.0)
    }
}
