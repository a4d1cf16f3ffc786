//! Reader: who reads an answer about a request, and what is kept from them. SEC-9.
//!
//! Who asked gets back the plan and the receipt as they are, for nobody could compute the digest without them. Anybody else
//! sees no secret of the owner's; where there is one, neither plan nor receipt.

use countersign_core::caller::Caller;
use countersign_core::environment::Environment;
use countersign_core::redact::Secrets;
use countersign_core::request::Request;
use zbus::Variant;

use super::answers::{Keys, json, target, text};
use crate::tickets::{Command, Ticket};

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

    /// What this reader is given of the receipt, as JSON, that of a bundle with every step's; empty until the end.
    pub(super) fn receipt(self, ticket: &Ticket) -> String {
        let single = || ticket.end().map(|end| json(&end.receipt));
        let receipt = || ticket.bundle.as_ref().map_or_else(single, |_| ticket.bundle_receipt().as_ref().map(json));
        let given = match self {
            Self::Owner => true,
            Self::Other => ticket.commands.iter().all(is_whole),
        };
        given.then(receipt).flatten().unwrap_or_default()
    }
}

/// What is said of a command without secrets of its owner's.
pub(super) fn command_without_secrets(mut keys: Keys, command: &Command) -> Keys {
    let (secrets, action) = (command.case.request().secrets(), &command.plan.action);
    let targets = command.case.targets().iter().map(target);
    let targets: Vec<_> = targets.map(|(kind, name, access)| (kind, secrets.text(&name), access)).collect();
    let clean = |value: &str| text(&secrets.text(value));
    keys.extend([
        ("argv", Variant::from(secrets.words(action.argv.words()))),
        ("env", Variant::from(shown(&action.env, secrets))),
        ("cwd", clean(action.cwd.as_str())),
        ("targets", Variant::from(targets)),
        ("executable", clean(command.plan.pinned.executable.path.as_str())),
    ]);
    if !is_whole(command) {
        keys.extend([("plan", text("")), ("stdin_sha256", text(""))]);
    }
    keys
}

/// What is said of who asks, and what is claimed, without secrets of the owner's.
pub(super) fn claims_without_secrets(mut keys: Keys, request: &Request) -> Keys {
    let (secrets, caller) = (request.secrets(), request.caller());
    let clean = |value: &str| text(&secrets.text(value));
    let claim = |claim: &Option<String>| clean(claim.as_deref().unwrap_or_default());
    keys.extend([
        ("agent", claim(&request.claims().agent)),
        ("reason", claim(&request.claims().reason)),
        ("user", clean(&caller.user)),
        ("exe", claim(&caller.exe)),
        ("unit", claim(&caller.unit)),
        ("session", claim(&caller.session)),
    ]);
    keys
}

/// Whether others may see every word of the plan. What standard input is known to hide cannot be looked through, and its
/// hash would say whether a guess is right.
fn is_whole(command: &Command) -> bool {
    let (secrets, plan) = (command.case.request().secrets(), &command.plan);
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
