//! The latch is engaged by anything at its path, and lifted by nothing here.

use super::*;
use countersign_core::time::Moment;
use std::os::unix::fs::MetadataExt as _;

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("countersign-latch-{}-{name}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn latch(&self) -> Latch {
        Latch::below(&self.0.join("state"), &self.0.join("run"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn note(why: &str) -> StopNote {
    StopNote { time: Moment::from_millis(5), who: "systemctl".to_owned(), why: why.to_owned() }
}

#[test]
fn engaging_writes_a_private_latch_and_a_public_notice() {
    let scratch = Scratch::new("both");
    let latch = scratch.latch();
    assert!(!latch.is_engaged());
    latch.engage(&note("maintenance")).unwrap();
    assert!(latch.is_engaged());
    for (file, mode) in [("state/stopped", 0o600), ("run/stopped", 0o644)] {
        let path = scratch.0.join(file);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, mode, "{file}");
        let read: StopNote = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(read, note("maintenance"));
    }
}

#[test]
fn only_what_is_engaged_can_be_made_to_last() {
    let scratch = Scratch::new("settle");
    let latch = scratch.latch();
    assert!(matches!(latch.settle(), Err(LatchError::Latch(_))));
    latch.engage(&note("x")).unwrap();
    latch.settle().unwrap();
    assert!(latch.is_engaged());
}

#[test]
fn the_first_note_stays() {
    let scratch = Scratch::new("first");
    let latch = scratch.latch();
    latch.engage(&note("first")).unwrap();
    latch.engage(&note("second")).unwrap();
    let read: StopNote = serde_json::from_slice(&fs::read(scratch.0.join("state/stopped")).unwrap()).unwrap();
    assert_eq!(read.why, "first");
}

#[test]
fn what_cannot_be_read_counts_as_engaged() {
    let scratch = Scratch::new("unreadable");
    fs::create_dir(scratch.0.join("state")).unwrap();
    for make in [
        |path: &Path| fs::write(path, b"\xff").unwrap(),
        |path: &Path| fs::create_dir(path).unwrap(),
        |path: &Path| std::os::unix::fs::symlink("/nowhere", path).unwrap(),
    ] {
        let path = scratch.0.join("state/stopped");
        make(&path);
        assert!(scratch.latch().is_engaged());
        fs::remove_file(&path).or_else(|_| fs::remove_dir(&path)).unwrap();
        assert!(!scratch.latch().is_engaged());
    }
    fs::remove_dir(scratch.0.join("state")).unwrap();
    fs::write(scratch.0.join("state"), "a file where the directory should be").unwrap();
    assert!(scratch.latch().is_engaged());
    assert!(matches!(scratch.latch().engage(&note("x")), Err(LatchError::Notice(_)) | Ok(())));
}

#[test]
fn a_clearing_is_told_once() {
    let scratch = Scratch::new("cleared");
    fs::create_dir(scratch.0.join("state")).unwrap();
    let path = scratch.0.join("state/cleared.json");
    fs::write(&path, serde_json::to_vec(&note("disk replaced")).unwrap()).unwrap();
    assert_eq!(scratch.latch().take_cleared(), Some(note("disk replaced")));
    assert_eq!(scratch.latch().take_cleared(), None);
    fs::write(&path, "{").unwrap();
    assert_eq!(scratch.latch().take_cleared(), None);
    assert!(!path.exists());
}
