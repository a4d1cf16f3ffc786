//! `audit stats`: the log in numbers.
//!
//! Enters: a log, and which of its entries are wanted. Leaves: how many there are of each sort, from when to when, how large the
//! log is, and how far it is signed. One pass; what is kept does not grow with the log, nor with the number of its users.

use std::collections::BTreeMap;
use std::path::Path;

use countersign_audit::Extent;
use countersign_core::record::{Entry, Record};
use countersign_core::time::Moment;
use serde::Serialize;
use serde_json::Value;

use crate::anchors::{self, Kept};
use crate::cli::{LOG, ListEntriesArgs};
use crate::complaint::Complaint;
use crate::entries::Shelf;
use crate::print;

/// The most users that are counted one by one.
const MAX_USERS: usize = 256;

/// How often each word came.
type Tally = BTreeMap<String, u64>;

/// An entry's place and time.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
struct Place {
    seq: u64,
    time: String,
}

/// What was counted.
#[derive(Debug, Default, Serialize, PartialEq, Eq)]
struct Counts {
    entries: u64,
    first: Option<Place>,
    last: Option<Place>,
    /// The earliest and latest time; not those of the first and last entry if the clock was set back.
    times: Option<(String, String)>,
    phases: Tally,
    tiers: Tally,
    verdicts: Tally,
    codes: Tally,
    /// By uid.
    users: Tally,
    /// Entries of users beyond the most that are counted one by one.
    other_users: u64,
    /// What is no record.
    unreadable: u64,
}

/// The newest checkpoint in the log.
#[derive(Debug, Serialize)]
struct Signed {
    entries: u64,
    after: u64,
}

/// The log itself, whatever is wanted of it.
#[derive(Debug, Serialize)]
struct Whole {
    last: u64,
    segments: u64,
    bytes: u64,
    checkpoint: Option<Signed>,
    anchors: Vec<Kept>,
}

pub(crate) fn stats(args: &ListEntriesArgs, json: bool) -> Result<u8, Complaint> {
    let mut shelf = Shelf::of(&args.log.db, &args.wanted);
    let head = shelf.head()?;
    let first = shelf.first(args.wanted.last, head)?;
    let mut counts = Counts::default();
    shelf.each(first, head, |entry| {
        counts.count(entry);
        Ok(())
    })?;
    let whole = whole(&mut shelf, head, &args.log.db)?;
    if json {
        print::json(&serde_json::json!({ "wanted": counts, "log": whole }))?;
    } else {
        lines(&counts, &whole).iter().try_for_each(|line| print::line(line))?;
    }
    Ok(0)
}

fn whole(shelf: &mut Shelf<'_>, head: u64, log: &Path) -> Result<Whole, Complaint> {
    let Extent { segments, bytes } = shelf.ask(|pages| pages.extent())?;
    let newest = shelf.ask(|pages| pages.newest_checkpoint())?;
    let checkpoint = newest.map(|(entries, _)| Signed { entries, after: head.saturating_sub(entries) });
    let config = Path::new(anchors::CONFIG);
    let own = log == Path::new(LOG) && config.exists();
    let anchors = if own { anchors::kept(config, Path::new(anchors::ANSWERS))? } else { Vec::new() };
    Ok(Whole { last: head, segments, bytes, checkpoint, anchors })
}

impl Counts {
    fn count(&mut self, entry: &Entry) {
        self.entries = self.entries.saturating_add(1);
        let Ok(record) = Record::parse(&entry.body) else {
            self.unreadable = self.unreadable.saturating_add(1);
            return;
        };
        self.place(entry.seq, record.time);
        let phase = format!("{} {}", word(&record.kind), word(&record.phase));
        add(&mut self.phases, phase);
        for (tally, word) in [
            (&mut self.tiers, record.tier.map(|tier| word(&tier))),
            (&mut self.verdicts, record.verdict.map(|verdict| word(&verdict))),
            (&mut self.codes, record.code.map(|code| word(&code))),
        ] {
            word.into_iter().for_each(|word| add(tally, word));
        }
        if let Some(uid) = record.caller.map(|caller| caller.uid.to_string()) {
            if self.users.contains_key(&uid) || self.users.len() < MAX_USERS {
                add(&mut self.users, uid);
            } else {
                self.other_users = self.other_users.saturating_add(1);
            }
        }
    }

    fn place(&mut self, seq: u64, time: Moment) {
        let time = time.rfc3339();
        let place = Place { seq, time: time.clone() };
        self.first.get_or_insert_with(|| place.clone());
        self.last = Some(place);
        self.times = Some(match self.times.take() {
            None => (time.clone(), time),
            Some((earliest, latest)) => (earliest.min(time.clone()), latest.max(time)),
        });
    }
}

fn add(tally: &mut Tally, word: String) {
    let count = tally.entry(word).or_default();
    *count = count.saturating_add(1);
}

/// The word by which a value stands in the record.
fn word<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().as_ref().and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Text for people. Every word in it is ours, a number, or an anchor's name, which has plain characters only.
fn lines(counts: &Counts, whole: &Whole) -> Vec<String> {
    let line = |what: &str, says: String| format!("{what:<10} {says}");
    let mut lines = vec![line("entries", format!("{} of {}", counts.entries, whole.last))];
    if let (Some(first), Some(last), Some((earliest, latest))) = (&counts.first, &counts.last, &counts.times) {
        lines.push(line("numbers", format!("{} to {}", first.seq, last.seq)));
        lines.push(line("times", format!("{earliest} to {latest}")));
    }
    for (what, tally) in [
        ("phases", &counts.phases),
        ("tiers", &counts.tiers),
        ("verdicts", &counts.verdicts),
        ("codes", &counts.codes),
        ("uids", &counts.users),
    ] {
        let others = Some(counts.other_users).filter(|others| what == "uids" && *others > 0);
        let words = tally.iter().map(|(word, count)| format!("{word}: {count}"));
        let words: Vec<String> = words.chain(others.map(|others| format!("others: {others}"))).collect();
        lines.extend((!words.is_empty()).then(|| line(what, words.join(", "))));
    }
    if counts.unreadable > 0 {
        let says = format!("{} are no records: see `countersign audit verify`", counts.unreadable);
        lines.push(line("unreadable", says));
    }
    lines.push(line("size", format!("{} bytes in {} segments", whole.bytes, whole.segments)));
    lines.push(match &whole.checkpoint {
        Some(Signed { entries, after }) => line("checkpoint", format!("over {entries} entries, {after} after it")),
        None => line("checkpoint", "none".to_owned()),
    });
    let anchor =
        |kept: &Kept| format!("{}: {} kept, the newest over {} entries", kept.anchor, kept.answers, kept.entries);
    lines.extend(whole.anchors.iter().map(|kept| line("anchor", anchor(kept))));
    lines
}

#[cfg(test)]
mod tests {
    use countersign_core::caller::Caller;
    use countersign_core::caller::Uid;
    use countersign_core::code::{Code, Failure};
    use countersign_core::digest::Digest;
    use countersign_core::policy::{Mode, Ruleset};
    use countersign_core::record::{Draft, Stamp};
    use countersign_core::run_state::RunState;

    use super::*;

    fn rejected(seq: u64, uid: u32, millis: u64) -> Entry {
        let stamp = Stamp {
            time: Moment::from_millis(millis),
            boot_id: "x".to_owned(),
            monotonic_ms: 1,
            state: RunState::Green,
            mode: Mode::Guarded,
            ruleset: Ruleset { version: 1, digest: Digest::ZERO },
        };
        let caller = Caller {
            uid: Uid::try_from(uid).unwrap(),
            gids: vec![],
            bus_name: ":1.42".to_owned().try_into().unwrap(),
            user: "\u{1b}agent".to_owned(),
            pid: 4_242,
            start_time: 99,
            exe: None,
            unit: None,
            session: None,
            login_uid: None,
            security_label: None,
        };
        let draft = Draft::rejected(&stamp, &caller, &Failure::new(Code::Denied, "no"));
        draft.complete(seq, Digest::ZERO).unwrap()
    }

    #[test]
    fn each_sort_is_counted_and_a_clock_that_went_back_is_seen() {
        let mut counts = Counts::default();
        for (seq, uid, millis) in [(7, 1000, 5_000), (8, 1001, 2_000), (9, 1000, 4_000)] {
            counts.count(&rejected(seq, uid, millis));
        }
        counts.count(&Entry { seq: 10, hash: Digest::ZERO, body: b"{}".to_vec() });
        let whole = Whole { last: 10, segments: 2, bytes: 99, checkpoint: None, anchors: vec![] };
        let expected = [
            "entries    4 of 10",
            "numbers    7 to 9",
            "times      1970-01-01T00:00:02.000Z to 1970-01-01T00:00:05.000Z",
            "phases     request final: 3",
            "codes      Denied: 3",
            "uids       1000: 2, 1001: 1",
            "unreadable 1 are no records: see `countersign audit verify`",
            "size       99 bytes in 2 segments",
            "checkpoint none",
        ];
        assert_eq!(lines(&counts, &whole), expected);
    }

    #[test]
    fn users_are_counted_one_by_one_at_n_and_not_at_n_plus_one() {
        let mut counts = Counts::default();
        for uid in 0..u32::try_from(MAX_USERS).unwrap() {
            counts.count(&rejected(1, uid, 1));
        }
        assert_eq!((counts.users.len(), counts.other_users), (MAX_USERS, 0));
        counts.count(&rejected(1, 60_000, 1));
        counts.count(&rejected(1, 0, 1));
        assert_eq!((counts.users.len(), counts.other_users, counts.users["0"]), (MAX_USERS, 1, 2));
    }
}
