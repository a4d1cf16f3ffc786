//! The walk: from entry to entry, each proven by the one before it, with the tree over all of them.

use std::collections::HashSet;
use std::fmt::Display;

use countersign_core::checkpoint::Checkpoint;
use countersign_core::digest::Digest;
use countersign_core::note::{Note, VerifierKey};
use countersign_core::record::{Glance, Phase};
use countersign_core::request::RequestId;
use countersign_core::tree::{self, Frontier, Node, TreeHead};

use super::cover::Cover;
use super::report::{Report, Rule, tampered};
use super::source::{Batch, Item, Opening, Source, Stored};
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
    Entry { number: u64, hash: Digest, glance: Glance, opening: Opening },
    /// A checkpoint.
    Note(String),
    /// It breaks a rule by itself.
    Broken(Breach, Option<u64>),
}

/// Judges each item by itself. This is where the time goes, so it is done beside the walk.
pub(super) fn judge(batch: Batch) -> Vec<Judged> {
    let Batch { items, bytes } = batch;
    let each = |item| match item {
        Item::Entry { number, hash, body, opening } => {
            entry(number, hash, bytes.get(body).unwrap_or_default(), opening)
        }
        Item::Note(text) => Judged::Note(text),
        Item::Odd(rule, expected, found) => Judged::Broken(Breach(rule, expected, found), None),
    };
    items.into_iter().map(each).collect()
}

fn entry(number: u64, hash: Digest, body: &[u8], opening: Opening) -> Judged {
    let computed = tree::leaf(body);
    if computed != hash {
        return Judged::Broken(breach(Rule::Hash, computed, hash), Some(number));
    }
    match Glance::read(body) {
        Ok(glance) => Judged::Entry { number, hash, glance, opening },
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
    cover: Cover,
    /// The checkpoints over as many entries as were read.
    notes: Vec<String>,
    /// The size of the largest checkpoint that was met before as many entries were.
    beyond: Option<u64>,
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
            cover: Cover::default(),
            notes: Vec::new(),
            beyond: None,
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
        self.continued(base)?;
        (self.begun, self.kept) = (true, 0);
        self.compare()
    }

    /// The checkpoint that a segment says it continues: the last one of the segment before it.
    fn continued(&mut self, base: &Base) -> Result<(), Halt> {
        let flaw = match (base.head.seq, base.note.as_str()) {
            (0, "") => return Ok(()),
            (0, _) => "one, though nothing is before it".to_owned(),
            (_, "") => "none".to_owned(),
            (_, note) if self.begun && self.notes.last().is_some_and(|last| last == note) => return Ok(()),
            (_, _) if self.begun => "another than the last one of the segment before it".to_owned(),
            (_, note) => match self.read(note) {
                Ok(checkpoint) if checkpoint.head == self.tree.head() => {
                    self.notes.push(note.to_owned());
                    self.believe(&checkpoint);
                    return Ok(());
                }
                Ok(checkpoint) => format!("one over {}", checkpoint.head),
                Err(error) => error,
            },
        };
        let expected = format!("in base.note the checkpoint over {}, which the segment continues", self.tree.head());
        Err(self.broken(breach(Rule::Checkpoint, expected, flaw)))
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
            Judged::Entry { number, hash, glance, opening } => {
                self.links(number, glance)?;
                self.opens(glance.commits, opening)?;
                self.pair(glance.phase, glance.id)?;
                self.grow(hash, source)?;
                self.at = Head { seq: glance.seq, hash };
                self.notes.clear();
                self.cover.entry(glance.time);
                self.compare()
            }
        }
    }

    /// The entry is the next one, and nothing between it and the one before says otherwise.
    fn links(&self, number: u64, Glance { seq, prev, .. }: Glance) -> Result<(), Halt> {
        for number in [number, seq] {
            if number != self.next() {
                return Err(self.broken(breach(Rule::Sequence, self.next(), number)));
            }
        }
        if prev != self.at.hash {
            return Err(self.broken(breach(Rule::Chain, self.at.hash, prev)));
        }
        self.beyond.map_or(Ok(()), |size| Err(self.misplaced(size)))
    }

    fn opens(&self, commits: bool, opening: Opening) -> Result<(), Halt> {
        let (expected, found) = match (commits, opening) {
            (_, Opening::Elsewhere) | (true, Opening::Salt) | (false, Opening::None) => return Ok(()),
            (true, Opening::None) => ("a salt that opens its commitment", "none"),
            (true, Opening::Odd) => ("a salt of 16 bytes", "something else"),
            (false, Opening::Salt | Opening::Odd) => ("no salt, because it commits to nothing", "one"),
        };
        Err(self.broken(breach(Rule::Opening, expected, found)))
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
        let checkpoint = match self.read(text) {
            Ok(checkpoint) => checkpoint,
            Err(error) => return Err(self.differs("a checkpoint of this log", error, "the checkpoint, or ")),
        };
        if self.notes.iter().any(|note| note == text) {
            return Err(self.broken(breach(Rule::Checkpoint, "each checkpoint once", "one that is there twice")));
        }
        let size = checkpoint.head.size;
        if size > self.at.seq {
            // What is missing is at the end, or else the checkpoint is in a wrong place: the next entry tells.
            self.beyond = self.beyond.max(Some(size));
        } else if size < self.at.seq || self.beyond.is_some() {
            return Err(self.misplaced(self.beyond.unwrap_or(size)));
        } else if checkpoint.head != self.tree.head() {
            return Err(self.differs(checkpoint.head, self.tree.head(), ""));
        } else {
            self.believe(&checkpoint);
        }
        self.notes.push(text.to_owned());
        Ok(())
    }

    /// What a note says, if a known key has signed it or none is known.
    fn read(&self, text: &str) -> Result<Checkpoint, String> {
        let note = Note::parse(text.as_bytes()).map_err(|error| error.to_string())?;
        match self.keys.as_slice() {
            [] => Checkpoint::parse(note.text()).map_err(|error| error.to_string()),
            known => signed(&note, known).map_err(|error| error.to_string()),
        }
    }

    /// Takes up what a checkpoint says that fits; without a key it proves nothing.
    fn believe(&mut self, checkpoint: &Checkpoint) {
        if self.keys.is_empty() {
            return;
        }
        self.cover.vouch(checkpoint.head.size);
        if let Some(next) = checkpoint.next_key() {
            // Whoever has the old key can sign nothing any more that counts.
            self.keys.retain(|key| key.name() != next.name());
            self.keys.push(next);
        }
    }

    fn misplaced(&self, size: u64) -> Halt {
        let expected = format!("here a checkpoint over {} entries", self.at.seq);
        self.broken(breach(Rule::Checkpoint, expected, format!("one over {size}")))
    }

    /// Compares with the trusted heads of this size, once as many entries are there.
    fn compare(&mut self) -> Result<(), Halt> {
        while let Some((head, later)) = self.heads.split_first().filter(|(head, _)| head.size == self.at.seq) {
            if *head != self.tree.head() {
                return Err(self.differs(format!("{head}, as signed"), self.tree.head(), ""));
            }
            self.cover.vouch(head.size);
            self.heads = later;
        }
        Ok(())
    }

    /// The entries are not those that were signed. Which of them is only known as far as checkpoints before vouch.
    fn differs(&self, expected: impl Display, found: impl Display, or: &str) -> Halt {
        let first = self.cover.signed().max(self.first).saturating_add(1).min(self.next());
        let changed = if first > self.at.seq {
            "the checkpoint, or what the file continues, was changed".to_owned()
        } else {
            format!("{or}an entry from {first} to {} was changed", self.at.seq)
        };
        Halt::Found(tampered(first, Rule::Checkpoint, expected, format!("{found}: {changed}")))
    }

    /// Fewer entries are here than a checkpoint speaks of.
    fn cut(&self, size: u64) -> Report {
        let Head { seq, .. } = self.at;
        let found = format!("{seq} entries: the log was cut after entry {seq}");
        tampered(self.next(), Rule::Checkpoint, format!("{size} entries, as a checkpoint says"), found)
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
        if let Some(size) = self.beyond {
            return Err(Halt::Found(self.cut(size)));
        }
        source.end(self)?;
        self.torn = source.is_torn();
        Ok(())
    }

    /// What is to be said after the last source.
    pub(super) fn end(self) -> Result<Report, StoreError> {
        let (entries, head, root, signed) = (self.at.seq, self.at.hash, self.tree.head().root, self.cover.signed());
        if let Some(TreeHead { size, .. }) = self.heads.last() {
            return Ok(self.cut(*size));
        }
        if !self.keys.is_empty() && (signed == 0 || self.cover.is_due()) {
            return Ok(Report::Unsigned { entries, head, signed });
        }
        Ok(if self.torn {
            Report::Torn { entries, head }
        } else {
            Report::Verified { entries, head, root, signed, open: self.open.len() }
        })
    }
}
