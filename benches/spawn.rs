//! What confining costs: a confined `true` beside an unconfined one, and a request as a whole command beside other
//! ways to root, each measured in turn in the same run, so that whatever else the machine does falls on all.
//!
//! Enters: the built binaries (`COUNTERSIGN_BINARIES`, or `target/release`), and root. Leaves: two tables. The first is
//! of the real launcher over its real socket: from the order to the answer that the job's cgroup is empty; policy and
//! profiles are loaded once, before. The second is of whole commands on a booted machine, by a caller whom everything
//! there lets through without a question. There is no limit: what a machine makes of it is what is to be seen.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement that shares the driver of the launcher's tests: whatever fails ends it"
)]

#[expect(dead_code, reason = "the driver is that of the launcher's tests, and a measurement uses little of it")]
#[path = "../src/launcher/tests/launcher/driver.rs"]
mod driver;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use countersign_core::outcome::Ended;
use countersign_core::plan::Plan;
use driver::{Launcher, approved, fresh_id, words};
use harness::users::AGENT;

const ROUNDS: usize = 500;
const PROFILES: [&str; 3] = ["observe", "change", "system"];

const COMMAND_ROUNDS: usize = 50;
/// Everything by which a caller gets a `true` as root, or asks for it.
const COMMANDS: [&[&str]; 6] = [
    &["true"],
    &["sudo", "-n", "true"],
    &["doas", "-n", "true"],
    &["pkexec", "--disable-internal-agent", "true"],
    &["systemd-run", "--quiet", "--pipe", "--wait", "true"],
    &["countersign", "run", "--", "true"],
];
/// What lets the caller through.
const LETS: [(&str, &str, u32); 4] = [
    ("etc/sudoers.d/zz-bench", "agent ALL=(ALL) NOPASSWD: ALL\n", 0o440),
    ("etc/doas.conf", "permit nopass agent\n", 0o600),
    (
        "etc/polkit-1/rules.d/00-bench.rules",
        "polkit.addRule(function(action, subject) { if (subject.user == 'agent' && \
         /^org.freedesktop.(policykit.exec|systemd1)/.test(action.id)) return polkit.Result.YES; });\n",
        0o644,
    ),
    (
        "etc/countersign/grants.d/50-bench.toml",
        "[[grant]]\nuser = 'agent'\nceiling = 'T0'\n[grant.budgets]\nrequests_per_minute = 100000\n",
        0o644,
    ),
];
/// Times each command in turn and prints, per line, which one and the microseconds.
const TIMER: &str = r#"
    use Time::HiRes qw(time);
    my $rounds = shift; my @commands = map { [split / /] } @ARGV;
    open STDOUT_KEPT, '>&', \*STDOUT; open STDOUT, '>', '/dev/null';
    for (1..$rounds) { for my $at (0..$#commands) {
        my $begun = time; my $status = system { $commands[$at][0] } @{$commands[$at]};
        my $took = int((time - $begun) * 1e6);
        print STDOUT_KEPT $status == 0 ? "$at $took\n" : "$at failed\n";
    } }
"#;

fn main() -> Result<()> {
    confined();
    commands()
}

/// Sorted times.
struct Times(Vec<Duration>);

impl Times {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    fn percentile(&self, percent: usize) -> Duration {
        self.0[(self.0.len() - 1) * percent / 100]
    }

    fn row(&self, name: &str, beside: &Self) {
        let [p50, p99] = [50, 99].map(|percent| self.percentile(percent));
        let times =
            [50, 99].map(|percent| self.percentile(percent).as_secs_f64() / beside.percentile(percent).as_secs_f64());
        println!("{name:<44} p50 {p50:>9.1?}  p99 {p99:>9.1?}  {:>6.2} and {:>6.2} times", times[0], times[1]);
    }
}

#[expect(clippy::disallowed_methods, reason = "the unconfined spawn that the confined one is compared with")]
fn unconfined() -> Duration {
    let begun = Instant::now();
    assert!(Command::new("/bin/true").stdin(Stdio::null()).status().unwrap().success());
    begun.elapsed()
}

fn job(launcher: &mut Launcher, plan: &Plan) -> Duration {
    let mut plan = plan.clone();
    plan.id = fresh_id();
    let claim = approved(plan);
    let begun = Instant::now();
    let running = launcher.order(claim, None).unwrap();
    let outcome = launcher.ended(running.id);
    assert_eq!(outcome.ended, Ended::Exited(0), "{outcome:?}");
    begun.elapsed()
}

/// The first table.
fn confined() {
    // Where a plain `true` is a read and runs as one, one that no rule knows may run in any profile.
    let mut launcher = Launcher::start_after("cp bin/true opt/true");
    let plans = PROFILES.map(|profile| {
        let program = if profile == "observe" { "true" } else { "/opt/true" };
        launcher.plan(&words(&[program]).within(profile)).unwrap()
    });
    let mut plain = Vec::new();
    let mut ours: [Vec<Duration>; 3] = Default::default();
    for _ in 0..ROUNDS {
        plain.push(unconfined());
        for (times, plan) in ours.iter_mut().zip(&plans) {
            times.push(job(&mut launcher, plan));
        }
    }
    let plain = Times::of(plain);
    println!("a process, {ROUNDS} of each in turn");
    plain.row("unconfined", &plain);
    for (profile, times) in PROFILES.iter().zip(ours) {
        Times::of(times).row(&format!("confined, {profile}"), &plain);
    }
}

/// The second table.
fn commands() -> Result<()> {
    let machine = promises::installed().before_boot(lets).boot()?;
    let mut line = vec!["perl".to_owned(), "-e".to_owned(), TIMER.to_owned(), COMMAND_ROUNDS.to_string()];
    line.extend(COMMANDS.map(|words| words.join(" ")));
    let output = machine.command(AGENT, line)?.deadline(Duration::from_secs(120)).run()?.ok()?;
    let mut times: [Vec<Duration>; 6] = Default::default();
    let mut failed = [false; 6];
    for row in output.stdout.lines() {
        let (at, took) = row.split_once(' ').context("which one and how long")?;
        let at: usize = at.parse()?;
        match took.parse() {
            Ok(micros) => times[at].push(Duration::from_micros(micros)),
            Err(_) => failed[at] = true,
        }
    }
    println!("a whole command, {COMMAND_ROUNDS} of each in turn");
    let times = times.map(Times::of);
    for ((words, row), failed) in COMMANDS.iter().zip(&times).zip(failed) {
        let name = words.join(" ");
        if failed {
            println!("{name:<44} does not work here");
        } else {
            row.row(&name, &times[0]);
        }
    }
    Ok(())
}

fn lets(root: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    for (path, text, mode) in LETS {
        let path = root.join(path);
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}
