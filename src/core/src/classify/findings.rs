//! Findings: what the rules said of one request, gathered until the end.
//!
//! Enters: rules that fire, in the order of the words. Leaves: one [`Classification`]. The strictest wins whatever
//! the order; nothing that was found is ever taken back. Bounded, so that a long command cannot make a long answer.

use super::sandbox::Sandboxes;
use super::{Classification, Evidence, Need, RuleId};
use crate::condition::{Condition, HostKind};
use crate::profile::ProfileName;
use crate::target::{Access, Target, TargetKind};
use crate::tier::{Ruling, Tier};

/// The most findings kept; a stricter one is always kept.
const MAX_EVIDENCE: usize = 64;
/// The most targets kept; beyond them nobody can say what exactly is written, so it is not T1.
const MAX_TARGETS: usize = 128;
/// The most conditions of one request, each rule that asks anything counted as one more.
pub(super) const MAX_CONDITIONS: usize = 64;
/// The most words kept with one finding.
pub(super) const MAX_WORDS: usize = 8;
/// The most bytes kept of one word.
const MAX_WORD: usize = 256;

/// A rule that fires.
#[derive(Debug)]
pub(super) struct Finding<'a> {
    pub(super) rule: &'a str,
    pub(super) ruling: Ruling,
    pub(super) profile: &'a ProfileName,
    pub(super) says: &'a str,
    pub(super) words: Vec<&'a str>,
    pub(super) depth: u16,
    pub(super) offset: Option<usize>,
}

/// Everything found so far.
#[derive(Debug)]
pub(super) struct Findings {
    ruling: Ruling,
    strictest: Option<RuleId>,
    evidence: Vec<Evidence>,
    targets: Vec<Target>,
    needs: Vec<Need>,
    omitted: u32,
    written: usize,
    sandboxes: Sandboxes,
}

impl Findings {
    pub(super) fn new() -> Self {
        Self {
            ruling: Ruling::Tier(Tier::T0),
            strictest: None,
            evidence: Vec::new(),
            targets: Vec::new(),
            needs: Vec::new(),
            omitted: 0,
            written: 0,
            sandboxes: Sandboxes::default(),
        }
    }

    /// Adds what a rule said.
    pub(super) fn add(&mut self, finding: &Finding<'_>) {
        let stricter = finding.ruling > self.ruling || self.strictest.is_none();
        if stricter {
            self.strictest = Some(RuleId(finding.rule.to_owned()));
            self.ruling = self.ruling.max(finding.ruling);
        }
        self.sandboxes.add(finding.rule, finding.ruling, finding.profile);
        if self.evidence.len() >= MAX_EVIDENCE && !stricter {
            self.omitted = self.omitted.saturating_add(1);
            return;
        }
        self.evidence.push(Evidence {
            rule: RuleId(finding.rule.to_owned()),
            ruling: finding.ruling,
            words: finding.words.iter().take(MAX_WORDS).map(|word| shortened(word)).collect(),
            says: finding.says.to_owned(),
            depth: finding.depth,
            offset: finding.offset.and_then(|offset| u32::try_from(offset).ok()),
        });
    }

    /// Adds a target; beyond [`MAX_TARGETS`] it is dropped and the answer is `false`.
    pub(super) fn target(&mut self, kind: TargetKind, name: &str, access: Access) -> bool {
        if self.targets.iter().any(|target| target.kind == kind && target.access == access && target.name == name) {
            return true;
        }
        let room = self.targets.len() < MAX_TARGETS;
        if room {
            self.targets.push(Target { kind, name: shortened_to(name, 4_096), access });
        }
        room
    }

    /// Counts a path that is written.
    pub(super) const fn count_write(&mut self) {
        self.written = self.written.saturating_add(1);
    }

    /// How many words were weighed as paths that are written.
    pub(super) const fn written(&self) -> usize {
        self.written
    }

    /// Adds what a rule asks of the host and of the moment. Beyond [`MAX_CONDITIONS`] something is dropped, and the answer is
    /// `false`.
    pub(super) fn need(
        &mut self,
        rule: &str,
        hosts: &[HostKind],
        conditions: impl IntoIterator<Item = Condition>,
    ) -> bool {
        let known = self.needs.iter().position(|need| need.rule.as_str() == rule);
        let mut need = match known {
            Some(place) => self.needs.remove(place),
            None => Need { rule: RuleId(rule.to_owned()), hosts: hosts.to_vec(), conditions: vec![] },
        };
        let elsewhere: usize = self.needs.iter().map(|need| need.conditions.len().saturating_add(1)).sum();
        let before = elsewhere.saturating_add(1);
        let mut room = before <= MAX_CONDITIONS;
        for condition in conditions {
            if !room || need.conditions.contains(&condition) {
                continue;
            }
            room = before.saturating_add(need.conditions.len()) < MAX_CONDITIONS;
            if room {
                need.conditions.push(condition);
            }
        }
        let place = known.unwrap_or(self.needs.len());
        self.needs.insert(place, need);
        room
    }

    /// The answer. Its rules are without repetition, the strictest first.
    pub(super) fn finish(self) -> Classification {
        let mut rules: Vec<RuleId> = self.strictest.into_iter().collect();
        for evidence in &self.evidence {
            if !rules.contains(&evidence.rule) {
                rules.push(evidence.rule.clone());
            }
        }
        let profile = self.sandboxes.choose(self.ruling, &self.targets);
        Classification {
            ruling: self.ruling,
            profile,
            targets: self.targets,
            rules,
            evidence: self.evidence,
            needs: self.needs,
            omitted: self.omitted,
        }
    }
}

fn shortened(word: &str) -> String {
    shortened_to(word, MAX_WORD)
}

/// At most so many bytes, cut between characters.
fn shortened_to(word: &str, most: usize) -> String {
    let mut end = word.len().min(most);
    while !word.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    word.get(..end).unwrap_or_default().to_owned()
}
