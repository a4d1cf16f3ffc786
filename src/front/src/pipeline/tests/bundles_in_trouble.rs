//! Every fault at every point at which a bundle waits for somebody else: no step runs without its intent and an unspent
//! approval, none after one that failed, and each step has its records.

use countersign_core::record::{Phase as Step, Record};

use super::faults::{FAULTS, Fault, POINTS, Point, Trouble, nothing_is_left, see_through};
use super::stage::asks;
use super::*;

const STEPS: [&[&str]; 3] = [&["change", "1"], &["change", "2"], &["change", "3"]];

/// How a step ended, as its records say: nothing, its one record, or an intent and its result.
fn told(records: &[Record], id: RequestId) -> String {
    let of: Vec<&Record> = records.iter().filter(|record| record.id == Some(id)).collect();
    let code = |record: &Record| record.code.map_or_else(|| "ok".to_owned(), |code| code.to_string());
    match of.as_slice() {
        [one] if one.phase == Step::Final => code(one),
        [intent, result] if (intent.phase, result.phase) == (Step::Intent, Step::Result) => {
            format!("{}*", code(result))
        }
        other => panic!("{other:?}"),
    }
}

/// What became of each step with that fault at that point.
async fn outcome(fault: Fault, point: Point) -> String {
    let (stage, trouble) = Trouble::on(Stage::new(""), point, fault);
    let (code, ticket) = see_through(&stage, &trouble, asks(&STEPS)).await;
    nothing_is_left(&stage, &trouble).await;
    clock::tests::BEHIND.set(std::time::Duration::ZERO);
    let (records, ordered) = (stage.records(), lock(&trouble.ordered).len());
    let Some(ticket) = ticket else {
        let code = code.unwrap();
        assert!(records.len() == 1 && records[0].code == Some(code) && ordered == 0, "one record: {records:?}");
        return code.to_string();
    };
    assert!(!ticket.slot.give(yes()), "no answer counts afterwards");
    let steps: Vec<String> = ticket.commands.iter().map(|command| told(&records, command.id())).collect();
    let intents = records.iter().filter(|record| record.phase == Step::Intent).count();
    assert!(ordered <= intents, "no order without an intent");
    let well = ticket.commands.iter().take_while(|command| command.went_well()).count();
    assert!(
        steps.iter().skip(well.saturating_add(1)).all(|step| !step.ends_with('*')),
        "none after one that failed: {steps:?}"
    );
    match steps.as_slice() {
        [first, rest @ ..] if rest.iter().all(|step| step == first) => first.trim_end_matches('*').to_owned(),
        different => different.join(","),
    }
}

/// `*`: there is an intent and its result; anything else is the step's one record. One word stands for all three steps, or
/// for the whole that was not taken in. Who turns the clock back during the disk's work meets the hold in the next step.
const TABLE: &str = "
None          ok               ok                       ok                       ok                       ok                       ok                       ok
CallerGone    Cancelled        Cancelled                Cancelled                Cancelled*,Void,Void     Cancelled*,Void,Void     Cancelled*,Void,Void     ok*,Cancelled,Void
TakenBack     ok               Cancelled                Cancelled                Cancelled*,Void,Void     Cancelled*,Void,Void     Cancelled*,Void,Void     ok*,Cancelled,Void
Restart       Cancelled        Cancelled                Cancelled                Cancelled*,Void,Void     Held*,Void,Void          ok*,Cancelled,Void       ok*,Cancelled,Void
Shutdown      Cancelled        Cancelled                Cancelled                Cancelled*,Void,Void     Cancelled*,Void,Void     Cancelled*,Void,Void     ok*,Cancelled,Void
Stop          Stopped          Stopped                  Stopped                  Stopped*,Void,Void       Stopped*,Void,Void       Stopped*,Void,Void       ok*,Stopped,Void
Reload        Changed          Changed                  Changed                  Changed*,Void,Void       Changed*,Void,Void       ok*,Changed,Void         ok*,Changed,Void
ClockBack     Held*,Void,Void  Held*,Void,Void          Held*,Void,Void          ok*,Held,Void            ok*,Held,Void            ok*,Held,Void            ok*,Held*,Void
LauncherGone  LaunchFailed     LaunchFailed*,Void,Void  LaunchFailed*,Void,Void  LaunchFailed*,Void,Void  LaunchFailed*,Void,Void  LaunchFailed*,Void,Void  ok*,LaunchFailed*,Void
";

#[tokio::test]
async fn a_bundle_with_every_fault_at_every_point() {
    let mut seen = String::from("\n");
    for fault in FAULTS.into_iter().filter(|fault| *fault != Fault::LogGone) {
        let mut row = vec![format!("{fault:?}")];
        for point in POINTS {
            row.push(outcome(fault, point).await);
        }
        seen.push_str(&row.join(" "));
        seen.push('\n');
    }
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&seen), words(TABLE), "{seen}");
}

/// As often at each point as is enough to meet every order of what happens at once.
#[tokio::test]
async fn a_caller_killed_again_and_again_at_every_point() {
    const TIMES: usize = 50;
    let budgets = "budgets = { requests_per_minute = 100000, prompts_per_hour = 100000 }";
    for point in POINTS {
        let (stage, trouble) = Trouble::on(Stage::granting("", budgets), point, Fault::CallerGone);
        for _ in 0..TIMES {
            let (code, ticket) = see_through(&stage, &trouble, asks(&STEPS[..2])).await;
            assert_eq!((code, ticket.is_some()), (Some(Code::Cancelled), true), "{point:?}");
        }
        nothing_is_left(&stage, &trouble).await;
        let records = stage.records();
        let count = |step: Step| records.iter().filter(|record| record.phase == step).count();
        assert_eq!(count(Step::Intent), count(Step::Result), "{point:?}");
        assert_eq!(
            count(Step::Result).saturating_add(count(Step::Final)),
            2 * TIMES,
            "each step has one end: {point:?}"
        );
        let orders = lock(&trouble.ordered).len();
        assert!(orders <= TIMES, "the second never ran: {point:?} {orders}");
    }
}
