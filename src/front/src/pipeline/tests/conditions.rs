//! What is promised of conditions: they hold before a human is asked and once more before the run, or nothing runs; and
//! what is expected after the run is looked at, or it drifted.

use std::time::Duration;

use countersign_core::condition::{Activity, Host, Role, Seen};

use super::stage::asks;
use super::*;
use crate::conditions::Conditions;
use crate::conditions::tests::{Gate, Ground, Holder, Told};

/// A stage on a Debian host on which everything holds.
fn debian() -> (Stage, Ground, Arc<Told>) {
    let (ground, units) = (Ground::new(), Arc::new(Told::default()));
    for unit in ["helper.service", "app.service"] {
        units.say(unit, Some(Activity::Active));
    }
    let conditions = ground.debian().asking(units.clone());
    (Stage::new("").beside(conditions), ground, units)
}

/// Begun, and ended with this status.
async fn runs(stage: &Stage, ticket: &Ticket) {
    until(ticket, Phase::Running).await;
    stage.launcher.finish(ticket.id());
    assert_eq!(end(ticket).await.unwrap().outcome.ended, Ended::Exited(0));
}

/// What a record says of its conditions: role, check, and what was found.
fn told(seen: &[Seen]) -> Vec<(Role, &str, Option<&str>)> {
    seen.iter().map(|seen| (seen.role, seen.check.as_str(), seen.found.as_deref())).collect()
}

const HOST: (Role, &str, Option<&str>) = (Role::Hard, "host debian", None);
const LOCK: (Role, &str, Option<&str>) = (Role::Hard, "no-dpkg-lock", None);
const HELPER: (Role, &str, Option<&str>) = (Role::Soft, "unit-active helper.service", None);
const APP: (Role, &str, Option<&str>) = (Role::After, "unit-started app.service", None);

#[tokio::test]
async fn where_they_hold_it_runs_once_it_is_approved_and_the_log_says_what_was_seen() {
    let (stage, _ground, _) = debian();
    let ticket = stage.submit(GRANTED, &["unpack", "x"]).await.unwrap();
    assert_eq!(told(&ticket.commands.first.seen()), [HOST, LOCK, HELPER]);
    assert!(ticket.slot.give(yes()));
    runs(&stage, &ticket).await;
    assert_eq!(stage.log(), ["intent", "result"]);
    let records = stage.records();
    assert_eq!(told(&records[0].conditions), [HOST, LOCK, HELPER]);
    assert_eq!(told(&records[1].conditions), [APP]);
    assert_eq!(ticket.end().unwrap().receipt.code, None);
}

#[tokio::test]
async fn what_does_not_hold_is_refused_before_anybody_is_asked_and_says_what_was_found() {
    let (stage, ground, _) = debian();
    let holder = Holder::of(&ground.path("lock"));
    let failure = stage.submit_in_place(&["unpack", "x"]).await.unwrap_err();
    assert_eq!(failure.code, Code::Unmet);
    assert!(failure.sentence.contains("unpack") && failure.sentence.contains("no-dpkg-lock"), "{failure}");
    let found = format!("process {} holds it", holder.id());
    assert!(failure.sentence.contains(&found), "{failure}");
    assert!(stage.launcher.asked().is_empty() && lock(&stage.humans.asked).is_empty());
    assert_eq!(stage.log(), ["final Unmet"]);
    assert_eq!(told(&stage.records()[0].conditions)[1], (Role::Hard, "no-dpkg-lock", Some(found.as_str())));
    let shown = stage.pipeline.plan(&caller(GRANTED), ask(&["unpack", "x"])).await.unwrap();
    assert!(shown.against.iter().any(|failure| failure.code == Code::Unmet), "a plan says so too");
    assert_eq!(told(&shown.conditions)[1].2, Some(found.as_str()), "and what was found");
    assert!(stage.submit(GRANTED, &["change"]).await.is_ok(), "what asks for nothing is not in the way");
}

#[tokio::test]
async fn what_is_refused_for_a_condition_costs_nothing() {
    let (stage, ground, _) = debian();
    let holder = Holder::of(&ground.path("lock"));
    for _ in 0..20 {
        assert_eq!(stage.submit(GRANTED, &["unpack", "x"]).await.unwrap_err().code, Code::Unmet);
    }
    drop(holder);
    for _ in 0..16 {
        assert!(stage.submit(GRANTED, &["unpack", "x"]).await.is_ok(), "no place was taken");
    }
}

#[tokio::test]
async fn what_stopped_holding_between_the_yes_and_the_run_does_not_run() {
    let (stage, ground, _) = debian();
    let ticket = stage.submit(GRANTED, &["unpack", "x"]).await.unwrap();
    let holder = Holder::of(&ground.path("lock"));
    assert!(ticket.slot.give(yes()));
    assert_eq!(end(&ticket).await.unwrap_err(), Code::Unmet);
    assert_eq!((stage.log(), stage.ran()), (vec!["final Unmet".to_owned()], false));
    assert!(told(&stage.records()[0].conditions)[1].2.is_some(), "the record says what was found the second time");
    assert_eq!(ticket.end().unwrap().receipt.code, Some(Code::Unmet));
    drop(holder);
    let again = stage.submit(GRANTED, &["unpack", "x"]).await.unwrap();
    assert!(again.slot.give(yes()));
    runs(&stage, &again).await;
}

#[tokio::test]
async fn a_soft_one_is_told_and_recorded_and_in_nobodys_way() {
    let (stage, _ground, units) = debian();
    units.say("helper.service", Some(Activity::Failed));
    stage.will_reply(Reply::Yes(ApprovalKind::Challenge));
    let ticket = stage.submit_in_place(&["unpack", "x"]).await.unwrap();
    runs(&stage, &ticket).await;
    let failed = (Role::Soft, "unit-active helper.service", Some("it is failed"));
    assert_eq!(told(&ticket.commands.first.seen())[2], failed);
    assert_eq!(told(&stage.records()[0].conditions)[2], failed);
    let asked = lock(&stage.humans.asked);
    let minds = |words: &crate::approve::words::Words| words.values().any(|value| value.contains("it is failed"));
    assert!(asked.len() == 1 && minds(&asked[0].1), "{:?}", asked[0].1);
}

#[tokio::test]
async fn a_soft_one_that_cannot_be_looked_at_refuses_as_a_hard_one() {
    let (stage, _ground, units) = debian();
    units.say("helper.service", None);
    let failure = stage.submit(GRANTED, &["unpack", "x"]).await.unwrap_err();
    assert_eq!(failure.code, Code::Unmet);
    assert!(failure.sentence.contains("could not be looked at"), "{failure}");
}

#[tokio::test]
async fn a_look_that_never_ends_is_a_failure_before_anybody_is_asked_and_before_the_run() {
    let ground = Ground::new();
    let silent = || ground.debian().asking(Arc::new(Told::default()));
    let stage = Stage::new("").beside(silent());
    let failure = stage.submit_in_place(&["unpack", "x"]).await.unwrap_err();
    assert_eq!(failure.code, Code::Unmet);
    assert!(failure.sentence.contains("took too long") && lock(&stage.humans.asked).is_empty(), "{failure}");
}

#[tokio::test]
async fn a_host_of_another_kind_or_of_none_is_refused_also_for_a_read() {
    for os_release in ["ID=fedora", ""] {
        for words in [["unpack", "x"], ["unpack", "list"]] {
            let ground = Ground::new();
            let stage = Stage::new("").beside(Conditions::new(Host::new(os_release, []), ground.places()));
            let failure = stage.submit(GRANTED, &words).await.unwrap_err();
            assert_eq!(failure.code, Code::Unmet);
            assert!(failure.sentence.contains("debian"), "{failure}");
            assert_eq!((stage.log(), stage.ran()), (vec!["final Unmet".to_owned()], false));
        }
    }
}

#[tokio::test]
async fn a_read_is_not_held_up_by_a_check_of_the_moment() {
    let (stage, ground, _) = debian();
    let _holder = Holder::of(&ground.path("lock"));
    let ticket = stage.submit(GRANTED, &["unpack", "list"]).await.unwrap();
    runs(&stage, &ticket).await;
}

#[tokio::test]
async fn what_does_not_hold_after_a_run_that_ended_well_is_drift() {
    for (activity, found) in [
        (Some(Activity::Failed), "it is failed"),
        (None, "it could not be looked at"),
        (Some(Activity::Inactive), "inactive"),
    ] {
        let (stage, _ground, units) = debian();
        let ticket = stage.submit(GRANTED, &["unpack", "x"]).await.unwrap();
        units.say("app.service", activity);
        assert!(ticket.slot.give(yes()));
        runs(&stage, &ticket).await;
        assert_eq!(stage.log(), ["intent", "result Drift"]);
        let (records, receipt) = (stage.records(), &ticket.end().unwrap().receipt);
        assert_eq!(
            (receipt.code, receipt.ended.clone()),
            (Some(Code::Drift), Some(Ended::Exited(0))),
            "it ran, and well"
        );
        assert!(receipt.sentence.contains("app.service") && receipt.sentence.contains(found), "{}", receipt.sentence);
        assert_eq!(records[1].ended, Some(Ended::Exited(0)));
        assert!(records[1].conditions[0].found.as_ref().is_some_and(|said| said.contains(found)), "{records:?}");
    }
}

#[tokio::test]
async fn what_could_not_be_looked_at_afterwards_is_refused_before() {
    let (stage, _ground, units) = debian();
    units.say("a.service", Some(Activity::Active));
    for words in [&["raise", "a*"][..], &["raise", "a", "/srv/b"], &["raise"]] {
        let failure = stage.submit_in_place(words).await.unwrap_err();
        assert_eq!(failure.code, Code::Unmet, "{words:?}");
        assert!(failure.sentence.contains("name each in full"), "{failure}");
    }
    assert!(stage.launcher.asked().is_empty() && lock(&stage.humans.asked).is_empty());
    let ticket = stage.submit(GRANTED, &["raise", "a"]).await.unwrap();
    assert!(ticket.slot.give(yes()));
    runs(&stage, &ticket).await;
    assert_eq!(ticket.end().unwrap().receipt.code, None);
}

/// What may happen while a look is under way.
type Event = fn(&Stage);

#[tokio::test]
async fn what_happens_during_the_second_look_is_seen_after_it() {
    let stopped: Event = |stage| stage.pipeline.standing.stop();
    let reloaded: Event = |stage| stage.pipeline.put_in_force(policy("mode = 'open'"));
    let held: Event = |stage| stage.pipeline.standing.warn();
    for (event, code) in [(stopped, Code::Stopped), (reloaded, Code::Changed), (held, Code::Held)] {
        let (ground, gate) = (Ground::new(), Arc::new(Gate::default()));
        gate.0.send_replace(true);
        let stage = Stage::new("").beside(ground.debian().asking(gate.clone()));
        let ticket = stage.submit(GRANTED, &["unpack", "x"]).await.unwrap();
        gate.0.send_replace(false);
        assert!(ticket.slot.give(yes()));
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!((ticket.phase(), stage.ran()), (Phase::Waiting, false), "{code}: it looks");
        event(&stage);
        gate.0.send_replace(true);
        assert_eq!(end(&ticket).await.unwrap_err(), code);
        assert_eq!((stage.log(), stage.ran()), (vec![format!("final {code}")], false));
    }
}

#[tokio::test]
async fn a_command_that_did_not_end_well_promised_nothing() {
    let (stage, _ground, units) = debian();
    let ticket = stage.submit(GRANTED, &["unpack", "x"]).await.unwrap();
    units.say("app.service", Some(Activity::Failed));
    assert!(ticket.slot.give(yes()));
    until(&ticket, Phase::Running).await;
    ticket.withdraw(Withdrawal::Asked);
    assert_eq!(end(&ticket).await.unwrap().outcome.ended, Ended::Cancelled);
    assert_eq!(stage.log(), ["intent", "result Cancelled"]);
    assert_eq!(told(&stage.records()[1].conditions), []);
}

#[tokio::test]
async fn who_takes_the_request_back_does_not_wait_for_a_look() {
    let (stage, _ground, units) = debian();
    let ticket = stage.submit(GRANTED, &["unpack", "x"]).await.unwrap();
    lock(&units.0).clear();
    assert!(ticket.slot.give(yes()));
    tokio::time::sleep(Duration::from_millis(100)).await;
    ticket.withdraw(Withdrawal::Asked);
    let ended = tokio::time::timeout(Duration::from_millis(500), ticket.over()).await.unwrap();
    assert_eq!(ended.unwrap().receipt.code, Some(Code::Cancelled));
    assert_eq!((stage.log(), stage.ran()), (vec!["final Cancelled".to_owned()], false));
}

#[tokio::test]
async fn a_step_after_which_the_machine_drifted_voids_the_rest_and_one_that_is_unmet_denies_the_whole() {
    let (stage, ground, units) = debian();
    let steps = || stage::asks(&[&["unpack", "x"], &["change", "y"]]);
    let ticket = stage.pipeline.submit(&caller(GRANTED), steps(), None).await.unwrap();
    assert!(ticket.slot.give(yes()));
    until(&ticket, Phase::Running).await;
    units.say("app.service", Some(Activity::Failed));
    stage.launcher.finish(ticket.commands.first.id());
    end(&ticket).await.unwrap();
    let codes: Vec<_> = ticket.commands.iter().map(|command| command.end().unwrap().receipt.code).collect();
    assert_eq!(codes, [Some(Code::Drift), Some(Code::Void)]);
    assert_eq!(stage.log(), ["intent", "result Drift", "final Void"]);
    let _holder = Holder::of(&ground.path("lock"));
    let later = stage::asks(&[&["change", "y"], &["unpack", "x"]]);
    let failure = stage.pipeline.submit(&caller(GRANTED), later, None).await.unwrap_err();
    assert!(failure.code == Code::Unmet && failure.sentence.starts_with("Step 2 of 2: "), "{failure}");
}

/// Three steps, of which the second asks for something; how each ended once the first has run.
async fn three_steps(stage: &Stage, meanwhile: impl FnOnce()) -> Vec<Option<Code>> {
    let steps = asks(&[&["change", "1"], &["unpack", "x"], &["change", "3"]]);
    let ticket = stage.pipeline.submit(&caller(GRANTED), steps, None).await.unwrap();
    assert!(ticket.slot.give(yes()));
    until(&ticket, Phase::Running).await;
    meanwhile();
    for command in ticket.commands.iter() {
        for _ in 0..200 {
            if command.has_begun() || command.end().is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stage.launcher.finish(command.id());
    }
    end(&ticket).await.ok();
    ticket.commands.iter().map(|command| command.end().unwrap().receipt.code).collect()
}

#[tokio::test]
async fn a_step_that_drifted_or_no_longer_may_begin_is_the_last_of_its_bundle() {
    let (stage, _ground, _) = debian();
    assert_eq!(three_steps(&stage, || {}).await, [None; 3]);
    let (stage, _ground, units) = debian();
    let codes = three_steps(&stage, || units.say("app.service", Some(Activity::Failed))).await;
    assert_eq!(codes, [None, Some(Code::Drift), Some(Code::Void)]);
    let (stage, _ground, units) = debian();
    let codes = three_steps(&stage, || units.say("helper.service", None)).await;
    assert_eq!(codes, [None, Some(Code::Unmet), Some(Code::Void)]);
    assert_eq!(stage.log(), ["intent", "result", "final Unmet", "final Void"]);
}
