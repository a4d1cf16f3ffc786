//! Tables: a program's rules, compiled.
//!
//! Enters: raw tables. Leaves: immutable nodes that are looked up by hash. Every name that a form refers to exists.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::asks::{self, Ask};
use super::kind::{BadNotation, FlagNotation, Kind, Shape};
use super::raw::{RawFlag, RawForm, RawTable, Style};
use super::rules::Problem;
use crate::condition::HostKind;
use crate::path::CleanPath;
use crate::profile::ProfileName;
use crate::tier::Tier;

/// The most subcommands below each other.
const MAX_NESTED: usize = 6;
/// The most forms of one table, so that trying them all stays cheap.
const MAX_FORMS: usize = 32;

/// What a rule says when it fires.
#[derive(Debug, Clone)]
pub(super) struct Says {
    /// What is added to the id of the table for a form or a flag; nothing for the table itself.
    suffix: Box<str>,
    pub(super) tier: Tier,
    pub(super) profile: ProfileName,
    pub(super) reason: Box<str>,
}

impl Says {
    /// The rule's id, of the id of its table.
    pub(super) fn id<'t>(&self, table: &'t str) -> std::borrow::Cow<'t, str> {
        if self.suffix.is_empty() { table.into() } else { format!("{table}.{}", self.suffix).into() }
    }
}

/// A program or a subcommand, shared by all its names.
#[derive(Debug)]
pub(super) struct Node {
    /// The part of the id that is its own; nothing: the name that was used.
    own_id: Option<Box<str>>,
    pub(super) says: Says,
    pub(super) style: Style,
    pub(super) bundle: bool,
    pub(super) help: bool,
    /// Whether a path `host:path` is on another machine.
    pub(super) remote: bool,
    /// Whether the operands mean everything below them.
    pub(super) recursive: bool,
    pub(super) flags: Vec<Flag>,
    pub(super) by_name: HashMap<Box<str>, usize>,
    pub(super) shape: Option<Shape>,
    pub(super) forms: Vec<Form>,
    pub(super) subs: HashMap<Box<str>, Arc<Node>>,
    pub(super) hosts: Vec<HostKind>,
    pub(super) asks: Vec<Ask>,
    /// The strictest tier that anything in this table can reach by itself.
    pub(super) worst: Tier,
}

impl Node {
    /// The files whose content this table or one below it asks for.
    pub(super) fn files_looked_at(&self) -> Vec<CleanPath> {
        let own = self.asks.iter().chain(self.forms.iter().flat_map(|form| &form.asks)).filter_map(Ask::file);
        own.cloned().chain(self.subs.values().flat_map(|sub| sub.files_looked_at())).collect()
    }

    /// The part of the id that is its own, by the name that was used.
    pub(super) fn own_id<'t>(&'t self, name: &'t str) -> &'t str {
        self.own_id.as_deref().unwrap_or(name)
    }
}

/// A flag.
#[derive(Debug)]
pub(super) struct Flag {
    pub(super) name: Box<str>,
    pub(super) says: Option<Says>,
    pub(super) values: Vec<Kind>,
    pub(super) optional: bool,
    pub(super) recursive: bool,
    pub(super) removes: bool,
}

/// A way to use a program.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) says: Says,
    pub(super) has: Vec<Vec<Box<str>>>,
    pub(super) lacks: Vec<Box<str>>,
    pub(super) writes: Vec<Box<str>>,
    pub(super) asks: Vec<Ask>,
    pub(super) shape: Option<Shape>,
}

/// Why a table is wrong, and where.
pub(super) type Wrong = (Problem, Range<usize>);

/// What stands above a table while it is compiled.
struct Above<'a> {
    style: Style,
    profile: Option<&'a ProfileName>,
    flags: Vec<&'a Canonical<'a>>,
}

/// Compiles a program's table.
pub(super) fn compile(raw: &RawTable) -> Result<Arc<Node>, Wrong> {
    node(raw, &Above { style: Style::Getopt, profile: None, flags: vec![] }).map(Arc::new)
}

fn node(raw: &RawTable, above: &Above<'_>) -> Result<Node, Wrong> {
    let profile = raw.profile.as_ref().or(above.profile);
    let says = says("", raw.tier.get_ref().0, raw.profile.as_ref(), profile, raw.reason.get_ref());
    let mut flags = Vec::with_capacity(raw.flags.len().saturating_add(raw.flag.len()));
    for spec in &raw.flags {
        flags.push(flag(spec, None, profile)?);
    }
    for effect in &raw.flag {
        flags.push(flag(&effect.spec, Some(effect), profile)?);
    }
    let (by_name, canonical) = index(raw, &flags)?;
    let mut known = above.flags.clone();
    known.push(&canonical);
    if known.len() > MAX_NESTED || raw.form.len() > MAX_FORMS {
        return Err((Problem::TooLarge, raw.tier.span()));
    }
    let style = raw.style.unwrap_or(above.style);
    let forms = raw.form.iter().map(|form| compile_form(form, profile, &known)).collect::<Result<Vec<_>, _>>()?;
    let mut subs = HashMap::new();
    for sub in &raw.sub {
        let below = Arc::new(node(sub, &Above { style, profile, flags: known.clone() })?);
        for sub_name in sub.names.get_ref() {
            if subs.insert(Box::from(sub_name.get_ref().as_str()), Arc::clone(&below)).is_some() {
                return Err((Problem::Duplicate(sub_name.get_ref().clone()), sub_name.span()));
            }
        }
    }
    let worst = worst(says.tier, &flags, &forms, &subs);
    let asks = asks::compile(&raw.checks, &raw.check, &known)?;
    Ok(Node {
        own_id: raw.id.as_ref().map(|id| id.get_ref().as_str().into()),
        says,
        style,
        bundle: raw.bundle,
        help: raw.help,
        remote: raw.remote,
        recursive: raw.recursive,
        flags: flags.into_iter().map(|(_, flag)| flag).collect(),
        by_name,
        shape: shape(raw.operands.as_deref())?,
        forms,
        subs,
        hosts: hosts(&raw.hosts)?,
        asks,
        worst,
    })
}

fn hosts(words: &[toml::Spanned<String>]) -> Result<Vec<HostKind>, Wrong> {
    let one = |word: &toml::Spanned<String>| HostKind::parse(word.get_ref()).map_err(|bad| (bad.into(), word.span()));
    words.iter().map(one).collect()
}

type Named = (FlagNotation, Flag);

fn flag(spec: &toml::Spanned<String>, effect: Option<&RawFlag>, profile: Option<&ProfileName>) -> Result<Named, Wrong> {
    let notation = FlagNotation::parse(spec.get_ref()).map_err(|bad| (Problem::Notation(bad), spec.span()))?;
    let name = notation.names.first().cloned().unwrap_or_default();
    let tier = effect.and_then(|effect| effect.tier);
    let reason = effect.and_then(|effect| effect.reason.as_deref());
    if tier.is_some() != reason.is_some() {
        return Err((Problem::TierWithoutReason, spec.span()));
    }
    let long = notation.names.iter().find(|name| name.starts_with("--")).unwrap_or(&name);
    let suffix = long.trim_start_matches('-').trim_end_matches('=');
    let own = effect.and_then(|effect| effect.profile.as_ref());
    let says = tier.zip(reason).map(|(tier, reason)| says(suffix, tier, own, profile, reason));
    let flag = Flag {
        name,
        says,
        values: notation.values.clone(),
        optional: notation.optional,
        recursive: effect.is_some_and(|effect| effect.recursive),
        removes: effect.is_some_and(|effect| effect.removes),
    };
    Ok((notation, flag))
}

/// All names of flags to their first names.
pub(super) type Canonical<'f> = HashMap<&'f str, &'f str>;

/// All names of the flags to their place, and all names to the flag's first name.
fn index<'f>(raw: &RawTable, flags: &'f [Named]) -> Result<(HashMap<Box<str>, usize>, Canonical<'f>), Wrong> {
    let names = flags.iter().map(|(notation, _)| notation.names.len()).sum();
    let mut by_name = HashMap::with_capacity(names);
    let mut canonical = HashMap::with_capacity(names);
    for (place, (notation, flag)) in flags.iter().enumerate() {
        for name in &notation.names {
            canonical.insert(&**name, &*flag.name);
            if by_name.insert(name.clone(), place).is_some() {
                let span = raw.flags.get(place).map_or_else(|| raw.tier.span(), toml::Spanned::span);
                return Err((Problem::Duplicate(name.to_string()), span));
            }
        }
    }
    Ok((by_name, canonical))
}

fn compile_form(raw: &RawForm, profile: Option<&ProfileName>, known: &[&Canonical<'_>]) -> Result<Form, Wrong> {
    Ok(Form {
        says: says(raw.id.get_ref(), raw.tier, raw.profile.as_ref(), profile, &raw.reason),
        has: flag_groups(&raw.has, known)?,
        lacks: flag_groups(&raw.lacks, known)?.concat(),
        writes: flag_groups(&raw.writes, known)?.concat(),
        asks: asks::compile(&raw.checks, &raw.check, known)?,
        shape: shape(raw.operands.as_deref())?,
    })
}

/// Entries that name flags, by the first name of each.
pub(super) fn flag_groups(
    entries: &[toml::Spanned<String>],
    known: &[&Canonical<'_>],
) -> Result<Vec<Vec<Box<str>>>, Wrong> {
    let resolve = |name: &str, span: Range<usize>| {
        let found = known.iter().rev().find_map(|names| names.get(name));
        found.map(|name| Box::from(*name)).ok_or_else(|| (Problem::UnknownFlag(name.to_owned()), span))
    };
    let group = |entry: &toml::Spanned<String>| {
        entry.get_ref().split_whitespace().map(|name| resolve(name, entry.span())).collect::<Result<Vec<_>, _>>()
    };
    entries.iter().map(group).collect()
}

fn shape(operands: Option<&[toml::Spanned<String>]>) -> Result<Option<Shape>, Wrong> {
    let Some(operands) = operands else { return Ok(None) };
    let span =
        operands.first().map_or(0..0, |first| first.span().start..operands.last().map_or(0, |last| last.span().end));
    let parsed = Shape::parse(operands.iter().map(|operand| operand.get_ref().as_str()));
    parsed.map(Some).map_err(|bad: BadNotation| (Problem::Notation(bad), span))
}

/// A rule's words. The profile is the rule's own, or above T1 the one that its table names, or the tier's standard one.
fn says(suffix: &str, tier: Tier, own: Option<&ProfileName>, table: Option<&ProfileName>, reason: &str) -> Says {
    let standard = match tier {
        Tier::T0 => ProfileName::observe(),
        Tier::T1 => ProfileName::change(),
        Tier::T2 | Tier::T3 => table.cloned().unwrap_or_else(ProfileName::system),
    };
    Says { suffix: suffix.into(), tier, profile: own.cloned().unwrap_or(standard), reason: reason.into() }
}

fn worst(own: Tier, flags: &[Named], forms: &[Form], subs: &HashMap<Box<str>, Arc<Node>>) -> Tier {
    let flags = flags.iter().filter_map(|(_, flag)| flag.says.as_ref()).map(|says| says.tier);
    let forms = forms.iter().map(|form| form.says.tier);
    let subs = subs.values().map(|sub| sub.worst);
    flags.chain(forms).chain(subs).fold(own, Tier::max)
}
