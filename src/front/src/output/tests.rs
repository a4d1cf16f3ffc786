//! What is promised of output: hashed whole, bounded, copied, and nobody waits for a reader that does not read.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::time::Instant;

use countersign_core::caller::Uid;
use countersign_core::digest::Digest;
use countersign_core::policy::budget::{Accounts, Allowance, Charge};

use super::*;
use crate::budget::Budgets;

const NO_CAP: u64 = u64::MAX;

/// The only place for a job.
fn held(budgets: &Budgets) -> Result<Held, countersign_core::code::Failure> {
    budgets.reserve(Uid::ROOT, &Allowance::default().limits(), Charge { jobs: 16, ..Charge::NONE })
}

fn place() -> Arc<Held> {
    Arc::new(held(&Budgets::new(Accounts::default())).unwrap())
}

fn begin(sinks: Sinks, most: u64) -> (Ends, Capture) {
    capture(sinks, most, &place()).unwrap()
}

fn sink(fd: OwnedFd) -> Option<Sink> {
    Some(Sink::new(fd).unwrap())
}

/// Writes from a thread, as a job would, and closes the end.
fn job(end: OwnedFd, content: Vec<u8>) -> JoinHandle<()> {
    tokio::task::spawn_blocking(move || File::from(end).write_all(&content).unwrap())
}

#[tokio::test]
async fn everything_is_hashed_and_the_beginning_is_kept() {
    for length in [0, 1, PREVIEW, PREVIEW + 1, 3 * PREVIEW + 7] {
        let content: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let (ends, capture) = begin(Sinks::default(), NO_CAP);
        let writing = job(ends.stdout, content.clone());
        drop(ends.stderr);
        let Output { stdout, stderr } = capture.finish(GRACE).await;
        writing.await.unwrap();
        assert_eq!(stdout.stream.sha256, Digest::of(&content), "{length}");
        assert_eq!(stdout.stream.length, u64::try_from(length).unwrap());
        assert_eq!(stdout.preview, content[..length.min(PREVIEW)]);
        assert_eq!(stdout.stream.truncated, length > PREVIEW);
        assert_eq!((stderr.stream.length, stderr.stream.truncated), (0, false));
    }
}

#[tokio::test]
async fn the_callers_descriptor_gets_every_byte() {
    let content: Vec<u8> = (0..1_000_000_u32).map(|at| u8::try_from(at % 249).unwrap()).collect();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let (ends, capture) = begin(Sinks { stdout: sink(writer.into()), stderr: None }, NO_CAP);
    let reading = tokio::task::spawn_blocking(move || {
        let mut all = Vec::new();
        reader.read_to_end(&mut all).unwrap();
        all
    });
    let writing = job(ends.stdout, content.clone());
    drop(ends.stderr);
    let output = capture.finish(GRACE).await;
    assert!(!output.stdout.stream.truncated, "all of it reached the caller");
    assert_eq!(reading.await.unwrap(), content);
    writing.await.unwrap();
}

#[tokio::test]
async fn a_reader_that_has_gone_loses_the_rest_and_the_job_goes_on() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let (ends, capture) = begin(Sinks { stdout: sink(writer.into()), stderr: None }, NO_CAP);
    let content = vec![b'x'; 500_000];
    let writing = job(ends.stdout, content.clone());
    drop(ends.stderr);
    let output = capture.finish(GRACE).await;
    writing.await.unwrap();
    assert!(output.stdout.stream.truncated);
    assert_eq!((output.stdout.stream.length, output.stdout.stream.sha256), (500_000, Digest::of(&content)));
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_given_up_after_a_while() {
    let (reader, writer) = std::io::pipe().unwrap();
    // The caller's pipe is full already, and its description stays as it was: waiting.
    let mut filler = writer.try_clone().unwrap();
    filler.write_all(&[0; 65_536]).unwrap();
    let budgets = Budgets::default();
    let place = Arc::new(held(&budgets).unwrap());
    let (ends, capture) = capture(Sinks { stdout: sink(writer.into()), stderr: None }, NO_CAP, &place).unwrap();
    drop(place);
    job(ends.stdout, b"late".to_vec()).await.unwrap();
    drop(ends.stderr);
    let since = Instant::now();
    let output = capture.finish(GRACE).await;
    assert!(output.stdout.stream.truncated && output.stdout.stream.length == 4);
    assert!(since.elapsed() >= GRACE && since.elapsed() < GRACE * 2);
    // The thread gives its place back soon after.
    tokio::time::timeout(Duration::from_secs(5), async {
        while held(&budgets).is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
    drop(reader);
}

#[tokio::test]
async fn a_descriptor_that_was_handed_on_does_not_keep_the_call_waiting() {
    let (ends, capture) = begin(Sinks::default(), NO_CAP);
    let handed_on = ends.stdout.as_fd().try_clone_to_owned().unwrap();
    drop(ends);
    let output = tokio::time::timeout(GRACE * 2, capture.finish(GRACE)).await.unwrap();
    assert!(output.stdout.stream.truncated && !output.stderr.stream.truncated);
    drop(handed_on);
}

#[tokio::test]
async fn the_cap_counts_both_streams_at_n_and_n_plus_one() {
    for (one, other, over) in [(600, 400, false), (600, 401, true)] {
        let (ends, mut capture) = begin(Sinks::default(), 1_000);
        job(ends.stdout, vec![b'a'; one]).await.unwrap();
        job(ends.stderr, vec![b'b'; other]).await.unwrap();
        let told = tokio::time::timeout(Duration::from_millis(300), capture.overflow()).await.is_ok();
        assert_eq!(told, over);
        assert_eq!(capture.finish(GRACE).await.stderr.stream.length, u64::try_from(other).unwrap());
    }
}

#[test]
fn only_what_can_be_written_in_order_is_a_place_for_output() {
    let file = |path: &str, write: bool| OwnedFd::from(File::options().read(!write).write(write).open(path).unwrap());
    assert!(Sink::new(file("/dev/null", true)).is_ok());
    assert!(Sink::new(std::os::unix::net::UnixStream::pair().unwrap().0.into()).is_ok());
    assert!(Sink::new(std::io::pipe().unwrap().1.into()).is_ok());
    assert!(Sink::new(std::io::pipe().unwrap().0.into()).is_err(), "the reading end");
    assert!(Sink::new(file("/dev/null", false)).is_err(), "not opened for writing");
    assert!(Sink::new(File::open("/").unwrap().into()).is_err(), "a directory");
    let path_only = rustix::fs::open("/dev/null", rustix::fs::OFlags::PATH, rustix::fs::Mode::empty()).unwrap();
    assert!(Sink::new(path_only).is_err(), "a mere path");
}
