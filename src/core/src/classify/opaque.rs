//! Opaque text: nothing of it is understood, and the deny list is looked for all the same.
//!
//! Enters: shell text or code. Leaves: an entry of the deny list that it could hit, and the strictest tier of any
//! program that it names. The text is cut into rough words twice, with quotes taken away and with quotes as blanks, so
//! that `r"m" -rf /` and `["rm", "-rf", "/"]` are both seen. Linear; takes too much rather than too little.

use super::deny::{self, Hit};
use super::kind::Word;
use super::rules::Rules;
use super::table::Node;
use crate::path::CleanPath;
use crate::tier::Tier;

/// What opaque text could do.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) denied: Option<Hit>,
    pub(super) strictest: Option<Tier>,
}

/// Looks through opaque text.
pub(super) fn scan(rules: &Rules, text: &str, cwd: Option<&CleanPath>) -> Scan {
    let mut scan = Scan { denied: deny::named(text).or_else(|| fork_bomb(text)), strictest: None };
    for quotes in [Quotes::Vanish, Quotes::Separate] {
        let mut here = cwd.cloned();
        for sentence in sentences(text, quotes) {
            let words: Vec<Word<'_>> = sentence
                .iter()
                .map(|word| Word { wild: word.contains(['*', '?', '[']), text: word.as_str().into() })
                .collect();
            if let [cd, target, ..] = words.as_slice()
                && *cd.text == *"cd"
            {
                here = here.and_then(|cwd| cwd.join(&target.text).ok());
            }
            scan.denied = scan.denied.or_else(|| deny::anywhere(&words, here.as_ref()).or_else(|| redirection(&words)));
            scan.strictest = scan.strictest.max(strictest(rules, &words, |node| node.worst));
        }
    }
    scan
}

/// The strictest that any program named by these words could be.
pub(super) fn strictest(rules: &Rules, words: &[Word<'_>], measure: fn(&Node) -> Tier) -> Option<Tier> {
    let names = words.iter().map(|word| word.text.rsplit('/').next().unwrap_or_default());
    names
        .filter(|name| name.len() <= 64)
        .filter_map(|name| rules.lookup(name))
        .flat_map(|entry| entry.defining())
        .map(measure)
        .max()
}

/// `> /dev/sda`, whatever stands before it.
fn redirection(words: &[Word<'_>]) -> Option<Hit> {
    let mut before = false;
    for word in words {
        let text = word.text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '>' || c == '|' || c == '&');
        let here = before || text.len() < word.text.len();
        if here && let Some(hit) = deny::write(text, false) {
            return Some(hit);
        }
        before = text.is_empty();
    }
    None
}

/// A function that pipes itself into itself in the background: `f(){ f|f& };f`.
fn fork_bomb(text: &str) -> Option<Hit> {
    let dense: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let mut from = 0_usize;
    while let Some(found) = dense.get(from..).and_then(|rest| rest.find("(){")) {
        let at = from.saturating_add(found);
        let head = dense.get(..at).unwrap_or_default();
        let start = head.rfind([';', '&', '|', '\n', '{', '}', '(', ')']).map_or(0, |place| place.saturating_add(1));
        let name = head.get(start.max(from)..).unwrap_or_default();
        let body = dense.get(at..).and_then(|rest| rest.split('}').next()).unwrap_or_default();
        let itself = body.match_indices(name).take(8).count();
        if !name.is_empty() && name.len() <= 64 && itself >= 2 && body.contains('|') && body.contains('&') {
            return Some(deny::FORK_BOMB);
        }
        from = at.saturating_add(3);
    }
    None
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quotes {
    Vanish,
    Separate,
}

/// The text as rough words, in the groups that separators make.
fn sentences(text: &str, quotes: Quotes) -> Vec<Vec<String>> {
    let mut sentences = Vec::new();
    let mut sentence: Vec<String> = Vec::new();
    let mut word = String::new();
    let text = text.replace("${IFS}", " ").replace("$IFS", " ");
    let end_word = |word: &mut String, sentence: &mut Vec<String>| {
        if !word.is_empty() {
            sentence.push(std::mem::take(word));
        }
    };
    for letter in text.chars() {
        match letter {
            '\'' | '"' | '\\' if quotes == Quotes::Vanish => {}
            '\'' | '"' | ',' | '\\' if quotes == Quotes::Separate => end_word(&mut word, &mut sentence),
            '[' | ']' if quotes == Quotes::Separate => end_word(&mut word, &mut sentence),
            ' ' | '\t' | '\r' => end_word(&mut word, &mut sentence),
            ';' | '\n' | '|' | '&' | '(' | ')' | '{' | '}' | '`' => {
                end_word(&mut word, &mut sentence);
                if !sentence.is_empty() {
                    sentences.push(std::mem::take(&mut sentence));
                }
            }
            other => word.push(other),
        }
    }
    end_word(&mut word, &mut sentence);
    if !sentence.is_empty() {
        sentences.push(sentence);
    }
    sentences
}
