//! What is owed on a real file system without room, in a mount namespace of the test's own.

use countersign_core::code::Code;
use countersign_core::run_state::RunState;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use tempfile::TempDir;

use super::*;
use crate::pipeline::tests::stage::{GRANTED, OTHER, Stage, ask, caller as of, end, until, yes};
use crate::tickets::Phase as Step;

/// Runs the test with a file system of its own for the log, which goes away with the thread. It has room for more than
/// the broker wants to have free.
fn on_a_small_disk(test: impl AsyncFnOnce(Stage) + Send + 'static) {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().to_owned();
    let thread = std::thread::Builder::new().spawn(move || {
        unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_FS).unwrap();
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
        mount(Some("tmpfs"), &path, Some("tmpfs"), MsFlags::empty(), Some("size=24m,mode=0700")).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { test(Stage::on(TempDir::new_in(&path).unwrap())).await });
    });
    thread.unwrap().join().unwrap();
}

/// Takes all the room that is left; returns what gives it back.
fn full(stage: &Stage) -> impl Drop + use<> {
    struct Ballast(std::path::PathBuf);
    impl Drop for Ballast {
        fn drop(&mut self) {
            std::fs::remove_file(&self.0).unwrap();
        }
    }
    let path = stage.directory.path().join("ballast");
    let mut size = 1 << 20;
    while size > 0 {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&path).unwrap();
        if std::io::Write::write_all(&mut file, &vec![0; size]).is_err() {
            size /= 2;
        }
    }
    Ballast(path)
}

fn count(stage: &Stage) -> usize {
    stage.pipeline.ledger.owed.all().len()
}

#[test]
fn what_was_approved_when_the_log_fails_does_not_run_and_has_its_record_when_the_log_is_well() {
    on_a_small_disk(approved_on_a_full_disk);
}

async fn approved_on_a_full_disk(stage: Stage) {
    let ticket = stage.submit(GRANTED, &["change"]).await.unwrap();
    let well = full(&stage);
    assert!(ticket.slot.give(yes()));
    assert_eq!(end(&ticket).await.unwrap_err(), Code::AuditUnavailable);
    assert_eq!((stage.ran(), stage.pipeline.standing.state()), (false, RunState::Amber));
    let read = stage.submit(OTHER, &["echo"]).await.unwrap();
    assert_eq!(end(&read).await.unwrap_err(), Code::AuditUnavailable);
    assert_eq!((stage.log().len(), count(&stage), stage.pipeline.ledger.pay().await), (0, 2, false));
    drop(well);
    assert!(stage.pipeline.ledger.pay().await && stage.pipeline.ledger.pay().await);
    assert_eq!(stage.log(), ["final AuditUnavailable"; 2], "once each, in their order");
    let records = stage.records();
    let approvers: Vec<usize> = records.iter().map(|record| record.approvers.len()).collect();
    assert_eq!((records[0].id, approvers), (Some(ticket.id()), vec![1, 0]), "and who approved it is said");
    assert!(records[0].time <= records[1].time && records[0].digest == Some(ticket.digest));
    assert!(!stage.ran() && !ticket.slot.give(yes()));
    let again = stage.submit(OTHER, &["wait"]).await.unwrap();
    until(&again, Step::Running).await;
}

#[test]
fn so_much_is_owed_for_one_caller_and_for_all_and_not_one_more() {
    on_a_small_disk(many_on_a_full_disk);
}

async fn many_on_a_full_disk(stage: Stage) {
    let well = full(&stage);
    for (uid, owed) in [(GRANTED, OF_ONE), (OTHER, 2 * OF_ONE)] {
        for _ in 0..OF_ONE + 3 {
            stage.pipeline.plan(&of(uid), ask(&["echo"])).await.unwrap_err();
        }
        assert_eq!(count(&stage), owed);
    }
    let draft = stage.pipeline.ledger.owed.all().remove(0);
    let strangers = (10_000..12_000).map(|uid| draft.clone().with_caller(&of(uid)));
    strangers.for_each(|draft| stage.pipeline.ledger.owed.keep(draft));
    assert_eq!(count(&stage), IN_ALL);
    drop(well);
    assert!(stage.pipeline.ledger.pay().await);
    assert_eq!((stage.log().len(), count(&stage)), (IN_ALL, 0));
}
