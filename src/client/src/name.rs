//! Names of requests as people type them: a whole id, the beginning of one, or a fingerprint.
//!
//! Enters: a word and the requests that there are. Leaves: one id, or that none or several fit. A guess is never made.

use countersign_core::request::RequestId;
use countersign_core::text::shown;

use crate::error::ClientError;

/// The fewest digits by which an id may be named.
pub const MIN_DIGITS: usize = 4;
/// The most bytes of a wrong name that are shown.
const MAX_SHOWN: usize = 80;

/// A word that names a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// The id itself; nobody need be asked.
    Whole(RequestId),
    /// The first digits of an id, in lower case.
    Beginning(String),
    /// A fingerprint, in upper case.
    Fingerprint(String),
}

/// A request that there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its fingerprint.
    pub fingerprint: &'a str,
}

impl Name {
    /// Reads a word.
    ///
    /// # Errors
    /// It can name no request.
    pub fn parse(word: &str) -> Result<Self, ClientError> {
        if let Ok(id) = word.parse() {
            return Ok(Self::Whole(id));
        }
        let digits = !word.is_empty() && word.bytes().all(|b| b.is_ascii_hexdigit());
        if is_fingerprint(word) {
            Ok(Self::Fingerprint(word.to_ascii_uppercase()))
        } else if digits && (MIN_DIGITS..=32).contains(&word.len()) {
            Ok(Self::Beginning(word.to_ascii_lowercase()))
        } else {
            Err(none(word))
        }
    }

    /// The one request that has this name.
    ///
    /// # Errors
    /// None has it, or several have.
    pub fn among<'a>(&self, known: impl Iterator<Item = Known<'a>>) -> Result<String, ClientError> {
        let whole;
        let (word, fits): (&str, fn(&Known<'_>, &str) -> bool) = match self {
            Self::Whole(id) => {
                whole = id.to_string();
                (&whole, |known, word| known.id == word)
            }
            Self::Beginning(digits) => (digits, |known, word| known.id.starts_with(word)),
            Self::Fingerprint(fingerprint) => (fingerprint, |known, word| known.fingerprint == word),
        };
        let mut fitting = known.filter(|known| fits(known, word));
        match (fitting.next(), fitting.next()) {
            (Some(one), None) => Ok(one.id.to_owned()),
            (None, _) => Err(none(word)),
            (Some(_), Some(_)) => Err(ClientError::Name { shown: word.to_owned(), several: true }),
        }
    }
}

fn none(word: &str) -> ClientError {
    ClientError::Name { shown: shown(word, MAX_SHOWN).into(), several: false }
}

/// The form `7F3A-91C2-D4`, in either case.
fn is_fingerprint(word: &str) -> bool {
    word.len() == 12
        && word.bytes().enumerate().all(|(at, b)| if matches!(at, 4 | 9) { b == b'-' } else { b.is_ascii_hexdigit() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "00c0ffee000000000000000000000001";
    const TWO: &str = "00c0ffee000000000000000000000002";

    fn find(word: &str) -> Result<String, ClientError> {
        let known = [Known { id: ONE, fingerprint: "7F3A-91C2-D4" }, Known { id: TWO, fingerprint: "0000-0000-00" }];
        Name::parse(word)?.among(known.into_iter())
    }

    #[test]
    fn an_id_its_beginning_and_a_fingerprint_find_their_request() {
        for word in [ONE, "7F3A-91C2-D4", "7f3a-91c2-d4"] {
            assert_eq!(find(word).unwrap(), ONE, "{word}");
        }
        assert_eq!(find(&TWO.to_uppercase()).unwrap(), TWO);
    }

    #[test]
    fn what_several_begin_with_is_nobodys_name() {
        assert!(matches!(find("00c0"), Err(ClientError::Name { several: true, .. })));
    }

    #[test]
    fn an_abbreviation_has_four_digits_at_least() {
        assert!(matches!(Name::parse("00c"), Err(ClientError::Name { several: false, .. })));
        assert_eq!(Name::parse("00C0").unwrap(), Name::Beginning("00c0".to_owned()));
        assert!(Name::parse(&"0".repeat(33)).is_err());
    }

    #[test]
    fn other_words_name_nothing_and_are_shown_inert() {
        for word in ["", "zzzz", "7F3A-91C2", "7F3A91-C2-D4", "../../etc", "\u{1b}[2Jabcd"] {
            let message = Name::parse(word).unwrap_err().to_string();
            assert!(!message.contains('\u{1b}'), "{message:?}");
        }
        assert!(matches!(find("dead"), Err(ClientError::Name { several: false, .. })));
    }
}
