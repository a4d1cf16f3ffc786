//! A caller killed a thousand times at every point at which its request waits, and a thousand times at whatever step of its
//! tasks comes next: nothing runs on, dialogs close, nothing stays held, and every record is complete.

use countersign_core::record::Phase as Step;

use super::faults::{Fault, Point, Trouble, nothing_is_left, request};
use super::*;

const TIMES: usize = 1_000;
const BUDGETS: &str = "budgets = { requests_per_minute = 100000, prompts_per_hour = 100000 }";

/// Every request has one record, or an intent and its result; says how many of either.
fn complete(stage: &Stage) -> (usize, usize) {
    let records = stage.records();
    let count = |step: Step| records.iter().filter(|record| record.phase == step).count();
    let mut results: Vec<_> =
        records.iter().filter(|record| record.phase != Step::Intent).map(|record| record.id).collect();
    assert!(results.iter().all(Option::is_some));
    results.sort_unstable();
    results.dedup();
    assert_eq!(results.len(), TIMES, "each request has one end");
    assert_eq!(count(Step::Intent), count(Step::Result), "each intent has its result");
    assert_eq!(count(Step::Final).saturating_add(count(Step::Result)), TIMES);
    (count(Step::Final), count(Step::Result))
}

async fn killed_at(point: Point, ends: (usize, usize), ran: bool) {
    let (stage, trouble) = Trouble::on(Stage::granting("", BUDGETS), point, Fault::CallerGone);
    for _ in 0..TIMES {
        let (code, _) = request(&stage, &trouble, &["change", "x"]).await;
        assert_eq!(code, Some(Code::Cancelled));
    }
    nothing_is_left(&stage, &trouble).await;
    assert_eq!((complete(&stage), stage.ran()), (ends, ran));
}

#[tokio::test]
async fn a_thousand_times_while_its_program_is_looked_at() {
    killed_at(Point::Pin, (TIMES, 0), false).await;
}

#[tokio::test]
async fn a_thousand_times_in_its_dialog() {
    killed_at(Point::InPlace, (TIMES, 0), false).await;
}

#[tokio::test]
async fn a_thousand_times_in_the_dialog_of_an_administrator() {
    killed_at(Point::Queue, (TIMES, 0), false).await;
}

#[tokio::test]
async fn a_thousand_times_while_the_intent_is_written() {
    killed_at(Point::Intent, (0, TIMES), false).await;
}

#[tokio::test]
async fn a_thousand_times_while_the_launcher_takes_the_order() {
    killed_at(Point::Order, (0, TIMES), true).await;
}

#[tokio::test]
async fn a_thousand_times_while_its_job_runs() {
    killed_at(Point::Job, (0, TIMES), true).await;
}

/// The steps are those of the runtime: the killer comes after so many of them, from none to far more than a request takes.
#[tokio::test]
async fn a_thousand_times_at_whatever_comes_next() {
    let (stage, trouble) = Trouble::on(Stage::granting("", BUDGETS), Point::InPlace, Fault::None);
    let me = caller(GRANTED).bus_name;
    for round in 0..TIMES {
        let steps = if round % 2 == 0 { round / 2 % 12 } else { 1_usize << (round / 2 % 14) };
        let killer = async {
            for _ in 0..steps {
                tokio::task::yield_now().await;
            }
            stage.pipeline.departed(&me);
        };
        let who = caller(GRANTED);
        let submitting = stage.pipeline.submit(&who, ask(&["change", "x"]), Some(person(GRANTED)));
        let (submitted, ()) = tokio::join!(submitting, killer);
        // As the bus does, where the caller left before there was anything to end.
        stage.pipeline.departed(&me);
        let ticket = submitted.unwrap();
        end(&ticket).await.ok();
        let code = ticket.end().unwrap().receipt.code;
        assert!([None, Some(Code::Cancelled)].contains(&code), "{code:?}");
    }
    nothing_is_left(&stage, &trouble).await;
    let (finals, results) = complete(&stage);
    assert!(finals > TIMES / 20 && results > TIMES / 20, "all of the life was reached: {finals} {results}");
}
