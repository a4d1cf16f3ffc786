//! Complaints: why a command of this program did not do what it was told.
//!
//! Enters: the errors of the rooms below. Leaves: one sentence on stderr, with `--json` also an object on stdout, and
//! an exit status.

use std::io;

use countersign::ClientError;
use countersign_config::ConfigError;
use countersign_core::code::Code;
use countersign_core::text;

use crate::{exit, print, words};

/// The most bytes of a sentence.
pub(crate) const MAX_SENTENCE: usize = 8 * 1_024;

/// Why a command did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Complaint {
    /// The words make no sense together.
    #[error("{sentence}")]
    Usage { sentence: String },
    /// The broker refused, or there is none.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// As above, for a request that has an id.
    #[error("{source}")]
    Request { id: String, source: ClientError },
    /// The policy cannot be read.
    #[error("The policy cannot be used: {0}")]
    Policy(#[from] ConfigError),
    /// The log cannot be read.
    #[error("The audit log {path} cannot be read: {reason}.")]
    Log { path: String, reason: String },
    /// Only an operator may do this, and only here.
    #[error("{sentence}")]
    NotAllowed { sentence: &'static str },
    /// The system did not do its part.
    #[error("{what}: {source}.")]
    System { what: &'static str, source: io::Error },
    /// The reader of the output went away.
    #[error("The output cannot be written: {0}.")]
    Output(#[from] io::Error),
}

impl Complaint {
    /// The words make no sense together.
    pub(crate) fn usage(sentence: impl Into<String>) -> Self {
        Self::Usage { sentence: sentence.into() }
    }

    /// The exit status.
    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::Usage { .. } => exit::INVALID,
            Self::Client(error) | Self::Request { source: error, .. } => of_client(error),
            Self::Policy(_) | Self::Log { .. } | Self::System { .. } => exit::BROKEN,
            Self::NotAllowed { .. } => exit::ACCESS,
            // As if the signal had come that a program in C would have got.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => exit::of_signal(13),
            Self::Output(_) => exit::BROKEN,
        }
    }

    /// The stable word for programs.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Usage { .. } => Code::InvalidRequest.name(),
            Self::Client(error) | Self::Request { source: error, .. } => error.word(),
            Self::Policy(_) => "PolicyInvalid",
            Self::Log { .. } => Code::AuditUnavailable.name(),
            Self::NotAllowed { .. } => Code::AccessDenied.name(),
            Self::System { .. } | Self::Output(_) => Code::Internal.name(),
        }
    }

    /// One inert sentence.
    pub(crate) fn sentence(&self) -> String {
        text::sentence(&self.to_string(), MAX_SENTENCE).into()
    }

    /// Tells people on stderr, and programs on stdout if they asked. A reader that went away is told nothing.
    pub(crate) fn tell(&self, json: bool) -> Result<(), Self> {
        if matches!(self, Self::Output(_)) {
            return Ok(());
        }
        print::error(&words::explained(self.word(), &self.sentence()))?;
        if json { self.tell_json() } else { Ok(()) }
    }

    /// Tells programs.
    pub(crate) fn tell_json(&self) -> Result<(), Self> {
        print::json(&self.object())
    }

    /// What programs are told.
    pub(crate) fn object(&self) -> serde_json::Value {
        let mut object = serde_json::json!({ "code": self.word(), "sentence": self.sentence() });
        if let (Self::Request { id, .. }, Some(object)) = (self, object.as_object_mut()) {
            object.insert("id".to_owned(), id.as_str().into());
        }
        object
    }
}

fn of_client(error: &ClientError) -> u8 {
    match error {
        ClientError::Failed(failure) => exit::of(failure.code),
        ClientError::Unreachable { .. } | ClientError::Answer { .. } => exit::BROKEN,
        ClientError::Name { .. } => exit::INVALID,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_brokers_codes_reach_programs_unchanged() {
        for code in Code::ALL {
            let complaint = Complaint::Request { id: "0".repeat(32), source: ClientError::failed(code, "So it is.") };
            assert_eq!((complaint.status(), complaint.word()), (exit::of(code), code.name()));
            assert_eq!(
                complaint.object(),
                serde_json::json!({"code": code.name(), "sentence": "So it is.", "id": "0".repeat(32)})
            );
        }
    }

    #[test]
    fn what_is_not_the_brokers_has_statuses_of_its_own() {
        let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
        for (complaint, status) in [
            (Complaint::usage("x"), 120),
            (Complaint::Client(ClientError::Unreachable { detail: "x".to_owned() }), 127),
            (Complaint::Client(ClientError::Name { shown: "x".to_owned(), several: false }), 120),
            (Complaint::NotAllowed { sentence: "x" }, 121),
            (Complaint::System { what: "x", source: broken() }, 127),
            (Complaint::Output(broken()), 141),
        ] {
            assert_eq!(complaint.status(), status, "{complaint:?}");
        }
    }
}
