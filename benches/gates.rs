//! What the gates add to a read: classify, then judge, then the budgets, with the limit beside.
//!
//! Enters: the policy that ships. Leaves: a table, and exit status 1 if the limit is passed. A time is the fastest of
//! many runs: what the code costs, not what else the machine does.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::error::Error;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use benches::texts;
use countersign_core::argv::Argv;
use countersign_core::caller::{Gid, Uid};
use countersign_core::classify::{Origin, RuleFile, Subject, classify};
use countersign_core::path::CleanPath;
use countersign_core::policy::budget::{Accounts, Charge};
use countersign_core::policy::memory::Memory;
use countersign_core::policy::{Case, Facts, Names, Policy, Sources, Taint, TextFile, Verdict, judge};
use countersign_core::request::Narrowing;
use countersign_core::run_state::RunState;
use countersign_core::tier::Tier;
use countersign_core::time::Moment;

const LIMIT: Duration = Duration::from_micros(100);
const READS: [&[&str]; 4] = [
    &["systemctl", "is-active", "nginx.service"],
    &["journalctl", "-u", "nginx", "-n", "50"],
    &["cat", "/etc/hosts"],
    &["df", "-h"],
];

struct Group;

impl Names for Group {
    fn uid(&self, _: &str) -> Option<Uid> {
        None
    }
    fn gid(&self, _: &str) -> Option<Gid> {
        Gid::try_from(900).ok()
    }
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let policy = policy()?;
    let mut good = true;
    for words in READS {
        let time = fastest(&policy, words)?;
        good &= time < LIMIT;
        let said = if time < LIMIT { "ok" } else { "PASSED" };
        println!("{:<44} {time:>12.1?}  limit {LIMIT:<9.0?} {said}", words.join(" "));
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn policy() -> Result<Policy, Box<dyn Error>> {
    let [rules, profiles, grants] =
        ["rules", "profiles", "grants.d"].map(|kind| texts(&format!("policy/{kind}"), "toml"));
    let (rules, profiles, grants) = (rules?, profiles?, grants?);
    let rules: Vec<RuleFile<'_>> =
        rules.iter().map(|(name, text)| RuleFile { name, text, origin: Origin::Vendor }).collect();
    let (profiles, grants) = (files(&profiles), files(&grants));
    let sources = Sources { settings: &[], grants: &grants, rules: &rules, profiles: &profiles, own_profiles: &[] };
    Ok(Policy::parse(&sources, &Group)?)
}

fn files(texts: &[(String, String)]) -> Vec<TextFile<'_>> {
    texts.iter().map(|(name, text)| TextFile { name, text }).collect()
}

/// The fastest of as many runs as fit into a tenth of a second, at least ten.
fn fastest(policy: &Policy, words: &[&str]) -> Result<Duration, Box<dyn Error>> {
    let argv = Argv::new(words.iter().map(|word| (*word).to_owned()).collect())?;
    let (uid, gid, cwd) = (Uid::try_from(1000)?, Gid::try_from(900)?, CleanPath::new("/")?);
    let (mut accounts, narrowing, now) = (Accounts::default(), Narrowing::default(), Moment::from_millis(1 << 40));
    let (begun, mut fastest, mut runs) = (Instant::now(), Duration::MAX, 0_u32);
    while runs < 10 || begun.elapsed() < Duration::from_millis(100) {
        let start = Instant::now();
        let classification = classify(policy.rules(), &Subject { argv: black_box(&argv), cwd: &cwd, env_names: &[] });
        let grant = policy.grants().for_ids(uid, &[gid]);
        let limits = grant.as_ref().map(|grant| grant.budgets.limits()).unwrap_or_default();
        let facts = Facts { state: RunState::Green, taint: Taint::Clean, grant, memory: Memory::Clear };
        let profile = &classification.profile;
        let verdict =
            judge(&Case { policy, classification: &classification, profile, narrowing: &narrowing, facts: &facts });
        let charge = Charge::request(Tier::T0, false);
        accounts.reserve(uid, &limits, &charge, now).map_err(|over| over.failure())?;
        accounts.settle(uid, &charge, &Charge::NONE, now);
        fastest = fastest.min(start.elapsed());
        if !matches!(black_box(verdict), Verdict::Allow(_, Tier::T0)) {
            return Err(format!("{words:?} is not a read").into());
        }
        runs = runs.saturating_add(1);
    }
    Ok(fastest)
}
