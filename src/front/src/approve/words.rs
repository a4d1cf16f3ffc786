//! What people read about a request: everything through `core::text`, so that a caller's words are inert. SEC-16.

use std::collections::BTreeMap;

use countersign_core::argv::Argv;
use countersign_core::caller::Caller;
use countersign_core::condition::Seen;
use countersign_core::redact::Secrets;
use countersign_core::text::{COMMAND_BOUND, dialog, quoted, shown, shown_argv_without};

use crate::tickets::Ticket;

/// The most bytes of a user's name in a sentence.
const NAME_BOUND: usize = 64;
/// The most bytes of a reason in a sentence.
const REASON_BOUND: usize = 1_024;

/// What polkit is given with a question: its message, and what stands for each name in it.
pub(crate) type Words = BTreeMap<String, String>;

/// The words for this request.
pub(crate) fn of(ticket: &Ticket, may_touch: &str) -> Words {
    let notes: Vec<String> = ticket.seen().iter().filter_map(Seen::to_mind).collect();
    let dialog = dialog(&ticket.case, &ticket.plan, ticket.digest, may_touch);
    dialog.minding(&notes, ticket.case.request().secrets()).polkit_details()
}

/// Whether the dialog of this request shows every word of its command.
pub(crate) fn are_whole(ticket: &Ticket) -> bool {
    dialog(&ticket.case, &ticket.plan, ticket.digest, "").is_whole()
}

/// The command in one line.
pub(crate) fn command(argv: &Argv, secrets: &Secrets) -> String {
    shown_argv_without(argv, secrets, COMMAND_BOUND).into()
}

/// The sentence of a refusal: who refused, and why in quoted words.
pub(crate) fn refused(by: &Caller, reason: &str) -> String {
    let who = if by.user.is_empty() { format!("uid {}", by.uid) } else { shown(&by.user, NAME_BOUND).into() };
    match reason {
        "" => format!("It was refused by {who}."),
        reason => format!("It was refused by {who}: {}.", quoted(reason, REASON_BOUND)),
    }
}
