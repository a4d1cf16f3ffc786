//! The journal's copy of each record: the fields by which people search, never the command's words.
//!
//! Speaks the journal's native protocol (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>) over a socket that never
//! waits: a journal that is slow, full or gone loses lines and nothing else. What each sort of line means is written for
//! people in `systemd/countersign.catalog`, by its message id; the fields are in countersignd(8).

use std::os::unix::net::UnixDatagram;
use std::sync::Arc;

use countersign_core::record::{Kind, Phase, Record};

/// The journal's socket.
const SOCKET: &str = "/run/systemd/journal/socket";
/// An error: the record could not be written.
const ERROR: u8 = 3;
/// A normal but significant condition: an operator acted on the broker.
const NOTICE: u8 = 5;
/// A matter of course.
const INFO: u8 = 6;

/// The way to the journal, if there is one.
#[derive(Debug, Clone)]
pub(super) struct Journal(Option<Arc<UnixDatagram>>);

/// A record's line, but for where the log has it.
#[derive(Debug)]
pub(super) struct Line {
    priority: u8,
    says: String,
    fields: String,
}

impl Journal {
    /// Connects; without a journal every message is lost, which is allowed.
    pub(super) fn connect() -> Self {
        let open = || -> std::io::Result<UnixDatagram> {
            let socket = UnixDatagram::unbound()?;
            socket.connect(SOCKET)?;
            Ok(socket)
        };
        open().map_or(Self(None), Self::over)
    }

    fn over(socket: UnixDatagram) -> Self {
        // One that might wait is none.
        Self(socket.set_nonblocking(true).is_ok().then(|| Arc::new(socket)))
    }

    /// Tells of a record and of the number that the log gave it; without one it is not in the log. Never waits, never
    /// fails.
    pub(super) fn tell(&self, line: Line, entry: Option<u64>) {
        if let Some(socket) = &self.0 {
            // A lost line is allowed: the log is the record, the journal its echo.
            drop(socket.send(line.message(entry).as_bytes()));
        }
    }
}

/// What a line of this phase is, for `journalctl MESSAGE_ID=` and the catalogue.
const fn message_id(phase: Phase) -> &'static str {
    match phase {
        Phase::Start => "ce7c09b4a36945a89378c8024b9f2f92",
        Phase::End => "5c5cec36bbb64ee68e97020406c5ac10",
        Phase::Load => "5879b2f4857c4a468fdc87ac22837aa8",
        Phase::Plan => "23ca73ddbe0e4301839ec8cfc3883682",
        Phase::Final => "5f98c2297c174fdbb6cb607ff9334248",
        Phase::Intent => "739d86f2ea19429e920d60d20e84cc49",
        Phase::Result => "8959e8cd4d51410eafb90038b32356a5",
        Phase::Stop => "12e65f85250c44148b9ac34703457c8b",
        Phase::Clear => "a9046736163b45f4b99aec9e91f0260d",
        Phase::Hold => "e99f48c397164c168ebbd1977972575c",
        Phase::Resume => "0f8a0e8c76724129869e970cf2663e86",
        Phase::MarkTainted => "615070bf8a0c48a8ba7cbc53e8560a98",
        Phase::ClearTaint => "43e49610c5694b24a5db0dcc54eaf92b",
        Phase::Rotate => "35ba1db9437849a19a443ff1c4b44667",
    }
}

impl Line {
    /// The line of a record. Every value is ours, a number or a checked word, so none has a line break.
    pub(super) fn of(record: &Record) -> Self {
        let phase = word(&record.phase);
        let tier = record.tier.map(|ruling| ruling.name().to_owned());
        let id = record.id.map(|id| id.to_string());
        let code = record.code.map(|code| code.name().to_owned());
        let says: Vec<&str> = [Some(&phase), id.as_ref(), tier.as_ref(), code.as_ref()]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        let says = says.join(" ");
        let approvers = record.approvers.iter().map(|approver| ("APPROVER", Some(approver.uid.to_string())));
        let fields = [
            ("KIND", Some(word(&record.kind))),
            ("PHASE", Some(phase.clone())),
            ("REQUEST", id.clone()),
            ("UID", record.caller.as_ref().map(|caller| caller.uid.to_string())),
            ("TIER", tier.clone()),
            ("VERDICT", record.verdict.as_ref().map(word)),
            ("CODE", code.clone()),
            ("GATE", record.gate.as_ref().map(word)),
            ("PROFILE", record.profile.as_ref().map(|profile| profile.as_str().to_owned())),
            ("DIGEST", record.digest.map(|digest| digest.to_string())),
            ("REFUSER", record.refuser.map(|uid| uid.to_string())),
            ("STATE", Some(record.state.name().to_owned())),
        ];
        let mut text = format!("SYSLOG_IDENTIFIER=countersignd\nMESSAGE_ID={}\n", message_id(record.phase));
        for (name, value) in fields.into_iter().chain(approvers) {
            if let Some(value) = value {
                field(&mut text, &format!("COUNTERSIGN_{name}"), &value);
            }
        }
        let priority = match record.kind {
            Kind::Control => NOTICE,
            Kind::Daemon | Kind::Configuration | Kind::Request => INFO,
        };
        Self { priority, says, fields: text }
    }

    /// One message of the native protocol.
    fn message(self, entry: Option<u64>) -> String {
        let Self { priority, says, fields: mut text } = self;
        match entry {
            Some(entry) => {
                field(&mut text, "PRIORITY", &priority.to_string());
                field(&mut text, "MESSAGE", &says);
                field(&mut text, "COUNTERSIGN_ENTRY", &entry.to_string());
            }
            None => {
                field(&mut text, "PRIORITY", &ERROR.to_string());
                field(&mut text, "MESSAGE", &format!("{says} (could not be written to the log)"));
            }
        }
        text
    }
}

fn field(text: &mut String, name: &str, value: &str) {
    text.push_str(&format!("{name}={}\n", value.replace('\n', " ")));
}

/// The word by which a value stands in the record.
fn word<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet, HashMap};

    use countersign_core::code::{Code, Failure};
    use countersign_core::digest::Digest;
    use countersign_core::policy::{Mode, Ruleset};
    use countersign_core::record::{Act, Draft, Stamp};
    use countersign_core::run_state::RunState;
    use countersign_core::time::Moment;

    use super::*;
    use crate::pipeline::tests::stage::caller;

    const CATALOG: &str = include_str!("../../../../systemd/countersign.catalog");
    const MANUAL: &str = include_str!("../../../../docs/man/countersignd.8");

    fn fields(draft: &Draft, entry: Option<u64>) -> HashMap<String, String> {
        let pairs = Line::of(draft.record()).message(entry);
        pairs.lines().map(|line| line.split_once('=').unwrap()).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
    }

    fn stamp() -> Stamp {
        let ruleset = Ruleset { version: 1, digest: Digest::ZERO };
        let time = Moment::from_millis(1);
        Stamp { time, boot_id: "x".to_owned(), monotonic_ms: 1, state: RunState::Amber, mode: Mode::Guarded, ruleset }
    }

    fn rejected() -> Draft {
        let failure = Failure::new(Code::Denied, "words\nMESSAGE=forged");
        Draft::rejected(&stamp(), &caller(1000), &failure)
    }

    #[test]
    fn a_record_can_be_searched_for_and_its_words_are_not_there() {
        let fields = fields(&rejected(), Some(17));
        assert_eq!(fields["COUNTERSIGN_UID"], "1000");
        assert_eq!((fields["COUNTERSIGN_CODE"].as_str(), fields["COUNTERSIGN_PHASE"].as_str()), ("Denied", "final"));
        assert_eq!((fields["COUNTERSIGN_STATE"].as_str(), fields["MESSAGE"].as_str()), ("amber", "final Denied"));
        assert_eq!((fields["COUNTERSIGN_ENTRY"].as_str(), fields["PRIORITY"].as_str()), ("17", "6"));
        assert!(!fields.values().any(|value| value.contains("words")));
    }

    #[test]
    fn what_is_not_in_the_log_is_told_as_that() {
        let fields = fields(&rejected(), None);
        assert!(fields["MESSAGE"].ends_with("(could not be written to the log)"));
        assert_eq!((fields.get("COUNTERSIGN_ENTRY"), fields["PRIORITY"].as_str()), (None, "3"));
    }

    #[test]
    fn no_journal_and_one_that_reads_nothing_are_no_error_and_nobody_waits() {
        let line = || Line::of(Draft::end(&stamp(), "test").record());
        Journal(None).tell(line(), Some(1));
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        let journal = Journal::over(ours);
        for entry in 0..10_000 {
            journal.tell(line(), Some(entry));
        }
        // Full: the first lines are there, the others are lost.
        let mut bytes = [0; 4_096];
        let read = theirs.recv(&mut bytes).unwrap();
        assert!(String::from_utf8_lossy(&bytes[..read]).contains("COUNTERSIGN_ENTRY=0\n"));
        drop(theirs);
        journal.tell(line(), Some(1));
    }

    /// The catalogue's entries: the headers and the text of each message id.
    fn catalog() -> BTreeMap<&'static str, &'static str> {
        let entries: Vec<_> = CATALOG.split("\n-- ").skip(1).map(|entry| entry.split_once('\n').unwrap()).collect();
        let map: BTreeMap<_, _> = entries.iter().copied().collect();
        assert_eq!(map.len(), entries.len(), "each id once");
        map
    }

    #[test]
    fn every_message_id_is_in_the_catalogue_and_nothing_else_is() {
        let is_id = |word: &&str| word.len() == 32 && word.bytes().all(|b| b.is_ascii_hexdigit());
        let here: BTreeSet<&str> = include_str!("journal.rs").split('"').filter(is_id).collect();
        assert_eq!(catalog().into_keys().collect::<BTreeSet<_>>(), here);
        assert_eq!(here.len(), 14, "one for each phase of a record");
        for (id, entry) in catalog() {
            let (headers, text) = entry.split_once("\n\n").unwrap();
            assert!(
                headers.starts_with("Subject: ") && headers.contains("\nDefined-By: countersignd"),
                "{id}: {headers}"
            );
            assert!(!text.trim().is_empty(), "{id}");
        }
        for act in [Act::Stop, Act::Clear, Act::Hold, Act::Resume, Act::MarkTainted, Act::ClearTaint, Act::Rotate] {
            let fields = fields(&Draft::control(&stamp(), act, "root", "why"), Some(1));
            assert!(catalog().contains_key(fields["MESSAGE_ID"].as_str()), "{act:?}");
            assert_eq!(fields["PRIORITY"], "5");
        }
    }

    #[test]
    fn every_field_is_in_the_manual_and_the_catalogue_uses_no_other() {
        let source = include_str!("journal.rs").split("#[cfg(test)]").next().unwrap();
        let named = source.split("(\"").skip(1).filter_map(|rest| rest.split_once("\",")).map(|(name, _)| name);
        let named = named.filter(|name| name.len() > 2 && name.bytes().all(|b| b.is_ascii_uppercase()));
        let names: BTreeSet<String> = named.map(|name| format!("COUNTERSIGN_{name}")).collect();
        assert!(names.len() >= 13, "{names:?}");
        for name in names.iter().map(String::as_str).chain(["COUNTERSIGN_ENTRY"]) {
            assert!(MANUAL.contains(name), "countersignd(8) lacks {name}");
        }
        for name in CATALOG.split('@').skip(1).step_by(2) {
            assert!(names.contains(name) || name == "COUNTERSIGN_ENTRY", "{name}");
        }
    }
}
