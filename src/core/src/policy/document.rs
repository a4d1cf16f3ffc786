//! `countersign.toml`: the few settings of the server, strictly read. Later files override single keys of earlier ones.

use std::num::NonZeroU64;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Mode, TextFile};
use crate::note::{BadName, Name};
use crate::spot::{Spot, Step, said};
use crate::strict::{Word, table};
use crate::tier::Tier;

/// The longest time that an approval may be waited for or stay valid.
const MAX_EXPIRY: Duration = Duration::from_secs(3_600);
/// The longest time that a restart waits for running jobs.
const MAX_DRAIN: Duration = Duration::from_secs(600);
/// One or two people approve, not none and not a crowd.
const MOST_APPROVERS: u8 = 2;
/// The most records of a segment of the log: some terabytes.
const MAX_SEGMENT: u64 = 1_000_000_000;
/// The records of a segment unless set: about a gigabyte.
const SEGMENT: NonZeroU64 = NonZeroU64::MIN.saturating_add(999_999);

/// Where whoever asked may not be who approves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApproverDiffers {
    /// Nowhere: a password was typed.
    Never,
    /// For what cannot be undone.
    T3,
    /// Everywhere.
    Always,
}

/// What an approval must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Quorum {
    /// How many different users must approve what cannot be undone: 1 or 2.
    pub t3: u8,
    /// Where whoever asked may not be who approves.
    pub approver_differs: ApproverDiffers,
    /// Whether a polkit rule, which asks nobody, may approve what cannot be undone.
    pub polkit_rule_at_t3: bool,
}

impl Quorum {
    /// How many different users must approve.
    #[must_use]
    pub const fn of(&self, tier: Tier) -> u8 {
        match tier {
            Tier::T0 | Tier::T1 | Tier::T2 => 1,
            Tier::T3 => self.t3,
        }
    }

    /// Whether whoever asked may approve it too.
    #[must_use]
    pub const fn own_counts(&self, tier: Tier) -> bool {
        match (self.approver_differs, tier) {
            (ApproverDiffers::Never, Tier::T0 | Tier::T1 | Tier::T2 | Tier::T3)
            | (ApproverDiffers::T3, Tier::T0 | Tier::T1 | Tier::T2) => true,
            (ApproverDiffers::T3, Tier::T3) | (ApproverDiffers::Always, Tier::T0 | Tier::T1 | Tier::T2 | Tier::T3) => {
                false
            }
        }
    }
}

/// The settings in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// The ceiling over every request.
    pub mode: Mode,
    /// How long a request waits for a human, and how long a yes is good, in seconds; 600 unless set.
    pub expiry_s: u64,
    /// What an approval must be.
    pub quorum: Quorum,
    /// How long a restart lets running jobs finish, in seconds; 60 unless set.
    pub drain_s: u64,
    /// How many records a segment of the log has before it is closed; 1,000,000 unless set.
    pub segment_records: NonZeroU64,
    /// The name that the log's first key gets; made of the machine's name unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Name>,
}

/// What a file may say. Every key is optional in every file; an unknown key is an error.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    mode: Option<Word<Mode>>,
    #[serde(default, deserialize_with = "table")]
    approval: ApprovalTable,
    #[serde(default, deserialize_with = "table")]
    jobs: JobsTable,
    #[serde(default, deserialize_with = "table")]
    audit: AuditTable,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ApprovalTable {
    expiry_s: Option<u64>,
    #[serde(default, deserialize_with = "table")]
    quorum: QuorumTable,
    approver_differs: Option<Word<ApproverDiffers>>,
    polkit_rule_at_t3: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct QuorumTable {
    t3: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct JobsTable {
    drain_s: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct AuditTable {
    segment_records: Option<u64>,
    origin: Option<String>,
}

/// Where a settings file is wrong, and what was expected there.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{line}:{column}: {problem}")]
pub struct SettingsError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in bytes, from 1.
    pub column: usize,
    /// What is wrong.
    #[source]
    pub problem: SettingsProblem,
}

/// What may be wrong in a settings file.
#[derive(Debug, thiserror::Error)]
pub enum SettingsProblem {
    /// It is not TOML, or has a key or a value that it may not have.
    #[error("{0}")]
    Toml(String),
    /// A number is outside its bounds.
    #[error("{key} must be between 1 and {max}")]
    OutOfBounds {
        /// The key.
        key: &'static str,
        /// The upper bound.
        max: u64,
    },
    /// The log's name is none.
    #[error("audit.origin: {0}")]
    Origin(#[source] BadName),
}

impl Default for Settings {
    fn default() -> Self {
        let quorum = Quorum { t3: 1, approver_differs: ApproverDiffers::Never, polkit_rule_at_t3: false };
        Self { mode: Mode::Guarded, expiry_s: 600, quorum, drain_s: 60, segment_records: SEGMENT, origin: None }
    }
}

impl Settings {
    /// Reads the files in order.
    ///
    /// # Errors
    /// The first file that is not right, with the place.
    pub fn parse(files: &[TextFile<'_>]) -> Result<Self, SettingsError> {
        files.iter().try_fold(Self::default(), |settings, file| settings.overridden_by(file))
    }

    /// How long a request waits for a human, and how long a yes is good.
    #[must_use]
    pub const fn expiry(&self) -> Duration {
        Duration::from_secs(self.expiry_s)
    }

    /// How long a restart lets running jobs finish.
    #[must_use]
    pub const fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_s)
    }

    fn overridden_by(mut self, file: &TextFile<'_>) -> Result<Self, SettingsError> {
        let document: Document = toml::from_str(file.text)
            .map_err(|error| wrong(file, Spot::of_toml(file.text, &error), SettingsProblem::Toml(said(&error))))?;
        if let Some(Word(mode)) = document.mode {
            self.mode = mode;
        }
        if let Some(expiry) = document.approval.expiry_s {
            self.expiry_s = bounded(file, "approval.expiry_s", expiry, MAX_EXPIRY.as_secs())?.get();
        }
        self.quorum = self.quorum.overridden_by(document.approval, file)?;
        if let Some(drain) = document.jobs.drain_s {
            self.drain_s = bounded(file, "jobs.drain_s", drain, MAX_DRAIN.as_secs())?.get();
        }
        if let Some(records) = document.audit.segment_records {
            self.segment_records = bounded(file, "audit.segment_records", records, MAX_SEGMENT)?;
        }
        if let Some(origin) = document.audit.origin {
            let refused = |error| wrong_at(file, "audit.origin", SettingsProblem::Origin(error));
            self.origin = Some(Name::new(&origin).map_err(refused)?);
        }
        Ok(self)
    }
}

impl Quorum {
    fn overridden_by(self, table: ApprovalTable, file: &TextFile<'_>) -> Result<Self, SettingsError> {
        let t3 =
            table.quorum.t3.map(|t3| bounded(file, "approval.quorum.t3", t3, MOST_APPROVERS.into())).transpose()?;
        Ok(Self {
            t3: t3.map_or(self.t3, |t3| u8::try_from(t3.get()).unwrap_or(MOST_APPROVERS)),
            approver_differs: table.approver_differs.map_or(self.approver_differs, |Word(differs)| differs),
            polkit_rule_at_t3: table.polkit_rule_at_t3.unwrap_or(self.polkit_rule_at_t3),
        })
    }
}

/// A number of at least 1 and at most `max`.
fn bounded(file: &TextFile<'_>, key: &'static str, value: u64, max: u64) -> Result<NonZeroU64, SettingsError> {
    let sound = NonZeroU64::new(value).filter(|value| value.get() <= max);
    sound.ok_or_else(|| wrong_at(file, key, SettingsProblem::OutOfBounds { key, max }))
}

/// The mistake at the value of a key, which is written with dots.
fn wrong_at(file: &TextFile<'_>, key: &str, problem: SettingsProblem) -> SettingsError {
    let steps: Vec<Step<'_>> = key.split('.').map(Step::Key).collect();
    wrong(file, Spot::of_value(file.text, &steps), problem)
}

fn wrong(file: &TextFile<'_>, spot: Spot, problem: SettingsProblem) -> SettingsError {
    SettingsError { file: file.name.to_owned(), line: spot.line, column: spot.column, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(texts: &[&str]) -> Result<Settings, SettingsError> {
        let files: Vec<TextFile<'_>> = texts.iter().map(|text| TextFile { name: "x.toml", text }).collect();
        Settings::parse(&files)
    }

    #[test]
    fn nothing_said_means_guarded() {
        assert_eq!(parse(&[]).unwrap().mode, Mode::Guarded);
        assert_eq!(parse(&[""]).unwrap(), Settings::default());
    }

    #[test]
    fn later_files_override_single_keys() {
        let settings = parse(&["mode = 'open'\n[approval]\nexpiry_s = 5", "[approval]\nexpiry_s = 9"]).unwrap();
        assert_eq!((settings.mode, settings.expiry_s), (Mode::Open, 9));
    }

    #[test]
    fn a_mistake_is_an_error_and_never_a_weaker_setting() {
        for text in [
            "mode = 'Open'",
            "mode = 1",
            "mod = 'open'",
            "[approval]\nexpiry = 5",
            "[approval]\nexpiry_s = 0",
            "[approval]\nexpiry_s = 3601",
            "[audit]\nsegment_records = 0",
            "[audit]\nsegment_records = 1000000001",
            "mode =",
            "[audit]\norigin = 'a b'",
            "[audit]\norigin = ''",
            "[audit]\nname = 'a'",
            "[approval]\nquorum.t3 = 0",
            "[approval]\nquorum.t3 = 3",
            "[approval]\nquorum.t2 = 2",
            "[approval]\nquorum = 2",
            "[approval]\napprover_differs = 'T3'",
            "[approval]\napprover_differs = true",
            "[approval]\npolkit_rule_at_t3 = 'yes'",
        ] {
            assert!(parse(&[text]).is_err(), "{text}");
        }
        assert!(parse(&["[approval]\nexpiry_s = 3600"]).is_ok());
        assert!(parse(&["[audit]\nsegment_records = 1000000000"]).is_ok());
        let named = parse(&["[audit]\norigin = 'web1.example.com/countersign'"]).unwrap();
        assert_eq!(named.origin.unwrap().as_str(), "web1.example.com/countersign");
    }

    #[test]
    fn what_an_approval_must_be_is_said_key_by_key() {
        let nothing = parse(&["[approval]\nexpiry_s = 5"]).unwrap().quorum;
        assert_eq!((nothing.of(Tier::T3), nothing.own_counts(Tier::T3), nothing.polkit_rule_at_t3), (1, true, false));
        let two =
            parse(&["[approval]\nquorum.t3 = 2\napprover_differs = 't3'", "[approval]\npolkit_rule_at_t3 = true"]);
        let two = two.unwrap().quorum;
        assert_eq!((two.of(Tier::T2), two.of(Tier::T3), two.polkit_rule_at_t3), (1, 2, true));
        assert_eq!(Tier::ALL.map(|tier| two.own_counts(tier)), [true, true, true, false]);
        let always = parse(&["[approval]\napprover_differs = 'always'"]).unwrap().quorum;
        assert_eq!(Tier::ALL.map(|tier| always.own_counts(tier)), [false; 4]);
    }
}
