//! Backups: whole while the writer writes and closes segments, the owner's alone, and nothing where one failed.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use countersign_core::checkpoint::Checkpoint;

use super::handover::key;
use super::segment::{FOUR, close};
use super::{State, check, denied, six};
use crate::{BackupError, Report, Saved, StoreError, backup};

/// A place for backups.
fn shelf() -> (tempfile::TempDir, PathBuf) {
    let shelf = tempfile::tempdir_in("/dev/shm").unwrap();
    let to = shelf.path().join("saved");
    (shelf, to)
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn assert_sound(to: &Path, saved: &Saved) {
    let report = check(to).unwrap();
    let Report::Verified { entries, head, .. } = report else { panic!("{report:?}") };
    assert_eq!((entries, head), (saved.head.seq, saved.head.hash));
}

#[test]
fn a_backup_is_a_log_and_the_owners_alone() {
    let state = State::new();
    let mut store = state.open();
    for count in [5, 7] {
        close(&mut store, count);
    }
    store.append(&six()).unwrap();
    let (shelf, to) = shelf();
    let saved = backup(state.path(), &to).unwrap();
    assert_eq!((saved.head, saved.segments), (store.head().unwrap(), 3));
    let files = ["audit-000000000001-000000000005.db", "audit-000000000006-000000000012.db", "audit.db"];
    assert_eq!((names(&to), names(shelf.path())), (files.map(str::to_owned).to_vec(), vec!["saved".to_owned()]));
    assert_eq!((mode(&to), files.map(|file| mode(&to.join(file)))), (0o700, [0o600; 3]));
    // The signatures of these segments are words of a test; what they sign is for others.
    let entries = |path: &Path| crate::Pages::of(path).after(12).unwrap();
    assert_eq!(entries(&to), entries(state.path()));
    store.append(&[denied(9)]).unwrap();
    assert_eq!(entries(&to).len(), 6, "as it was then");
    assert!(!store.close_segment(FOUR).unwrap() && store.append(&[denied(9)]).is_ok());
    // A log goes on from there.
    let mut restored = crate::Store::open(&to).unwrap();
    assert_eq!(restored.append(&[denied(1)]).unwrap()[0].seq, 19);
}

#[test]
fn a_backup_is_sound_whenever_it_is_taken() {
    let state = State::new();
    let mut store = state.open();
    let (shelf, _) = shelf();
    let (counts, closed) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut closed = 0;
            for id in 0..600 {
                store.append(&[denied(id)]).unwrap();
                if id % 7 == 0 {
                    store.checkpoint().unwrap();
                }
                if id % 20 == 0 {
                    // Postponed where a backup is under way.
                    let (signer, head) = (key(1), store.tree());
                    let signed = Checkpoint::new(signer.verifier().name().clone(), head).sign(&signer).unwrap();
                    store.keep(&head, &signed.to_string()).unwrap();
                    closed += usize::from(store.close_segment(FOUR).unwrap_or(false));
                }
            }
            closed
        });
        let mut counts = Vec::new();
        while !writer.is_finished() || counts.is_empty() {
            let to = shelf.path().join(format!("saved-{}", counts.len()));
            let saved = backup(state.path(), &to).unwrap();
            assert_sound(&to, &saved);
            counts.push(saved.head.seq);
        }
        (counts, writer.join().unwrap())
    });
    assert!(closed > 0, "segments were closed between");
    assert!(counts.is_sorted() && counts.last().is_some_and(|last| *last <= 600), "{counts:?}");
}

#[test]
fn nothing_is_written_over_and_what_fails_leaves_nothing() {
    let state = State::with(&six());
    let (shelf, to) = shelf();
    fs::write(shelf.path().join("file"), "mine").unwrap();
    fs::create_dir(shelf.path().join("empty")).unwrap();
    symlink("nowhere", shelf.path().join("link")).unwrap();
    for there in ["file", "empty", "link"] {
        let refused = backup(state.path(), &shelf.path().join(there));
        assert!(matches!(refused, Err(BackupError::There(_))), "{there}: {refused:?}");
    }
    assert_eq!(fs::read(shelf.path().join("file")).unwrap(), b"mine");
    assert!(matches!(backup(state.path(), &shelf.path().join("no/where")), Err(BackupError::Output { .. })));
    let before = names(shelf.path());
    assert!(backup(State::new().path(), &to).is_err(), "no log");
    let strange = State::new();
    rusqlite::Connection::open(strange.database()).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    assert!(matches!(backup(strange.path(), &to), Err(BackupError::Log(StoreError::Schema))));
    fs::write(state.path().join("audit-000000000001-000000000003.db"), "no database").unwrap();
    assert!(backup(state.path(), &to).is_err(), "a closed segment that is none");
    assert_eq!(names(shelf.path()), before);
}

/// Changed entries are saved as they are, and found in the backup.
#[test]
fn a_backup_of_a_damaged_log_is_damaged() {
    let state = State::with(&six());
    state.forge("UPDATE entries SET body = CAST(replace(CAST(body AS TEXT), 'agent', 'agenT') AS BLOB) WHERE seq = 3");
    let (_shelf, to) = shelf();
    backup(state.path(), &to).unwrap();
    assert!(matches!(check(&to).unwrap(), Report::Tampered { seq: 3, .. }));
}
