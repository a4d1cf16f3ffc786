//! The form of a record, checked byte by byte: one pass, nothing copied.
//!
//! ```text
//!   body ──look──▶ Glance      each member at its place in MEMBERS, each value of its Shape, nothing besides
//! ```
//!
//! Enters: bytes. Leaves: the few members that tie a record to its log, if the bytes are a record in the form of RFC
//! 8785 as far as a record uses it: no blanks, members sorted and each there once, strings with the shortest escapes,
//! whole numbers only, and nothing empty: no `null`, no `[]`, no `{}`. It never says what is wrong: [`Record::parse`]
//! does.
//!
//! [`Record::parse`]: super::Record::parse

use super::shape::{MEMBERS, Member, Shape};
use super::{Glance, MAX_NUMBER, Phase, VERSION};
use crate::time::Moment;

/// Every phase by its name.
const PHASES: [(&[u8], Phase); 14] = [
    (b"start", Phase::Start),
    (b"end", Phase::End),
    (b"load", Phase::Load),
    (b"plan", Phase::Plan),
    (b"final", Phase::Final),
    (b"intent", Phase::Intent),
    (b"result", Phase::Result),
    (b"stop", Phase::Stop),
    (b"clear", Phase::Clear),
    (b"hold", Phase::Hold),
    (b"resume", Phase::Resume),
    (b"mark-tainted", Phase::MarkTainted),
    (b"clear-taint", Phase::ClearTaint),
    (b"rotate", Phase::Rotate),
];

/// What these bytes are at a glance; nothing if they are no record in this form.
pub(super) fn look(body: &[u8]) -> Option<Glance> {
    std::str::from_utf8(body).ok()?;
    let (mut seq, mut prev, mut phase, mut kind, mut id, mut version) = (None, None, None, None, None, None);
    let (mut time, mut commits) = (None, false);
    let rest = object(body, MEMBERS, &mut |name, value| match name {
        "seq" => seq = number(value),
        "v" => version = number(value),
        "prev" => prev = unquoted(value),
        "phase" => phase = unquoted(value),
        "kind" => kind = unquoted(value),
        "id" => id = Some(value),
        "time" => time = number(value),
        "commitment" => commits = true,
        _ => {}
    })?;
    let (_, phase) = PHASES.into_iter().find(|(name, _)| Some(*name) == phase)?;
    let this_version = version.is_some_and(|(version, _)| version == u64::from(VERSION));
    if !rest.is_empty() || !this_version || kind != Some(phase.kind().name().as_bytes()) {
        return None;
    }
    let text = |bytes| std::str::from_utf8(bytes).ok();
    let id = match id {
        Some(id) => Some(text(unquoted(id)?)?.parse().ok()?),
        None => None,
    };
    let time = Moment::from_millis(time?.0);
    Some(Glance { seq: seq?.0, prev: text(prev?)?.parse().ok()?, phase, id, time, commits })
}

/// What is between the quotes of a string that is known to be one.
fn unquoted(string: &[u8]) -> Option<&[u8]> {
    string.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

/// What follows one value of this shape; nothing if it is none.
fn value<'a>(rest: &'a [u8], shape: &Shape) -> Option<&'a [u8]> {
    let text = |good: &dyn Fn(&[u8]) -> bool| {
        let (text, after) = string(rest.strip_prefix(b"\"")?)?;
        good(text).then_some(after)
    };
    match shape {
        Shape::Text => text(&|_| true),
        Shape::Present => text(&|text| !text.is_empty()),
        Shape::Word(words) => text(&|text| words.iter().any(|word| word.as_bytes() == text)),
        Shape::Hex(digits) => {
            let is_digit = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
            // All of them are looked at, so that many are at once.
            text(&|text| text.len() == *digits && text.iter().fold(true, |good, digit| good & is_digit(digit)))
        }
        Shape::Decimal => text(&is_decimal),
        Shape::Name => text(&is_name),
        Shape::Number(most) => number(rest).filter(|(number, _)| number <= most).map(|(_, after)| after),
        Shape::Signed => signed(rest),
        Shape::Flag => rest.strip_prefix(b"true").or_else(|| rest.strip_prefix(b"false")),
        Shape::List(each) => list(rest, each),
        Shape::Object(members) => object(rest, members, &mut |_, _| {}),
        Shape::Either(word, one) if rest.first() == Some(&b'{') => {
            let mut count = 0_u8;
            let Shape::Object(members) = one else { return value(rest, word) };
            let after = object(rest, members, &mut |_, _| count = count.saturating_add(1))?;
            (count == 1).then_some(after)
        }
        Shape::Either(word, _) => value(rest, word),
    }
}

/// What follows an object of these members, each of which is shown as it is passed. Those of the table are sorted, so
/// that one in another place, or there twice, is met as one that is not in the rest of the table.
fn object<'a>(rest: &'a [u8], members: &[Member], visit: &mut dyn FnMut(&'static str, &'a [u8])) -> Option<&'a [u8]> {
    let mut rest = rest.strip_prefix(b"{")?;
    let mut table = members.iter();
    loop {
        let (name, after) = string(rest.strip_prefix(b"\"")?)?;
        let member = loop {
            let member = table.next()?;
            if member.name.as_bytes() == name {
                break member;
            }
            if member.needed {
                return None;
            }
        };
        let begin = after.strip_prefix(b":")?;
        let after = value(begin, &member.shape)?;
        visit(member.name, begin.split_at_checked(begin.len().checked_sub(after.len())?)?.0);
        let (next, after) = after.split_first()?;
        match next {
            b',' => rest = after,
            b'}' => return table.all(|member| !member.needed).then_some(after),
            _ => return None,
        }
    }
}

/// What follows a list of values of this shape, of which there is at least one.
fn list<'a>(rest: &'a [u8], each: &Shape) -> Option<&'a [u8]> {
    let mut rest = rest.strip_prefix(b"[")?;
    loop {
        let (next, after) = value(rest, each)?.split_first()?;
        match next {
            b',' => rest = after,
            b']' => return Some(after),
            _ => return None,
        }
    }
}

/// A whole number of 64 bits as text, in the one way in which it is written.
fn is_decimal(text: &[u8]) -> bool {
    let digits = text.iter().all(u8::is_ascii_digit) && (text == b"0" || !text.starts_with(b"0"));
    digits && std::str::from_utf8(text).is_ok_and(|text| text.parse::<u64>().is_ok())
}

/// The name of a profile.
fn is_name(text: &[u8]) -> bool {
    let letters = text.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    letters && text.len() <= 32 && text.first().is_some_and(u8::is_ascii_lowercase)
}

/// What follows a number of 32 bits with a sign.
fn signed(rest: &[u8]) -> Option<&[u8]> {
    let (most, digits) = match rest.strip_prefix(b"-") {
        Some(digits) => (i32::MIN.unsigned_abs(), digits),
        None => (i32::MAX.unsigned_abs(), rest),
    };
    let (number, after) = number(digits)?;
    (number <= u64::from(most) && (number != 0 || digits.len() == rest.len())).then_some(after)
}

/// A string that is already open: what is between the quotes, and what follows.
fn string(open: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = open;
    loop {
        let plain = rest.iter().position(|byte| matches!(byte, 0..=0x1f | b'"' | b'\\'))?;
        let (first, after) = rest.split_at_checked(plain)?.1.split_first()?;
        match first {
            b'"' => {
                return Some((
                    open.split_at_checked(open.len().checked_sub(rest.len())?.checked_add(plain)?)?.0,
                    after,
                ));
            }
            b'\\' => rest = escape(after)?,
            _ => return None,
        }
    }
}

/// What follows an escape, if there is no shorter way to write that character.
fn escape(rest: &[u8]) -> Option<&[u8]> {
    match rest {
        [b'b' | b't' | b'n' | b'f' | b'r' | b'"' | b'\\', after @ ..] => Some(after),
        [b'u', b'0', b'0', b'0', b'0'..=b'7' | b'b' | b'e' | b'f', after @ ..] => Some(after),
        [b'u', b'0', b'0', b'1', b'0'..=b'9' | b'a'..=b'f', after @ ..] => Some(after),
        _ => None,
    }
}

/// A whole number without a sign, and what follows.
fn number(rest: &[u8]) -> Option<(u64, &[u8])> {
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, after) = rest.split_at_checked(digits)?;
    let leading = digits.first()? == &b'0' && digits.len() > 1;
    let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (!leading && number <= MAX_NUMBER).then_some((number, after))
}

#[cfg(test)]
mod tests;
