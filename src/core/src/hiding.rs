//! Hiding: whether whoever decides still sees what is done, and on what, once the values are gone that the caller named as
//! secret. SEC-9, SEC-12.
//!
//! Otherwise "secret" would be the place to hide a command. Enters: a classified request. Leaves: yes or no; where it is no,
//! the request is refused. The classifier is asked again with blanks for the values, and must say the same. What it says
//! nothing about, an operand or a value in code, may be hidden; the marker stands where it was, and a dialog says to
//! refuse what one does not know.

use crate::argv::Argv;
use crate::classify::{Classification, Evidence, Rules};
use crate::path::CleanPath;
use crate::redact::Secrets;
use crate::request::{Action, Request, classify_action};
use crate::target::{Target, TargetKind};

/// The classifier's own rules whose words must be seen whole: they name what runs.
const NAMES_WHAT_RUNS: [&str; 5] = ["named-program", "privilege-tool", "script", "unknown-location", "unknown-program"];
/// Its rules about code that is not understood.
const CODE: [&str; 2] = ["code", "code.destroys"];

/// Whether nothing that matters is hidden. `is` is what the classifier said of the request.
pub(crate) fn shows_what_matters(request: &Request, is: &Classification, rules: &Rules) -> bool {
    let (action, secrets) = (request.action(), request.secrets());
    if secrets.is_empty() {
        return true;
    }
    let Some(blanked) = blanked(action, secrets) else { return false };
    let seen = classify_action(rules, &blanked);
    let said =
        |of: &Classification| (of.ruling, of.profile.clone(), of.rules.clone(), of.needs.clone(), of.evidence.len());
    said(&seen) == said(is)
        && seen.evidence.iter().zip(&is.evidence).all(|(seen, is)| is_same(seen, is, secrets))
        && seen.targets.iter().cloned().eq(is.targets.iter().map(|target| named(target, secrets)))
        && secrets.blanked_in(action.argv.program()) == action.argv.program()
        && !(runs_code(is) && action.argv.words().iter().any(|word| secrets.hides_marks_in(word)))
}

/// The action with blanks for the values; nothing if it would be none.
fn blanked(action: &Action, secrets: &Secrets) -> Option<Action> {
    let words = action.argv.words().iter().map(|word| secrets.blanked_in(word));
    let argv = Argv::new(words.collect()).ok()?;
    let cwd = CleanPath::new(&secrets.blanked_in(action.cwd.as_str())).ok()?;
    Some(Action { argv, cwd, ..action.clone() })
}

/// The same rule, and where it names what runs, for the same words; code is more than one value.
fn is_same(seen: &Evidence, is: &Evidence, secrets: &Secrets) -> bool {
    let one_of = |rules: &[&str]| rules.contains(&is.rule.as_str());
    seen.rule == is.rule
        && seen.ruling == is.ruling
        && (seen.words == is.words || !one_of(&NAMES_WHAT_RUNS))
        && !(one_of(&CODE) && is.words.iter().any(|word| secrets.is_all_of(word)))
}

fn runs_code(is: &Classification) -> bool {
    is.evidence.iter().any(|evidence| CODE.contains(&evidence.rule.as_str()))
}

/// An address may have a secret in it, and what surrounds that is seen. Everything else that is acted on has none.
fn named(target: &Target, secrets: &Secrets) -> Target {
    match target.kind {
        TargetKind::Host => Target { name: secrets.blanked_in(&target.name), ..target.clone() },
        TargetKind::Path
        | TargetKind::Unit
        | TargetKind::Package
        | TargetKind::User
        | TargetKind::Group
        | TargetKind::Device
        | TargetKind::Process
        | TargetKind::Machine
        | TargetKind::Other => target.clone(),
    }
}
