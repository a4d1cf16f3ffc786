//! Laws: what the classifier owes to every command, whatever it is.
//!
//! Enters: words. Leaves: nothing, or a panic that names the law and shows the words. Total means that classifying
//! never panics; deterministic, that it says the same twice; never lowered, that no wrapper and no shell around a
//! command comes out below the command itself; bounded, that it takes no longer than a long command may.

use std::time::{Duration, Instant};

use countersign_core::argv::Argv;
use countersign_core::tier::Ruling;

use crate::World;

/// No command takes longer, on a slow machine and with every branch counted.
pub const LONGEST: Duration = Duration::from_millis(100);

/// Wrappers that hand the words after them on as a command.
pub const WRAPPERS: [&[&str]; 12] = [
    &["nice"],
    &["nice", "-n", "5"],
    &["env"],
    &["env", "-i"],
    &["timeout", "-k", "5", "10s"],
    &["nohup"],
    &["setsid"],
    &["stdbuf", "-oL"],
    &["sudo"],
    &["runuser", "-u", "bob", "--"],
    &["xargs", "-n1"],
    &["busybox"],
];

/// Shells and others that read their next word as shell text.
pub const SHELLS: [&[&str]; 4] = [&["sh", "-c"], &["bash", "-ec"], &["su", "-c"], &["watch"]];

/// Holds every law against these words; words that are no command are passed over.
pub fn hold(world: &World, words: &[String]) {
    let Some(ruling) = alone(world, words) else { return };
    for before in WRAPPERS {
        wrapped(world, before, words, ruling);
    }
    for before in SHELLS {
        shelled(world, before, words, ruling);
    }
}

/// As [`hold`], with one wrapper and one shell, chosen by a number.
pub fn hold_one(world: &World, words: &[String], choice: usize) {
    let Some(ruling) = alone(world, words) else { return };
    if let Some(before) = WRAPPERS.get(choice.checked_rem(WRAPPERS.len()).unwrap_or(0)) {
        wrapped(world, before, words, ruling);
    }
    if let Some(before) = SHELLS.get(choice.checked_rem(SHELLS.len()).unwrap_or(0)) {
        shelled(world, before, words, ruling);
    }
}

/// Total, deterministic, bounded.
pub fn alone(world: &World, words: &[String]) -> Option<Ruling> {
    let argv = Argv::new(words.to_vec()).ok()?;
    let one = world.classify(&argv);
    let two = world.classify(&argv);
    assert_eq!(one, two, "not deterministic: {words:?}");
    assert!(one.evidence.iter().all(|seen| seen.ruling <= one.ruling), "below its own evidence: {words:?}");
    let fastest = (0..3).map(|_| timed(world, &argv)).find(|time| *time <= LONGEST);
    assert!(fastest.is_some(), "takes too long: {words:?}");
    Some(one.ruling)
}

/// Shell text is total, deterministic and bounded, and joined to another command it is not lowered.
pub fn text(world: &World, text: &str) {
    let Some(ruling) = alone(world, &["sh", "-c", text].map(str::to_owned)) else { return };
    for before in ["true; ", "true\n", "id && ", "ls | "] {
        let joined = format!("{before}{text}");
        if let Some(found) = alone(world, &["sh", "-c", &joined].map(str::to_owned)) {
            assert!(found >= ruling, "lowered by what stands before: {joined:?} is {found:?} and not {ruling:?}");
        }
    }
    for before in [&["nice"][..], &["sudo"]] {
        wrapped(world, before, &["sh", "-c", text].map(str::to_owned), ruling);
    }
}

fn timed(world: &World, argv: &Argv) -> Duration {
    let start = Instant::now();
    std::hint::black_box(world.classify(argv));
    start.elapsed()
}

fn wrapped(world: &World, before: &[&str], words: &[String], alone: Ruling) {
    // The wrapper would take these for its own options or its environment.
    let first = words.first().map_or("", String::as_str);
    if first.starts_with(['-', '+']) || first.contains('=') {
        return;
    }
    let all = before.iter().map(|word| (*word).to_owned()).chain(words.iter().cloned()).collect();
    never_lower(world, all, alone);
}

fn shelled(world: &World, before: &[&str], words: &[String], alone: Ruling) {
    // Only a shell has it: outside of one it is a program that nobody knows.
    if words.first().is_some_and(|first| first == "cd") {
        return;
    }
    let text: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    let all = before.iter().map(|word| (*word).to_owned()).chain([text.join(" ")]).collect();
    never_lower(world, all, alone);
}

fn never_lower(world: &World, words: Vec<String>, alone: Ruling) {
    if let Ok(argv) = Argv::new(words) {
        let found = world.classify(&argv).ruling;
        assert!(found >= alone, "lowered by wrapping: {:?} is {found:?} and not {alone:?}", argv.words());
    }
}

/// A word in quotes that a shell takes off again.
#[must_use]
pub fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}
