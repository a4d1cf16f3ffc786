//! The polkit dialog of a bundle: every step, numbered, before a human says yes once. SEC-12, SEC-16.
//!
//! The message holds our sentences and names only, as that of a single request does. All steps stand behind one name,
//! `steps`: two lines each, the breaks between which are ours, because no break of a caller's comes through. The strictest
//! tier stands first.

use std::collections::BTreeMap;

use super::dialog::{Dialog, HIDDEN, line, line_within, program, requester, tier, why};
use super::{COMMAND_BOUND, Medium, Shown, bounded, typed};
use crate::bundle::Bundle;
use crate::digest::Digest;
use crate::plan::Plan;
use crate::request::Classified;

/// The fewest bytes of a step's command that are shown, if it has as many.
const FEWEST_BYTES: usize = 128;
/// The most bytes of whatever else is said of a step.
const ASIDE: usize = 160;

/// One step as it is to be shown.
#[derive(Debug, Clone, Copy)]
pub struct StepOf<'a> {
    /// The request and what the classifier said of it.
    pub case: &'a Classified,
    /// What would run.
    pub plan: &'a Plan,
    /// What it will be able to change, in words of ours.
    pub may_touch: &'a str,
    /// Conditions of rules that do not hold and do not refuse; empty if there are none.
    pub mind: &'a str,
}

/// A step as text, and what is missing of it.
struct Lines {
    text: String,
    cut: bool,
    hidden: bool,
}

/// Builds the dialog for a bundle of these steps.
#[must_use]
pub fn steps_dialog(steps: &[StepOf<'_>], bundle: &Bundle, digest: Digest) -> Dialog {
    let room = COMMAND_BOUND.checked_div(steps.len()).unwrap_or(COMMAND_BOUND).max(FEWEST_BYTES);
    let lines: Vec<Lines> = (1_usize..).zip(steps).map(|(number, step)| lines(number, step, room)).collect();
    let text: Vec<&str> = lines.iter().map(|lines| lines.text.as_str()).collect();
    let (cut, hidden) = (lines.iter().any(|lines| lines.cut), lines.iter().any(|lines| lines.hidden));
    let ours = [
        ("count", Shown(bundle.count().to_string())),
        ("fingerprint", Shown(digest.fingerprint())),
        ("id", Shown(bundle.id.to_string())),
        ("steps", Shown(text.join("\n"))),
        ("tier", Shown(tier(bundle.tier))),
    ];
    let theirs = steps.first().map(|step| requester(step.case)).into_iter().flatten();
    let details: BTreeMap<&'static str, Shown> = ours.into_iter().chain(theirs).collect();
    Dialog::new(message(cut, hidden), !cut, details)
}

/// Every message that a dialog about a bundle can have, for translators.
pub(super) fn messages() -> [String; 4] {
    [(false, false), (false, true), (true, false), (true, true)].map(|(cut, hidden)| message(cut, hidden))
}

fn message(cut: bool, hidden: bool) -> String {
    let mut lines = vec![
        "Countersign request $(fingerprint): $(tier)",
        "One approval for all $(count) steps, which run in this order; after one that fails none begins:",
        "$(steps)",
        "Asked by user $(user)",
        "The caller calls itself $(agent) and gives as reason $(reason); nobody checked that.",
    ];
    if cut {
        lines.push("This is not the whole of every command: read it with countersign show $(id)");
    }
    if hidden {
        lines.push(HIDDEN);
    }
    lines.join("\n")
}

fn lines(number: usize, step: &StepOf<'_>, room: usize) -> Lines {
    let StepOf { case, plan, may_touch, mind } = step;
    let secrets = case.request().secrets();
    let words = secrets.words(plan.action.argv.words());
    let whole = typed(&words, Medium::Markup);
    let command = bounded(&whole, room);
    let [directory, program, why, touch] = [plan.pinned.cwd.path.as_str(), &program(plan), &why(case), may_touch]
        .map(|text| line_within(text, secrets, ASIDE));
    let mind = if mind.is_empty() { String::new() } else { format!("; mind: {}", line_within(mind, secrets, ASIDE)) };
    let text = format!(
        "{number}. {}: {command}\n    in {directory}, program {program}; why: {why}; may touch: {touch}{mind}",
        line(&tier(plan.tier), secrets)
    );
    Lines { text, cut: command != whole, hidden: words != plan.action.argv.words() || !secrets.is_empty() }
}

#[cfg(test)]
mod tests;
