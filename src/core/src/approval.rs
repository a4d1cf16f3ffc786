//! Approval: the only door between a verdict and a run. SEC-2.
//!
//! ```text
//!   Verdict::Allow(Allowed) ──by_grant───▶ Approved ──Order::seal──▶ Order      (moved, so used once)
//!   a human's yes ──▶ Approval ──by_human──▶    ▲          of a bundle: one of each step, from one yes to the whole
//! ```
//!
//! [`Approved`] has no other constructor, cannot be cloned and is not read from anywhere, so that "run without
//! approval" and "run twice" do not compile.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::bundle::{Bundle, Step};
use crate::caller::Uid;
use crate::code::{Code, Failure};
use crate::digest::Digest;
use crate::plan::Plan;
use crate::policy::{Allowed, Quorum};
use crate::tier::Tier;
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

/// The yes of as many humans as it takes, to one digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// 128 random bits, minted by the broker: 32 hexadecimal digits.
    pub id: crate::request::RequestId,
    /// What was approved.
    pub digest: Digest,
    /// Who approved, in the order in which they did.
    pub approvers: Vec<Approver>,
    /// When.
    pub granted: Moment,
    /// When the approval becomes void.
    pub expires: Moment,
}

/// Whether one person's yes may count towards a request of this caller at this tier.
///
/// # Errors
/// `NeedsApproval` if nobody typed a password where one must, `SelfApproval` if the caller may not decide itself.
pub fn counts(quorum: &Quorum, tier: Tier, caller: Uid, approver: &Approver) -> Result<(), Failure> {
    match (approver.kind, tier) {
        (ApprovalKind::Challenge, Tier::T0 | Tier::T1 | Tier::T2 | Tier::T3)
        | (ApprovalKind::PolkitRule, Tier::T0 | Tier::T1 | Tier::T2) => {}
        (ApprovalKind::PolkitRule, Tier::T3) if quorum.polkit_rule_at_t3 => {}
        (ApprovalKind::PolkitRule, Tier::T3) => {
            return Err(Failure::new(
                Code::NeedsApproval,
                "This cannot be undone, so a password must be typed for it: approve it as an administrator who is asked for one.",
            ));
        }
    }
    if approver.uid == caller && !quorum.own_counts(tier) {
        return Err(Failure::new(
            Code::SelfApproval,
            "Whoever asked may not approve it here: another administrator decides.",
        ));
    }
    Ok(())
}

/// Whether these people's yes is enough: each of them counts, and as many different users as the tier takes.
///
/// # Errors
/// Why not; `NeedsApproval` where only more people are missing.
pub fn suffice(quorum: &Quorum, tier: Tier, caller: Uid, approvers: &[Approver]) -> Result<(), Failure> {
    approvers.iter().try_for_each(|approver| counts(quorum, tier, caller, approver))?;
    let users: BTreeSet<Uid> = approvers.iter().map(|approver| approver.uid).collect();
    if users.len() >= usize::from(quorum.of(tier).max(1)) {
        return Ok(());
    }
    Err(Failure::new(Code::NeedsApproval, "Another administrator must approve it as well."))
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
    step: Option<Step>,
}

impl Approved {
    /// The way of a grant: the judge allowed it.
    #[must_use]
    pub fn by_grant(_allowed: Allowed, plan: Plan, digest: Digest) -> Self {
        Self { plan, digest, permission: Permission::Grant, step: None }
    }

    /// The way of a human.
    ///
    /// # Errors
    /// `Changed` if the approval names another digest.
    pub fn by_human(approval: Approval, plan: Plan, digest: Digest) -> Result<Self, Failure> {
        if approval.digest != digest {
            return Err(another());
        }
        Ok(Self { plan, digest, permission: Permission::Human(approval), step: None })
    }

    /// The way of a grant, for every step of a bundle: the judge allowed each of them.
    ///
    /// # Errors
    /// `Changed` if the plans are not those of the bundle, or the judge did not allow as many.
    pub fn steps_by_grant(
        allowed: Vec<Allowed>,
        bundle: &Bundle,
        plans: Vec<(Plan, Digest)>,
    ) -> Result<Vec<Self>, Failure> {
        if allowed.len() != plans.len() {
            return Err(another());
        }
        Self::steps(&Permission::Grant, bundle, plans)
    }

    /// The way of a human, for every step of a bundle: one yes to the whole entitles each step once.
    ///
    /// # Errors
    /// `Changed` if the approval names another digest than the bundle's, or the plans are not those of the bundle.
    pub fn steps_by_human(
        approval: Approval,
        bundle: &Bundle,
        plans: Vec<(Plan, Digest)>,
    ) -> Result<Vec<Self>, Failure> {
        if bundle.digest().ok() != Some(approval.digest) {
            return Err(another());
        }
        Self::steps(&Permission::Human(approval), bundle, plans)
    }

    fn steps(permission: &Permission, bundle: &Bundle, plans: Vec<(Plan, Digest)>) -> Result<Vec<Self>, Failure> {
        if plans.len() != bundle.steps.len() {
            return Err(another());
        }
        let each = bundle.each().zip(plans).map(|(step, (plan, digest))| {
            step.approves(&plan, digest)?;
            Ok(Self { plan, digest, permission: permission.clone(), step: Some(step) })
        });
        each.collect()
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

    /// Its place in a bundle, if it is a step of one.
    #[must_use]
    pub const fn step(&self) -> Option<&Step> {
        self.step.as_ref()
    }

    /// Takes it apart; only an order is made of the pieces.
    pub(crate) fn into_parts(self) -> (Plan, Digest, Permission, Option<Step>) {
        (self.plan, self.digest, self.permission, self.step)
    }
}

fn another() -> Failure {
    Failure::new(
        Code::Changed,
        "The approval is for another request: look at the request again and approve what it says now.",
    )
}

#[cfg(test)]
mod tests;
