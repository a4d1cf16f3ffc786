//! `org.countersign.Broker1.Approvals`: what waits, and the decisions of administrators.

use std::sync::Arc;

use countersign_core::caller::Caller;
use countersign_core::code::{Code, Failure};
use countersign_core::request::MAX_REASON;
use zbus::interface;
use zbus::message::Header;

use super::answers::{self, Keys};
use super::error::Result;
use super::hall::{Hall, dialog_of};
use super::reader::Reader;
use crate::approve::words;
use crate::pipeline::{Decision, Seen};
use crate::tickets::{Phase, Ticket};

/// The decisions' interface.
pub(super) struct Approvals(pub(super) Arc<Hall>);

#[interface(name = "org.countersign.Broker1.Approvals", introspection_docs = false)]
impl Approvals {
    /// One's own open requests; everybody's for who may inspect.
    #[zbus(out_args("requests"))]
    async fn list(&self, #[zbus(header)] header: Header<'_>) -> Result<Vec<Keys>> {
        let call = self.0.enter(&header).await?;
        let all = self.0.inspects(&header, &call.caller).await?;
        let mut tickets = self.0.pipeline.tickets.unfinished();
        tickets.retain(|ticket| all || ticket.owner() == call.caller.uid);
        tickets.sort_unstable_by_key(|ticket| (ticket.asked, ticket.id()));
        Ok(tickets.iter().map(|ticket| self.say(ticket, &call.caller)).collect())
    }

    #[zbus(out_args("request"))]
    async fn show(&self, id: &str, #[zbus(header)] header: Header<'_>) -> Result<Keys> {
        let call = self.0.enter(&header).await?;
        let ticket = self.0.ticket(id)?;
        self.0.see(&header, &call.caller, &ticket).await?;
        Ok(self.say(&ticket, &call.caller))
    }

    async fn approve(&self, id: &str, digest: &str, #[zbus(header)] header: Header<'_>) -> Result<()> {
        let call = self.0.enter(&header).await?;
        let (ticket, seen) = self.waiting(id, digest)?;
        self.decide(&header, &call.caller, &ticket, seen, Decision::Approve).await
    }

    async fn refuse(&self, id: &str, digest: &str, reason: &str, #[zbus(header)] header: Header<'_>) -> Result<()> {
        let call = self.0.enter(&header).await?;
        let (ticket, seen) = self.waiting(id, digest)?;
        let reason: String = reason.chars().take(MAX_REASON).collect();
        let sentence = words::refused(&call.caller, &reason);
        self.decide(&header, &call.caller, &ticket, seen, Decision::Refuse { sentence }).await
    }
}

impl Approvals {
    fn say(&self, ticket: &Ticket, caller: &Caller) -> Keys {
        answers::ticket(ticket, |command| self.0.pipeline.may_touch(command), Reader::of(caller, ticket))
    }

    /// The waiting request of this id, if it is what the administrator saw. Who names no digest must see it in the
    /// dialog.
    fn waiting(&self, id: &str, digest: &str) -> Result<(Arc<Ticket>, Seen), Failure> {
        let ticket = self.0.ticket(id)?;
        let seen = if digest.is_empty() { Seen::InTheDialog } else { Seen::Before };
        if seen == Seen::Before && digest != ticket.digest.to_string() {
            return Err(Failure::new(
                Code::WrongDigest,
                "That is not the digest of this request: look at it again and decide on what it says now.",
            ));
        }
        if ticket.phase() != Phase::Waiting || !ticket.slot.is_open() {
            return Err(over(&ticket));
        }
        Ok((ticket, seen))
    }

    async fn decide(
        &self,
        header: &Header<'_>,
        caller: &Caller,
        ticket: &Ticket,
        seen: Seen,
        decision: Decision,
    ) -> Result<()> {
        let (person, dialog) = (self.0.person(header, caller)?, dialog_of(header));
        let _place = self.0.dialog(caller.uid, dialog)?;
        Ok(self.0.pipeline.decide(ticket, &person, dialog, seen, decision).await?)
    }
}

/// Why nobody can decide any more: what ended it where nothing ran, and otherwise that somebody decided before.
fn over(ticket: &Ticket) -> Failure {
    let end = ticket.end().filter(|end| end.receipt.ended.is_none());
    match end.and_then(|end| end.receipt.code) {
        Some(Code::Expired) => {
            Failure::new(Code::Expired, "Nobody decided in time, so the request is over: have it asked again.")
        }
        Some(Code::Changed) => Failure::new(
            Code::Changed,
            "The policy, or what would run, is another since the request was planned, so it is over: have it asked again.",
        ),
        Some(Code::Cancelled) => Failure::new(Code::Cancelled, "The request was taken back, so it is over."),
        Some(_) | None => {
            Failure::new(Code::AlreadyDecided, "Somebody decided on the request before: see what became of it.")
        }
    }
}
