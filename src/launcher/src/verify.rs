//! Proving an order again, because whoever sent it is not trusted. SEC-3, SEC-12.
//!
//! ```text
//!   digest ─▶ place in its bundle ─▶ classification ─▶ judgement ─▶ permission ─▶ expiry, mode, ruleset ─▶ same files
//!          ─▶ its turn, and not before
//! ```
//!
//! Enters: a claim and the policy that this process loaded itself. Leaves: the pins and the sandbox of what may run, or
//! the first thing about the claim that is not so. How many people must approve, and whether the caller may be one of
//! them, is proven again too. The honest limit: an approval is believed to have been given by whom it names. A
//! compromised front can say so of an action that policy lets a human approve; it cannot have a denied one run, widen
//! a profile, run a plan twice, run a bundle's steps out of turn or after one that failed, or run other files than were
//! approved.

use std::rc::Rc;

use countersign_core::approval::Permission;
use countersign_core::classify::Classification;
use countersign_core::code::{Code, Failure};
use countersign_core::digest::Digest;
use countersign_core::order::{Claim, recheck};
use countersign_core::plan::{Plan, VERSION};
use countersign_core::policy::memory::Memory;
use countersign_core::policy::{Case, Facts, Policy, Taint, Verdict, judge};
use countersign_core::request::{Narrowing, classify_action};
use countersign_core::run_state::RunState;
use countersign_core::tier::Ruling;
use countersign_core::time::Moment;

use crate::pin::{NotPinned, Pinner, Pins, changed};
use crate::sandbox::{Sandbox, Sandboxes};
use crate::seen::{NotNoted, Seen};
use crate::turns::{Turn, Turns};

/// What a proof needs to know besides the claim.
pub(crate) struct Prover<'a> {
    /// The policy that this process loaded.
    pub(crate) policy: &'a Policy,
    /// The sandboxes of its profiles.
    pub(crate) sandboxes: &'a Sandboxes,
    /// What ran before.
    pub(crate) seen: &'a mut Seen,
    /// Whose turn it is in each bundle.
    pub(crate) turns: &'a mut Turns,
    /// Which file is which.
    pub(crate) pinner: &'a mut Pinner,
}

/// What a proven claim leads to.
#[derive(Debug)]
pub(crate) struct Proven {
    /// The files as they are now, which is as they were approved.
    pub(crate) pins: Pins,
    /// The sandbox.
    pub(crate) sandbox: Rc<Sandbox>,
}

impl Prover<'_> {
    /// Proves a claim. A claim that is proven counts as run.
    ///
    /// # Errors
    /// The first thing that is not so; or a file that has to be read before that is known.
    pub(crate) fn prove(&mut self, claim: &Claim, now: Moment) -> Result<Proven, NotPinned> {
        let plan = &claim.plan;
        if plan.version != VERSION || plan.digest().ok() != Some(claim.digest) {
            return Err(Failure::new(Code::Changed, "The order's digest is not that of its content.").into());
        }
        let approved = what_was_approved(claim)?;
        let turn = turn_of(claim);
        turn.iter().try_for_each(|turn| self.turns.is(turn))?;
        let classification = classify_action(self.policy.rules(), &plan.action);
        same_classification(plan, &classification)?;
        let sandbox = self.sandbox(plan)?;
        let verdict = self.judge(plan, &classification);
        entitled(claim, approved, verdict)?;
        recheck(plan, claim.step.as_ref(), &claim.permission, self.policy, RunState::Green, now)?;
        let pins = self.pinner.pin(&plan.action.argv, &plan.action.cwd).map_err(NotPinned::once_more)?;
        if pins.pinned != plan.pinned {
            return Err(changed().into());
        }
        self.note(plan, now)?;
        turn.iter().try_for_each(|turn| self.turns.begin(turn, plan.id, now))?;
        Ok(Proven { pins, sandbox })
    }

    fn sandbox(&self, plan: &Plan) -> Result<Rc<Sandbox>, Failure> {
        let sandbox = self
            .sandboxes
            .get(&plan.profile)
            .filter(|sandbox| sandbox.profile.digest().ok() == Some(plan.profile_digest));
        let sandbox = sandbox
            .ok_or_else(|| Failure::new(Code::Changed, "The profile is not the one that was planned: ask again."))?;
        match sandbox.missing {
            None => Ok(Rc::clone(sandbox)),
            Some(layer) => Err(Failure::new(
                Code::SandboxUnavailable,
                format!(
                    "The profile {} requires the sandbox layer {}, which this machine does not offer: see SECURITY.md.",
                    plan.profile.as_str(),
                    layer.as_str()
                ),
            )),
        }
    }

    fn judge(&self, plan: &Plan, classification: &Classification) -> Verdict {
        let grant = self.policy.grants().for_ids(plan.caller.uid, &plan.caller.gids);
        // What the front knows and this process does not (taint, memory, narrowing) can only make a verdict stricter.
        let facts = Facts { state: RunState::Green, taint: Taint::Clean, grant, memory: Memory::Clear };
        let (policy, profile, narrowing) = (self.policy, &plan.profile, &Narrowing::default());
        judge(&Case { policy, classification, profile, narrowing, facts: &facts })
    }

    fn note(&mut self, plan: &Plan, now: Moment) -> Result<(), Failure> {
        self.seen.note(plan.id, plan.expires, now).map_err(|error| match error {
            NotNoted::Twice => Failure::new(Code::Changed, "This request ran before: ask again."),
            NotNoted::Full => Failure::new(Code::OverBudget, "Too many requests ran at one time: ask again later."),
        })
    }
}

fn same_classification(plan: &Plan, classification: &Classification) -> Result<(), Failure> {
    if classification.ruling == Ruling::Deny {
        return Err(Failure::new(Code::Denied, "This is never done, with any approval."));
    }
    if classification.ruling == Ruling::Tier(plan.tier) && classification.targets == plan.targets {
        Ok(())
    } else {
        Err(Failure::new(Code::Changed, "The order's tier or targets are not those of its command."))
    }
}

/// What an approval must name: the plan, or the bundle that it is a step of.
fn what_was_approved(claim: &Claim) -> Result<Digest, Failure> {
    claim.step.as_ref().map_or(Ok(claim.digest), |step| step.approves(&claim.plan, claim.digest))
}

/// The turn that a claim is about; nothing if it is of no bundle, or of nothing that could be one.
pub(crate) fn turn_of(claim: &Claim) -> Option<Turn> {
    let step = claim.step.as_ref()?;
    Some(Turn { bundle: step.bundle.digest().ok()?, index: step.index, expires: step.bundle.expires })
}

/// Whether what entitles the claim is what the verdict asks for.
fn entitled(claim: &Claim, approved: Digest, verdict: Verdict) -> Result<(), Failure> {
    let approved = match &claim.permission {
        Permission::Grant => false,
        Permission::Human(approval) => approval.digest == approved,
    };
    match (verdict, &claim.permission) {
        (Verdict::Allow(..), Permission::Grant) => Ok(()),
        (Verdict::Allow(..) | Verdict::Hold(_), Permission::Human(_)) if approved => Ok(()),
        (Verdict::Allow(..) | Verdict::Hold(_), Permission::Human(_)) => {
            Err(Failure::new(Code::Changed, "The approval is for another request."))
        }
        (Verdict::Hold(_), Permission::Grant) => {
            Err(Failure::new(Code::NeedsApproval, "A human must decide, and the order says that nobody did."))
        }
        (Verdict::Deny(refused), Permission::Grant | Permission::Human(_)) => Err(refused.failure),
        (Verdict::Silence, Permission::Grant | Permission::Human(_)) => {
            Err(Failure::new(Code::Denied, "This is not answered."))
        }
    }
}
