//! Reader: who reads an answer about a request, and what is kept from them. SEC-9.
//!
//! Who asked gets back the plan and the receipt as they are, for nobody could compute the digest without them. Anybody else
//! sees no secret of the owner's; where there is one, neither plan nor receipt.

use countersign_core::caller::Caller;
use countersign_core::environment::Environment;
use countersign_core::receipt::Receipt;
use countersign_core::redact::Secrets;
use zbus::Variant;

use super::answers::{Keys, json, target, text};
use crate::tickets::Ticket;

/// Who reads an answer about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// Who asked, and knows every word of it.
    Owner,
    /// Anybody else, root too.
    Other,
}

impl Reader {
    /// What this caller is to that request.
    pub(super) fn of(caller: &Caller, ticket: &Ticket) -> Self {
        if caller.uid == ticket.owner() { Self::Owner } else { Self::Other }
    }

    /// What this reader is given of a receipt.
    pub(super) fn receipt(self, ticket: &Ticket, receipt: &Receipt) -> String {
        match self {
            Self::Owner => json(receipt),
            Self::Other if is_whole(ticket) => json(receipt),
            Self::Other => String::new(),
        }
    }
}

/// An answer about a request without secrets of its owner's.
pub(super) fn without_secrets(mut keys: Keys, ticket: &Ticket) -> Keys {
    let (request, action) = (ticket.case.request(), &ticket.plan.action);
    let (secrets, caller) = (request.secrets(), request.caller());
    let targets = ticket.case.targets().iter().map(target);
    let targets: Vec<_> = targets.map(|(kind, name, access)| (kind, secrets.text(&name), access)).collect();
    let clean = |value: &str| text(&secrets.text(value));
    let claim = |claim: &Option<String>| clean(claim.as_deref().unwrap_or_default());
    keys.extend([
        ("argv", Variant::from(secrets.words(action.argv.words()))),
        ("env", Variant::from(shown(&action.env, secrets))),
        ("cwd", clean(action.cwd.as_str())),
        ("targets", Variant::from(targets)),
        ("agent", claim(&request.claims().agent)),
        ("reason", claim(&request.claims().reason)),
        ("user", clean(&caller.user)),
        ("exe", claim(&caller.exe)),
        ("unit", claim(&caller.unit)),
        ("session", claim(&caller.session)),
        ("executable", clean(ticket.plan.pinned.executable.path.as_str())),
    ]);
    if !is_whole(ticket) {
        keys.extend([("plan", text("")), ("receipt", text("")), ("stdin_sha256", text(""))]);
    }
    keys
}

/// Whether others may see every word of the plan. What standard input is known to hide cannot be looked through, and its
/// hash would say whether a guess is right.
fn is_whole(ticket: &Ticket) -> bool {
    let (secrets, plan) = (ticket.case.request().secrets(), &ticket.plan);
    let (action, pinned) = (&plan.action, &plan.pinned);
    let mut texts = vec![action.cwd.as_str(), pinned.cwd.path.as_str(), pinned.executable.path.as_str()];
    texts.extend(pinned.interpreter.iter().map(|interpreter| interpreter.file.path.as_str()));
    texts.extend(plan.targets.iter().map(|target| target.name.as_str()));
    secrets.words(action.argv.words()) == action.argv.words()
        && shown(&action.env, secrets) == named(&action.env)
        && texts.iter().all(|text| secrets.text(text) == *text)
        && (secrets.is_empty() || action.stdin.is_none())
}

fn shown(env: &Environment, secrets: &Secrets) -> Vec<String> {
    named(env).iter().flat_map(|one| secrets.words(std::slice::from_ref(one))).collect()
}

/// What is added to the environment, as words.
pub(super) fn named(env: &Environment) -> Vec<String> {
    env.added().iter().map(|(name, value)| format!("{name}={value}")).collect()
}

#[cfg(test)]
mod tests;
