//! One million random commands: no panic, the same answer twice, and none below any command in it.
//!
//! Enters: `COUNT` and `SEED` from the environment, if they are there. Leaves: how many were tried, how they came out
//! and how long it took, or a panic that shows the words. The words come from the tables of tiers, mixed, doubled,
//! cut and soiled, so that they reach deep into the rules.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::collections::BTreeMap;
use std::time::Instant;

use benches::{Unusable, World, laws, lines};

const COUNT: u64 = 1_000_000;
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// Bytes and signs that programs, shells and this classifier treat in their own ways.
const SOIL: [&str; 24] = [
    "-", "--", "=", "/", "..", "~", "*", "?", "[", "'", "\"", "\\", "$", "`", ";", "|", "&", ">", "<", "{}", "\n", " ",
    "\u{1b}", "ü",
];

fn main() -> Result<(), Unusable> {
    let world = World::read(None)?;
    let lines = lines()?;
    let all: Vec<Vec<String>> = lines.iter().map(|line| line.split(' ').map(str::to_owned).collect()).collect();
    let (count, mut dice) = (number("COUNT", COUNT), Dice(number("SEED", SEED).max(1)));
    let mut met: BTreeMap<&'static str, u64> = BTreeMap::new();
    let start = Instant::now();
    for _ in 0..count {
        let words = command(&all, &mut dice);
        laws::hold_one(&world, &words, dice.below(1_024));
        if let Ok(argv) = countersign_core::argv::Argv::new(words) {
            let tally = met.entry(world.classify(&argv).ruling.name()).or_default();
            *tally = tally.saturating_add(1);
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("{count} random commands in {seconds:.1} s: no panic, no answer below that of a command inside; {met:?}");
    Ok(())
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// A command made of one to three others.
fn command(all: &[Vec<String>], dice: &mut Dice) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for _ in 0..=dice.below(3) {
        let Some(line) = all.get(dice.below(all.len())) else { continue };
        let from = if dice.below(4) == 0 { dice.below(line.len()) } else { 0 };
        words.extend(line.iter().skip(from).cloned());
    }
    for _ in 0..dice.below(4) {
        soil(&mut words, dice);
    }
    words
}

fn soil(words: &mut Vec<String>, dice: &mut Dice) {
    let at = dice.below(words.len());
    let other = words.get(dice.below(words.len())).cloned().unwrap_or_default();
    let sign = SOIL.get(dice.below(SOIL.len())).copied().unwrap_or_default();
    let kind = dice.below(5);
    match (kind, words.get_mut(at)) {
        (0, Some(word)) => word.push_str(sign),
        (1, Some(word)) => word.insert_str(0, sign),
        (2, Some(word)) => *word = other,
        (3, Some(_)) => drop(words.remove(at)),
        _ => words.push(sign.to_owned()),
    }
}

/// Marsaglia's xorshift64: the same commands for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap_or(0).checked_rem(bound).unwrap_or(0)
    }
}
