//! What root alone can write is pinned; what anybody else could have a hand in is not, and a change is seen.

use super::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::PathBuf;

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(format!("/opt/countersign-pin-{}-{name}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str, mode: u32) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn pin(words: &[&str]) -> Result<Pinned, Failure> {
    let argv = Argv::new(words.iter().map(|word| (*word).to_owned()).collect()).unwrap();
    Pinner::default().pin(&argv, &CleanPath::new("/").unwrap()).map(|pins| pins.pinned).map_err(failure)
}

fn failure(not_pinned: NotPinned) -> Failure {
    match not_pinned {
        NotPinned::Refused(failure) => failure,
        NotPinned::Unread(_) => panic!("read in parts"),
    }
}

#[test]
fn a_large_file_is_read_in_parts_and_pinned_as_if_at_once() {
    let scratch = Scratch::new("large");
    let mut pinner = Pinner::default();
    let root = CleanPath::new("/").unwrap();
    // A part is a mebibyte, and that a file ends is found by reading past its end.
    for (bytes, parts) in [(1_048_575, 0), (1_048_576, 1), (1_048_577, 1), (3 * 1_048_576, 3)] {
        let path = scratch.file(&format!("program-{bytes}"), &"x".repeat(bytes), 0o755);
        let argv = Argv::new(vec![path]).unwrap();
        let mut taken = 0;
        let mut asked = pinner.pin(&argv, &root);
        while let Err(NotPinned::Unread(reading)) = asked {
            let mut progress = Progress::More(*reading);
            while let Progress::More(reading) = progress {
                progress = reading.read_on().unwrap();
                taken += 1;
            }
            let Progress::Whole(read) = progress else { unreachable!() };
            pinner.remember(read);
            asked = pinner.pin(&argv, &root);
        }
        let expected = countersign_core::digest::Digest::of("x".repeat(bytes).as_bytes());
        assert_eq!((asked.unwrap().pinned.executable.sha256, taken), (expected, parts), "{bytes}");
    }
}

#[test]
fn a_large_file_that_is_written_to_while_it_is_read_is_refused() {
    let scratch = Scratch::new("growing");
    let path = scratch.file("program", &"x".repeat(3 * 1_048_576), 0o755);
    let argv = Argv::new(vec![path.clone()]).unwrap();
    let Err(NotPinned::Unread(reading)) = Pinner::default().pin(&argv, &CleanPath::new("/").unwrap()) else {
        panic!("read at once")
    };
    let Progress::More(reading) = reading.read_on().unwrap() else { panic!("read at once") };
    fs::File::options().write(true).open(&path).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let mut progress = reading.read_on();
    while let Ok(Progress::More(reading)) = progress {
        progress = reading.read_on();
    }
    assert_eq!(progress.unwrap_err().code, Code::Changed);
}

#[test]
fn a_word_without_a_slash_is_found_in_the_fixed_path_and_its_links_are_gone() {
    let pinned = pin(&["sh", "-c", "true"]).unwrap();
    assert!(pinned.executable.path.as_str().starts_with("/usr/bin/"), "{pinned:?}");
    assert_eq!(pinned.executable, pin(&["/bin/sh"]).unwrap().executable);
    assert_eq!(pinned.executable.sha256, countersign_core::digest::Digest::of(&fs::read("/bin/sh").unwrap()));
    assert_eq!(pinned.cwd.path.as_str(), "/");
}

#[test]
fn what_is_not_there_is_not_run() {
    for words in [&["no-such-program-here"][..], &["/no/such/program"], &["/etc"], &["/etc/passwd"], &["../etc/passwd"]]
    {
        assert_eq!(pin(words).unwrap_err().code, Code::LaunchFailed, "{words:?}");
    }
}

#[test]
fn what_others_can_write_is_refused_and_the_sentence_says_what() {
    let scratch = Scratch::new("writable");
    assert!(pin(&[&scratch.file("sound", "#!/bin/sh\n", 0o755)]).is_ok());
    for mode in [0o775, 0o757, 0o777] {
        let path = scratch.file("unsound", "#!/bin/sh\n", mode);
        let failure = pin(&[&path]).unwrap_err();
        assert!(failure.sentence.contains("others than root"), "{failure}");
    }
    let path = scratch.file("foreign", "#!/bin/sh\n", 0o755);
    chown(&path, Some(1), Some(1)).unwrap();
    assert!(pin(&[&path]).is_err());
    let path = scratch.file("plain", "#!/bin/sh\n", 0o644);
    assert!(pin(&[&path]).unwrap_err().sentence.contains("not executable"));
    fs::set_permissions(&scratch.0, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(pin(&[scratch.0.join("sound").to_str().unwrap()]).is_err());
}

#[test]
fn a_script_pins_its_interpreter_and_one_more_level_is_refused() {
    let scratch = Scratch::new("script");
    let script = scratch.file("script", "#!/bin/sh -e\nexit 0\n", 0o755);
    let interpreter = pin(&[&script]).unwrap().interpreter.unwrap();
    assert_eq!(interpreter.argument.as_deref(), Some("-e"));
    assert_eq!(interpreter.file, pin(&["/bin/sh"]).unwrap().executable);
    let nested = scratch.file("nested", &format!("#!{script}\n"), 0o755);
    assert!(pin(&[&nested]).unwrap_err().sentence.contains("itself a script"));
    let lost = scratch.file("lost", "#!/no/such/interpreter\n", 0o755);
    assert!(pin(&[&lost]).is_err());
    let relative = scratch.file("relative", "#!sh\n", 0o755);
    assert!(pin(&[&relative]).is_err());
}

#[test]
fn another_content_under_the_same_name_is_another_pin_even_from_memory() {
    let scratch = Scratch::new("changed");
    let path = scratch.file("program", "#!/bin/sh\nexit 0\n", 0o755);
    let argv = Argv::new(vec![path.clone()]).unwrap();
    let root = CleanPath::new("/").unwrap();
    let mut pinner = Pinner::default();
    let first = pinner.pin(&argv, &root).unwrap();
    assert_eq!(pinner.pin(&argv, &root).unwrap().pinned, first.pinned);
    // The same length, written in place, with the time of the last writing put back.
    let times = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, "#!/bin/sh\nexit 1\n").unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(times).unwrap();
    let second = pinner.pin(&argv, &root).unwrap();
    assert_eq!(second.pinned.executable.modified_ns, first.pinned.executable.modified_ns);
    assert_ne!(second.pinned.executable.sha256, first.pinned.executable.sha256);
    let other = scratch.file("other", "#!/bin/sh\nexit 0\n", 0o755);
    fs::rename(&other, &path).unwrap();
    assert_ne!(pinner.pin(&argv, &root).unwrap().pinned, first.pinned);
}

#[test]
fn a_working_directory_must_be_one() {
    let argv = Argv::new(vec!["true".to_owned()]).unwrap();
    for (cwd, code) in [("/etc/passwd", Code::InvalidRequest), ("/no/such/directory", Code::LaunchFailed)] {
        let failure = failure(Pinner::default().pin(&argv, &CleanPath::new(cwd).unwrap()).unwrap_err());
        assert_eq!(failure.code, code, "{cwd}");
    }
}

#[test]
fn a_callers_word_is_inert_in_our_sentence() {
    let failure = pin(&["x\u{1b}[2J\n\u{202e}y"]).unwrap_err();
    assert!(!failure.sentence.contains(['\u{1b}', '\n', '\u{202e}']), "{failure}");
}
