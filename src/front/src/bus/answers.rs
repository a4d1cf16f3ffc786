//! Answers: what the bus carries back, as dictionaries. The keys are the interface; see `dbus/`.
//!
//! Text that came from a caller is data here: rendering it for a medium is the client's part, and the words of the
//! dialog are made inert elsewhere.

use std::collections::HashMap;

use countersign_config::Source;
use countersign_core::approval::Approver;
use countersign_core::argv::Argv;
use countersign_core::code::{Code, Failure};
use countersign_core::condition::{Role, Seen};
use countersign_core::outcome::{Ended, Outcome, Stream};
use countersign_core::policy::Ruleset;
use countersign_core::receipt::Receipt;
use countersign_core::record::Entry;
use countersign_core::redact::Secrets;
use countersign_core::target::Target;
use countersign_core::text::for_agent;
use serde::Serialize;
use zbus::Variant;

use super::facts::user_name;
use super::reader::{Reader, claims_without_secrets, command_without_secrets, named};
use crate::approve::words;
use crate::output::{Captured, PREVIEW};
use crate::pipeline::{Shown, ShownSteps};
use crate::tickets::{Command, End, Ran, Ticket};

/// An answer, by key.
pub(crate) type Keys = HashMap<&'static str, Variant<'static>>;

/// What `Plan` answers. As in every answer to who asked, values that were named as secret stand in the plan alone.
pub(super) fn shown(shown: &Shown) -> Keys {
    let classification = shown.case.classification();
    let digest = shown.drawn.as_ref().map(|(_, digest)| digest);
    let expires = shown.drawn.as_ref().map_or(0, |(plan, _)| plan.expires.millis());
    let profile = shown.policy.profiles().get(shown.case.profile());
    let (code, sentence) =
        shown.failure.as_ref().map_or(("", ""), |failure| (failure.code.name(), failure.sentence.as_str()));
    let secrets = shown.case.request().secrets();
    let may_touch = profile.map(|profile| profile.may_touch(shown.case.targets())).unwrap_or_default();
    let mut keys = of_case(&shown.case);
    keys.extend([
        ("tier", text(classification.ruling.name())),
        ("verdict", text(&word(&shown.judgement))),
        ("code", text(code)),
        ("sentence", text(&secrets.hidden_in(sentence))),
        ("digest", text(&digest.map(ToString::to_string).unwrap_or_default())),
        ("fingerprint", text(&digest.map(|digest| digest.fingerprint()).unwrap_or_default())),
        ("plan", text(&shown.drawn.as_ref().map(|(plan, _)| json(plan)).unwrap_or_default())),
        ("ruleset", text(&ruleset(shown.policy.ruleset()))),
        ("may_touch", text(&secrets.hidden_in(&may_touch))),
        ("expires", Variant::from(expires)),
        conditions(&shown.case, &shown.conditions),
    ]);
    keys
}

/// What rules ask of the machine, as it was looked at, and what they will ask after the run: rule, role, check, and what
/// was found where it does not hold.
fn conditions(case: &countersign_core::request::Classified, seen: &[Seen]) -> (&'static str, Variant<'static>) {
    let secrets = case.request().secrets();
    let later = case.classification().needs.iter().flat_map(|need| {
        let after =
            need.conditions.iter().filter(|condition| condition.role == Role::After && condition.check.is_told());
        after.map(|condition| Seen::new(&need.rule, condition, None))
    });
    let each = |Seen { rule, role, check, found }: Seen| {
        (rule.to_string(), role.name().to_owned(), secrets.text(&check), found.unwrap_or_default())
    };
    ("conditions", Variant::from(seen.iter().cloned().chain(later).map(each).collect::<Vec<_>>()))
}

/// What `Plan` answers about a bundle: the whole, and each step as it would be answered alone.
pub(super) fn shown_steps(steps: &ShownSteps, all: bool) -> Keys {
    let (bundle, digest) = steps.drawn.as_ref().map_or((None, None), |(bundle, digest)| (Some(bundle), Some(digest)));
    let (code, sentence) =
        steps.failure.as_ref().map_or(("", ""), |failure| (failure.code.name(), failure.sentence.as_str()));
    let each = |step: &Shown| {
        let mut keys = shown(step);
        keys.extend(all.then(|| against(step)));
        keys
    };
    let secrets = steps.steps.first.case.request().secrets();
    let argvs: Vec<&Argv> = steps.steps.iter().map(|step| &step.case.request().action().argv).collect();
    HashMap::from([
        ("id", text(&bundle.map(|bundle| bundle.id.to_string()).unwrap_or_default())),
        ("command", text(&words::commands(&argvs, secrets))),
        ("tier", text(bundle.map_or("", |bundle| bundle.tier.name()))),
        ("verdict", text(&word(&steps.judgement))),
        ("code", text(code)),
        ("sentence", text(&secrets.hidden_in(sentence))),
        ("digest", text(&digest.map(ToString::to_string).unwrap_or_default())),
        ("fingerprint", text(&digest.map(|digest| digest.fingerprint()).unwrap_or_default())),
        ("bundle", text(&bundle.map(json).unwrap_or_default())),
        ("ruleset", text(&ruleset(steps.steps.first.policy.ruleset()))),
        ("expires", Variant::from(bundle.map_or(0, |bundle| bundle.expires.millis()))),
        ("steps", Variant::from(steps.steps.iter().map(each).collect::<Vec<_>>())),
    ])
}

/// What `List` and `Show` say of a request; `may_touch` says what a command will be able to touch.
pub(super) fn ticket(ticket: &Ticket, may_touch: impl Fn(&Command) -> String, reader: Reader) -> Keys {
    let step = |command: &Command| of_command(command, &may_touch(command), reader);
    let argvs: Vec<&Argv> = ticket.commands.iter().map(argv).collect();
    let mut keys = match &ticket.bundle {
        None => step(&ticket.commands.first),
        Some(bundle) => HashMap::from([
            ("command", text(&words::commands(&argvs, ticket.request().secrets()))),
            ("bundle", text(&json(bundle))),
            ("steps", Variant::from(ticket.commands.iter().map(step).collect::<Vec<_>>())),
        ]),
    };
    keys.extend(of_whole(ticket));
    keys.insert("receipt", text(&reader.receipt(ticket)));
    match reader {
        Reader::Owner => keys,
        Reader::Other => claims_without_secrets(keys, ticket.request()),
    }
}

const fn argv(command: &Command) -> &Argv {
    &command.plan.action.argv
}

/// What is said of a request as a whole, whatever it would run.
fn of_whole(ticket: &Ticket) -> Keys {
    let request = ticket.request();
    let (caller, claims) = (request.caller(), request.claims());
    let hidden = |words: &Option<String>| text(&request.secrets().hidden_in(words.as_deref().unwrap_or_default()));
    let (approvers, needed) = ticket.slot.progress();
    HashMap::from([
        ("id", text(&ticket.id().to_string())),
        ("tier", text(ticket.tier().name())),
        ("verdict", text(&word(&ticket.judgement))),
        ("digest", text(&ticket.digest.to_string())),
        ("fingerprint", text(&ticket.digest.fingerprint())),
        ("ruleset", text(&ruleset(ticket.ruleset()))),
        ("phase", text(ticket.phase().name())),
        ("asked", Variant::from(ticket.asked.millis())),
        ("expires", Variant::from(ticket.expires().millis())),
        ("uid", Variant::from(caller.uid.get())),
        ("user", text(&caller.user)),
        ("pid", Variant::from(caller.pid)),
        ("exe", text(caller.exe.as_deref().unwrap_or_default())),
        ("unit", text(caller.unit.as_deref().unwrap_or_default())),
        ("session", text(caller.session.as_deref().unwrap_or_default())),
        ("agent", hidden(&claims.agent)),
        ("reason", hidden(&claims.reason)),
        ("approvals", Variant::from(u32::try_from(approvers.len()).unwrap_or(u32::MAX))),
        ("approvals_needed", Variant::from(u32::from(needed))),
        ("approvers", Variant::from(approvers.iter().map(approver).collect::<Vec<_>>())),
    ])
}

/// One who approved: uid, user, kind.
fn approver(approver: &Approver) -> (u32, String, String) {
    (approver.uid.get(), user_name(approver.uid), word(&approver.kind))
}

/// What is said of one command.
fn of_command(command: &Command, may_touch: &str, reader: Reader) -> Keys {
    let Command { case, plan, digest, .. } = command;
    let mut keys = of_case(case);
    keys.extend([
        ("tier", text(plan.tier.name())),
        ("digest", text(&digest.to_string())),
        ("fingerprint", text(&digest.fingerprint())),
        ("plan", text(&json(plan))),
        ("may_touch", text(&case.request().secrets().hidden_in(may_touch))),
        ("executable", text(plan.pinned.executable.path.as_str())),
        ("executable_sha256", text(&plan.pinned.executable.sha256.to_string())),
        conditions(case, &command.seen()),
    ]);
    match reader {
        Reader::Owner => keys,
        Reader::Other => command_without_secrets(keys, command),
    }
}

/// Everything that stands in the way of a plan, as codes and sentences, in the order of the gates.
pub(super) fn against(shown: &Shown) -> (&'static str, Variant<'static>) {
    let secrets = shown.case.request().secrets();
    let each = |failure: &Failure| (failure.code.name().to_owned(), secrets.hidden_in(&failure.sentence));
    ("against", Variant::from(shown.against.iter().map(each).collect::<Vec<_>>()))
}

fn of_case(case: &countersign_core::request::Classified) -> Keys {
    let (request, classification) = (case.request(), case.classification());
    let (action, secrets) = (request.action(), request.secrets());
    let hidden = |words: &[String]| -> Vec<String> { words.iter().map(|word| secrets.hidden_in(word)).collect() };
    let evidence: Vec<String> =
        classification.evidence.iter().map(|evidence| format!("{}: {}", word(&evidence.rule), evidence.says)).collect();
    let rules: Vec<String> = classification.rules.iter().map(word).collect();
    let targets = case.targets().iter().map(target);
    let targets: Vec<_> = targets.map(|(kind, name, access)| (kind, secrets.hidden_in(&name), access)).collect();
    HashMap::from([
        ("id", text(&request.id().to_string())),
        ("command", text(&words::command(&action.argv, secrets))),
        ("argv", Variant::from(hidden(action.argv.words()))),
        ("cwd", text(&secrets.hidden_in(action.cwd.as_str()))),
        ("env", Variant::from(hidden(&named(&action.env)))),
        ("stdin_sha256", text(&action.stdin.map(|digest| digest.to_string()).unwrap_or_default())),
        ("timeout_ms", Variant::from(action.timeout_ms.unwrap_or(0))),
        ("rules", Variant::from(rules)),
        ("evidence", Variant::from(evidence)),
        ("profile", text(case.profile().as_str())),
        ("targets", Variant::from(targets)),
    ])
}

/// What `Result` answers when something ran: of a bundle how the step ended that decided it, and every step.
pub(super) fn over(ticket: &Ticket, end: &End, reader: Reader) -> Keys {
    let secrets = ticket.request().secrets();
    let mut keys = match &ticket.bundle {
        None => ended(end, secrets),
        Some(bundle) => {
            let each = |command: &Command| command.end().map(|end| step_ended(command, end));
            let mut keys: Keys = of_end(end).into_iter().collect();
            keys.insert("bundle", text(&json(bundle)));
            keys.insert("steps", Variant::from(ticket.commands.iter().filter_map(each).collect::<Vec<_>>()));
            keys
        }
    };
    keys.extend([
        ("id", text(&ticket.id().to_string())),
        ("digest", text(&ticket.digest.to_string())),
        ("fingerprint", text(&ticket.digest.fingerprint())),
        ("tier", text(ticket.tier().name())),
        ("verdict", text(&word(&ticket.judgement))),
        ("receipt", text(&reader.receipt(ticket))),
    ]);
    keys
}

fn step_ended(command: &Command, end: &End) -> Keys {
    let secrets = command.case.request().secrets();
    let mut keys = ended(end, secrets);
    keys.extend([
        ("id", text(&command.id().to_string())),
        ("command", text(&words::command(argv(command), secrets))),
        ("digest", text(&command.digest.to_string())),
        ("fingerprint", text(&command.digest.fingerprint())),
        ("tier", text(command.plan.tier.name())),
    ]);
    keys
}

/// Code, sentence and, if it ran, how it ended.
fn of_end(end: &End) -> Vec<(&'static str, Variant<'static>)> {
    let Receipt { code, sentence, ended, .. } = &end.receipt;
    let mut keys = vec![("code", text(code.map_or("", Code::name))), ("sentence", text(sentence))];
    if let Some(ended) = ended {
        keys.push(("ended", text(ended_word(ended))));
        keys.extend(status(ended));
    }
    keys
}

/// How a command ended, and what it wrote and used if it ran.
fn ended(end: &End, secrets: &Secrets) -> Keys {
    let mut keys: Keys = of_end(end).into_iter().collect();
    if let Ok(Ran { outcome, output }) = &end.result {
        let Outcome { duration_us, cpu_us, peak_kib, started, .. } = outcome;
        keys.extend([
            ("started", Variant::from(started.millis())),
            ("duration_us", Variant::from(*duration_us)),
            ("cpu_us", Variant::from(*cpu_us)),
            ("peak_kib", Variant::from(*peak_kib)),
            ("stdout", Variant::from(preview(&output.stdout, secrets))),
            ("stderr", Variant::from(preview(&output.stderr, secrets))),
        ]);
        keys.extend(stream(["stdout_sha256", "stdout_length", "stdout_truncated"], &output.stdout.stream));
        keys.extend(stream(["stderr_sha256", "stderr_length", "stderr_truncated"], &output.stderr.stream));
    }
    keys
}

/// The beginning of what a job wrote, as text that acts on nothing. The bytes themselves reach a caller's descriptor.
fn preview(captured: &Captured, secrets: &Secrets) -> Vec<u8> {
    for_agent(&captured.preview, captured.stream.length, PREVIEW, secrets).into_bytes()
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

pub(super) fn target(target: &Target) -> (String, String, String) {
    (word(&target.kind), target.name.clone(), word(&target.access))
}

/// A file of the policy: kind, origin, path and text.
pub(super) fn file(source: &Source) -> (String, String, String, String) {
    (source.kind.name().to_owned(), source.origin_name().to_owned(), source.path.clone(), source.text.clone())
}

/// An entry of the log: its number, its hash and its record as it is stored.
pub(super) fn entry(entry: &Entry) -> (u64, String, String) {
    (entry.seq, entry.hash.to_string(), String::from_utf8_lossy(&entry.body).into_owned())
}

/// The ruleset in one word: version and digest.
pub(super) fn ruleset(ruleset: Ruleset) -> String {
    format!("{}:{}", ruleset.version, ruleset.digest)
}

/// Plain data, which always has a JSON form.
pub(super) fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// The word by which a value stands in the record.
pub(super) fn word<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

pub(super) fn text(text: &str) -> Variant<'static> {
    Variant::from(text.to_owned())
}
