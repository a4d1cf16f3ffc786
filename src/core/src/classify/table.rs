//! Tables: a program's rules, compiled.
//!
//! Enters: raw tables. Leaves: immutable nodes that are looked up by hash. Every name that a form refers to exists.

use std::collections::HashMap;
use std::ops::Range;

use super::kind::{BadNotation, FlagNotation, Kind, Shape};
use super::raw::{RawFlag, RawForm, RawTable, Style};
use super::rules::Problem;
use crate::profile::ProfileName;
use crate::tier::Tier;

/// The most subcommands below each other.
const MAX_NESTED: usize = 6;
/// The most forms of one table, so that trying them all stays cheap.
const MAX_FORMS: usize = 32;

/// What a rule says when it fires.
#[derive(Debug, Clone)]
pub(super) struct Says {
    pub(super) id: Box<str>,
    pub(super) tier: Tier,
    pub(super) profile: ProfileName,
    pub(super) reason: Box<str>,
}

/// A program or a subcommand.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) says: Says,
    pub(super) style: Style,
    pub(super) bundle: bool,
    pub(super) help: bool,
    pub(super) flags: Vec<Flag>,
    pub(super) by_name: HashMap<Box<str>, usize>,
    pub(super) shape: Option<Shape>,
    pub(super) forms: Vec<Form>,
    pub(super) subs: HashMap<Box<str>, Node>,
    pub(super) hosts: Vec<String>,
    pub(super) checks: Vec<String>,
    /// The strictest tier that anything in this table can reach by itself.
    pub(super) worst: Tier,
}

/// A flag.
#[derive(Debug)]
pub(super) struct Flag {
    pub(super) name: Box<str>,
    pub(super) says: Option<Says>,
    pub(super) values: Vec<Kind>,
    pub(super) optional: bool,
    pub(super) recursive: bool,
}

/// A way to use a program.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) says: Says,
    pub(super) has: Vec<Vec<Box<str>>>,
    pub(super) lacks: Vec<Box<str>>,
    pub(super) writes: Vec<Box<str>>,
    pub(super) shape: Option<Shape>,
}

/// Why a table is wrong, and where.
pub(super) type Wrong = (Problem, Range<usize>);

/// What stands above a table while it is compiled.
struct Above<'a> {
    id: &'a str,
    style: Style,
    profile: Option<&'a ProfileName>,
    flags: Vec<&'a HashMap<Box<str>, Box<str>>>,
}

/// Compiles a program's table under one of its names.
pub(super) fn compile(raw: &RawTable, name: &str) -> Result<Node, Wrong> {
    node(raw, name, &Above { id: "", style: Style::Getopt, profile: None, flags: vec![] })
}

fn node(raw: &RawTable, name: &str, above: &Above<'_>) -> Result<Node, Wrong> {
    let own_id = raw.id.as_ref().map_or(name, |id| id.get_ref().as_str());
    let id = if above.id.is_empty() { own_id.to_owned() } else { format!("{}.{own_id}", above.id) };
    let profile = raw.profile.as_ref().or(above.profile);
    let says = says(id.clone(), *raw.tier.get_ref(), raw.profile.as_ref(), profile, &raw.reason);
    let mut flags = Vec::new();
    for spec in &raw.flags {
        flags.push(flag(&id, spec, None, profile)?);
    }
    for effect in &raw.flag {
        flags.push(flag(&id, &effect.spec, Some(effect), profile)?);
    }
    let (by_name, canonical) = index(raw, &flags)?;
    let mut known = above.flags.clone();
    known.push(&canonical);
    if known.len() > MAX_NESTED || raw.form.len() > MAX_FORMS {
        return Err((Problem::TooLarge, raw.tier.span()));
    }
    let style = raw.style.unwrap_or(above.style);
    let forms = raw.form.iter().map(|form| compile_form(&id, form, profile, &known)).collect::<Result<Vec<_>, _>>()?;
    let mut subs = HashMap::new();
    for sub in &raw.sub {
        for sub_name in &sub.names {
            let below = Above { id: &id, style, profile, flags: known.clone() };
            if subs.insert(Box::from(sub_name.get_ref().as_str()), node(sub, sub_name.get_ref(), &below)?).is_some() {
                return Err((Problem::Duplicate(sub_name.get_ref().clone()), sub_name.span()));
            }
        }
    }
    let worst = worst(says.tier, &flags, &forms, &subs);
    Ok(Node {
        says,
        style,
        bundle: raw.bundle,
        help: raw.help,
        flags: flags.into_iter().map(|(_, flag)| flag).collect(),
        by_name,
        shape: shape(raw.operands.as_deref())?,
        forms,
        subs,
        hosts: raw.hosts.clone(),
        checks: raw.checks.clone(),
        worst,
    })
}

type Named = (FlagNotation, Flag);

fn flag(
    id: &str,
    spec: &toml::Spanned<String>,
    effect: Option<&RawFlag>,
    profile: Option<&ProfileName>,
) -> Result<Named, Wrong> {
    let notation = FlagNotation::parse(spec.get_ref()).map_err(|bad| (Problem::Notation(bad), spec.span()))?;
    let name = notation.names.first().cloned().unwrap_or_default();
    let tier = effect.and_then(|effect| effect.tier);
    let reason = effect.and_then(|effect| effect.reason.as_deref());
    if tier.is_some() != reason.is_some() {
        return Err((Problem::TierWithoutReason, spec.span()));
    }
    let long = notation.names.iter().find(|name| name.starts_with("--")).unwrap_or(&name);
    let flag_id = format!("{id}.{}", long.trim_start_matches('-').trim_end_matches('='));
    let own = effect.and_then(|effect| effect.profile.as_ref());
    let flag = Flag {
        name,
        says: tier.zip(reason).map(|(tier, reason)| says(flag_id, tier, own, profile, reason)),
        values: notation.values.clone(),
        optional: notation.optional,
        recursive: effect.is_some_and(|effect| effect.recursive),
    };
    Ok((notation, flag))
}

type Index = (HashMap<Box<str>, usize>, HashMap<Box<str>, Box<str>>);

/// All names of the flags to their place, and all names to the flag's first name.
fn index(raw: &RawTable, flags: &[Named]) -> Result<Index, Wrong> {
    let mut by_name = HashMap::new();
    let mut canonical = HashMap::new();
    for (place, (notation, flag)) in flags.iter().enumerate() {
        for name in &notation.names {
            canonical.insert(name.clone(), flag.name.clone());
            if by_name.insert(name.clone(), place).is_some() {
                let span = raw.flags.get(place).map_or_else(|| raw.tier.span(), toml::Spanned::span);
                return Err((Problem::Duplicate(name.to_string()), span));
            }
        }
    }
    Ok((by_name, canonical))
}

fn compile_form(
    id: &str,
    raw: &RawForm,
    profile: Option<&ProfileName>,
    known: &[&HashMap<Box<str>, Box<str>>],
) -> Result<Form, Wrong> {
    let resolve = |name: &str, span: Range<usize>| {
        let found = known.iter().rev().find_map(|names| names.get(name));
        found.cloned().ok_or_else(|| (Problem::UnknownFlag(name.to_owned()), span))
    };
    let group = |entry: &toml::Spanned<String>| {
        entry.get_ref().split_whitespace().map(|name| resolve(name, entry.span())).collect::<Result<Vec<_>, _>>()
    };
    Ok(Form {
        says: says(format!("{id}.{}", raw.id.get_ref()), raw.tier, raw.profile.as_ref(), profile, &raw.reason),
        has: raw.has.iter().map(group).collect::<Result<_, _>>()?,
        lacks: raw.lacks.iter().map(group).collect::<Result<Vec<_>, _>>()?.concat(),
        writes: raw.writes.iter().map(group).collect::<Result<Vec<_>, _>>()?.concat(),
        shape: shape(raw.operands.as_deref())?,
    })
}

fn shape(operands: Option<&[toml::Spanned<String>]>) -> Result<Option<Shape>, Wrong> {
    let Some(operands) = operands else { return Ok(None) };
    let span =
        operands.first().map_or(0..0, |first| first.span().start..operands.last().map_or(0, |last| last.span().end));
    let parsed = Shape::parse(operands.iter().map(|operand| operand.get_ref().as_str()));
    parsed.map(Some).map_err(|bad: BadNotation| (Problem::Notation(bad), span))
}

/// A rule's words. The profile is the rule's own, or above T1 the one that its table names, or the tier's standard one.
fn says(id: String, tier: Tier, own: Option<&ProfileName>, table: Option<&ProfileName>, reason: &str) -> Says {
    let standard = match tier {
        Tier::T0 => ProfileName::observe(),
        Tier::T1 => ProfileName::change(),
        Tier::T2 | Tier::T3 => table.cloned().unwrap_or_else(ProfileName::system),
    };
    Says { id: id.into(), tier, profile: own.cloned().unwrap_or(standard), reason: reason.into() }
}

fn worst(own: Tier, flags: &[Named], forms: &[Form], subs: &HashMap<Box<str>, Node>) -> Tier {
    let flags = flags.iter().filter_map(|(_, flag)| flag.says.as_ref()).map(|says| says.tier);
    let forms = forms.iter().map(|form| form.says.tier);
    let subs = subs.values().map(|sub| sub.worst);
    flags.chain(forms).chain(subs).fold(own, Tier::max)
}
