//! What is promised of the room for what is not taken in: a flood of it leaves as many records as there is room for and one
//! more that counts the rest, and is in the way of nobody else and of no read. A stop does not come
//! this way at all: `tests/gates.rs` has one.

use countersign_core::policy::budget::{LEAST, UNIT};
use countersign_core::record::Record;
use countersign_core::text::Steering;

use super::stage::asks;
use super::*;
use crate::control::{Operator, steer};

/// More than [`LEAST`], so that the grant is what decides.
const ROOM: usize = 70;

fn stage() -> Stage {
    Stage::granting("", &format!("budgets = {{ requests_per_minute = {ROOM} }}"))
}

/// A thousand different requests that the mode forbids: none is silenced, each would have its record.
async fn flood(stage: &Stage, uid: u32) -> Vec<Failure> {
    let mut failures = Vec::new();
    for number in 0..1_000 {
        failures.push(stage.submit(uid, &["destroy", &number.to_string()]).await.unwrap_err());
    }
    failures
}

fn of_crowd(stage: &Stage) -> Vec<Record> {
    stage.records().into_iter().filter(|record| record.code == Some(Code::OverBudget)).collect()
}

#[tokio::test]
async fn a_thousand_denials_leave_as_many_records_as_there_is_room_for_and_one_that_counts() {
    let stage = stage();
    let failures = flood(&stage, GRANTED).await;
    assert!(failures[..ROOM].iter().all(|failure| failure.code == Code::ModeCeiling));
    assert!(failures[ROOM..].iter().all(|failure| failure.code == Code::OverBudget));
    let told = &failures[ROOM].sentence;
    assert!(told.contains("70 records per minute") && told.contains("ask again after 20"), "{told}");
    assert_eq!(stage.records().len(), ROOM + 1);
    let crowd = &of_crowd(&stage)[0];
    assert_eq!((crowd.times, crowd.argv.len(), crowd.caller.as_ref().unwrap().uid.get()), (Some(1), 0, GRANTED));
}

#[tokio::test]
async fn what_there_is_no_room_for_is_counted_to_the_last_and_then_no_more() {
    let mut stage = stage();
    Arc::get_mut(&mut stage.pipeline).unwrap().silence.every = std::time::Duration::from_millis(500);
    flood(&stage, GRANTED).await;
    let counted = |stage: &Stage| of_crowd(stage).iter().filter_map(|record| record.times).sum::<u64>();
    for _ in 0..100 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        if counted(&stage) >= 930 {
            break;
        }
    }
    let records = of_crowd(&stage).len();
    assert_eq!(counted(&stage), 930, "every one of a thousand is in the log or counted there");
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    assert_eq!(of_crowd(&stage).len(), records, "nothing came, and nothing is said of it");
}

#[tokio::test]
async fn who_has_no_room_still_reads_waits_and_is_in_nobodys_way() {
    let stage = stage();
    flood(&stage, GRANTED).await;
    let read = stage.submit(GRANTED, &["echo", "x"]).await.unwrap();
    end(&read).await.unwrap();
    assert_eq!(
        stage.submit(GRANTED, &["change"]).await.unwrap().phase(),
        Phase::Waiting,
        "what is taken in needs no room"
    );
    assert_eq!(
        stage.submit(OTHER, &["destroy"]).await.unwrap_err().code,
        Code::ModeCeiling,
        "another user has its own"
    );
    stage.pipeline.plan(&caller(OTHER), ask(&["change"])).await.unwrap();
    assert_eq!(of_crowd(&stage).len(), 1);
}

#[tokio::test]
async fn plans_and_what_is_malformed_fill_the_same_room_and_a_full_one_costs_nothing() {
    let stage = stage();
    for number in 0..ROOM {
        if number % 2 == 0 {
            stage.pipeline.plan(&caller(GRANTED), ask(&["change"])).await.unwrap();
        } else {
            let malformed = Failure::new(Code::InvalidRequest, "x");
            assert_eq!(stage.pipeline.reject(&caller(GRANTED), malformed).await.code, Code::InvalidRequest);
        }
    }
    let pinned = stage.launcher.asked().len();
    for _ in 0..20 {
        let plan = stage.pipeline.plan(&caller(GRANTED), ask(&["change"])).await.unwrap_err();
        let steps = stage.pipeline.plan_steps(&caller(GRANTED), asks(&[&["echo"], &["change"]])).await.unwrap_err();
        let malformed = stage.pipeline.reject(&caller(GRANTED), Failure::new(Code::InvalidRequest, "x")).await;
        assert_eq!([plan.code, steps.code, malformed.code], [Code::OverBudget; 3]);
    }
    assert_eq!(stage.launcher.asked().len(), pinned, "nothing was looked at");
    assert_eq!(stage.records().len(), ROOM + 1);
}

#[tokio::test]
async fn each_step_of_a_plan_needs_room() {
    let stage = stage();
    for _ in 0..ROOM / 2 {
        stage.pipeline.plan_steps(&caller(GRANTED), asks(&[&["echo"], &["change"]])).await.unwrap();
    }
    let one_more = stage.pipeline.plan(&caller(GRANTED), ask(&["echo"])).await.unwrap_err();
    assert_eq!((one_more.code, stage.records().len()), (Code::OverBudget, ROOM + 1));
}

#[tokio::test]
async fn large_records_fill_the_room_sooner() {
    let stage = stage();
    let word = "x".repeat(usize::try_from(UNIT).unwrap() * 10);
    let mut recorded = 0_usize;
    for number in 0..100 {
        let failure = stage.submit(GRANTED, &["destroy", &word, &number.to_string()]).await.unwrap_err();
        recorded += usize::from(failure.code == Code::ModeCeiling);
    }
    assert_eq!((recorded, stage.records().len()), (7, 8), "eleven units each, and the last may be more than there is");
}

#[tokio::test]
async fn who_has_no_grant_has_little_room() {
    let stage = Stage::new("");
    for number in 0..200 {
        let failure = stage.submit(UNGRANTED, &["echo"]).await.unwrap_err();
        let code = if number < LEAST { Code::AccessDenied } else { Code::OverBudget };
        assert_eq!(failure.code, code, "{number}");
    }
    assert_eq!(stage.records().len(), usize::try_from(LEAST).unwrap() + 1);
    end(&stage.submit(GRANTED, &["echo"]).await.unwrap()).await.unwrap();
}

#[tokio::test]
async fn operators_who_are_refused_fill_it_too_and_only_a_hold_is_still_asked_about() {
    let stage = stage();
    let caller = caller(GRANTED);
    let act = |act| {
        let operator = Operator { caller: &caller, person: person(GRANTED), dialog: Dialog::Allowed };
        let pipeline = Arc::clone(&stage.pipeline);
        async move { steer(&pipeline, &operator, act, "").await }
    };
    for number in 0..100 {
        stage.will_reply(Reply::NoAgent);
        let code = if number < ROOM { Code::NoApprover } else { Code::OverBudget };
        assert_eq!(act(Steering::Hold).await.unwrap_err().code, code, "{number}");
    }
    assert_eq!(stage.records().len(), ROOM + 1);
    let asked = lock(&stage.humans.asked).len();
    for steering in [Steering::Resume, Steering::Reload, Steering::ClearTaint(Uid::ROOT)] {
        assert_eq!(act(steering).await.unwrap_err().code, Code::OverBudget);
    }
    assert_eq!(lock(&stage.humans.asked).len(), asked, "nobody is asked in vain");
    stage.will_reply(Reply::Yes(ApprovalKind::Challenge));
    act(Steering::Hold).await.unwrap();
    assert_eq!(stage.pipeline.standing.state(), RunState::Amber, "whoever proves to be an administrator can hold");
    assert_eq!(stage.log().last().unwrap(), "hold", "and that has its record");
}

#[tokio::test]
async fn what_is_not_answered_is_not_remembered_without_room() {
    let stage = stage();
    flood(&stage, GRANTED).await;
    for _ in 0..5 {
        assert_eq!(stage.submit(GRANTED, &["destroy", "other"]).await.unwrap_err().code, Code::OverBudget);
    }
    stage.pipeline.put_in_force(policy("mode = 'open'"));
    assert!(stage.submit(GRANTED, &["destroy", "other"]).await.is_ok());
    assert_eq!(stage.records().len(), ROOM + 1);
}
