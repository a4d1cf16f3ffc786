//! Links are followed only where root alone could have put them; directories that others can change stop a walk.

use super::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

/// A directory that root alone can change, with nobody else's directory above it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(format!("/opt/countersign-walk-{}-{name}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Self(path)
    }

    fn open_directory(&self, name: &str) {
        fs::create_dir(self.0.join(name)).unwrap();
        fs::set_permissions(self.0.join(name), fs::Permissions::from_mode(0o1777)).unwrap();
    }

    fn walk(&self, below: &str, trust: Trust) -> Result<CleanPath, WalkError> {
        let path = CleanPath::new(self.0.join(below).to_str().unwrap()).unwrap();
        walk(&path, trust).map(|found| found.path)
    }

    fn path(&self, below: &str) -> CleanPath {
        CleanPath::new(self.0.join(below).to_str().unwrap()).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

#[test]
fn links_of_root_lead_on_and_the_path_comes_back_without_them() {
    let scratch = Scratch::new("links");
    fs::create_dir_all(scratch.0.join("a/b")).unwrap();
    fs::write(scratch.0.join("a/b/file"), "x").unwrap();
    symlink("a", scratch.0.join("relative")).unwrap();
    symlink(scratch.0.join("a/b"), scratch.0.join("absolute")).unwrap();
    symlink("../b/file", scratch.0.join("a/b/climbing")).unwrap();
    for (below, end) in [
        ("relative/b/file", "a/b/file"),
        ("absolute/file", "a/b/file"),
        ("relative/b/climbing", "a/b/file"),
        ("a", "a"),
    ] {
        for trust in [Trust::RootOnly, Trust::RootsLinks, Trust::Anything] {
            assert_eq!(scratch.walk(below, trust).unwrap(), scratch.path(end), "{below} {trust:?}");
        }
    }
}

#[test]
fn a_directory_that_others_can_change_stops_what_will_be_executed_and_only_that() {
    let scratch = Scratch::new("open");
    scratch.open_directory("open");
    fs::write(scratch.0.join("open/file"), "x").unwrap();
    assert!(
        matches!(scratch.walk("open/file", Trust::RootOnly), Err(WalkError::Untrusted { path }) if path.ends_with("/open"))
    );
    assert!(scratch.walk("open/file", Trust::RootsLinks).is_ok());
    assert!(scratch.walk("open/file", Trust::Anything).is_ok());
}

#[test]
fn a_file_that_others_can_change_stops_what_will_be_executed() {
    let scratch = Scratch::new("file");
    for (mode, sound) in [(0o755, true), (0o4755, true), (0o775, false), (0o757, false)] {
        fs::write(scratch.0.join("file"), "x").unwrap();
        fs::set_permissions(scratch.0.join("file"), fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(scratch.walk("file", Trust::RootOnly).is_ok(), sound, "{mode:o}");
    }
    std::os::unix::fs::chown(scratch.0.join("file"), Some(1), None).unwrap();
    fs::set_permissions(scratch.0.join("file"), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(scratch.walk("file", Trust::RootOnly).is_err());
}

#[test]
fn a_link_that_others_could_have_put_there_is_not_followed_to_what_will_be_written() {
    let scratch = Scratch::new("bait");
    scratch.open_directory("open");
    symlink("/etc/shadow", scratch.0.join("open/bait")).unwrap();
    assert!(matches!(scratch.walk("open/bait", Trust::RootsLinks), Err(WalkError::UntrustedLink { .. })));
    assert!(scratch.walk("open/bait", Trust::RootOnly).is_err());
    assert!(scratch.walk("open/bait", Trust::Anything).is_ok());
}

#[test]
fn the_kernels_bound_on_links_holds_at_n_and_n_plus_one() {
    let scratch = Scratch::new("chain");
    fs::write(scratch.0.join("0"), "x").unwrap();
    for n in 1..=41 {
        symlink((n - 1).to_string(), scratch.0.join(n.to_string())).unwrap();
    }
    assert!(scratch.walk("40", Trust::RootOnly).is_ok());
    assert!(matches!(scratch.walk("41", Trust::RootOnly), Err(WalkError::Loop)));
    symlink("self", scratch.0.join("self")).unwrap();
    assert!(matches!(scratch.walk("self", Trust::Anything), Err(WalkError::Loop)));
}

#[test]
fn nothing_climbs_above_the_root() {
    let scratch = Scratch::new("climb");
    symlink("../../../../../../../etc/hostname", scratch.0.join("up")).unwrap();
    assert_eq!(scratch.walk("up", Trust::RootOnly).unwrap().as_str(), "/etc/hostname");
    assert_eq!(walk(&CleanPath::new("/").unwrap(), Trust::RootOnly).unwrap().path.as_str(), "/");
}

#[test]
fn what_is_absent_is_told_from_what_is_refused() {
    let scratch = Scratch::new("absent");
    assert!(scratch.walk("nothing", Trust::RootOnly).unwrap_err().is_absent());
    fs::write(scratch.0.join("file"), "x").unwrap();
    assert!(scratch.walk("file/below", Trust::RootOnly).unwrap_err().is_absent());
    scratch.open_directory("open");
    assert!(!scratch.walk("open", Trust::RootOnly).unwrap_err().is_absent());
}
