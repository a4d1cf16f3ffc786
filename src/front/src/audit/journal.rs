//! The journal's copy of each record: the fields by which people search, never the command's words.
//!
//! Speaks the journal's native protocol (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>) over a socket that never
//! waits: a journal that is slow, full or gone loses lines and nothing else.

use std::os::unix::net::UnixDatagram;

use countersign_core::record::{Draft, Record};

/// The journal's socket.
const SOCKET: &str = "/run/systemd/journal/socket";
/// What all our records have in common in the journal (`journalctl MESSAGE_ID=`).
const MESSAGE_ID: &str = "7d1c1b0f4c0e4d5f9a2b6f0c3e8a5d41";

/// The way to the journal, if there is one.
#[derive(Debug)]
pub(super) struct Journal(Option<UnixDatagram>);

impl Journal {
    /// Connects; without a journal every message is lost, which is allowed.
    pub(super) fn connect() -> Self {
        let open = || -> std::io::Result<UnixDatagram> {
            let socket = UnixDatagram::unbound()?;
            socket.set_nonblocking(true)?;
            socket.connect(SOCKET)?;
            Ok(socket)
        };
        Self(open().ok())
    }

    /// Tells of a record. Never waits, never fails.
    pub(super) fn tell(&self, draft: &Draft) {
        if let Some(socket) = &self.0 {
            // A lost line is allowed: the log is the record, the journal its echo.
            drop(socket.send(message(draft.record()).as_bytes()));
        }
    }
}

/// One message of the native protocol. Every value is ours, a number or a checked word, so none has a line break.
fn message(record: &Record) -> String {
    let mut text = format!("SYSLOG_IDENTIFIER=countersignd\nPRIORITY=6\nMESSAGE_ID={MESSAGE_ID}\n");
    let mut field = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            text.push_str(&format!("{name}={}\n", value.replace('\n', " ")));
        }
    };
    let phase = word(&record.phase);
    let tier = record.tier.map(|ruling| ruling.name().to_owned());
    let id = record.id.map(|id| id.to_string());
    let uid = record.caller.as_ref().map(|caller| caller.uid.to_string());
    let code = record.code.map(|code| code.name().to_owned());
    let said = [Some(phase.clone()), id.clone(), tier.clone(), code.clone()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ");
    field("MESSAGE", Some(said));
    field("COUNTERSIGN_PHASE", Some(phase));
    field("COUNTERSIGN_REQUEST", id);
    field("COUNTERSIGN_TIER", tier);
    field("COUNTERSIGN_CODE", code);
    field("COUNTERSIGN_UID", uid);
    field("COUNTERSIGN_VERDICT", record.verdict.as_ref().map(word));
    field("COUNTERSIGN_DIGEST", record.digest.map(|digest| digest.to_string()));
    field("COUNTERSIGN_STATE", Some(record.state.name().to_owned()));
    text
}

/// The word by which a value stands in the record.
fn word<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use countersign_core::code::{Code, Failure};
    use countersign_core::digest::Digest;
    use countersign_core::policy::{Mode, Ruleset};
    use countersign_core::record::Stamp;
    use countersign_core::run_state::RunState;
    use countersign_core::time::Moment;

    use super::*;
    use crate::pipeline::tests::stage::caller;

    fn fields(draft: &Draft) -> HashMap<String, String> {
        let pairs = message(draft.record());
        pairs.lines().map(|line| line.split_once('=').unwrap()).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
    }

    fn stamp() -> Stamp {
        let ruleset = Ruleset { version: 1, digest: Digest::ZERO };
        let time = Moment::from_millis(1);
        Stamp { time, boot_id: "x".to_owned(), monotonic_ms: 1, state: RunState::Amber, mode: Mode::Guarded, ruleset }
    }

    #[test]
    fn a_record_can_be_searched_for_and_its_words_are_not_there() {
        let failure = Failure::new(Code::Denied, "words\nMESSAGE=forged");
        let fields = fields(&Draft::rejected(&stamp(), &caller(1000), &failure));
        assert_eq!(fields["COUNTERSIGN_UID"], "1000");
        assert_eq!((fields["COUNTERSIGN_CODE"].as_str(), fields["COUNTERSIGN_PHASE"].as_str()), ("Denied", "final"));
        assert_eq!((fields["COUNTERSIGN_STATE"].as_str(), fields["MESSAGE"].as_str()), ("amber", "final Denied"));
        assert!(!fields.values().any(|value| value.contains("words")));
    }

    #[test]
    fn no_journal_is_no_error() {
        Journal(None).tell(&Draft::end(&stamp(), "test"));
    }
}
