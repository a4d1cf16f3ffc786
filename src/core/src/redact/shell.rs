//! Text for a shell: finds the words of its commands, so that what a program takes as a secret by its place is hidden
//! there too, and what `echo` writes into a program that reads a password.
//!
//! Not a parser of the shell's language: what it does not follow it leaves, and the scan over the text comes after it.
//! It never hides what a shell would run: no substitution, and no piece of more than one line but a here-document.

use super::MARKER;
use super::command::{Command, Part};

/// Programs that write their words.
const WRITERS: [&str; 3] = ["echo", "printf", "yes"];

/// A word, as it stands in the text and as the shell understands it.
#[derive(Default)]
struct Word {
    begin: usize,
    end: usize,
    is: String,
    /// For each byte of `is`: where it stands, and inside which quotation mark.
    from: Vec<(usize, u8)>,
    /// Whether the shell puts something in its place.
    live: bool,
}

/// A command under way.
#[derive(Default)]
struct Simple {
    command: Command,
    words: Vec<String>,
    /// Where its words stand, but the first, if they may be hidden.
    operands: Vec<(usize, usize)>,
    /// Where what it is given by `<<<` or `<<` stands.
    given: Vec<(usize, usize)>,
    writer: bool,
}

/// What the next word is to the command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Word,
    File,
    Given,
    Delimiter,
}

struct Walk<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    now: Simple,
    before: Option<Simple>,
    role: Role,
    /// The ends of here-documents whose bodies begin at the next line, and whether a shell looks into them.
    documents: Vec<(String, bool)>,
    hidden: Vec<(usize, usize)>,
}

/// Hides what is a secret by its place.
pub(super) fn hide(text: &str) -> String {
    let mut walk = Walk {
        text,
        bytes: text.as_bytes(),
        at: 0,
        now: Simple::default(),
        before: None,
        role: Role::Word,
        documents: Vec::new(),
        hidden: Vec::new(),
    };
    walk.run();
    walk.hidden.sort_unstable();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (begin, end) in walk.hidden {
        if begin >= at && begin < end {
            out.push_str(text.get(at..begin).unwrap_or_default());
            out.push_str(MARKER);
            at = end;
        }
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

impl Walk<'_> {
    fn run(&mut self) {
        while let Some(byte) = self.byte(self.at) {
            match byte {
                b'\n' => self.line(),
                byte if byte.is_ascii_whitespace() => self.at = self.at.saturating_add(1),
                b'#' => self.at = self.find(self.at, b'\n'),
                b'|' if !matches!(self.byte(self.at.saturating_add(1)), Some(b'|')) => self.end(true),
                b';' | b'&' | b'|' | b'(' | b')' => self.end(false),
                b'<' | b'>' => self.redirection(),
                _ => self.word(),
            }
        }
        self.end(false);
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    fn find(&self, from: usize, wanted: u8) -> usize {
        let rest = self.bytes.get(from..).unwrap_or_default();
        rest.iter().position(|byte| *byte == wanted).map_or(self.bytes.len(), |offset| from.saturating_add(offset))
    }

    /// A separator: the command is over, and into the next it may be piped.
    fn end(&mut self, piped: bool) {
        self.at = self.at.saturating_add(1);
        if piped && self.byte(self.at) == Some(b'&') {
            self.at = self.at.saturating_add(1);
        }
        self.role = Role::Word;
        let done = std::mem::take(&mut self.now);
        if done.command.reads_a_secret(&done.words) {
            self.hidden.extend(&done.given);
            let writer = self.before.take().filter(|before| before.writer);
            self.hidden.extend(writer.into_iter().flat_map(|before| before.operands));
        }
        self.before = piped.then_some(done);
    }

    fn line(&mut self) {
        self.at = self.at.saturating_add(1);
        for (delimiter, looked_into) in std::mem::take(&mut self.documents) {
            let begin = self.at;
            let mut end = self.bytes.len();
            while self.at < self.bytes.len() {
                let line_end = self.find(self.at, b'\n');
                let line = self.text.get(self.at..line_end).unwrap_or_default();
                let is_end = line.trim_start_matches('\t') == delimiter;
                if is_end {
                    end = self.at.saturating_sub(1);
                }
                self.at = line_end.saturating_add(1).min(self.bytes.len());
                if is_end {
                    break;
                }
            }
            if !looked_into || !is_live(self.text.get(begin..end).unwrap_or_default()) {
                self.now.given.push((begin, end));
            }
        }
        self.at = self.at.saturating_sub(1);
        self.end(false);
    }

    fn redirection(&mut self) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let (length, role) = match rest {
            [b'<', b'<', b'<', ..] => (3, Role::Given),
            [b'<', b'<', b'-', ..] => (3, Role::Delimiter),
            [b'<', b'<', ..] => (2, Role::Delimiter),
            [_, b'&' | b'>' | b'|', ..] => (2, Role::File),
            _ => (1, Role::File),
        };
        self.at = self.at.saturating_add(length);
        self.role = role;
    }

    fn word(&mut self) {
        let word = self.read();
        match std::mem::replace(&mut self.role, Role::Word) {
            Role::Word => self.judge(word),
            Role::File => {}
            Role::Given => self.now.given.extend(word.whole(self.text)),
            Role::Delimiter => {
                let quoted = word.from.iter().any(|(_, quote)| *quote != 0);
                self.documents.push((word.is, !quoted));
            }
        }
    }

    fn judge(&mut self, word: Word) {
        let part = self.now.command.place(&word.is);
        if let Part::Secret { begin, end } = part {
            self.hidden.extend(word.part(self.text, begin, end));
        } else if part == Part::None {
            self.now.command.learn(&word.is);
        }
        if self.now.words.is_empty() {
            self.now.writer = WRITERS.contains(&word.is.as_str());
        } else if !word.is.starts_with('-') && !is_form(&word.is) {
            self.now.operands.extend(word.whole(self.text));
        }
        self.now.words.push(word.is);
    }

    /// Reads a word to its end, as a shell does.
    fn read(&mut self) -> Word {
        let mut word = Word { begin: self.at, ..Word::default() };
        let mut quote = 0_u8;
        while let Some(byte) = self.byte(self.at) {
            let next = self.byte(self.at.saturating_add(1));
            match (byte, quote) {
                (b'\\', 0 | b'"' | b'$') if next.is_some() => {
                    self.at = self.at.saturating_add(1);
                    self.push(&mut word, quote);
                    continue;
                }
                (b'`', 0 | b'"') => word.live = true,
                (b'$', 0 | b'"') if next == Some(b'(') => word.live = true,
                _ => {}
            }
            match (byte, quote) {
                (b'$', 0) if next == Some(b'\'') => (quote, self.at) = (b'$', self.at.saturating_add(2)),
                (b'\'' | b'"', 0) => (quote, self.at) = (byte, self.at.saturating_add(1)),
                (b'\'', b'\'' | b'$') | (b'"', b'"') => (quote, self.at) = (0, self.at.saturating_add(1)),
                (_, 0) if is_end(byte) => break,
                _ => self.push(&mut word, quote),
            }
        }
        word.end = self.at.min(self.bytes.len());
        word
    }

    /// Takes one character into the word.
    fn push(&mut self, word: &mut Word, quote: u8) {
        let Some(c) = self.text.get(self.at..).and_then(|rest| rest.chars().next()) else {
            self.at = self.at.saturating_add(1);
            return;
        };
        word.is.push(c);
        word.from.extend((0..c.len_utf8()).map(|offset| (self.at.saturating_add(offset), quote)));
        self.at = self.at.saturating_add(c.len_utf8());
    }
}

impl Word {
    /// All of it, if it may be hidden.
    fn whole(&self, text: &str) -> Option<(usize, usize)> {
        self.hideable(text, self.begin, self.end)
    }

    /// Where these bytes of it stand, with the quotation marks that would be left alone.
    fn part(&self, text: &str, begin: usize, end: usize) -> Option<(usize, usize)> {
        if begin == 0 {
            return self.hideable(text, self.begin, self.end);
        }
        let (first, opened) = *self.from.get(begin)?;
        let (last, closed) = *self.from.get(end.checked_sub(1)?)?;
        let behind = last.saturating_add(1);
        if opened == closed {
            return self.hideable(text, first, behind);
        }
        let whole_begin = if opened == 0 { first } else { first.saturating_sub(1) };
        let whole_end = if closed == 0 { behind } else { behind.saturating_add(1) };
        self.hideable(text, whole_begin, whole_end)
    }

    fn hideable(&self, text: &str, begin: usize, end: usize) -> Option<(usize, usize)> {
        let is = text.get(begin..end)?;
        (!self.live && !is.contains('\n') && begin < end).then_some((begin, end))
    }
}

/// Whether a shell finds something to run in a here-document.
fn is_live(text: &str) -> bool {
    text.contains("$(") || text.contains('`')
}

/// What `printf` fills in.
fn is_form(word: &str) -> bool {
    word.starts_with('%')
}

const fn is_end(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b';' | b'|' | b'&' | b'<' | b'>' | b'(' | b')')
}
