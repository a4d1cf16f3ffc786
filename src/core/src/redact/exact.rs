//! Exact secrets: values that a caller names, hidden wherever they stand and however they are written. SEC-9.
//!
//! Enters: values, once, when a request is made. Leaves: texts without them. The values are compared and never hashed,
//! written down, sent on or shown; they go with the request. Every occurrence is found, overlapping ones too, and what they
//! cover together becomes one marker, so no head and no tail is left of any of them.

use std::fmt;
use std::sync::Arc;

use super::{MARKER, Scan, scan::Reading, words_after};

/// The most values of one request.
pub const MAX_SECRETS: usize = 16;
/// The fewest bytes of a value: shorter ones stand in too many other words.
pub const MIN_SECRET: usize = 4;
/// The most bytes of a value: room for an RSA key of 4,096 bits.
pub const MAX_SECRET: usize = 4_096;

/// Values that are secret because their owner says so. Nothing but their number can be read from it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(Arc<[Needle]>);

/// Why some values cannot be hidden.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretsError {
    /// More than [`MAX_SECRETS`].
    #[error("there are {0} secrets and {MAX_SECRETS} are allowed")]
    TooMany(usize),
    /// One, by its position, is shorter than [`MIN_SECRET`] or longer than [`MAX_SECRET`].
    #[error("secret {0} is out of bounds: one has {MIN_SECRET} to {MAX_SECRET} bytes")]
    Length(usize),
    /// One, by its position, could not be told from the marker that stands for it.
    #[error("secret {0} is part of {MARKER}, or begins or ends as that does")]
    Marker(usize),
}

impl Secrets {
    /// Takes the values, with every form in which they are looked for.
    ///
    /// # Errors
    /// [`SecretsError`], naming a value by its position from 1 and never itself.
    pub fn new(values: &[String]) -> Result<Self, SecretsError> {
        if values.len() > MAX_SECRETS {
            return Err(SecretsError::TooMany(values.len()));
        }
        let mut forms: Vec<String> = Vec::new();
        for (value, position) in values.iter().zip(1_usize..) {
            if !(MIN_SECRET..=MAX_SECRET).contains(&value.len()) {
                return Err(SecretsError::Length(position));
            }
            forms.extend(written(value));
            if forms.iter().any(|form| meets_the_marker(form)) {
                return Err(SecretsError::Marker(position));
            }
        }
        forms.sort_unstable();
        forms.dedup();
        Ok(Self(forms.into_iter().map(Needle::new).collect()))
    }

    /// Whether none was named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A text without these values, and otherwise as it is.
    #[must_use]
    pub fn hidden_in(&self, text: &str) -> String {
        self.replaced(text, MARKER)
    }

    /// [`super::text`], and without these values.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        Scan::new(&self.hidden_in(text), Reading::Prose).run()
    }

    /// [`super::words`], and without these values.
    #[must_use]
    pub fn words(&self, words: &[String]) -> Vec<String> {
        words_after(words.iter().map(|word| self.hidden_in(word)))
    }

    /// The beginning of a longer text without these values, also where one of them was cut off at its end.
    #[must_use]
    pub fn hidden_in_beginning(&self, text: &str) -> String {
        let mut covered = self.covered(text);
        let cut = self.0.iter().map(|needle| needle.begun_at_the_end(text)).max().unwrap_or(0);
        if cut > 0 {
            covered.push((text.len().saturating_sub(cut), text.len()));
        }
        filled(text, merged(covered), MARKER)
    }

    /// A text with these values replaced by letters that mean nothing, for looking at what is left.
    #[must_use]
    pub fn blanked_in(&self, text: &str) -> String {
        self.replaced(text, BLANK)
    }

    /// Whether there is nothing in this text but these values.
    pub(crate) fn is_all_of(&self, text: &str) -> bool {
        merged(self.covered(text)) == [(0, text.len())]
    }

    /// Whether one of these values stands in this text and has blanks or marks in it, of which code is made.
    pub(crate) fn hides_marks_in(&self, text: &str) -> bool {
        let marks = |(begin, end): (usize, usize)| {
            !text
                .get(begin..end)
                .unwrap_or_default()
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || PLAIN.contains(&byte))
        };
        self.covered(text).into_iter().any(marks)
    }

    fn replaced(&self, text: &str, by: &str) -> String {
        if self.is_empty() { text.to_owned() } else { filled(text, merged(self.covered(text)), by) }
    }

    fn covered(&self, text: &str) -> Vec<(usize, usize)> {
        self.0.iter().flat_map(|needle| needle.find(text)).collect()
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "Secrets(none)" } else { "Secrets(some)" })
    }
}

/// What a value may have besides letters and digits where code is hidden: what passwords, keys and hashes have, and no
/// statement can do without.
const PLAIN: &[u8] = b"-_.~+/=:@!%#^,?";
/// What stands for a value where only the rest matters: no mark of a shell, no number, no path.
const BLANK: &str = "blank";

/// A value as it is, in JSON, in an address, and between a shell's quotation marks or behind its backslashes.
fn written(value: &str) -> [String; 6] {
    let json = serde_json::to_string(value).unwrap_or_default();
    let percent = |upper: bool| -> String {
        value.bytes().fold(String::new(), |out, byte| match (byte, upper) {
            (b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~', _) => {
                out + &char::from(byte).to_string()
            }
            (_, true) => out + &format!("%{byte:02X}"),
            (_, false) => out + &format!("%{byte:02x}"),
        })
    };
    let behind_backslashes = |marks: &str| {
        value.chars().fold(String::new(), |mut out, c| {
            out.extend(marks.contains(c).then_some('\\'));
            out.push(c);
            out
        })
    };
    [
        value.to_owned(),
        json.trim_matches('"').to_owned(),
        percent(true),
        percent(false),
        value.replace('\'', r"'\''"),
        behind_backslashes("\\\"$`"),
    ]
}

/// Whether this and the marker could lie over each other, so that hiding twice would not be hiding once.
fn meets_the_marker(form: &str) -> bool {
    let overlaps = |at: usize| {
        let (head, tail) = MARKER.split_at_checked(at).unwrap_or((MARKER, MARKER));
        form.ends_with(head) || form.starts_with(tail)
    };
    MARKER.contains(form) || form.contains(MARKER) || (1..MARKER.len()).any(overlaps)
}

/// One form of a value, ready to be looked for in time linear in the text, whatever repeats in it (Knuth, Morris, Pratt).
#[derive(Clone, PartialEq, Eq)]
struct Needle {
    bytes: Box<[u8]>,
    /// For each of its beginnings: how long a shorter beginning it ends with.
    borders: Vec<usize>,
}

impl Needle {
    fn new(form: String) -> Self {
        let mut needle = Self { bytes: form.into_bytes().into(), borders: vec![0] };
        for at in 1..needle.bytes.len() {
            let matched = needle.borders.last().copied().unwrap_or(0);
            let border = needle.bytes.get(at).map_or(0, |byte| needle.step(matched, *byte));
            needle.borders.push(border);
        }
        needle
    }

    /// How much of it matches once this byte comes, where so much of it matched before.
    fn step(&self, mut matched: usize, byte: u8) -> usize {
        loop {
            if self.bytes.get(matched) == Some(&byte) {
                return matched.saturating_add(1);
            }
            match matched.checked_sub(1) {
                None => return 0,
                Some(last) => matched = self.borders.get(last).copied().unwrap_or(0),
            }
        }
    }

    /// Where it stands; places that touch each other are one.
    fn find(&self, text: &str) -> Vec<(usize, usize)> {
        let mut found: Vec<(usize, usize)> = Vec::new();
        let mut matched = 0;
        for (byte, end) in text.bytes().zip(1_usize..) {
            matched = self.step(matched, byte);
            if matched < self.bytes.len() {
                continue;
            }
            let begin = end.saturating_sub(matched);
            match found.last_mut() {
                Some(last) if last.1 >= begin => last.1 = end,
                Some(_) | None => found.push((begin, end)),
            }
        }
        found
    }

    /// How many bytes at the text's end are a beginning of it.
    fn begun_at_the_end(&self, text: &str) -> usize {
        let tail = text.len().saturating_sub(self.bytes.len().saturating_sub(1));
        let matched = text.bytes().skip(tail).fold(0, |matched, byte| self.step(matched, byte));
        // Never from the middle of a character.
        if text.is_char_boundary(text.len().saturating_sub(matched)) { matched } else { 0 }
    }
}

fn merged(mut ranges: Vec<(usize, usize)>) -> Vec<(usize, usize)> {
    ranges.sort_unstable();
    let mut out: Vec<(usize, usize)> = Vec::new();
    for (begin, end) in ranges {
        match out.last_mut() {
            Some(last) if last.1 >= begin => last.1 = last.1.max(end),
            Some(_) | None => out.push((begin, end)),
        }
    }
    out
}

fn filled(text: &str, ranges: Vec<(usize, usize)>, by: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (begin, end) in ranges {
        out.push_str(text.get(at..begin).unwrap_or_default());
        out.push_str(by);
        at = end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests;
