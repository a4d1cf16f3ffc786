//! Queries on a real log: whose entries are seen, and how many at most.

use std::sync::Arc;

use countersign_core::code::Code;
use countersign_core::record::Draft;

use super::*;
use crate::clock::Boot;
use crate::pipeline::tests::stage::{GRANTED, OTHER, caller, log_in, policy};
use crate::standing::Standing;

fn uid(id: u32) -> Option<Uid> {
    Some(Uid::try_from(id).unwrap())
}

async fn log(of: impl IntoIterator<Item = u32>) -> (tempfile::TempDir, Ledger) {
    let (directory, boot, standing) = (log_in(), Boot::read().unwrap(), Arc::new(Standing::new()));
    let (ledger, _) = Ledger::open(directory.path(), boot, standing, &policy(""), &[], |_, _| vec![]).unwrap();
    let ledger = Arc::new(ledger);
    let written: Vec<_> = of
        .into_iter()
        .map(|uid| {
            let ledger = Arc::clone(&ledger);
            tokio::spawn(async move {
                let failure = Failure::new(Code::Denied, "no");
                let draft = Draft::rejected(&ledger.stamp(&policy("")), &caller(uid), &failure);
                ledger.write(draft).await.unwrap();
            })
        })
        .collect();
    for one in written {
        one.await.unwrap();
    }
    (directory, Arc::into_inner(ledger).unwrap())
}

async fn numbers(ledger: &Ledger, query: Query) -> (Vec<u64>, u64) {
    let page = ledger.query(query).await.unwrap();
    (page.entries.iter().map(|entry| entry.seq).collect(), page.next)
}

#[tokio::test]
async fn a_user_sees_its_own_entries_and_no_others() {
    let (_directory, ledger) = log([GRANTED, OTHER, GRANTED, 100, OTHER]).await;
    let own = Query { uid: uid(GRANTED), ..Query::default() };
    assert_eq!(numbers(&ledger, own.clone()).await, (vec![3, 1], 0));
    // 100 is the beginning of 1000, and another user.
    assert_eq!(numbers(&ledger, Query { uid: uid(100), ..Query::default() }).await, (vec![4], 0));
    assert_eq!(numbers(&ledger, Query { uid: uid(10), ..Query::default() }).await, (vec![], 0));
    assert_eq!(numbers(&ledger, Query::default()).await, (vec![5, 4, 3, 2, 1], 0));
    for (entry, expected) in [(3, vec![3]), (2, vec![])] {
        let one = Query { first: entry, before: entry + 1, ..own.clone() };
        assert_eq!(numbers(&ledger, one).await, (expected, 0));
    }
    let code = |code: &str| Query { code: Some(code.to_owned()), ..own.clone() };
    assert_eq!(numbers(&ledger, code("Denied")).await.0, [3, 1]);
    assert!(numbers(&ledger, code("Refused")).await.0.is_empty());
    for nothing in [
        Query { id: Some(RequestId::from_random(1)), ..own.clone() },
        Query { tier: Some("T0".to_owned()), ..own.clone() },
        Query { verdict: Some("deny".to_owned()), ..own.clone() },
        Query { since: Moment::from_millis(u64::MAX), ..own.clone() },
        Query { until: Moment::from_millis(1), ..own },
    ] {
        assert!(numbers(&ledger, nothing.clone()).await.0.is_empty(), "{nothing:?}");
    }
}

#[tokio::test]
async fn an_answer_has_n_entries_and_says_where_to_go_on() {
    let (_directory, ledger) = log([GRANTED; 101]).await;
    let own = |before| Query { uid: uid(GRANTED), before, limit: 1_000, ..Query::default() };
    let (first, next) = numbers(&ledger, own(u64::MAX)).await;
    assert_eq!((first, next), ((2..=101).rev().collect(), 2), "one is left");
    assert_eq!(numbers(&ledger, own(next)).await, (vec![1], 0));
    assert_eq!(numbers(&ledger, own(101)).await, ((1..=100).rev().collect(), 0), "exactly as many as there are");
    let two = Query { limit: 2, ..own(50) };
    assert_eq!(numbers(&ledger, two).await, (vec![49, 48], 48));
    assert_eq!(numbers(&ledger, own(0)).await, (vec![], 0));
}

#[tokio::test]
async fn a_call_looks_at_a_bounded_part_and_can_go_on() {
    let (_directory, ledger) = log([OTHER, GRANTED, GRANTED, GRANTED]).await;
    let log = ledger.look(|store| store.reader()).await.unwrap();
    let size = usize::try_from(u64::MAX >> 1).unwrap();
    let numbers = |before, bounds| {
        let page = Query { uid: uid(OTHER), before, ..Query::default() }.read(&log, bounds).unwrap();
        (page.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), page.next)
    };
    let three = Bounds { answered: size, looked_at: 3, read: size };
    assert_eq!(numbers(u64::MAX, three), (vec![], 2), "as far as it looked");
    assert_eq!(numbers(4, three), (vec![1], 0), "at n");
    assert_eq!(numbers(2, three), (vec![1], 0));
    let one = Bounds { answered: size, looked_at: u64::MAX, read: 1 };
    assert_eq!(numbers(u64::MAX, one), (vec![], 4));
    let all = Query { ..Query::default() }.read(&log, Bounds { answered: 1, looked_at: 9, read: size }).unwrap();
    assert_eq!((all.entries.len(), all.next), (1, 4));
}
