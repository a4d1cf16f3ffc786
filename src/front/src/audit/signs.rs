//! Signs that the log is about to be in trouble: a disk that is nearly full, a clock that was set back. SEC-8.
//!
//! Enters: the state directory, and the time at which each record is written. Leaves: whether there is a sign. Then the state is amber
//! before anything is lost, and stays so until an operator has looked (`countersign resume`).

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use countersign_core::time::Moment;
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, fstatvfs, open};
use rustix::io::Errno;

/// The least free space of the file system, in bytes: some ten thousand records.
const LEAST_SPACE: u64 = 16 << 20;
/// How far the clock may go back, in milliseconds, before it counts: what time synchronisation corrects in passing.
const LEAP: u64 = 2_000;

/// Where to look, and what was seen last.
#[derive(Debug)]
pub(super) struct Signs {
    directory: OwnedFd,
    latest: AtomicU64,
}

impl Signs {
    /// Looks at this directory from here on; the newest record is of that time.
    ///
    /// # Errors
    /// The directory cannot be opened.
    pub(super) fn new(directory: &Path, latest: Moment) -> Result<Self, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { directory: open(directory, flags, Mode::empty())?, latest: AtomicU64::new(latest.millis()) })
    }

    /// Whether there is a sign of trouble at this time. A clock that went back is reported once.
    pub(super) fn trouble(&self, now: Moment) -> bool {
        let back = self.latest.swap(now.millis(), Ordering::Relaxed) > now.millis().saturating_add(LEAP);
        let space = fstatvfs(&self.directory).map(|facts| facts.f_bavail.saturating_mul(facts.f_frsize));
        // A file system that does not say is one that writing will tell of.
        back || space.is_ok_and(is_short)
    }
}

/// Whether so many free bytes are too few.
const fn is_short(bytes: u64) -> bool {
    bytes < LEAST_SPACE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_space_is_a_sign_at_n_and_n_minus_one() {
        assert!(!is_short(LEAST_SPACE) && is_short(LEAST_SPACE - 1));
    }

    #[test]
    fn a_clock_that_goes_back_is_seen_once_at_n_and_n_plus_one() {
        let signs = Signs::new(Path::new("/dev/shm"), Moment::from_millis(10_000)).unwrap();
        let at = |millis| signs.trouble(Moment::from_millis(millis));
        assert!(!at(10_000 - LEAP) && !at(20_000));
        assert!(at(20_000 - LEAP - 1) && !at(20_000 - LEAP - 1), "once");
        assert!(!at(30_000));
        assert!(Signs::new(Path::new("/nowhere"), Moment::from_millis(0)).is_err());
    }
}
