//! Weighing: a command's words, read by its table, become findings.
//!
//! Enters: a command at some depth. Leaves: findings, through [`Findings`]. The order is the property: limits, the
//! deny list, where the program lies, what its table says, what its flags and operands touch, what was not
//! understood. Recursion goes through `wrap.rs` and is bounded.

use std::ops::Range;

use super::findings::{Finding, Findings};
use super::kind::{Kind, Shape, Word};
use super::program::{self, MANY_UNKNOWN, Reading, Unknown, Value};
use super::rules::Rules;
use super::sensitive::Reach;
use super::table::{Node, Says};
use super::{Classification, MAX_DEPTH, deny, opaque, wrap};
use crate::argv;
use crate::path::CleanPath;
use crate::profile::ProfileName;
use crate::target::Access;
use crate::tier::{Ruling, Tier};

/// The most bytes of text inside text that are read for one request: twice what a command may have, so that deep
/// nesting of long texts cannot cost more than its length.
const MAX_TEXT: usize = 2 * argv::MAX_BYTES;

/// Where a command stands.
#[derive(Debug, Clone)]
pub(super) struct Scene {
    pub(super) depth: u16,
    /// The working directory, unless an earlier command may have changed it.
    pub(super) cwd: Option<CleanPath>,
}

/// One classification at work.
pub(super) struct Examiner<'r> {
    pub(super) rules: &'r Rules,
    pub(super) findings: Findings,
    text_left: usize,
    words_left: usize,
}

/// The rule whose words are being weighed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) base: Tier,
    pub(super) reach: Reach,
    pub(super) scene: &'a Scene,
}

impl Part<'_> {
    /// What a rule does with what it names.
    pub(super) fn access(&self) -> Access {
        if self.base == Tier::T0 { Access::Read } else { Access::Write }
    }
}

impl<'r> Examiner<'r> {
    pub(super) const fn new(rules: &'r Rules) -> Self {
        Self { rules, findings: Findings::new(), text_left: MAX_TEXT, words_left: super::shell::MAX_WORDS }
    }

    pub(super) fn finish(self) -> Classification {
        self.findings.finish()
    }

    /// Takes so many bytes and words of nested text from what is left; says whether there was enough.
    pub(super) fn spend(&mut self, bytes: usize, words: usize) -> bool {
        let enough = self.text_left >= bytes && self.words_left >= words;
        self.text_left = self.text_left.saturating_sub(bytes);
        self.words_left = self.words_left.saturating_sub(words);
        enough
    }

    /// A rule of the engine itself fires.
    pub(super) fn fire(&mut self, rule: &str, ruling: Ruling, says: &str, words: Vec<&str>, depth: u16) {
        let profile = match ruling {
            Ruling::Tier(Tier::T0) => ProfileName::observe(),
            Ruling::Tier(Tier::T1) => ProfileName::change(),
            Ruling::Tier(Tier::T2 | Tier::T3) | Ruling::Deny => ProfileName::system(),
        };
        self.findings.add(&Finding { rule, ruling, profile: &profile, says, words, depth, offset: None });
    }

    fn fire_rule(&mut self, says: &Says, words: Vec<&str>, depth: u16) {
        let ruling = Ruling::Tier(says.tier);
        self.findings.add(&Finding {
            rule: &says.id,
            ruling,
            profile: &says.profile,
            says: &says.reason,
            words,
            depth,
            offset: None,
        });
    }

    pub(super) fn deny(&mut self, hit: Option<deny::Hit>, words: Vec<&str>, depth: u16) {
        if let Some(hit) = hit {
            self.fire(hit.rule, Ruling::Deny, hit.says, words, depth);
        }
    }

    /// Weighs a command, the program first.
    pub(super) fn command(&mut self, words: &[Word<'_>], scene: &Scene) {
        let Some(first) = words.first() else { return };
        let depth = scene.depth;
        if depth > MAX_DEPTH {
            return self.fire(
                "limit.nesting",
                Ruling::Deny,
                "More than 64 wrappers and shells inside each other.",
                vec![&first.text],
                depth,
            );
        }
        let located = program::locate(first, scene.cwd.as_ref());
        let name = located.name.as_str();
        self.deny(deny::command(name, words.get(1..).unwrap_or_default(), scene.cwd.as_ref()), texts(words), depth);
        if !located.usual {
            let says = "The program does not lie where programs of the system lie.";
            self.fire("unknown-location", Ruling::Tier(Tier::T2), says, vec![&first.text], depth);
        }
        if wrap::is_privilege_tool(name) {
            let says = "Runs a program as another user, with other rights or in another system.";
            self.fire("privilege-tool", Ruling::Tier(Tier::T2), says, vec![&first.text], depth);
        }
        let rules = self.rules;
        let entry = rules.lookup(name);
        let mut known = false;
        for node in entry.into_iter().flat_map(|entry| entry.defining()) {
            known = true;
            self.define(node, words, scene);
        }
        if !known {
            self.unknown(words, scene);
        }
        for (node, beside) in
            entry.into_iter().flat_map(|entry| entry.raising.iter().map(|node| (node, entry.shipped.as_ref())))
        {
            self.raise(node, beside, words, scene);
        }
    }

    fn unknown(&mut self, words: &[Word<'_>], scene: &Scene) {
        let first = words.first().map(|word| &*word.text);
        self.fire(
            "unknown-program",
            Ruling::Tier(Tier::T2),
            "No rule knows this program.",
            first.into_iter().collect(),
            scene.depth,
        );
        let rest = words.get(1..).unwrap_or_default();
        self.deny(deny::anywhere(rest, scene.cwd.as_ref()), texts(words), scene.depth);
        self.raise_to(opaque::strictest(self.rules, rest, |node| node.says.tier), words, scene.depth);
    }

    /// Raises the request to what programs named among words that were not understood would be.
    pub(super) fn raise_to(&mut self, tier: Option<Tier>, words: &[Word<'_>], depth: u16) {
        if let Some(tier) = tier.filter(|tier| *tier > Tier::T2) {
            let says = "Words that were not understood name a program that is this strict.";
            self.fire("named-program", Ruling::Tier(tier), says, texts(words), depth);
        }
    }

    /// Weighs a command by the table that says what its words mean.
    fn define(&mut self, root: &'r Node, words: &[Word<'_>], scene: &Scene) {
        if root.help
            && let [_, only] = words
            && matches!(&*only.text, "--help" | "--version")
        {
            let id = format!("{}.help", root.says.id);
            return self.fire(
                &id,
                Ruling::Tier(Tier::T0),
                "Prints its help or its version.",
                texts(words),
                scene.depth,
            );
        }
        let reading = program::read(root, None, words);
        let Some(node) = reading.node() else { return };
        let before = self.findings.written();
        let matched = matching(node, &reading, words);
        let base = matched.iter().map(|found| found.says.tier).max().unwrap_or(node.says.tier);
        let reach = if reading.seen.iter().any(|seen| seen.flag.recursive) { Reach::Below } else { Reach::Itself };
        let part = Part { base, reach, scene };
        for found in &matched {
            self.fire_rule(found.says, texts(words), scene.depth);
        }
        if matched.is_empty() {
            self.fire_rule(&node.says, texts(words), scene.depth);
            self.misfit(node, words, scene);
        }
        if !node.hosts.is_empty() || !node.checks.is_empty() {
            self.findings.need(&node.says.id, &node.hosts, &node.checks);
        }
        self.flags(&reading, words, &part);
        for found in &matched {
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
    fn raise(&mut self, root: &'r Node, beside: Option<&'r Node>, words: &[Word<'_>], scene: &Scene) {
        let reading = program::read(root, beside, words);
        let Some(node) = reading.node() else { return };
        for seen in &reading.seen {
            if let Some(says) = &seen.flag.says
                && reading.path.iter().any(|own| own.flags.iter().any(|flag| std::ptr::eq(flag, seen.flag)))
            {
                self.fire_rule(says, words_at(words, seen.at..seen.at.saturating_add(1)), scene.depth);
            }
        }
        let stays_above = !node.subs.is_empty() && node.shape.is_none() && node.forms.is_empty();
        let shapeless = node.shape.is_none() && node.forms.is_empty() && !stays_above;
        if shapeless {
            self.fire_rule(&node.says, texts(words), scene.depth);
        }
        for found in matching(node, &reading, words).iter().filter(|_| !shapeless && !stays_above) {
            self.fire_rule(found.says, texts(words), scene.depth);
        }
    }

    /// The operands do not fit: whatever the table says of others, this is not a proven read.
    fn misfit(&mut self, node: &Node, words: &[Word<'_>], scene: &Scene) {
        if node.says.tier < Tier::T2 {
            let says = "The operands are not ones that the rules know for this program.";
            self.fire("unknown-operand", Ruling::Tier(Tier::T2), says, texts(words), scene.depth);
        }
        self.doubt(node, words, scene);
    }

    /// Words that were not understood may be anything: the deny list looks at all of them, and a wrapper's words may
    /// be any program.
    fn doubt(&mut self, node: &Node, words: &[Word<'_>], scene: &Scene) {
        let rest = words.get(1..).unwrap_or_default();
        self.deny(deny::anywhere(rest, scene.cwd.as_ref()), texts(words), scene.depth);
        let wraps = |shape: &Shape| shape.kinds().any(|kind| matches!(kind, Kind::Command | Kind::Shell));
        let shapes = node.forms.iter().filter_map(|form| form.shape.as_ref()).chain(node.shape.as_ref());
        if shapes.into_iter().any(wraps) {
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
        if !reading.unknown.is_empty() {
            self.doubt(node, words, scene);
        }
    }

    fn flags(&mut self, reading: &Reading<'_, '_>, words: &[Word<'_>], part: &Part<'_>) {
        for seen in &reading.seen {
            let own = words_at(words, seen.at..seen.at.saturating_add(1));
            let base = seen.flag.says.as_ref().map_or(part.base, |says| says.tier.max(part.base));
            if let Some(says) = &seen.flag.says {
                self.fire_rule(says, own.clone(), part.scene.depth);
            }
            let part = Part { base, ..*part };
            match seen.value {
                Value::None => {}
                Value::Attached(text) => {
                    let wild = words.get(seen.at).is_some_and(|word| word.wild);
                    let word = Word { text: text.into(), wild };
                    self.flag_value(&seen.flag.values, std::slice::from_ref(&word), &part);
                }
                Value::Words(from, to) => {
                    self.flag_value(&seen.flag.values, words.get(from..to).unwrap_or_default(), &part)
                }
            }
        }
    }

    fn flag_value(&mut self, kinds: &[Kind], values: &[Word<'_>], part: &Part<'_>) {
        if let [kind @ (Kind::Command | Kind::CommandUntil)] = kinds {
            return self.weigh(kind, values, part);
        }
        for (kind, value) in kinds.iter().zip(values) {
            if !kind.fits(&value.text) {
                let says = "The option's value does not have the form that the rules know.";
                self.fire("unknown-value", Ruling::Tier(Tier::T2), says, vec![&value.text], part.scene.depth);
            }
            self.weigh(kind, std::slice::from_ref(value), part);
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

/// A way to use the program that the words match, with the operands given to their kinds.
struct Matched<'n> {
    says: &'n Says,
    given: Vec<(&'n Kind, Range<usize>)>,
}

/// Every form that matches; without one, the table itself if its own operands fit.
fn matching<'n>(node: &'n Node, reading: &Reading<'_, '_>, words: &[Word<'_>]) -> Vec<Matched<'n>> {
    let operands: Vec<&str> =
        reading.operands.iter().filter_map(|place| words.get(*place)).map(|word| &*word.text).collect();
    let fit = |shape: Option<&'n Shape>| match shape {
        Some(shape) => shape.assign(&operands),
        None => operands.is_empty().then(Vec::new),
    };
    let forms = node.forms.iter().filter(|form| reading.allows(form));
    let mut found: Vec<Matched<'n>> = forms
        .filter_map(|form| {
            fit(form.shape.as_ref().or(node.shape.as_ref())).map(|given| Matched { says: &form.says, given })
        })
        .collect();
    if found.is_empty() {
        found.extend(fit(node.shape.as_ref()).map(|given| Matched { says: &node.says, given }));
    }
    found
}

/// The words as a finding shows them.
fn texts<'w>(words: &'w [Word<'_>]) -> Vec<&'w str> {
    words.iter().take(super::findings::MAX_WORDS).map(|word| &*word.text).collect()
}

fn words_at<'w>(words: &'w [Word<'_>], range: Range<usize>) -> Vec<&'w str> {
    texts(words.get(range).unwrap_or_default())
}
