//! Examples: every rule's own command lines, tried when the rules are read.
//!
//! Enters: the tables as read and the compiled set. Leaves: how many were tried, or the first that came out wrong.
//! `must_match` means that the rule fires and that nothing raises the command line above the rule's tier;
//! `must_not_match` means that the rule does not fire or that something raises it.

use toml::Spanned;

use super::raw::RawTable;
use super::rules::{FailedExample, Problem, Rules, RulesError, Source, error};
use super::{Subject, classify, shell};
use crate::argv::Argv;
use crate::path::CleanPath;
use crate::tier::{Ruling, Tier};

/// Where examples run, so that a relative path is somewhere without meaning.
const CWD: &str = "/srv/example";

/// The examples of one rule.
struct Examples<'a> {
    ids: Vec<String>,
    tier: Tier,
    must_match: &'a [Spanned<String>],
    must_not_match: &'a [Spanned<String>],
}

/// Tries every example of this table against the rules; hands out each that came out wrong. Leaves how many there are.
pub(super) fn run<E>(
    rules: &Rules,
    source: &Source<'_>,
    mut wrong: impl FnMut(RulesError) -> Result<(), E>,
) -> Result<usize, E> {
    let mut all = Vec::new();
    collect(&source.table, &[String::new()], &mut all);
    let mut tried = 0_usize;
    for examples in &all {
        for (example, must) in examples.each() {
            tried = tried.saturating_add(1);
            if let Err(bad) = examples.check(rules, example.get_ref(), must) {
                wrong(error(source.file, &example.span(), bad))?;
            }
        }
    }
    Ok(tried)
}

/// Whether a table that ships shows itself: one example that matches, and one that must not wherever it can be T0.
pub(super) fn are_enough(table: &RawTable) -> bool {
    let mut all = Vec::new();
    collect(table, &[String::new()], &mut all);
    let reads = all.iter().any(|examples| examples.tier == Tier::T0);
    let shown = all.iter().any(|examples| !examples.must_match.is_empty());
    shown && (!reads || all.iter().any(|examples| !examples.must_not_match.is_empty()))
}

fn collect<'a>(table: &'a RawTable, above: &[String], all: &mut Vec<Examples<'a>>) {
    let mut ids = Vec::new();
    for parent in above {
        for name in table.names.get_ref() {
            let own = table.id.as_ref().unwrap_or(name).get_ref();
            ids.push(if parent.is_empty() { own.clone() } else { format!("{parent}.{own}") });
        }
    }
    for form in &table.form {
        let form_ids = ids.iter().map(|id| format!("{id}.{}", form.id.get_ref())).collect();
        all.push(Examples {
            ids: form_ids,
            tier: form.tier,
            must_match: &form.must_match,
            must_not_match: &form.must_not_match,
        });
    }
    for sub in &table.sub {
        collect(sub, &ids, all);
    }
    all.push(Examples {
        ids,
        tier: table.tier.get_ref().0,
        must_match: &table.must_match,
        must_not_match: &table.must_not_match,
    });
}

impl<'a> Examples<'a> {
    fn each(&self) -> impl Iterator<Item = (&'a Spanned<String>, bool)> {
        let good = self.must_match.iter().map(|example| (example, true));
        good.chain(self.must_not_match.iter().map(|example| (example, false)))
    }

    fn check(&self, rules: &Rules, example: &str, must: bool) -> Result<(), Problem> {
        let wrong = |ruling: &'static str, rules: String| {
            let (rule, must) =
                (self.ids.first().cloned().unwrap_or_default(), if must { "match" } else { "not match" });
            Problem::Example(Box::new(FailedExample {
                example: example.to_owned(),
                must,
                rule,
                tier: self.tier,
                ruling,
                rules,
            }))
        };
        let (Some(argv), Ok(cwd)) = (argv(example), CleanPath::new(CWD)) else {
            return Err(wrong("no command", String::new()));
        };
        let found = classify(rules, &Subject { argv: &argv, cwd: &cwd, env_names: &[] });
        let fired = found.rules.iter().any(|rule| self.ids.iter().any(|id| id == rule.as_str()));
        if (fired && found.ruling == Ruling::Tier(self.tier)) == must {
            return Ok(());
        }
        let names: Vec<&str> = found.rules.iter().map(super::RuleId::as_str).collect();
        Err(wrong(found.ruling.name(), names.join(", ")))
    }
}

/// An example's words: those of a plain command, else the text for a shell.
#[must_use]
pub fn argv(example: &str) -> Option<Argv> {
    let script = shell::parse(example);
    match script.plain_command() {
        Some(words) => Argv::new(words).ok(),
        None => Argv::shell(example.to_owned()).ok(),
    }
}
