//! Exit statuses: one place, and every code has one.
//!
//! The statuses from 119 to 127 are this program's own; a script reads them as "the broker refused" and everything
//! else as "the command ended so".

use countersign_core::code::Code;

/// A check of a policy or of a log said no.
pub(crate) const NO: u8 = 1;
/// The command exited with status 0, and the machine is not as a rule expects after it.
pub(crate) const DRIFT: u8 = 119;
/// The words are wrong, or the request is.
pub(crate) const INVALID: u8 = 120;
/// Who asked may not ask.
pub(crate) const ACCESS: u8 = 121;
/// Policy says no, whoever approves.
pub(crate) const DENIED: u8 = 122;
/// Nobody approved it, or not in time, or not this.
pub(crate) const NOT_APPROVED: u8 = 123;
/// The broker ended the job: its time was over, it wrote too much, or it was taken back.
pub(crate) const ENDED: u8 = 124;
/// The broker is stopped or on hold.
pub(crate) const STOPPED: u8 = 125;
/// It was approved and could not be run.
pub(crate) const NOT_RUN: u8 = 126;
/// The broker failed or cannot be reached.
pub(crate) const BROKEN: u8 = 127;
/// What a shell adds to a signal's number.
pub(crate) const SIGNAL: u8 = 128;

/// The status of a request that was not run as asked.
pub(crate) const fn of(code: Code) -> u8 {
    match code {
        Code::InvalidRequest | Code::NoSuchRequest => INVALID,
        Code::AccessDenied => ACCESS,
        Code::Denied | Code::ModeCeiling => DENIED,
        Code::Refused
        | Code::Silenced
        | Code::Expired
        | Code::NoApprover
        | Code::NeedsApproval
        | Code::Cancelled
        | Code::Changed
        | Code::WrongDigest
        | Code::AlreadyDecided
        | Code::SelfApproval => NOT_APPROVED,
        Code::Stopped | Code::Held => STOPPED,
        Code::LaunchFailed
        | Code::SandboxUnavailable
        | Code::AuditUnavailable
        | Code::OverBudget
        | Code::Void
        | Code::Unmet => NOT_RUN,
        Code::Internal | Code::PolicyInvalid => BROKEN,
        Code::Drift => DRIFT,
    }
}

/// The status of a job that a signal ended.
pub(crate) fn of_signal(signal: i64) -> u8 {
    u8::try_from(signal).ok().and_then(|signal| signal.checked_add(SIGNAL)).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_the_status_that_is_written_down() {
        let expected = [
            120, 121, 122, 122, 123, 123, 123, 123, 125, 125, 126, 123, 123, 123, 126, 126, 126, 127, 123, 123, 123,
            120, 127, 126, 126, 119,
        ];
        for (code, status) in Code::ALL.into_iter().zip(expected) {
            assert_eq!(of(code), status, "{code}");
        }
    }

    #[test]
    fn a_signal_is_counted_from_128() {
        for (signal, status) in [(1, 129), (9, 137), (15, 143), (64, 192), (127, 255), (128, 255), (-1, 255)] {
            assert_eq!(of_signal(signal), status, "{signal}");
        }
    }
}
