//! Expressions: programs of `awk` and scripts of `sed` that only print, and statements that destroy a database.
//!
//! Enters: the text of a program. Leaves: whether it is certain that it runs nothing and writes nothing; for code in
//! any language, whether it seems to throw stored data away. What this room does not recognise is not certain. Linear.

/// Whether some statement in it drops or empties what a database holds, in whatever language it is written.
pub(super) fn destroys_data(code: &str) -> bool {
    const DROPPED: [&str; 7] = ["database", "schema", "table", "tablespace", "keyspace", "collection", "dataverse"];
    const CALLS: [&str; 3] = ["dropdatabase", "flushall", "flushdb"];
    // Most code has none of these words, and to see that is quick.
    let hint = |four: &[u8]| [b"drop", b"trun", b"flus"].iter().any(|word| four.eq_ignore_ascii_case(*word));
    if !code
        .as_bytes()
        .windows(4)
        .any(|four| matches!(four, [b'd' | b'D' | b't' | b'T' | b'f' | b'F', ..]) && hint(four))
    {
        return false;
    }
    let is = |word: &str, wanted: &[&str]| wanted.iter().any(|known| word.eq_ignore_ascii_case(known));
    let mut words =
        code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '(').filter(|word| !word.is_empty());
    let mut before = "";
    words.any(|word| {
        let (name, called) = word.split_once('(').map_or((word, false), |(name, _)| (name, true));
        let found =
            is(name, &CALLS) || (is(before, &["drop"]) && is(name, &DROPPED)) || (is(before, &["truncate"]) && !called);
        before = if called { "" } else { name };
        found
    })
}

/// Whether an `awk` program neither runs a command nor writes a file.
pub(super) fn is_plain_awk(program: &str) -> bool {
    // These words are never plain, even inside a string: that costs nothing and leaves no way around the reading below.
    const WORDS: [&str; 3] = ["system", "getline", "@"];
    if WORDS.iter().any(|word| program.contains(word)) {
        return false;
    }
    let bytes = program.as_bytes();
    let (mut at, mut before, mut printing) = (0_usize, b'\n', false);
    while let Some(byte) = bytes.get(at).copied() {
        let next = bytes.get(at.saturating_add(1)).copied();
        match byte {
            b'"' => match closing(bytes, at, b'"') {
                Some(end) => at = end,
                None => return false,
            },
            b'/' if b"\n(,{};!~&|".contains(&before) => match closing(bytes, at, b'/') {
                Some(end) => at = end,
                None => return false,
            },
            b'|' if next == Some(b'|') => at = at.saturating_add(1),
            b'|' | b'#' => return false,
            b'>' if printing => return false,
            b'p' if bytes.get(at..).is_some_and(|rest| rest.starts_with(b"print")) => printing = true,
            b';' | b'{' | b'}' | b'\n' => printing = false,
            _ => {}
        }
        if !byte.is_ascii_whitespace() || byte == b'\n' {
            before = byte;
        }
        at = at.saturating_add(1);
    }
    true
}

/// The place of the next such byte that no backslash stands before, on the same line.
fn closing(bytes: &[u8], open: usize, quote: u8) -> Option<usize> {
    let mut at = open.saturating_add(1);
    loop {
        match bytes.get(at)? {
            b'\n' => return None,
            b'\\' => at = at.saturating_add(2),
            byte if *byte == quote => return Some(at),
            _ => at = at.saturating_add(1),
        }
    }
}

/// Whether a `sed` script only selects, changes and prints lines.
pub(super) fn is_plain_sed(script: &str) -> bool {
    let mut reader = Sed { bytes: script.as_bytes(), at: 0 };
    loop {
        reader.skip(|byte| byte.is_ascii_whitespace() || matches!(byte, b';' | b'{' | b'}'));
        if reader.peek().is_none() {
            return true;
        }
        if reader.command().is_none() {
            return false;
        }
    }
}

struct Sed<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Sed<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at = self.at.saturating_add(1);
        Some(byte)
    }

    fn skip(&mut self, wanted: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&wanted) {
            self.at = self.at.saturating_add(1);
        }
    }

    /// One command with its addresses; nothing if it is not one of the plain ones.
    fn command(&mut self) -> Option<()> {
        self.address()?;
        if self.peek() == Some(b',') {
            self.at = self.at.saturating_add(1);
            self.address()?;
        }
        self.skip(|byte| matches!(byte, b' ' | b'!'));
        match self.next()? {
            b's' => {
                let delimiter = self.next()?;
                self.until(delimiter)?;
                self.until(delimiter)?;
                self.skip(|byte| byte.is_ascii_digit() || b"gpiImM".contains(&byte));
            }
            b'y' => {
                let delimiter = self.next()?;
                self.until(delimiter)?;
                self.until(delimiter)?;
            }
            b'{' => return Some(()),
            b'a' | b'i' | b'c' => return self.text(),
            b'p' | b'P' | b'd' | b'D' | b'h' | b'H' | b'g' | b'G' | b'x' | b'n' | b'N' | b'=' | b'z' => {}
            b'q' | b'Q' | b'l' => self.skip(|byte| byte.is_ascii_digit() || byte == b' '),
            _ => return None,
        }
        self.skip(|byte| byte == b' ');
        matches!(self.peek(), None | Some(b';' | b'\n' | b'}')).then_some(())
    }

    /// Text that is put in, up to the end of the line unless a backslash stands before it.
    fn text(&mut self) -> Option<()> {
        loop {
            match self.next() {
                None | Some(b'\n') => return Some(()),
                Some(b'\\') => self.at = self.at.saturating_add(1),
                Some(_) => {}
            }
        }
    }

    fn address(&mut self) -> Option<()> {
        self.skip(|byte| byte == b' ');
        match self.peek() {
            Some(b'/') => {
                self.at = self.at.saturating_add(1);
                self.until(b'/')?;
                self.skip(|byte| matches!(byte, b'I' | b'M'));
            }
            Some(b'$') => self.at = self.at.saturating_add(1),
            Some(byte) if byte.is_ascii_digit() || matches!(byte, b'+' | b'~') => {
                self.skip(|byte| byte.is_ascii_digit() || matches!(byte, b'~' | b'+'))
            }
            _ => {}
        }
        self.skip(|byte| byte == b' ');
        Some(())
    }

    /// Past the next such delimiter. A bracket left open before it could hide the delimiter from some `sed`, so that
    /// is not plain; nor is a delimiter that is a letter, a backslash or a line break.
    fn until(&mut self, delimiter: u8) -> Option<()> {
        if delimiter.is_ascii_alphanumeric() || matches!(delimiter, b'\\' | b'\n' | b' ') {
            return None;
        }
        let mut open = false;
        loop {
            match self.next()? {
                b'\\' => self.at = self.at.saturating_add(1),
                b'\n' => return None,
                b'[' => open = true,
                b']' => open = false,
                byte if byte == delimiter => return (!open).then_some(()),
                _ => {}
            }
        }
    }
}
