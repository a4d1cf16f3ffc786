//! What is promised of bundles: one approval of the whole, steps in order and each once, and nothing after one that failed.

use countersign_core::approval::Approver;
use countersign_core::policy::budget::Budget;
use countersign_core::record::{Judgement, Phase as Step};

use super::stage::asks;
use super::*;
use crate::tickets::Event;

async fn submit(stage: &Stage, lines: &[&[&str]]) -> Result<Arc<Ticket>, Failure> {
    stage.pipeline.submit(&caller(GRANTED), asks(lines), None).await
}

/// Waits until this step runs.
async fn running(ticket: &Ticket, at: usize) -> RequestId {
    let command = ticket.commands.iter().nth(at).unwrap();
    for _ in 0..500 {
        if command.has_begun() {
            return command.id();
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("step {at} never ran");
}

async fn codes(ticket: &Ticket) -> Vec<Option<Code>> {
    end(ticket).await.ok();
    ticket.commands.iter().map(|command| command.end().unwrap().receipt.code).collect()
}

fn used(stage: &Stage) -> [u64; 6] {
    let accounts = stage.pipeline.budgets.accounts();
    Budget::ALL.map(|budget| accounts.used(Uid::try_from(GRANTED).unwrap(), budget, clock::now()))
}

#[tokio::test]
async fn one_approval_runs_every_step_in_order_and_once() {
    let stage = Stage::new("");
    let ticket = submit(&stage, &[&["change", "1"], &["echo", "two"], &["change", "3"]]).await.unwrap();
    assert_eq!((ticket.tier(), ticket.judgement, ticket.phase()), (Tier::T2, Judgement::Hold, Phase::Waiting));
    let bundle = ticket.bundle.clone().unwrap();
    assert_eq!((bundle.digest().unwrap(), bundle.id), (ticket.digest, ticket.id()));
    assert!(ticket.slot.give(yes()) && !ticket.slot.give(yes()));
    stage.launcher.finish(running(&ticket, 0).await);
    let third = running(&ticket, 2).await;
    assert_eq!(ticket.phase(), Phase::Running);
    stage.launcher.finish(third);
    assert_eq!(codes(&ticket).await, [None; 3]);
    assert_eq!(stage.log(), ["intent", "result", "intent", "result", "intent", "result"]);
    for (at, pair) in stage.records().chunks(2).enumerate() {
        let [intent, result] = pair else { unreachable!() };
        let part = intent.bundle.as_ref().unwrap();
        let number = u32::try_from(at).unwrap() + 1;
        assert_eq!((part.digest, part.of, part.step), (ticket.digest, 3, number));
        assert_eq!((intent.approvers.len(), &intent.bundle), (1, &result.bundle));
        assert_eq!((intent.id, intent.digest), (result.id, Some(bundle.steps[at])));
    }
    let receipt = ticket.bundle_receipt().unwrap();
    assert_eq!((receipt.code, receipt.steps.len(), receipt.bundle.digest().unwrap()), (None, 3, receipt.digest));
    let drawn: Vec<_> = receipt.steps.iter().map(|step| step.plan.as_ref().unwrap().digest().unwrap()).collect();
    assert_eq!(drawn, bundle.steps, "each step's digest follows from its plan");
    assert!(!ticket.step(Event::Seal, RunState::Green), "no second order of any step");
}

#[tokio::test]
async fn nothing_begins_after_a_step_that_failed() {
    let stage = Stage::new("");
    let ticket = submit(&stage, &[&["change", "1"], &["change", "2"], &["change", "3"], &["echo"]]).await.unwrap();
    assert!(ticket.slot.give(yes()));
    stage.launcher.finish(running(&ticket, 0).await);
    stage.launcher.fail(running(&ticket, 1).await);
    assert_eq!(codes(&ticket).await, [None, None, Some(Code::Void), Some(Code::Void)]);
    assert_eq!(stage.log(), ["intent", "result", "intent", "result", "final Void", "final Void"]);
    let records = stage.records();
    assert_eq!(records.iter().filter(|record| record.bundle.is_none()).count(), 0);
    assert!(records[4].error.as_ref().unwrap().contains("Step 2"), "{:?}", records[4].error);
    let ran = ticket.end().unwrap().result.as_ref().unwrap();
    assert_eq!(ran.outcome.ended, Ended::Exited(1), "the step that decided it");
    let receipt = ticket.bundle_receipt().unwrap();
    let ended: Vec<_> = receipt.steps.iter().map(|step| step.ended.clone()).collect();
    assert_eq!(ended, [Some(Ended::Exited(0)), Some(Ended::Exited(1)), None, None]);
}

#[tokio::test]
async fn a_cancel_in_the_middle_ends_the_step_that_runs_and_voids_the_rest() {
    let stage = Stage::new("");
    let ticket = submit(&stage, &[&["change", "1"], &["change", "2"]]).await.unwrap();
    assert!(ticket.slot.give(yes()));
    running(&ticket, 0).await;
    ticket.withdraw(Withdrawal::Asked);
    assert_eq!(codes(&ticket).await, [Some(Code::Cancelled), Some(Code::Void)]);
    assert_eq!(stage.log(), ["intent", "result Cancelled", "final Void"]);
}

#[tokio::test]
async fn a_policy_that_changes_in_the_middle_voids_the_rest() {
    let stage = Stage::new("");
    let ticket = submit(&stage, &[&["change", "1"], &["change", "2"], &["echo"]]).await.unwrap();
    assert!(ticket.slot.give(yes()));
    let first = running(&ticket, 0).await;
    stage.pipeline.put_in_force(policy("mode = 'open'"));
    stage.launcher.finish(first);
    assert_eq!(codes(&ticket).await, [None, Some(Code::Changed), Some(Code::Void)]);
}

#[tokio::test]
async fn a_hold_and_a_stop_in_the_middle_void_the_rest() {
    for stops in [false, true] {
        let stage = Stage::new("");
        let ticket = submit(&stage, &[&["change", "1"], &["change", "2"], &["change", "3"]]).await.unwrap();
        assert!(ticket.slot.give(yes()));
        let first = running(&ticket, 0).await;
        if stops {
            stage.pipeline.standing.stop()
        } else {
            stage.pipeline.standing.warn()
        }
        stage.launcher.finish(first);
        let code = if stops { Code::Stopped } else { Code::Held };
        assert_eq!(codes(&ticket).await, [None, Some(code), Some(Code::Void)]);
        assert_eq!(stage.launcher.asked().iter().filter(|what| *what == "run").count(), 1);
    }
}

#[tokio::test]
async fn the_expiry_bounds_the_whole() {
    let stage = Stage::new("[approval]\nexpiry_s = 1");
    let ticket = submit(&stage, &[&["change", "1"], &["change", "2"]]).await.unwrap();
    assert!(ticket.slot.give(yes()));
    let first = running(&ticket, 0).await;
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    stage.launcher.finish(first);
    assert_eq!(codes(&ticket).await, [None, Some(Code::Expired)]);
    let ticket = submit(&stage, &[&["change", "1"], &["change", "2"]]).await.unwrap();
    assert_eq!(codes(&ticket).await, [Some(Code::Expired); 2], "nobody decided: a record for each");
}

#[tokio::test]
async fn a_denied_step_denies_the_whole_before_anybody_is_asked() {
    let stage = Stage::new("");
    for lines in [&[&["change"][..], &["destroy"]][..], &[&["destroy"], &["change"]]] {
        let submitted = stage.pipeline.submit(&caller(GRANTED), asks(lines), Some(person(GRANTED))).await;
        let failure = submitted.unwrap_err();
        let number = if lines[0] == ["destroy"] { 1 } else { 2 };
        assert_eq!(failure.code, Code::ModeCeiling);
        assert!(failure.sentence.starts_with(&format!("Step {number} of 2: ")), "{failure}");
    }
    assert!(lock(&stage.humans.asked).is_empty() && stage.launcher.asked().is_empty());
    assert_eq!((stage.log(), used(&stage)), (vec!["final ModeCeiling".to_owned(); 2], [0; 6]), "nothing was charged");
    let errors: Vec<_> = stage.records().iter().map(|record| record.error.clone().unwrap()).collect();
    assert!(errors[0].starts_with("Step 2 of 2: ") && errors[1].starts_with("Step 1 of 2: "), "{errors:?}");
}

#[tokio::test]
async fn what_is_not_there_when_it_is_planned_is_refused_and_says_why() {
    let stage = Stage::new("");
    let failure = submit(&stage, &[&["change"], &["missing"]]).await.unwrap_err();
    assert_eq!(failure.code, Code::LaunchFailed);
    assert!(
        failure.sentence.starts_with("Step 2 of 2: ") && failure.sentence.contains("a step before it"),
        "{failure}"
    );
    assert_eq!((stage.log(), used(&stage)), (vec!["final LaunchFailed".to_owned()], [0; 6]));
    let alone = stage.submit(GRANTED, &["missing"]).await.unwrap_err();
    assert!(!alone.sentence.contains("step"), "{alone}");
}

#[tokio::test]
async fn the_whole_is_charged_at_once_or_not_at_all_and_is_one_question() {
    let stage = Stage::granting("mode = 'open'", "budgets = { requests_per_minute = 3, t3_per_day = 1 }");
    let two = [&["destroy", "1"][..], &["destroy", "2"]];
    assert_eq!(submit(&stage, &two).await.unwrap_err().code, Code::OverBudget);
    let four = [&["echo"][..]; 4];
    assert_eq!(submit(&stage, &four).await.unwrap_err().code, Code::OverBudget);
    assert_eq!(used(&stage), [0; 6], "a refused bundle charges nothing");
    let ticket = submit(&stage, &[&["echo"], &["destroy"], &["change"]]).await.unwrap();
    assert_eq!(used(&stage), [3, 0, 1, 0, 1, 1], "three requests, one question, one of them irreversible");
    assert!(ticket.slot.give(Answer::No { by: Uid::ROOT, sentence: "No.".to_owned() }));
    assert_eq!(codes(&ticket).await, [Some(Code::Refused); 3]);
    let spent = used(&stage);
    assert_eq!((spent, used(&stage.restarted().await)), ([3, 0, 0, 0, 1, 1], spent), "and the same after a restart");
}

#[tokio::test]
async fn a_no_is_remembered_of_each_step_but_its_reads() {
    let stage = Stage::new("");
    for _ in 0..3 {
        let ticket = submit(&stage, &[&["echo", "r"], &["change", "x"]]).await.unwrap();
        assert!(ticket.slot.give(Answer::No { by: Uid::ROOT, sentence: "No.".to_owned() }));
        assert_eq!(codes(&ticket).await, [Some(Code::Refused); 2]);
    }
    for stage in [stage] {
        assert_eq!(stage.submit(GRANTED, &["change", "x"]).await.unwrap_err().code, Code::Silenced);
        let other = submit(&stage, &[&["change", "y"], &["change", "x"]]).await.unwrap_err();
        assert_eq!(other.code, Code::Silenced, "nor in another bundle");
        assert!(stage.submit(GRANTED, &["echo", "r"]).await.is_ok());
        let stage = stage.restarted().await;
        assert_eq!(stage.submit(GRANTED, &["change", "x"]).await.unwrap_err().code, Code::Silenced);
        assert!(stage.submit(GRANTED, &["echo", "r"]).await.is_ok());
    }
}

#[tokio::test]
async fn people_are_asked_at_the_strictest_tier_and_its_rules_hold() {
    let stage = Stage::new("mode = 'open'\n[approval]\nquorum.t3 = 2");
    let lines: [&[&str]; 3] = [&["echo"], &["destroy", "x"], &["change"]];
    let asked = stage.pipeline.submit(&caller(GRANTED), asks(&lines), Some(person(GRANTED))).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    {
        let asked = lock(&stage.humans.asked);
        assert_eq!((asked.len(), asked[0].0), (1, Matter::Approve(Tier::T3)));
        assert!(asked[0].1["steps"].contains("2. T3, irreversible: destroy x"), "{}", asked[0].1["steps"]);
        assert_eq!(asked[0].1["tier"], "T3, irreversible");
    }
    stage.will_reply(Reply::Yes(ApprovalKind::PolkitRule));
    let decide = |uid| {
        let (pipeline, ticket) = (Arc::clone(&stage.pipeline), Arc::clone(&asked));
        async move { pipeline.decide(&ticket, &person(uid), Dialog::Allowed, Seen::Before, Decision::Approve).await }
    };
    assert_eq!(decide(OTHER).await.unwrap_err().code, Code::NeedsApproval, "a password must be typed");
    for uid in [OTHER, GRANTED] {
        assert!(!stage.ran(), "one of two is not enough");
        stage.will_reply(Reply::Yes(ApprovalKind::Challenge));
        decide(uid).await.unwrap();
    }
    stage.launcher.finish(running(&asked, 1).await);
    stage.launcher.finish(running(&asked, 2).await);
    assert_eq!(codes(&asked).await, [None; 3]);
    assert!(stage.records().iter().all(|record| record.approvers.len() == 2));
}

#[tokio::test]
async fn reads_run_by_the_grant_and_a_change_behind_the_first_is_asked_about() {
    let stage = Stage::granting("", "auto = 'T1'");
    let reads = submit(&stage, &[&["echo", "1"], &["echo", "2"]]).await.unwrap();
    assert_eq!((reads.judgement, codes(&reads).await), (Judgement::Allow, vec![None, None]));
    assert!(stage.pipeline.latches.clear(reads.owner()));
    // What the first step writes has reached the caller when the second begins, so only the first may be a change.
    let first = submit(&stage, &[&["tweak", "/srv/x"], &["echo"]]).await.unwrap();
    assert_eq!(first.judgement, Judgement::Allow);
    stage.launcher.finish(running(&first, 0).await);
    assert_eq!(codes(&first).await, [None, None]);
    assert!(stage.pipeline.latches.clear(first.owner()));
    for lines in [&[&["echo"][..], &["tweak", "/srv/x"]][..], &[&["tweak", "/srv/x"], &["tweak", "/srv/y"]]] {
        let held = submit(&stage, lines).await.unwrap();
        assert_eq!((held.judgement, held.phase()), (Judgement::Hold, Phase::Waiting));
        held.withdraw(Withdrawal::Asked);
        codes(&held).await;
    }
    // A yes of people is to every step, whatever the ones before it give back.
    let approved = submit(&stage, &[&["echo"], &["tweak", "/srv/x"]]).await.unwrap();
    assert!(approved.slot.give(yes()));
    stage.launcher.finish(running(&approved, 1).await);
    assert_eq!(codes(&approved).await, [None, None]);
}

#[tokio::test]
async fn a_caller_that_leaves_takes_its_bundle_along() {
    let stage = Stage::new("");
    let waits = submit(&stage, &[&["change", "1"], &["change", "2"]]).await.unwrap();
    let runs = submit(&stage, &[&["change", "3"], &["change", "4"]]).await.unwrap();
    assert!(runs.slot.give(yes()));
    running(&runs, 0).await;
    stage.pipeline.departed(&caller(GRANTED).bus_name);
    assert_eq!(codes(&waits).await, [Some(Code::Cancelled); 2]);
    assert_eq!(codes(&runs).await, [Some(Code::Cancelled), Some(Code::Void)]);
    assert!(stage.pipeline.tickets.unfinished().is_empty());
}

#[tokio::test]
async fn a_plan_of_steps_runs_nothing_and_says_all_of_it() {
    let stage = Stage::new("");
    let shown = stage.pipeline.plan_steps(&caller(GRANTED), asks(&[&["echo"], &["change"]])).await.unwrap();
    let (bundle, digest) = shown.drawn.clone().unwrap();
    assert_eq!((bundle.digest().unwrap(), bundle.tier, shown.judgement), (digest, Tier::T2, Judgement::Hold));
    assert_eq!(shown.failure.unwrap().code, Code::NeedsApproval);
    let denied = stage.pipeline.plan_steps(&caller(GRANTED), asks(&[&["echo"], &["destroy"]])).await.unwrap();
    assert_eq!((denied.judgement, denied.drawn.is_some()), (Judgement::Deny, false));
    assert!(denied.failure.unwrap().sentence.starts_with("Step 2 of 2: "));
    let missing = stage.pipeline.plan_steps(&caller(GRANTED), asks(&[&["echo"], &["missing"]])).await.unwrap_err();
    assert!(missing.sentence.contains("a step before it"), "{missing}");
    assert_eq!(stage.log(), ["plan", "plan NeedsApproval", "plan", "plan ModeCeiling", "final LaunchFailed"]);
    assert!(stage.records()[0].bundle.is_some() && !stage.ran() && used(&stage) == [0; 6]);
    let ungranted = stage.pipeline.plan_steps(&caller(UNGRANTED), asks(&[&["echo"], &["echo"]])).await;
    assert_eq!(ungranted.unwrap_err().code, Code::AccessDenied);
}

/// A hundred approvals of bundles, each raced for by 64: each step runs once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_sixty_four_who_race_for_a_bundle_each_step_runs_once() {
    let budgets = "budgets = { requests_per_minute = 100000, prompts_per_hour = 100000 }";
    let stage = Arc::new(Stage::granting("", budgets));
    for round in 1..=100_usize {
        let ticket = submit(&stage, &[&["change", "1"], &["echo", "2"]]).await.unwrap();
        let racers = (0..64).map(|uid| {
            let ticket = Arc::clone(&ticket);
            let approver = Approver { uid: Uid::try_from(uid).unwrap(), kind: ApprovalKind::Challenge, latency_ms: 1 };
            tokio::spawn(async move { ticket.slot.give(Answer::Yes(approver)) })
        });
        let mut winners = 0;
        for racer in racers.collect::<Vec<_>>() {
            winners += u32::from(racer.await.unwrap());
        }
        assert_eq!(winners, 1);
        stage.launcher.finish(running(&ticket, 0).await);
        assert_eq!(codes(&ticket).await, [None, None]);
        assert_eq!(stage.launcher.asked().iter().filter(|what| *what == "run").count(), 2 * round);
    }
    let intents = stage.records().iter().filter(|record| record.phase == Step::Intent).count();
    assert_eq!(intents, 200);
}
