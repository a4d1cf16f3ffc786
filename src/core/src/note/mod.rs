//! Signed notes (<https://c2sp.org/signed-note>): text that people read, with signatures below it that programs check.
//!
//! ```text
//!   text, one or more lines                    the text ends with its last line break;
//!                                              the last empty line of the note separates it from
//!   — name base64(key id ‖ signature)          one or more signatures over the text
//! ```
//!
//! Enters: bytes from anywhere, or a text to sign. Leaves: a note in the one spelling that it has, and the keys whose
//! signatures hold. A note that nobody known has signed is never to be believed, and [`Note::text`] alone proves nothing.

mod cosign;
mod key;

use std::fmt;

pub use cosign::CosignerKey;
pub use key::{BadName, MAX_NAME, Name, NotAKey, SigningKey, VerifierKey};
pub(crate) use key::{decoded, encoded};

/// The most bytes of a note.
pub const MAX_NOTE: usize = 64 * 1_024;
/// The most signatures of a note.
pub const MAX_SIGNATURES: usize = 100;
/// What a signature line begins with: an em dash and a blank.
const DASH: &str = "\u{2014} ";

/// A text and the signatures below it, verified or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    name: Name,
    key_id: [u8; 4],
    bytes: Vec<u8>,
}

/// Why some bytes are not a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotANote {
    /// More than [`MAX_NOTE`] bytes.
    #[error("a note has at most {MAX_NOTE} bytes")]
    TooLong,
    /// Not UTF-8, or a control character other than the line break.
    #[error("a note is UTF-8 text without control characters")]
    NotText,
    /// The text does not end with a line break, or no empty line follows it.
    #[error("a note is a text, an empty line, and signatures")]
    Form,
    /// A line below the text is no signature.
    #[error("a line below the text of the note is no signature")]
    Signature,
    /// No signature, or more than [`MAX_SIGNATURES`].
    #[error("a note has from 1 to {MAX_SIGNATURES} signatures")]
    Signatures,
}

/// Why a note is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotVerified {
    /// No signature is of a known key.
    #[error("none of the known keys has signed the note")]
    Unknown,
    /// A signature that claims to be of a known key is not.
    #[error("the signature of {name} does not match the text")]
    Wrong {
        /// The key's name.
        name: Name,
    },
}

impl Note {
    /// A note over this text, signed by these keys.
    ///
    /// # Errors
    /// The text is not one that a note can have, or the keys are none or too many.
    pub fn sign(text: &str, keys: &[&SigningKey]) -> Result<Self, NotANote> {
        check_text(text)?;
        let note =
            Self { text: text.to_owned(), signatures: keys.iter().map(|key| Signature::by(key, text)).collect() };
        note.bounded()
    }

    /// Reads a note. No signature is checked.
    ///
    /// # Errors
    /// [`NotANote`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NotANote> {
        if bytes.len() > MAX_NOTE {
            return Err(NotANote::TooLong);
        }
        let note = std::str::from_utf8(bytes).map_err(|_| NotANote::NotText)?;
        if note.chars().any(|c| c < ' ' && c != '\n') {
            return Err(NotANote::NotText);
        }
        // The text keeps the first of the two line breaks.
        let end = note.rfind("\n\n").and_then(|at| at.checked_add(1)).ok_or(NotANote::Form)?;
        let (text, rest) = note.split_at_checked(end).ok_or(NotANote::Form)?;
        let lines = rest.strip_prefix('\n').and_then(|lines| lines.strip_suffix('\n')).ok_or(NotANote::Form)?;
        let signatures = lines.split('\n').take(MAX_SIGNATURES.saturating_add(1)).map(Signature::parse);
        Self { text: text.to_owned(), signatures: signatures.collect::<Result<_, _>>()? }.bounded()
    }

    fn bounded(self) -> Result<Self, NotANote> {
        if (1..=MAX_SIGNATURES).contains(&self.signatures.len()) { Ok(self) } else { Err(NotANote::Signatures) }
    }

    /// The text, with its last line break. Whoever has not called [`Self::verify`] knows nothing of where it is from.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, in order.
    #[must_use]
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// The keys among `known` that have signed the text, in their order. Signatures of unknown keys are ignored.
    ///
    /// # Errors
    /// None has, or a signature that claims to be of one of them is not: then the note counts for nothing.
    pub fn verify<'a>(&self, known: &'a [VerifierKey]) -> Result<Vec<&'a VerifierKey>, NotVerified> {
        let mut found = Vec::new();
        for key in known {
            let claimed: Vec<&Signature> = self.signatures.iter().filter(|line| line.claims(key)).collect();
            if !claimed.iter().all(|line| key.verifies(self.text.as_bytes(), &line.bytes)) {
                return Err(NotVerified::Wrong { name: key.name().clone() });
            }
            if !claimed.is_empty() {
                found.push(key);
            }
        }
        if found.is_empty() { Err(NotVerified::Unknown) } else { Ok(found) }
    }
}

impl Signature {
    fn by(key: &SigningKey, text: &str) -> Self {
        let verifier = key.verifier();
        Self { name: verifier.name().clone(), key_id: verifier.id(), bytes: key.sign(text.as_bytes()) }
    }

    fn parse(line: &str) -> Result<Self, NotANote> {
        let (name, base64) =
            line.strip_prefix(DASH).and_then(|rest| rest.split_once(' ')).ok_or(NotANote::Signature)?;
        let name = Name::new(name).map_err(|_| NotANote::Signature)?;
        let bytes = decoded(base64).ok_or(NotANote::Signature)?;
        let (key_id, bytes) =
            bytes.split_first_chunk::<4>().filter(|(_, rest)| !rest.is_empty()).ok_or(NotANote::Signature)?;
        Ok(Self { name, key_id: *key_id, bytes: bytes.to_vec() })
    }

    fn claims(&self, key: &VerifierKey) -> bool {
        self.name == *key.name() && self.key_id == key.id()
    }

    /// The name of the key that it claims to be of.
    #[must_use]
    pub const fn name(&self) -> &Name {
        &self.name
    }

    /// The id of the key that it claims to be of.
    #[must_use]
    pub const fn key_id(&self) -> [u8; 4] {
        self.key_id
    }

    /// The signature proper; its form depends on the kind of the key.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

fn check_text(text: &str) -> Result<(), NotANote> {
    if text.len() > MAX_NOTE {
        Err(NotANote::TooLong)
    } else if text.chars().any(|c| c < ' ' && c != '\n') {
        Err(NotANote::NotText)
    } else if text.ends_with('\n') {
        Ok(())
    } else {
        Err(NotANote::Form)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = [self.key_id.as_slice(), &self.bytes].concat();
        write!(f, "{DASH}{} {}", self.name, encoded(&whole))
    }
}

#[cfg(test)]
mod tests;
