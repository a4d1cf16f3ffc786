//! Command lines with the tier that an administrator would give them: `tests/data/tiers/*.tsv`, made from manuals.
//!
//! A line is a tier (`T2+`: at least that), a tab, a command line and perhaps a tab and a note.

use super::*;

/// One line of a table: the file and line for messages, the tier, the command line.
fn lines() -> Vec<(String, String, String)> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/tiers");
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let place = format!("{}:{}", path.file_name().unwrap().display(), number.saturating_add(1));
            let (tier, command) = line.split_once('\t').unwrap_or_else(|| panic!("{place}: no tab"));
            let command = command.split('\t').next().unwrap();
            lines.push((place, tier.to_owned(), command.to_owned()));
        }
    }
    lines
}

/// Of a hundred reads, how many must be called reads; of a hundred others, how many must have exactly their tier.
const ENOUGH: usize = 95;

/// What of some lines came out as they should, and a message for each that did not.
#[derive(Default)]
struct Outcome {
    right: usize,
    wrong: Vec<String>,
}

impl Outcome {
    fn is_enough(&self) -> bool {
        let all = self.right.saturating_add(self.wrong.len());
        all >= 1_500 && self.right.saturating_mul(100) >= all.saturating_mul(ENOUGH)
    }
}

#[test]
fn lines_come_out_at_their_tier() {
    let (mut reads, mut others) = (Outcome::default(), Outcome::default());
    let mut called_reads = Vec::new();
    for (place, tier, command) in &lines() {
        let found = line(command);
        let fits = match tier.strip_suffix('+') {
            Some(least) => found.ruling >= Ruling::Tier(least.parse().unwrap()),
            None => found.ruling.name() == tier,
        };
        let outcome = if tier == "T0" { &mut reads } else { &mut others };
        let message = format!("{place}: {command}: is {} by {}, not {tier}", found.ruling.name(), found.rules[0]);
        match (fits, found.ruling) {
            (true, _) => outcome.right += 1,
            (false, T0) => called_reads.push(message),
            (false, _) => outcome.wrong.push(message),
        }
    }
    assert!(called_reads.is_empty(), "called reads, and are none:\n{}", called_reads.join("\n"));
    for (name, outcome) in [("reads", reads), ("others", others)] {
        let Outcome { right, wrong } = &outcome;
        println!("{name}: {right} right, {} not:\n{}", wrong.len(), wrong.join("\n"));
        assert!(outcome.is_enough(), "{name}: {right} right, {} not:\n{}", wrong.len(), wrong.join("\n"));
    }
}
