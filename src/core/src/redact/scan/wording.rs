//! Wording: how secrets are written besides `name=value` and `name: value`: in addresses, in sentences, in XML and YAML,
//! by single programs.

use super::super::names::{is_header, is_secret_parameter, is_secret_quoted};
use super::{Marks, Reach, Reading, Scan, Value, is_blank};

impl Scan<'_> {
    /// A parameter of an address that is a secret only there.
    pub(super) fn parameter(&mut self, begin: usize, end: usize, name: &str) -> bool {
        let is = matches!(self.before(begin), Some(b'?' | b'&')) && self.byte(end) == Some(b'=');
        if !is || !is_secret_parameter(name) {
            return false;
        }
        let value = end.saturating_add(1);
        let ends = |byte: u8| byte.is_ascii_whitespace() || b"&#\"'`;|<>()".contains(&byte);
        let value_end = self.find(value, ends);
        self.take(&Value { begin: value, end: value_end, resume: value_end })
    }

    /// What prose and languages other than a shell's say after a secret's name: `password 'x'`, `password is x1`,
    /// `<password>x</password>`, `password%3Dx`.
    pub(super) fn said(&mut self, begin: usize, end: usize, name: &str) -> bool {
        if self.rest(end).starts_with(b">") && self.before(begin) == Some(b'<') && self.reading == Reading::Prose {
            let value = end.saturating_add(1);
            let value_end = self.find(value, |byte| byte == b'<');
            return self.take(&Value { begin: value, end: value_end, resume: value_end });
        }
        if matches!(self.rest(end), [b'%', b'3', b'd' | b'D' | b'a' | b'A', ..]) {
            let value = self.value(end.saturating_add(3), Reach::Word, Marks::default());
            return self.take(&value);
        }
        if self.reading == Reading::Shell && self.quote.is_none() {
            return false;
        }
        let value = self.skip(end, |byte| is_blank(byte) || byte == b'(');
        if value > end && self.is_quoted_word(value) {
            let value = self.value(value, Reach::Word, Marks::default());
            return self.take(&value);
        }
        if self.reading == Reading::Shell || is_header(name) || self.byte(end) != Some(b' ') {
            return false;
        }
        let words = ["is: ", "is ", "ist ", "was ", "est ", "es "];
        let rest = self.rest(value);
        let verb = words.iter().find(|word| rest.starts_with(word.as_bytes())).map_or(0, |word| word.len());
        let value = value.saturating_add(verb);
        let value_end = self.find(value, |byte| byte.is_ascii_whitespace());
        let odd = looks_chosen(self.rest(value).get(..value_end.saturating_sub(value)).unwrap_or_default());
        odd && self.take(&Value { begin: value, end: value_end, resume: value_end })
    }

    /// Whether a quotation mark opens here that is not the one around all of it, and closes before a line ends.
    fn is_quoted_word(&self, at: usize) -> bool {
        let Some(mark @ (b'"' | b'\'')) = self.byte(at).filter(|byte| Some(*byte) != self.quote) else { return false };
        let inside = at.saturating_add(1);
        let end = self.find(inside, |byte| byte == mark || byte == b'\n');
        end > inside && self.byte(end) == Some(mark)
    }

    /// Secrets that are written as nothing else is: a PIN, PuTTY's keys, a name and a password to a thin Oracle client.
    pub(super) fn in_its_own_way(&mut self, begin: usize, end: usize, name: &str) -> bool {
        if name.eq_ignore_ascii_case("pin") {
            let value = self.skip(end, |byte| is_blank(byte) || matches!(byte, b':' | b'='));
            let value_end = self.skip(value, |byte| byte.is_ascii_digit());
            let digits = (4..=12).contains(&value_end.saturating_sub(value)) && value > end;
            return digits && self.take(&Value { begin: value, end: value_end, resume: value_end });
        }
        if name == "Private-Lines" && self.reading == Reading::Prose {
            let length = self.slice(end, self.bytes.len()).find("Private-MAC");
            let value_end = length.map_or(self.bytes.len(), |length| end.saturating_add(length));
            return self.take(&Value { begin: end, end: value_end, resume: value_end });
        }
        if name == "a" && self.slice(0, begin).ends_with("contraseñ") {
            return self.assigned(begin, end, name);
        }
        if name == "thin" && self.before(begin) == Some(b':') && self.byte(end) == Some(b':') {
            let word_end = self.find(end, |byte| byte.is_ascii_whitespace() || matches!(byte, b'@' | b'"' | b'\''));
            let slash = self.find(end, |byte| byte == b'/').saturating_add(1);
            return slash < word_end && self.take(&Value { begin: slash, end: word_end, resume: word_end });
        }
        if self.byte(begin.saturating_sub(1)) == Some(b'"') && is_secret_quoted(name) && self.byte(end) == Some(b'"') {
            return self.assigned(begin, end, name);
        }
        false
    }

    /// A block of YAML: `|` or `>`, and every line after it that is set in.
    pub(super) fn block(&self, at: usize) -> Option<Value> {
        self.byte(at).filter(|byte| matches!(byte, b'|' | b'>') && self.reading == Reading::Prose)?;
        let mut end = self.find(at, |byte| byte == b'\n');
        if end.saturating_sub(at) > 4 {
            return None;
        }
        while matches!(self.rest(end), [b'\n', b' ' | b'\t' | b'\n', ..]) {
            end = self.find(end.saturating_add(1), |byte| byte == b'\n');
        }
        Some(Value { begin: at, end, resume: end })
    }
}

/// Whether a word is hardly one of a language: six characters at least, letters and digits among them.
fn looks_chosen(word: &[u8]) -> bool {
    const SHORTEST: usize = 6;
    word.len() >= SHORTEST
        && word.iter().any(u8::is_ascii_digit)
        && word.iter().any(u8::is_ascii_alphabetic)
        && !word.starts_with(b"/")
}
