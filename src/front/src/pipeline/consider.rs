//! Consider: from what is asked to a verdict and a plan. Nothing is asked of anybody and nothing runs.

use std::sync::Arc;

use countersign_core::caller::Caller;
use countersign_core::code::{Code, Failure};
use countersign_core::digest::Digest;
use countersign_core::plan::{Circumstances, Plan};
use countersign_core::policy::{Facts, Policy, Taint, Verdict, judge};
use countersign_core::record::{Draft, Judgement, Stamp};
use countersign_core::request::{Classified, Request};
use countersign_core::tier::Tier;

use super::Pipeline;
use crate::ask::{Ask, DirectoryId, invalid};
use crate::bounds::Place;
use crate::clock;

/// A request with its verdict.
pub(super) struct Considered {
    case: Classified,
    verdict: Verdict,
    /// The caller's latch when it was judged.
    taint: Taint,
    /// A held request's place among those that wait.
    place: Option<Place>,
}

/// An ending before there was a ticket, with its one record.
pub(super) struct Ending {
    draft: Draft,
    failure: Failure,
}

/// Everything that would happen.
#[derive(Debug)]
pub(crate) struct Shown {
    /// The request and what the classifier said of it.
    pub(crate) case: Classified,
    /// What the judge said.
    pub(crate) judgement: Judgement,
    /// The caller's latch when it was judged.
    pub(crate) taint: Taint,
    /// Why it would not run as things are; a held request has one too.
    pub(crate) failure: Option<Failure>,
    /// The plan and its digest, unless it was denied before anything was looked at.
    pub(crate) drawn: Option<(Plan, Digest)>,
    /// The policy under which all this was said.
    pub(crate) policy: Arc<Policy>,
}

impl Shown {
    pub(super) fn draft(&self, stamp: &Stamp) -> Draft {
        let draft = Draft::planned(stamp, &self.case).with_verdict(self.judgement).with_taint(self.taint);
        let draft = self.failure.iter().fold(draft, Draft::with_failure);
        self.drawn.iter().fold(draft, |draft, (plan, digest)| draft.with_plan(*digest, &plan.pinned))
    }
}

impl Considered {
    pub(super) fn into_parts(self) -> (Classified, Verdict, Option<Place>) {
        (self.case, self.verdict, self.place)
    }

    /// The ending of this request for that reason.
    pub(super) fn ending(&self, stamp: &Stamp, failure: Failure) -> Ending {
        let draft = Draft::finished(stamp, &self.case).with_verdict((&self.verdict).into()).with_taint(self.taint);
        let draft = draft.with_failure(&failure);
        Ending { draft, failure }
    }

    /// The tier at which it may go on, or why it may not.
    fn passed(&self) -> Result<Tier, Failure> {
        match &self.verdict {
            Verdict::Allow(_, tier) => Ok(*tier),
            Verdict::Hold(needs) => Ok(needs.tier),
            Verdict::Deny(failure) => Err(failure.clone()),
            Verdict::Silence => Err(no_answer()),
        }
    }
}

impl Pipeline {
    /// The ending of what is no request. Who may not ask at all is told that and nothing else.
    pub(super) fn rejected(&self, policy: &Policy, caller: &Caller, failure: Failure) -> Ending {
        let failure = if policy.grants().of(caller).is_some() { failure } else { no_grant() };
        Ending { draft: Draft::rejected(&self.ledger.stamp(policy), caller, &failure), failure }
    }

    /// Request, classify, judge.
    pub(super) fn consider(&self, policy: &Policy, caller: &Caller, ask: &Ask) -> Result<Considered, Box<Ending>> {
        let rejected = |failure: Failure| Box::new(self.rejected(policy, caller, failure));
        self.standing.admits().map_err(rejected)?;
        let id = clock::new_id().map_err(rejected)?;
        let salt = clock::new_salt().map_err(rejected)?;
        let request =
            Request::new(id, salt, caller.clone(), ask.action.clone(), ask.claims.clone(), ask.narrowing.clone());
        let request = request.map_err(|error| rejected(invalid(&error)))?;
        let case = request.classify(policy.rules());
        let facts = Facts {
            state: self.standing.state(),
            taint: self.latches.of(caller.uid),
            grant: policy.grants().of(caller),
        };
        let verdict = judge(policy, &case, &facts);
        Ok(Considered { case, verdict, taint: facts.taint, place: None })
    }

    /// Whether it may go on at all; a held request takes its place among those that wait.
    pub(super) fn admit(&self, policy: &Policy, mut considered: Considered) -> Result<Considered, Box<Ending>> {
        let place = considered.passed().and_then(|_| match &considered.verdict {
            Verdict::Hold(_) => self.waiting.take(considered.case.request().caller().uid).map(Some),
            Verdict::Allow(..) | Verdict::Deny(_) | Verdict::Silence => Ok(None),
        });
        match place {
            Ok(place) => considered.place = place,
            Err(failure) => return Err(Box::new(considered.ending(&self.ledger.stamp(policy), failure))),
        }
        Ok(considered)
    }

    /// Pin, draw.
    pub(super) async fn draw(
        &self,
        policy: &Policy,
        considered: &Considered,
        directory: Option<DirectoryId>,
    ) -> Result<(Plan, Digest), Failure> {
        let tier = considered.passed()?;
        let (request, case) = (considered.case.request(), &considered.case);
        let pinned = self.launcher.pin(request.id(), &request.action().argv, &request.action().cwd).await?;
        if directory.is_some_and(|directory| !directory.is(&pinned.cwd)) {
            return Err(Failure::new(
                Code::Changed,
                "The working directory is not the one that was passed: ask again from where you are.",
            ));
        }
        let unknown = || Failure::new(Code::Internal, "The profile could not be read: see the journal.");
        let profile_digest =
            policy.profiles().get(case.profile()).and_then(|profile| profile.digest().ok()).ok_or_else(unknown)?;
        let settings = policy.settings();
        let expires = clock::now().after(settings.expiry());
        let circumstances =
            Circumstances { pinned, profile_digest, tier, ruleset: policy.ruleset(), mode: settings.mode, expires };
        Plan::draw(case, circumstances).map_err(|error| invalid(&error))
    }

    /// What `Plan` answers: a denial is an answer too, unless the caller may not ask at all.
    pub(super) async fn show(&self, policy: &Arc<Policy>, caller: &Caller, ask: &Ask) -> Result<Shown, Box<Ending>> {
        let considered = self.consider(policy, caller, ask)?;
        let end = |failure| Box::new(considered.ending(&self.ledger.stamp(policy), failure));
        let failure = match &considered.verdict {
            Verdict::Allow(..) => None,
            Verdict::Hold(needs) => Some(needs_approval(needs.tier)),
            Verdict::Deny(failure) if failure.code == Code::AccessDenied => return Err(end(failure.clone())),
            Verdict::Deny(failure) => Some(failure.clone()),
            Verdict::Silence => return Err(end(no_answer())),
        };
        let drawn = match considered.passed() {
            Ok(_) => Some(self.draw(policy, &considered, ask.directory).await.map_err(end)?),
            Err(_) => None,
        };
        let judgement = (&considered.verdict).into();
        let taint = considered.taint;
        Ok(Shown { case: considered.case, judgement, taint, failure, drawn, policy: Arc::clone(policy) })
    }

    /// Writes the record of an ending. That it could not be written is not what the caller is told: it was refused
    /// either way, and the state is amber.
    pub(super) async fn conclude(&self, ending: Ending) -> Failure {
        drop(self.ledger.write(ending.draft).await);
        ending.failure
    }
}

/// The same words as the judge's.
pub(crate) fn no_grant() -> Failure {
    Failure::new(Code::AccessDenied, "You have no grant: ask an administrator for one.")
}

/// All that is said to whom nothing is said.
pub(super) fn no_answer() -> Failure {
    Failure::new(Code::OverBudget, "There is no answer to this now: wait before you ask again.")
}

fn needs_approval(tier: Tier) -> Failure {
    Failure::new(
        Code::NeedsApproval,
        format!("This is {tier} ({}) and waits for a human when it is asked for.", tier.word()),
    )
}
