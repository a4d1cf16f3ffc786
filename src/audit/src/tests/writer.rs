//! The writer thread: order, bounds and its end.

use std::fs;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use countersign_core::record::Entry;

use super::{State, check, denied, start};
use crate::{Reply, Report, StoreError, Writer};

type Answer = Result<Vec<Entry>, StoreError>;

fn reply() -> (Reply, Receiver<Answer>) {
    let (sender, receiver) = channel();
    (Box::new(move |answer| drop(sender.send(answer))), receiver)
}

fn append(writer: &Writer, id: u128) -> Receiver<Answer> {
    let (reply, receiver) = reply();
    writer.append(vec![denied(id)], reply);
    receiver
}

#[test]
fn every_append_gets_its_own_entries_in_the_order_of_the_queue() {
    let state = State::new();
    let writer = Writer::start(state.open(), super::SEGMENT).unwrap();
    let (first, answer) = reply();
    writer.append(vec![start(), denied(1)], first);
    let answers: Vec<_> = (2..200).map(|id| append(&writer, id)).collect();
    let seqs = |answer: Answer| answer.unwrap().iter().map(|entry| entry.seq).collect::<Vec<_>>();
    assert_eq!(seqs(answer.recv().unwrap()), [1, 2]);
    for (seq, answer) in (3..).zip(answers) {
        assert_eq!(seqs(answer.recv().unwrap()), [seq]);
    }
    assert!(matches!(check(state.path()).unwrap(), Report::Verified { entries: 200, .. }));
}

#[test]
fn many_threads_write_one_chain() {
    let state = State::new();
    let writer = Writer::start(state.open(), super::SEGMENT).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let writer = &writer;
            scope.spawn(move || {
                (0..50).for_each(|id| drop(append(writer, thread * 1_000 + id).recv().unwrap().unwrap()))
            });
        }
    });
    assert!(matches!(check(state.path()).unwrap(), Report::Verified { entries: 400, .. }));
}

#[test]
fn a_stop_writes_what_is_queued_and_nothing_later() {
    let state = State::new();
    let writer = Writer::start(state.open(), super::SEGMENT).unwrap();
    let before: Vec<_> = (0..50).map(|id| append(&writer, id)).collect();
    let (done, stopped) = reply();
    writer.stop(done);
    assert_eq!(stopped.recv().unwrap().unwrap(), vec![]);
    assert!(before.into_iter().all(|answer| answer.recv().unwrap().is_ok()));
    assert!(matches!(append(&writer, 99).recv().unwrap(), Err(StoreError::Gone)));
    let (done, stopped) = reply();
    writer.stop(done);
    assert!(matches!(stopped.recv().unwrap(), Err(StoreError::Gone)));
    assert!(matches!(check(state.path()).unwrap(), Report::Verified { entries: 50, .. }));
    assert_eq!(fs::metadata(state.journal()).map_or(0, |file| file.len()), 0);
}

#[test]
fn a_writer_that_is_dropped_still_writes_what_is_queued() {
    let state = State::new();
    let writer = Writer::start(state.open(), super::SEGMENT).unwrap();
    let answers: Vec<_> = (0..20).map(|id| append(&writer, id)).collect();
    drop(writer);
    assert!(answers.into_iter().all(|answer| answer.recv().unwrap().is_ok()));
}

#[test]
fn the_queue_takes_n_and_refuses_n_plus_one() {
    let state = State::new();
    let writer = Writer::start(state.open(), super::SEGMENT).unwrap();
    let (release, held) = channel::<()>();
    let (entered, inside) = channel::<()>();
    let reply = move |_: Answer| {
        entered.send(()).unwrap();
        held.recv().unwrap();
    };
    writer.append(vec![start()], Box::new(reply));
    inside.recv().unwrap();
    let waiting: Vec<_> = (0..4_096).map(|id| append(&writer, id)).collect();
    assert!(matches!(append(&writer, 9_999).recv().unwrap(), Err(StoreError::Overloaded)));
    release.send(()).unwrap();
    assert!(waiting.into_iter().all(|answer| answer.recv().unwrap().is_ok()));
}

#[test]
fn an_idle_writer_leaves_the_whole_log_in_the_database() {
    let state = State::new();
    let writer = Writer::start(state.open(), super::SEGMENT).unwrap();
    append(&writer, 1).recv().unwrap().unwrap();
    assert!(fs::metadata(state.journal()).unwrap().len() > 0);
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while fs::metadata(state.journal()).unwrap().len() > 0 {
        assert!(std::time::Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(check(state.path()).unwrap().is_verified());
    append(&writer, 2).recv().unwrap().unwrap();
    assert!(matches!(check(state.path()).unwrap(), Report::Verified { entries: 2, .. }));
}

/// Appends and a stop from several threads, over and over: each gets one answer, and the log has what was answered well.
#[test]
fn every_append_beside_a_stop_is_answered_exactly_once() {
    for _ in 0..150 {
        let state = State::new();
        let writer = Writer::start(state.open(), super::SEGMENT).unwrap();
        let (sender, answers) = channel();
        std::thread::scope(|scope| {
            for thread in 0..3 {
                let (writer, sender) = (&writer, sender.clone());
                scope.spawn(move || {
                    for id in 0..20 {
                        let sender = sender.clone();
                        let reply = move |answer: Answer| sender.send(answer.is_ok()).unwrap();
                        writer.append(vec![denied(thread * 100 + id)], Box::new(reply));
                    }
                });
            }
            scope.spawn(|| writer.stop(reply().0));
        });
        drop(sender);
        drop(writer);
        let answers: Vec<bool> = answers.iter().collect();
        assert_eq!(answers.len(), 60);
        let written = u64::try_from(answers.iter().filter(|good| **good).count()).unwrap();
        assert_eq!(state.open().head().unwrap().seq, written);
    }
}
