//! A request with a value that is named as secret, and everything that anybody gets to read of it.

use countersign_core::digest::Digest;
use countersign_core::environment::Environment;
use countersign_core::path::CleanPath;

use super::*;
use crate::bus::answers;
use crate::lock::lock;
use crate::pipeline::tests::stage::{GRANTED, OTHER, Stage, ask, caller, end, person, yes};

const VALUE: &str = "plain-Zq7-value";
const WORDS: [&str; 3] = ["change", "plain-Zq7-value", "a/plain-Zq7-value/b"];

/// Every text of an answer but the plan and the receipt.
fn texts(mut keys: Keys) -> String {
    keys.retain(|key, _| !["plan", "receipt"].contains(key));
    format!("{keys:?}")
}

fn asked(value: &str) -> crate::ask::Ask {
    let mut ask = ask(&WORDS);
    ask.secrets = Secrets::new(&[value.to_owned()]).unwrap();
    ask.action.env = Environment::new([("LANG".to_owned(), VALUE.to_owned())].into()).unwrap();
    ask.action.stdin = Some(Digest::of(VALUE.as_bytes()));
    ask.claims.agent = Some(format!("agent {VALUE}"));
    ask.claims.reason = Some(format!("because of {VALUE}"));
    ask.action.cwd = CleanPath::new("/srv/plain-Zq7-value").unwrap();
    ask
}

#[tokio::test]
async fn a_value_that_is_named_is_in_no_answer_record_or_dialog() {
    for (value, hidden) in [(VALUE, true), ("another-value", false)] {
        let stage = Stage::new("");
        let plan = answers::shown(&stage.pipeline.plan(&caller(GRANTED), asked(value)).await.unwrap());
        let ticket = stage.pipeline.submit(&caller(GRANTED), asked(value), Some(person(GRANTED))).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let said = [
            texts(plan),
            texts(answers::ticket(&ticket, |_| VALUE.to_owned(), Reader::Owner)),
            format!("{:?}", answers::ticket(&ticket, |_| String::new(), Reader::Other)),
            format!("{:?}", lock(&stage.humans.asked)),
        ];
        ticket
            .slot
            .give(crate::approve::queue::Answer::No { by: caller(OTHER).uid, sentence: format!("Not {VALUE}.") });
        let failure = end(&ticket).await.unwrap_err();
        assert_eq!(failure, countersign_core::code::Code::Refused);
        let ended = ticket.end().unwrap();
        let after = [format!("{:?}", stage.records()), format!("{:?} {}", ended.result, ended.receipt.sentence)];
        for text in said.iter().chain(&after) {
            assert_eq!(text.contains(VALUE), !hidden, "{value}: {text}");
            assert!(!hidden || text.contains("[REDACTED]"), "{value}: {text}");
        }
    }
}

#[tokio::test]
async fn its_owner_can_prove_it_and_nobody_else_gets_what_would_say_whether_a_guess_is_right() {
    let stage = Stage::new("");
    let ticket = stage.pipeline.submit(&caller(GRANTED), asked(VALUE), None).await.unwrap();
    let (owner, other) = (
        answers::ticket(&ticket, |_| String::new(), Reader::Owner),
        answers::ticket(&ticket, |_| String::new(), Reader::Other),
    );
    let said = |keys: &Keys, key| keys[key].downcast_ref::<&str>().unwrap().to_owned();
    assert!(said(&owner, "plan").contains(VALUE));
    let plan: countersign_core::plan::Plan = serde_json::from_str(&said(&owner, "plan")).unwrap();
    assert_eq!(plan.digest().unwrap().to_string(), said(&other, "digest"), "it is of the words as they are");
    for key in ["plan", "receipt", "stdin_sha256"] {
        assert_eq!(said(&other, key), "", "{key}");
    }
    ticket.slot.give(yes());
    ticket.withdraw(crate::tickets::Withdrawal::Asked);
    assert!(ticket.over().await.is_some());
    assert!(Reader::Owner.receipt(&ticket).contains(VALUE));
    assert_eq!(Reader::Other.receipt(&ticket), "");
}

#[tokio::test]
async fn what_is_known_of_the_caller_is_looked_through_too() {
    let stage = Stage::new("");
    let secret = "ghp_0123456789abcdefghij0123456789abcdef";
    let who = Caller {
        user: format!("token={secret}"),
        exe: Some(format!("/opt/{secret}/agent")),
        unit: Some(format!("run-{secret}.service")),
        session: Some(secret.to_owned()),
        ..caller(GRANTED)
    };
    let ticket = stage.pipeline.submit(&who, ask(&["change", "x"]), None).await.unwrap();
    let said = format!("{:?}", answers::ticket(&ticket, |_| String::new(), Reader::Other));
    assert!(!said.contains(secret) && said.matches("[REDACTED]").count() == 4, "{said}");
    assert!(said.contains("rules"), "what the classifier says has no words of the caller's: {said}");
}

#[tokio::test]
async fn what_says_what_is_done_may_not_be_named() {
    let stage = Stage::new("");
    for (words, value) in [(["change", "thing"], "change"), (["destroy", "it"], "destroy")] {
        let mut ask = ask(&words);
        ask.secrets = Secrets::new(&[value.to_owned()]).unwrap();
        let failure = stage.pipeline.submit(&caller(GRANTED), ask, None).await.unwrap_err();
        assert_eq!(failure.code, countersign_core::code::Code::InvalidRequest);
    }
    assert_eq!(stage.log(), ["final InvalidRequest"; 2]);
    assert!(stage.launcher.asked().is_empty(), "nothing was even looked at");
}

#[tokio::test]
async fn of_a_bundle_others_see_no_plan_that_hides_and_no_receipt_where_any_does() {
    let stage = Stage::new("");
    let clear = |word: &str| ask(&["change", word]);
    for (second, whole) in [(clear("y"), true), (clear("password=hunter2"), false)] {
        let asks = crate::row::Row::of([clear("x"), second]).unwrap();
        let ticket = stage.pipeline.submit(&caller(GRANTED), asks, None).await.unwrap();
        ticket.withdraw(crate::tickets::Withdrawal::Asked);
        assert!(ticket.over().await.is_some());
        let said = |reader| format!("{:?}", answers::ticket(&ticket, |_| String::new(), reader));
        assert_eq!(said(Reader::Owner).contains("hunter2"), !whole);
        assert!(!said(Reader::Other).contains("hunter2"), "{}", said(Reader::Other));
        assert_eq!(Reader::Other.receipt(&ticket).is_empty(), !whole);
        assert!(!Reader::Owner.receipt(&ticket).is_empty());
    }
}
