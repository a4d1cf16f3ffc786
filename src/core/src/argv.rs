//! The exact words of a command, bounded and never empty. Never a joined string.
//!
//! An empty vector or an empty first word is refused here, once, for everyone (the PwnKit class, CVE-2021-4034).

use serde::{Deserialize, Serialize};

/// The most words that a command may have.
pub const MAX_WORDS: usize = 1_024;
/// The most bytes that a command's words may have together, counting one terminator each.
pub const MAX_BYTES: usize = 64 * 1_024;

/// A command as the caller gave it: at least one word, the first not empty, no NUL, within the bounds.
///
/// Deliberately without `Display`: words of a caller are rendered by [`crate::text`] for one medium.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Argv(Vec<String>);

/// Why some words are not a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArgvError {
    /// No words, or an empty first word.
    #[error("the command is empty: give at least a program")]
    Empty,
    /// A word contains a NUL byte.
    #[error("word {0} of the command contains a NUL byte")]
    Nul(usize),
    /// More than [`MAX_WORDS`] words.
    #[error("the command has {0} words and {MAX_WORDS} are allowed")]
    TooManyWords(usize),
    /// More than [`MAX_BYTES`] bytes.
    #[error("the command has {0} bytes and {MAX_BYTES} are allowed")]
    TooLong(usize),
}

impl Argv {
    /// Checks the words.
    ///
    /// # Errors
    /// [`ArgvError`], naming the bound that was passed.
    pub fn new(words: Vec<String>) -> Result<Self, ArgvError> {
        if words.first().is_none_or(String::is_empty) {
            return Err(ArgvError::Empty);
        }
        if words.len() > MAX_WORDS {
            return Err(ArgvError::TooManyWords(words.len()));
        }
        let bytes = words.iter().fold(0_usize, |sum, word| sum.saturating_add(word.len()).saturating_add(1));
        if bytes > MAX_BYTES {
            return Err(ArgvError::TooLong(bytes));
        }
        match words.iter().position(|word| word.contains('\0')) {
            Some(position) => Err(ArgvError::Nul(position)),
            None => Ok(Self(words)),
        }
    }

    /// The command that hands one line of shell text to `/bin/sh`.
    ///
    /// # Errors
    /// [`ArgvError`], as for any command.
    pub fn shell(text: String) -> Result<Self, ArgvError> {
        Self::new(vec!["/bin/sh".to_owned(), "-c".to_owned(), text])
    }

    /// The program: the first word.
    #[must_use]
    pub fn program(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// All words, the program first.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.0
    }
}

impl TryFrom<Vec<String>> for Argv {
    type Error = ArgvError;

    fn try_from(words: Vec<String>) -> Result<Self, ArgvError> {
        Self::new(words)
    }
}

impl From<Argv> for Vec<String> {
    fn from(argv: Argv) -> Self {
        argv.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(count: usize) -> Vec<String> {
        vec!["a".to_owned(); count]
    }

    #[test]
    fn nothing_and_an_empty_program_are_refused() {
        assert_eq!(Argv::new(vec![]), Err(ArgvError::Empty));
        assert_eq!(Argv::new(vec![String::new(), "x".to_owned()]), Err(ArgvError::Empty));
        assert!(Argv::new(vec!["x".to_owned(), String::new()]).is_ok());
    }

    #[test]
    fn the_bounds_hold_at_n_and_n_plus_one() {
        assert!(Argv::new(words(MAX_WORDS)).is_ok());
        assert_eq!(Argv::new(words(MAX_WORDS + 1)), Err(ArgvError::TooManyWords(MAX_WORDS + 1)));
        assert!(Argv::new(vec!["a".repeat(MAX_BYTES - 1)]).is_ok());
        assert_eq!(Argv::new(vec!["a".repeat(MAX_BYTES)]), Err(ArgvError::TooLong(MAX_BYTES + 1)));
    }

    #[test]
    fn a_nul_is_named_by_its_position() {
        assert_eq!(Argv::new(vec!["a".to_owned(), "b\0".to_owned()]), Err(ArgvError::Nul(1)));
    }

    #[test]
    fn json_cannot_smuggle_in_an_empty_command() {
        assert!(serde_json::from_str::<Argv>("[]").is_err());
        assert_eq!(serde_json::from_str::<Argv>(r#"["id"]"#).unwrap().program(), "id");
    }
}
