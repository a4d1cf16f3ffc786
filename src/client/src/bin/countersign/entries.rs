//! `audit list`, `audit tail`, `audit show`: entries of the log, without the broker.
//!
//! ```text
//!   the last N that are wanted ◀─back─ head      then forward ─▶ one line each ─▶ with -f: whatever comes, until told to end
//! ```
//!
//! Enters: a log, or a copy of one, and which entries are wanted. Leaves: those, as they are stored, a line or a JSON object
//! each; nothing is proven of them, that is `audit verify`. One page of entries is in memory, however long the log is.

use std::io::stdout;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use countersign_audit::{Pages, StoreError};
use countersign_core::argv::Argv;
use countersign_core::record::{Entry, Record};
use countersign_core::text::{sentence, shown, shown_argv};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::Value;

use crate::audit::{unreadable, whole};
use crate::cli::{EntryArgs, ListEntriesArgs, TailArgs};
use crate::complaint::Complaint;
use crate::print;
use crate::run::interrupted;
use crate::wanted::Wanted;

/// The most bytes of a command in the list; `show` has the whole.
const MAX_COMMAND: usize = 100;
/// How many digits of an id are shown in the list.
const SHORT: usize = 8;
/// The most bytes of a name in the list.
const MAX_WHO: usize = 64;
/// The most bytes of one line of an entry, which is the whole of one field.
const MAX_LINE: usize = 128 * 1_024;
/// How many entries `tail` begins with unless said otherwise.
const TAIL: u64 = 10;
/// How often `tail -f` looks whether the log was written: two looks at files, which open nothing.
const GLANCE: Duration = Duration::from_millis(200);

/// A log, and what is wanted of it.
pub(crate) struct Shelf<'a> {
    pages: Pages,
    path: PathBuf,
    wanted: &'a Wanted,
}

pub(crate) fn list(args: &ListEntriesArgs, json: bool) -> Result<u8, Complaint> {
    let mut shelf = Shelf::of(&args.log.db, &args.wanted);
    let head = shelf.head()?;
    let first = shelf.first(args.wanted.last, head)?;
    shelf.each(first, head, |entry| tell(entry, json)).map(|_| 0)
}

pub(crate) async fn tail(args: &TailArgs, json: bool) -> Result<u8, Complaint> {
    let mut end = pin!(interrupted());
    // From here on a signal is waited for, so that none is met unprepared; without -f they keep their own effect.
    if args.follow && now(&mut end).await {
        return Ok(0);
    }
    let mut shelf = Shelf::of(&args.log.db, &args.wanted);
    let head = shelf.head()?;
    let mut at = shelf.first(args.wanted.last.or(Some(TAIL)), head)?;
    at = shelf.each(at, head, |entry| tell(entry, json))?;
    if args.follow { follow(&mut shelf, at, json, end).await } else { Ok(0) }
}

/// Whether that is so already.
async fn now(end: &mut (impl Future<Output = ()> + Unpin)) -> bool {
    tokio::select! {
        biased;
        () = end => true,
        () = std::future::ready(()) => false,
    }
}

/// Goes on with what comes. Ends well when it is told to end, and when nobody reads any more.
async fn follow(
    shelf: &mut Shelf<'_>,
    mut at: u64,
    json: bool,
    mut end: impl Future<Output = ()> + Unpin,
) -> Result<u8, Complaint> {
    loop {
        if nobody_reads() {
            return Err(Complaint::Output(std::io::ErrorKind::BrokenPipe.into()));
        }
        if shelf.moved()? {
            at = shelf.each(at, u64::MAX, |entry| tell(entry, json))?;
        }
        tokio::select! {
            () = &mut end => return Ok(0),
            () = tokio::time::sleep(GLANCE) => {}
        }
    }
}

pub(crate) fn show(args: &EntryArgs, json: bool) -> Result<u8, Complaint> {
    let path = whole(&args.log.db);
    let none = || Complaint::usage(format!("The log has no entry {}: see `countersign audit list`.", args.seq));
    let before = args.seq.checked_sub(1).ok_or_else(none)?;
    let mut pages = Pages::of(path);
    let head = pages.head().map_err(|error| unreadable(path, &error))?;
    if args.seq > head.seq {
        return Err(none());
    }
    let page = pages.after(before).map_err(|error| unreadable(path, &error))?;
    let object = object(page.first().filter(|entry| entry.seq == args.seq).ok_or_else(none)?)?;
    if json {
        print::json(&object)?;
    } else {
        let text = serde_json::to_string_pretty(&object).map_err(std::io::Error::from)?;
        text.lines().try_for_each(|line| print::line(sentence(line, MAX_LINE).as_str()))?;
    }
    Ok(0)
}

impl<'a> Shelf<'a> {
    /// The log at this path, of which this is wanted.
    pub(crate) fn of(log: &Path, wanted: &'a Wanted) -> Self {
        let path = whole(log);
        Self { pages: Pages::of(path), path: path.to_owned(), wanted }
    }

    /// Asks the log something.
    pub(crate) fn ask<T>(&mut self, ask: impl FnOnce(&mut Pages) -> Result<T, StoreError>) -> Result<T, Complaint> {
        ask(&mut self.pages).map_err(|error| unreadable(&self.path, &error))
    }

    /// The number of the last entry.
    pub(crate) fn head(&mut self) -> Result<u64, Complaint> {
        self.ask(|pages| pages.head().map(|head| head.seq))
    }

    fn moved(&mut self) -> Result<bool, Complaint> {
        self.ask(|pages| pages.moved())
    }

    /// The number after which the last so many wanted entries begin; that before the oldest entry if all are wanted.
    pub(crate) fn first(&mut self, last: Option<u64>, head: u64) -> Result<u64, Complaint> {
        let Some(mut more) = last else { return self.ask(Pages::begin) };
        let mut next = head.saturating_add(1);
        while more > 0 {
            let page = self.ask(|pages| pages.before(next))?;
            if page.is_empty() {
                break;
            }
            for entry in &page {
                if more > 0 {
                    next = entry.seq;
                    more = more.saturating_sub(u64::from(self.wanted.has(entry)));
                }
            }
        }
        Ok(next.saturating_sub(1))
    }

    /// Shows every wanted entry after this number up to that one, as far as there are; returns the number that was reached.
    pub(crate) fn each(
        &mut self,
        mut at: u64,
        until: u64,
        mut visit: impl FnMut(&Entry) -> Result<(), Complaint>,
    ) -> Result<u64, Complaint> {
        while at < until {
            let page = self.ask(|pages| pages.after(at))?;
            if page.is_empty() {
                break;
            }
            for entry in page.iter().take_while(|entry| entry.seq <= until) {
                at = entry.seq;
                if self.wanted.has(entry) {
                    visit(entry)?;
                }
            }
        }
        Ok(at)
    }
}

/// Whether the other end of standard output is gone, which would otherwise be noticed with the next entry only.
fn nobody_reads() -> bool {
    let output = stdout();
    let mut asked = [PollFd::new(&output, PollFlags::empty())];
    let looked = poll(&mut asked, Some(&Timespec::default()));
    looked.is_ok() && asked.iter().any(|output| output.revents().intersects(PollFlags::ERR | PollFlags::HUP))
}

pub(crate) fn tell(entry: &Entry, json: bool) -> Result<(), Complaint> {
    if json { print::json(&object(entry)?) } else { print::line(&row(entry)) }
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
pub(crate) fn row(entry: &Entry) -> String {
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
