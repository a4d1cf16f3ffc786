//! The polkit dialog: the message a human reads before saying yes. SEC-12, SEC-16.
//!
//! polkit shows a message in which every `$(name)` is replaced by the detail of that name, in one pass whose results
//! are not looked at again (`expand_properties` in polkitbackendinteractiveauthority.c). So the message holds our
//! sentences and names only, and everything that came from outside is a detail made inert. A terminal agent prints the
//! result raw; others take it for markup.

use std::collections::BTreeMap;

use super::{COMMAND_BOUND, Medium, Shown, bounded, in_quotes, typed, visible};
use crate::digest::Digest;
use crate::plan::Plan;
use crate::redact::Secrets;
use crate::request::Classified;
use crate::tier::Tier;

/// The most bytes of every detail but the command.
const DETAIL_BOUND: usize = 512;

/// What is said where a secret was taken out.
pub(super) const HIDDEN: &str =
    "[REDACTED] stands for what looks like a secret or was named as one: refuse if you do not know what it is.";

/// By which polkit finds the message in the language of the agent, before it puts the details in their places.
pub(super) const GETTEXT_DOMAIN: &str = "countersign";

/// What a polkit check is given so that its dialog shows this very plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialog {
    message: String,
    whole: bool,
    details: BTreeMap<&'static str, Shown>,
}

impl Dialog {
    pub(super) const fn new(message: String, whole: bool, details: BTreeMap<&'static str, Shown>) -> Self {
        Self { message, whole, details }
    }

    /// The message with its `$(name)`s.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether it shows every word of the command.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.whole
    }

    /// What stands for each name.
    #[must_use]
    pub const fn details(&self) -> &BTreeMap<&'static str, Shown> {
        &self.details
    }

    /// The same, with what the human is to mind: conditions of rules that do not hold and do not refuse.
    #[must_use]
    pub fn minding(mut self, notes: &[String], secrets: &Secrets) -> Self {
        if !notes.is_empty() {
            self.message = minding(&self.message);
            self.details.insert("mind", line(&notes.join("; "), secrets));
        }
        self
    }

    /// The details of the polkit call: every name, and the message under `polkit.message`.
    #[must_use]
    pub fn polkit_details(&self) -> BTreeMap<String, String> {
        let details = self.details.iter().map(|(name, value)| ((*name).to_owned(), value.to_string()));
        let ours = [("polkit.message", self.message.as_str()), ("polkit.gettext_domain", GETTEXT_DOMAIN)];
        details.chain(ours.map(|(name, value)| (name.to_owned(), value.to_owned()))).collect()
    }

    /// The text that a human will read: the message with its details in place.
    #[must_use]
    pub fn read(&self) -> String {
        let mut out = String::new();
        let mut rest = self.message.as_str();
        while let Some((before, name, after)) = next_name(rest) {
            out.push_str(before);
            out.push_str(self.details.get(name).map_or("", Shown::as_str));
            rest = after;
        }
        out.push_str(rest);
        out
    }
}

fn next_name(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("$(")?;
    let (name, after) = rest.split_once(')')?;
    Some((before, name, after))
}

/// Builds the dialog for a plan. `may_touch` says in words of ours what the job will be able to change.
#[must_use]
pub fn dialog(case: &Classified, plan: &Plan, digest: Digest, may_touch: &str) -> Dialog {
    let secrets = case.request().secrets();
    let words = secrets.words(plan.action.argv.words());
    let whole = typed(&words, Medium::Markup);
    let command = bounded(&whole, COMMAND_BOUND);
    let cut = command != whole;
    let hidden = words != plan.action.argv.words() || !secrets.is_empty();
    let line = |text: &str| line(text, secrets);
    let ours = [
        ("command", Shown(command)),
        ("cwd", line(plan.pinned.cwd.path.as_str())),
        ("fingerprint", Shown(digest.fingerprint())),
        ("id", Shown(plan.id.to_string())),
        ("program", line(&program(plan))),
        ("tier", Shown(tier(plan.tier))),
        ("touch", line(may_touch)),
        ("why", line(&why(case))),
    ];
    Dialog::new(message(cut, hidden), !cut, ours.into_iter().chain(requester(case)).collect())
}

/// Who asks: what is proven, and what is claimed between quotation marks.
pub(super) fn requester(case: &Classified) -> [(&'static str, Shown); 3] {
    let (caller, claims, secrets) = (case.request().caller(), case.request().claims(), case.request().secrets());
    let claim = |text: &Option<String>| match text {
        Some(text) => Shown(in_quotes(&secrets.text(text), DETAIL_BOUND, Medium::Markup)),
        None => Shown("nothing".to_owned()),
    };
    let user = line(&format!("{} (uid {})", caller.user, caller.uid), secrets);
    [("agent", claim(&claims.agent)), ("reason", claim(&claims.reason)), ("user", user)]
}

/// Every message that a dialog about a plan or a bundle can have, for translators.
#[must_use]
pub fn dialog_messages() -> Vec<String> {
    let all = [(false, false), (false, true), (true, false), (true, true)].map(|(cut, hidden)| message(cut, hidden));
    let minding = all.each_ref().map(|message| minding(message));
    all.into_iter().chain(minding).chain(super::steps::messages()).collect()
}

fn minding(message: &str) -> String {
    format!("{message}\nMind: $(mind)")
}

fn message(cut: bool, hidden: bool) -> String {
    let mut lines = vec![
        "Countersign request $(fingerprint): $(tier)",
        "Command: $(command)",
        "Directory: $(cwd)",
        "Program: $(program)",
        "Asked by user $(user)",
        "The caller calls itself $(agent) and gives as reason $(reason); nobody checked that.",
        "Why this tier: $(why)",
        "It may touch: $(touch)",
    ];
    if cut {
        lines.push("This is not the whole command: read it with countersign show $(id)");
    }
    if hidden {
        lines.push(HIDDEN);
    }
    lines.join("\n")
}

pub(super) fn line(text: &str, secrets: &Secrets) -> Shown {
    line_within(text, secrets, DETAIL_BOUND)
}

pub(super) fn line_within(text: &str, secrets: &Secrets, bound: usize) -> Shown {
    Shown(bounded(&visible(&secrets.text(text), Medium::Markup), bound))
}

/// What will really be executed, which is not always what the first word suggests.
pub(super) fn program(plan: &Plan) -> String {
    let script = plan.pinned.executable.path.as_str();
    match &plan.pinned.interpreter {
        Some(interpreter) => format!("{script}, run by {}", interpreter.file.path.as_str()),
        None => script.to_owned(),
    }
}

pub(super) fn tier(tier: Tier) -> String {
    format!("{tier}, {}", tier.word())
}

/// The reason of the rule that decided, or of the first that fired.
pub(super) fn why(case: &Classified) -> String {
    let classification = case.classification();
    let decided = classification.evidence.iter().find(|evidence| Some(&evidence.rule) == classification.rules.first());
    decided
        .or_else(|| classification.evidence.first())
        .map_or_else(|| "no rule knows it".to_owned(), |e| e.says.clone())
}
