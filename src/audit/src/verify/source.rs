//! Sources: where entries come from, in order, with the checkpoints between them.

use std::fmt::Display;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_core::digest::Digest;
use countersign_core::tree::Node;

use super::lines::Lines;
use super::report::Rule;
use super::rows::Rows;
use super::walk::Halt;
use crate::base::Base;
use crate::error::StoreError;
use crate::segment;

/// The most entries of a batch.
const MAX_ITEMS: usize = 512;
/// The most bytes of a batch, but for one entry.
const MAX_BYTES: usize = 1 << 20;

/// What stands at one place of a source.
#[derive(Debug)]
pub(super) enum Item {
    /// An entry with the number and the hash that are kept beside its body.
    Entry { number: u64, hash: Digest, body: std::ops::Range<usize>, opening: Opening },
    /// A checkpoint over all entries before it.
    Note(String),
    /// Neither: the rule, what was expected and what is there.
    Odd(Rule, String, String),
}

impl Item {
    pub(super) fn odd(rule: Rule, expected: impl Display, found: impl Display) -> Self {
        Self::Odd(rule, expected.to_string(), found.to_string())
    }
}

/// What a source has to open an entry's commitment with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    /// It has no openings, as an export.
    Elsewhere,
    /// Nothing.
    None,
    /// A salt.
    Salt,
    /// Something of another form.
    Odd,
}

/// Some items in a row, with the bytes of their bodies.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) items: Vec<Item>,
    pub(super) bytes: Vec<u8>,
}

impl Batch {
    pub(super) fn is_full(&self) -> bool {
        self.items.len() >= MAX_ITEMS || self.bytes.len() >= MAX_BYTES
    }

    pub(super) fn push(&mut self, number: u64, hash: Digest, body: &[u8], opening: Opening) {
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(body);
        self.items.push(Item::Entry { number, hash, body: begin..self.bytes.len(), opening });
    }
}

/// A segment, or an export, at its path.
#[derive(Debug)]
pub(super) struct Source {
    path: PathBuf,
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// A database.
    Rows(Box<Rows>),
    /// An export as JSON Lines.
    Lines(Box<Lines>),
}

impl Source {
    fn open(path: &Path) -> Result<Self, StoreError> {
        let mut first = [0];
        let read = File::open(path).and_then(|mut file| file.read(&mut first));
        let form = match read {
            Ok(1) if first == [b'{'] => Lines::open(path).map(|lines| Form::Lines(Box::new(lines))),
            Ok(_) => Rows::open(path).map(|rows| Form::Rows(Box::new(rows))),
            Err(error) => Err(StoreError::Copy(Arc::new(error))),
        };
        form.map(|form| Self { path: path.to_owned(), form })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where it belongs among others: after so many entries. Where it does not say so itself its name does, and the
    /// segment that grows is the last.
    fn place(&self) -> u64 {
        let named = || segment::first_of(&self.path).map(|first| first.saturating_sub(1));
        self.base().map(|base| base.head.seq).or_else(named).unwrap_or(u64::MAX)
    }

    /// What is there instead of what it continues.
    pub(super) fn flaw(&self) -> String {
        match &self.form {
            Form::Rows(rows) => rows.flaw(),
            Form::Lines(lines) => lines.flaw().to_owned(),
        }
    }

    /// What it continues; nothing if that cannot be read.
    pub(super) const fn base(&self) -> Option<&Base> {
        match &self.form {
            Form::Rows(rows) => rows.base(),
            Form::Lines(lines) => lines.base(),
        }
    }

    /// The next items; an empty batch at the end.
    pub(super) fn next(&mut self) -> Result<Batch, Halt> {
        match &mut self.form {
            Form::Rows(rows) => rows.next(),
            Form::Lines(lines) => lines.next(),
        }
    }

    /// The stored hash of a subtree, if this source stores it.
    pub(super) fn stored(&self, node: &Node) -> Stored {
        match &self.form {
            Form::Rows(rows) => rows.stored(node),
            Form::Lines(_) => Stored::Elsewhere,
        }
    }

    /// What must hold after the last item, beside the last entry.
    pub(super) fn end(&self, walk: &super::walk::Walk<'_>) -> Result<(), Halt> {
        match &self.form {
            Form::Rows(rows) => rows.end(walk),
            Form::Lines(_) => Ok(()),
        }
    }

    /// Whether its last write was not completed.
    pub(super) const fn is_torn(&self) -> bool {
        match &self.form {
            Form::Rows(rows) => rows.is_torn(),
            Form::Lines(lines) => lines.is_torn(),
        }
    }

    /// Whether what was read was one and the same all the time.
    pub(super) fn held_still(&self) -> bool {
        match &self.form {
            Form::Rows(rows) => rows.held_still(),
            Form::Lines(_) => true,
        }
    }
}

/// What is stored of a subtree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    /// This.
    Hash(Digest),
    /// Nothing, though it should be.
    Missing,
    /// Nothing, as is right.
    Elsewhere,
}

/// The sources at these paths, oldest first.
pub(super) fn open(paths: &[&Path]) -> Result<Vec<Source>, StoreError> {
    let failed = |error| StoreError::Copy(Arc::new(error));
    let mut files: Vec<PathBuf> = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(segment::files(path).map_err(failed)?);
        } else {
            files.push((*path).to_owned());
        }
    }
    let mut sources = files.iter().map(|file| Source::open(file)).collect::<Result<Vec<_>, _>>()?;
    sources.sort_by_key(Source::place);
    Ok(sources)
}
