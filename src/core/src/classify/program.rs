//! Programs: which table speaks for a command, and what its words mean to that table.
//!
//! Enters: words and a table. Leaves: the flags and operands in it, as the program itself would read them, and every
//! word that was not understood. Never decides anything: see `weigh.rs`.

use super::kind::{DIGITS, Kind, Word};
use super::raw::Style;
use super::table::{Flag, Node};
use crate::path::CleanPath;

/// Where programs are that may be trusted to be what their name says.
const DIRECTORIES: [&str; 6] = ["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/local/sbin"];

/// So many words that are not understood make it pointless to look what each could mean.
pub(super) const MANY_UNKNOWN: usize = 32;

/// A program's name, and whether it is in a place where such a program belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Located {
    pub(super) name: String,
    pub(super) usual: bool,
}

/// The program that a first word means.
pub(super) fn locate(word: &Word<'_>, cwd: Option<&CleanPath>) -> Located {
    if !word.text.contains('/') {
        return Located { name: word.text.clone().into_owned(), usual: !word.wild };
    }
    let absolute = match cwd {
        Some(cwd) => cwd.join(&word.text).ok(),
        None => CleanPath::new(&word.text).ok(),
    };
    let text = absolute.as_ref().map_or(&*word.text, CleanPath::as_str);
    let (directory, name) = text.rsplit_once('/').unwrap_or(("", text));
    let usual = word.text.starts_with('/') && absolute.is_some() && DIRECTORIES.contains(&directory);
    Located { name: name.to_owned(), usual }
}

/// A flag that is there.
#[derive(Debug)]
pub(super) struct Seen<'n, 'w> {
    pub(super) flag: &'n Flag,
    /// The level of the table that has it: 0 is the program.
    pub(super) level: usize,
    /// The word it stands in.
    pub(super) at: usize,
    pub(super) value: Value<'w>,
}

/// What a flag was given.
#[derive(Debug)]
pub(super) enum Value<'w> {
    None,
    /// The rest of its own word.
    Attached(&'w str),
    /// The words after it, from and to.
    Words(usize, usize),
}

impl Value<'_> {
    /// The words of the value.
    pub(super) fn words<'a>(&'a self, all: &'a [Word<'a>], at: usize) -> std::borrow::Cow<'a, [Word<'a>]> {
        match self {
            Self::None => (&[][..]).into(),
            Self::Attached(text) => {
                let wild = all.get(at).is_some_and(|word| word.wild);
                vec![Word { text: (*text).into(), wild }].into()
            }
            Self::Words(from, to) => all.get(*from..*to).unwrap_or_default().into(),
        }
    }
}

/// A word that the table does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    /// A flag, or one that could be a flag once a shell expanded it.
    Flag,
    /// A flag whose value is missing.
    Missing,
    /// A subcommand.
    Subcommand,
}

/// A command as its table reads it.
#[derive(Debug)]
pub(super) struct Reading<'n, 'w> {
    /// From the program to the last subcommand.
    pub(super) path: Vec<&'n Node>,
    /// The rule ids of all of them, joined, and where each ends.
    id: String,
    ends: Vec<usize>,
    pub(super) seen: Vec<Seen<'n, 'w>>,
    /// The places of the operands.
    pub(super) operands: Vec<usize>,
    pub(super) unknown: Vec<(usize, Unknown)>,
}

impl<'n> Reading<'n, '_> {
    /// The table of the last subcommand.
    pub(super) fn node(&self) -> Option<&'n Node> {
        self.path.last().copied()
    }

    /// The rule id of the last subcommand.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The rule id of the table at a level.
    pub(super) fn id_at(&self, level: usize) -> &str {
        self.ends.get(level).and_then(|end| self.id.get(..*end)).unwrap_or(&self.id)
    }

    fn enter(&mut self, node: &'n Node, name: &str) {
        if !self.path.is_empty() {
            self.id.push('.');
        }
        self.id.push_str(node.own_id(name));
        self.ends.push(self.id.len());
        self.path.push(node);
    }

    /// Whether a flag is there, by its first name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.seen.iter().any(|seen| *seen.flag.name == *name)
    }

    /// Whether of each group of flags one is there, and of those that are excluded none.
    pub(super) fn allows(&self, has: &[Vec<Box<str>>], lacks: &[Box<str>]) -> bool {
        has.iter().all(|group| group.iter().any(|name| self.has(name))) && !lacks.iter().any(|name| self.has(name))
    }
}

/// Reads a command's words, the program first. Flags that this table does not know are looked up in `beside`, the
/// table that ships, so that an administrator's addition need not repeat which flags take values.
pub(super) fn read<'n, 'w>(
    (name, root): (&str, &'n Node),
    beside: Option<&'n Node>,
    words: &'w [Word<'_>],
) -> Reading<'n, 'w> {
    let mut reading =
        Reading { path: vec![], id: String::new(), ends: vec![], seen: vec![], operands: vec![], unknown: vec![] };
    reading.enter(root, name);
    let mut cursor = Cursor { words, at: 1, ended: false, beside: beside.into_iter().collect(), reading };
    while let Some(word) = words.get(cursor.at) {
        cursor.word(word);
    }
    cursor.reading
}

struct Cursor<'n, 'w, 'a> {
    words: &'w [Word<'a>],
    at: usize,
    ended: bool,
    beside: Vec<&'n Node>,
    reading: Reading<'n, 'w>,
}

impl<'n, 'w> Cursor<'n, 'w, '_> {
    fn style(&self) -> Style {
        let speaks = self.beside.last().or(self.reading.path.last());
        speaks.map_or(Style::Getopt, |node| node.style)
    }

    fn word(&mut self, word: &'w Word<'_>) {
        let text: &'w str = &word.text;
        let at = self.at;
        self.at = at.saturating_add(1);
        if self.ended {
            return self.operand(at, text);
        }
        if text == "--" {
            self.ended = true;
        } else if self.whole(at, text) {
        } else if word.wild && text.starts_with(['*', '?', '[']) {
            self.reading.unknown.push((at, Unknown::Flag));
            self.operand(at, text);
        } else if text.len() > 1 && text.starts_with('-') {
            self.flag(at, text);
        } else if at == 1 && self.reading.path.first().is_some_and(|root| root.bundle) {
            self.bundle(at, text);
        } else {
            self.operand(at, text);
        }
    }

    /// Flags without a hyphen: their values are the words that follow, in order, and never the rest of this word. Only
    /// a last flag with a value is read so.
    fn bundle(&mut self, at: usize, letters: &'w str) {
        let takes = |letter: char| self.find(&format!("-{letter}")).is_some_and(|(_, flag)| !flag.values.is_empty());
        if letters.chars().rev().skip(1).any(takes) {
            self.reading.unknown.push((at, Unknown::Flag));
        }
        self.cluster(at, letters);
    }

    fn operand(&mut self, at: usize, text: &str) {
        let first = self.reading.operands.is_empty();
        let node = self.reading.node();
        if first && let Some(sub) = node.and_then(|node| node.subs.get(text)) {
            self.reading.enter(sub, text);
            if let Some(beside) = self.beside.last().and_then(|node| node.subs.get(text)) {
                self.beside.push(beside);
            }
            return;
        }
        if first
            && node.is_some_and(|node| {
                !node.subs.is_empty() && node.shape.is_none() && node.forms.iter().all(|form| form.shape.is_none())
            })
        {
            self.reading.unknown.push((at, Unknown::Subcommand));
        }
        self.reading.operands.push(at);
        self.ended |= self.style() == Style::Posix;
    }

    /// A flag by one of its names, and the level of its table.
    fn find(&self, name: &str) -> Option<(usize, &'n Flag)> {
        let in_node = |node: &&'n Node| node.by_name.get(name).and_then(|place| node.flags.get(*place));
        let own = self.reading.path.iter().enumerate().rev();
        own.chain(self.beside.iter().enumerate().rev())
            .find_map(|(level, node)| in_node(node).map(|flag| (level, flag)))
    }

    /// A word that is a flag by itself: `--long`, `-name`, `(`, `if=file`.
    fn whole(&mut self, at: usize, text: &'w str) -> bool {
        let long = self.style() == Style::Long;
        if text.starts_with("--") || long || !text.starts_with('-') {
            if (long || text.starts_with('-'))
                && let Some(found) = self.find(text)
            {
                self.take(at, found);
                return true;
            }
            let Some((name, value)) = text.split_once('=') else { return false };
            let assigned = text.get(..name.len().saturating_add(1)).unwrap_or_default();
            let dashed = text.starts_with('-');
            if let Some((level, flag)) = if dashed { self.find(name) } else { self.find(assigned) } {
                let known = !dashed || !flag.values.is_empty();
                if !known {
                    self.reading.unknown.push((at, Unknown::Flag));
                }
                self.reading.seen.push(Seen { flag, level, at, value: Value::Attached(value) });
                return true;
            }
        }
        false
    }

    fn flag(&mut self, at: usize, text: &'w str) {
        let digits = text.trim_start_matches('-');
        if digits.bytes().all(|byte| byte.is_ascii_digit())
            && let Some((level, flag)) = self.find(DIGITS)
        {
            self.reading.seen.push(Seen { flag, level, at, value: Value::None });
        } else if text.starts_with("--") {
            self.reading.unknown.push((at, Unknown::Flag));
            self.abbreviated(at, text);
        } else if self.style() == Style::Long {
            self.reading.unknown.push((at, Unknown::Flag));
        } else {
            self.cluster(at, text.trim_start_matches('-'));
        }
    }

    /// `--recurs` may mean `--recursive`: not understood, but what it could mean counts.
    fn abbreviated(&mut self, at: usize, text: &str) {
        let name = text.split_once('=').map_or(text, |(name, _)| name);
        if self.reading.unknown.len() > MANY_UNKNOWN {
            return;
        }
        let nodes: Vec<&'n Node> = self.reading.path.clone();
        for (level, node) in nodes.into_iter().enumerate() {
            for (full, place) in &node.by_name {
                if name.len() > 2
                    && full.starts_with(name)
                    && let Some(flag) = node.flags.get(*place)
                {
                    self.reading.seen.push(Seen { flag, level, at, value: Value::None });
                }
            }
        }
    }

    /// Short flags that share a word; the first that takes a value takes the rest.
    fn cluster(&mut self, at: usize, letters: &'w str) {
        let mut name = String::with_capacity(8);
        let mut met = 0_u128;
        for (offset, letter) in letters.char_indices() {
            // A letter that was met before in this word adds nothing: a word of any length costs 128 look-ups.
            let bit = 1_u128.checked_shl(u32::from(letter)).unwrap_or(0);
            if met & bit != 0 {
                continue;
            }
            met |= bit;
            name.clear();
            name.push('-');
            name.push(letter);
            let rest = letters.get(offset.saturating_add(letter.len_utf8())..).unwrap_or_default();
            match self.find(&name) {
                None if bit == 0 => return self.reading.unknown.push((at, Unknown::Flag)),
                None => self.reading.unknown.push((at, Unknown::Flag)),
                Some((level, flag)) if flag.values.is_empty() => {
                    self.reading.seen.push(Seen { flag, level, at, value: Value::None });
                }
                Some((level, flag)) if !rest.is_empty() => {
                    self.reading.seen.push(Seen { flag, level, at, value: Value::Attached(rest) });
                    return;
                }
                Some(found) => return self.take(at, found),
            }
        }
    }

    /// A flag whose values, if it has any, are the words that follow.
    fn take(&mut self, at: usize, (level, flag): (usize, &'n Flag)) {
        if flag.values.is_empty() || flag.optional {
            self.reading.seen.push(Seen { flag, level, at, value: Value::None });
            return;
        }
        let from = self.at;
        let to = match flag.values.first() {
            Some(Kind::CommandUntil) => self.end_of_command(from),
            Some(Kind::Command) => self.words.len(),
            _ => from.saturating_add(flag.values.len()),
        };
        if to > self.words.len() || to == from {
            self.reading.unknown.push((at, Unknown::Missing));
        }
        let to = to.min(self.words.len());
        self.reading.seen.push(Seen { flag, level, at, value: Value::Words(from, to) });
        self.at = if matches!(flag.values.first(), Some(Kind::CommandUntil)) { to.saturating_add(1) } else { to };
    }

    /// The place of the `;`, or of a `+` after `{}`, that ends a command in `find`.
    fn end_of_command(&self, from: usize) -> usize {
        let rest = self.words.get(from..).unwrap_or_default();
        let ends = |index: usize, word: &Word<'_>| {
            let before = index.checked_sub(1).and_then(|before| rest.get(before));
            *word.text == *";" || (*word.text == *"+" && before.is_some_and(|before| *before.text == *"{}"))
        };
        let length = rest.iter().enumerate().position(|(index, word)| ends(index, word));
        from.saturating_add(length.unwrap_or(rest.len()))
    }
}
