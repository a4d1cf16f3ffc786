//! Wanted: which entries of the log are asked for.
//!
//! Enters: the words after `audit list`, `tail` or `stats`, and entries. Leaves: whether an entry is one of those. Times are compared as text:
//! RFC 3339 in UTC sorts as time does, so any beginning of one is a time too. It must never hide what it cannot read: an entry
//! that is no record is wanted, whatever is asked.

use std::str::FromStr;

use clap::Args;
use countersign_core::record::{Entry, Record};
use serde::Serialize;
use serde_json::Value;

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
    #[arg(long, value_name = "T")]
    tier: Option<String>,
    /// With this verdict: allow, hold, deny or silence
    #[arg(long, value_name = "V")]
    verdict: Option<String>,
    /// With this code, for instance Denied
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
    /// Of callers in this unit
    #[arg(long, value_name = "UNIT")]
    unit: Option<String>,
    /// With this text anywhere in the record, in any case
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// The last so many of them only
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) last: Option<u64>,
}

/// The beginning of a time in the form of RFC 3339, in UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Time(String);

/// Not the beginning of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a time is the beginning of something like 2026-11-21T09:30:00.000Z, at least its year")]
pub(crate) struct NotATime;

impl FromStr for Time {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        /// What a time looks like; a digit stands for any.
        const FORM: &str = "0000-00-00T00:00:00.000Z";
        let fits = |(c, form): (char, char)| if form == '0' { c.is_ascii_digit() } else { c == form };
        let good = (4..=FORM.len()).contains(&text.len()) && text.chars().zip(FORM.chars()).all(fits);
        if good { Ok(Self(text.to_owned())) } else { Err(NotATime) }
    }
}

impl Wanted {
    /// Whether this entry is wanted.
    pub(crate) fn has(&self, entry: &Entry) -> bool {
        let Ok(record) = Record::parse(&entry.body) else { return true };
        self.is_of_the_time(&record.time.rfc3339())
            && fits(self.tier.as_deref(), &record.tier)
            && fits(self.verdict.as_deref(), &record.verdict)
            && fits(self.code.as_deref(), &record.code)
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

/// Whether a field has this word, or no word is asked for. Case is of no meaning.
fn fits<T: Serialize>(word: Option<&str>, field: &Option<T>) -> bool {
    let Some(word) = word else { return true };
    let text = field.as_ref().and_then(|field| serde_json::to_value(field).ok());
    text.as_ref().and_then(Value::as_str).is_some_and(|text| text.eq_ignore_ascii_case(word))
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
    fn words_fit_in_any_case_and_nothing_fits_an_absent_field() {
        assert!(fits(None, &None::<&str>) && fits(Some("DENY"), &Some("deny")) && fits(Some("t1"), &Some("T1")));
        assert!(!fits(Some("deny"), &None::<&str>) && !fits(Some("den"), &Some("deny")));
        assert!(says(br#"{"argv":["Systemctl"]}"#, "systemCTL") && !says(b"{}", "x"));
    }
}
