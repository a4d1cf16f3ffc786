//! Approval: the only door between a verdict and a run. SEC-2.
//!
//! ```text
//!   Verdict::Allow(Allowed) ──by_grant───▶ Approved ──Order::seal──▶ Order      (moved, so used once)
//!   a human's yes ──▶ Approval ──by_human──▶    ▲
//! ```
//!
//! [`Approved`] has no other constructor, cannot be cloned and is not read from anywhere, so that "run without
//! approval" and "run twice" do not compile.

use serde::{Deserialize, Serialize};

use crate::caller::Uid;
use crate::code::{Code, Failure};
use crate::digest::Digest;
use crate::plan::Plan;
use crate::policy::Allowed;
use crate::time::Moment;

/// How a yes came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApprovalKind {
    /// A human answered an authentication challenge for this very request.
    Challenge,
    /// A polkit rule, or being root, said yes without asking anybody.
    PolkitRule,
}

/// Who said yes, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approver {
    /// The user before whom the dialog was opened.
    pub uid: Uid,
    /// How the yes came about.
    pub kind: ApprovalKind,
    /// From question to answer, in milliseconds.
    pub latency_ms: u64,
}

/// A human's yes to one digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// 128 random bits, minted by the broker: 32 hexadecimal digits.
    pub id: crate::request::RequestId,
    /// What was approved.
    pub digest: Digest,
    /// Who approved.
    pub approver: Approver,
    /// When.
    pub granted: Moment,
    /// When the approval becomes void.
    pub expires: Moment,
}

/// What entitles a plan to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// The caller's grant lets this tier run without asking.
    Grant,
    /// A human approved it.
    Human(Approval),
}

/// A plan that may run once.
#[derive(Debug, PartialEq, Eq)]
pub struct Approved {
    plan: Plan,
    digest: Digest,
    permission: Permission,
}

impl Approved {
    /// The way of a grant: the judge allowed it.
    #[must_use]
    pub fn by_grant(_allowed: Allowed, plan: Plan, digest: Digest) -> Self {
        Self { plan, digest, permission: Permission::Grant }
    }

    /// The way of a human.
    ///
    /// # Errors
    /// `Changed` if the approval names another digest.
    pub fn by_human(approval: Approval, plan: Plan, digest: Digest) -> Result<Self, Failure> {
        if approval.digest != digest {
            return Err(Failure::new(
                Code::Changed,
                "The approval is for another request: look at the request again and approve what it says now.",
            ));
        }
        Ok(Self { plan, digest, permission: Permission::Human(approval) })
    }

    /// What may run.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Its digest.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// What entitles it.
    #[must_use]
    pub const fn permission(&self) -> &Permission {
        &self.permission
    }

    /// Takes it apart; only an order is made of the pieces.
    pub(crate) fn into_parts(self) -> (Plan, Digest, Permission) {
        (self.plan, self.digest, self.permission)
    }
}
