//! What a confined `true` costs, beside an unconfined one, side by side in the same run: `cargo bench -p countersign-launcher`.
//!
//! The two are measured in turn, so that whatever else the machine does falls on both. Wall time is from the order to the
//! answer that the cgroup is empty, over the real socket; for the unconfined one from spawn to wait. Policy and profiles
//! are loaded once, before.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement that shares the tests' driver: whatever fails ends it"
)]

#[expect(dead_code, reason = "the driver is that of the tests, and a measurement uses little of it")]
#[path = "../tests/launcher/driver.rs"]
mod driver;

use std::process::Command;
use std::time::{Duration, Instant};

use countersign_core::outcome::Ended;
use driver::{Launcher, approved, fresh_id, shell, words};

const RUNS: usize = 400;

#[expect(clippy::disallowed_methods, reason = "the unconfined spawn that the confined one is compared with")]
fn unconfined(words: &[String]) -> Duration {
    let begun = Instant::now();
    assert!(Command::new(&words[0]).args(&words[1..]).status().unwrap().success());
    begun.elapsed()
}

fn main() {
    let mut launcher = Launcher::start();
    // A plain `true` is a read; elsewhere it is hidden from the classifier, here and there alike.
    let asked = ["change", "system"].map(|profile| (profile, shell(profile, "true")));
    for (profile, ask) in [("observe", words(&["true"]))].into_iter().chain(asked) {
        let plan = launcher.plan(&ask).unwrap();
        let mut confined = || {
            let mut plan = plan.clone();
            plan.id = fresh_id();
            let claim = approved(plan);
            let begun = Instant::now();
            let running = launcher.order(claim, None).unwrap();
            assert_eq!(launcher.ended(running.id).ended, Ended::Exited(0));
            begun.elapsed()
        };
        let (mut plain, mut ours): (Vec<_>, Vec<_>) = (0..RUNS).map(|_| (unconfined(&ask.words), confined())).unzip();
        plain.sort_unstable();
        ours.sort_unstable();
        for (what, at) in [("least", 0), ("a tenth", RUNS / 10), ("median", RUNS / 2)] {
            let (plain, ours) = (plain[at], ours[at]);
            let times = ours.as_secs_f64() / plain.as_secs_f64();
            println!("{profile}: {what}: {ours:?} confined, {plain:?} unconfined, {times:.2} times");
        }
    }
}
