//! The only place where a failure becomes an error of the bus: `org.countersign.Error.<Code>`, with its sentence.

use countersign_core::code::{Code, Failure};
use zbus::DBusError;
use zbus::message::{Header, Message};
use zbus::names::ErrorName;

/// A failure on its way to a caller.
#[derive(Debug)]
pub(crate) struct BusError(Failure);

/// What a method or a property of ours answers. Named so because the bus library looks for the name.
pub(crate) type Result<T, E = BusError> = std::result::Result<T, E>;

impl From<Failure> for BusError {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

/// The bus itself failed under us.
impl From<zbus::Error> for BusError {
    fn from(_: zbus::Error) -> Self {
        Self(Failure::new(
            Code::Internal,
            "The broker could not talk to the bus: try again, and see the journal if it stays so.",
        ))
    }
}

impl DBusError for BusError {
    fn create_reply(&self, call: &Header<'_>) -> zbus::Result<Message> {
        Message::error(call, self.name()).build(&(self.0.sentence.as_str(),))
    }

    fn name(&self) -> ErrorName<'_> {
        ErrorName::from_static_str_unchecked(name(self.0.code))
    }

    fn description(&self) -> Option<&str> {
        Some(&self.0.sentence)
    }
}

/// The error's name on the bus.
const fn name(code: Code) -> &'static str {
    match code {
        Code::InvalidRequest => "org.countersign.Error.InvalidRequest",
        Code::AccessDenied => "org.countersign.Error.AccessDenied",
        Code::Denied => "org.countersign.Error.Denied",
        Code::ModeCeiling => "org.countersign.Error.ModeCeiling",
        Code::NeedsApproval => "org.countersign.Error.NeedsApproval",
        Code::Refused => "org.countersign.Error.Refused",
        Code::Expired => "org.countersign.Error.Expired",
        Code::Changed => "org.countersign.Error.Changed",
        Code::Stopped => "org.countersign.Error.Stopped",
        Code::Held => "org.countersign.Error.Held",
        Code::OverBudget => "org.countersign.Error.OverBudget",
        Code::Silenced => "org.countersign.Error.Silenced",
        Code::NoApprover => "org.countersign.Error.NoApprover",
        Code::Cancelled => "org.countersign.Error.Cancelled",
        Code::AuditUnavailable => "org.countersign.Error.AuditUnavailable",
        Code::SandboxUnavailable => "org.countersign.Error.SandboxUnavailable",
        Code::LaunchFailed => "org.countersign.Error.LaunchFailed",
        Code::Internal => "org.countersign.Error.Internal",
        Code::WrongDigest => "org.countersign.Error.WrongDigest",
        Code::AlreadyDecided => "org.countersign.Error.AlreadyDecided",
        Code::SelfApproval => "org.countersign.Error.SelfApproval",
        Code::NoSuchRequest => "org.countersign.Error.NoSuchRequest",
        Code::PolicyInvalid => "org.countersign.Error.PolicyInvalid",
        Code::Void => "org.countersign.Error.Void",
        Code::Unmet => "org.countersign.Error.Unmet",
        Code::Drift => "org.countersign.Error.Drift",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_own_well_formed_name() {
        for code in Code::ALL {
            assert_eq!(name(code), format!("org.countersign.Error.{code}"));
            assert!(ErrorName::try_from(name(code)).is_ok());
        }
    }
}
