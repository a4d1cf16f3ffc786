//! An export as a source, and how it is written: JSON Lines that hold the very bytes of the log.
//!
//! ```text
//!   {"base":{"hash":…,"note":…,"peaks":[…],"seq":0},"format":"countersign-log","v":1}     what it continues
//!   {"body":{…},"hash":"…"}                                                               an entry, body as in the log
//!   {"note":"…"}                                                                          a checkpoint over those before it
//! ```
//!
//! Enters: lines of any bytes. Leaves: items. A last line without its line break is a torn one.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::sync::Arc;

use countersign_core::digest::{Digest, canonical};
use countersign_core::tree::Frontier;
use serde::{Deserialize, Serialize};

use super::report::Rule;
use super::source::{self, Batch, Item, Opening};
use super::walk::Halt;
use crate::base::Base;
use crate::error::StoreError;
use crate::store::Head;

/// The most bytes of a line; no record comes near.
const MAX_LINE: u64 = 4 << 20;
const FORMAT: &str = "countersign-log";
const VERSION: u32 = 1;
const BODY: &[u8] = b"{\"body\":";
const HASH: &[u8] = b",\"hash\":\"";
const END: &[u8] = b"\"}";

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    base: Continued,
    format: String,
    v: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Continued {
    hash: Digest,
    note: String,
    peaks: Vec<Digest>,
    seq: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    note: String,
}

/// An export.
#[derive(Debug)]
pub(super) struct Lines {
    input: BufReader<File>,
    base: Option<Base>,
    count: u64,
    torn: bool,
}

impl Lines {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let file = File::open(path).map_err(|error| StoreError::Copy(Arc::new(error)))?;
        let mut lines = Self { input: BufReader::with_capacity(1 << 18, file), base: None, count: 0, torn: false };
        let mut first = Vec::new();
        lines.line(&mut first)?;
        lines.base = serde_json::from_slice::<Header>(&first).ok().and_then(Base::try_from_header);
        lines.count = lines.base.as_ref().map_or(0, |base| base.head.seq);
        Ok(lines)
    }

    pub(super) const fn base(&self) -> Option<&Base> {
        self.base.as_ref()
    }

    /// Why that cannot be read.
    pub(super) const fn flaw(&self) -> &'static str {
        "another first line than that of an export of this version"
    }

    pub(super) const fn is_torn(&self) -> bool {
        self.torn
    }

    /// Reads a line without its break; says whether there was a whole one.
    fn line(&mut self, line: &mut Vec<u8>) -> Result<bool, StoreError> {
        line.clear();
        let read = (&mut self.input).take(MAX_LINE).read_until(b'\n', line);
        read.map_err(|error| StoreError::Copy(Arc::new(error)))?;
        let whole = line.pop_if(|last| *last == b'\n').is_some();
        self.torn |= !whole && !line.is_empty();
        Ok(whole)
    }

    pub(super) fn next(&mut self) -> Result<Batch, Halt> {
        let (mut batch, mut line) = (Batch::default(), Vec::new());
        while !batch.is_full() && self.line(&mut line).map_err(Halt::Failed)? {
            if let Some((body, hash)) = entry(&line) {
                self.count = self.count.saturating_add(1);
                batch.push(self.count, hash, body, Opening::Elsewhere);
            } else {
                let odd = || Item::odd(Rule::Type, "an entry with its hash, or a checkpoint", "another line");
                batch
                    .items
                    .push(serde_json::from_slice(&line).map_or_else(|_| odd(), |Signed { note }| Item::Note(note)));
            }
        }
        Ok(batch)
    }
}

/// Body and hash of an entry's line.
fn entry(line: &[u8]) -> Option<(&[u8], Digest)> {
    let (front, hash) = line.strip_prefix(BODY)?.strip_suffix(END)?.split_last_chunk::<64>()?;
    Some((front.strip_suffix(HASH)?, std::str::from_utf8(hash).ok()?.parse().ok()?))
}

impl Base {
    fn try_from_header(Header { base, format, v }: Header) -> Option<Self> {
        let Continued { hash, note, peaks, seq } = base;
        let tree = Frontier::new(seq, peaks).ok().filter(|_| format == FORMAT && v == VERSION)?;
        Some(Self { head: Head { seq, hash }, tree, note })
    }

    fn header(&self) -> Header {
        let Head { seq, hash } = self.head;
        let base = Continued { hash, note: self.note.clone(), peaks: self.tree.peaks().to_vec(), seq };
        Header { base, format: FORMAT.to_owned(), v: VERSION }
    }
}

/// Why an export was not written to its end.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The log cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log is damaged.
    #[error("the log is damaged: {0}")]
    Damaged(super::Report),
    /// A value has no canonical form.
    #[error(transparent)]
    Form(#[from] countersign_core::digest::NotCanonical),
    /// Its output could not be written.
    #[error("the export could not be written")]
    Output(#[from] io::Error),
}

/// Writes the log at these paths as JSON Lines, which [`super::verify()`] reads too. Nothing is checked and nothing private
/// is in it: no salt of a commitment.
///
/// # Errors
/// [`ExportError`]; what was written before is no whole export.
pub fn export(paths: &[&Path], output: &mut impl Write) -> Result<(), ExportError> {
    let mut headed = false;
    for mut source in source::open(paths)? {
        if let Some(base) = source.base().filter(|_| !headed) {
            output.write_all(&canonical(&base.header())?)?;
            output.write_all(b"\n")?;
            headed = true;
        }
        loop {
            let batch = source.next().map_err(ExportError::from)?;
            if batch.items.is_empty() {
                break;
            }
            write(&batch, output)?;
        }
    }
    Ok(output.flush()?)
}

impl From<Halt> for ExportError {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Found(report) => Self::Damaged(report),
            Halt::Failed(error) => Self::Store(error),
        }
    }
}

fn write(batch: &Batch, output: &mut impl Write) -> Result<(), ExportError> {
    for item in &batch.items {
        match item {
            Item::Entry { hash, body, .. } => {
                let body = batch.bytes.get(body.clone()).unwrap_or_default();
                for part in [BODY, body, HASH, hash.to_string().as_bytes(), END] {
                    output.write_all(part)?;
                }
            }
            Item::Note(note) => output.write_all(&canonical(&Signed { note: note.clone() })?)?,
            Item::Odd(..) => {
                return Err(StoreError::Corrupt { what: "an entry is not of the right form", seq: None }.into());
            }
        }
        output.write_all(b"\n")?;
    }
    Ok(())
}
