//! Recheck: the last look before an approval is used up, at everything that may have moved since the plan was drawn.
//!
//! Enters: what was approved. Leaves: the one order that it is good for, with a place for its job. A failed look does not
//! burn the approval, but there is no second try either: the caller asks anew. The program's file is looked at once more
//! by the launcher.

use countersign_core::approval::{Approved, Permission};
use countersign_core::code::{Code, Failure};
use countersign_core::order::{NotSealed, Order, recheck};
use countersign_core::policy::Taint;
use countersign_core::policy::budget::Charge;
use countersign_core::tier::Tier;

use super::Pipeline;
use crate::approve::queue::NotApproved;
use crate::budget::Held;
use crate::clock;
use crate::tickets::{Command, Event, Ticket};

impl Pipeline {
    /// The last re-check, and the order.
    pub(super) async fn recheck(
        &self,
        ticket: &Ticket,
        command: &Command,
        approved: Approved,
    ) -> Result<(Order, Held), NotApproved> {
        if let Some(by) = ticket.withdrawal() {
            return Err(by.failure().into());
        }
        let job = self.place_for_job(command)?;
        self.conditions_still_hold(ticket, command).await?;
        self.not_tainted_meanwhile(command, approved.permission())?;
        let sealed = Order::seal(approved, &self.policy(), self.standing.state(), clock::now());
        let order = sealed.map_err(|NotSealed { failure, .. }| failure)?;
        if !command.step(Event::Seal, self.standing.state()) {
            return Err(stopped().into());
        }
        Ok((order, job))
    }

    /// Looks at the machine a second time; who takes the request back meanwhile is not kept waiting.
    async fn conditions_still_hold(&self, ticket: &Ticket, command: &Command) -> Result<(), Failure> {
        let look = self.conditions.before(&command.case.classification().needs, command.plan.tier);
        let looked = tokio::select! {
            biased;
            by = ticket.withdrawn() => return Err(by.failure()),
            looked = look => looked,
        };
        command.saw(looked.seen);
        looked.against.into_iter().next().map_or(Ok(()), Err)
    }

    /// A step of the lives of all commands, in the run state of this moment.
    ///
    /// # Errors
    /// `Stopped` if it may not be taken: in a pipeline that keeps the order only a stop forbids one.
    pub(super) fn step(&self, ticket: &Ticket, event: Event) -> Result<(), Failure> {
        if ticket.step(event, self.standing.state()) { Ok(()) } else { Err(stopped()) }
    }

    /// What sealing looked at and time may have changed, once more, and whether anybody still wants it.
    pub(super) fn still_holds(&self, ticket: &Ticket, order: &Order) -> Result<(), Failure> {
        if let Some(by) = ticket.withdrawal() {
            return Err(by.failure());
        }
        recheck(order.plan(), order.step(), order.permission(), &self.policy(), self.standing.state(), clock::now())
    }

    fn place_for_job(&self, command: &Command) -> Result<Held, Failure> {
        let (policy, caller) = (self.policy(), &command.plan.caller);
        // Without a grant the policy has changed, which the seal says better.
        let budgets = policy.grants().for_ids(caller.uid, &caller.gids).map(|grant| grant.budgets).unwrap_or_default();
        self.budgets.reserve(caller.uid, &budgets.limits(), Charge::job(self.time_limit_ms(command)))
    }

    fn time_limit_ms(&self, command: &Command) -> u64 {
        let policy = self.policy();
        let profile = policy.profiles().get(&command.plan.profile);
        let most = profile.map_or(u64::MAX, |profile| u64::from(profile.limits.seconds).saturating_mul(1_000));
        command.plan.action.timeout_ms.map_or(most, |asked| asked.min(most))
    }

    /// The grant's leave was given to a caller that had read nothing; if output has begun to reach it since, it is void.
    fn not_tainted_meanwhile(&self, command: &Command, permission: &Permission) -> Result<(), Failure> {
        match (permission, self.latches.of(command.plan.caller.uid)) {
            (Permission::Grant, Taint::Tainted) if command.plan.tier > Tier::T0 => Err(Failure::new(
                Code::Changed,
                "You were given output meanwhile, so this no longer runs unasked: ask again, and a human decides.",
            )),
            (Permission::Grant | Permission::Human(_), Taint::Clean | Taint::Tainted) => Ok(()),
        }
    }
}

/// In a pipeline that keeps its orders only a stop forbids a step.
fn stopped() -> Failure {
    Failure::new(Code::Stopped, "The broker is stopped: an operator clears it with `countersign clear`.")
}
