//! What a confined `true` costs, beside an unconfined one on the same machine in the same run.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::driver::{Launcher, approved, words};

const RUNS: usize = 100;

fn median(mut spans: Vec<Duration>) -> Duration {
    spans.sort_unstable();
    spans[spans.len() / 2]
}

#[expect(clippy::disallowed_methods, reason = "the unconfined spawn that the confined one is compared with")]
fn unconfined() -> Duration {
    let once = |_| {
        let begun = Instant::now();
        assert!(Command::new("/bin/sh").args(["-c", "exit 0"]).status().unwrap().success());
        begun.elapsed()
    };
    median((0..RUNS).map(once).collect())
}

/// From order to empty cgroup, and the processor time of the child from its birth to its end.
fn confined(launcher: &mut Launcher, profile: &'static str) -> (Duration, Duration) {
    let ask = words(&["sh", "-c", "exit 0"]).within(profile);
    let plan = launcher.plan(&ask).unwrap();
    let once = |_| {
        let mut plan = plan.clone();
        plan.id = crate::driver::fresh_id();
        let begun = Instant::now();
        let running = launcher.order(approved(plan), None).unwrap();
        let outcome = launcher.ended(running.id);
        assert_eq!(outcome.ended, countersign_core::outcome::Ended::Exited(0));
        (begun.elapsed(), Duration::from_micros(outcome.cpu_us))
    };
    let (took, used) = (0..RUNS).map(once).unzip();
    (median(took), median(used))
}

/// A bound that a build without optimization keeps on a busy machine: what it catches is a step that grew by an
/// order of magnitude, such as compiling filters for every job.
const BOUND: Duration = Duration::from_millis(60);

#[test]
fn confining_costs_milliseconds() {
    let mut launcher = Launcher::start();
    let plain = unconfined();
    for profile in ["observe", "change", "system"] {
        let (took, used) = confined(&mut launcher, profile);
        println!("confined, {profile}: {took:?}, of that {used:?} of the child; unconfined: {plain:?}");
        assert!(took < BOUND, "{profile}: {took:?}");
    }
}
