//! The one pass over a text. It stands at a byte, looks whether a secret begins there, and moves on; never back.
//!
//! ```text
//!   -----BEGIN … PRIVATE KEY-----   ▶ to the matching END, or to the end of the text
//!   ://user:secret@                 ▶ the part before the last @ of the authority
//!   a known token                   ▶ the whole token
//!   name = value, name: value, --name value, bearer value      where the name announces a secret
//!   -pSECRET                        where the program takes it so
//! ```

use super::names::{are_secret, is_header, is_name_byte, is_secret};
use super::programs::{self, Place, Program};
use super::{MARKER, tokens};

mod marks;
mod wording;

use marks::Marks;

/// How the end of a value is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// At a blank, or at the quotation mark that it began with.
    Prose,
    /// Where a shell ends a word.
    Shell,
}

/// A value that is to go: what of it goes, and where the scan goes on.
struct Value {
    begin: usize,
    end: usize,
    resume: usize,
}

/// How far a value reaches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Word,
    Line,
}

pub(super) struct Scan<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    out: String,
    reading: Reading,
    program: Option<&'static Program>,
    /// The subcommands of the last program that was named.
    parts: Vec<&'static Program>,
    /// Where the last name of a secret ended that nothing was assigned to.
    announced: usize,
    /// The quotation mark inside which a shell would be here.
    quote: Option<u8>,
    /// The name before this one, and where it ended.
    previous: (&'a str, usize),
    next_at_sign: usize,
    next_blank: usize,
}

impl<'a> Scan<'a> {
    pub(super) fn new(text: &'a str, reading: Reading) -> Self {
        let out = String::with_capacity(text.len());
        let (program, quote, previous) = (None, None, ("", 0));
        let bytes = text.as_bytes();
        Self {
            text,
            bytes,
            at: 0,
            out,
            reading,
            program,
            parts: Vec::new(),
            announced: 0,
            quote,
            previous,
            next_at_sign: 0,
            next_blank: 0,
        }
    }

    pub(super) fn run(mut self) -> String {
        while let Some(byte) = self.byte(self.at) {
            let taken = match byte {
                b'-' => self.private_key() || self.short_option(),
                b':' => self.user_information(),
                b'$' | b'{' => self.hash(),
                0xC0.. => self.foreign_name(),
                b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => self.name(),
                _ => false,
            };
            if !taken {
                self.keep(self.next_of_interest());
            }
        }
        self.out
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    fn before(&self, at: usize) -> Option<u8> {
        at.checked_sub(1).and_then(|at| self.byte(at))
    }

    fn slice(&self, begin: usize, end: usize) -> &'a str {
        self.text.get(begin..end).unwrap_or_default()
    }

    fn rest(&self, from: usize) -> &'a [u8] {
        self.bytes.get(from..).unwrap_or_default()
    }

    /// The first byte from `from` on that is wanted, or the end of the text.
    fn find(&self, from: usize, wanted: impl Fn(u8) -> bool) -> usize {
        let offset = self.rest(from).iter().position(|byte| wanted(*byte));
        offset.map_or(self.bytes.len(), |offset| from.saturating_add(offset))
    }

    fn skip(&self, from: usize, blanks: impl Fn(u8) -> bool) -> usize {
        self.find(from, |byte| !blanks(byte))
    }

    /// Where the next secret could begin, at least one byte on.
    fn next_of_interest(&self) -> usize {
        self.find(self.at.saturating_add(1), |byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b':' | b'$' | b'{' | 0xC0..)
        })
    }

    /// Copies the text up to `end`.
    fn keep(&mut self, end: usize) {
        let kept = self.slice(self.at, end);
        if kept.bytes().any(|byte| matches!(byte, b'\n' | b';' | b'|' | b'&')) {
            self.program = None;
        }
        self.quote = self.quote_at(end);
        self.out.push_str(kept);
        self.at = end;
    }

    /// The quotation mark inside which a shell would be at `end`, for an `end` that is not before this place.
    fn quote_at(&self, end: usize) -> Option<u8> {
        let (mut quote, mut escaped) = (self.quote, false);
        for byte in self.slice(self.at, end).bytes().filter(|_| self.reading == Reading::Shell) {
            match (byte, quote) {
                _ if escaped => {}
                (b'\'' | b'"', None) => quote = Some(byte),
                (byte, Some(open)) if byte == open => quote = None,
                _ => {}
            }
            escaped = !escaped && byte == b'\\' && quote != Some(b'\'');
        }
        quote
    }

    /// Replaces the value and goes on behind it. Says no if there is nothing to replace.
    fn take(&mut self, value: &Value) -> bool {
        let is_mark = |byte: u8| matches!(byte, b'"' | b'\'');
        if value.end <= value.begin || self.slice(value.begin, value.end).bytes().all(is_mark) {
            return false;
        }
        if self.rest(value.begin).starts_with(MARKER.as_bytes()) {
            // Gone already; what stands behind it was left there, or is judged by itself.
            self.keep(value.begin.saturating_add(MARKER.len()));
            return true;
        }
        self.keep(value.begin);
        self.out.push_str(MARKER);
        // A quotation mark that closes the value stays; what clings to it behind goes with the value.
        if let Some(quote @ (b'"' | b'\'')) = self.byte(value.end).filter(|_| value.end < value.resume) {
            self.out.push(char::from(quote));
        }
        self.at = value.resume;
        true
    }

    fn private_key(&mut self) -> bool {
        const LONGEST_LABEL: usize = 64;
        let rest = self.rest(self.at);
        let (dashes, end) = if rest.starts_with(b"---- ") { ("----", "---- END ") } else { ("-----", "-----END ") };
        let begins = |label: &&[u8]| label.starts_with(b"BEGIN ");
        let label = rest.strip_prefix(dashes.as_bytes()).map(|label| label.strip_prefix(b" ").unwrap_or(label));
        let Some(label) = label.filter(begins) else { return false };
        let label = label.get(..LONGEST_LABEL).unwrap_or(label);
        let end_of_label = label.windows(dashes.len()).position(|part| part == dashes.as_bytes()).unwrap_or(0);
        let private =
            label.get(..end_of_label).is_some_and(|label| label.windows(11).any(|part| part == b"PRIVATE KEY"));
        if !private {
            return false;
        }
        let after = self.slice(self.at, self.bytes.len()).split_once(end).map(|(_, after)| after);
        let tail = after.and_then(|after| after.split_once(dashes)).map(|(_, tail)| tail.len());
        let end = self.bytes.len().saturating_sub(tail.unwrap_or(0));
        self.take(&Value { begin: self.at, end, resume: end })
    }

    /// `scheme://user:secret@host`, and `https://secret@host`.
    fn user_information(&mut self) -> bool {
        // A path that was cleaned has only one slash left.
        let marks = match self.rest(self.at) {
            [b':', b'/', b'/', ..] => 3,
            [b':', b'/', ..] => 2,
            _ => return false,
        };
        let begin = self.at.saturating_add(marks);
        if self.next_at_sign < begin {
            self.next_at_sign = self.find(begin, |byte| byte == b'@');
        }
        if self.next_blank < begin {
            let ends = |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`');
            self.next_blank = self.find(begin, ends);
        }
        if self.next_at_sign >= self.next_blank {
            return false;
        }
        // What stands behind a slash is a path: taking it for a user would hide the host that is really meant.
        let colon = self.find(begin, |byte| matches!(byte, b':' | b'@' | b'/' | b'?' | b'#'));
        let web = self.slice(0, self.at).ends_with("http") || self.slice(0, self.at).ends_with("https");
        let secret = match self.byte(colon) {
            Some(b':') if !self.is_port(colon) => colon.saturating_add(1),
            Some(b'@') if web => begin,
            _ => return false,
        };
        if self.is_broken_up(begin, secret) {
            return false;
        }
        let authority = self.find(self.next_at_sign, |byte| matches!(byte, b'/' | b'?' | b'#')).min(self.next_blank);
        let last = self.slice(secret, authority).rfind('@').map_or(authority, |at| secret.saturating_add(at));
        self.take(&Value { begin: secret, end: last, resume: last })
    }

    /// Whether something else was taken out between here and the `@`, so that this is no longer an address.
    fn is_broken_up(&self, begin: usize, secret: usize) -> bool {
        let user = self.slice(begin, self.next_at_sign);
        let marker = user.find(MARKER).map(|at| begin.saturating_add(at));
        marker.is_some_and(|at| at != secret || at.saturating_add(MARKER.len()) != self.next_at_sign)
    }

    /// Whether a host's port, which may be empty, stands here, so that an `@` further on belongs to the path.
    fn is_port(&self, colon: usize) -> bool {
        let digits = colon.saturating_add(1);
        let end = self.skip(digits, |byte| byte.is_ascii_digit());
        self.byte(end).is_none_or(|byte| matches!(byte, b'/' | b'?' | b'#'))
    }

    fn name_end(&self, begin: usize) -> usize {
        let end = self.skip(begin, is_name_byte);
        // A key in PEM form may cling to what is before it.
        self.slice(begin, end).find("-----").map_or(end, |dashes| begin.saturating_add(dashes))
    }

    fn name(&mut self) -> bool {
        let (begin, end) = (self.at, self.name_end(self.at));
        if self.token(begin, end) {
            return true;
        }
        let name = self.slice(begin, end);
        let (previous, previous_end) = std::mem::replace(&mut self.previous, (name, end));
        let follows = previous_end.saturating_add(1) == begin && self.before(begin) == Some(b' ');
        let secret = is_secret(name) || (follows && are_secret(previous, name));
        // First, so that a program is known also where its name is taken for a secret's.
        if matches!(
            self.before(begin),
            None | Some(b' ' | b'\t' | b'\n' | b'/' | b'"' | b'\'' | b'(' | b';' | b'|' | b'&' | b'`')
        ) {
            let part = self.parts.iter().find(|known| known.under == name);
            self.program = part.copied().or(self.program);
            let mut named = programs::named(name).peekable();
            if named.peek().is_some() {
                let (parts, known): (Vec<_>, Vec<_>) =
                    named.filter(|known| !known.options.is_empty()).partition(|known| !known.under.is_empty());
                self.program = known.first().copied().or(self.program);
                self.parts = parts;
            }
        }
        if secret && (self.assigned(begin, end, name) || self.said(begin, end, name)) {
            return true;
        }
        if secret {
            self.announced = end;
        }
        if self.parameter(begin, end, name)
            || self.value_of_a_pair(begin, end, name)
            || self.in_its_own_way(begin, end, name)
        {
            return true;
        }
        self.keep(end.max(begin.saturating_add(1)));
        true
    }

    /// A known token at the begin of the name, or of a part of it.
    fn token(&mut self, begin: usize, end: usize) -> bool {
        for at in begin..end {
            let starts = at == begin || matches!(self.before(at), Some(b'.' | b'-'));
            if let Some((kept, length)) = starts.then(|| tokens::token(self.rest(at), at == begin)).flatten() {
                let end = at.saturating_add(length);
                return self.take(&Value { begin: at.saturating_add(kept), end, resume: end });
            }
        }
        false
    }

    /// A value that follows the name of a secret in one of the usual ways.
    fn assigned(&mut self, begin: usize, end: usize, name: &str) -> bool {
        let marks = Marks::around(self.bytes, begin, end);
        // A shell assigns without blanks; behind one the next command begins.
        let tight = self.reading == Reading::Shell && self.quote.is_none();
        let separator = self.skip(end.saturating_add(marks.closing), is_blank);
        let behind = separator.saturating_add(1);
        let found = match self.byte(separator) {
            Some(b'=') if tight && separator > end && self.before(begin) != Some(b'-') => return false,
            Some(b'=') if tight && separator > end => self.value(separator, Reach::Word, marks),
            Some(b'=') => {
                let arrow = self.skip(behind, |byte| !tight && matches!(byte, b'=' | b'>'));
                let value = if tight { arrow } else { self.skip(arrow, is_blank) };
                self.value(value, if is_header(name) { Reach::Line } else { Reach::Word }, marks)
            }
            Some(b':') if self.is_part_of_a_path(begin) => return false,
            Some(b'0'..=b'9') if self.is_numbered(separator) => {
                let value = self.skip(self.find(separator, |byte| byte == b':').saturating_add(1), is_blank);
                self.value(value, Reach::Line, marks)
            }
            Some(b':') => {
                let value = self.skip(behind, |byte| is_blank(byte) || byte == b'=');
                let spaced = value > behind || is_header(name);
                if let Some(block) = self.block(value) {
                    return self.take(&block);
                }
                let plain = marks.closing == 0 && !matches!(self.byte(value), Some(b'"' | b'\''));
                self.value(value, if spaced && plain { Reach::Line } else { Reach::Word }, marks)
            }
            Some(b',') if marks.closing > 0 => {
                let value = self.skip(behind, is_blank);
                if !matches!(self.byte(value), Some(b'"' | b'\'')) {
                    return false;
                }
                self.value(value, Reach::Word, marks)
            }
            Some(_) if separator > end && (self.before(begin) == Some(b'-') || self.is_bearer(name, separator)) => {
                self.value(separator, Reach::Word, marks)
            }
            Some(_) | None => return false,
        };
        self.take(&found)
    }

    /// `Bearer` in prose is a word like others, unless something long follows.
    fn is_bearer(&self, name: &str, value: usize) -> bool {
        const SHORTEST: usize = 8;
        const LONGER: usize = 20;
        let end = self.find(value, |byte| byte.is_ascii_whitespace());
        let rest = self.slice(value, end);
        let odd = rest.len() >= LONGER || rest.bytes().any(|byte| !byte.is_ascii_lowercase());
        name.eq_ignore_ascii_case("bearer") && rest.len() >= SHORTEST && odd
    }

    fn short_option(&mut self) -> bool {
        let starts = matches!(self.before(self.at), None | Some(b' ' | b'\t' | b'"' | b'\''));
        let Some(program) = self.program.filter(|_| starts) else { return false };
        let word_end = self.find(self.at, |byte| byte.is_ascii_whitespace());
        // Only the begin of a word can be an option, so that looking at it costs the same for every word.
        const LONGEST_OPTION: usize = 16;
        let looked_at = self.text.floor_char_boundary(word_end.min(self.at.saturating_add(LONGEST_OPTION)));
        let word = self.slice(self.at, looked_at);
        let Some((option, place)) = program.options.iter().find(|(option, _)| word.starts_with(option)) else {
            return false;
        };
        let value = match (place, word.len() == option.len()) {
            (Place::Joined | Place::Both, false) => self.at.saturating_add(option.len()),
            (Place::Next | Place::Both, true) => self.skip(word_end, |byte| matches!(byte, b' ' | b'\t')),
            (Place::Joined, true) | (Place::Next, false) | (Place::Pair(_), _) => return false,
        };
        let value = self.value(value, Reach::Word, Marks::default());
        self.take(&value)
    }

    /// Where the value that begins here ends.
    fn value(&self, begin: usize, reach: Reach, marks: Marks) -> Value {
        let whole = |end| Value { begin, end, resume: end };
        if self.reading == Reading::Shell {
            let quote = self.quote_at(begin);
            let inside = |quote| self.inside_end(begin, reach, quote, marks.closing > 0);
            return whole(quote.map_or_else(|| self.word_end(begin, reach), inside));
        }
        match (reach, marks.enclosing, self.byte(begin)) {
            (Reach::Line, enclosing, _) => {
                whole(self.find(begin, |b| matches!(b, b'\n' | b'\r') || Some(b) == enclosing))
            }
            (Reach::Word, Some(quote), _) => whole(self.find(begin, |byte| byte == quote)),
            (Reach::Word, None, Some(quote @ (b'"' | b'\''))) => self.quoted(begin, quote),
            (Reach::Word, None, Some(b'\\')) if self.rest(begin).starts_with(br#"\""#) => self.escaped(begin),
            (Reach::Word, None, _) => {
                whole(self.find(begin, |byte| {
                    byte.is_ascii_whitespace() || (marks.closing > 0 && matches!(byte, b',' | b'}'))
                }))
            }
        }
    }

    /// A value between `\"` and `\"`: JSON inside a string.
    fn escaped(&self, open: usize) -> Value {
        let begin = open.saturating_add(2);
        let end = self.rest(begin).windows(2).position(|two| two == br#"\""#);
        let end = end.map_or(self.bytes.len(), |end| begin.saturating_add(end));
        Value { begin, end, resume: end }
    }

    /// A value in quotation marks, with whatever clings to the closing one.
    fn quoted(&self, open: usize, quote: u8) -> Value {
        let begin = open.saturating_add(1);
        let end = self.closing(begin, quote);
        let behind = end.saturating_add(1);
        let clings = |byte: u8| !byte.is_ascii_whitespace() && !b",;}])&|".contains(&byte);
        let clinging = self.byte(behind).is_some_and(clings);
        let resume = if clinging { self.find(behind, |byte| byte.is_ascii_whitespace()) } else { behind };
        Value { begin, end, resume: resume.min(self.bytes.len()) }
    }

    /// The closing quotation mark, or the end of the text.
    fn closing(&self, from: usize, quote: u8) -> usize {
        let mut at = from;
        while let Some(byte) = self.byte(at) {
            match byte {
                b'\\' if quote == b'"' => at = at.saturating_add(2),
                byte if byte == quote => return at,
                _ => at = at.saturating_add(1),
            }
        }
        self.bytes.len()
    }

    /// Where a shell ends this word, or this command; never beyond a command substitution.
    fn word_end(&self, begin: usize, reach: Reach) -> usize {
        let mut quote = None;
        let mut at = begin;
        while let Some(byte) = self.byte(at) {
            let goes_on = quote.is_some() || (reach == Reach::Line && is_blank(byte));
            if self.substitutes(at, quote) || (is_shell_end(byte) && !goes_on) {
                return at;
            }
            match (byte, quote) {
                (b'\'' | b'"', None) => quote = Some(byte),
                (byte, Some(open)) if byte == open => quote = None,
                (b'\\', None | Some(b'"')) => at = at.saturating_add(1),
                _ => {}
            }
            at = at.saturating_add(1);
        }
        self.bytes.len()
    }

    /// The same inside quotation marks of the shell's: at the closing one at the latest, at a blank unless the value
    /// has quotation marks of its own, and where a value of JSON ends if the name stood in marks (`closed`).
    fn inside_end(&self, begin: usize, reach: Reach, quote: u8, closed: bool) -> usize {
        let own = match self.byte(begin) {
            Some(own @ (b'"' | b'\'')) if own != quote => Some(own),
            Some(b'\\') if self.rest(begin).starts_with(br#"\""#) => Some(b'"'),
            Some(_) | None => None,
        };
        let mut inside = false;
        let mut at = begin;
        while let Some(byte) = self.byte(at) {
            let escape = byte == b'\\' && quote == b'"';
            let blank = if reach == Reach::Line { byte == b'\n' } else { byte.is_ascii_whitespace() };
            let ends = blank || (closed && matches!(byte, b',' | b'}'));
            if self.substitutes(at, Some(quote)) || byte == quote || (ends && !inside) {
                return at;
            }
            let seen = if escape { at.saturating_add(1) } else { at };
            inside ^= own.is_some() && self.byte(seen) == own;
            at = seen.saturating_add(1);
        }
        self.bytes.len()
    }

    fn substitutes(&self, at: usize, quote: Option<u8>) -> bool {
        let begins = self.byte(at) == Some(b'`') || self.rest(at).starts_with(b"$(");
        begins && quote != Some(b'\'')
    }
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

const fn is_shell_end(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b';' | b'|' | b'&' | b'<' | b'>' | b'(' | b')')
}
