//! Asks: what a table asks of the host and of the moment, and of which of a command's words.
//!
//! Enters: the entries of `checks` and `check`, and later a command as its table read it. Leaves: conditions, with the
//! names that the command gives them. One that depends on what the command names is never left out because the words
//! were not understood: then it cannot hold.

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::define::Matched;
use super::findings::Findings;
use super::kind::{Kind, Word};
use super::program::{Reading, Value};
use super::table::{Canonical, Wrong, flag_groups};
use crate::condition::{Check, Condition, Role};
use crate::path::CleanPath;
use crate::target::TargetKind;

/// A check that is not for every use of the program, or does not refuse.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCheck {
    spec: Spanned<String>,
    #[serde(default)]
    role: Role,
    /// Each entry: flags of which one at least is there.
    #[serde(default)]
    has: Vec<Spanned<String>>,
    /// Flags of which none is there.
    #[serde(default)]
    lacks: Vec<Spanned<String>>,
}

/// A condition, and for which uses of the program it is.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) condition: Condition,
    has: Vec<Vec<Box<str>>>,
    lacks: Vec<Box<str>>,
}

impl Ask {
    /// The file whose content is looked at.
    pub(super) fn file(&self) -> Option<&CleanPath> {
        match &self.condition.check {
            Check::Content { path, .. } => Some(path),
            Check::NoDpkgLock
            | Check::MainsPower
            | Check::Free { .. }
            | Check::UnitActive(_)
            | Check::UnitStarted(_)
            | Check::PackagePresent(_)
            | Check::NotLastAdministrator(_) => None,
        }
    }
}

/// The entries of `checks`, which are hard and always meant, and of `check`.
pub(super) fn compile(
    plain: &[Spanned<String>],
    full: &[RawCheck],
    known: &[&Canonical<'_>],
) -> Result<Vec<Ask>, Wrong> {
    let check = |spec: &Spanned<String>| Check::parse(spec.get_ref()).map_err(|bad| (bad.into(), spec.span()));
    let mut asks = Vec::with_capacity(plain.len().saturating_add(full.len()));
    for spec in plain {
        let condition = Condition { check: check(spec)?, role: Role::Hard };
        asks.push(Ask { condition, has: vec![], lacks: vec![] });
    }
    for raw in full {
        let condition = Condition { check: check(&raw.spec)?, role: raw.role };
        let (has, lacks) = (flag_groups(&raw.has, known)?, flag_groups(&raw.lacks, known)?.concat());
        asks.push(Ask { condition, has, lacks });
    }
    Ok(asks)
}

/// Adds what the tables of a command ask, from the program to the last subcommand, with the forms that matched. Says
/// whether there was room for all of it.
pub(super) fn gather(
    findings: &mut Findings,
    reading: &Reading<'_, '_>,
    words: &[Word<'_>],
    matched: &[Matched<'_>],
) -> bool {
    let last = reading.path.len().saturating_sub(1);
    let mut room = true;
    for (level, node) in reading.path.iter().enumerate() {
        let forms = matched.iter().filter(|_| level == last).flat_map(|found| found.asks);
        let meant: Vec<&Ask> =
            node.asks.iter().chain(forms).filter(|ask| reading.allows(&ask.has, &ask.lacks)).collect();
        if meant.is_empty() && node.hosts.is_empty() {
            continue;
        }
        let names = named(reading, words, matched);
        let about = |ask: &&Ask| {
            let role = ask.condition.role;
            ask.condition.check.about(&names).into_iter().map(move |check| Condition { check, role })
        };
        room &= findings.need(reading.id_at(level), &node.hosts, meant.iter().flat_map(about));
    }
    room
}

/// The things that a command names, as operands or as values of flags; one that a shell would expand is without its name.
fn named<'w>(
    reading: &Reading<'_, 'w>,
    words: &'w [Word<'w>],
    matched: &[Matched<'_>],
) -> Vec<(TargetKind, Option<&'w str>)> {
    let mut names = Vec::new();
    let mut add = |kind: &Kind, text: &'w str, wild: bool| {
        if let Kind::Thing(thing) = kind {
            names.push((thing.target(), (!wild).then_some(text)));
        }
    };
    let operands: Vec<&Word<'_>> = reading.operands.iter().filter_map(|place| words.get(*place)).collect();
    let texts: Vec<&str> = operands.iter().map(|word| &*word.text).collect();
    // A form may name a word only as one of several; what the table itself says of it counts too.
    let own = reading.node().and_then(|node| node.shape.as_ref()).and_then(|shape| shape.assign(&texts));
    for (kind, range) in matched.iter().flat_map(|found| &found.given).chain(own.iter().flatten()) {
        operands.get(range.clone()).unwrap_or_default().iter().for_each(|word| add(kind, &word.text, word.wild));
    }
    for seen in &reading.seen {
        match (&seen.value, seen.flag.values.first()) {
            (Value::Attached(text), Some(kind)) => {
                add(kind, text, words.get(seen.at).is_some_and(|word| word.wild));
            }
            (Value::Words(from, to), Some(_)) => {
                let places = words.get(*from..*to).unwrap_or_default();
                seen.flag.values.iter().zip(places).for_each(|(kind, word)| add(kind, &word.text, word.wild));
            }
            (Value::None | Value::Attached(_) | Value::Words(..), _) => {}
        }
    }
    names.sort_unstable();
    names.dedup();
    names
}
