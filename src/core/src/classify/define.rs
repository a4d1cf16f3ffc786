//! Tables at work: a command read by its table becomes findings.
//!
//! Enters: a table and a command. Leaves: findings for the form that matches, for flags with an effect, for operands
//! by their kinds, and for every word that was not understood.

use std::ops::Range;
use std::rc::Rc;

use super::asks::Ask;
use super::kind::{Kind, Shape, Word};
use super::program::{self, MANY_UNKNOWN, Reading, Unknown};
use super::sensitive::Reach;
use super::table::{Node, Says};
use super::weigh::{Examiner, Part, Scene, texts, words_at};
use super::wrap::moved_to;
use super::{asks, deny, opaque};
use crate::path::CleanPath;
use crate::tier::{Ruling, Tier};

/// The most starting points of a `find` that its commands are weighed with; more count as the whole system.
const MAX_STARTS: usize = 16;

impl<'r> Examiner<'r> {
    /// Weighs a command by the table that says what its words mean.
    pub(super) fn define(&mut self, (name, root): (&str, &'r Node), words: &[Word<'_>], scene: &Scene) {
        if root.help
            && let [_, only] = words
            && matches!(&*only.text, "--help" | "--version")
        {
            let id = format!("{}.help", root.own_id(name));
            return self.fire(
                &id,
                Ruling::Tier(Tier::T0),
                "Prints its help or its version.",
                texts(words),
                scene.depth,
            );
        }
        let reading = program::read((name, root), None, words);
        let Some(node) = reading.node() else { return };
        let before = self.findings.written();
        let matched = matching(node, &reading, words);
        let base = matched.iter().map(|found| found.says.tier).max().unwrap_or(node.says.tier);
        let doubtful = matched.is_empty() || !reading.unknown.is_empty();
        let recursive = node.recursive || reading.seen.iter().any(|seen| seen.flag.recursive);
        let reach = if recursive { Reach::Below } else { Reach::Itself };
        let outside = Scene { doubted: scene.doubted || doubtful, ..scene.clone() };
        let inside = entered(&reading, words, &outside);
        let part = Part { base, reach, remote: root.remote, scene: inside.as_ref().unwrap_or(&outside) };
        for found in &matched {
            self.fire_rule(reading.id(), found.says, texts(words), scene.depth);
        }
        if matched.is_empty() {
            self.fire_rule(reading.id(), &node.says, texts(words), scene.depth);
            self.misfit(&reading, words, &part);
        }
        if doubtful && !scene.doubted {
            self.doubt(node, words, scene);
        }
        self.ask(&reading, words, &matched, scene.depth);
        self.flags(&reading, words, &part, inside.as_ref().map(|_| &outside));
        for found in &matched {
            self.written_flags(found.writes, &reading, words, &Part { scene: &outside, ..part });
            for (kind, range) in &found.given {
                self.operands(kind, range.clone(), &reading, words, &part);
            }
        }
        self.not_understood(&reading, node, words, scene);
        if base == Tier::T1 && self.findings.written() == before {
            self.inexact(texts(words), scene.depth);
        }
    }

    /// Weighs a command by an administrator's addition: only what matches it whole fires.
    pub(super) fn raise(
        &mut self,
        (name, root): (&str, &'r Node),
        beside: Option<&'r Node>,
        words: &[Word<'_>],
        scene: &Scene,
    ) {
        let reading = program::read((name, root), beside, words);
        let Some(node) = reading.node() else { return };
        for seen in &reading.seen {
            if let Some(says) = &seen.flag.says
                && reading.path.iter().any(|own| own.flags.iter().any(|flag| std::ptr::eq(flag, seen.flag)))
            {
                self.fire_rule(
                    reading.id_at(seen.level),
                    says,
                    words_at(words, seen.at..seen.at.saturating_add(1)),
                    scene.depth,
                );
            }
        }
        let stays_above = !node.subs.is_empty() && node.shape.is_none() && node.forms.is_empty();
        let shapeless = node.shape.is_none() && node.forms.is_empty() && !stays_above;
        if shapeless {
            self.fire_rule(reading.id(), &node.says, texts(words), scene.depth);
        }
        let matched = if shapeless || stays_above { vec![] } else { matching(node, &reading, words) };
        for found in &matched {
            self.fire_rule(reading.id(), found.says, texts(words), scene.depth);
        }
        if shapeless || !matched.is_empty() {
            self.ask(&reading, words, &matched, scene.depth);
        }
    }

    /// What the tables ask of the host and of the moment. More than can be looked at is refused.
    fn ask(&mut self, reading: &Reading<'_, '_>, words: &[Word<'_>], matched: &[Matched<'_>], depth: u16) {
        if !asks::gather(&mut self.findings, reading, words, matched) {
            let says = "More conditions than are looked at for one request.";
            self.fire("limit.conditions", Ruling::Deny, says, texts(words), depth);
        }
    }

    /// The operands do not fit: whatever the table says of others, this is not a proven read.
    fn misfit(&mut self, reading: &Reading<'_, '_>, words: &[Word<'_>], part: &Part<'_>) {
        let reads = part.base == Tier::T0;
        if part.base < Tier::T2 {
            let says = "The operands are not ones that the rules know for this program.";
            self.fire("unknown-operand", Ruling::Tier(Tier::T2), says, texts(words), part.scene.depth);
        }
        let kind = if reads { Kind::Read } else { Kind::Write };
        let part = Part { base: part.base.max(Tier::T2), ..*part };
        for word in reading.operands.iter().filter_map(|place| words.get(*place)).filter(|word| word.text.contains('/'))
        {
            self.weigh(&kind, std::slice::from_ref(word), &part);
        }
    }

    /// Words of a wrapper that were not understood may be any program.
    fn doubt(&mut self, node: &Node, words: &[Word<'_>], scene: &Scene) {
        let rest = words.get(1..).unwrap_or_default();
        let wraps = |shape: &Shape| shape.kinds().any(|kind| matches!(kind, Kind::Command | Kind::Shell));
        let shapes = node.forms.iter().filter_map(|form| form.shape.as_ref()).chain(node.shape.as_ref());
        if shapes.into_iter().any(wraps) {
            self.deny(deny::anywhere(rest, scene.cwd.as_ref()), texts(words), scene.depth);
            self.raise_to(opaque::strictest(self.rules, rest, |node| node.worst), words, scene.depth);
        }
    }

    fn not_understood(&mut self, reading: &Reading<'_, '_>, node: &Node, words: &[Word<'_>], scene: &Scene) {
        for (at, unknown) in &reading.unknown {
            let (rule, says) = match unknown {
                Unknown::Flag => ("unknown-flag", "The rules do not know this option of the program."),
                Unknown::Missing => ("unknown-value", "The option lacks its value."),
                Unknown::Subcommand => ("unknown-subcommand", "The rules do not know this subcommand of the program."),
            };
            self.fire(rule, Ruling::Tier(Tier::T2), says, words_at(words, *at..at.saturating_add(1)), scene.depth);
        }
        if reading.unknown.len() > MANY_UNKNOWN {
            self.raise_to(Some(node.worst), words, scene.depth);
        }
    }

    /// What the flags say. Where one of them is the directory of the rest, nobody knows for certain which paths of
    /// other flags begin there and which begin outside, so they are weighed as both.
    fn flags(&mut self, reading: &Reading<'_, '_>, words: &[Word<'_>], part: &Part<'_>, outside: Option<&Scene>) {
        for seen in &reading.seen {
            let own = words_at(words, seen.at..seen.at.saturating_add(1));
            let base = seen.flag.says.as_ref().map_or(part.base, |says| says.tier.max(part.base));
            if let Some(says) = &seen.flag.says {
                self.fire_rule(reading.id_at(seen.level), says, own.clone(), part.scene.depth);
            }
            let part = Part { base, ..*part };
            if seen.flag.removes {
                self.removed(&starts(reading, words, part.scene), &own, &part);
            }
            let values = &seen.value.words(words, seen.at);
            if let [kind @ Kind::CommandUntil] = seen.flag.values.as_slice() {
                let there = words.get(seen.at).is_some_and(|word| word.text.ends_with("dir"));
                let found = Some(starts(reading, words, part.scene));
                let each = Scene { found, settled: part.scene.settled && !there, ..part.scene.clone() };
                self.weigh(kind, values, &Part { scene: &each, ..part });
            } else {
                self.flag_value(&seen.flag.values, values, &part, outside);
            }
        }
    }

    fn flag_value(&mut self, kinds: &[Kind], values: &[Word<'_>], part: &Part<'_>, outside: Option<&Scene>) {
        if let [kind @ Kind::Command] = kinds {
            return self.weigh(kind, values, part);
        }
        for (kind, value) in kinds.iter().zip(values) {
            if let Some(scene) = outside.filter(|_| kind.is_path() && !value.text.starts_with('/')) {
                self.weigh(kind, std::slice::from_ref(value), &Part { scene, ..*part });
            }
            if !kind.fits(&value.text) {
                let says = "The option's value does not have the form that the rules know.";
                self.fire("unknown-value", Ruling::Tier(Tier::T2), says, vec![&value.text], part.scene.depth);
            }
            self.weigh(kind, std::slice::from_ref(value), part);
        }
    }

    /// Values of flags that are written when the program is used so.
    fn written_flags(&mut self, names: &[Box<str>], reading: &Reading<'_, '_>, words: &[Word<'_>], part: &Part<'_>) {
        for seen in reading.seen.iter().filter(|seen| names.contains(&seen.flag.name)) {
            for value in &*seen.value.words(words, seen.at) {
                if *value.text == *"-" {
                    self.findings.count_write(); // Standard output, which is there already.
                } else {
                    self.write(value, part);
                }
            }
        }
    }

    fn operands(
        &mut self,
        kind: &Kind,
        range: Range<usize>,
        reading: &Reading<'_, '_>,
        words: &[Word<'_>],
        part: &Part<'_>,
    ) {
        let places = reading.operands.get(range).unwrap_or_default();
        if kind.is_joined()
            && let (Some(first), Some(last)) = (places.first(), places.last())
        {
            let together = places.len() == last.saturating_sub(*first).saturating_add(1);
            if together {
                return self.weigh(kind, words.get(*first..last.saturating_add(1)).unwrap_or_default(), part);
            }
            let picked: Vec<Word<'_>> = places.iter().filter_map(|place| words.get(*place).cloned()).collect();
            return self.weigh(kind, &picked, part);
        }
        for place in places {
            self.weigh(kind, words.get(*place..place.saturating_add(1)).unwrap_or_default(), part);
        }
    }
}

/// Where the rest is done, if a flag says so.
fn entered(reading: &Reading<'_, '_>, words: &[Word<'_>], scene: &Scene) -> Option<Scene> {
    let mut inside: Option<Scene> = None;
    for seen in reading.seen.iter().filter(|seen| seen.flag.values.contains(&Kind::Directory)) {
        let mut here = inside.take().unwrap_or_else(|| scene.clone());
        match &*seen.value.words(words, seen.at) {
            [to] if !to.wild => here.cwd = moved_to(here.cwd, &to.text),
            _ => here.settled = false,
        }
        // Some programs obey such a flag only from there on.
        here.settled &= reading.operands.first().is_none_or(|first| *first > seen.at);
        inside = Some(here);
    }
    inside
}

/// Where a `find` begins: everything that it hands to its commands is below.
fn starts(reading: &Reading<'_, '_>, words: &[Word<'_>], scene: &Scene) -> Rc<[CleanPath]> {
    let cwd = scene.cwd.as_ref().filter(|_| scene.settled);
    let place = |word: &Word<'_>| match cwd {
        _ if word.wild => None,
        Some(cwd) => cwd.join(&word.text).ok(),
        None => CleanPath::new(&word.text).ok(),
    };
    let given: Option<Rc<[CleanPath]>> = match reading.operands.as_slice() {
        [] => cwd.map(|cwd| Rc::from([cwd.clone()])),
        places if places.len() <= MAX_STARTS => places.iter().map(|at| words.get(*at).and_then(place)).collect(),
        _ => None,
    };
    given.unwrap_or_else(|| CleanPath::new("/").into_iter().collect())
}

/// A way to use the program that the words match, with the operands given to their kinds.
pub(super) struct Matched<'n> {
    says: &'n Says,
    writes: &'n [Box<str>],
    pub(super) asks: &'n [Ask],
    pub(super) given: Vec<(&'n Kind, Range<usize>)>,
}

/// Every form that matches; without one, the table itself if its own operands fit.
fn matching<'n>(node: &'n Node, reading: &Reading<'_, '_>, words: &[Word<'_>]) -> Vec<Matched<'n>> {
    let operands: Vec<&str> =
        reading.operands.iter().filter_map(|place| words.get(*place)).map(|word| &*word.text).collect();
    let fit = |shape: Option<&'n Shape>| match shape {
        Some(shape) => shape.assign(&operands),
        None => operands.is_empty().then(Vec::new),
    };
    let forms = node.forms.iter().filter(|form| reading.allows(&form.has, &form.lacks));
    let mut found: Vec<Matched<'n>> = forms
        .filter_map(|form| {
            let given = fit(form.shape.as_ref().or(node.shape.as_ref()))?;
            Some(Matched { says: &form.says, writes: &form.writes, asks: &form.asks, given })
        })
        .collect();
    if found.is_empty() {
        found.extend(fit(node.shape.as_ref()).map(|given| Matched { says: &node.says, writes: &[], asks: &[], given }));
    }
    found
}
