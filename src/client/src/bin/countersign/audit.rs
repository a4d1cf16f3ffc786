//! `audit`: the log, read and verified without the broker.
//!
//! Enters: a log or a copy of one. Leaves: its entries, or whether they are as they were written. Needs nothing but
//! the right to read the file.

use std::io::{BufWriter, stdout};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use countersign_audit::{Direction, ExportError, Log, Report, StoreError, Trust, verify as examine};
use countersign_core::argv::Argv;
use countersign_core::record::{Entry, Record};
use countersign_core::text::{sentence, shown, shown_argv};
use serde::Serialize;
use serde_json::Value;

use crate::anchors::{self, Findings, Vouched};
use crate::cli::{EntryArgs, ExportArgs, LOG, ListEntriesArgs, VerifyArgs};
use crate::complaint::Complaint;
use crate::{exit, print};

/// The most bytes of a command in the list; `show` has the whole.
const MAX_COMMAND: usize = 100;
/// How many digits of an id are shown in the list.
const SHORT: usize = 8;
/// The most bytes of a name in the list.
const MAX_WHO: usize = 64;
/// The most bytes of one line of an entry, which is the whole of one field.
const MAX_LINE: usize = 128 * 1_024;

pub(crate) fn list(args: &ListEntriesArgs, json: bool) -> Result<u8, Complaint> {
    let path = &args.log.db;
    let print = |entry: &Entry| if json { print::json(&object(entry)?) } else { print::line(&row(entry)) };
    let (mut outcome, mut last) = (Ok(()), args.wanted.queue());
    let visited = open(path)?.each(Direction::Forward, |entry| {
        if args.wanted.has(&entry) {
            outcome = last.take(entry).map_or(Ok(()), |entry| print(&entry));
        }
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    visited.map_err(|error| unreadable(path, &error))?;
    outcome.and_then(|()| last.rest().try_for_each(|entry| print(&entry))).map(|()| 0)
}

pub(crate) fn export(args: &ExportArgs) -> Result<u8, Complaint> {
    let paths = of_this_machine(&args.paths, &args.log.db);
    let mut output = BufWriter::new(stdout().lock());
    countersign_audit::export(&paths, &mut output).map_err(|error| match error {
        ExportError::Output(error) => Complaint::from(error),
        ExportError::Store(_) | ExportError::Damaged(_) | ExportError::Form(_) => {
            let path = paths.first().copied().unwrap_or(&args.log.db);
            Complaint::Log { path: path.display().to_string(), reason: error.to_string() }
        }
    })?;
    Ok(0)
}

pub(crate) fn show(args: &EntryArgs, json: bool) -> Result<u8, Complaint> {
    let path = &args.log.db;
    let entry = open(path)?.get(args.seq).map_err(|error| unreadable(path, &error))?;
    let entry = entry
        .ok_or_else(|| Complaint::usage(format!("The log has no entry {}: see `countersign audit list`.", args.seq)))?;
    let object = object(&entry)?;
    if json {
        print::json(&object)?;
    } else {
        let text = serde_json::to_string_pretty(&object).map_err(std::io::Error::from)?;
        text.lines().try_for_each(|line| print::line(sentence(line, MAX_LINE).as_str()))?;
    }
    Ok(0)
}

pub(crate) fn verify(args: &VerifyArgs, json: bool) -> Result<u8, Complaint> {
    let paths = of_this_machine(&args.paths, &args.log.db);
    let anchored = anchored(args)?;
    let trust = anchored.heads.iter().fold(trust(args)?, |trust, head| trust.with_head(*head));
    let failed = |error| unreadable(paths.first().copied().unwrap_or(&args.log.db), &error);
    let report = examine(&paths, &trust).map_err(failed)?;
    if json {
        print::json(&Verified { report: &report, anchors: &anchored.anchors })?;
    } else {
        print::line(sentence(&report.to_string(), MAX_LINE).as_str())?;
        anchored.anchors.iter().try_for_each(|anchor| print::line(sentence(&anchor.to_string(), MAX_LINE).as_str()))?;
    }
    Ok(if report.is_verified() && anchored.are_genuine() { 0 } else { exit::NO })
}

/// The given paths, or the log; the closed segments of this machine's lie beside it.
fn of_this_machine<'a>(paths: &'a [PathBuf], log: &'a Path) -> Vec<&'a Path> {
    if paths.is_empty() {
        vec![log.parent().filter(|_| log == Path::new(LOG)).unwrap_or(log)]
    } else {
        paths.iter().map(PathBuf::as_path).collect()
    }
}

/// What `--json` says.
#[derive(Serialize)]
struct Verified<'a> {
    #[serde(flatten)]
    report: &'a Report,
    anchors: &'a [Vouched],
}

/// What the anchors vouch for: those of a given copy, or of this machine if it is its log and it has any.
fn anchored(args: &VerifyArgs) -> Result<Findings, Complaint> {
    let own = args.paths.is_empty() && args.log.db == Path::new(LOG) && args.anchor_config.exists();
    match &args.anchors {
        Some(answers) => anchors::findings(&args.anchor_config, answers),
        None if own => anchors::findings(&args.anchor_config, Path::new(anchors::ANSWERS)),
        None => Ok(Findings::default()),
    }
}

/// What the operator knows from elsewhere.
fn trust(args: &VerifyArgs) -> Result<Trust, Complaint> {
    let read = |path: &Path| std::fs::read_to_string(path).map_err(|error| unusable(path, &error));
    let Some(path) = &args.key else { return Ok(Trust::default()) };
    let lines = read(path)?;
    let keys = lines.lines().filter(|line| !line.is_empty()).map(str::parse).collect::<Result<Vec<_>, _>>();
    let trust = Trust::in_keys(keys.map_err(|error| unusable(path, &error))?);
    match &args.checkpoint {
        Some(path) => trust.with_checkpoint(read(path)?.as_bytes()).map_err(|error| unusable(path, &error)),
        None => Ok(trust),
    }
}

fn unusable(path: &Path, error: &dyn std::fmt::Display) -> Complaint {
    Complaint::usage(format!("{} cannot be used: {error}.", path.display()))
}

fn open(path: &Path) -> Result<Log, Complaint> {
    Log::open(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &StoreError) -> Complaint {
    let cause = std::error::Error::source(error).map(|cause| format!(" ({cause})")).unwrap_or_default();
    Complaint::Log { path: path.display().to_string(), reason: format!("{error}{cause}") }
}

/// The record as it is in the log, with the hash that the log keeps beside it.
fn object(entry: &Entry) -> Result<Value, Complaint> {
    let mut object: Value = serde_json::from_slice(&entry.body).map_err(std::io::Error::from)?;
    if let Some(members) = object.as_object_mut() {
        members.insert("hash".to_owned(), entry.hash.to_string().into());
    }
    Ok(object)
}

/// One entry in one line: when, what, who, how it went.
fn row(entry: &Entry) -> String {
    let Ok(record) = Record::parse(&entry.body) else {
        return format!("{:>6}  is not a record: see `countersign audit verify`", entry.seq);
    };
    let word = |value: Option<Value>| value.as_ref().and_then(Value::as_str).unwrap_or("").to_owned();
    let phase = word(serde_json::to_value(record.phase).ok());
    let who =
        record.caller.as_ref().map(|caller| caller.user.clone()).or_else(|| record.who.clone()).unwrap_or_default();
    let tier = record.tier.map_or("", |tier| tier.name());
    let id = record.id.map(|id| id.to_string()).unwrap_or_default();
    let short = id.get(..SHORT).unwrap_or("");
    let (time, who) = (record.time.rfc3339(), shown(&who, MAX_WHO));
    let columns = format!("{:>6}  {time}  {phase:<7}  {short:<SHORT$}  {tier:<4}  {:<12}", entry.seq, who.as_str());
    let rest =
        [went(&record), what(&record)].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ");
    format!("{columns}  {rest}").trim_end().to_owned()
}

fn went(record: &Record) -> String {
    let ended = record.ended.as_ref().and_then(|ended| serde_json::to_value(ended).ok());
    let ended = ended.map(|ended| ended.to_string().replace(['"', '{', '}'], "").replace(':', " "));
    let code = record.code.map(|code| code.name().to_owned());
    let verdict = record
        .verdict
        .and_then(|verdict| serde_json::to_value(verdict).ok())
        .and_then(|verdict| verdict.as_str().map(str::to_owned));
    ended.or(code).or(verdict).unwrap_or_default()
}

fn what(record: &Record) -> String {
    let command = Argv::new(record.argv.clone()).ok().map(|argv| shown_argv(&argv, MAX_COMMAND));
    let why = record.why.as_deref().map(|why| shown(why, MAX_COMMAND));
    command.or(why).map(String::from).unwrap_or_default()
}
