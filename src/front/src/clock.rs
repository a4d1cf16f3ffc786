//! Clock and chance: the only room of the front that looks at the time of day or asks for random bits.

use std::time::{SystemTime, UNIX_EPOCH};

use countersign_core::code::{Code, Failure};
use countersign_core::request::RequestId;
use countersign_core::salt::Salt;
use countersign_core::time::Moment;

/// The time of day. A clock before 1970 reads as 1970.
pub(crate) fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    #[cfg(test)]
    let since = since.saturating_sub(tests::BEHIND.get());
    Moment::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Milliseconds since boot, on a clock that nobody sets and that goes on during sleep.
pub(crate) fn since_boot_ms() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let (seconds, nanos) = (u64::try_from(time.tv_sec).unwrap_or(0), u64::try_from(time.tv_nsec).unwrap_or(0));
    seconds.saturating_mul(1_000).saturating_add(nanos / 1_000_000)
}

/// Which boot of the machine this is.
#[derive(Debug, Clone)]
pub(crate) struct Boot(String);

impl Boot {
    /// Reads the kernel's boot id.
    ///
    /// # Errors
    /// `/proc` does not say.
    pub(crate) fn read() -> std::io::Result<Self> {
        std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| Self(id.trim().to_owned()))
    }

    /// The id as text.
    pub(crate) fn id(&self) -> &str {
        &self.0
    }
}

/// A new id: 128 bits from the kernel.
///
/// # Errors
/// `Internal` if the kernel gives none.
pub(crate) fn new_id() -> Result<RequestId, Failure> {
    bits().map(|bits| RequestId::from_random(u128::from_le_bytes(bits)))
}

/// A new salt: 128 bits from the kernel.
///
/// # Errors
/// `Internal` if the kernel gives none.
pub(crate) fn new_salt() -> Result<Salt, Failure> {
    bits().map(Salt::from_random)
}

fn bits() -> Result<[u8; 16], Failure> {
    let mut bits = [0_u8; 16];
    match getrandom::fill(&mut bits) {
        Ok(()) => Ok(bits),
        Err(_) => Err(Failure::new(Code::Internal, "The broker got no random bits from the kernel: try again.")),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use super::*;

    thread_local! {
        /// How far the clock of this thread was set back.
        pub(crate) static BEHIND: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    }

    #[test]
    fn ids_and_salts_differ() {
        assert_ne!(new_id().unwrap(), new_id().unwrap());
        assert_ne!(new_salt().unwrap(), new_salt().unwrap());
    }
}
