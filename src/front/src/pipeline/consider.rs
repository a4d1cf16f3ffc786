//! Consider: from what is asked to a verdict and a plan. Nothing is asked of anybody and nothing runs.

use std::sync::Arc;

use countersign_core::caller::Caller;
use countersign_core::code::{Code, Failure};
use countersign_core::condition::Seen;
use countersign_core::digest::Digest;
use countersign_core::plan::{Circumstances, Plan};
use countersign_core::policy::budget::{Charge, Limits};
use countersign_core::policy::memory::{Deed, Refuser};
use countersign_core::policy::{Case, Facts, Policy, Taint, Verdict, judge, refusals};
use countersign_core::record::{Draft, Judgement, Stamp};
use countersign_core::request::{Classified, Request};
use countersign_core::tier::Tier;
use countersign_core::time::Moment;

use super::Pipeline;
use crate::ask::{Ask, DirectoryId, invalid};
use crate::clock;
use crate::silence::{Unanswered, no_answer};

/// A request with its verdict, which is to allow it or to hold it.
pub(super) struct Considered {
    pub(super) case: Classified,
    pub(super) verdict: Verdict,
    pub(super) tier: Tier,
    pub(super) limits: Limits,
    pub(super) seen: Vec<Seen>,
}

/// A request and what was found about it.
struct Found {
    case: Classified,
    facts: Facts,
}

/// An ending before there was a ticket, with its one record, unless silence was recorded a moment ago.
pub(super) struct Ending {
    pub(super) draft: Option<Draft>,
    pub(super) failure: Failure,
}

/// Everything that would happen.
#[derive(Debug)]
pub(crate) struct Shown {
    /// The request and what the classifier said of it.
    pub(crate) case: Classified,
    /// What the judge said.
    pub(crate) judgement: Judgement,
    /// Why it would not run as things are; a held request has one too.
    pub(crate) failure: Option<Failure>,
    /// What rules ask of the machine, as it is now.
    pub(crate) conditions: Vec<Seen>,
    /// Everything that stands in the way, in the order of the gates; the first is `failure`.
    pub(crate) against: Vec<Failure>,
    /// The plan and its digest, unless it was denied before anything was looked at.
    pub(crate) drawn: Option<(Plan, Digest)>,
    /// The policy under which all this was said.
    pub(crate) policy: Arc<Policy>,
}

impl Shown {
    pub(super) fn draft(&self, stamp: &Stamp) -> Draft {
        let draft = Draft::planned(stamp, &self.case).with_verdict(self.judgement);
        let draft = self.failure.iter().fold(draft, Draft::with_failure).with_conditions(&self.conditions);
        self.drawn.iter().fold(draft, |draft, (plan, digest)| draft.with_plan(*digest, &plan.pinned))
    }
}

impl Considered {
    /// Whether a human must decide.
    pub(super) const fn is_held(&self) -> bool {
        matches!(self.verdict, Verdict::Hold(_))
    }

    /// The ending of this request for that reason.
    pub(super) fn ending(&self, stamp: &Stamp, failure: Failure) -> Ending {
        let draft = Draft::finished(stamp, &self.case).with_verdict((&self.verdict).into()).with_failure(&failure);
        Ending { draft: Some(draft.with_conditions(&self.seen)), failure }
    }
}

impl Pipeline {
    /// The ending of what is no request. Who may not ask at all is told that and nothing else.
    pub(super) fn rejected(&self, policy: &Policy, caller: &Caller, failure: Failure) -> Ending {
        let failure = if policy.grants().of(caller).is_some() { failure } else { no_grant() };
        Ending { draft: Some(Draft::rejected(&self.ledger.stamp(policy), caller, &failure)), failure }
    }

    /// Bounds, request, run state, classify, judge; one request, for a caller that may have read this much. Only when it was
    /// judged is it known to be none that is taken in, so only then its caller's room for those is looked at.
    pub(super) fn consider(
        self: &Arc<Self>,
        policy: &Policy,
        caller: &Caller,
        ask: &Ask,
        taint: Taint,
    ) -> Result<Considered, Box<Ending>> {
        let found = self.find(policy, caller, ask, taint);
        let Found { case, facts } = found.map_err(|ending| Box::new(self.within_room(caller, *ending)))?;
        let verdict = judge(&Case::of(policy, &case, &facts));
        let tier = match &verdict {
            Verdict::Allow(_, tier) => *tier,
            Verdict::Hold(needs) => needs.tier,
            Verdict::Deny(_) | Verdict::Silence => {
                // Where there is no room nothing is remembered either.
                let ending = match self.room(caller) {
                    Ok(()) => self.within_room(caller, self.denied(policy, &case, &verdict)),
                    Err(crowded) => self.crowd(caller, &crowded, 1),
                };
                return Err(Box::new(ending));
            }
        };
        Ok(Considered { case, verdict, tier, limits: limits(&facts), seen: vec![] })
    }

    /// What is asked as a request, and the facts of the moment.
    fn find(&self, policy: &Policy, caller: &Caller, ask: &Ask, taint: Taint) -> Result<Found, Box<Ending>> {
        let rejected = |failure: Failure| Box::new(self.rejected(policy, caller, failure));
        self.standing.admits().map_err(rejected)?;
        let id = clock::new_id().map_err(rejected)?;
        let salt = clock::new_salt().map_err(rejected)?;
        let Ask { action, claims, narrowing, secrets, .. } = ask;
        let (action, claims, narrowing) = (action.clone(), claims.clone(), narrowing.clone());
        let request = Request::new(id, salt, caller.clone(), action, claims, narrowing, secrets.clone());
        let request = request.map_err(|error| rejected(invalid(&error)))?;
        let case = request.classify(policy.rules());
        if !case.shows_what_matters(policy.rules()) {
            return Err(rejected(hides_what_matters()));
        }
        let deed = || Deed::of(Draft::finished(&self.ledger.stamp(policy), &case).record());
        let facts = Facts {
            state: self.standing.state(),
            taint,
            grant: policy.grants().of(caller),
            memory: self.silence.towards(caller.uid, deed),
        };
        Ok(Found { case, facts })
    }

    /// The ending of what the judge denied, or does not answer.
    fn denied(self: &Arc<Self>, policy: &Policy, case: &Classified, verdict: &Verdict) -> Ending {
        let draft = Draft::finished(&self.ledger.stamp(policy), case).with_verdict(verdict.into());
        match verdict {
            Verdict::Deny(refused) => {
                let draft = draft.with_gate(refused.gate).with_failure(&refused.failure);
                if refused.gate.is_policy() {
                    self.silence.note(case.request().caller().uid, draft.record(), Refuser::Policy);
                }
                Ending { draft: Some(draft), failure: refused.failure.clone() }
            }
            Verdict::Allow(..) | Verdict::Hold(_) | Verdict::Silence => {
                let draft = match Deed::of(draft.record()) {
                    Some(deed) => self.keep_silent(case, deed),
                    None => Some(draft.with_failure(&no_answer()).with_times(1)),
                };
                Ending { draft, failure: no_answer() }
            }
        }
    }

    /// Counts that nobody was answered; the record of it, if one is due at once.
    fn keep_silent(self: &Arc<Self>, case: &Classified, deed: Deed) -> Option<Draft> {
        let caller = case.request().caller();
        let unanswered = Unanswered::Deed(caller.uid, deed);
        self.silence.kept(unanswered, 1).then(|| {
            let case = case.clone();
            let silent = move |stamp: &Stamp| {
                Draft::finished(stamp, &case).with_verdict(Judgement::Silence).with_failure(&no_answer())
            };
            self.count(unanswered, caller.clone(), silent)
        })
    }

    /// Whether the machine is as the rules ask.
    pub(super) async fn conditions_hold(&self, considered: &mut Considered) -> Result<(), Failure> {
        let looked = self.conditions.before(&considered.case.classification().needs, considered.tier).await;
        considered.seen = looked.seen;
        looked.against.into_iter().next().map_or(Ok(()), Err)
    }

    /// Pin, draw; void from that moment on.
    pub(super) async fn draw(
        &self,
        policy: &Policy,
        considered: &Considered,
        directory: Option<DirectoryId>,
        expires: Moment,
    ) -> Result<(Plan, Digest), Failure> {
        let (tier, request, case) = (considered.tier, considered.case.request(), &considered.case);
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
        let circumstances =
            Circumstances { pinned, profile_digest, tier, ruleset: policy.ruleset(), mode: settings.mode, expires };
        Plan::draw(case, circumstances).map_err(|error| invalid(&error))
    }

    /// What `Plan` answers: a denial is an answer too, unless the caller may not ask at all or is not answered.
    pub(super) async fn show(
        self: &Arc<Self>,
        policy: &Arc<Policy>,
        caller: &Caller,
        ask: &Ask,
        (taint, expires): (Taint, Moment),
    ) -> Result<Shown, Box<Ending>> {
        let Found { case, facts } = self.find(policy, caller, ask, taint)?;
        let judged = Case::of(policy, &case, &facts);
        let (verdict, limits) = (judge(&judged), limits(&facts));
        let mut against: Vec<Failure> = refusals(&judged).into_iter().map(|refused| refused.failure).collect();
        let judgement = (&verdict).into();
        let tier = match &verdict {
            Verdict::Allow(_, tier) => *tier,
            Verdict::Hold(needs) => needs.tier,
            Verdict::Silence => return Err(Box::new(self.denied(policy, &case, &verdict))),
            Verdict::Deny(refused) if refused.failure.code == Code::AccessDenied => {
                return Err(Box::new(self.denied(policy, &case, &verdict)));
            }
            Verdict::Deny(refused) => {
                let failure = Some(refused.failure.clone());
                let (drawn, conditions, policy) = (None, vec![], Arc::clone(policy));
                return Ok(Shown { case, judgement, failure, conditions, against, drawn, policy });
            }
        };
        let mut considered = Considered { case, verdict, tier, limits, seen: vec![] };
        let charge = Charge::request(tier, considered.is_held());
        against.extend(self.budgets.against(caller.uid, &considered.limits, &charge));
        let looked = self.conditions.before(&considered.case.classification().needs, tier).await;
        considered.seen = looked.seen;
        against.extend(looked.against);
        against.extend(considered.is_held().then(|| needs_approval(tier)));
        let drawn = self.draw(policy, &considered, ask.directory, expires).await;
        let drawn = drawn.map_err(|failure| Box::new(considered.ending(&self.ledger.stamp(policy), failure)))?;
        let failure = against.first().cloned();
        let Considered { case, seen: conditions, .. } = considered;
        Ok(Shown { case, judgement, failure, conditions, against, drawn: Some(drawn), policy: Arc::clone(policy) })
    }

    /// Writes the record of an ending. That it could not be written is not what the caller is told: it was refused
    /// either way, and the state is amber.
    pub(super) async fn conclude(&self, ending: Ending) -> Failure {
        if let Some(draft) = ending.draft {
            self.weigh(&draft);
            drop(self.ledger.write(draft).await);
        }
        ending.failure
    }
}

/// The same words as the judge's.
pub(crate) fn no_grant() -> Failure {
    Failure::new(Code::AccessDenied, "You have no grant: ask an administrator for one.")
}

/// What the caller's grants allow it to use; who has none is refused before anything is counted.
fn limits(facts: &Facts) -> Limits {
    facts.grant.as_ref().map(|grant| grant.budgets.limits()).unwrap_or_default()
}

fn hides_what_matters() -> Failure {
    Failure::new(
        Code::InvalidRequest,
        "A value that is named as a secret says what is done, or on what, and who decides must see that: do not name it, or pass it by a file or by standard input.",
    )
}

pub(super) fn needs_approval(tier: Tier) -> Failure {
    Failure::new(
        Code::NeedsApproval,
        format!("This is {tier} ({}) and waits for a human when it is asked for.", tier.word()),
    )
}
