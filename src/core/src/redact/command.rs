//! A command's words, one after the other: what those so far say about the next. The same for the words of a request
//! and for those inside a text for a shell.

use super::programs::{self, Operand, Place, Program};
use super::{MARKER, names, text};

/// Programs that run a text given after an option that ends in `c`, `e` or `r`.
const INTERPRETERS: [&str; 20] = [
    "ash", "bash", "busybox", "dash", "fish", "flock", "ksh", "lua", "mksh", "node", "perl", "php", "python", "ruby",
    "runuser", "script", "sh", "su", "toybox", "zsh",
];
/// Programs that hand all of their words to a shell.
const FORWARDERS: [&str; 4] = ["eval", "parallel", "ssh", "watch"];

/// The most that is kept of anything, so that each word costs the same.
const MAX_KNOWN: usize = 32;

/// What is known after the words so far.
#[derive(Default)]
pub(super) struct Command {
    /// The programs so far, with the operands since each or its subcommand: one may start the other.
    active: Vec<(&'static Program, usize)>,
    /// Known of the program, but its subcommand has not come.
    dormant: Vec<&'static Program>,
    interpreter: bool,
    next: Next,
    /// How far `-u user -p secret` has come.
    user: Account,
    /// The short options so far.
    given: String,
    begun: bool,
    /// Whether the word that is to be learnt is the value of an option, and so no operand.
    passed: bool,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Next {
    #[default]
    Anything,
    Secret,
    /// The value of the secret that was just named, which may follow an option: `-n password -v x`.
    Announced,
    /// A secret if it is a number.
    Number,
    /// The secret begins behind this byte.
    Behind(u8),
    /// The value of an option.
    Value,
    /// This and every later word may be run by a shell or an interpreter.
    Code,
}

/// Many programs that nobody lists take a user by `-u` and a password by the `-p` right after it.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Account {
    #[default]
    Unknown,
    /// `-u` came.
    Asked,
    /// The user came.
    Named,
    /// `-p` came: next is the password, unless it is a number, as ports are.
    Proven,
}

/// What of a word is a secret by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Nothing.
    None,
    /// These bytes.
    Secret { begin: usize, end: usize },
    /// Nothing, but a shell or an interpreter may run it.
    Code,
}

impl Command {
    /// Takes the secrets out of the next word.
    pub(super) fn word(&mut self, word: &str) -> String {
        match self.place(word) {
            Part::Secret { begin, end } => replace(word, begin, end),
            Part::Code => super::shell(word),
            Part::None => {
                let shown = by_itself(word);
                self.learn(&shown);
                shown
            }
        }
    }

    /// What of the next word is a secret by its place. The word itself is learnt only if nothing of it is.
    pub(super) fn place(&mut self, word: &str) -> Part {
        let whole = Part::Secret { begin: 0, end: word.len() };
        if self.proves(word) {
            return whole;
        }
        match std::mem::take(&mut self.next) {
            Next::Anything => {}
            Next::Code => {
                self.next = Next::Code;
                return Part::Code;
            }
            Next::Secret => return whole,
            Next::Announced => return self.announced(word),
            Next::Number if is_pin(word) => return whole,
            Next::Number => {}
            Next::Behind(byte) => return behind(word, 0, byte),
            Next::Value => {
                self.passed = true;
                return Part::None;
            }
        }
        match self.option(word) {
            Part::None => {}
            part @ (Part::Secret { .. } | Part::Code) => return part,
        }
        if word.starts_with('-') || self.next != Next::Anything {
            return Part::None;
        }
        match self.operand().map(|operand| operand.behind) {
            None => Part::None,
            Some(by) => {
                self.count();
                by.map_or(whole, |byte| behind(word, 0, byte))
            }
        }
    }

    /// Whether this is the password of `-u user -p password`. To a database client of that kind `-p` alone asks for one.
    fn proves(&mut self, word: &str) -> bool {
        let joined = self.options().any(|(option, place)| *option == "-p" && *place == Place::Joined);
        // What is the value of something else says nothing here, so that hiding it changes nothing.
        let free = self.next == Next::Anything;
        let (before, now) = (
            self.user,
            match (self.user, word) {
                (Account::Asked, _) => Account::Named,
                _ if !free => Account::Unknown,
                (_, "-u" | "-U" | "--user" | "--username") => Account::Asked,
                (Account::Named, "-p") if !joined => Account::Proven,
                _ => Account::Unknown,
            },
        );
        self.user = now;
        free && before == Account::Proven && may_be_a_password(&by_itself(word))
    }

    /// What of a word is the value of the secret before it. One that is a secret's name itself may be a name after all.
    fn announced(&mut self, word: &str) -> Part {
        let whole = Part::Secret { begin: 0, end: word.len() };
        match word.split_once('=') {
            Some((option, _)) if option.starts_with("--") => {
                Part::Secret { begin: option.len().saturating_add(1), end: word.len() }
            }
            None if word.starts_with('-') && word.len() == 2 => {
                self.next = Next::Announced;
                Part::None
            }
            Some(_) | None => {
                self.next = if names::is_secret(word) { Next::Announced } else { Next::Anything };
                whole
            }
        }
    }

    /// Whether the next operand is a secret.
    fn operand(&self) -> Option<&'static Operand> {
        self.active.iter().find_map(|(program, operands)| {
            let nth = operands.saturating_add(1);
            let given = |operand: &&Operand| operand.given.is_none_or(|given| self.given.contains(given));
            program.operands.iter().filter(given).find(|operand| operand.nth == nth)
        })
    }

    fn count(&mut self) {
        self.active.iter_mut().for_each(|(_, operands)| *operands = operands.saturating_add(1));
    }

    fn options(&self) -> impl Iterator<Item = &'static (&'static str, Place)> {
        self.active.iter().flat_map(|(program, _)| program.options)
    }

    fn option(&mut self, word: &str) -> Part {
        let found = self.options().find_map(|(option, place)| placed(word, option, *place));
        let Some((part, next)) = found else {
            self.bundle(word);
            return Part::None;
        };
        self.next = next;
        part
    }

    /// Several short options in one word, the last of which takes the next: `-sSu`.
    fn bundle(&mut self, word: &str) {
        let Some(letters) = word.strip_prefix('-').filter(|letters| is_letters(letters) && letters.len() > 1) else {
            return;
        };
        let last = letters.chars().next_back();
        let takes = self.options().any(|(option, place)| {
            option.len() == 2 && option.chars().next_back() == last && matches!(place, Place::Both | Place::Next)
        });
        if takes {
            self.next = Next::Secret;
        }
    }

    /// Learns from a word of which nothing is secret by its place.
    pub(super) fn learn(&mut self, word: &str) {
        let base = word.rsplit('/').next().unwrap_or(word);
        let bare = base.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        self.interpreter |= INTERPRETERS.contains(&bare);
        match word.strip_prefix('-') {
            Some(flag) => self.learn_flag(flag),
            None => self.learn_operand(word, base, bare),
        }
    }

    fn learn_operand(&mut self, word: &str, base: &str, bare: &str) {
        if std::mem::take(&mut self.passed) {
            return;
        }
        if FORWARDERS.contains(&bare) {
            self.next = Next::Code;
        }
        self.count();
        let announces = self.active.iter().any(|(program, _)| program.announces);
        let name = word.rsplit(['/', ':']).next().unwrap_or(word);
        if announces && self.next == Next::Anything && (names::is_secret(name) || names::is_secret_quoted(name)) {
            self.next = Next::Announced;
        }
        let (woken, dormant) = std::mem::take(&mut self.dormant).into_iter().partition(|known| known.under == word);
        self.dormant = dormant;
        self.begin(woken);
        // A file may be named like a program: what is no program by its directory is none.
        let begun = std::mem::replace(&mut self.begun, true);
        if !begun || !word.contains('/') || word.contains("bin/") {
            let (whole, parts) = programs::named(base).partition(|known| known.under.is_empty());
            self.dormant.extend::<Vec<_>>(parts);
            self.dormant.truncate(MAX_KNOWN);
            self.begin(whole);
        }
    }

    fn begin(&mut self, programs: Vec<&'static Program>) {
        let new = programs.into_iter().map(|program| (program, 0));
        self.active.retain(|(old, _)| new.clone().all(|(program, _)| !std::ptr::eq(*old, program)));
        self.active.extend(new);
        self.active.truncate(MAX_KNOWN);
    }

    fn learn_flag(&mut self, flag: &str) {
        if is_letters(flag) && self.given.len() < MAX_KNOWN {
            self.given.push_str(flag);
        }
        let last = flag.chars().next_back();
        let valued =
            flag.len() == 1 && self.active.iter().any(|(program, _)| last.is_some_and(|c| program.valued.contains(c)));
        if names::is_secret(flag.strip_prefix('-').unwrap_or(flag)) {
            self.next = Next::Secret;
        } else if flag.rsplit('-').next().is_some_and(|last| matches!(last, "pin" | "puk")) {
            self.next = Next::Number;
        } else if self.interpreter && flag.ends_with(['c', 'e', 'r']) && flag.bytes().all(|b| b.is_ascii_alphanumeric())
        {
            self.next = Next::Code;
        } else if valued && self.next == Next::Anything {
            self.next = Next::Value;
        }
    }

    /// Whether it takes a secret from its input, given all of its words.
    pub(super) fn reads_a_secret(&self, words: &[String]) -> bool {
        let with = |wanted: &str| wanted.is_empty() || words.iter().any(|word| word.starts_with(wanted));
        self.active.iter().any(|(program, _)| program.reads.is_some_and(with))
    }
}

/// What this option makes of a word, and of the next.
fn placed(word: &str, option: &str, place: Place) -> Option<(Part, Next)> {
    let rest = word.strip_prefix(option)?;
    match (place, rest.is_empty()) {
        (Place::Joined | Place::Both, false) => {
            Some((Part::Secret { begin: option.len(), end: word.len() }, Next::Anything))
        }
        (Place::Pair(byte), false) => {
            let equals = usize::from(rest.starts_with('=') && option.starts_with("--"));
            Some((behind(word, option.len().saturating_add(equals), byte), Next::Anything))
        }
        (Place::Next | Place::Both, true) => Some((Part::None, Next::Secret)),
        (Place::Pair(byte), true) => Some((Part::None, Next::Behind(byte))),
        (Place::Joined, true) | (Place::Next, false) => None,
    }
}

/// `word` with a marker for these bytes of it.
pub(super) fn replace(word: &str, begin: usize, end: usize) -> String {
    let (before, after) = (word.get(..begin).unwrap_or_default(), word.get(end..).unwrap_or_default());
    format!("{before}{MARKER}{after}")
}

/// What follows the first such byte from `from` on, which is not the first there: `bob%secret`. Up to the last `@` after `/`.
fn behind(word: &str, from: usize, byte: u8) -> Part {
    let bytes = word.as_bytes().get(from..).unwrap_or_default();
    let Some(at) = bytes.iter().position(|b| *b == byte).filter(|at| *at > 0) else { return Part::None };
    let begin = from.saturating_add(at).saturating_add(1);
    let end = word.rfind('@').filter(|at| byte == b'/' && *at > begin).unwrap_or(word.len());
    if begin < end { Part::Secret { begin, end } } else { Part::None }
}

/// A word without the secrets that it shows by itself, wherever it stands.
fn by_itself(word: &str) -> String {
    match assignment(word).or_else(|| pair(word)) {
        Some(name) => format!("{name}{MARKER}"),
        None => text(word),
    }
}

/// No option, no port and no path. Asked of what would be shown, so that hiding twice is hiding once; where a part is hidden
/// already, the rest is no better.
fn may_be_a_password(shown: &str) -> bool {
    let port = |byte: u8| byte.is_ascii_digit() || matches!(byte, b':' | b'.' | b'-' | b'/');
    let path = shown.contains('/') && !shown.contains(MARKER);
    !shown.starts_with('-') && !shown.bytes().all(port) && !path
}

/// A number as cards and keys have them.
fn is_pin(word: &str) -> bool {
    (4..=12).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// `--auth=user:secret` and its like: the user stays.
fn pair(word: &str) -> Option<&str> {
    const NAMES: [&str; 5] = ["auth", "basicauth", "creds", "login", "userpass"];
    let (name, value) = word.split_once('=')?;
    let last = name.trim_start_matches('-').rsplit(['.', '_', '-']).next()?;
    let (user, secret) = value.split_once(':')?;
    let is = NAMES.contains(&last.to_ascii_lowercase().as_str())
        && !user.is_empty()
        && !user.contains('/')
        && !secret.is_empty();
    word.get(..name.len().saturating_add(user.len()).saturating_add(2)).filter(|_| is)
}

fn is_letters(flag: &str) -> bool {
    !flag.is_empty() && flag.bytes().all(|b| b.is_ascii_alphabetic())
}

/// The part up to `=` (or `:` after `/name`) of a word that is a secret's assignment, so that all of the rest is its
/// value.
fn assignment(word: &str) -> Option<&str> {
    let is = |name: &str, value: &str| !value.is_empty() && names::is_secret(name.trim_start_matches('-'));
    if let Some((name, value)) = word.split_once('=')
        && is(name, value)
    {
        return word.get(..name.len().saturating_add(1));
    }
    let (name, value) = word.strip_prefix('/')?.split_once(':')?;
    let end = name.len().saturating_add(2);
    (is(name, value) && !value.starts_with('/')).then(|| word.get(..end)).flatten()
}
