//! The writer thread: order, bounds and its end.

use std::fs;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use countersign_core::record::Entry;

use super::segment::{FOUR, names, sign};
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

/// What the log's size is for a visit that is queued now.
fn size(writer: &Writer) -> Receiver<u64> {
    let (sender, receiver) = channel();
    writer.visit(Box::new(move |store| sender.send(store.unwrap().tree().size).unwrap()));
    receiver
}

/// Asks for a head to sign, and does not sign it.
fn asks(writer: &Writer) {
    let (sender, asked) = channel();
    writer.sign(Box::new(move |store| sender.send(store.is_ok()).unwrap()));
    assert!(asked.recv().unwrap());
}

#[test]
fn appends_wait_for_a_signature_where_a_segment_is_full_and_not_one_before() {
    let state = State::new();
    let writer = Writer::start(state.open(), FOUR).unwrap();
    (1..=3).for_each(|id| drop(append(&writer, id).recv().unwrap().unwrap()));
    asks(&writer);
    let fourth = append(&writer, 4);
    assert_eq!(size(&writer).recv().unwrap(), 4, "three are too few to wait");
    fourth.recv().unwrap().unwrap();
    asks(&writer);
    let waits = append(&writer, 5);
    assert_eq!(size(&writer).recv().unwrap(), 4, "it is signed now");
    writer.visit(Box::new(|store| sign(store.unwrap())));
    assert_eq!(waits.recv().unwrap().unwrap()[0].seq, 5);
    assert!(names(&state).contains(&"audit-000000000001-000000000004.db".to_owned()), "{:?}", names(&state));
}

#[test]
fn a_signature_that_does_not_come_is_not_waited_for_again_soon() {
    let state = State::new();
    let writer = Writer::start(state.open(), FOUR).unwrap();
    (1..=4).for_each(|id| drop(append(&writer, id).recv().unwrap().unwrap()));
    asks(&writer);
    // Nobody signs; it is written all the same, in its order.
    let (fifth, sixth) = (append(&writer, 5), append(&writer, 6));
    assert_eq!(size(&writer).recv().unwrap(), 4);
    let seq = |answer: Receiver<Answer>| answer.recv().unwrap().unwrap()[0].seq;
    assert_eq!((seq(fifth), seq(sixth)), (5, 6));
    asks(&writer);
    let seventh = append(&writer, 7);
    assert_eq!(size(&writer).recv().unwrap(), 7, "it does not wait again");
    assert_eq!((seq(seventh), names(&state).len()), (7, 1));
}

#[test]
fn a_stop_ends_the_wait_and_what_waited_is_written() {
    let state = State::new();
    let writer = Writer::start(state.open(), FOUR).unwrap();
    (1..=4).for_each(|id| drop(append(&writer, id).recv().unwrap().unwrap()));
    asks(&writer);
    let (waits, (done, stopped)) = (append(&writer, 5), reply());
    writer.stop(done);
    assert!(waits.recv().unwrap().is_ok() && stopped.recv().unwrap().is_ok());
    assert!(matches!(check(state.path()).unwrap(), Report::Verified { entries: 5, .. }));
}

/// Threads that never pause, and one that signs as the broker does: segments are closed all the same, and each append gets its
/// place, in its order.
#[test]
fn segments_close_under_load_and_nothing_is_lost_or_moved() {
    let state = State::new();
    let segment = std::num::NonZeroU64::new(40).unwrap();
    let writer = Writer::start(state.open(), segment).unwrap();
    let (loaded, done) = (std::sync::atomic::AtomicUsize::new(3), std::sync::atomic::Ordering::SeqCst);
    let threads: Vec<Vec<u64>> = std::thread::scope(|scope| {
        let load = |thread: u128| {
            let (writer, loaded) = (&writer, &loaded);
            move || {
                let one = |id| append(writer, thread * 1_000 + id).recv().unwrap().unwrap()[0].seq;
                let seqs = (0..200).map(one).collect();
                loaded.fetch_sub(1, done);
                seqs
            }
        };
        let threads: Vec<_> = (0..3).map(|thread| scope.spawn(load(thread))).collect();
        while loaded.load(done) > 0 {
            asks(&writer);
            // What the launcher takes.
            std::thread::sleep(Duration::from_millis(5));
            writer.visit(Box::new(|store| sign(store.unwrap())));
        }
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let (end, stopped) = reply();
    writer.stop(end);
    stopped.recv().unwrap().unwrap();
    assert!(threads.iter().all(|seqs| seqs.is_sorted()));
    let mut all = threads.concat();
    all.sort_unstable();
    assert_eq!(all, (1..=600).collect::<Vec<_>>());
    assert!(names(&state).len() > 4, "{:?}", names(&state));
    assert!(matches!(check(state.path()).unwrap(), Report::Verified { entries: 600, .. }));
}
