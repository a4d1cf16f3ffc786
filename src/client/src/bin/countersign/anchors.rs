//! `audit verify`, the part with the anchors: what others kept of this log, checked against it.
//!
//! ```text
//!   anchor.toml ─▶ for each anchor: SIZE.note, SIZE.tsr ─genuine?─▶ heads that the log must have had
//! ```
//!
//! Enters: the administrator's `anchor.toml` and the answers that countersign-anchor kept, or a copy of them. Leaves: heads
//! of the tree that somebody outside of this machine vouches for, and one line for each anchor, also for one that never
//! answered. A time-stamp is verified by `openssl`; the configured certificates and keys are all that is believed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use countersign_core::anchors::{Anchors, Authority, NOTE, TIMESTAMP, Witness, file_name, size_of};
use countersign_core::checkpoint::Checkpoint;
use countersign_core::note::Note;
use countersign_core::time::Moment;
use countersign_core::tree::TreeHead;
use serde::Serialize;

use crate::complaint::Complaint;

/// Who is asked on this machine.
pub(crate) const CONFIG: &str = "/etc/countersign/anchor.toml";
/// Where countersign-anchor keeps the answers.
pub(crate) const ANSWERS: &str = "/var/lib/private/countersign-anchor";

/// What one anchor vouches for.
#[derive(Debug, Serialize)]
pub(crate) struct Vouched {
    /// Its name.
    pub(crate) anchor: String,
    /// How many of its answers are genuine.
    pub(crate) answers: usize,
    /// How many entries the newest of them covers; 0 if there is none.
    pub(crate) entries: u64,
    /// When it was given, in the anchor's words.
    pub(crate) time: Option<String>,
    /// The first answer that is not genuine, and why.
    pub(crate) wrong: Option<String>,
}

/// What all of them vouch for.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// One for each anchor in the configuration.
    pub(crate) anchors: Vec<Vouched>,
    /// The heads that the log must have had.
    pub(crate) heads: Vec<TreeHead>,
}

impl Findings {
    /// Whether every answer is genuine. That there is none is no lie of anybody's.
    pub(crate) fn are_genuine(&self) -> bool {
        self.anchors.iter().all(|anchor| anchor.wrong.is_none())
    }
}

impl std::fmt::Display for Vouched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { anchor, answers, entries, time, wrong } = self;
        if let Some(wrong) = wrong {
            return write!(f, "anchor {anchor}: {wrong}");
        }
        match time {
            Some(time) => write!(f, "anchor {anchor}: {answers} kept, the newest over {entries} entries, given {time}"),
            None => write!(f, "anchor {anchor}: nothing is kept"),
        }
    }
}

/// Looks at every answer of every anchor.
pub(crate) fn findings(config: &Path, answers: &Path) -> Result<Findings, Complaint> {
    let anchors = read(config)?;
    let mut findings = Findings::default();
    for authority in &anchors.authorities {
        findings.take(authority.name.as_str(), &answers.join(authority.name.as_str()), |shelf, size| {
            stamped(authority, shelf, size)
        })?;
    }
    for witness in &anchors.witnesses {
        findings.take(witness.name.as_str(), &answers.join(witness.name.as_str()), |shelf, size| {
            cosigned(witness, shelf, size)
        })?;
    }
    Ok(findings)
}

/// What is kept of one anchor's answers. Nobody looked whether they are genuine.
#[derive(Debug, Serialize)]
pub(crate) struct Kept {
    /// Its name.
    pub(crate) anchor: String,
    /// How many answers there are.
    pub(crate) answers: usize,
    /// How many entries the newest of them covers; 0 if there is none.
    pub(crate) entries: u64,
}

/// Counts the answers of every anchor, without looking into them.
pub(crate) fn kept(config: &Path, answers: &Path) -> Result<Vec<Kept>, Complaint> {
    let anchors = read(config)?;
    let authorities = anchors.authorities.iter().map(|authority| (authority.name.as_str(), Some(TIMESTAMP)));
    let witnesses = anchors.witnesses.iter().map(|witness| (witness.name.as_str(), None));
    let count = |(name, ending): (&str, Option<&str>)| {
        let shelf = answers.join(name);
        let mut sizes = sizes(&shelf)?;
        sizes.retain(|size| ending.is_none_or(|ending| shelf.join(file_name(*size, ending)).exists()));
        Ok(Kept { anchor: name.to_owned(), answers: sizes.len(), entries: sizes.last().copied().unwrap_or(0) })
    };
    authorities.chain(witnesses).map(count).collect()
}

fn read(config: &Path) -> Result<Anchors, Complaint> {
    let unusable =
        |error: &dyn std::fmt::Display| Complaint::usage(format!("{} cannot be used: {error}.", config.display()));
    let text = fs::read_to_string(config).map_err(|error| unusable(&error))?;
    Anchors::parse(&text).map_err(|error| unusable(&error))
}

/// An answer: the head that it vouches for, and when it was given; or why it is not genuine.
type Answer = Result<(TreeHead, String), String>;

impl Findings {
    fn take(&mut self, name: &str, shelf: &Path, look: impl Fn(&Path, u64) -> Option<Answer>) -> Result<(), Complaint> {
        let mut vouched = Vouched { anchor: name.to_owned(), answers: 0, entries: 0, time: None, wrong: None };
        for size in sizes(shelf)? {
            match look(shelf, size) {
                None => {}
                Some(Ok((head, time))) => {
                    vouched.answers = vouched.answers.saturating_add(1);
                    (vouched.entries, vouched.time) = (head.size, Some(time));
                    self.heads.push(head);
                }
                Some(Err(why)) => {
                    let why = format!("{} is not genuine: {why}", file_name(size, NOTE));
                    vouched.wrong = vouched.wrong.or(Some(why));
                }
            }
        }
        self.anchors.push(vouched);
        Ok(())
    }
}

/// The sizes with a kept checkpoint, smallest first.
fn sizes(shelf: &Path) -> Result<Vec<u64>, Complaint> {
    let unreadable = |error| Complaint::Log { path: shelf.display().to_string(), reason: format!("{error}") };
    let entries = match fs::read_dir(shelf) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(unreadable)?,
    };
    let mut sizes = Vec::new();
    for entry in entries {
        let name = entry.map_err(unreadable)?.file_name();
        sizes.extend(name.to_str().and_then(|name| size_of(name, NOTE)));
    }
    sizes.sort_unstable();
    Ok(sizes)
}

/// The checkpoint in this file. Its own signature is not asked for: the anchor vouches for every byte.
fn checkpoint(path: &Path, size: u64) -> Result<(Note, TreeHead), String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let note = Note::parse(&bytes).map_err(|error| error.to_string())?;
    let head = Checkpoint::parse(note.text()).map_err(|error| error.to_string())?.head;
    if head.size == size { Ok((note, head)) } else { Err("its name says another size".to_owned()) }
}

fn cosigned(witness: &Witness, shelf: &Path, size: u64) -> Option<Answer> {
    let look = || {
        let (note, head) = checkpoint(&shelf.join(file_name(size, NOTE)), size)?;
        let seconds = witness.key.saw(&note).map_err(|error| error.to_string())?;
        Ok((head, Moment::from_millis(seconds.saturating_mul(1_000)).rfc3339()))
    };
    Some(look())
}

/// A checkpoint without a time-stamp was not answered; that is all that can be said of it.
fn stamped(authority: &Authority, shelf: &Path, size: u64) -> Option<Answer> {
    let (note, stamp) = (shelf.join(file_name(size, NOTE)), shelf.join(file_name(size, TIMESTAMP)));
    stamp.exists().then(|| {
        let (_, head) = checkpoint(&note, size)?;
        let ca = authority.ca.as_path().to_path_buf();
        openssl(&["-verify"], &[("-data", &note), ("-in", &stamp), ("-CAfile", &ca)])?;
        let text = openssl(&["-reply", "-text"], &[("-in", &stamp)])?;
        let time =
            text.lines().find_map(|line| line.strip_prefix("Time stamp: ")).unwrap_or("at a time it does not say");
        Ok((head, time.to_owned()))
    })
}

/// What `openssl ts` prints, or its last complaint.
#[expect(clippy::disallowed_methods, reason = "openssl verifies time-stamps; it gets fixed words and names of files")]
fn openssl(words: &[&str], files: &[(&str, &PathBuf)]) -> Result<String, String> {
    let mut command = Command::new("/usr/bin/openssl");
    command.arg("ts").args(words).env_clear();
    for (option, path) in files {
        command.arg(option).arg(path);
    }
    let Output { status, stdout, stderr } =
        command.output().map_err(|error| format!("openssl could not be run ({error})"))?;
    let last = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("openssl says nothing").to_owned()
    };
    if status.success() { Ok(String::from_utf8_lossy(&stdout).into_owned()) } else { Err(last(&stderr)) }
}
