//! How long something may still take.
//!
//! What enters: a limit; what leaves: what remains of it. It must never let a test wait without an end.

use std::time::{Duration, Instant};

use rustix::event::Timespec;

/// A moment after which waiting is a failure, counted on the monotonic clock.
#[derive(Clone, Copy)]
pub(crate) struct Deadline {
    start: Instant,
    limit: Duration,
}

impl Deadline {
    pub(crate) fn after(limit: Duration) -> Self {
        Self { start: Instant::now(), limit }
    }

    /// What is left; zero when it has passed.
    pub(crate) fn remaining(&self) -> Duration {
        self.limit.saturating_sub(self.start.elapsed())
    }

    pub(crate) fn passed(&self) -> bool {
        self.remaining().is_zero()
    }

    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    pub(crate) fn timespec(&self) -> Timespec {
        let left = self.remaining();
        Timespec { tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX), tv_nsec: left.subsec_nanos().into() }
    }

    /// Asks `ready` every few milliseconds until it answers; `None` when the deadline passed first.
    pub(crate) fn poll<T>(&self, mut ready: impl FnMut() -> Option<T>) -> Option<T> {
        loop {
            if let Some(found) = ready() {
                return Some(found);
            }
            if self.passed() {
                return None;
            }
            std::thread::sleep(Duration::from_millis(3));
        }
    }
}
