//! Stable codes: one word per way a request can end without having run as asked.
//!
//! A program reads the code; a person reads the sentence beside it; the log keeps both. A code is never renamed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::redact::Secrets;

/// Why a call failed or a request was not run. The names are those of the bus errors `org.countersign.Error.*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Code {
    /// The request is malformed or passes a bound.
    InvalidRequest,
    /// The caller has no grant, or is not an administrator where one is needed.
    AccessDenied,
    /// Policy denies it: the deny list or a grant's ceiling.
    Denied,
    /// The server's mode does not allow the tier.
    ModeCeiling,
    /// A human must decide and the caller asked not to wait.
    NeedsApproval,
    /// A human said no.
    Refused,
    /// The time to decide or to run is over.
    Expired,
    /// What would run is not what was planned or approved, or the policy is another one since.
    Changed,
    /// The broker is stopped; only an operator can bring it back.
    Stopped,
    /// The broker is on hold; only reads are served.
    Held,
    /// A budget is used up or a bound on open requests is reached.
    OverBudget,
    /// The same was refused too often: no detail and no prompt.
    Silenced,
    /// Nobody who could approve can be asked.
    NoApprover,
    /// The caller or an operator took the request back, or the caller went away.
    Cancelled,
    /// The record cannot be written, so nothing runs.
    AuditUnavailable,
    /// A required layer of the sandbox cannot be enforced, so nothing runs.
    SandboxUnavailable,
    /// The program could not be started.
    LaunchFailed,
    /// The broker failed in a way that is its own fault.
    Internal,
    /// The digest that was named is not the request's, or none was named where one must be.
    WrongDigest,
    /// Somebody decided on the request before.
    AlreadyDecided,
    /// Who asked may not be the one who approves.
    SelfApproval,
    /// There is no such request, or none that the caller may see; a restart forgets every request.
    NoSuchRequest,
    /// The policy's files are not right, so they were not read; what was in force before stays in force.
    PolicyInvalid,
    /// A step of a bundle that did not begin, because one before it did not go as planned.
    Void,
    /// The host or the moment is not as a rule asks: a precondition does not hold, so nothing runs.
    Unmet,
    /// It ran and exited with status 0, and the machine is not as a rule expects after it.
    Drift,
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 26] = [
        Self::InvalidRequest,
        Self::AccessDenied,
        Self::Denied,
        Self::ModeCeiling,
        Self::NeedsApproval,
        Self::Refused,
        Self::Expired,
        Self::Changed,
        Self::Stopped,
        Self::Held,
        Self::OverBudget,
        Self::Silenced,
        Self::NoApprover,
        Self::Cancelled,
        Self::AuditUnavailable,
        Self::SandboxUnavailable,
        Self::LaunchFailed,
        Self::Internal,
        Self::WrongDigest,
        Self::AlreadyDecided,
        Self::SelfApproval,
        Self::NoSuchRequest,
        Self::PolicyInvalid,
        Self::Void,
        Self::Unmet,
        Self::Drift,
    ];

    /// The code's name, as on the bus and in `--json`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest => "InvalidRequest",
            Self::AccessDenied => "AccessDenied",
            Self::Denied => "Denied",
            Self::ModeCeiling => "ModeCeiling",
            Self::NeedsApproval => "NeedsApproval",
            Self::Refused => "Refused",
            Self::Expired => "Expired",
            Self::Changed => "Changed",
            Self::Stopped => "Stopped",
            Self::Held => "Held",
            Self::OverBudget => "OverBudget",
            Self::Silenced => "Silenced",
            Self::NoApprover => "NoApprover",
            Self::Cancelled => "Cancelled",
            Self::AuditUnavailable => "AuditUnavailable",
            Self::SandboxUnavailable => "SandboxUnavailable",
            Self::LaunchFailed => "LaunchFailed",
            Self::Internal => "Internal",
            Self::WrongDigest => "WrongDigest",
            Self::AlreadyDecided => "AlreadyDecided",
            Self::SelfApproval => "SelfApproval",
            Self::NoSuchRequest => "NoSuchRequest",
            Self::PolicyInvalid => "PolicyInvalid",
            Self::Void => "Void",
            Self::Unmet => "Unmet",
            Self::Drift => "Drift",
        }
    }

    /// The code of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.name() == name)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A failure as three audiences need it: a code for programs, a sentence for people, both for the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{sentence}")]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// The stable code.
    pub code: Code,
    /// One sentence that says what happened and what to do. Ours; a caller's words appear only quoted and inert.
    pub sentence: String,
}

impl Failure {
    /// A failure from its code and its sentence.
    #[must_use]
    pub fn new(code: Code, sentence: impl Into<String>) -> Self {
        Self { code, sentence: sentence.into() }
    }

    /// The same without values that the caller named as secret.
    #[must_use]
    pub fn without(self, secrets: &Secrets) -> Self {
        Self { sentence: secrets.hidden_in(&self.sentence), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_name_and_json_agrees() {
        for code in Code::ALL {
            assert_eq!(Code::from_name(code.name()), Some(code));
            assert_eq!(serde_json::to_string(&code).unwrap(), format!("\"{code}\""));
        }
        assert_eq!(Code::from_name("denied"), None);
    }
}
