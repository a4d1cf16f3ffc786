//! What is promised of the order in which a request passes its rooms, and that every way out is recorded once.

mod bundles;
mod bundles_in_trouble;
mod conditions;
mod faults;
mod gates;
mod killed;
mod lobby;
mod quorum;
pub(crate) mod stage;

use countersign_core::approval::ApprovalKind;
use countersign_core::caller::Uid;
use countersign_core::code::Code;
use countersign_core::outcome::Ended;
use countersign_core::policy::Taint;
use countersign_core::run_state::RunState;

use super::*;
use crate::approve::queue::Answer;
use crate::approve::{Dialog, Matter, Reply};
use crate::ask::DirectoryId;
use stage::{GRANTED, OTHER, Stage, UNGRANTED, ask, caller, end, person, policy, until, yes};

#[tokio::test]
async fn a_read_runs_at_once_and_leaves_intent_and_result() {
    let stage = Stage::new("");
    let ticket = stage.submit(GRANTED, &["echo", "hello", "there"]).await.unwrap();
    let ran = end(&ticket).await.unwrap();
    assert_eq!(
        (ran.outcome.ended.clone(), ran.output.stdout.preview.as_slice()),
        (Ended::Exited(0), b"hello there".as_slice())
    );
    assert_eq!(stage.launcher.asked(), ["pin", "run"]);
    assert_eq!(stage.log(), ["intent", "result"]);
    let receipt = &ticket.end().unwrap().receipt;
    assert_eq!((receipt.audit.as_ref().map(|audit| audit.seq), receipt.digest), (Some(2), Some(ticket.digest)));
    assert_eq!(receipt.stdout.as_ref().unwrap(), stage.records()[1].stdout.as_ref().unwrap());
    assert_eq!(stage.pipeline.latches.of(ticket.owner()), Taint::Tainted, "it was given output");
}

#[tokio::test]
async fn who_has_no_grant_is_told_so_and_recorded_once() {
    let stage = Stage::new("");
    for _ in 0..2 {
        assert_eq!(stage.submit(UNGRANTED, &["echo"]).await.unwrap_err().code, Code::AccessDenied);
    }
    let failure = stage.pipeline.plan(&caller(UNGRANTED), ask(&["echo"])).await.unwrap_err();
    assert_eq!(failure.code, Code::AccessDenied);
    let malformed = stage.pipeline.reject(&caller(UNGRANTED), Failure::new(Code::InvalidRequest, "x")).await;
    assert_eq!(malformed.code, Code::AccessDenied, "no detail for who may not ask");
    assert_eq!(stage.log(), ["final AccessDenied"; 4]);
    assert!(stage.launcher.asked().is_empty(), "nothing was even looked at");
}

#[tokio::test]
async fn what_the_mode_forbids_never_reaches_launcher_or_human() {
    let stage = Stage::new("mode = 'readonly'");
    assert_eq!(stage.submit_in_place(&["change"]).await.unwrap_err().code, Code::ModeCeiling);
    assert!(stage.launcher.asked().is_empty() && lock(&stage.humans.asked).is_empty());
    assert_eq!(stage.log(), ["final ModeCeiling"]);
}

#[tokio::test]
async fn what_is_not_there_is_recorded_once() {
    let stage = Stage::new("");
    assert_eq!(stage.submit(GRANTED, &["missing"]).await.unwrap_err().code, Code::LaunchFailed);
    assert_eq!(stage.log(), ["final LaunchFailed"]);
}

#[tokio::test]
async fn another_directory_than_the_one_passed_is_a_change() {
    let stage = Stage::new("");
    for (inode, fits) in [(2, true), (3, false)] {
        let mut ask = ask(&["echo"]);
        ask.directory = Some(DirectoryId { device: 1, inode });
        let submitted = stage.pipeline.submit(&caller(GRANTED), ask, None).await;
        assert_eq!(submitted.map_err(|failure| failure.code).err(), (!fits).then_some(Code::Changed));
    }
}

#[tokio::test]
async fn a_change_waits_and_runs_once_it_is_approved() {
    let stage = Stage::new("");
    let ticket = stage.submit(GRANTED, &["change"]).await.unwrap();
    assert_eq!((ticket.phase(), stage.ran()), (Phase::Waiting, false));
    assert!(ticket.slot.give(yes()) && !ticket.slot.give(yes()), "one answer");
    until(&ticket, Phase::Running).await;
    ticket.withdraw(Withdrawal::Asked);
    assert_eq!(end(&ticket).await.unwrap().outcome.ended, Ended::Cancelled);
    assert_eq!(stage.log(), ["intent", "result Cancelled"]);
    assert_eq!(stage.records()[0].approvers[0].uid, Uid::ROOT);
    assert_eq!(stage.launcher.asked(), ["pin", "run", "cancel"]);
}

#[tokio::test]
async fn a_refusal_runs_nothing_and_says_who() {
    let stage = Stage::new("");
    let ticket = stage.submit(GRANTED, &["change"]).await.unwrap();
    assert!(ticket.slot.give(Answer::No { by: Uid::ROOT, sentence: "No.".to_owned() }));
    assert_eq!(end(&ticket).await.unwrap_err(), Code::Refused);
    assert_eq!((stage.log(), stage.ran()), (vec!["final Refused".to_owned()], false));
    assert_eq!(stage.records()[0].refuser, Some(Uid::ROOT));
    assert_eq!(ticket.end().unwrap().receipt.code, Some(Code::Refused));
}

#[tokio::test]
async fn what_nobody_decides_expires() {
    let stage = Stage::new("[approval]\nexpiry_s = 1");
    let ticket = stage.submit(GRANTED, &["change"]).await.unwrap();
    assert_eq!(end(&ticket).await.unwrap_err(), Code::Expired);
    assert!(!ticket.slot.give(yes()), "too late");
    assert_eq!((stage.log(), stage.ran()), (vec!["final Expired".to_owned()], false));
}

#[tokio::test]
async fn a_caller_that_leaves_takes_its_requests_along_but_for_the_detached() {
    let stage = Stage::new("");
    let mut detached = ask(&["change"]);
    detached.detached = true;
    let stays = stage.pipeline.submit(&caller(GRANTED), detached, None).await.unwrap();
    let waits = stage.submit(GRANTED, &["change"]).await.unwrap();
    let others = stage.submit(OTHER, &["change"]).await.unwrap();
    let runs = stage.submit(GRANTED, &["wait"]).await.unwrap();
    until(&runs, Phase::Running).await;
    stage.pipeline.departed(&caller(GRANTED).bus_name);
    assert_eq!(end(&waits).await.unwrap_err(), Code::Cancelled);
    assert_eq!(end(&runs).await.unwrap().outcome.ended, Ended::Cancelled);
    assert_eq!((stays.phase(), others.phase()), (Phase::Waiting, Phase::Waiting));
}

#[tokio::test]
async fn an_approval_is_for_the_policy_under_which_it_was_asked() {
    let stage = Stage::new("");
    let ticket = stage.submit(GRANTED, &["change"]).await.unwrap();
    let approved = stage.submit(GRANTED, &["change"]).await.unwrap();
    assert!(approved.slot.give(yes()));
    stage.pipeline.put_in_force(policy("mode = 'open'"));
    assert!(!ticket.slot.give(yes()), "what waited is void at once");
    assert_eq!(end(&ticket).await.unwrap_err(), Code::Changed);
    assert_eq!(end(&approved).await.unwrap_err(), Code::Changed);
    assert!(!stage.ran());
}

#[tokio::test]
async fn in_place_a_yes_runs_and_a_no_refuses() {
    for (reply, ran, code) in [
        (Reply::Yes(ApprovalKind::Challenge), true, None),
        (Reply::No, false, Some(Code::Refused)),
        (Reply::Dismissed, false, Some(Code::Refused)),
    ] {
        let stage = Stage::new("");
        stage.will_reply(reply);
        let ticket = stage.submit_in_place(&["change", "x"]).await.unwrap();
        if ran {
            until(&ticket, Phase::Running).await;
        } else {
            assert_eq!(end(&ticket).await.err(), code, "{reply:?}");
        }
        assert_eq!(stage.ran(), ran, "{reply:?}");
        let asked = lock(&stage.humans.asked);
        assert_eq!(asked[0].0, Matter::Approve(Tier::T2));
        assert!(asked[0].1.values().any(|value| value.contains("change x")), "{:?}", asked[0].1);
    }
}

#[tokio::test]
async fn in_place_without_anybody_to_ask_it_stays_in_the_queue() {
    for reply in [Reply::NoAgent, Reply::Unavailable, Reply::NeedsDialog, Reply::Gone] {
        let stage = Stage::new("");
        stage.will_reply(reply);
        let ticket = stage.submit_in_place(&["change"]).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        assert_eq!((ticket.phase(), ticket.slot.is_open()), (Phase::Waiting, true), "{reply:?}");
    }
}

#[tokio::test]
async fn the_dialog_closes_when_somebody_else_decided() {
    let stage = Stage::new("");
    let ticket = stage.submit_in_place(&["change"]).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!((lock(&stage.humans.asked).len(), lock(&stage.humans.closed).len()), (1, 0));
    ticket.withdraw(Withdrawal::Asked);
    assert_eq!(end(&ticket).await.unwrap_err(), Code::Cancelled);
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!(*lock(&stage.humans.closed), [Matter::Approve(Tier::T2)]);
}

#[tokio::test]
async fn an_administrator_decides_only_with_a_yes_of_polkit() {
    let stage = Stage::new("");
    let ticket = stage.submit(GRANTED, &["change"]).await.unwrap();
    let admin = person(OTHER);
    for (reply, code) in [
        (Reply::No, Code::AccessDenied),
        (Reply::Dismissed, Code::AccessDenied),
        (Reply::NeedsDialog, Code::AccessDenied),
        (Reply::Gone, Code::AccessDenied),
        (Reply::NoAgent, Code::NoApprover),
        (Reply::Unavailable, Code::NoApprover),
    ] {
        for decision in [Decision::Approve, Decision::Refuse { sentence: "No.".to_owned() }] {
            stage.will_reply(reply);
            let decided = stage.pipeline.decide(&ticket, &admin, Dialog::Allowed, Seen::Before, decision).await;
            assert_eq!(decided.unwrap_err().code, code, "{reply:?}");
            assert!(ticket.slot.is_open(), "the request goes on waiting");
        }
    }
    stage.will_reply(Reply::Yes(ApprovalKind::PolkitRule));
    stage.pipeline.decide(&ticket, &admin, Dialog::Never, Seen::Before, Decision::Approve).await.unwrap();
    until(&ticket, Phase::Running).await;
    assert_eq!(stage.records()[0].approvers[0].uid.get(), OTHER);
}

#[tokio::test]
async fn who_names_no_digest_must_have_seen_a_dialog() {
    let stage = Stage::new("");
    let ticket = stage.submit(GRANTED, &["change"]).await.unwrap();
    let admin = person(OTHER);
    let decide = |decision| stage.pipeline.decide(&ticket, &admin, Dialog::Allowed, Seen::InTheDialog, decision);
    stage.will_reply(Reply::Yes(ApprovalKind::PolkitRule));
    assert_eq!(decide(Decision::Approve).await.unwrap_err().code, Code::WrongDigest);
    assert!(ticket.slot.is_open());
    stage.will_reply(Reply::Yes(ApprovalKind::Challenge));
    decide(Decision::Approve).await.unwrap();
    until(&ticket, Phase::Running).await;
}

#[tokio::test]
async fn what_no_dialog_shows_whole_is_decided_on_by_its_digest_alone() {
    let stage = Stage::new("");
    let admin = person(OTHER);
    for (bytes, fits) in [(100, true), (20_000, false)] {
        let ticket = stage.submit(GRANTED, &["change", &"x".repeat(bytes)]).await.unwrap();
        stage.will_reply(Reply::Yes(ApprovalKind::Challenge));
        let decide = |seen| stage.pipeline.decide(&ticket, &admin, Dialog::Allowed, seen, Decision::Approve);
        let decided = decide(Seen::InTheDialog).await.map_err(|failure| failure.code);
        assert_eq!(decided.err(), (!fits).then_some(Code::WrongDigest), "{bytes}");
        if !fits {
            assert!(ticket.slot.is_open(), "it goes on waiting, and the person is not asked");
            decide(Seen::Before).await.unwrap();
        }
        until(&ticket, Phase::Running).await;
    }
    assert_eq!(lock(&stage.humans.asked).len(), 2);
}

#[tokio::test]
async fn what_cannot_be_undone_needs_a_password() {
    let stage = Stage::new("mode = 'open'");
    let ticket = stage.submit(GRANTED, &["destroy"]).await.unwrap();
    stage.will_reply(Reply::Yes(ApprovalKind::PolkitRule));
    let decided =
        stage.pipeline.decide(&ticket, &person(OTHER), Dialog::Allowed, Seen::Before, Decision::Approve).await;
    assert_eq!(decided.unwrap_err().code, Code::NeedsApproval);
    stage.will_reply(Reply::Yes(ApprovalKind::Challenge));
    stage.pipeline.decide(&ticket, &person(OTHER), Dialog::Allowed, Seen::Before, Decision::Approve).await.unwrap();
    until(&ticket, Phase::Running).await;
}

#[tokio::test]
async fn a_log_that_cannot_be_written_lets_nothing_run() {
    let stage = Stage::new("");
    stage.pipeline.ledger.close().await;
    let ticket = stage.submit(GRANTED, &["echo"]).await.unwrap();
    assert_eq!(end(&ticket).await.unwrap_err(), Code::AuditUnavailable);
    assert_eq!((stage.ran(), stage.pipeline.standing.state()), (false, RunState::Amber));
    assert_eq!(stage.submit(GRANTED, &["change"]).await.unwrap_err().code, Code::Held, "reads only from here on");
    assert_eq!(stage.pipeline.plan(&caller(GRANTED), ask(&["echo"])).await.unwrap_err().code, Code::AuditUnavailable);
}

#[tokio::test]
async fn a_plan_runs_nothing_and_is_recorded_once() {
    let stage = Stage::new("");
    let shown = stage.pipeline.plan(&caller(GRANTED), ask(&["change"])).await.unwrap();
    assert_eq!(shown.failure.as_ref().unwrap().code, Code::NeedsApproval);
    assert!(shown.drawn.is_some());
    let shown = stage.pipeline.plan(&caller(GRANTED), ask(&["destroy"])).await.unwrap();
    assert_eq!((shown.failure.unwrap().code, shown.drawn.is_some()), (Code::ModeCeiling, false));
    assert_eq!(stage.log(), ["plan NeedsApproval", "plan ModeCeiling"]);
    assert!(stage.pipeline.tickets.unfinished().is_empty() && !stage.ran());
}

#[tokio::test]
async fn a_stopped_or_draining_broker_takes_nothing_in() {
    let stage = Stage::new("");
    stage.pipeline.standing.wind_down(crate::standing::Intake::Draining);
    assert_eq!(stage.submit(GRANTED, &["echo"]).await.unwrap_err().code, Code::Held);
    stage.pipeline.standing.stop();
    assert_eq!(stage.submit(GRANTED, &["echo"]).await.unwrap_err().code, Code::Stopped);
    assert!(stage.launcher.asked().is_empty());
}

#[tokio::test]
async fn one_user_can_wait_sixteen_times_and_not_once_more() {
    let stage = Stage::new("");
    let mut tickets = Vec::new();
    for _ in 0..16 {
        tickets.push(stage.submit(GRANTED, &["change"]).await.unwrap());
    }
    assert_eq!(stage.submit(GRANTED, &["change"]).await.unwrap_err().code, Code::OverBudget);
    assert!(stage.submit(OTHER, &["change"]).await.is_ok(), "another user is not in the way");
    tickets[0].withdraw(Withdrawal::Asked);
    end(&tickets[0]).await.unwrap_err();
    assert!(stage.submit(GRANTED, &["change"]).await.is_ok());
}

#[tokio::test]
async fn one_user_can_run_sixteen_jobs_and_not_one_more() {
    let stage = Stage::new("");
    for _ in 0..16 {
        let ticket = stage.submit(GRANTED, &["wait"]).await.unwrap();
        until(&ticket, Phase::Running).await;
    }
    let one_more = stage.submit(GRANTED, &["wait"]).await.unwrap();
    assert_eq!(end(&one_more).await.unwrap_err(), Code::OverBudget);
    let others = stage.submit(OTHER, &["wait"]).await.unwrap();
    until(&others, Phase::Running).await;
}
