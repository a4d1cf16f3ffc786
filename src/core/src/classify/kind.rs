//! Kinds: what a word of a command line may be, and shapes: which kinds of operands follow each other.
//!
//! Enters: the small notation of the rule files (`<read>`, `[<unit>...]`, `-n --lines <number>`). Leaves: kinds and
//! shapes that cannot be wrong, and the assignment of operands to kinds. Never looks at anything but words.

use std::ops::Range;

use crate::target::TargetKind;

/// A word as the classifier sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word<'a> {
    /// The text after quoting was taken off.
    pub(super) text: std::borrow::Cow<'a, str>,
    /// Whether a shell would expand it (unquoted `*`, `?`, `[` or a leading `~`).
    pub(super) wild: bool,
}

impl<'a> Word<'a> {
    /// A word that stands for itself.
    pub(super) const fn literal(text: &'a str) -> Self {
        Self { text: std::borrow::Cow::Borrowed(text), wild: false }
    }
}

/// What one word, or the rest of the words, means to a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Free text that is neither a path nor run.
    Text,
    /// A number, a size, a duration or a signed count.
    Number,
    /// A word that begins with `+`, as the output format of `date`.
    Format,
    /// A word without `=`, as a key that is asked for.
    Key,
    /// `NAME=value`, put into the environment of what follows.
    Assignment,
    /// One of these words.
    Choice(Vec<Box<str>>),
    /// A file whose content is read.
    Read,
    /// A path of which only names and attributes are read.
    Meta,
    /// A directory in which the program does the rest.
    Directory,
    /// A file that is created or changed.
    Write,
    /// A file that is removed.
    Remove,
    /// A file whose mode, owner or attributes are changed.
    Attributes,
    /// A permission mode, numeric or symbolic.
    Mode,
    /// A script that is run.
    Script,
    /// A thing of some other sort, named as a target.
    Thing(Thing),
    /// An `awk` program.
    Awk,
    /// A `sed` script.
    Sed,
    /// Code in a language that is not understood.
    Code,
    /// Shell text: one word, or many that are joined with blanks.
    Shell,
    /// A command: all remaining words.
    Command,
    /// A command up to a word `;` or `+`, as in `find -exec`.
    CommandUntil,
}

/// Things that are not paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thing {
    /// A systemd unit.
    Unit,
    /// A software package.
    Package,
    /// A user.
    User,
    /// A group.
    Group,
    /// A block or character device.
    Device,
    /// A host, address or URL.
    Host,
    /// A process.
    Process,
    /// Anything else that has a name.
    Other,
}

impl Kind {
    /// The kind of this name, as written between `<` and `>`.
    pub(super) fn named(name: &str) -> Option<Self> {
        if let Some(words) = name.strip_prefix('=') {
            let words: Vec<Box<str>> = words.split('|').map(Box::from).collect();
            return words.iter().all(|word| !word.is_empty()).then_some(Self::Choice(words));
        }
        Some(match name {
            "text" => Self::Text,
            "number" => Self::Number,
            "format" => Self::Format,
            "key" => Self::Key,
            "assignment" => Self::Assignment,
            "read" => Self::Read,
            "meta" => Self::Meta,
            "directory" => Self::Directory,
            "write" => Self::Write,
            "remove" => Self::Remove,
            "attributes" => Self::Attributes,
            "mode" => Self::Mode,
            "script" => Self::Script,
            "awk" => Self::Awk,
            "sed" => Self::Sed,
            "code" => Self::Code,
            "shell" => Self::Shell,
            "command" => Self::Command,
            "command;" => Self::CommandUntil,
            other => Self::Thing(Thing::named(other)?),
        })
    }

    /// Whether the word has the form that the kind asks for. Kinds with free form take any word.
    pub(super) fn fits(&self, word: &str) -> bool {
        match self {
            Self::Number => is_number(word),
            Self::Format => word.starts_with('+'),
            Self::Key => !word.contains('=') && !word.starts_with('/') && !word.split(['/', '.']).any(str::is_empty),
            Self::Assignment => assigned_name(word).is_some(),
            Self::Choice(words) => words.iter().any(|choice| **choice == *word),
            Self::Mode => is_mode(word),
            Self::Thing(Thing::Device) => word.starts_with("/dev/") || !word.contains('/') && !word.starts_with('-'),
            Self::Thing(_) => !word.starts_with('-') && !word.is_empty(),
            Self::Read
            | Self::Meta
            | Self::Directory
            | Self::Write
            | Self::Remove
            | Self::Attributes
            | Self::Script => !word.is_empty(),
            Self::Text | Self::Awk | Self::Sed | Self::Code | Self::Shell | Self::Command | Self::CommandUntil => true,
        }
    }

    /// Whether it takes all the words that remain.
    const fn takes_the_rest(&self) -> bool {
        matches!(self, Self::Command)
    }

    /// Whether it is a path.
    pub(super) const fn is_path(&self) -> bool {
        matches!(self, Self::Read | Self::Meta | Self::Write | Self::Remove | Self::Attributes | Self::Script)
    }

    /// Whether it is text that is run.
    pub(super) const fn is_code(&self) -> bool {
        matches!(self, Self::Awk | Self::Sed | Self::Code | Self::Shell)
    }

    /// Whether its words mean something only together.
    pub(super) const fn is_joined(&self) -> bool {
        matches!(self, Self::Command | Self::Shell)
    }
}

impl Thing {
    /// What a request's target is called that is such a thing.
    pub(super) const fn target(self) -> TargetKind {
        match self {
            Self::Unit => TargetKind::Unit,
            Self::Package => TargetKind::Package,
            Self::User => TargetKind::User,
            Self::Group => TargetKind::Group,
            Self::Device => TargetKind::Device,
            Self::Host => TargetKind::Host,
            Self::Process => TargetKind::Process,
            Self::Other => TargetKind::Other,
        }
    }

    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "unit" => Self::Unit,
            "package" => Self::Package,
            "user" => Self::User,
            "group" => Self::Group,
            "device" => Self::Device,
            "host" => Self::Host,
            "process" => Self::Process,
            "other" => Self::Other,
            _ => return None,
        })
    }
}

/// The name in `NAME=value`, if the word has that form.
pub(super) fn assigned_name(word: &str) -> Option<&str> {
    let (name, _) = word.split_once('=')?;
    let first = name.bytes().next()?;
    let sound =
        (first.is_ascii_alphabetic() || first == b'_') && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    sound.then_some(name)
}

fn is_number(word: &str) -> bool {
    let digits = word.trim_start_matches(['+', '-', '.']);
    digits.bytes().next().is_some_and(|b| b.is_ascii_digit())
        && word.len() <= 64
        && digits.bytes().all(|b| b.is_ascii_alphanumeric() || b".,:-/%".contains(&b))
}

fn is_mode(word: &str) -> bool {
    let octal = !word.is_empty() && word.len() <= 5 && word.bytes().all(|b| (b'0'..=b'7').contains(&b));
    let symbolic = word.contains(['+', '-', '=']) && word.bytes().all(|b| b"ugoarwxXst+-=,".contains(&b));
    octal || symbolic
}

/// How many words a place in a shape takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Count {
    One,
    Maybe,
    Some,
    Any,
}

/// The operands that a program takes, in order; at most one may repeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    places: Vec<(Kind, Count)>,
}

/// Why a shape or a flag's notation is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadNotation {
    /// Between `<` and `>` stands no kind.
    #[error(
        "`{0}` is not a kind: text number format key assignment read meta directory write remove attributes mode script unit package user group device host process other awk sed code shell command, or =word|word"
    )]
    UnknownKind(String),
    /// An operand is not `<kind>`, `<kind>...`, `[<kind>]` or `[<kind>...]`.
    #[error("`{0}` is not an operand: write <kind>, <kind>..., [<kind>] or [<kind>...]")]
    NotAnOperand(String),
    /// More than one operand repeats, or something follows a command.
    #[error("at most one operand may repeat, and a command must be the last")]
    TooLoose,
    /// A flag has no name, or a name that no flag has.
    #[error("`{0}` is not a flag: write its names, then its values, for instance `-n --lines <number>`")]
    NotAFlag(String),
}

impl Shape {
    /// Reads a list of operands.
    pub(super) fn parse<'a>(operands: impl IntoIterator<Item = &'a str>) -> Result<Self, BadNotation> {
        let places = operands.into_iter().map(place).collect::<Result<Vec<_>, _>>()?;
        let loose = places
            .iter()
            .filter(|(kind, count)| matches!(count, Count::Some | Count::Any) || kind.takes_the_rest())
            .count();
        let rest_inside = places.iter().rev().skip(1).any(|(kind, _)| kind.takes_the_rest());
        let assignments_then_command =
            matches!(places.as_slice(), [.., (Kind::Assignment, Count::Any), (Kind::Command, _)]);
        if rest_inside || (loose > 1 && !assignments_then_command) {
            Err(BadNotation::TooLoose)
        } else {
            Ok(Self { places })
        }
    }

    /// Gives each kind the range of operands that are its own, or nothing if they do not fit. An earlier place takes
    /// what it can as long as enough is left for those that need one.
    pub(super) fn assign<'s>(&'s self, operands: &[&str]) -> Option<Vec<(&'s Kind, Range<usize>)>> {
        let mut given = Vec::with_capacity(self.places.len());
        let mut at = 0_usize;
        for (index, (kind, count)) in self.places.iter().enumerate() {
            let left = operands.len().checked_sub(at)?;
            let after = self
                .places
                .iter()
                .skip(index.saturating_add(1))
                .filter(|(_, count)| matches!(count, Count::One | Count::Some))
                .count();
            let take = match (kind, count) {
                (Kind::Assignment, Count::Any) => leading_assignments(operands, at),
                (Kind::Command, Count::Maybe | Count::Any) => left,
                (Kind::Command, Count::One | Count::Some) => left.max(1),
                (_, Count::One) => 1,
                (_, Count::Maybe) => left.checked_sub(after)?.min(1),
                (_, Count::Some) => left.checked_sub(after)?.max(1),
                (_, Count::Any) => left.checked_sub(after)?,
            };
            let range = at..at.checked_add(take)?;
            let own = operands.get(range.clone())?;
            if !kind.takes_the_rest() && !own.iter().all(|word| kind.fits(word)) {
                return None;
            }
            at = range.end;
            given.push((kind, range));
        }
        (at == operands.len()).then_some(given)
    }

    /// The kinds in it.
    pub(super) fn kinds(&self) -> impl Iterator<Item = &Kind> {
        self.places.iter().map(|(kind, _)| kind)
    }
}

fn leading_assignments(operands: &[&str], at: usize) -> usize {
    operands.iter().skip(at).take_while(|word| assigned_name(word).is_some()).count()
}

fn place(text: &str) -> Result<(Kind, Count), BadNotation> {
    let wrong = || BadNotation::NotAnOperand(text.to_owned());
    let (inner, optional) = match text.strip_prefix('[') {
        Some(rest) => (rest.strip_suffix(']').ok_or_else(wrong)?, true),
        None => (text, false),
    };
    let (inner, many) = inner.strip_suffix("...").map_or((inner, false), |rest| (rest, true));
    let count = match (optional, many) {
        (false, false) => Count::One,
        (false, true) => Count::Some,
        (true, false) => Count::Maybe,
        (true, true) => Count::Any,
    };
    let name = inner.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).ok_or_else(wrong)?;
    let kind = Kind::named(name).ok_or_else(|| BadNotation::UnknownKind(name.to_owned()))?;
    if kind == Kind::CommandUntil { Err(wrong()) } else { Ok((kind, count)) }
}

/// The name of the flag that is a number by itself, as in `head -20`.
pub(super) const DIGITS: &str = "-<number>";

/// A flag's notation, read: its names, its values, and whether the value may be missing (then it is always attached).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FlagNotation {
    pub(super) names: Vec<Box<str>>,
    pub(super) values: Vec<Kind>,
    pub(super) optional: bool,
}

impl FlagNotation {
    /// Reads for instance `-n --lines <number>`, `--color [<text>]`, `if=<read>`, `-<number>`, `--arg <text> <text>`.
    pub(super) fn parse(text: &str) -> Result<Self, BadNotation> {
        let wrong = || BadNotation::NotAFlag(text.to_owned());
        if text == DIGITS {
            return Ok(Self { names: vec![Box::from(DIGITS)], values: vec![], optional: false });
        }
        let mut read = Self { names: vec![], values: vec![], optional: false };
        for part in text.split_whitespace() {
            if let Some((name, kind)) = part.split_once("=<").filter(|(name, _)| !name.starts_with('-')) {
                let kind = kind.strip_suffix('>').ok_or_else(wrong)?;
                read.names.push(format!("{name}=").into());
                read.values.push(Kind::named(kind).ok_or_else(|| BadNotation::UnknownKind(kind.to_owned()))?);
            } else if part.starts_with('<') || part.starts_with("[<") {
                let (inner, optional) =
                    part.strip_prefix('[').map_or((part, false), |rest| (rest.trim_end_matches(']'), true));
                let name = inner.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).ok_or_else(wrong)?;
                read.values.push(Kind::named(name).ok_or_else(|| BadNotation::UnknownKind(name.to_owned()))?);
                read.optional |= optional;
            } else {
                read.names.push(part.into());
            }
        }
        let first_named =
            text.split_whitespace().next().is_some_and(|part| !part.starts_with('<') && !part.starts_with("[<"));
        let sound = first_named && !read.names.is_empty() && !(read.optional && read.values.len() > 1);
        if sound { Ok(read) } else { Err(wrong()) }
    }
}
