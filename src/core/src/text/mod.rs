//! What people see: the one builder of text for dialogs, terminals, the queue and the log. SEC-16.
//!
//! Enters: words that a caller chose, which may be anything. Leaves: [`Shown`], one line of inert text. Whatever could
//! move a cursor, reorder, hide or imitate is written out (`\u{202E}`), never passed through; what is too long keeps
//! its head and its tail and says how much is missing; what looks like a secret is gone ([`crate::redact`]).

mod agent;
mod control;
mod dialog;
mod steps;

use std::fmt;

use crate::argv::Argv;
use crate::redact::{self, Secrets};

pub use agent::for_agent;
pub use control::Steering;
pub use dialog::{Dialog, dialog, dialog_messages};
pub use steps::{StepOf, steps_dialog};

/// A good bound for a command on a line of its own, in bytes.
pub const COMMAND_BOUND: usize = 2_048;
/// The least bound that is kept: below it there would be no room for the words that say what is hidden.
pub const LEAST_BOUND: usize = 64;

/// One line of inert text, or for a bundle's steps several of which each break is ours; fit for any medium. Only this module
/// makes one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shown(String);

impl Shown {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Shown> for String {
    fn from(shown: Shown) -> Self {
        shown.0
    }
}

/// Where the text is going to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Medium {
    /// A terminal, a file, JSON.
    Plain,
    /// A polkit agent, some of which take what they are given for markup.
    Markup,
}

/// A text of the caller's, a path or a name, in at most `bound` bytes (or [`LEAST_BOUND`], if that is more).
#[must_use]
pub fn shown(text: &str, bound: usize) -> Shown {
    Shown(bounded(&visible(&redact::text(text), Medium::Plain), bound.max(LEAST_BOUND)))
}

/// A sentence of ours that came by another process, in at most `bound` bytes (or [`LEAST_BOUND`], if that is more). It
/// is made inert and not looked through for secrets: whoever wrote it did so before a caller's words went into it, and
/// "your password: …" is no secret.
#[must_use]
pub fn sentence(text: &str, bound: usize) -> Shown {
    Shown(bounded(&visible(text, Medium::Plain), bound.max(LEAST_BOUND)))
}

/// The same between double quotes, so that one sees where the caller's words end.
#[must_use]
pub fn quoted(text: &str, bound: usize) -> Shown {
    Shown(in_quotes(text, bound, Medium::Plain))
}

/// A command as one would type it in a shell, in at most `bound` bytes (or [`LEAST_BOUND`], if that is more).
#[must_use]
pub fn shown_argv(argv: &Argv, bound: usize) -> Shown {
    shown_argv_without(argv, &Secrets::default(), bound)
}

/// The same without values that its caller named as secret.
#[must_use]
pub fn shown_argv_without(argv: &Argv, secrets: &Secrets, bound: usize) -> Shown {
    Shown(bounded(&typed(&secrets.words(argv.words()), Medium::Plain), bound.max(LEAST_BOUND)))
}

fn in_quotes(text: &str, bound: usize, medium: Medium) -> String {
    // Written out, because a quotation mark behind a cut would look like the end of the quotation.
    let escaped = redact::text(text).replace('"', r"\u{22}");
    format!("\"{}\"", bounded(&visible(&escaped, medium), bound.max(LEAST_BOUND).saturating_sub(2)))
}

fn typed(words: &[String], medium: Medium) -> String {
    let mut line = String::new();
    for (position, word) in words.iter().enumerate() {
        if position > 0 {
            line.push(' ');
        }
        push_word(&mut line, word, position == 0, medium);
    }
    line
}

/// One word, quoted if a shell needs it. Only between `$'` and `'` is a backslash anything but a backslash, so that no
/// word looks like another one.
fn push_word(line: &mut String, word: &str, first: bool, medium: Medium) {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_@%+:,./-".contains(&b) || (b == b'=' && !first);
    if !word.is_empty() && word.bytes().all(plain) {
        line.push_str(word);
    } else if visible(word, medium) == word {
        line.push('\'');
        line.push_str(&word.replace('\'', r"'\''"));
        line.push('\'');
    } else {
        line.push_str("$'");
        line.push_str(&visible(&word.replace('\\', r"\\").replace('\'', r"\'"), medium));
        line.push('\'');
    }
}

/// Writes out every character that does not simply stand where it is.
fn visible(text: &str, medium: Medium) -> String {
    let mut out = String::with_capacity(text.len());
    let mut marks = FEW_MARKS;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let markup = medium == Medium::Markup && begins_markup(c, chars.peek().copied());
        marks = if is_mark(c) { marks.saturating_add(1) } else { 0 };
        match c {
            '\n' => out.push_str(r"\n"),
            '\t' => out.push_str(r"\t"),
            c if markup || marks > FEW_MARKS || !is_plain(c) => write_out(&mut out, c),
            c => out.push(c),
        }
    }
    out
}

/// The most combining marks that may follow one letter; some languages need two. A text may not begin with one.
const FEW_MARKS: usize = 2;

fn write_out(out: &mut String, c: char) {
    out.push_str(r"\u{");
    out.push_str(&format!("{:X}", u32::from(c)));
    out.push('}');
}

/// Whether some agents would take this for the begin of a tag or of an entity, and with it hide what follows.
fn begins_markup(c: char, next: Option<char>) -> bool {
    let letter = |next: char| next.is_ascii_alphanumeric();
    match c {
        '<' => next.is_some_and(|next| letter(next) || matches!(next, '/' | '!' | '?')),
        '&' => next.is_some_and(|next| letter(next) || next == '#'),
        _ => false,
    }
}

/// Whether the character takes one place, shows itself and moves nothing.
///
/// The standard library's tables know controls, format characters (bidirectional, zero-width, tags), unusual spaces,
/// private and unassigned characters; the few that they call printable and that nobody sees are listed here.
fn is_plain(c: char) -> bool {
    if c.is_ascii() {
        return matches!(c, ' '..='~');
    }
    let unseen = matches!(
        c,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{1d159}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    );
    !unseen && is_printable(c)
}

/// Whether the character joins the one before it instead of taking a place.
fn is_mark(c: char) -> bool {
    // Alone such a character is written out by the standard library, after a letter it is not.
    !c.is_ascii() && !c.escape_debug().eq([c]) && is_printable(c)
}

fn is_printable(c: char) -> bool {
    let mut buffer = [0_u8; 8];
    let letter_and_c = {
        let (first, rest) = buffer.split_at_mut(1);
        first.fill(b'a');
        c.encode_utf8(rest).len().saturating_add(1)
    };
    let text = buffer.get(..letter_and_c).and_then(|bytes| std::str::from_utf8(bytes).ok());
    text.is_some_and(|text| text.escape_debug().eq(text.chars()))
}

/// Head, tail and how much is missing between them, if the text passes the bound.
fn bounded(text: &str, bound: usize) -> String {
    if text.len() <= bound {
        return text.to_owned();
    }
    // Room for the longest note: the whole length is at least as long a number as what is hidden.
    let room = bound.saturating_sub(note(text.len()).len());
    let head = text.floor_char_boundary(room.saturating_mul(2) / 3);
    let tail = text.ceil_char_boundary(text.len().saturating_sub(room.saturating_sub(head)));
    let (begin, end) = (text.get(..head).unwrap_or_default(), text.get(tail..).unwrap_or_default());
    format!("{begin}{}{end}", note(tail.saturating_sub(head)))
}

fn note(hidden: usize) -> String {
    format!(" … [{hidden} bytes hidden] … ")
}

#[cfg(test)]
mod tests;
