//! What people read about a request: everything through `core::text`, so that a caller's words are inert. SEC-16.

use std::collections::BTreeMap;

use countersign_core::argv::Argv;
use countersign_core::caller::Caller;
use countersign_core::condition::Seen;
use countersign_core::redact::Secrets;
use countersign_core::text::{
    COMMAND_BOUND, Dialog, StepOf, dialog, quoted, sentence, shown, shown_argv_without, steps_dialog,
};

use crate::tickets::{Command, Ticket};

/// The most bytes of a user's name in a sentence.
const NAME_BOUND: usize = 64;
/// The most bytes of a reason in a sentence.
const REASON_BOUND: usize = 1_024;

/// What polkit is given with a question: its message, and what stands for each name in it.
pub(crate) type Words = BTreeMap<String, String>;

/// The words for this request; `may_touch` says what a command will be able to touch.
pub(crate) fn of(ticket: &Ticket, may_touch: impl Fn(&Command) -> String) -> Words {
    dialog_of(ticket, may_touch).polkit_details()
}

/// Whether the dialog of this request shows every word of every command.
pub(crate) fn are_whole(ticket: &Ticket) -> bool {
    dialog_of(ticket, |_| String::new()).is_whole()
}

fn dialog_of(ticket: &Ticket, may_touch: impl Fn(&Command) -> String) -> Dialog {
    let Command { case, plan, .. } = &ticket.commands.first;
    let Some(bundle) = &ticket.bundle else {
        let dialog = dialog(case, plan, ticket.digest, &may_touch(&ticket.commands.first));
        return dialog.minding(&to_mind(&ticket.commands.first), case.request().secrets());
    };
    let said = |command: &Command| (may_touch(command), to_mind(command).join("; "));
    let said: Vec<(String, String)> = ticket.commands.iter().map(said).collect();
    let steps = ticket.commands.iter().zip(&said);
    let steps: Vec<StepOf<'_>> =
        steps.map(|(Command { case, plan, .. }, (may_touch, mind))| StepOf { case, plan, may_touch, mind }).collect();
    steps_dialog(&steps, bundle, ticket.digest)
}

/// What does not hold of what rules ask, where that refuses nothing.
fn to_mind(command: &Command) -> Vec<String> {
    command.seen().iter().filter_map(Seen::to_mind).collect()
}

/// The command in one line.
pub(crate) fn command(argv: &Argv, secrets: &Secrets) -> String {
    shown_argv_without(argv, secrets, COMMAND_BOUND).into()
}

/// The commands of a bundle in one line.
pub(crate) fn commands(each: &[&Argv], secrets: &Secrets) -> String {
    let all: Vec<String> = each.iter().map(|argv| command(argv, secrets)).collect();
    sentence(&format!("{} steps: {}", each.len(), all.join("; ")), COMMAND_BOUND).into()
}

/// The sentence of a refusal: who refused, and why in quoted words.
pub(crate) fn refused(by: &Caller, reason: &str) -> String {
    let who = if by.user.is_empty() { format!("uid {}", by.uid) } else { shown(&by.user, NAME_BOUND).into() };
    match reason {
        "" => format!("It was refused by {who}."),
        reason => format!("It was refused by {who}: {}.", quoted(reason, REASON_BOUND)),
    }
}
