//! Answers: what the bus carries back, as dictionaries. The keys are the interface; see `dbus/`.
//!
//! Text that came from a caller is data here: rendering it for a medium is the client's part, and the words of the
//! dialog are made inert elsewhere.

use std::collections::HashMap;

use countersign_config::Source;
use countersign_core::approval::Approver;
use countersign_core::code::Failure;
use countersign_core::outcome::{Ended, Outcome, Stream};
use countersign_core::policy::Ruleset;
use countersign_core::receipt::Receipt;
use countersign_core::redact;
use countersign_core::target::Target;
use countersign_core::text::for_agent;
use serde::Serialize;
use zbus::Variant;

use super::facts::user_name;
use crate::output::{Captured, PREVIEW};
use crate::pipeline::Shown;
use crate::tickets::{Ran, Ticket};

/// An answer, by key.
pub(crate) type Keys = HashMap<&'static str, Variant<'static>>;

/// What `Plan` answers.
pub(super) fn shown(shown: &Shown) -> Keys {
    let classification = shown.case.classification();
    let digest = shown.drawn.as_ref().map(|(_, digest)| digest);
    let expires = shown.drawn.as_ref().map_or(0, |(plan, _)| plan.expires.millis());
    let profile = shown.policy.profiles().get(shown.case.profile());
    let (code, sentence) =
        shown.failure.as_ref().map_or(("", ""), |failure| (failure.code.name(), failure.sentence.as_str()));
    let mut keys = of_case(&shown.case);
    keys.extend([
        ("tier", text(classification.ruling.name())),
        ("verdict", text(&word(&shown.judgement))),
        ("code", text(code)),
        ("sentence", text(sentence)),
        ("digest", text(&digest.map(ToString::to_string).unwrap_or_default())),
        ("fingerprint", text(&digest.map(|digest| digest.fingerprint()).unwrap_or_default())),
        ("plan", text(&shown.drawn.as_ref().map(|(plan, _)| json(plan)).unwrap_or_default())),
        ("ruleset", text(&ruleset(shown.policy.ruleset()))),
        ("may_touch", text(&profile.map(|profile| profile.may_touch(shown.case.targets())).unwrap_or_default())),
        ("expires", Variant::from(expires)),
    ]);
    keys
}

/// Who reads an answer about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// Who asked, and knows every word of it.
    Owner,
    /// Anybody else, who sees no secret of the owner's.
    Other,
}

/// What `List` and `Show` say of a request.
pub(super) fn ticket(ticket: &Ticket, may_touch: &str, reader: Reader) -> Keys {
    let keys = of_ticket(ticket, may_touch);
    match reader {
        Reader::Owner => keys,
        Reader::Other => without_secrets(keys, ticket),
    }
}

/// The same without secrets. A plan that has some is left out, with the receipt that holds it: without them nobody could
/// compute its digest.
fn without_secrets(mut keys: Keys, ticket: &Ticket) -> Keys {
    let (request, action) = (ticket.case.request(), &ticket.plan.action);
    let clean = |words: &[String]| redact::words(words);
    let env: Vec<String> = action.env.added().iter().map(|(name, value)| format!("{name}={value}")).collect();
    let shown_env: Vec<String> = env.iter().flat_map(|one| clean(std::slice::from_ref(one))).collect();
    let targets = ticket.case.targets().iter().map(target);
    let shown_targets: Vec<_> = targets.map(|(kind, name, access)| (kind, redact::text(&name), access)).collect();
    let argv = clean(action.argv.words());
    let cwd = redact::text(action.cwd.as_str());
    let whole = argv == action.argv.words() && env == shown_env && cwd == action.cwd.as_str();
    let claim = |claim: &Option<String>| text(&claim.as_deref().map(redact::text).unwrap_or_default());
    keys.extend([
        ("argv", Variant::from(argv)),
        ("env", Variant::from(shown_env)),
        ("cwd", text(&cwd)),
        ("targets", Variant::from(shown_targets)),
        ("agent", claim(&request.claims().agent)),
        ("reason", claim(&request.claims().reason)),
    ]);
    if !whole {
        keys.extend([("plan", text("")), ("receipt", text(""))]);
    }
    keys
}

fn of_ticket(ticket: &Ticket, may_touch: &str) -> Keys {
    let request = ticket.case.request();
    let (caller, claims) = (request.caller(), request.claims());
    let mut keys = of_case(&ticket.case);
    keys.extend([
        ("tier", text(ticket.plan.tier.name())),
        ("verdict", text(&word(&ticket.judgement))),
        ("digest", text(&ticket.digest.to_string())),
        ("fingerprint", text(&ticket.digest.fingerprint())),
        ("plan", text(&json(&ticket.plan))),
        ("ruleset", text(&ruleset(ticket.plan.ruleset))),
        ("phase", text(ticket.phase().name())),
        ("may_touch", text(may_touch)),
        ("asked", Variant::from(ticket.asked.millis())),
        ("expires", Variant::from(ticket.plan.expires.millis())),
        ("uid", Variant::from(caller.uid.get())),
        ("user", text(&caller.user)),
        ("pid", Variant::from(caller.pid)),
        ("exe", text(caller.exe.as_deref().unwrap_or_default())),
        ("unit", text(caller.unit.as_deref().unwrap_or_default())),
        ("session", text(caller.session.as_deref().unwrap_or_default())),
        ("agent", text(claims.agent.as_deref().unwrap_or_default())),
        ("reason", text(claims.reason.as_deref().unwrap_or_default())),
        ("executable", text(ticket.plan.pinned.executable.path.as_str())),
        ("executable_sha256", text(&ticket.plan.pinned.executable.sha256.to_string())),
        ("receipt", text(&ticket.end().map(|end| receipt(&end.receipt)).unwrap_or_default())),
    ]);
    let (approvers, needed) = ticket.slot.progress();
    keys.insert("approvals", Variant::from(u32::try_from(approvers.len()).unwrap_or(u32::MAX)));
    keys.insert("approvals_needed", Variant::from(u32::from(needed)));
    keys.insert("approvers", Variant::from(approvers.iter().map(approver).collect::<Vec<_>>()));
    keys
}

/// One who approved: uid, user, kind.
fn approver(approver: &Approver) -> (u32, String, String) {
    (approver.uid.get(), user_name(approver.uid), word(&approver.kind))
}

/// Everything that stands in the way of a plan, as codes and sentences, in the order of the gates.
pub(super) fn against(shown: &Shown) -> (&'static str, Variant<'static>) {
    let each = |failure: &Failure| (failure.code.name().to_owned(), failure.sentence.clone());
    ("against", Variant::from(shown.against.iter().map(each).collect::<Vec<_>>()))
}

fn of_case(case: &countersign_core::request::Classified) -> Keys {
    let (request, classification) = (case.request(), case.classification());
    let action = request.action();
    let evidence: Vec<String> =
        classification.evidence.iter().map(|evidence| format!("{}: {}", word(&evidence.rule), evidence.says)).collect();
    let rules: Vec<String> = classification.rules.iter().map(word).collect();
    let targets: Vec<(String, String, String)> = case.targets().iter().map(target).collect();
    HashMap::from([
        ("id", text(&request.id().to_string())),
        ("command", text(&crate::approve::words::command(&action.argv))),
        ("argv", Variant::from(action.argv.words().to_vec())),
        ("cwd", text(action.cwd.as_str())),
        (
            "env",
            Variant::from(action.env.added().iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()),
        ),
        ("stdin_sha256", text(&action.stdin.map(|digest| digest.to_string()).unwrap_or_default())),
        ("timeout_ms", Variant::from(action.timeout_ms.unwrap_or(0))),
        ("rules", Variant::from(rules)),
        ("evidence", Variant::from(evidence)),
        ("profile", text(case.profile().as_str())),
        ("targets", Variant::from(targets)),
    ])
}

/// What `Result` answers when something ran.
pub(super) fn ran(ticket: &Ticket, ran: &Ran, said: &Receipt) -> Keys {
    let Outcome { ended, duration_us, cpu_us, peak_kib, started, .. } = &ran.outcome;
    let mut keys = HashMap::from([
        ("id", text(&ticket.id().to_string())),
        ("digest", text(&ticket.digest.to_string())),
        ("fingerprint", text(&ticket.digest.fingerprint())),
        ("tier", text(ticket.plan.tier.name())),
        ("verdict", text(&word(&ticket.judgement))),
        ("code", text(said.code.map_or("", countersign_core::code::Code::name))),
        ("sentence", text(&said.sentence)),
        ("ended", text(ended_word(ended))),
        ("started", Variant::from(started.millis())),
        ("duration_us", Variant::from(*duration_us)),
        ("cpu_us", Variant::from(*cpu_us)),
        ("peak_kib", Variant::from(*peak_kib)),
        ("stdout", Variant::from(preview(&ran.output.stdout))),
        ("stderr", Variant::from(preview(&ran.output.stderr))),
        ("receipt", text(&receipt(said))),
    ]);
    keys.extend(status(ended));
    keys.extend(stream(["stdout_sha256", "stdout_length", "stdout_truncated"], &ran.output.stdout.stream));
    keys.extend(stream(["stderr_sha256", "stderr_length", "stderr_truncated"], &ran.output.stderr.stream));
    keys
}

/// The beginning of what a job wrote, as text that acts on nothing. The bytes themselves reach a caller's descriptor.
fn preview(captured: &Captured) -> Vec<u8> {
    for_agent(&captured.preview, captured.stream.length, PREVIEW).into_bytes()
}

/// The exit status or the signal, whichever there is.
fn status(ended: &Ended) -> Option<(&'static str, Variant<'static>)> {
    match ended {
        Ended::Exited(status) => Some(("status", Variant::from(i32::from(*status)))),
        Ended::Signalled(signal) => Some(("signal", Variant::from(*signal))),
        Ended::TimedOut
        | Ended::Cancelled
        | Ended::Stopped
        | Ended::OutputLimit
        | Ended::NotConfined { .. }
        | Ended::Interrupted => None,
    }
}

const fn ended_word(ended: &Ended) -> &'static str {
    match ended {
        Ended::Exited(_) => "exited",
        Ended::Signalled(_) => "signalled",
        Ended::TimedOut => "timed-out",
        Ended::Cancelled => "cancelled",
        Ended::Stopped => "stopped",
        Ended::OutputLimit => "output-limit",
        Ended::NotConfined { .. } => "not-confined",
        Ended::Interrupted => "interrupted",
    }
}

fn stream([sha256, length, truncated]: [&'static str; 3], stream: &Stream) -> [(&'static str, Variant<'static>); 3] {
    [
        (sha256, text(&stream.sha256.to_string())),
        (length, Variant::from(stream.length)),
        (truncated, Variant::from(stream.truncated)),
    ]
}

fn target(target: &Target) -> (String, String, String) {
    (word(&target.kind), target.name.clone(), word(&target.access))
}

/// A file of the policy: kind, origin, path and text.
pub(super) fn file(source: &Source) -> (String, String, String, String) {
    (source.kind.name().to_owned(), source.origin_name().to_owned(), source.path.clone(), source.text.clone())
}

/// The ruleset in one word: version and digest.
pub(super) fn ruleset(ruleset: Ruleset) -> String {
    format!("{}:{}", ruleset.version, ruleset.digest)
}

/// The receipt as JSON.
pub(super) fn receipt(receipt: &Receipt) -> String {
    json(receipt)
}

/// Plain data, which always has a JSON form.
fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// The word by which a value stands in the record.
pub(super) fn word<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn text(text: &str) -> Variant<'static> {
    Variant::from(text.to_owned())
}
