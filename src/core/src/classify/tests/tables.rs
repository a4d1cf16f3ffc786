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

/// How many lines may still come out at another tier than an administrator's. Only ever lowered.
const STILL_OTHERWISE: usize = 1_700;

#[test]
fn lines_come_out_at_their_tier() {
    let lines = lines();
    let mut otherwise = Vec::new();
    let mut called_reads = Vec::new();
    for (place, tier, command) in &lines {
        let found = line(command);
        let fits = match tier.strip_suffix('+') {
            Some(least) => found.ruling >= Ruling::Tier(least.parse().unwrap()),
            None => found.ruling.name() == tier,
        };
        let message = format!("{place}: {command}: is {} by {}, not {tier}", found.ruling.name(), found.rules[0]);
        if !fits && found.ruling == T0 {
            called_reads.push(message);
        } else if !fits {
            otherwise.push(message);
        }
    }
    assert!(called_reads.is_empty(), "called reads, and are none:\n{}", called_reads.join("\n"));
    let (count, all) = (otherwise.len(), lines.len());
    assert!(count <= STILL_OTHERWISE, "{count} of {all}:\n{}", otherwise.join("\n"));
    println!("{count} of {all}:\n{}", otherwise.join("\n"));
}
