//! An order: what the front hands to the launcher, after the last re-check and not before.
//!
//! The front builds an [`Order`] only from an [`Approved`]. The launcher receives a [`Claim`], which is the same
//! content with nothing to vouch for it, and proves every part of it again.

use serde::{Deserialize, Serialize};

use crate::approval::{Approved, Permission, suffice};
use crate::bundle::Step;
use crate::code::{Code, Failure};
use crate::digest::Digest;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::run_state::RunState;
use crate::tier::Tier;
use crate::time::Moment;

/// An order to run a plan once.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Order {
    plan: Plan,
    digest: Digest,
    permission: Permission,
    step: Option<Step>,
    sealed: Moment,
}

/// An order as it arrives: nothing in it is believed until the launcher has proved it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// What would run.
    pub plan: Plan,
    /// Its digest, as claimed.
    pub digest: Digest,
    /// What entitles it, as claimed.
    pub permission: Permission,
    /// Its place in a bundle, if it is a step of one, as claimed. Then what is approved is the bundle.
    pub step: Option<Step>,
    /// When it was sealed, as claimed.
    pub sealed: Moment,
}

/// A re-check failed. The approval is not burnt: it comes back with the reason.
#[derive(Debug)]
pub struct NotSealed {
    /// Why.
    pub failure: Failure,
    /// What may still be tried.
    pub approved: Box<Approved>,
}

impl Order {
    /// Seals an approved plan into an order, after the last look at what may have moved meanwhile: the run state,
    /// the mode and ruleset, who approved, and the expiry of plan and approval. The executable is looked at again by the launcher.
    ///
    /// # Errors
    /// [`NotSealed`], with the first check that failed.
    pub fn seal(approved: Approved, policy: &Policy, state: RunState, now: Moment) -> Result<Self, NotSealed> {
        if let Err(failure) = recheck(approved.plan(), approved.step(), approved.permission(), policy, state, now) {
            return Err(NotSealed { failure, approved: Box::new(approved) });
        }
        let (plan, digest, permission, step) = approved.into_parts();
        Ok(Self { plan, digest, permission, step, sealed: now })
    }

    /// What will run.
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
}

/// The checks that the front makes before it seals and the launcher makes on what it received. People decide on a step at
/// the tier of its whole bundle.
///
/// # Errors
/// The code and sentence of the first check that failed.
pub fn recheck(
    plan: &Plan,
    step: Option<&Step>,
    permission: &Permission,
    policy: &Policy,
    state: RunState,
    now: Moment,
) -> Result<(), Failure> {
    match state {
        RunState::Red => {
            return Err(Failure::new(
                Code::Stopped,
                "The broker is stopped: an operator clears it with `countersign clear`.",
            ));
        }
        RunState::Amber if plan.tier > Tier::T0 => {
            return Err(Failure::new(
                Code::Held,
                "The broker is on hold and serves reads only: ask an operator to resume it.",
            ));
        }
        RunState::Amber | RunState::Green => {}
    }
    if plan.mode != policy.settings().mode || plan.ruleset != policy.ruleset() {
        return Err(Failure::new(Code::Changed, "The policy changed since this was planned: ask again."));
    }
    let approval_over = match permission {
        Permission::Grant => false,
        Permission::Human(approval) => {
            let tier = step.map_or(plan.tier, |step| step.bundle.tier);
            suffice(&policy.settings().quorum, tier, plan.caller.uid, &approval.approvers)?;
            approval.expires <= now
        }
    };
    if plan.expires <= now || approval_over {
        return Err(Failure::new(Code::Expired, "The time to decide is over: ask again."));
    }
    Ok(())
}
