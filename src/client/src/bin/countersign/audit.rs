//! `audit verify`, `audit export`, `audit backup`: the log as a whole, without the broker.
//!
//! Enters: a log or a copy of one. Leaves: whether its entries are as they were written, or all of them. Needs nothing but
//! the right to read the files.

use std::io::{BufWriter, stdout};
use std::path::{Path, PathBuf};

use countersign_audit::{BackupError, ExportError, Report, StoreError, Trust, verify as examine};
use countersign_core::text::sentence;
use serde::Serialize;
use serde_json::json;

use crate::anchors::{self, Findings, Vouched};
use crate::cli::{BackupArgs, ExportArgs, LOG, VerifyArgs};
use crate::complaint::Complaint;
use crate::{exit, print};

/// The most bytes of one line.
const MAX_LINE: usize = 128 * 1_024;

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

/// Saves the log to a new directory.
pub(crate) fn backup(args: &BackupArgs, json: bool) -> Result<u8, Complaint> {
    let (log, to) = (whole(&args.log.db), &args.directory);
    let saved = countersign_audit::backup(log, to).map_err(|error| match error {
        BackupError::Log(error) => unreadable(log, &error),
        BackupError::There(_) => Complaint::usage(format!("{error}.")),
        BackupError::Output { error, .. } => Complaint::System { what: "The backup cannot be written", source: error },
    })?;
    let (head, segments, place) = (saved.head, saved.segments, to.display().to_string());
    if json {
        print::json(&json!({ "directory": place, "entries": head.seq, "head": head.hash, "segments": segments }))?;
    } else {
        let says = format!("saved: {} entries, head {}, in {segments} segments, to {place}", head.seq, head.hash);
        print::line(sentence(&says, MAX_LINE).as_str())?;
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

/// A log's database; for that of this machine the directory, because its closed segments lie beside it.
pub(crate) fn whole(log: &Path) -> &Path {
    log.parent().filter(|_| log == Path::new(LOG)).unwrap_or(log)
}

/// The given paths, or the log; the closed segments of this machine's lie beside it.
fn of_this_machine<'a>(paths: &'a [PathBuf], log: &'a Path) -> Vec<&'a Path> {
    if paths.is_empty() { vec![whole(log)] } else { paths.iter().map(PathBuf::as_path).collect() }
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

pub(crate) fn unreadable(path: &Path, error: &StoreError) -> Complaint {
    let cause = std::error::Error::source(error).map(|cause| format!(" ({cause})")).unwrap_or_default();
    Complaint::Log { path: path.display().to_string(), reason: format!("{error}{cause}") }
}
