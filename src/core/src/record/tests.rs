//! What the record keeps, what it leaves out, and that its bytes and its fields are one and the same. The samples here
//! serve other rooms' tests too.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::approval::{Approval, ApprovalKind, Approved};
use crate::argv::Argv;
use crate::classify::Rules;
use crate::code::Failure;
use crate::condition::{Role, Seen};
use crate::digest::canonical;
use crate::environment::Environment;
use crate::order::Order;
use crate::outcome::Outcome;
use crate::path::CleanPath;
use crate::plan::{Circumstances, Pinned, PinnedDirectory, Plan};
use crate::policy::{Names, Policy, Sources};
use crate::redact::Secrets;
use crate::request::{Action, Claims, Classified, Narrowing, Request};
use crate::salt::Salt;
use crate::tier::Tier;

const SALT: Salt = Salt::from_random([7; 16]);

/// A proven caller.
pub(crate) fn caller() -> Caller {
    Caller {
        uid: Uid::try_from(1000).unwrap(),
        gids: vec![Gid::try_from(1000).unwrap()],
        bus_name: ":1.42".to_owned().try_into().unwrap(),
        user: "agent".to_owned(),
        pid: 4_242,
        start_time: u64::MAX,
        exe: Some("/usr/bin/agent".to_owned()),
        unit: Some("agent.service".to_owned()),
        session: None,
        login_uid: Some(Uid::try_from(1001).unwrap()),
        security_label: Some("unconfined".to_owned()),
    }
}

/// A classified request, and the plan drawn from it as T2.
pub(crate) fn planned(words: &[&str], agent: Option<&str>, reason: Option<&str>) -> (Classified, Plan) {
    planned_with(words, agent, reason, Secrets::default())
}

/// The same with values that the caller names as secret.
pub(crate) fn planned_with(
    words: &[&str],
    agent: Option<&str>,
    reason: Option<&str>,
    secrets: Secrets,
) -> (Classified, Plan) {
    let action = Action {
        argv: Argv::new(words.iter().map(|word| (*word).to_owned()).collect()).unwrap(),
        cwd: CleanPath::new("/").unwrap(),
        env: Environment::new(BTreeMap::from([("LANG".to_owned(), "C".to_owned())])).unwrap(),
        stdin: None,
        timeout_ms: None,
    };
    let claims = Claims { agent: agent.map(str::to_owned), reason: reason.map(str::to_owned) };
    let request =
        Request::new(RequestId::from_random(7), SALT, caller(), action, claims, Narrowing::default(), secrets).unwrap();
    let case = request.classify(&Rules::parse(&[]).unwrap());
    let file = PinnedFile {
        path: CleanPath::new("/usr/bin/env").unwrap(),
        device: 1,
        inode: u64::MAX,
        size: 2,
        modified_ns: 3,
        sha256: Digest::of(b"env"),
    };
    let cwd = PinnedDirectory { path: CleanPath::new("/").unwrap(), device: 1, inode: 2 };
    let circumstances = Circumstances {
        pinned: Pinned { executable: file, interpreter: None, cwd },
        profile_digest: Digest::ZERO,
        tier: Tier::T2,
        ruleset: policy().ruleset(),
        mode: policy().settings().mode,
        expires: Moment::from_millis(1_000_000),
    };
    let (plan, _) = Plan::draw(&case, circumstances).unwrap();
    (case, plan)
}

struct Nobody;

impl Names for Nobody {
    fn uid(&self, _name: &str) -> Option<Uid> {
        None
    }

    fn gid(&self, _name: &str) -> Option<Gid> {
        None
    }
}

fn policy() -> Policy {
    Policy::parse(&Sources { settings: &[], grants: &[], rules: &[], profiles: &[], own_profiles: &[] }, &Nobody)
        .unwrap()
}

fn stamp() -> Stamp {
    Stamp {
        time: Moment::from_millis(1_700_000_000_123),
        boot_id: "9f1b2c3d".to_owned(),
        monotonic_ms: 5,
        state: RunState::Green,
        mode: Mode::Guarded,
        ruleset: policy().ruleset(),
    }
}

fn order(plan: Plan) -> Order {
    let digest = plan.digest().unwrap();
    let approver = Approver { uid: Uid::ROOT, kind: ApprovalKind::Challenge, latency_ms: 9 };
    let (granted, expires) = (Moment::from_millis(1), Moment::from_millis(2_000_000));
    let approval = Approval { id: RequestId::from_random(8), digest, approvers: vec![approver], granted, expires };
    let approved = Approved::by_human(approval, plan, digest).unwrap();
    Order::seal(approved, &policy(), RunState::Green, Moment::from_millis(2)).unwrap()
}

fn outcome() -> Outcome {
    Outcome {
        ended: Ended::Exited(7),
        enforced: vec![Layer { step: "landlock".to_owned(), gives: "abi 7".to_owned() }],
        started: Moment::from_millis(u64::MAX),
        duration_us: u64::MAX,
        cpu_us: 3,
        peak_kib: 4,
    }
}

/// One draft of every phase.
fn all() -> Vec<Draft> {
    let (case, plan) = planned(&["mysql", "-phunter2", "db"], Some("helper"), Some("password=hunter2"));
    let failure = Failure::new(Code::Denied, "No: token=hunter2");
    let stream = Stream { sha256: Digest::of(b"out"), length: 3, truncated: false };
    let intent = Draft::intent(&stamp(), &case, &order(plan)).with_taint(Taint::Tainted);
    let result = intent.record().result(&stamp()).with_outcome(&outcome()).with_streams(&stream, &stream);
    vec![
        Draft::start(&stamp(), "0.1.0"),
        Draft::load(&stamp()).with_failure(&failure),
        Draft::control(&stamp(), Act::Stop, "systemctl", "token=hunter2"),
        Draft::control(&stamp(), Act::Clear, "0", "checked"),
        Draft::control(&stamp(), Act::Hold, "0", "look"),
        Draft::control(&stamp(), Act::Resume, "0", "well"),
        Draft::rejected(&stamp(), &caller(), &failure),
        Draft::planned(&stamp(), &case).with_verdict(Judgement::Hold),
        Draft::finished(&stamp(), &case).with_failure(&failure).with_refuser(Uid::ROOT),
        intent.clone(),
        intent.record().interrupted(&stamp()),
        result,
        Draft::end(&stamp(), "stopped"),
        Draft::start(&stamp(), "0.1.0").with_tainted(vec![Uid::ROOT]),
    ]
}

/// A condition that holds, and one that does not.
fn conditions() -> [Seen; 2] {
    [(Role::Soft, None), (Role::After, Some("it is failed".to_owned()))].map(|(role, found)| Seen {
        check: "unit-active a.service".to_owned(),
        found,
        role,
        rule: serde_json::from_str("\"systemctl.start\"").unwrap(),
    })
}

/// The bytes of a record of every phase, and of one with every sort of member.
pub(crate) fn samples() -> Vec<Vec<u8>> {
    let approver = Approver { uid: Uid::ROOT, kind: ApprovalKind::PolkitRule, latency_ms: 9 };
    let (case, _) = planned(&["cat", "/etc/hosts"], None, None);
    let target =
        Target { kind: crate::target::TargetKind::User, name: "1000".to_owned(), access: crate::target::Access::Write };
    let silent = Draft::finished(&stamp(), &case).with_gate(crate::policy::Gate::DenyList).with_times(3);
    let step = crate::bundle::Step { bundle: bundle(), index: 1 };
    let silent = silent.with_conditions(&conditions());
    let more = [silent.with_target(&target).with_approver(approver).with_taint(Taint::Clean).with_step(&step)];
    let drafts = all().into_iter().chain(more);
    drafts.zip(1..).map(|(draft, seq)| draft.complete(seq, Digest::ZERO).unwrap().body).collect()
}

/// A bundle of two plans.
fn bundle() -> crate::bundle::Bundle {
    let plan = |id| Plan { id: RequestId::from_random(id), ..planned(&["true"], None, None).1 };
    let plans: Vec<_> = [20, 21].map(plan).into_iter().map(|plan| (plan.clone(), plan.digest().unwrap())).collect();
    crate::bundle::Bundle::draw(RequestId::from_random(7), &plans).unwrap().0
}

#[test]
fn a_step_says_which_of_how_many_it_is_in_its_intent_and_its_result() {
    let bundle = bundle();
    let digest = bundle.digest().unwrap();
    let part = Some(Part { digest, of: 2, step: 2 });
    let (case, _) = planned(&["true"], None, None);
    let draft = Draft::finished(&stamp(), &case).with_step(&crate::bundle::Step { bundle, index: 1 });
    assert_eq!(draft.record().bundle, part);
    assert_eq!(draft.record().result(&stamp()).record().bundle, part);
    assert_eq!(written(&draft)["bundle"], serde_json::json!({ "digest": digest, "of": 2, "step": 2 }));
}

fn written(draft: &Draft) -> serde_json::Value {
    serde_json::from_slice(&draft.complete(1, Digest::ZERO).unwrap().body).unwrap()
}

#[test]
fn every_draft_becomes_an_entry_that_reads_back_the_same() {
    for (seq, draft) in (1..).zip(all()) {
        let entry = draft.complete(seq, Digest::of(b"before")).unwrap();
        assert_eq!(entry.hash, crate::tree::leaf(&entry.body));
        let record = Record::parse(&entry.body).unwrap();
        assert_eq!((record.seq, record.prev, record.v), (seq, Digest::of(b"before"), VERSION));
        assert_eq!(Record { seq: 0, prev: Digest::ZERO, ..record }, *draft.record());
    }
}

#[test]
fn an_intent_holds_what_the_design_lists_and_no_secret() {
    let intent = written(all().iter().find(|draft| draft.record().phase == Phase::Intent).unwrap());
    let fields: Vec<&str> = intent.as_object().unwrap().keys().map(String::as_str).collect();
    for field in [
        "v",
        "seq",
        "prev",
        "time",
        "boot_id",
        "monotonic_ms",
        "kind",
        "phase",
        "state",
        "mode",
        "ruleset",
        "id",
        "digest",
        "caller",
        "taint",
        "agent",
        "reason",
        "argv",
        "cwd",
        "env_names",
        "tier",
        "profile",
        "verdict",
        "approvers",
        "executable",
    ] {
        assert!(fields.contains(&field), "{field}");
    }
    assert_eq!(intent["argv"], serde_json::json!(["mysql", "-p[REDACTED]", "db"]));
    assert_eq!(intent["reason"], "password=[REDACTED]");
    assert_eq!(intent["env_names"], serde_json::json!(["LANG"]));
    assert_eq!(intent["caller"]["start_time"], u64::MAX.to_string());
    assert_eq!(intent["approvers"][0]["uid"], 0);
    assert_eq!((&intent["kind"], &intent["phase"]), (&"request".into(), &"intent".into()));
}

#[test]
fn no_draft_carries_a_known_secret_or_an_empty_field() {
    for draft in all() {
        let entry = draft.complete(1, Digest::ZERO).unwrap();
        let text = String::from_utf8(entry.body).unwrap();
        assert!(!text.contains("hunter2"), "{text}");
        assert!(!text.contains(":null") && !text.contains("[]") && !text.contains("{}"), "{text}");
    }
}

#[test]
fn a_result_names_its_intent_and_holds_no_output() {
    let drafts = all();
    let result = written(
        drafts.iter().find(|draft| draft.record().phase == Phase::Result && draft.record().stdout.is_some()).unwrap(),
    );
    assert_eq!(result["id"], RequestId::from_random(7).to_string());
    assert_eq!(result["ended"], serde_json::json!({"exited": 7}));
    assert_eq!(result["stdout"]["length"], 3);
    assert_eq!(result["duration_us"], MAX_NUMBER);
    assert_eq!(result["started"], MAX_NUMBER);
    let interrupted = drafts.iter().find(|draft| draft.record().ended == Some(Ended::Interrupted)).unwrap();
    assert_eq!(interrupted.record().phase, Phase::Result);
}

#[test]
fn an_error_is_cut_at_n_and_n_plus_one() {
    let error = |count: usize| Draft::load(&stamp()).with_error(&"é".repeat(count)).record().error.clone().unwrap();
    assert_eq!(error(MAX_ERROR), "é".repeat(MAX_ERROR));
    assert_eq!(error(MAX_ERROR + 1), "é".repeat(MAX_ERROR - 1) + "…");
}

#[test]
fn only_the_canonical_bytes_of_a_record_are_a_record() {
    let entry = all()[0].complete(1, Digest::ZERO).unwrap();
    let text = String::from_utf8(entry.body).unwrap();
    assert!(Record::parse(text.as_bytes()).is_ok());
    for (wrong, why) in [
        (text.replace("{\"", "{ \""), "NotCanonical"),
        (text.replace("\"seq\":1", "\"seq\":1.0"), "Form"),
        (text.replace("\"seq\":1,", ""), "Form"),
        (text.replace("\"seq\":1", "\"seq\":1,\"seq\":1"), "Form"),
        (text.replace("\"seq\":1", "\"sequence\":1"), "Form"),
        (text.replace("\"v\":1", "\"v\":2"), "Version"),
        (text.replace("\"v\":1", "\"new\":3,\"v\":2"), "Version"),
        (text.replace("\"phase\":\"start\"", "\"phase\":\"intent\""), "Phase"),
        (text.replace("\"software\":", "\"error\":null,\"software\":"), "NotCanonical"),
        (text.replace("0.1.0", "\\u0030.1.0"), "NotCanonical"),
        (text.clone() + " ", "NotCanonical"),
        (text.clone() + "x", "Form"),
        (String::new(), "Form"),
        ("[]".to_owned(), "Form"),
    ] {
        assert_ne!(wrong, text, "{why}");
        let error = Record::parse(wrong.as_bytes()).unwrap_err();
        assert!(format!("{error:?}").starts_with(why), "{error:?}: {wrong}");
    }
    assert!(Record::parse(b"\xff\xfe").is_err());
}

/// The slow opinion: a record's bytes are those that writing it again gives.
fn agrees(bytes: &[u8]) {
    if let Ok(record) = Record::parse(bytes) {
        assert_eq!(String::from_utf8(canonical(&record).unwrap()), String::from_utf8(bytes.to_vec()));
    }
}

#[test]
fn no_other_bytes_are_a_record_however_they_are_changed() {
    for draft in all() {
        let body = draft.complete(1, Digest::ZERO).unwrap().body;
        for at in 0..body.len() {
            for byte in [b'"', b'0', b',', b' ', b'}', body[at] ^ 0x20, body[at].wrapping_add(1)] {
                let mut changed = body.clone();
                changed[at] = byte;
                agrees(&changed);
                changed.insert(at, byte);
                agrees(&changed);
            }
            agrees(&[&body[..at], &body[at + 1..]].concat());
        }
    }
    let text = String::from_utf8(all()[6].complete(1, Digest::ZERO).unwrap().body).unwrap();
    for (from, to) in [
        ("\"start_time\":\"", "\"start_time\":\"0"),
        ("\"user\":\"agent\"", "\"user\":\"\""),
        ("\"gids\":[1000]", "\"gids\":[]"),
    ] {
        let changed = text.replace(from, to);
        assert!(changed != text && Record::parse(changed.as_bytes()).is_err(), "{changed}");
    }
}

#[test]
fn a_commitment_is_there_if_something_is_hidden_and_only_its_salt_opens_it() {
    let finish = |words: &[&str], reason: &str| Draft::finished(&stamp(), &planned(words, Some("a"), Some(reason)).0);
    // The sample's environment has a value, which no record shows.
    let draft = finish(&["true"], "plain");
    let (case, _) = planned(&["true"], Some("a"), Some("plain"));
    assert_eq!(draft.record().commitment, Hidden::of(case.request()).commitment(SALT));
    assert_eq!(draft.opening(), Some(SALT));
    assert_ne!(draft.record().commitment, Hidden::of(case.request()).commitment(Salt::from_random([8; 16])));
    let hides = |words: &[&str], reason: &str| {
        let request = plain(words, reason);
        let draft = Draft::finished(&stamp(), &request.classify(&Rules::parse(&[]).unwrap()));
        assert_eq!(draft.record().commitment.is_some(), draft.opening().is_some());
        draft.record().commitment
    };
    assert_eq!(hides(&["true"], "plain"), None);
    let (pin, other) = (hides(&["mysql", "-p1234"], "plain"), hides(&["mysql", "-p1235"], "plain"));
    assert!(pin.is_some() && other.is_some() && pin != other);
    assert!(hides(&["true"], "password=1234").is_some());
}

/// A request whose environment and stdin are empty.
fn plain(words: &[&str], reason: &str) -> Request {
    let action = Action {
        argv: Argv::new(words.iter().map(|word| (*word).to_owned()).collect()).unwrap(),
        cwd: CleanPath::new("/").unwrap(),
        env: Environment::default(),
        stdin: None,
        timeout_ms: None,
    };
    let claims = Claims { agent: None, reason: Some(reason.to_owned()) };
    Request::new(RequestId::from_random(7), SALT, caller(), action, claims, Narrowing::default(), Secrets::default())
        .unwrap()
}

#[test]
fn the_digest_of_a_plan_depends_on_the_salt() {
    let (_, plan) = planned(&["mysql", "-p4711"], None, None);
    let other = Plan { salt: Salt::from_random([8; 16]), ..plan.clone() };
    assert_ne!(plan.digest().unwrap(), other.digest().unwrap());
}

/// What a thief of the log can do: hash every four-digit number in every way that the record's digests are made, but
/// without the salt. The salt is what makes the difference.
#[test]
fn a_hidden_value_cannot_be_confirmed_from_the_record() {
    let draft = |pin: &str| {
        let request = plain(&["mysql", &format!("-p{pin}")], "plain");
        Draft::finished(&stamp(), &request.classify(&Rules::parse(&[]).unwrap()))
    };
    let body = String::from_utf8(draft("4711").complete(1, Digest::ZERO).unwrap().body).unwrap();
    assert!(!body.contains("4711") && !body.contains(&SALT.to_string()));
    let guesses = (0..10_000).map(|pin| format!("-p{pin:04}"));
    for guess in guesses {
        let request = plain(&["mysql", &guess], "plain");
        let hidden = Hidden::of(&request);
        let words = canonical(&hidden).unwrap();
        let unsalted =
            [Digest::of(guess.as_bytes()), Digest::of(&words), hidden.commitment(Salt::from_random([0; 16])).unwrap()];
        assert!(unsalted.iter().all(|digest| !body.contains(&digest.to_string())), "{guess}");
    }
    let opened = Hidden::of(&plain(&["mysql", "-p4711"], "plain")).commitment(SALT).unwrap();
    assert!(body.contains(&opened.to_string()));
}

proptest! {
    #[test]
    fn whatever_a_caller_writes_the_record_reads_back(
        reason in any::<String>(), word in "[^\0]*", time in any::<u64>(), seq in 1_u64..MAX_NUMBER,
    ) {
        let reason: String = reason.chars().take(200).collect();
        let (case, _) = planned(&["x", &word], Some("a"), Some(&reason));
        let stamp = Stamp { time: Moment::from_millis(time), monotonic_ms: time, ..stamp() };
        let entry = Draft::finished(&stamp, &case).with_error(&reason).complete(seq, Digest::of(word.as_bytes())).unwrap();
        agrees(&entry.body);
        prop_assert_eq!(Record::parse(&entry.body).unwrap().seq, seq);
    }
}
