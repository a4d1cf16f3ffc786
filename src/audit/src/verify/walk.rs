//! The walk: from entry to entry, each proven by the one before it, with the tree over all of them.

use std::collections::HashSet;
use std::fmt::Display;

use countersign_core::checkpoint::Checkpoint;
use countersign_core::digest::Digest;
use countersign_core::note::{Note, VerifierKey};
use countersign_core::record::{Glance, Phase};
use countersign_core::request::RequestId;
use countersign_core::tree::{self, Frontier, Node, TreeHead};

use super::report::{Report, Rule, tampered};
use super::source::{Batch, Item, Source, Stored};
use super::trust::{Trust, signed};
use crate::base::Base;
use crate::error::StoreError;
use crate::store::Head;
use crate::stored::is_kept;

/// Why the walk ended early.
#[derive(Debug)]
pub(super) enum Halt {
    /// A rule is broken.
    Found(Report),
    /// Something could not be read.
    Failed(StoreError),
}

/// A rule, what it asks for, and what is there.
#[derive(Debug)]
pub(super) struct Breach(Rule, String, String);

/// What an item is by itself.
#[derive(Debug)]
pub(super) enum Judged {
    /// A record under the hash that it has.
    Entry { number: u64, hash: Digest, seq: u64, prev: Digest, phase: Phase, id: Option<RequestId> },
    /// A checkpoint.
    Note(String),
    /// It breaks a rule by itself.
    Broken(Breach, Option<u64>),
}

/// Judges each item by itself. This is where the time goes, so it is done beside the walk.
pub(super) fn judge(batch: Batch) -> Vec<Judged> {
    let Batch { items, bytes } = batch;
    let each = |item| match item {
        Item::Entry { number, hash, body } => entry(number, hash, bytes.get(body).unwrap_or_default()),
        Item::Note(text) => Judged::Note(text),
        Item::Odd(expected, found) => Judged::Broken(breach(Rule::Type, expected, found), None),
    };
    items.into_iter().map(each).collect()
}

fn entry(number: u64, hash: Digest, body: &[u8]) -> Judged {
    let computed = tree::leaf(body);
    if computed != hash {
        return Judged::Broken(breach(Rule::Hash, computed, hash), Some(number));
    }
    match Glance::read(body) {
        Ok(Glance { seq, prev, phase, id }) => Judged::Entry { number, hash, seq, prev, phase, id },
        Err(error) => Judged::Broken(breach(Rule::Form, "a record in canonical form", error), Some(number)),
    }
}

fn breach(rule: Rule, expected: impl Display, found: impl Display) -> Breach {
    Breach(rule, expected.to_string(), found.to_string())
}

/// How far the log is proven.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    /// The trusted heads that were not reached yet, by size.
    heads: &'a [TreeHead],
    /// The trusted keys, and those to which they handed over.
    keys: Vec<VerifierKey>,
    begun: bool,
    /// Whether it began at the very first entry.
    whole: bool,
    first: u64,
    at: Head,
    tree: Frontier,
    open: HashSet<RequestId>,
    /// How many subtrees the present source should store.
    kept: u64,
    /// The size of the newest checkpoint that a known key signed.
    signed: u64,
    torn: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(trust: &'a Trust) -> Self {
        let Base { head: at, tree, .. } = Base::nothing();
        let (keys, open) = (trust.keys.clone(), HashSet::new());
        Self {
            heads: &trust.heads,
            keys,
            begun: false,
            whole: true,
            first: 0,
            at,
            tree,
            open,
            kept: 0,
            signed: 0,
            torn: false,
        }
    }

    pub(super) const fn next(&self) -> u64 {
        self.at.seq.saturating_add(1)
    }

    /// How many subtrees the present source should store.
    pub(super) const fn kept(&self) -> u64 {
        self.kept
    }

    fn broken(&self, Breach(rule, expected, found): Breach) -> Halt {
        Halt::Found(tampered(self.next(), rule, expected, found))
    }

    /// Takes up a source where the one before it ended.
    pub(super) fn begin(&mut self, source: &Source) -> Result<(), Halt> {
        let Some(base) = source.base() else {
            return Err(self.broken(breach(Rule::Readable, "what it continues", source.flaw())));
        };
        if self.begun {
            self.follows(base)?;
        } else {
            (self.at, self.tree, self.first) = (base.head, base.tree.clone(), base.head.seq);
            self.whole = base.head.seq == 0;
            let earlier = self.heads.partition_point(|head| head.size < base.head.seq);
            if earlier > 0 && earlier == self.heads.len() {
                return Err(Halt::Failed(StoreError::Earlier));
            }
            self.heads = self.heads.get(earlier..).unwrap_or_default();
        }
        (self.begun, self.kept) = (true, 0);
        if !base.note.is_empty() {
            self.note(&base.note)?;
        }
        self.compare()
    }

    fn follows(&self, base: &Base) -> Result<(), Halt> {
        let Base { head, tree, .. } = base;
        if head.seq != self.at.seq {
            let (expected, found) = (self.next(), head.seq.saturating_add(1));
            return Err(self.broken(breach(Rule::Sequence, expected, format!("a segment that begins with {found}"))));
        }
        if head.hash != self.at.hash {
            return Err(self.broken(breach(Rule::Chain, self.at.hash, head.hash)));
        }
        if *tree != self.tree {
            return Err(self.broken(breach(Rule::Tree, self.tree.head(), tree.head())));
        }
        Ok(())
    }

    /// Proves the next item, or says which rule it breaks.
    pub(super) fn step(&mut self, judged: Judged, source: &Source) -> Result<(), Halt> {
        match judged {
            Judged::Note(note) => self.note(&note),
            // An entry in a wrong place is said to be that, whatever else it is.
            Judged::Broken(_, Some(number)) if number != self.next() => {
                Err(self.broken(breach(Rule::Sequence, self.next(), number)))
            }
            Judged::Broken(breach, _) => Err(self.broken(breach)),
            Judged::Entry { number, hash, seq, prev, phase, id } => {
                for number in [number, seq] {
                    if number != self.next() {
                        return Err(self.broken(breach(Rule::Sequence, self.next(), number)));
                    }
                }
                if prev != self.at.hash {
                    return Err(self.broken(breach(Rule::Chain, self.at.hash, prev)));
                }
                self.pair(phase, id)?;
                self.grow(hash, source)?;
                self.at = Head { seq, hash };
                self.compare()
            }
        }
    }

    fn pair(&mut self, phase: Phase, id: Option<RequestId>) -> Result<(), Halt> {
        let (fits, expected, found) = match (phase, id) {
            (Phase::Intent, Some(id)) => (self.open.insert(id), "an intent not yet open", "one that is open already"),
            // Its intent may be in a segment that is not here.
            (Phase::Result, Some(id)) => (self.open.remove(&id) || !self.whole, "an open intent before it", "none"),
            (Phase::Intent | Phase::Result, None) => (false, "the id of a request", "none"),
            (
                Phase::Start
                | Phase::End
                | Phase::Load
                | Phase::Plan
                | Phase::Final
                | Phase::Stop
                | Phase::Clear
                | Phase::Hold
                | Phase::Resume
                | Phase::MarkTainted
                | Phase::ClearTaint
                | Phase::Rotate,
                _,
            ) => return Ok(()),
        };
        if fits { Ok(()) } else { Err(self.broken(breach(Rule::Pair, expected, found))) }
    }

    /// Adds the entry to the tree, and compares what the source stores of it.
    fn grow(&mut self, leaf: Digest, source: &Source) -> Result<(), Halt> {
        let mut kept: Option<Node> = None;
        let mut wrong = None;
        let grown = self.tree.append(leaf, |node| {
            if is_kept(&node) {
                kept = Some(node);
                let stored = source.stored(&node);
                wrong = wrong.or(Some(stored).filter(|s| *s != Stored::Elsewhere && *s != Stored::Hash(node.hash)));
                self.kept = self.kept.saturating_add(1);
            }
        });
        grown.map_err(|_| Halt::Failed(StoreError::Corrupt { what: "it has too many entries", seq: None }))?;
        match wrong {
            None => Ok(()),
            Some(Stored::Hash(found)) => {
                let expected = kept.map_or(Digest::ZERO, |node| node.hash);
                Err(self.broken(breach(Rule::Tree, expected, found)))
            }
            Some(Stored::Missing | Stored::Elsewhere) => {
                Err(self.broken(breach(Rule::Tree, "a stored subtree", "none")))
            }
        }
    }

    /// A checkpoint that stands in the log at this place.
    fn note(&mut self, text: &str) -> Result<(), Halt> {
        let read = Note::parse(text.as_bytes()).map_err(|error| error.to_string());
        let known = self.keys.as_slice();
        let checkpoint = read.and_then(|note| match known {
            [] => Checkpoint::parse(note.text()).map_err(|error| error.to_string()),
            known => signed(&note, known).map_err(|error| error.to_string()),
        });
        match checkpoint {
            Err(error) => Err(self.differs("a checkpoint of this log", error, "the checkpoint, or ")),
            Ok(checkpoint) if checkpoint.head != self.tree.head() => {
                Err(self.differs(checkpoint.head, self.tree.head(), ""))
            }
            Ok(checkpoint) => {
                if !self.keys.is_empty() {
                    self.signed = checkpoint.head.size;
                    if let Some(next) = checkpoint.next_key() {
                        // Whoever has the old key can sign nothing any more that counts.
                        self.keys.retain(|key| key.name() != next.name());
                        self.keys.push(next);
                    }
                }
                Ok(())
            }
        }
    }

    /// Compares with the trusted heads of this size, once as many entries are there.
    fn compare(&mut self) -> Result<(), Halt> {
        while let Some((head, later)) = self.heads.split_first().filter(|(head, _)| head.size == self.at.seq) {
            if *head != self.tree.head() {
                return Err(self.differs(format!("{head}, as signed"), self.tree.head(), ""));
            }
            self.signed = self.signed.max(head.size);
            self.heads = later;
        }
        Ok(())
    }

    /// The entries are not those that were signed. Which of them is only known as far as checkpoints before vouch.
    fn differs(&self, expected: impl Display, found: impl Display, or: &str) -> Halt {
        let first = self.signed.max(self.first).saturating_add(1).min(self.next());
        let found = format!("{found}: {or}an entry from {first} to {} was changed", self.at.seq);
        Halt::Found(tampered(first, Rule::Checkpoint, expected, found))
    }

    /// The last entry must be the one that the store wrote last.
    pub(super) fn ends_at(&self, stored: Head) -> Result<(), Halt> {
        let describe = |head: Head| format!("entry {} with hash {} as the last", head.seq, head.hash);
        if stored == self.at {
            return Ok(());
        }
        let first =
            if stored.seq == self.at.seq { stored.seq.max(1) } else { stored.seq.min(self.at.seq).saturating_add(1) };
        Err(Halt::Found(tampered(first, Rule::Head, describe(stored), describe(self.at))))
    }

    /// Leaves a source after its last item.
    pub(super) fn leave(&mut self, source: &Source) -> Result<(), Halt> {
        source.end(self)?;
        self.torn = source.is_torn();
        Ok(())
    }

    /// What is to be said after the last source.
    pub(super) fn end(self) -> Result<Report, StoreError> {
        let (entries, head, root) = (self.at.seq, self.at.hash, self.tree.head().root);
        if let Some(TreeHead { size, .. }) = self.heads.last() {
            let expected = format!("{size} entries, as signed");
            return Ok(tampered(self.next(), Rule::Checkpoint, expected, format!("{entries} entries")));
        }
        Ok(if self.torn {
            Report::Torn { entries, head }
        } else {
            Report::Verified { entries, head, root, signed: self.signed, open: self.open.len() }
        })
    }
}
