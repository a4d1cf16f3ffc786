//! How long classifying takes, with the limits beside.
//!
//! Enters: the rules that ship and the commands below; a word on the command line picks the worst cases that have it in
//! their name. Leaves: a table, and exit status 1 if a limit is passed. A time
//! is the fastest of many runs: what the code costs, not what else the machine does.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

mod cases;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use benches::{Unusable, World};
use countersign_core::argv::Argv;

const TYPICAL: Duration = Duration::from_micros(10);
const WORST: Duration = Duration::from_millis(1);
const LOAD: Duration = Duration::from_millis(50);
/// Four times the bytes may take that many times as long.
const LINEAR: f64 = 5.5;
/// With 10,000 rules of an administrator.
const ADMIN: f64 = 1.5;

/// A line of the table.
struct Row {
    name: String,
    measured: String,
    limit: String,
    good: bool,
}

fn main() -> Result<ExitCode, Unusable> {
    let world = World::read(None)?;
    let wanted = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let picked = cases::WORST.iter().filter(|(name, _)| wanted.as_ref().is_none_or(|word| name.contains(word)));
    let mut rows: Vec<Row> = picked.flat_map(|(name, make)| worst(&world, name, *make)).collect();
    if wanted.is_none() {
        rows.push(load()?);
        rows.extend(typical(&world));
        rows.push(administered(&world)?);
    }
    for row in &rows {
        let Row { name, measured, limit, good } = row;
        println!("{name:<44} {measured:>12}  limit {limit:<9} {}", if *good { "ok" } else { "PASSED" });
    }
    Ok(if rows.iter().all(|row| row.good) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn load() -> Result<Row, Unusable> {
    let mut fastest = Duration::MAX;
    // They live as long as the broker, so what it costs to throw them away does not count.
    let mut kept = Vec::new();
    for _ in 0..10 {
        let start = Instant::now();
        kept.push(World::read(None)?);
        fastest = fastest.min(start.elapsed());
    }
    Ok(row("load every rule and try every example", fastest, LOAD))
}

fn typical(world: &World) -> Vec<Row> {
    let each = cases::TYPICAL.iter().filter_map(|line| Some((*line, fastest(world, &cases::split(line)?))));
    let mut all: Vec<(&str, Duration)> = each.collect();
    all.sort_by_key(|(_, time)| *time);
    let middle = all.get(all.len() / 2).map(|(_, time)| row("typical, the middle one", *time, TYPICAL));
    let slowest = all.last().map(|(line, time)| row(&format!("typical: {line}"), *time, TYPICAL));
    middle.into_iter().chain(slowest).collect()
}

/// A command at a quarter of the bytes and at all of them.
fn worst(world: &World, name: &str, make: fn(usize) -> Option<Argv>) -> Vec<Row> {
    let (Some(quarter), Some(full)) = (make(16 * 1_024), make(64 * 1_024)) else {
        return vec![Row {
            name: name.to_owned(),
            measured: "no command".to_owned(),
            limit: String::new(),
            good: false,
        }];
    };
    let (one, four) = (fastest(world, &quarter), fastest(world, &full));
    let times = four.as_secs_f64() / one.as_secs_f64();
    // What takes no time at all cannot be compared.
    let good = times <= LINEAR || four < Duration::from_micros(50);
    let growth = Row {
        name: format!("{name}, against 16 KiB"),
        measured: format!("{times:.1} x"),
        limit: format!("{LINEAR} x"),
        good,
    };
    vec![row(&format!("{name}, 64 KiB"), four, WORST), growth]
}

fn administered(world: &World) -> Result<Row, Unusable> {
    let more = World::read(Some(&cases::admin_rules(10_000)))?;
    let sum = |world: &World| -> f64 {
        cases::TYPICAL
            .iter()
            .filter_map(|line| cases::split(line))
            .map(|argv| fastest(world, &argv).as_secs_f64())
            .sum()
    };
    let times = sum(&more) / sum(world);
    Ok(Row {
        name: "typical, with 10,000 rules of an administrator".to_owned(),
        measured: format!("{times:.2} x"),
        limit: format!("{ADMIN} x"),
        good: times < ADMIN,
    })
}

fn row(name: &str, time: Duration, limit: Duration) -> Row {
    Row { name: name.to_owned(), measured: format!("{time:.1?}"), limit: format!("{limit:.0?}"), good: time < limit }
}

/// The fastest of as many runs as fit into a tenth of a second, at least ten.
fn fastest(world: &World, argv: &Argv) -> Duration {
    let begun = Instant::now();
    let mut fastest = Duration::MAX;
    let mut runs = 0_u32;
    while runs < 10 || begun.elapsed() < Duration::from_millis(100) {
        let start = Instant::now();
        black_box(world.classify(black_box(argv)));
        fastest = fastest.min(start.elapsed());
        runs = runs.saturating_add(1);
    }
    fastest
}
