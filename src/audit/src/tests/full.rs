//! A disk that is full, read-only, or has room again: on a real file system of a few hundred KiB, in a mount
//! namespace of the test's own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::{State, check, denied, start};
use crate::{Report, Store, StoreError, Writer};

/// Runs the test with a small file system of its own, which goes away with the thread.
fn on_a_small_disk(test: impl FnOnce(&Path) + Send + 'static) {
    let thread = std::thread::Builder::new().spawn(move || {
        let directory = State::new();
        unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_FS).unwrap();
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
        mount(Some("tmpfs"), directory.path(), Some("tmpfs"), MsFlags::empty(), Some("size=256k,mode=0700")).unwrap();
        test(directory.path());
        nix::mount::umount2(directory.path(), nix::mount::MntFlags::MNT_DETACH).unwrap();
    });
    thread.unwrap().join().unwrap();
}

fn fill(directory: &Path) {
    let mut size = 1 << 20;
    while size > 0 {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(directory.join("ballast")).unwrap();
        if std::io::Write::write_all(&mut file, &vec![0; size]).is_err() {
            size /= 2;
        }
    }
}

#[test]
fn a_full_disk_is_said_to_be_full_and_nothing_is_half_written() {
    on_a_small_disk(|directory| {
        let mut store = Store::open(directory).unwrap();
        store.append(&[start()]).unwrap();
        fill(directory);
        let mut written = 1_u64;
        let error = loop {
            match store.append(&[denied(u128::from(written)), denied(u128::from(written) + 1_000)]) {
                Ok(entries) => written += u64::try_from(entries.len()).unwrap(),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, StoreError::Full(_)), "{error:?}");
        assert_eq!(store.head().unwrap().seq, written);
        let report = check(directory).unwrap();
        assert!(
            matches!(report, Report::Verified { entries, .. } | Report::Torn { entries, .. } if entries == written),
            "{report:?}"
        );

        fs::remove_file(directory.join("ballast")).unwrap();
        assert_eq!(store.append(&[denied(2)]).unwrap()[0].seq, written + 1);
        let report = check(directory).unwrap();
        assert!(matches!(report, Report::Verified { entries, .. } if entries == written + 1), "{report:?}");
    });
}

#[test]
fn the_writer_passes_a_full_disk_on_and_works_again_when_there_is_room() {
    on_a_small_disk(|directory| {
        let writer = Writer::start(Store::open(directory).unwrap(), super::SEGMENT).unwrap();
        let append = |count: usize| {
            let (sender, receiver) = std::sync::mpsc::channel();
            writer.append(
                (0..count).map(|id| denied(u128::try_from(id).unwrap())).collect(),
                Box::new(move |reply| sender.send(reply).unwrap()),
            );
            receiver.recv().unwrap()
        };
        fill(directory);
        assert!(matches!(append(300), Err(StoreError::Full(_))));
        fs::remove_file(directory.join("ballast")).unwrap();
        assert_eq!(append(1).unwrap()[0].seq, 1);
    });
}

#[test]
fn a_read_only_disk_is_said_to_be_read_only_and_can_still_be_verified() {
    on_a_small_disk(|directory| {
        Store::open(directory).unwrap().append(&[start()]).unwrap();
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        mount(None::<&str>, directory, None::<&str>, flags, None::<&str>).unwrap();
        let error = Store::open(directory).unwrap_err();
        assert!(matches!(error, StoreError::ReadOnly(_) | StoreError::Io(_)), "{error:?}");
        assert!(matches!(check(directory).unwrap(), Report::Verified { entries: 1, .. }));
    });
}

#[test]
fn a_copy_that_may_not_be_written_is_verified() {
    let state = State::with(&[start()]);
    fs::set_permissions(state.database(), fs::Permissions::from_mode(0o400)).unwrap();
    assert!(check(&state.database()).unwrap().is_verified());
}
