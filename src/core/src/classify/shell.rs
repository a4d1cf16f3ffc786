//! Shell text: a grammar that is small on purpose.
//!
//! ```text
//! script   = { command ( ";" | "&" | "&&" | "||" | "|" | newline ) }
//! command  = { assignment | redirection } { word | redirection }
//! word     = plain characters, \x, 'text', "text without $ and `", globs
//! ```
//!
//! Enters: text. Leaves: the commands that were understood, and the offset where understanding stopped, if it did:
//! expansion, substitution, grouping, functions, loops, here-documents, comments and braces. From there on the text
//! is opaque. Linear, total; never guesses what a shell would make of the rest.

use std::borrow::Cow;

use super::kind::{Word, assigned_name};

/// The most words of one text; a longer one is refused, not guessed at.
pub(super) const MAX_WORDS: usize = 1_024;

/// Words that begin a compound command.
const RESERVED: [&str; 19] = [
    "!", "[[", "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "in", "select",
    "then", "until", "while", "}",
];

/// A text as far as it was understood.
#[derive(Debug, Default)]
pub(super) struct Script<'a> {
    pub(super) commands: Vec<Simple<'a>>,
    /// The byte at which understanding stopped.
    pub(super) stop: Option<usize>,
    /// Whether [`MAX_WORDS`] was passed.
    pub(super) too_long: bool,
}

/// A simple command.
#[derive(Debug, Default)]
pub(super) struct Simple<'a> {
    pub(super) assignments: Vec<Word<'a>>,
    pub(super) words: Vec<Word<'a>>,
    pub(super) redirections: Vec<Redirection<'a>>,
    pub(super) then: Joint,
}

/// A file that a command's input or output is connected to.
#[derive(Debug)]
pub(super) struct Redirection<'a> {
    pub(super) writes: bool,
    pub(super) path: Word<'a>,
}

/// What stands between a command and the next.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joint {
    And,
    Or,
    Pipe,
    Background,
    Sequence,
    #[default]
    End,
}

impl Script<'_> {
    /// The words, if the text is one command without assignments, redirections or globs.
    pub(super) fn plain_command(&self) -> Option<Vec<String>> {
        let [only] = self.commands.as_slice() else { return None };
        let plain = self.stop.is_none()
            && only.assignments.is_empty()
            && only.redirections.is_empty()
            && only.then == Joint::End
            && only.words.iter().all(|word| !word.wild);
        plain.then(|| only.words.iter().map(|word| word.text.clone().into_owned()).collect())
    }
}

/// Whether a word begins or goes on with a compound command.
pub(super) fn is_reserved(word: &str) -> bool {
    RESERVED.contains(&word)
}

/// Reads shell text.
pub(super) fn parse(text: &str) -> Script<'_> {
    let mut reader = Reader { text, at: 0, words: 0 };
    let mut script = Script::default();
    loop {
        match reader.command() {
            Ok(command) => {
                let last = command.then == Joint::End;
                let empty = command.is_empty();
                // Only a line may be empty: `; ls` is a mistake to a shell.
                let semicolon = reader.at.checked_sub(1).and_then(|before| text.as_bytes().get(before)) == Some(&b';');
                let dangling =
                    empty && !matches!((command.then, semicolon), (Joint::Sequence, false) | (Joint::End, _));
                let after_operator = script
                    .commands
                    .last()
                    .is_some_and(|before| matches!(before.then, Joint::And | Joint::Or | Joint::Pipe));
                if dangling || (empty && after_operator) {
                    script.stop = Some(reader.at);
                    return script;
                }
                if !empty {
                    script.commands.push(command);
                }
                if last {
                    return script;
                }
            }
            Err(stop) => {
                script.stop = Some(stop.0);
                script.too_long = reader.words > MAX_WORDS;
                return script;
            }
        }
    }
}

impl Simple<'_> {
    fn is_empty(&self) -> bool {
        self.assignments.is_empty() && self.words.is_empty() && self.redirections.is_empty()
    }
}

/// Where understanding stopped.
struct Stop(usize);

struct Reader<'a> {
    text: &'a str,
    at: usize,
    words: usize,
}

/// A word as it is being read.
struct Raw<'a> {
    word: Word<'a>,
    /// Nothing in it was quoted.
    bare: bool,
    /// The part before the first `=` was not quoted.
    bare_name: bool,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn looking_at(&self, token: &str) -> bool {
        self.text.as_bytes().get(self.at..).is_some_and(|rest| rest.starts_with(token.as_bytes()))
    }

    const fn skip(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) || self.looking_at("\\\n") {
            self.skip(if self.peek() == Some(b'\\') { 2 } else { 1 });
        }
    }

    fn command(&mut self) -> Result<Simple<'a>, Stop> {
        let mut command = Simple::default();
        loop {
            self.blanks();
            if let Some(joint) = self.joint()? {
                command.then = joint;
                return Ok(command);
            }
            if let Some(writes) = self.redirection()? {
                if let Some(path) = writes.1 {
                    command.redirections.push(Redirection { writes: writes.0, path });
                }
                continue;
            }
            let start = self.at;
            let raw = self.word()?;
            if self.followed_by_redirection(&raw) {
                continue;
            }
            let first = command.words.is_empty();
            if first && raw.bare && is_reserved(&raw.word.text) {
                return Err(Stop(start));
            }
            if first && raw.bare_name && assigned_name(&raw.word.text).is_some() {
                command.assignments.push(raw.word);
            } else if first && raw.word.wild {
                return Err(Stop(start));
            } else {
                command.words.push(raw.word);
            }
        }
    }

    /// A number right before a redirection is a descriptor, not a word.
    fn followed_by_redirection(&self, raw: &Raw<'_>) -> bool {
        raw.bare && raw.word.text.bytes().all(|b| b.is_ascii_digit()) && matches!(self.peek(), Some(b'<' | b'>'))
    }

    fn joint(&mut self) -> Result<Option<Joint>, Stop> {
        if self.looking_at("&>") {
            return Ok(None);
        }
        let (joint, bytes) = match self.peek() {
            None => (Joint::End, 0),
            Some(b'\n') => (Joint::Sequence, 1),
            Some(b';') if self.looking_at(";;") || self.looking_at(";&") => return Err(Stop(self.at)),
            Some(b';') => (Joint::Sequence, 1),
            Some(b'&') if self.looking_at("&&") => (Joint::And, 2),
            Some(b'&') => (Joint::Background, 1),
            Some(b'|') if self.looking_at("||") => (Joint::Or, 2),
            Some(b'|') if self.looking_at("|&") => return Err(Stop(self.at)),
            Some(b'|') => (Joint::Pipe, 1),
            Some(_) => return Ok(None),
        };
        self.skip(bytes);
        if matches!(joint, Joint::And | Joint::Or | Joint::Pipe) {
            self.blanks();
            while self.peek() == Some(b'\n') {
                self.skip(1);
                self.blanks();
            }
        }
        Ok(Some(joint))
    }

    /// A redirection: whether it writes, and its file unless it only copies a descriptor.
    fn redirection(&mut self) -> Result<Option<(bool, Option<Word<'a>>)>, Stop> {
        const OPERATORS: [(&str, bool); 9] = [
            ("&>>", true),
            ("&>", true),
            (">>", true),
            (">|", true),
            (">&", true),
            (">", true),
            ("<>", true),
            ("<&", false),
            ("<", false),
        ];
        let start = self.at;
        if self.looking_at("<<") || self.looking_at("<(") || self.looking_at(">(") {
            return Err(Stop(start));
        }
        let Some((operator, writes)) = OPERATORS.into_iter().find(|(operator, _)| self.looking_at(operator)) else {
            return Ok(None);
        };
        self.skip(operator.len());
        self.blanks();
        let raw = self.word()?;
        let copies = operator.ends_with('&')
            && raw.bare
            && (*raw.word.text == *"-" || raw.word.text.bytes().all(|b| b.is_ascii_digit()));
        if raw.word.text.is_empty() {
            return Err(Stop(start));
        }
        Ok(Some((writes, (!copies).then_some(raw.word))))
    }

    fn word(&mut self) -> Result<Raw<'a>, Stop> {
        let start = self.at;
        self.words = self.words.saturating_add(1);
        if self.words > MAX_WORDS || self.peek() == Some(b'#') {
            return Err(Stop(start));
        }
        let mut word =
            Building { text: Cow::Borrowed(""), wild: false, bare: true, bare_name: true, seen_equals: false };
        let mut quoted = false;
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' => break,
                b'(' | b')' | b'$' | b'`' => return Err(Stop(self.at)),
                b'{' if !self.looking_at("{}") => return Err(Stop(self.at)),
                b'{' => self.take(&mut word, 2),
                b'\'' => {
                    quoted = true;
                    self.single(&mut word)?;
                }
                b'"' => {
                    quoted = true;
                    self.double(&mut word)?;
                }
                b'\\' => {
                    quoted = true;
                    self.escape(&mut word)?;
                }
                b'~' if self.at == start => self.home(&mut word),
                _ => self.plain(&mut word),
            }
        }
        if self.at == start && !quoted {
            return Err(Stop(start));
        }
        word.wild &= word.text != "[";
        Ok(Raw {
            bare: word.bare,
            bare_name: word.bare_name && word.seen_equals,
            word: Word { text: word.text, wild: word.wild },
        })
    }

    /// A run of characters that stand for themselves, and globs.
    fn plain(&mut self, word: &mut Building<'a>) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let special = |byte: &u8| b" \t\n;&|<>()$`{'\"\\".contains(byte);
        let length = rest.iter().position(special).unwrap_or(rest.len()).max(1);
        let run = rest.get(..length).unwrap_or_default();
        word.wild |= run.iter().any(|byte| b"*?[".contains(byte));
        word.seen_equals |= run.contains(&b'=');
        self.take(word, length);
    }

    /// `~` is somebody's home, of whom only the name is known here.
    fn home(&mut self, word: &mut Building<'a>) {
        self.skip(1);
        word.wild = true;
        let direct = !matches!(self.peek(), Some(byte) if byte.is_ascii_alphanumeric() || b"_-+.".contains(&byte));
        word.text.to_mut().push_str(if direct || self.looking_at("root") { "/root" } else { "/home/" });
        if !direct && self.looking_at("root") {
            self.skip(4);
        }
    }

    fn single(&mut self, word: &mut Building<'a>) -> Result<(), Stop> {
        word.quote();
        let open = self.at;
        self.skip(1);
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == b'\'').ok_or(Stop(open))?;
        self.take(word, length);
        self.skip(1);
        Ok(())
    }

    fn double(&mut self, word: &mut Building<'a>) -> Result<(), Stop> {
        word.quote();
        let open = self.at;
        self.skip(1);
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            let length = rest.iter().position(|byte| b"\"\\$`".contains(byte)).ok_or(Stop(open))?;
            self.take(word, length);
            match self.peek() {
                Some(b'"') => {
                    self.skip(1);
                    return Ok(());
                }
                Some(b'\\') => self.escape_in_double(word),
                _ => return Err(Stop(self.at)),
            }
        }
    }

    fn escape_in_double(&mut self, word: &mut Building<'a>) {
        self.skip(1);
        match self.peek() {
            Some(b'\n') => self.skip(1),
            Some(b'"' | b'\\' | b'$' | b'`') => self.take(word, 1),
            _ => word.text.to_mut().push('\\'),
        }
    }

    fn escape(&mut self, word: &mut Building<'a>) -> Result<(), Stop> {
        self.skip(1);
        match self.peek() {
            None => Err(Stop(self.at)),
            Some(b'\n') => {
                self.skip(1);
                Ok(())
            }
            Some(_) => {
                word.quote();
                let rest = self.text.get(self.at..).unwrap_or_default();
                self.take(word, rest.chars().next().map_or(1, char::len_utf8));
                Ok(())
            }
        }
    }

    fn take(&mut self, word: &mut Building<'a>, bytes: usize) {
        let end = self.at.saturating_add(bytes);
        if let Some(piece) = self.text.get(self.at..end) {
            if word.text.is_empty() {
                word.text = Cow::Borrowed(piece);
            } else {
                word.text.to_mut().push_str(piece);
            }
        }
        self.at = end;
    }
}

/// A word under construction.
struct Building<'a> {
    text: Cow<'a, str>,
    wild: bool,
    bare: bool,
    bare_name: bool,
    seen_equals: bool,
}

impl Building<'_> {
    const fn quote(&mut self) {
        self.bare = false;
        self.bare_name &= self.seen_equals;
    }
}
