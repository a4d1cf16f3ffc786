//! The audit record: what happened, as data. SEC-2, SEC-9, SEC-10.
//!
//! ```text
//!   Draft ──complete(seq, prev)──▶ Entry { seq, hash, body }      body = canonical JSON of a Record
//!   body ──Record::parse──▶ Record                                hash = SHA-256(0 ‖ body), prev of the next
//! ```
//!
//! Enters: facts that other rooms proved and words that a caller claims. Leaves: one canonical JSON object in which
//! every secret that [`crate::redact`] knows is gone. Never enters: a body of output, or the value of an
//! environment variable. The form is written down for other readers in `docs/audit-format.md`.

mod commitment;
mod draft;
mod form;
mod shape;

use serde::{Deserialize, Deserializer, Serialize};

pub use commitment::Hidden;
pub use draft::{Act, Draft, Entry, Stamp};

use crate::approval::Approver;
use crate::caller::{Caller, Gid, Uid};
use crate::classify::RuleId;
use crate::code::Code;
use crate::condition::Seen;
use crate::digest::{Digest, decimal};
use crate::outcome::{Ended, Layer, Stream};
use crate::plan::PinnedFile;
use crate::policy::{Gate, Mode, Ruleset, Taint, Verdict};
use crate::profile::ProfileName;
use crate::redact::Secrets;
use crate::request::RequestId;
use crate::run_state::RunState;
use crate::target::Target;
use crate::tier::Ruling;
use crate::time::Moment;

/// The version of the record's form.
pub const VERSION: u32 = 1;
/// The most characters of a record's `error`.
pub const MAX_ERROR: usize = 500;
/// The largest whole number that canonical JSON carries exactly: 2^53 - 1.
pub const MAX_NUMBER: u64 = (1 << 53) - 1;

/// What sort of happening a record tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The broker began or ended.
    Daemon,
    /// Policy was read.
    Configuration,
    /// Something was asked for.
    Request,
    /// Somebody acted on the broker itself, or on a user's latch.
    Control,
}

impl Kind {
    /// As a record has it.
    const fn name(self) -> &'static str {
        match self {
            Self::Daemon => "daemon",
            Self::Configuration => "configuration",
            Self::Request => "request",
            Self::Control => "control",
        }
    }
}

/// Which step of that happening. A phase belongs to exactly one [`Kind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The broker began.
    Start,
    /// The broker ended in good order.
    End,
    /// Policy was read; with a code if it was refused.
    Load,
    /// A plan was shown; nothing was to run.
    Plan,
    /// The request is over and nothing ran.
    Final,
    /// The request is about to run.
    Intent,
    /// The run of an earlier intent is over.
    Result,
    /// The kill switch was used.
    Stop,
    /// The stop latch was cleared.
    Clear,
    /// The broker was put on hold.
    Hold,
    /// The hold was lifted.
    Resume,
    /// A caller armed its own taint latch.
    MarkTainted,
    /// A user's taint latch was cleared.
    ClearTaint,
    /// The log's key was changed.
    Rotate,
}

impl Phase {
    /// The kind that this phase belongs to.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Start | Self::End => Kind::Daemon,
            Self::Load => Kind::Configuration,
            Self::Plan | Self::Final | Self::Intent | Self::Result => Kind::Request,
            Self::Stop
            | Self::Clear
            | Self::Hold
            | Self::Resume
            | Self::MarkTainted
            | Self::ClearTaint
            | Self::Rotate => Kind::Control,
        }
    }
}

/// The judge's verdict, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judgement {
    /// It may run without a human.
    Allow,
    /// A human must decide.
    Hold,
    /// Never, as things were.
    Deny,
    /// Not answered.
    Silence,
}

impl From<&Verdict> for Judgement {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Allow(..) => Self::Allow,
            Verdict::Hold(_) => Self::Hold,
            Verdict::Deny(_) => Self::Deny,
            Verdict::Silence => Self::Silence,
        }
    }
}

/// The caller as the log keeps it: facts that the kernel and the bus vouched for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asker {
    /// The user.
    pub uid: Uid,
    /// Its name when it was looked up.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "present")]
    pub user: String,
    /// Its groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gids: Vec<Gid>,
    /// The process.
    pub pid: u32,
    /// That process's start time in clock ticks since boot.
    #[serde(with = "decimal")]
    pub start_time: u64,
    /// The connection.
    pub bus_name: String,
    /// Its executable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exe: Option<String>,
    /// Its systemd unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Its login session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The uid that logged in at first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_uid: Option<Uid>,
    /// Its label, if a security module gave it one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_label: Option<String>,
}

impl Asker {
    fn of(caller: &Caller, secrets: &Secrets) -> Self {
        let clean = |text: &Option<String>| text.as_deref().map(|text| secrets.text(text));
        Self {
            uid: caller.uid,
            user: secrets.text(&caller.user),
            gids: caller.gids.clone(),
            pid: caller.pid,
            start_time: caller.start_time,
            bus_name: caller.bus_name.as_str().to_owned(),
            exe: clean(&caller.exe),
            unit: clean(&caller.unit),
            session: clean(&caller.session),
            login_uid: caller.login_uid,
            security_label: clean(&caller.security_label),
        }
    }
}

/// Where a request stands in the bundle that it is a step of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The digest of the whole, which is what people approve.
    pub digest: Digest,
    /// How many steps the whole has.
    pub of: u32,
    /// Which of them this is, counted from 1.
    pub step: u32,
}

/// A program or script that was to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Executable {
    /// Where it was found.
    pub path: String,
    /// SHA-256 of its content.
    pub sha256: Digest,
}

impl Executable {
    fn of(file: &PinnedFile, secrets: &Secrets) -> Self {
        Self { path: secrets.text(file.path.as_str()), sha256: file.sha256 }
    }
}

/// One record. A field that does not apply is absent from the JSON; an empty list counts as absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// [`VERSION`].
    pub v: u32,
    /// Its place in the log, from 1 without gaps.
    pub seq: u64,
    /// The hash of the record before it; zeros for the first.
    pub prev: Digest,
    /// When it was made.
    pub time: Moment,
    /// The kernel's boot id.
    pub boot_id: String,
    /// Milliseconds since boot, on a clock that nobody sets.
    pub monotonic_ms: u64,
    /// What sort of happening.
    pub kind: Kind,
    /// Which step of it.
    pub phase: Phase,
    /// The run state.
    pub state: RunState,
    /// The mode.
    pub mode: Mode,
    /// The policy in force.
    pub ruleset: Ruleset,
    /// The request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<RequestId>,
    /// The plan's digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The bundle that it is a step of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<Part>,
    /// The commitment to what this record hides; see [`Hidden`]. Absent if it hides nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commitment: Option<Digest>,
    /// Who asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<Asker>,
    /// The caller's taint latch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taint: Option<Taint>,
    /// The name that the agent gives itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Why it says it asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The words of the command.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub argv: Vec<String>,
    /// The working directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The names that the caller added to the environment, without their values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env_names: Vec<String>,
    /// The tier, or `deny`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Ruling>,
    /// The rules that fired.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleId>,
    /// What was acted on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<Target>,
    /// The sandbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<ProfileName>,
    /// What the judge said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Judgement>,
    /// Why it did not run as asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// The gate of the policy that refused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// What rules asked of the machine, as it was looked at for this record.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Seen>,
    /// How often it was asked without an answer; only in a record of silence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// Who said yes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<Approver>,
    /// Who said no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refuser: Option<Uid>,
    /// What was to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executable: Option<Executable>,
    /// The interpreter of that script.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interpreter: Option<Executable>,
    /// What confined it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub enforced: Vec<Layer>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
    /// When the program began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Moment>,
    /// From begin to an empty cgroup, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_us: Option<u64>,
    /// Processor time, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_us: Option<u64>,
    /// Peak resident memory, in KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_kib: Option<u64>,
    /// What it wrote to stdout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<Stream>,
    /// What it wrote to stderr.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr: Option<Stream>,
    /// What went wrong, in at most [`MAX_ERROR`] characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Who acted on the broker: a word of ours or a uid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// Why, in that person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Whose latches were armed already when the broker began.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tainted: Vec<Uid>,
    /// The version of the broker's software.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software: Option<String>,
}

/// Why some bytes are not a record.
#[derive(Debug, thiserror::Error)]
pub enum NotARecord {
    /// Not JSON, or a field is missing, unknown or of the wrong type.
    #[error("it is not a record")]
    Form(#[source] serde_json::Error),
    /// Written in a form that this reader does not know.
    #[error("it has version {0} and this reader knows version {VERSION}")]
    Version(u32),
    /// The phase is not one of that kind.
    #[error("its phase does not belong to its kind")]
    Phase,
    /// The same fields, but written in another way than the canonical one.
    #[error("it is not in canonical form")]
    NotCanonical,
}

impl Record {
    /// Reads a record from its canonical bytes; any other spelling of the same fields is refused.
    ///
    /// # Errors
    /// [`NotARecord`].
    pub fn parse(body: &[u8]) -> Result<Self, NotARecord> {
        let record: Self =
            serde_json::from_slice(body).map_err(|error| newer(body).unwrap_or(NotARecord::Form(error)))?;
        if record.v != VERSION {
            return Err(NotARecord::Version(record.v));
        }
        if record.phase.kind() != record.kind {
            return Err(NotARecord::Phase);
        }
        if form::look(body).is_some() { Ok(record) } else { Err(NotARecord::NotCanonical) }
    }
}

/// What ties a record to its log, read without copying the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glance {
    /// Its place in the log.
    pub seq: u64,
    /// The hash of the record before it.
    pub prev: Digest,
    /// Which step of what happened.
    pub phase: Phase,
    /// The request.
    pub id: Option<RequestId>,
    /// When it was made.
    pub time: Moment,
    /// Whether it commits to what it hides.
    pub commits: bool,
}

impl Glance {
    /// Passes over a body once and takes it for a record exactly where [`Record::parse`] does.
    ///
    /// # Errors
    /// Those of [`Record::parse`].
    pub fn read(body: &[u8]) -> Result<Self, NotARecord> {
        match form::look(body) {
            Some(glance) => Ok(glance),
            None => Record::parse(body).map(|record| Self::from(&record)),
        }
    }
}

impl From<&Record> for Glance {
    fn from(record: &Record) -> Self {
        let Record { seq, prev, phase, id, time, commitment, .. } = record;
        Self { seq: *seq, prev: *prev, phase: *phase, id: *id, time: *time, commits: commitment.is_some() }
    }
}

/// A text that would be absent if it were empty.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Err(serde::de::Error::custom("an empty text is left out")) } else { Ok(text) }
}

/// A record of another version fails by its fields first; its version is the better explanation.
fn newer(body: &[u8]) -> Option<NotARecord> {
    #[derive(Deserialize)]
    struct Versioned {
        v: u32,
    }
    let Versioned { v } = serde_json::from_slice(body).ok()?;
    (v != VERSION).then_some(NotARecord::Version(v))
}

#[cfg(test)]
pub(crate) mod tests;
