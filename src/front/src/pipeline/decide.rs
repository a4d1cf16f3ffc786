//! Decide: from a verdict to what entitles a plan to run. The grant's leave is taken as it is; a human's is waited for.

use std::sync::Arc;
use std::time::Instant;

use countersign_core::approval::{Approval, ApprovalKind, Approved, Approver, counts};
use countersign_core::code::{Code, Failure};
use countersign_core::digest::Digest;
use countersign_core::plan::Plan;
use countersign_core::policy::{Allowed, Quorum};

use super::Pipeline;
use crate::approve::polkit::Person;
use crate::approve::queue::{self, Answer, NotApproved, latency_ms};
use crate::approve::words::Words;
use crate::approve::{Dialog, Humans, Matter, Reply, words};
use crate::tickets::{Command, Event, Ticket};

/// On whose word something may run.
pub(super) enum Way {
    /// The judge allowed each command by the caller's grant.
    Grant(Vec<Allowed>),
    /// People must decide on the whole.
    People,
}

impl Pipeline {
    /// Waits for what the verdict asks for: what entitles each command to run once, in order.
    pub(super) async fn approve(
        &self,
        ticket: &Arc<Ticket>,
        way: Way,
        person: Option<Person>,
    ) -> Result<Vec<Approved>, NotApproved> {
        match way {
            Way::Grant(allowed) => {
                // Nobody is to decide on it.
                ticket.slot.give(Answer::Closed);
                self.step(ticket, Event::Allow)?;
                Ok(by_grant(ticket, allowed)?)
            }
            Way::People => {
                self.tell(ticket);
                let quorum = self.policy().settings().quorum;
                // Where the caller may not decide, a dialog before it would be no use.
                if let Some(person) = person.filter(|_| quorum.own_counts(ticket.tier())) {
                    let (humans, ticket) = (Arc::clone(&self.humans), Arc::clone(ticket));
                    let words = words::of(&ticket, |command| self.may_touch(command));
                    tokio::spawn(ask_in_place(humans, ticket, person, words, quorum));
                }
                let withdrawn = async { ticket.withdrawn().await.failure() };
                let approval =
                    queue::wait(&ticket.slot, ticket.digest, ticket.asked, ticket.expires(), withdrawn).await?;
                self.step(ticket, Event::Approve)?;
                Ok(by_human(ticket, approval)?)
            }
        }
    }

    /// What the job will be able to touch, in words.
    pub(crate) fn may_touch(&self, command: &Command) -> String {
        let policy = self.policy();
        policy
            .profiles()
            .get(&command.plan.profile)
            .map(|profile| profile.may_touch(&command.plan.targets))
            .unwrap_or_default()
    }

    /// Asks an administrator about a waiting request and gives the request the answer.
    ///
    /// # Errors
    /// polkit did not say yes: the request goes on waiting. Or somebody was faster.
    pub(crate) async fn decide(
        &self,
        ticket: &Ticket,
        person: &Person,
        dialog: Dialog,
        seen: Seen,
        decision: Decision,
    ) -> Result<(), Failure> {
        if seen == Seen::InTheDialog && !words::are_whole(ticket) {
            return Err(Failure::new(
                Code::WrongDigest,
                "A dialog cannot show the whole command: look at the request and name its digest.",
            ));
        }
        let asked = Instant::now();
        let words = words::of(ticket, |command| self.may_touch(command));
        let over = Box::pin(async { drop(ticket.slot.decided().await) });
        let reply = self.humans.ask(person, Matter::Queue(ticket.tier()), &words, dialog, over).await;
        let Reply::Yes(kind) = reply else { return Err(not_decided(reply, ticket)) };
        if seen == Seen::InTheDialog && kind != ApprovalKind::Challenge {
            return Err(Failure::new(
                Code::WrongDigest,
                "No dialog was needed, so nobody has seen the request: look at it and name its digest.",
            ));
        }
        let answer = match decision {
            Decision::Approve => Answer::Yes(self.approver(ticket, person, kind, asked)?),
            Decision::Refuse { sentence } => Answer::No { by: person.uid(), sentence },
        };
        if ticket.slot.give(answer) { Ok(()) } else { Err(too_late()) }
    }

    /// This person as one of those who approve.
    ///
    /// # Errors
    /// This person's yes does not count, or was counted already.
    fn approver(
        &self,
        ticket: &Ticket,
        person: &Person,
        kind: ApprovalKind,
        asked: Instant,
    ) -> Result<Approver, Failure> {
        let approver = Approver { uid: person.uid(), kind, latency_ms: latency_ms(asked.elapsed()) };
        counts(&self.policy().settings().quorum, ticket.tier(), ticket.owner(), &approver)?;
        if ticket.slot.has_yes_of(approver.uid) {
            return Err(Failure::new(
                Code::AlreadyDecided,
                "You approved it already: another administrator must approve it as well.",
            ));
        }
        Ok(approver)
    }
}

/// Where an administrator saw what the decision is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Before: the digest was named and is the request's.
    Before,
    /// In the dialog, which shows this very request and no other.
    InTheDialog,
}

/// What an administrator wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Let it run.
    Approve,
    /// Do not; the sentence is for the caller.
    Refuse {
        /// Ours, with the administrator's words quoted.
        sentence: String,
    },
}

fn by_grant(ticket: &Ticket, allowed: Vec<Allowed>) -> Result<Vec<Approved>, Failure> {
    let Some(bundle) = &ticket.bundle else {
        let Command { plan, digest, .. } = &ticket.commands.first;
        return Ok(allowed.into_iter().take(1).map(|one| Approved::by_grant(one, plan.clone(), *digest)).collect());
    };
    Approved::steps_by_grant(allowed, bundle, plans(ticket))
}

fn by_human(ticket: &Ticket, approval: Approval) -> Result<Vec<Approved>, Failure> {
    let Some(bundle) = &ticket.bundle else {
        let Command { plan, digest, .. } = &ticket.commands.first;
        return Approved::by_human(approval, plan.clone(), *digest).map(|one| vec![one]);
    };
    Approved::steps_by_human(approval, bundle, plans(ticket))
}

fn plans(ticket: &Ticket) -> Vec<(Plan, Digest)> {
    ticket.commands.iter().map(|command| (command.plan.clone(), command.digest)).collect()
}

/// Where polkit has nobody to ask, the request simply waits on in the queue.
async fn ask_in_place(humans: Arc<dyn Humans>, ticket: Arc<Ticket>, person: Person, words: Words, quorum: Quorum) {
    let asked = Instant::now();
    let over = Box::pin(async { drop(ticket.slot.decided().await) });
    let no = |sentence: &str| Answer::No { by: person.uid(), sentence: sentence.to_owned() };
    let answer = match humans.ask(&person, Matter::Approve(ticket.tier()), &words, Dialog::Allowed, over).await {
        Reply::Yes(kind) => {
            let approver = Approver { uid: person.uid(), kind, latency_ms: latency_ms(asked.elapsed()) };
            if counts(&quorum, ticket.tier(), ticket.owner(), &approver).is_err() {
                return;
            }
            Answer::Yes(approver)
        }
        Reply::No => no("The authentication failed, so it was refused: ask again if that was a mistake."),
        Reply::Dismissed => no("The dialog was closed, so it was refused."),
        Reply::NeedsDialog | Reply::NoAgent | Reply::Gone | Reply::Unavailable => return,
    };
    // Somebody may have been faster.
    ticket.slot.give(answer);
}

fn not_decided(reply: Reply, ticket: &Ticket) -> Failure {
    match reply {
        Reply::Yes(_) | Reply::No => {
            Failure::new(Code::AccessDenied, "You did not prove to be an administrator: the request goes on waiting.")
        }
        Reply::Dismissed => Failure::new(Code::AccessDenied, "The dialog was closed: the request goes on waiting."),
        Reply::NeedsDialog => Failure::new(
            Code::AccessDenied,
            "You must prove to be an administrator, and the call did not allow a dialog for it.",
        ),
        Reply::NoAgent => Failure::new(
            Code::NoApprover,
            "There is no agent that could ask for your password: log in on a desktop, or run pkttyagent.",
        ),
        Reply::Gone if ticket.slot.is_open() => Failure::new(Code::AccessDenied, "You left before you had decided."),
        Reply::Gone => too_late(),
        Reply::Unavailable => Failure::new(
            Code::NoApprover,
            "polkit did not answer, so nobody can decide: see `systemctl status polkit`.",
        ),
    }
}

fn too_late() -> Failure {
    Failure::new(Code::Cancelled, "The request was decided or taken back meanwhile.")
}
