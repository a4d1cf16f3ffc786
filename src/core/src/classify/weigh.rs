//! Weighing: a command's words, read by its table, become findings.
//!
//! Enters: a command at some depth. Leaves: findings, through [`Findings`]. The order is the property: limits, the
//! deny list, where the program lies, what its table says (`define.rs`). Recursion goes through `wrap.rs` and is
//! bounded.

use std::ops::Range;
use std::rc::Rc;

use super::findings::{Finding, Findings};
use super::kind::Word;
use super::program;
use super::rules::Rules;
use super::sensitive::Reach;
use super::table::Says;
use super::{Classification, MAX_DEPTH, deny, opaque, wrap};
use crate::argv;
use crate::path::CleanPath;
use crate::profile::ProfileName;
use crate::target::Access;
use crate::tier::{Ruling, Tier};

/// The most bytes of text inside text that are read for one request: twice what a command may have, so that deep
/// nesting of long texts cannot cost more than its length.
const MAX_TEXT: usize = 2 * argv::MAX_BYTES;

/// The most paths with globs that are compared with sensitive places; more are refused.
const MAX_GLOBS: usize = 64;

/// Where a command stands.
#[derive(Debug, Clone)]
pub(super) struct Scene {
    pub(super) depth: u16,
    /// Whether the deny list has looked at all the words here already, because something around them was not understood.
    pub(super) doubted: bool,
    /// Whether the words were looked through for names that are never said, as part of the words around them.
    pub(super) searched: bool,
    /// The working directory, if it can be told, supposing that every change of directory before succeeded.
    pub(super) cwd: Option<CleanPath>,
    /// Whether it is that for certain. The deny list takes what may be; all else takes only what is.
    pub(super) settled: bool,
    /// In a command of `find`: where it begins. A word with `{}` is any path below.
    pub(super) found: Option<Rc<[CleanPath]>>,
}

impl Scene {
    /// The paths below which the word may be any.
    pub(super) fn found_by(&self, word: &Word<'_>) -> Option<Rc<[CleanPath]>> {
        self.found.clone().filter(|_| word.text.contains("{}"))
    }
}

/// One classification at work.
pub(super) struct Examiner<'r> {
    pub(super) rules: &'r Rules,
    pub(super) findings: Findings,
    text_left: usize,
    words_left: usize,
    globs_left: usize,
}

/// The rule whose words are being weighed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) base: Tier,
    pub(super) reach: Reach,
    /// Whether the program takes `host:path` for a path on another machine.
    pub(super) remote: bool,
    pub(super) scene: &'a Scene,
}

impl Part<'_> {
    /// What a rule does with what it names.
    pub(super) fn access(&self) -> Access {
        if self.base == Tier::T0 { Access::Read } else { Access::Write }
    }
}

impl<'r> Examiner<'r> {
    pub(super) fn new(rules: &'r Rules) -> Self {
        Self {
            rules,
            findings: Findings::new(),
            text_left: MAX_TEXT,
            words_left: super::shell::MAX_WORDS,
            globs_left: MAX_GLOBS,
        }
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

    /// Takes one path with globs from what is left; says whether there was one.
    pub(super) const fn spend_glob(&mut self) -> bool {
        let enough = self.globs_left > 0;
        self.globs_left = self.globs_left.saturating_sub(1);
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

    pub(super) fn fire_rule(&mut self, table: &str, says: &Says, words: Vec<&str>, depth: u16) {
        let ruling = Ruling::Tier(says.tier);
        self.findings.add(&Finding {
            rule: &says.id(table),
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
        if !scene.searched {
            self.deny(words.iter().find_map(|word| deny::named(&word.text)), texts(words), depth);
        }
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
        for (name, node) in entry.into_iter().flat_map(|(name, entry)| entry.defining().map(move |node| (name, node))) {
            known = true;
            self.define((name, node), words, scene);
        }
        if !known {
            self.unknown(words, scene);
        }
        if let Some((name, entry)) = entry {
            for node in &entry.raising {
                self.raise((name, node), entry.shipped.as_deref(), words, scene);
            }
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
        if !scene.doubted {
            self.deny(deny::anywhere(rest, scene.cwd.as_ref()), texts(words), scene.depth);
            self.raise_to(opaque::strictest(self.rules, rest, |node| node.says.tier), words, scene.depth);
        }
        let part = Part { base: Tier::T2, reach: Reach::Itself, remote: false, scene };
        for word in rest.iter().filter(|word| word.text.contains('/')) {
            self.read(word, &part);
        }
    }

    /// Raises the request to what programs named among words that were not understood would be.
    pub(super) fn raise_to(&mut self, tier: Option<Tier>, words: &[Word<'_>], depth: u16) {
        if let Some(tier) = tier.filter(|tier| *tier > Tier::T2) {
            let says = "Words that were not understood name a program that is this strict.";
            self.fire("named-program", Ruling::Tier(tier), says, texts(words), depth);
        }
    }
}

/// The words as a finding shows them.
pub(super) fn texts<'w>(words: &'w [Word<'_>]) -> Vec<&'w str> {
    words.iter().take(super::findings::MAX_WORDS).map(|word| &*word.text).collect()
}

pub(super) fn words_at<'w>(words: &'w [Word<'_>], range: Range<usize>) -> Vec<&'w str> {
    texts(words.get(range).unwrap_or_default())
}
