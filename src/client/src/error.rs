//! Why a call brought no answer: the broker's own failure, or that there was no broker to fail.
//!
//! Enters: an error of the bus. Leaves: a stable word for programs and one sentence for people.

use countersign_core::code::{Code, Failure};
use countersign_core::text::sentence;

/// The prefix of the broker's error names.
const PREFIX: &str = "org.countersign.Error.";
/// What PID 1 answers when asked for a masked unit: the generator masks the broker while the latch is engaged.
const MASKED: &str = "org.freedesktop.systemd1.UnitMasked";
/// The most bytes of a message of the bus that are repeated.
const MAX_DETAIL: usize = 300;
/// The most bytes of a sentence of the broker, which may quote a whole command.
const MAX_SENTENCE: usize = 8 * 1_024;

/// What the bus itself refuses.
const NOT_A_CALLER: &str =
    "You may not call the broker: ask an administrator to make you a member of group countersign.";
/// The object of a request is not there.
const NO_SUCH_REQUEST: &str = "There is no open request of this id: it may be over, see `countersign requests`.";

/// Why a call brought no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ClientError {
    /// The broker said no, or is stopped.
    #[error("{}", .0.sentence)]
    Failed(Failure),
    /// There is no broker, or it went away.
    #[error("The broker cannot be reached: {detail}. Look at `systemctl status countersignd`.")]
    Unreachable {
        /// What the bus said.
        detail: String,
    },
    /// The broker answered what this client does not understand.
    #[error("The broker's answer has no usable {key}: client and broker may be of different versions.")]
    Answer {
        /// The key that is missing or of the wrong type.
        key: String,
    },
    /// No request has this id, or several do.
    #[error("{} request has an id or fingerprint like {shown}: see `countersign requests`.", if *.several { "More than one" } else { "No" })]
    Name {
        /// What was given, inert.
        shown: String,
        /// Whether several requests fit.
        several: bool,
    },
}

impl ClientError {
    /// A failure of the given code.
    #[must_use]
    pub fn failed(code: Code, sentence: impl Into<String>) -> Self {
        Self::Failed(Failure::new(code, sentence))
    }

    /// The word for programs: a code's name, or `Unreachable` where no broker was there to give one.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Failed(failure) => failure.code.name(),
            Self::Unreachable { .. } => "Unreachable",
            Self::Answer { .. } => Code::Internal.name(),
            Self::Name { .. } => Code::InvalidRequest.name(),
        }
    }
}

impl From<zbus::Error> for ClientError {
    fn from(error: zbus::Error) -> Self {
        if let zbus::Error::MethodError(name, message, _) = &error {
            return of_reply(name.as_str(), message.as_deref().unwrap_or(""));
        }
        if let zbus::Error::FDO(error) = &error {
            return of_bus(error);
        }
        Self::Unreachable { detail: detail(&error.to_string()) }
    }
}

fn of_bus(error: &zbus::fdo::Error) -> ClientError {
    if matches!(error, zbus::fdo::Error::AccessDenied(_)) {
        return ClientError::failed(Code::AccessDenied, NOT_A_CALLER);
    }
    if matches!(error, zbus::fdo::Error::UnknownObject(_)) {
        return ClientError::failed(Code::NoSuchRequest, NO_SUCH_REQUEST);
    }
    ClientError::Unreachable { detail: detail(&error.to_string()) }
}

fn of_reply(name: &str, message: &str) -> ClientError {
    match name.strip_prefix(PREFIX).and_then(Code::from_name) {
        Some(code) => ClientError::failed(code, sentence(message, MAX_SENTENCE)),
        None if name == MASKED => {
            ClientError::failed(Code::Stopped, "The broker is stopped: an operator clears it with `countersign clear`.")
        }
        None => ClientError::Unreachable { detail: detail(&format!("{name}: {message}")) },
    }
}

fn detail(text: &str) -> String {
    sentence(text.trim_end_matches('.'), MAX_DETAIL).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_broker_comes_back_with_its_sentence() {
        for code in Code::ALL {
            let error = of_reply(&format!("{PREFIX}{code}"), "One sentence.");
            assert_eq!((error.word(), error.to_string().as_str()), (code.name(), "One sentence."));
        }
    }

    #[test]
    fn a_masked_unit_means_stopped_and_a_strange_error_means_unreachable() {
        assert_eq!(of_reply(MASKED, "Unit is masked.").word(), "Stopped");
        for name in ["org.countersign.Error.NoSuchCode", "org.example.Error", "org.freedesktop.DBus.Error.NoReply"] {
            assert_eq!(of_reply(name, "x").word(), "Unreachable", "{name}");
        }
    }

    #[test]
    fn what_the_bus_refuses_and_what_is_not_there_are_told_apart() {
        let bus = |error| ClientError::from(zbus::Error::FDO(Box::new(error)));
        assert_eq!(bus(zbus::fdo::Error::AccessDenied("x".to_owned())).word(), "AccessDenied");
        assert_eq!(bus(zbus::fdo::Error::UnknownObject("x".to_owned())).word(), "NoSuchRequest");
        assert_eq!(bus(zbus::fdo::Error::ServiceUnknown("x".to_owned())).word(), "Unreachable");
        assert_eq!(bus(zbus::fdo::Error::NoReply("x".to_owned())).word(), "Unreachable");
    }

    #[test]
    fn a_message_of_the_bus_is_inert_and_bounded() {
        let long = format!("\u{1b}[2J{}", "x".repeat(5_000));
        for error in [of_reply("org.example.Error", &long), of_reply("org.countersign.Error.Denied", &long.repeat(3))] {
            let shown = error.to_string();
            assert!(!shown.contains('\u{1b}') && shown.len() < MAX_SENTENCE + 200, "{}", shown.len());
        }
    }
}
