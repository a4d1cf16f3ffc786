//! Opaque text: nothing of it is understood, and the deny list is looked for all the same.
//!
//! Enters: shell text or code. Leaves: an entry of the deny list that it could hit, and the strictest tier of any
//! program that it names. The text is cut into rough words twice, with quotes taken away and with quotes as blanks, so
//! that `r"m" -rf /` and `["rm", "-rf", "/"]` are both seen. Linear; takes too much rather than too little.

use super::deny::{self, Hit};
use super::kind::{Word, assigned_name};
use super::rules::Rules;
use super::shell;
use super::table::Node;
use super::wrap::moved_to;
use crate::path::CleanPath;
use crate::tier::Tier;

/// The most rough words that are looked at; a text with more is refused.
const MAX_WORDS: usize = 2_048;
/// The most functions that are looked at; a text with more is refused.
const MAX_FUNCTIONS: usize = 64;
/// The most changes of directory that are followed.
const MAX_MOVES: usize = 8;

/// What opaque text could do.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) denied: Option<Hit>,
    /// The strictest that any program among its words is at least.
    pub(super) strictest: Option<Tier>,
    /// What looks like commands, to be weighed as such.
    pub(super) commands: Vec<Rough>,
}

/// Something that looks like a command.
#[derive(Debug)]
pub(super) struct Rough {
    pub(super) words: Vec<Word<'static>>,
    /// Files that its output seems to go to.
    pub(super) written: Vec<Word<'static>>,
}

/// Looks through opaque text; nothing if it has more words than are looked at.
pub(super) fn scan(rules: &Rules, text: &str, cwd: Option<&CleanPath>) -> Option<Scan> {
    let denied = deny::named(text).or(fork_bomb(text.as_bytes())?);
    let mut scan = Scan { denied, ..Scan::default() };
    // A shell's usual way to write a blank without a blank.
    let spaced = if text.contains("IFS") { text.replace("${IFS}", " ").replace("$IFS", " ") } else { text.to_owned() };
    for quotes in [Quotes::Vanish, Quotes::Separate] {
        let mut here = (cwd.cloned(), 0_usize);
        let mut rest = spaced.as_str();
        let mut words = 0_usize;
        while !rest.is_empty() {
            let (sentence, after) = sentence(rest, quotes);
            rest = after;
            if sentence.is_empty() {
                continue;
            }
            words = words.saturating_add(sentence.len());
            if words > MAX_WORDS {
                return None;
            }
            scan.look(rules, &sentence, &mut here);
            scan.commands
                .extend(Some(quotes).filter(|quotes| *quotes == Quotes::Vanish).and_then(|_| command(rules, sentence)));
        }
    }
    Some(scan)
}

impl Scan {
    fn look(&mut self, rules: &Rules, words: &[Word<'_>], (cwd, moves): &mut (Option<CleanPath>, usize)) {
        if let [cd, target, ..] = words
            && *cd.text == *"cd"
        {
            *moves = moves.saturating_add(1);
            *cwd = if *moves <= MAX_MOVES { moved_to(cwd.take(), &target.text) } else { None };
        }
        self.denied = self.denied.or_else(|| deny::anywhere(words, cwd.as_ref()));
        self.strictest = self.strictest.max(strictest(rules, words, |node| node.says.tier));
    }
}

/// The strictest that any program named by these words could be.
pub(super) fn strictest(rules: &Rules, words: &[Word<'_>], measure: fn(&Node) -> Tier) -> Option<Tier> {
    let names = words.iter().filter_map(|word| match word.text.rsplit_once('/') {
        Some((directory, name)) => directory.ends_with("bin").then_some(name),
        None => Some(&*word.text),
    });
    let plausible = names.filter(|name| (2..=64).contains(&name.len()));
    plausible.filter_map(|name| rules.lookup(name)).flat_map(|(_, entry)| entry.defining()).map(measure).max()
}

/// A sentence as a command, if after a shell's own words it begins with a program that the rules know or sends its
/// output to a file.
fn command(rules: &Rules, sentence: Vec<Word<'_>>) -> Option<Rough> {
    let mut rough = Rough { words: Vec::new(), written: Vec::new() };
    let mut into = false;
    for word in sentence {
        let bare = word.text.trim_start_matches(|c: char| c.is_ascii_digit());
        let bare = if bare.starts_with("<>") { bare.trim_start_matches('<') } else { bare };
        let path = bare.trim_start_matches('>');
        let arrow = path.len() < bare.len();
        let owned = |text: &str| Word { text: text.to_owned().into(), wild: word.wild };
        if arrow || into {
            // A number is a descriptor.
            let file = !path.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
            rough.written.extend(Some(path).filter(|_| file).map(owned));
            into = arrow && path.is_empty();
        } else if !rough.words.is_empty() || !(shell::is_reserved(&word.text) || assigned_name(&word.text).is_some()) {
            rough.words.push(owned(&word.text));
        }
    }
    let known = rough
        .words
        .first()
        .is_some_and(|first| rules.lookup(first.text.rsplit('/').next().unwrap_or_default()).is_some());
    if !known {
        rough.words.clear();
    }
    (known || !rough.written.is_empty()).then_some(rough)
}

/// A function that pipes itself into itself in the background: `f(){ f|f& };f`. Outer nothing: too many functions.
#[expect(clippy::option_option, reason = "whether it was looked at, and what was found")]
fn fork_bomb(text: &[u8]) -> Option<Option<Hit>> {
    const WINDOW: usize = 256;
    if ![b'(', b'{', b'|', b'&'].iter().all(|byte| text.contains(byte)) {
        return Some(None);
    }
    let dense: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let opens = dense.iter().enumerate().filter(|(at, byte)| {
        **byte == b'('
            && dense.get(at.saturating_add(1)) == Some(&b')')
            && dense.get(at.saturating_add(2)) == Some(&b'{')
    });
    for (count, (at, _)) in opens.enumerate() {
        if count >= MAX_FUNCTIONS {
            return None;
        }
        let head = dense.get(at.saturating_sub(64)..at).unwrap_or_default();
        let start = head.iter().rposition(|byte| b";&|{}()".contains(byte)).map_or(0, |place| place.saturating_add(1));
        let name = head.get(start..).unwrap_or_default();
        let from = at.saturating_add(3);
        let window = dense.get(from..dense.len().min(from.saturating_add(WINDOW))).unwrap_or_default();
        let body = window.split(|byte| *byte == b'}').next().unwrap_or_default();
        let calls = |part: &[u8]| part == name || part.strip_suffix(b"&") == Some(name);
        let itself = body.split(|byte| b"|;".contains(byte)).filter(|part| calls(part)).count();
        if !name.is_empty() && itself >= 2 && body.contains(&b'|') && body.contains(&b'&') {
            return Some(Some(deny::FORK_BOMB));
        }
    }
    Some(None)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quotes {
    Vanish,
    Separate,
}

/// What a byte means to a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Plain,
    Blank,
    End,
    Quote,
}

impl Meaning {
    const fn of(byte: u8) -> Self {
        match byte {
            b' ' | b'\t' | b'\r' => Self::Blank,
            b';' | b'\n' | b'|' | b'&' | b'(' | b')' | b'{' | b'}' | b'`' => Self::End,
            b'\'' | b'"' | b',' | b'\\' | b'[' | b']' => Self::Quote,
            _ => Self::Plain,
        }
    }
}

/// Rough words up to the next separator, and what comes after it.
fn sentence(text: &str, quotes: Quotes) -> (Vec<Word<'_>>, &str) {
    let bytes = text.as_bytes();
    let mut words = Vec::new();
    let mut at = 0_usize;
    let meaning = |byte: u8| match (Meaning::of(byte), quotes) {
        (Meaning::Quote, Quotes::Separate) => Meaning::Blank,
        (Meaning::Quote, Quotes::Vanish) => Meaning::Plain,
        (meaning, _) => meaning,
    };
    while let Some(byte) = bytes.get(at).copied() {
        // Beside an arrow it belongs to the arrow: `>& file`, `&> file`, `>| file`.
        let arrow = |at: Option<usize>| at.and_then(|at| bytes.get(at)) == Some(&b'>');
        let (after, before) = (arrow(at.checked_sub(1)), arrow(at.checked_add(1)));
        if (byte == b'&' && (after || before)) || (byte == b'|' && after) {
            at = at.saturating_add(1);
            continue;
        }
        if meaning(byte) == Meaning::End {
            return (words, text.get(at.saturating_add(1)..).unwrap_or_default());
        }
        if meaning(byte) == Meaning::Blank {
            at = at.saturating_add(1);
            continue;
        }
        let rest = bytes.get(at..).unwrap_or_default();
        let length = rest.iter().position(|byte| meaning(*byte) != Meaning::Plain).unwrap_or(rest.len());
        let length = before_arrow(rest.get(..length).unwrap_or_default());
        let end = at.saturating_add(length);
        words.push(rough(text.get(at..end).unwrap_or_default()));
        at = end;
    }
    (words, "")
}

/// How much of a word stands before an arrow that begins another: `x>file` is two, `2>file` and `<>file` are one.
fn before_arrow(word: &[u8]) -> usize {
    let first = word.iter().position(|byte| *byte == b'>').unwrap_or(word.len());
    let before = word.get(..first).unwrap_or_default();
    if first == word.len() || before == b"<" || before.iter().all(u8::is_ascii_digit) { word.len() } else { first }
}

/// A word without its quotes and backslashes.
fn rough(text: &str) -> Word<'_> {
    let (mut quoted, mut wild) = (false, false);
    for byte in text.bytes() {
        quoted |= matches!(byte, b'\'' | b'"' | b'\\');
        wild |= matches!(byte, b'*' | b'?' | b'[');
    }
    let bare = if quoted { text.replace(['\'', '"', '\\'], "").into() } else { text.into() };
    Word { text: bare, wild }
}
