//! What is promised of tickets: the first of each kind counts, and what has ended does not pile up.

use countersign_core::policy::Verdict;

use super::*;
use crate::pipeline::tests::stage::{GRANTED, OTHER, Stage, end};

fn over(ticket: &Ticket) {
    let failure = Withdrawal::Asked.failure();
    let receipt = Receipt {
        id: ticket.id(),
        salt: ticket.request().salt(),
        digest: None,
        fingerprint: None,
        plan: None,
        verdict: (&Verdict::Silence).into(),
        code: Some(failure.code),
        sentence: String::new(),
        rules: vec![],
        approvers: vec![],
        enforced: vec![],
        ended: None,
        stdout: None,
        stderr: None,
        asked: ticket.asked,
        started: None,
        finished: ticket.asked,
        audit: None,
    };
    ticket.commands.first.ended(End { result: Err(failure), receipt });
    ticket.ended();
}

/// A copy of a ticket under another id.
fn another(ticket: &Ticket, id: u128) -> Arc<Ticket> {
    let Command { case, plan, digest, .. } = &ticket.commands.first;
    let mut plan = plan.clone();
    plan.id = RequestId::from_random(id);
    let commands = Row::from(Command::of(case.clone(), plan, *digest, None));
    Arc::new(Ticket::new(commands, None, ticket.judgement, *digest, ticket.asked, false, 1))
}

#[tokio::test]
async fn the_first_withdrawal_counts_and_phases_only_advance() {
    let stage = Stage::new("");
    let ticket = stage.submit(GRANTED, &["change"]).await.unwrap();
    ticket.withdraw(Withdrawal::CallerLeft);
    ticket.withdraw(Withdrawal::Stopped);
    assert_eq!(ticket.withdrawn().await, Withdrawal::CallerLeft);
    end(&ticket).await.unwrap_err();
    for event in [Event::Allow, Event::Approve, Event::Seal, Event::Start, Event::End] {
        assert!(!ticket.step(event, RunState::Green), "nothing follows the end: {event:?}");
    }
    assert_eq!(ticket.phase(), Phase::Done);
}

#[tokio::test]
async fn ended_tickets_are_kept_up_to_a_bound_per_user_and_in_all() {
    let stage = Stage::new("");
    let mine = stage.submit(GRANTED, &["change"]).await.unwrap();
    let theirs = stage.submit(OTHER, &["change"]).await.unwrap();
    let tickets = Tickets::default();
    let per_user = u128::try_from(KEPT_PER_USER).unwrap();
    for id in 0..per_user {
        let ticket = another(&mine, id);
        over(&ticket);
        tickets.open(ticket);
    }
    tickets.open(another(&mine, 10_000));
    let other = another(&theirs, 20_000);
    over(&other);
    tickets.open(other);
    assert_eq!(tickets.sweep(), [], "n are kept, and what is open always is");
    let one_more = another(&mine, per_user);
    over(&one_more);
    tickets.open(one_more);
    assert_eq!(tickets.sweep(), [RequestId::from_random(0)], "of n and one the oldest goes");
    assert!(tickets.get(RequestId::from_random(20_000)).is_some(), "and never another user's");
}

#[tokio::test]
async fn a_task_that_breaks_leaves_an_end() {
    let stage = Stage::new("");
    let ticket = another(&stage.submit(GRANTED, &["change"]).await.unwrap(), 7);
    let breaking = {
        let ticket = Arc::clone(&ticket);
        tokio::spawn(async move {
            let _owed = crate::pipeline::Owed(ticket);
            panic!("one bad request");
        })
    };
    assert!(breaking.await.is_err());
    assert_eq!(end(&ticket).await.unwrap_err(), Code::Internal);
}
