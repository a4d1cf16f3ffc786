//! Output given back as text for an agent: a program's bytes, which may try to steer a terminal or a reader.
//!
//! Enters: raw output. Leaves: UTF-8 with lines and tabs, and nothing else that acts: terminal sequences are dropped,
//! other controls and invisible characters written out, what looks like a secret gone. The raw bytes reach a caller
//! only through a descriptor of its own.

use std::iter::Peekable;
use std::str::Chars;

use super::{is_plain, write_out};
use crate::redact::Secrets;

/// Makes output readable as text, in at most `bound` bytes. `length` is that of all of the output, of which `output` may
/// be the beginning; what is missing is said at the end, inside the bound. Neither what looks like a secret nor one of
/// `secrets` is in it, and of what the end of `output` cuts through, no beginning.
#[must_use]
pub fn for_agent(output: &[u8], length: u64, bound: usize, secrets: &Secrets) -> String {
    let text = without_sequences(&String::from_utf8_lossy(output));
    let unread = length.saturating_sub(u64::try_from(output.len()).unwrap_or(u64::MAX));
    let known = if unread == 0 { text.as_str() } else { whole_words(&text) };
    let unseen = unread.saturating_add(u64::try_from(text.len().saturating_sub(known.len())).unwrap_or(u64::MAX));
    let clean = secrets.text(&if unread == 0 { known.to_owned() } else { secrets.hidden_in_beginning(known) });
    if clean.len() <= bound && unseen == 0 {
        return clean;
    }
    let note = |cut: usize| {
        let hidden = u64::try_from(cut).unwrap_or(u64::MAX).saturating_add(unseen);
        format!("\n[{hidden} bytes hidden]")
    };
    let room = clean.floor_char_boundary(bound.saturating_sub(note(clean.len()).len()));
    let kept = clean.get(..room).unwrap_or_default();
    let said = format!("{kept}{}", note(clean.len().saturating_sub(room)));
    said.get(..said.floor_char_boundary(bound)).unwrap_or_default().to_owned()
}

/// The longest word that is left out where the end of what is known may have cut through it.
const LONGEST_CUT: usize = 8 * 1_024;

/// What is known without its last word, which may be the beginning of a secret that nobody can tell by its beginning.
fn whole_words(text: &str) -> &str {
    let least = text.ceil_char_boundary(text.len().saturating_sub(LONGEST_CUT));
    let (before, end) = text.split_at_checked(least).unwrap_or((text, ""));
    let last = end.rfind(char::is_whitespace).unwrap_or(0);
    text.get(..before.len().saturating_add(last)).unwrap_or(before)
}

fn without_sequences(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\u{9b}' => skip_control_sequence(&mut chars),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => skip_string(&mut chars),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' | '\t' => out.push(c),
            c if is_plain(c) => out.push(c),
            c => write_out(&mut out, c),
        }
    }
    out
}

/// What follows ESC: a control sequence, a string, or intermediate bytes and one final byte.
fn skip_escape(chars: &mut Peekable<Chars<'_>>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            skip_control_sequence(chars);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            chars.next();
            skip_string(chars);
        }
        _ => {
            while chars.next_if(|c| matches!(c, ' '..='/')).is_some() {}
            chars.next_if(|c| matches!(c, '0'..='~'));
        }
    }
}

/// CSI: parameters, intermediates, one final byte.
fn skip_control_sequence(chars: &mut Peekable<Chars<'_>>) {
    while chars.next_if(|c| matches!(c, ' '..='?')).is_some() {}
    chars.next_if(|c| matches!(c, '@'..='~'));
}

/// OSC, DCS, SOS, PM, APC: up to BEL or ST. One that is never ended ends with its line, so that it cannot swallow all.
fn skip_string(chars: &mut Peekable<Chars<'_>>) {
    while let Some(c) = chars.next_if(|c| *c != '\n') {
        if matches!(c, '\u{7}' | '\u{9c}') {
            return;
        }
        if c == '\u{1b}' {
            chars.next_if_eq(&'\\');
            return;
        }
    }
}
