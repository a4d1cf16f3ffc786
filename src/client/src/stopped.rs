//! The stop note: why the broker is stopped, told without the broker.
//!
//! Enters: the world-readable copy of the latch. Leaves: a sentence. A note that cannot be read still means that the
//! broker is stopped.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use countersign_core::code::Code;
use countersign_core::message::StopNote;
use countersign_core::text::shown;

use crate::error::ClientError;

/// Where the note is, below the root.
pub const NOTE: &str = "run/countersign/stopped";
/// The most bytes of a note.
const MAX_BYTES: u64 = 64 * 1_024;
/// The most bytes of a reason that are shown.
const MAX_WHY: usize = 500;

/// Whether the broker is stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Latch {
    /// There is no note.
    Open,
    /// There is one.
    Engaged(StopNote),
    /// There is one and it cannot be understood.
    Unreadable,
}

impl Latch {
    /// Looks for the note below `root` (`/` outside of tests).
    #[must_use]
    pub fn look(root: &Path) -> Self {
        let mut text = String::new();
        let read = File::open(root.join(NOTE)).and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text));
        match read {
            Err(error) if error.kind() == ErrorKind::NotFound => Self::Open,
            Err(_) => Self::Unreadable,
            Ok(_) => serde_json::from_str(&text).map_or(Self::Unreadable, Self::Engaged),
        }
    }

    /// Passes where the broker is not stopped.
    ///
    /// # Errors
    /// `Stopped`, with who, when and why.
    pub fn pass(&self) -> Result<(), ClientError> {
        self.sentence().map_or(Ok(()), |sentence| Err(ClientError::failed(Code::Stopped, sentence)))
    }

    /// Who stopped the broker, when and why, and what to do; nothing where it is not stopped.
    #[must_use]
    pub fn sentence(&self) -> Option<String> {
        match self {
            Self::Open => None,
            Self::Engaged(note) => Some(format!(
                "The broker was stopped by {} at {} ({}): an operator clears it with `countersign clear`.",
                shown(&note.who, MAX_WHY),
                note.time.rfc3339(),
                shown(&note.why, MAX_WHY),
            )),
            Self::Unreadable => {
                Some("The broker is stopped: an operator clears it with `countersign clear`.".to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(content: Option<&str>) -> Latch {
        let root = tempfile::tempdir().unwrap();
        if let Some(content) = content {
            std::fs::create_dir_all(root.path().join("run/countersign")).unwrap();
            std::fs::write(root.path().join(NOTE), content).unwrap();
        }
        Latch::look(root.path())
    }

    #[test]
    fn no_note_means_not_stopped() {
        assert!(look(None).pass().is_ok());
    }

    #[test]
    fn a_note_says_who_when_and_why() {
        let error = look(Some(r#"{"time":0,"who":"systemctl","why":"an update"}"#)).pass().unwrap_err();
        let sentence = error.to_string();
        assert_eq!(error.word(), "Stopped");
        assert!(
            ["systemctl", "1970-01-01T00:00:00.000Z", "an update", "countersign clear"]
                .iter()
                .all(|part| sentence.contains(part)),
            "{sentence}"
        );
    }

    #[test]
    fn a_note_that_cannot_be_read_still_stops() {
        for content in ["", "{", "[]", r#"{"time":0}"#] {
            assert_eq!(look(Some(content)), Latch::Unreadable, "{content}");
            assert_eq!(look(Some(content)).pass().unwrap_err().word(), "Stopped");
        }
    }

    #[test]
    fn words_of_whoever_stopped_it_are_inert() {
        let sentence = look(Some(r#"{"time":0,"who":"uid 1000","why":"a\u001b[2J\u202eb\nc"}"#)).sentence().unwrap();
        assert!(!sentence.contains(['\u{1b}', '\u{202e}', '\n']), "{sentence:?}");
    }
}
