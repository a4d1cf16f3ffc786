//! Wanted: which entries of the log are asked for.
//!
//! Enters: the words after `audit list`, `tail` or `stats`, and entries. Leaves: whether an entry is one of those. Times are compared as text:
//! RFC 3339 in UTC sorts as time does, so any beginning of one is a time too. It must never hide what it cannot read: an entry
//! that is no record is wanted, whatever is asked. Nor must a word that no entry can have find nothing: it is refused.

use std::str::FromStr;

use clap::Args;
use countersign_core::code::Code;
use countersign_core::record::{Entry, Judgement, Record};
use countersign_core::tier::{Ruling, Tier};

/// Which entries.
#[derive(Debug, Default, Args)]
pub(crate) struct Wanted {
    /// Not before this time in UTC, or the beginning of one: 2026-11, 2026-11-21T09:30
    #[arg(long, value_name = "TIME")]
    since: Option<Time>,
    /// Not after this time, or within it: 2026-11-21 is that whole day
    #[arg(long, value_name = "TIME")]
    until: Option<Time>,
    /// Of this caller, or operator: a name or a uid
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Of this tier: T0, T1, T2, T3 or deny
    #[arg(long, value_name = "T", value_parser = ruling)]
    tier: Option<Ruling>,
    /// With this verdict: allow, hold, deny or silence
    #[arg(long, value_name = "V", value_parser = verdict)]
    verdict: Option<Judgement>,
    /// With this code, for instance Denied
    #[arg(long, value_name = "CODE", value_parser = code)]
    code: Option<Code>,
    /// Of callers in this unit
    #[arg(long, value_name = "UNIT")]
    unit: Option<String>,
    /// With this text anywhere in the record, in any case
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// The last so many of them only
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) last: Option<u64>,
}

/// The beginning of a time in the form of RFC 3339, in UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Time(String);

/// Not the beginning of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a time is the beginning of something like 2026-11-21T09:30:00.000Z, at least its year, up to any of its parts"
)]
pub(crate) struct NotATime;

/// A word that no record has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is one of {0}")]
struct NotAWord(String);

impl FromStr for Time {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        /// What a time looks like; a digit stands for any.
        const FORM: &str = "0000-00-00T00:00:00.000Z";
        let fits = |(c, form): (char, char)| if form == '0' { c.is_ascii_digit() } else { c == form };
        /// The lengths at which a part of it ends.
        const ENDS: [usize; 8] = [4, 7, 10, 13, 16, 19, 23, FORM.len()];
        let good = ENDS.contains(&text.len()) && text.chars().zip(FORM.chars()).all(fits) && is_on_the_calendar(text);
        if good { Ok(Self(text.to_owned())) } else { Err(NotATime) }
    }
}

/// Whether the parts that are there are within their bounds; text in the form of a time.
fn is_on_the_calendar(text: &str) -> bool {
    let part = |from: usize, to: usize| text.get(from..to).and_then(|digits| digits.parse::<u32>().ok());
    let (year, month) = (part(0, 4).unwrap_or(0), part(5, 7).unwrap_or(1));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    let within = |part: Option<u32>, most: u32| part.is_none_or(|part| part <= most);
    part(8, 10).is_none_or(|day| (1..=days).contains(&day))
        && within(part(11, 13), 23)
        && within(part(14, 16), 59)
        && within(part(17, 19), 59)
}

fn ruling(text: &str) -> Result<Ruling, NotAWord> {
    let all = Tier::ALL.map(Ruling::Tier).into_iter().chain([Ruling::Deny]);
    one_of(text, all.map(|ruling| (ruling.name(), ruling)))
}

fn verdict(text: &str) -> Result<Judgement, NotAWord> {
    let all = [("allow", Judgement::Allow), ("hold", Judgement::Hold), ("deny", Judgement::Deny)];
    one_of(text, all.into_iter().chain([("silence", Judgement::Silence)]))
}

fn code(text: &str) -> Result<Code, NotAWord> {
    one_of(text, Code::ALL.into_iter().map(|code| (code.name(), code)))
}

/// What has this name, in any case.
fn one_of<T>(text: &str, all: impl Iterator<Item = (&'static str, T)> + Clone) -> Result<T, NotAWord> {
    let names = || all.clone().map(|(name, _)| name).collect::<Vec<_>>().join(", ");
    let found = all.clone().find(|(name, _)| name.eq_ignore_ascii_case(text));
    found.map(|(_, value)| value).ok_or_else(|| NotAWord(names()))
}

impl Wanted {
    /// Whether this entry is wanted.
    pub(crate) fn has(&self, entry: &Entry) -> bool {
        let Ok(record) = Record::parse(&entry.body) else { return true };
        self.is_of_the_time(&record.time.rfc3339())
            && (self.tier.is_none() || self.tier == record.tier)
            && (self.verdict.is_none() || self.verdict == record.verdict)
            && (self.code.is_none() || self.code == record.code)
            && self.is_of_the_user(&record)
            && self
                .unit
                .as_ref()
                .is_none_or(|unit| record.caller.is_some_and(|caller| caller.unit.as_ref() == Some(unit)))
            && self.text.as_deref().is_none_or(|text| says(&entry.body, text))
    }

    fn is_of_the_time(&self, time: &str) -> bool {
        let begin = |Time(until): &Time| time.get(..until.len()).is_some_and(|time| time <= until.as_str());
        self.since.as_ref().is_none_or(|Time(since)| time >= since.as_str()) && self.until.as_ref().is_none_or(begin)
    }

    fn is_of_the_user(&self, record: &Record) -> bool {
        let Some(user) = &self.user else { return true };
        let caller = record.caller.as_ref();
        caller.is_some_and(|caller| caller.user == *user || caller.uid.get().to_string() == *user)
            || record.who.as_ref().is_some_and(|who| who == user)
    }
}

fn says(body: &[u8], text: &str) -> bool {
    String::from_utf8_lossy(body).to_lowercase().contains(&text.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(since: Option<&str>, until: Option<&str>) -> Wanted {
        let time = |text: Option<&str>| text.map(|text| text.parse().unwrap());
        Wanted { since: time(since), until: time(until), ..Wanted::default() }
    }

    #[test]
    fn a_time_is_the_beginning_of_one() {
        for good in ["2026", "2026-11", "2026-11-21", "2026-11-21T09", "2026-11-21T09:30:00.123Z"] {
            assert!(good.parse::<Time>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "202",
            "yesterday",
            "21.11.2026",
            "2026/11/21",
            "2026-11-21 09:30",
            "2026-11-21T09:30:00.123Zx",
            "２０２６",
        ] {
            assert_eq!(bad.parse::<Time>(), Err(NotATime), "{bad}");
        }
    }

    #[test]
    fn a_day_has_its_whole_length() {
        let of = |since, until, time: &str| wanted(since, until).is_of_the_time(time);
        let (first, last, next) = ("2026-11-21T00:00:00.000Z", "2026-11-21T23:59:59.999Z", "2026-11-22T00:00:00.000Z");
        let day = Some("2026-11-21");
        assert!(of(day, day, first) && of(day, day, last) && !of(day, day, next));
        assert!(!of(Some("2026-11-22"), None, last) && of(Some("2026-11-22"), None, next));
        assert!(of(None, None, first) && !of(None, Some("2026-11-20"), first));
    }

    #[test]
    fn a_day_that_no_calendar_has_is_no_time() {
        for good in ["2024-02-29", "2000-02-29", "2026-12-31T23:59:59.999Z"] {
            assert!(good.parse::<Time>().is_ok(), "{good}");
        }
        for bad in [
            "2026-13-01",
            "2026-00",
            "2026-11-31",
            "2026-11-00",
            "2026-02-29",
            "2100-02-29",
            "2026-11-21T24",
            "2026-11-21T09:60",
            "2026-11-21T09:30:60",
            "2026-1",
            "2026-11-2",
            "2026-",
        ] {
            assert_eq!(bad.parse::<Time>(), Err(NotATime), "{bad}");
        }
    }

    #[test]
    fn a_word_that_no_entry_can_have_is_refused_and_not_looked_for() {
        assert_eq!((ruling("t1"), ruling("DENY")), (Ok(Ruling::Tier(Tier::T1)), Ok(Ruling::Deny)));
        assert_eq!((verdict("Hold"), code("denied")), (Ok(Judgement::Hold), Ok(Code::Denied)));
        assert!(ruling("T9").is_err() && ruling("").is_err() && verdict("denied").is_err() && code("Den").is_err());
        assert_eq!(ruling("T9").unwrap_err().to_string(), "it is one of T0, T1, T2, T3, deny");
    }

    #[test]
    fn text_is_found_in_any_case() {
        assert!(says(br#"{"argv":["Systemctl"]}"#, "systemCTL") && !says(b"{}", "x"));
    }
}
