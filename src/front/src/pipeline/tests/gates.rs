//! What is promised of the gates: of many who race one runs, floods open few dialogs, what was refused too often is not
//! answered, what was spent stays spent, and who was given output is asked about.

use countersign_core::policy::budget::Budget;
use countersign_core::record::{Judgement, Phase as Step};

use super::stage::granting;
use super::*;
use crate::tickets::Event;

fn no() -> Answer {
    Answer::No { by: Uid::ROOT, sentence: "No.".to_owned() }
}

fn runs(stage: &Stage) -> usize {
    stage.launcher.asked().iter().filter(|what| *what == "run").count()
}

fn used(stage: &Stage, uid: u32) -> [u64; 6] {
    let accounts = stage.pipeline.budgets.accounts();
    Budget::ALL.map(|budget| accounts.used(Uid::try_from(uid).unwrap(), budget, clock::now()))
}

async fn refused(stage: &Stage, words: &[&str]) {
    let ticket = stage.submit(GRANTED, words).await.unwrap();
    assert!(ticket.slot.give(no()));
    assert_eq!(end(&ticket).await.unwrap_err(), Code::Refused);
}

/// A thousand approvals, sixteen at a time, each raced for by 64.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_sixty_four_who_race_for_one_approval_one_runs_a_thousand_times() {
    let budgets = "budgets = { requests_per_minute = 100000, prompts_per_hour = 100000 }";
    let stage = Arc::new(Stage::granting("", budgets));
    let mut rounds = 0_usize;
    while rounds < 1_000 {
        let mut racing = Vec::new();
        for _ in 0..16 {
            let ticket = stage.submit(GRANTED, &["change"]).await.unwrap();
            let racers = (0..64).map(|_| {
                let ticket = Arc::clone(&ticket);
                tokio::spawn(async move { ticket.slot.give(yes()) })
            });
            racing.push((Arc::clone(&ticket), racers.collect::<Vec<_>>()));
        }
        for (ticket, racers) in racing {
            let mut winners = 0_u32;
            for racer in racers {
                winners = winners.saturating_add(u32::from(racer.await.unwrap()));
            }
            assert_eq!(winners, 1);
            until(&ticket, Phase::Running).await;
            assert!(!ticket.step(Event::Seal, RunState::Green), "no second order of it");
            ticket.withdraw(Withdrawal::Asked);
            end(&ticket).await.unwrap();
            rounds = rounds.saturating_add(1);
        }
        assert_eq!(runs(&stage), rounds, "one run for each approval");
    }
    let intents = stage.records().iter().filter(|record| record.phase == Step::Intent).count();
    assert_eq!(intents, rounds);
}

#[tokio::test]
async fn a_thousand_requests_of_one_user_open_as_many_dialogs_as_its_budget_and_no_more() {
    let stage = Stage::granting("", "budgets = { waiting = 7 }");
    let mut codes = std::collections::BTreeMap::new();
    let mut tickets = Vec::new();
    for number in 0..1_000 {
        match stage.submit_in_place(&["change", &number.to_string()]).await {
            Ok(ticket) => tickets.push(ticket),
            Err(failure) => *codes.entry(failure.code.name()).or_insert(0_u32) += 1,
        }
    }
    assert_eq!((tickets.len(), codes.get("OverBudget"), codes.len()), (7, Some(&993), 1));
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!(lock(&stage.humans.asked).len(), 7);
    assert!(stage.submit(OTHER, &["change"]).await.is_ok(), "another user is not in the way");
    assert_eq!(used(&stage, GRANTED), [7, 0, 7, 0, 7, 0], "a refusal has charged nothing");
}

#[tokio::test]
async fn people_are_asked_so_often_in_an_hour_and_not_again_after_a_restart() {
    let stage = Stage::granting("", "budgets = { prompts_per_hour = 2 }");
    for number in ["1", "2"] {
        refused(&stage, &["change", number]).await;
    }
    let failure = stage.submit(GRANTED, &["change", "3"]).await.unwrap_err();
    assert!(
        failure.code == Code::OverBudget && failure.sentence.contains("2 questions to people per hour"),
        "{failure}"
    );
    assert!(failure.sentence.contains("ask again after 20"), "it says when: {failure}");
    assert!(stage.submit(GRANTED, &["echo"]).await.is_ok(), "reads ask nobody");
    let stage = stage.restarted().await;
    assert_eq!(stage.submit(GRANTED, &["change", "3"]).await.unwrap_err().code, Code::OverBudget);
    assert!(stage.submit(OTHER, &["change"]).await.is_ok());
}

#[tokio::test]
async fn what_was_spent_is_known_again_after_a_restart() {
    let stage = Stage::granting("mode = 'open'", "");
    end(&stage.submit(GRANTED, &["echo"]).await.unwrap()).await.unwrap();
    refused(&stage, &["destroy"]).await;
    let before = used(&stage, GRANTED);
    assert_eq!(before, [2, 0, 0, 1, 1, 1]);
    assert_eq!(used(&stage.restarted().await, GRANTED), before);
}

#[tokio::test]
async fn irreversible_requests_are_counted_by_the_day() {
    let stage = Stage::granting("mode = 'open'", "budgets = { t3_per_day = 1 }");
    refused(&stage, &["destroy", "1"]).await;
    let failure = stage.submit(GRANTED, &["destroy", "2"]).await.unwrap_err();
    assert!(failure.sentence.contains("1 irreversible requests per day"), "{failure}");
    assert!(stage.submit(GRANTED, &["change"]).await.is_ok());
}

#[tokio::test]
async fn a_job_holds_the_time_that_it_may_take_and_spends_what_it_took() {
    let stage = Stage::granting("", "budgets = { job_seconds_per_hour = 31 }");
    let runs = stage.submit(GRANTED, &["wait"]).await.unwrap();
    until(&runs, Phase::Running).await;
    assert_eq!(used(&stage, GRANTED), [1, 1, 0, 30_000, 0, 0], "as long as its sandbox allows");
    let one_more = stage.submit(GRANTED, &["echo"]).await.unwrap();
    assert_eq!(end(&one_more).await.unwrap_err(), Code::OverBudget);
    runs.withdraw(Withdrawal::Asked);
    end(&runs).await.unwrap();
    end(&stage.submit(GRANTED, &["echo"]).await.unwrap()).await.unwrap();
    assert_eq!(used(&stage, GRANTED)[3], 2, "a millisecond each");
}

#[tokio::test]
async fn whatever_is_refused_charges_nothing() {
    let stage = Stage::new("");
    for words in [&["destroy"][..], &["missing"], &["rm", "-rf", "/"]] {
        stage.submit(GRANTED, words).await.unwrap_err();
    }
    stage.submit(UNGRANTED, &["echo"]).await.unwrap_err();
    stage.pipeline.plan(&caller(GRANTED), ask(&["change"])).await.unwrap();
    assert_eq!((stage.pipeline.budgets.accounts().users(), used(&stage, GRANTED)), (0, [0; 6]));
}

#[tokio::test]
async fn what_people_refused_three_times_is_not_answered_and_others_are() {
    let stage = Stage::new("");
    for _ in 0..3 {
        refused(&stage, &["change", "x"]).await;
    }
    for _ in 0..50 {
        let failure = stage.submit_in_place(&["change", "x"]).await.unwrap_err();
        assert!(failure.code == Code::Silenced && !failure.sentence.contains("change"), "{failure}");
    }
    assert!(lock(&stage.humans.asked).is_empty(), "nobody was asked");
    let records = stage.records();
    let silent: Vec<_> = records.iter().filter(|record| record.verdict == Some(Judgement::Silence)).collect();
    assert_eq!((silent.len(), silent[0].times, silent[0].code), (1, Some(1), Some(Code::Silenced)));
    assert!(stage.submit(OTHER, &["change", "x"]).await.is_ok(), "another user");
    assert!(stage.submit(GRANTED, &["change", "y"]).await.is_ok(), "another plan");
    let plan = stage.pipeline.plan(&caller(GRANTED), ask(&["change", "x"])).await.unwrap_err();
    assert_eq!(plan.code, Code::Silenced, "a plan tells no more");
    let stage = stage.restarted().await;
    assert_eq!(stage.submit(GRANTED, &["change", "x"]).await.unwrap_err().code, Code::Silenced);
    assert!(stage.submit(OTHER, &["change", "x"]).await.is_ok());
}

#[tokio::test]
async fn what_policy_refused_three_times_is_not_answered_until_the_policy_is_another() {
    let stage = Stage::new("");
    let mut codes = Vec::new();
    for _ in 0..5 {
        codes.push(stage.submit(GRANTED, &["destroy"]).await.unwrap_err().code);
    }
    assert_eq!(codes[..3], [Code::ModeCeiling; 3]);
    assert_eq!(codes[3..], [Code::Silenced; 2]);
    stage.pipeline.put_in_force(policy("mode = 'open'"));
    assert!(stage.submit(GRANTED, &["destroy"]).await.is_ok());
}

#[tokio::test]
async fn a_callers_own_bounds_silence_nothing() {
    let stage = Stage::new("");
    for _ in 0..5 {
        let mut narrow = ask(&["change"]);
        narrow.narrowing.max_tier = Some(Tier::T0);
        let denied = stage.pipeline.submit(&caller(GRANTED), narrow, None).await.unwrap_err();
        assert_eq!(denied.code, Code::Denied);
    }
    assert!(stage.submit(GRANTED, &["change"]).await.is_ok());
}

#[tokio::test]
async fn who_was_given_output_is_asked_about_until_the_latch_is_cleared() {
    let stage = Stage::granting("", "auto = 'T1'");
    let tweak = stage.submit(GRANTED, &["tweak", "/srv/x"]).await.unwrap();
    until(&tweak, Phase::Running).await;
    assert_eq!(tweak.judgement, Judgement::Allow);
    let tainted = |stage: &Stage| stage.pipeline.latches.of(tweak.owner());
    assert_eq!(tainted(&stage), Taint::Tainted, "before it ends: its output may be read already");
    tweak.withdraw(Withdrawal::Asked);
    end(&tweak).await.unwrap();
    let asked = stage.submit(GRANTED, &["tweak", "/srv/x"]).await.unwrap();
    assert_eq!((asked.judgement, asked.phase()), (Judgement::Hold, Phase::Waiting));
    asked.withdraw(Withdrawal::Asked);
    end(&asked).await.unwrap_err();
    let others = stage.submit(OTHER, &["tweak", "/srv/x"]).await.unwrap();
    assert_eq!(others.judgement, Judgement::Allow, "another user's latch is its own");
    let stage = stage.restarted().await.restarted().await;
    assert_eq!(tainted(&stage), Taint::Tainted, "and a restart clears nothing");
    crate::control::clear_of_the_gone(&stage.pipeline, tweak.owner()).await.unwrap();
    assert_eq!(tainted(&stage), Taint::Clean);
    let stage = stage.restarted().await;
    assert_eq!(tainted(&stage), Taint::Clean, "nor does it arm anything");
    let again = stage.submit(GRANTED, &["tweak", "/srv/x"]).await.unwrap();
    assert_eq!(again.judgement, Judgement::Allow);
}

#[tokio::test]
async fn leave_that_was_given_to_the_clean_is_void_for_the_tainted() {
    let stage = Stage::granting("", "auto = 'T1'");
    let considered = stage.submit(GRANTED, &["tweak", "/srv/x"]).await.unwrap();
    // On one thread nothing has moved since: the judge has allowed it, and nothing is sealed.
    stage.pipeline.latches.arm(considered.owner());
    assert_eq!(end(&considered).await.unwrap_err(), Code::Changed);
    assert!(!stage.ran());
}

#[tokio::test]
async fn a_plan_can_be_told_all_that_stands_in_its_way() {
    let stage = Stage::granting("mode = 'readonly'", "budgets = { prompts_per_hour = 0 }");
    let mut asked = ask(&["destroy"]);
    asked.narrowing.max_tier = Some(Tier::T1);
    let shown = stage.pipeline.plan(&caller(GRANTED), asked).await.unwrap();
    let codes: Vec<Code> = shown.against.iter().map(|failure| failure.code).collect();
    assert_eq!(
        (codes.as_slice(), shown.failure.unwrap().code),
        (&[Code::ModeCeiling, Code::Denied][..], Code::ModeCeiling)
    );
    stage.pipeline.put_in_force(granting("", "budgets = { prompts_per_hour = 0 }"));
    let shown = stage.pipeline.plan(&caller(GRANTED), ask(&["change"])).await.unwrap();
    let codes: Vec<Code> = shown.against.iter().map(|failure| failure.code).collect();
    assert_eq!(codes, [Code::OverBudget, Code::NeedsApproval]);
}
