//! Wording: how secrets are written besides `name=value` and `name: value`: in addresses, in sentences, in XML and YAML,
//! by single programs.

use super::super::names::{is_header, is_secret_parameter, is_secret_quoted};
use super::super::{MARKER, tokens};
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
        if let Some(value) = self.for_something(end) {
            return self.take(&value);
        }
        let value = self.skip(end, |byte| is_blank(byte) || byte == b'(');
        if value > end && self.is_quoted_word(value) {
            let value = self.value(value, Reach::Word, Marks::default());
            return self.take(&value);
        }
        if is_header(name) || self.byte(end) != Some(b' ') {
            return false;
        }
        let words = ["is: ", "is ", "ist ", "was ", "est ", "es "];
        let rest = self.rest(value);
        let verb = words.iter().find(|word| rest.starts_with(word.as_bytes())).map_or(0, |word| word.len());
        let value = value.saturating_add(verb);
        let ends = |byte: u8| {
            byte.is_ascii_whitespace() || (self.reading == Reading::Shell && b"\"'`$\\;|&<>()".contains(&byte))
        };
        // What clings to the word and is hidden by itself says nothing about the word.
        let whole = self.slice(value, self.find(value, ends));
        let clings = [whole.find("-----"), whole.find(MARKER)].into_iter().flatten().min();
        let word = whole.get(..clings.unwrap_or(whole.len())).unwrap_or_default().as_bytes();
        let value_end = value.saturating_add(word.len());
        let code = ["code", "codes", "passcode", "otp"].iter().any(|known| name.eq_ignore_ascii_case(known));
        let odd = looks_chosen(word) || (code && (4..=10).contains(&word.len()) && word.iter().all(u8::is_ascii_digit));
        odd && self.take(&Value { begin: value, end: value_end, resume: value_end })
    }

    /// `passphrase for /dev/sdb1: x`, as programs ask and people answer.
    fn for_something(&self, end: usize) -> Option<Value> {
        let what = end.saturating_add(" for ".len());
        let blank = self.find(what, |byte| byte.is_ascii_whitespace());
        let is =
            self.reading == Reading::Prose && self.rest(end).starts_with(b" for ") && self.before(blank) == Some(b':');
        let value = self.skip(blank, is_blank);
        let value_end = self.find(value, |byte| matches!(byte, b'\n' | b'\r'));
        is.then_some(Value { begin: value, end: value_end, resume: value_end })
    }

    /// `name="password" value="x"`, and the same in YAML: the name of a secret, and then what it is.
    pub(super) fn value_of_a_pair(&mut self, begin: usize, end: usize, name: &str) -> bool {
        const FURTHEST: usize = 16;
        let between = self.slice(self.announced, begin);
        let is = name.eq_ignore_ascii_case("value") && self.announced > 0 && between.len() <= FURTHEST;
        is && between.bytes().all(|byte| byte.is_ascii_whitespace() || b"\"',>-".contains(&byte))
            && self.assigned(begin, end, name)
    }

    /// `/name:`, an option of programs from elsewhere, which are known by name; and in prose the end of a path.
    pub(super) fn is_part_of_a_path(&self, begin: usize) -> bool {
        let before = begin.checked_sub(1).filter(|at| self.byte(*at) == Some(b'/'));
        let begins = |slash| self.before(slash).is_none_or(|byte| byte.is_ascii_whitespace());
        before.is_some_and(|slash| self.reading == Reading::Prose || begins(slash))
    }

    /// `Unseal Key 1: x`.
    pub(super) fn is_numbered(&self, number: usize) -> bool {
        let end = self.skip(number, |byte| byte.is_ascii_digit());
        end.saturating_sub(number) <= 2 && self.byte(end) == Some(b':')
    }

    /// A password as it is stored.
    pub(super) fn hash(&mut self) -> bool {
        let length = tokens::hash(self.rest(self.at));
        length.is_some_and(|length| {
            let end = self.at.saturating_add(length);
            self.take(&Value { begin: self.at, end, resume: end })
        })
    }

    /// The word for a password where people write with other letters.
    pub(super) fn foreign_name(&mut self) -> bool {
        const NAMES: [&str; 7] = ["пароль", "Пароль", "密码", "密碼", "パスワード", "비밀번호", "κωδικός"];
        let rest = self.slice(self.at, self.bytes.len());
        let Some(name) = NAMES.iter().find(|name| rest.starts_with(**name)) else { return false };
        self.assigned(self.at, self.at.saturating_add(name.len()), name)
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
        if name.eq_ignore_ascii_case("by") && self.byte(end) == Some(b' ') {
            const NEAR: usize = 64;
            let near = self.text.ceil_char_boundary(begin.saturating_sub(NEAR));
            let value = end.saturating_add(1);
            let is =
                self.slice(near, begin).to_ascii_lowercase().contains("identified with ") && self.is_quoted_word(value);
            let value = self.value(value, Reach::Word, Marks::default());
            return is && self.take(&value);
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
