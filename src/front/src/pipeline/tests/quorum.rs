//! What is promised of who approves: two people where two are wanted, not the caller where it must be another, and a
//! password where one must be typed.

use super::*;

const TWO: &str = "mode = 'open'\n[approval]\nquorum.t3 = 2";

async fn approves(stage: &Stage, ticket: &Ticket, uid: u32, kind: ApprovalKind) -> Result<(), Code> {
    stage.will_reply(Reply::Yes(kind));
    let admin = person(uid);
    let decided = stage.pipeline.decide(ticket, &admin, Dialog::Allowed, Seen::Before, Decision::Approve).await;
    decided.map_err(|failure| failure.code)
}

#[tokio::test]
async fn two_different_people_approve_what_cannot_be_undone() {
    let stage = Stage::new(TWO);
    let ticket = stage.submit(GRANTED, &["destroy"]).await.unwrap();
    approves(&stage, &ticket, OTHER, ApprovalKind::Challenge).await.unwrap();
    let (approvers, needed) = ticket.slot.progress();
    let uids: Vec<u32> = approvers.iter().map(|approver| approver.uid.get()).collect();
    assert_eq!((ticket.phase(), uids, needed), (Phase::Waiting, vec![OTHER], 2));
    let again = approves(&stage, &ticket, OTHER, ApprovalKind::Challenge).await;
    assert_eq!(again.unwrap_err(), Code::AlreadyDecided, "the same person twice is one");
    assert!(!stage.ran());
    approves(&stage, &ticket, GRANTED, ApprovalKind::Challenge).await.unwrap();
    until(&ticket, Phase::Running).await;
    let uids: Vec<u32> = stage.records()[0].approvers.iter().map(|approver| approver.uid.get()).collect();
    assert_eq!(uids, [OTHER, GRANTED]);
}

#[tokio::test]
async fn one_is_enough_below_and_one_no_ends_it() {
    let stage = Stage::new(TWO);
    let change = stage.submit(GRANTED, &["change"]).await.unwrap();
    approves(&stage, &change, OTHER, ApprovalKind::PolkitRule).await.unwrap();
    until(&change, Phase::Running).await;
    let destroy = stage.submit(GRANTED, &["destroy"]).await.unwrap();
    approves(&stage, &destroy, OTHER, ApprovalKind::Challenge).await.unwrap();
    assert!(destroy.slot.give(Answer::No { by: Uid::ROOT, sentence: "No.".to_owned() }));
    assert_eq!(end(&destroy).await.unwrap_err(), Code::Refused);
}

#[tokio::test]
async fn whoever_asked_approves_only_where_that_is_allowed() {
    for (differs, at_t2, at_t3) in [("never", true, true), ("t3", true, false), ("always", false, false)] {
        let stage = Stage::new(&format!("mode = 'open'\n[approval]\napprover_differs = '{differs}'"));
        for (words, may) in [(&["change"], at_t2), (&["destroy"], at_t3)] {
            let ticket = stage.submit(GRANTED, words).await.unwrap();
            let own = approves(&stage, &ticket, GRANTED, ApprovalKind::Challenge).await;
            assert_eq!(own.err(), (!may).then_some(Code::SelfApproval), "{differs} {words:?}");
            if !may {
                approves(&stage, &ticket, OTHER, ApprovalKind::Challenge).await.unwrap();
            }
            until(&ticket, Phase::Running).await;
        }
    }
}

#[tokio::test]
async fn no_dialog_opens_before_a_caller_that_may_not_decide() {
    let stage = Stage::new("[approval]\napprover_differs = 'always'");
    stage.will_reply(Reply::Yes(ApprovalKind::Challenge));
    let ticket = stage.submit_in_place(&["change"]).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(lock(&stage.humans.asked).is_empty() && ticket.slot.is_open() && !stage.ran());
}

#[tokio::test]
async fn a_rule_approves_what_cannot_be_undone_only_if_the_settings_say_so() {
    for accepted in [false, true] {
        let stage = Stage::new(&format!("mode = 'open'\n[approval]\npolkit_rule_at_t3 = {accepted}"));
        let ticket = stage.submit(GRANTED, &["destroy"]).await.unwrap();
        let decided = approves(&stage, &ticket, OTHER, ApprovalKind::PolkitRule).await;
        assert_eq!(decided.err(), (!accepted).then_some(Code::NeedsApproval));
        assert_eq!(ticket.slot.is_open(), !accepted);
    }
}
