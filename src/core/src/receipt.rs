//! The receipt: what the caller keeps of its request, whether it ran or not.
//!
//! Enters: what the rooms before it decided and saw. Leaves: one value for the bus and for `--json`, tied to the
//! audit log by the number and hash of the record that closed the request. Never carries output.

use serde::{Deserialize, Serialize};

use crate::approval::Approver;
use crate::bundle::Bundle;
use crate::classify::RuleId;
use crate::code::Code;
use crate::digest::Digest;
use crate::outcome::{Ended, Layer, Stream};
use crate::plan::Plan;
use crate::record::{Entry, Judgement};
use crate::request::RequestId;
use crate::salt::Salt;
use crate::time::Moment;

/// Where the log holds the record that closed a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// The record's number.
    pub seq: u64,
    /// The record's hash.
    pub hash: Digest,
}

impl From<&Entry> for Recorded {
    fn from(entry: &Entry) -> Self {
        Self { seq: entry.seq, hash: entry.hash }
    }
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The request.
    pub id: RequestId,
    /// What opens the record's commitment to the words that it hides. Not in the log.
    pub salt: Salt,
    /// The plan's digest; absent if it was denied before anything was pinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The digest's first 40 bits, in the form that people compare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The whole plan, from which anybody can compute the digest again; absent where the digest is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Box<Plan>>,
    /// What the judge said.
    pub verdict: Judgement,
    /// Why it did not run as asked; absent if it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// One sentence for people.
    pub sentence: String,
    /// The rules that fired.
    pub rules: Vec<RuleId>,
    /// Who said yes, and how.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<Approver>,
    /// What confined the job.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub enforced: Vec<Layer>,
    /// How it ended; absent if nothing ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
    /// What it wrote to stdout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<Stream>,
    /// What it wrote to stderr.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr: Option<Stream>,
    /// When it was asked.
    pub asked: Moment,
    /// When the program began; absent if nothing ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Moment>,
    /// When the request was over.
    pub finished: Moment,
    /// The record that closed it; absent only if that record could not be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<Recorded>,
}

/// What became of a bundle: the whole, and every step's own receipt, in order. Each step's digest is in the bundle, and
/// follows from the plan in its receipt; so the digest of the whole follows from nothing but this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleReceipt {
    /// The request.
    pub id: RequestId,
    /// The bundle's digest, which is what people approved.
    pub digest: Digest,
    /// Its first 40 bits, in the form that people compare.
    pub fingerprint: String,
    /// The bundle, from which anybody can compute the digest again.
    pub bundle: Bundle,
    /// What the judge said of the whole.
    pub verdict: Judgement,
    /// Why it did not run as asked, of the step that decided it; absent if every step ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// One sentence for people, of that step, or of the last.
    pub sentence: String,
    /// Who said yes to the whole, and how.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<Approver>,
    /// The steps.
    pub steps: Vec<Receipt>,
    /// When it was asked.
    pub asked: Moment,
    /// When it was over.
    pub finished: Moment,
}
