//! The classifier: what a command may do at most, with the words that say so. SEC-1, SEC-3.
//!
//! ```text
//! argv ─▶ deny list ─▶ program's table ─▶ flags, operands ─▶ paths: sensitive? ─▶ findings ─▶ Classification
//!              ▲                              │ command, shell text
//!              └──────── unwrapped ◀──────────┘ (at most 64 deep)
//! ```
//!
//! Enters: the exact words of a command, the working directory, the names in the environment, and [`Rules`]. Leaves:
//! a [`Classification`]. Pure, total, deterministic, linear in the length of the words. It parses as the programs do
//! and never guesses: what it does not understand is at least T2, and the strictest part decides. It never opens a
//! file: what a path really leads to is the sandbox's business.

mod asks;
mod define;
mod deny;
mod examples;
mod expression;
mod findings;
mod glob;
mod kind;
mod opaque;
mod operand;
mod program;
mod raw;
mod rules;
mod sandbox;
mod sensitive;
mod shell;
mod table;
mod weigh;
mod wrap;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use examples::argv as example_argv;
pub use kind::BadNotation;
pub use rules::{FailedExample, Origin, Problem, RuleFile, Rules, RulesError, Tested};

use crate::argv::Argv;
use crate::condition::{Condition, HostKind};
use crate::path::CleanPath;
use crate::profile::ProfileName;
use crate::target::Target;
use crate::tier::Ruling;

/// The most wrappers and shells inside each other; a deeper command is denied, not guessed at.
pub const MAX_DEPTH: u16 = 64;

/// What is classified: never more than this is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The exact words.
    pub argv: &'a Argv,
    /// Where relative paths begin.
    pub cwd: &'a CleanPath,
    /// The names that the caller adds to the environment.
    pub env_names: &'a [&'a str],
}

/// A rule's stable name, for instance `systemctl.restart`, `deny.rm-root` or `unknown-program`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RuleId(String);

impl RuleId {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// For tests of other rooms, which have no rules to take one from.
    #[cfg(test)]
    pub(crate) fn of_table(name: &str) -> Self {
        Self(name.to_owned())
    }
}

impl std::fmt::Display for RuleId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the classifier says of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Classification {
    /// The strictest ruling of any part.
    #[serde(rename = "tier")]
    pub ruling: Ruling,
    /// The profile in which it would run.
    pub profile: ProfileName,
    /// What it names and acts on. At T1 every path that is written is here, absolute and cleaned.
    pub targets: Vec<Target>,
    /// The rules that fired, without repetition: the one that decided first, then in the order of the words.
    pub rules: Vec<RuleId>,
    /// What each rule saw, in the order of the words.
    pub evidence: Vec<Evidence>,
    /// What rules ask of the host and of the moment before it may run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Need>,
    /// How many findings of no stricter ruling were left out of the evidence because there were too many.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub omitted: u32,
}

/// One rule that fired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The rule.
    pub rule: RuleId,
    /// What this rule alone says.
    #[serde(rename = "tier")]
    pub ruling: Ruling,
    /// The caller's words that made it fire, shortened. Not for a terminal as they are: see [`crate::text`].
    pub words: Vec<String>,
    /// A sentence for people. Ours; it never contains a caller's words.
    pub says: String,
    /// How deep in wrappers and shells the words were found.
    pub depth: u16,
    /// In shell text, the byte at which understanding stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u32>,
}

/// What a rule asks before its command may run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// The rule.
    pub rule: RuleId,
    /// The host must be of all these kinds, of several distributions one; none given: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<HostKind>,
    /// What is looked at before the run and after it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// Classifies a command. Total and deterministic; linear in the length of its words.
#[must_use]
pub fn classify(rules: &Rules, subject: &Subject<'_>) -> Classification {
    let mut examiner = weigh::Examiner::new(rules);
    examiner.environment(subject.env_names.iter().copied(), 0);
    let words: Vec<kind::Word<'_>> = subject.argv.words().iter().map(|word| kind::Word::literal(word)).collect();
    examiner.command(
        &words,
        &weigh::Scene {
            depth: 0,
            doubted: false,
            searched: false,
            cwd: Some(subject.cwd.clone()),
            settled: true,
            found: None,
        },
    );
    examiner.finish()
}
