//! Steps: a bundle goes through the same rooms as a request, each of its commands in turn. SEC-12.
//!
//! ```text
//!   consider each ─▶ one charge ─▶ draw each, one expiry ─▶ (approved as a whole) ─▶ for each: recheck ─▶ intent ─▶ run ─▶ result
//!       │ the first that is denied                                                       │ anything but exit 0
//!       ▼ denies the whole (one record)                                                  ▼ every step behind it: void (one record)
//! ```
//!
//! A single request is a row of one and comes this way too, so that there is no second way to run anything. Nothing here
//! judges, seals or runs: it says in which order others do, and when they no longer do.

use std::sync::Arc;

use countersign_core::approval::Approved;
use countersign_core::bundle::{Bundle, Step};
use countersign_core::caller::Caller;
use countersign_core::code::{Code, Failure};
use countersign_core::digest::Digest;
use countersign_core::plan::Plan;
use countersign_core::policy::budget::Charge;
use countersign_core::policy::{Policy, Taint, Verdict};
use countersign_core::record::{Judgement, Stamp};

use super::consider::{Considered, Ending, needs_approval};
use super::decide::Way;
use super::{Pipeline, Shown};
use crate::approve::queue::NotApproved;
use crate::ask::{Ask, Asks, Files, invalid};
use crate::budget::Held;
use crate::clock;
use crate::row::Row;
use crate::tickets::{Command, End, Ticket};

/// Requests with their verdicts, none of which is a no.
pub(super) struct Whole(Row<Considered>);

/// Plans, each with its digest and its place, and the bundle that they are if there are several.
pub(super) struct Drawn {
    plans: Row<(Plan, Digest, Option<Step>)>,
    bundle: Option<(Bundle, Digest)>,
}

/// Why the whole cannot be taken in, and at which step if it is one's fault.
pub(super) struct Stumbled {
    at: Option<usize>,
    failure: Failure,
}

impl From<Failure> for Stumbled {
    fn from(failure: Failure) -> Self {
        Self { at: None, failure }
    }
}

/// What a plan of several steps says.
#[derive(Debug)]
pub(crate) struct ShownSteps {
    /// Each step, as if it were planned behind those before it.
    pub(crate) steps: Row<Shown>,
    /// What the judge says of the whole.
    pub(crate) judgement: Judgement,
    /// Why it would not run as things are; a held one has one too.
    pub(crate) failure: Option<Failure>,
    /// The bundle and its digest, unless a step was denied.
    pub(crate) drawn: Option<(Bundle, Digest)>,
}

impl Whole {
    fn is_held(&self) -> bool {
        self.0.iter().any(Considered::is_held)
    }

    /// What it costs to take it in: each step its own, and one question for all.
    pub(super) fn charge(&self) -> Charge {
        let asks = std::iter::once(self.is_held()).chain(std::iter::repeat(false));
        let each = self.0.iter().zip(asks).map(|(one, asks)| Charge::request(one.tier, asks));
        each.fold(Charge::NONE, Charge::plus)
    }

    /// The ending of the whole for that reason: one record, of the step whose fault it is.
    pub(super) fn ending(&self, stamp: &Stamp, stumbled: Stumbled) -> Ending {
        let Stumbled { at, failure } = stumbled;
        let faulty = at.and_then(|at| self.0.iter().nth(at)).unwrap_or(&self.0.first);
        faulty.ending(stamp, at.map_or(failure.clone(), |at| in_step(at, self.0.len(), failure)))
    }

    /// The ticket, and on whose word it runs.
    pub(super) fn into_ticket(self, drawn: Drawn, policy: &Policy, detached: bool) -> (Ticket, Way) {
        let (held, Drawn { plans, bundle }) = (self.is_held(), drawn);
        let (bundle, digest) = bundle.map_or((None, plans.first.1), |(bundle, digest)| (Some(bundle), digest));
        let mut allowed = Vec::new();
        let commands = self.0.zip(plans).map(|(considered, (plan, digest, place))| {
            allowed.extend(if let Verdict::Allow(leave, _) = considered.verdict { Some(leave) } else { None });
            let command = Command::of(considered.case, plan, digest, place);
            command.saw(considered.seen);
            command
        });
        let (judgement, way) =
            if held { (Judgement::Hold, Way::People) } else { (Judgement::Allow, Way::Grant(allowed)) };
        let tier = commands.iter().fold(commands.first.plan.tier, |tier, command| tier.max(command.plan.tier));
        let approvers = policy.settings().quorum.of(tier);
        (Ticket::new(commands, bundle, judgement, digest, clock::now(), detached, approvers), way)
    }
}

impl Pipeline {
    /// Considers each; the first that is denied, or not answered, denies the whole.
    pub(super) fn consider_each(
        self: &Arc<Self>,
        policy: &Policy,
        caller: &Caller,
        asks: &Asks,
    ) -> Result<Whole, Box<Ending>> {
        let consider = |(at, ask): (usize, &Ask)| {
            let considered = self.consider(policy, caller, ask, self.taint_before(caller, at));
            considered.map_err(|ending| Box::new(ending.in_step(at, asks.len())))
        };
        let first = consider((0, &asks.first))?;
        let rest = (1..).zip(&asks.rest).map(consider).collect::<Result<_, _>>()?;
        Ok(Whole(Row { first, rest }))
    }

    /// Whether the caller may have read anything before this step begins. What a step writes reaches the caller while the
    /// next one waits, so behind the first a grant alone is good for reads only.
    fn taint_before(&self, caller: &Caller, at: usize) -> Taint {
        if at == 0 { self.latches.of(caller.uid) } else { Taint::Tainted }
    }

    /// One charge, then for each its conditions, pin, draw: what it costs is taken only when all of them are well.
    pub(super) async fn take_in(
        &self,
        policy: &Policy,
        whole: &mut Whole,
        asks: &Asks,
    ) -> Result<(Drawn, Held), Stumbled> {
        let charge = whole.charge();
        let mut held = self.reserve(whole)?;
        let drawn = self.draw_each(policy, whole, asks).await?;
        held.spend(charge.counted(), charge.counted());
        Ok((drawn, held))
    }

    /// Takes what the whole costs, or nothing.
    fn reserve(&self, whole: &Whole) -> Result<Held, Failure> {
        let Considered { case, limits, .. } = &whole.0.first;
        self.budgets.reserve(case.request().caller().uid, limits, whole.charge())
    }

    /// Draws each, all of them void at the same moment, and the bundle if there are several.
    async fn draw_each(&self, policy: &Policy, whole: &mut Whole, asks: &Asks) -> Result<Drawn, Stumbled> {
        let expires = clock::now().after(policy.settings().expiry());
        let mut plans = Vec::new();
        for (at, (considered, ask)) in whole.0.iter_mut().zip(asks.iter()).enumerate() {
            let unmet = |failure| Stumbled { at: Some(at), failure };
            self.conditions_hold(considered).await.map_err(unmet)?;
            let drawn = self.draw(policy, considered, ask.directory, expires).await;
            plans.push(drawn.map_err(|failure| not_there_yet(at, failure))?);
        }
        let bundle = if asks.is_several() { Some(bundle_of(&plans)?) } else { None };
        let places = bundle.iter().flat_map(|(bundle, _)| bundle.each()).map(Some).chain(std::iter::repeat(None));
        let plans = Row::of(plans.into_iter().zip(places).map(|((plan, digest), place)| (plan, digest, place)));
        let none = || Failure::new(Code::Internal, "There was nothing to plan: ask again.");
        Ok(Drawn { plans: plans.ok_or_else(none)?, bundle })
    }

    /// Runs each in turn. After the first that does not go well none begins, and each that does not has its record.
    pub(super) async fn run_each(&self, ticket: &Ticket, approved: Vec<Approved>, files: Vec<Files>) {
        let mut void = None;
        for ((at, command), (approved, files)) in
            ticket.commands.iter().enumerate().zip(approved.into_iter().zip(files))
        {
            let end = match &void {
                None => self.run_one(ticket, command, approved, files).await,
                Some(failure) => self.close(ticket, command, NotApproved::from(Failure::clone(failure))).await,
            };
            command.ended(end.without(ticket.request().secrets()));
            if void.is_none() && !command.went_well() {
                void = Some(voided_by(at));
            }
        }
    }

    async fn run_one(&self, ticket: &Ticket, command: &Command, approved: Approved, files: Files) -> End {
        match self.recheck(ticket, command, approved).await {
            Ok((order, job)) => self.run(ticket, command, order, job, files).await,
            Err(not_approved) => self.close(ticket, command, not_approved).await,
        }
    }

    /// Nothing was approved, so nothing runs: a record for each.
    pub(super) async fn close_each(&self, ticket: &Ticket, not_approved: &NotApproved) {
        for command in ticket.commands.iter() {
            let end = self.close(ticket, command, not_approved.clone()).await;
            command.ended(end.without(ticket.request().secrets()));
        }
    }

    /// Says everything that a bundle would do; nothing does. A record for each step.
    ///
    /// # Errors
    /// The caller may not ask, or has no room for plans, or what it asks for is not well-formed or not there.
    pub(crate) async fn plan_steps(self: &Arc<Self>, caller: &Caller, asks: Asks) -> Result<ShownSteps, Failure> {
        let (policy, count, secrets) = (self.policy(), asks.len(), asks.first.secrets.clone());
        self.admit(caller, count).await?;
        let expires = clock::now().after(policy.settings().expiry());
        let mut steps = Vec::new();
        for (at, ask) in asks.into_iter().enumerate() {
            match self.show(&policy, caller, &ask, (self.taint_before(caller, at), expires)).await {
                Ok(shown) => steps.push(shown),
                Err(ending) => {
                    let Stumbled { failure, .. } = not_there_yet(at, ending.failure.clone());
                    let ending = Ending { failure, ..*ending }.in_step(at, count);
                    return Err(self.conclude(ending).await.without(&secrets));
                }
            }
        }
        let shown = self.shown(caller, steps)?;
        let places = shown.drawn.iter().flat_map(|(bundle, _)| bundle.each()).map(Some).chain(std::iter::repeat(None));
        for (step, place) in shown.steps.iter().zip(places) {
            let draft = step.draft(&self.ledger.stamp(&policy));
            self.tell_of_plan(place.iter().fold(draft, countersign_core::record::Draft::with_step)).await?;
        }
        Ok(shown)
    }

    /// What the steps come to together.
    fn shown(&self, caller: &Caller, steps: Vec<Shown>) -> Result<ShownSteps, Failure> {
        let plans: Option<Vec<(Plan, Digest)>> = steps.iter().map(|shown| shown.drawn.clone()).collect();
        let drawn = plans.map(|plans| bundle_of(&plans)).transpose()?;
        let none = || Failure::new(Code::Internal, "There was nothing to plan: ask again.");
        let steps = Row::of(steps).ok_or_else(none)?;
        let denied = steps.iter().enumerate().find_map(|(at, shown)| {
            let failure = shown.failure.clone().filter(|failure| failure.code != Code::NeedsApproval)?;
            Some(in_step(at, steps.len(), failure))
        });
        let held = steps.iter().any(|shown| shown.judgement == Judgement::Hold);
        let judgement = match (&drawn, held) {
            (None, _) => Judgement::Deny,
            (Some(_), true) => Judgement::Hold,
            (Some(_), false) => Judgement::Allow,
        };
        let waits = drawn.as_ref().filter(|_| held).map(|(bundle, _)| needs_approval(bundle.tier));
        let failure = denied.or_else(|| self.over_budget(caller, &steps, held)).or(waits);
        Ok(ShownSteps { steps, judgement, failure, drawn })
    }

    fn over_budget(&self, caller: &Caller, steps: &Row<Shown>, held: bool) -> Option<Failure> {
        let policy = self.policy();
        let limits = policy.grants().of(caller).map(|grant| grant.budgets.limits()).unwrap_or_default();
        let asks = std::iter::once(held).chain(std::iter::repeat(false));
        let tiers = steps.iter().filter_map(|shown| shown.drawn.as_ref().map(|(plan, _)| plan.tier));
        let charge = tiers.zip(asks).fold(Charge::NONE, |sum, (tier, asks)| sum.plus(Charge::request(tier, asks)));
        self.budgets.against(caller.uid, &limits, &charge).into_iter().next()
    }
}

fn bundle_of(plans: &[(Plan, Digest)]) -> Result<(Bundle, Digest), Failure> {
    Bundle::draw(clock::new_id()?, plans).map_err(|error| invalid(&error))
}

/// What is pinned must be there when the whole is planned, also where a step before it would put it there.
fn not_there_yet(at: usize, failure: Failure) -> Stumbled {
    let afterwards =
        "A program that a step before it would put there cannot be approved now: ask for it on its own afterwards.";
    let failure = if failure.code == Code::LaunchFailed && at > 0 {
        Failure::new(failure.code, format!("{} {afterwards}", failure.sentence))
    } else {
        failure
    };
    Stumbled { at: Some(at), failure }
}

/// The same, and in which step of how many, if there are several.
fn in_step(at: usize, of: usize, failure: Failure) -> Failure {
    if of < 2 {
        return failure;
    }
    Failure::new(failure.code, format!("Step {} of {of}: {}", at.saturating_add(1), failure.sentence))
}

impl Ending {
    /// The same, and in which step of how many, for the caller and in the record.
    fn in_step(self, at: usize, of: usize) -> Self {
        if of < 2 {
            return self;
        }
        let failure = in_step(at, of, self.failure);
        Self { draft: self.draft.map(|draft| draft.with_failure(&failure)), failure }
    }
}

fn voided_by(at: usize) -> Failure {
    let number = at.saturating_add(1);
    Failure::new(
        Code::Void,
        format!("Step {number} did not go as planned, so this one did not begin: ask for it anew."),
    )
}
