//! Anchors: who outside of this machine keeps checkpoints, and what is kept of their answers.
//!
//! ```text
//!   anchor.toml ──▶ Anchors ─┬─ authority   an RFC 3161 time-stamp over a checkpoint's bytes   SIZE.note, SIZE.tsr
//!                            └─ witness     a C2SP cosignature on a checkpoint                 SIZE.note
//! ```
//!
//! Enters: the text of the administrator's file, or the name of a kept file. Leaves: what it says, or its first error with
//! line and column. The program that asks and the one that verifies read the same file with this code. It never opens
//! anything.

use std::collections::BTreeSet;
use std::path::{Component, PathBuf};

use serde::Deserialize;

use crate::note::CosignerKey;

/// The most anchors of one machine.
pub const MAX_ANCHORS: usize = 16;
/// The most bytes of an anchor's name.
pub const MAX_NAME: usize = 64;
/// The most bytes of an address.
pub const MAX_URL: usize = 1_024;
/// What a kept checkpoint's file ends in.
pub const NOTE: &str = "note";
/// What a kept time-stamp's file ends in.
pub const TIMESTAMP: &str = "tsr";
/// How many digits a size has in a file's name, so that names sort as sizes do.
const DIGITS: usize = 20;

/// Everybody who is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Anchors {
    /// The time-stamp authorities.
    pub authorities: Vec<Authority>,
    /// The witnesses.
    pub witnesses: Vec<Witness>,
}

/// A time-stamp authority.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authority {
    /// What it is called here, and the name of the directory with its answers.
    pub name: AnchorName,
    /// Where it is asked.
    pub url: Url,
    /// The certificates (PEM) that its answers are verified with.
    pub ca: AbsolutePath,
}

/// A witness.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Witness {
    /// What it is called here, and the name of the directory with its answers.
    pub name: AnchorName,
    /// Where it is asked; `/add-checkpoint` is appended.
    pub url: Url,
    /// The key that its cosignatures are verified with.
    #[serde(deserialize_with = "from_text")]
    pub key: CosignerKey,
}

/// From 1 to [`MAX_NAME`] small letters, digits, dots, dashes and underscores, of which the first is a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct AnchorName(String);

/// An address: `http://` or `https://`, without blanks and control characters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Url(String);

/// An absolute path without `..`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct AbsolutePath(PathBuf);

/// Why a value is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadValue {
    /// Not an [`AnchorName`].
    #[error("a name has from 1 to {MAX_NAME} of a-z, 0-9, dot, dash and underscore, and begins with a letter or digit")]
    Name,
    /// Not a [`Url`].
    #[error("an address begins with http:// or https:// and has at most {MAX_URL} bytes and no blanks")]
    Url,
    /// Not an [`AbsolutePath`].
    #[error("a path is absolute and has no ..")]
    Path,
}

/// Why the file was refused.
#[derive(Debug, thiserror::Error)]
pub enum AnchorsError {
    /// It is not TOML, or has a key or a value that it may not have.
    #[error("{0}")]
    Syntax(#[from] Box<toml::de::Error>),
    /// Two anchors of one name.
    #[error("two anchors are called {name}: their answers are kept by name, so each needs its own")]
    Twice {
        /// The name.
        name: String,
    },
    /// More than [`MAX_ANCHORS`].
    #[error("there are more than {MAX_ANCHORS} anchors")]
    TooMany,
}

/// What the file may say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    authority: Vec<Authority>,
    #[serde(default)]
    witness: Vec<Witness>,
}

impl Anchors {
    /// Reads the file.
    ///
    /// # Errors
    /// [`AnchorsError`], with the place.
    pub fn parse(text: &str) -> Result<Self, AnchorsError> {
        let document: Document = toml::from_str(text).map_err(Box::new)?;
        let anchors = Self { authorities: document.authority, witnesses: document.witness };
        let mut seen = BTreeSet::new();
        for name in anchors.names() {
            if !seen.insert(name) {
                return Err(AnchorsError::Twice { name: name.as_str().to_owned() });
            }
        }
        if seen.len() > MAX_ANCHORS { Err(AnchorsError::TooMany) } else { Ok(anchors) }
    }

    /// Every anchor's name.
    pub fn names(&self) -> impl Iterator<Item = &AnchorName> {
        let authorities = self.authorities.iter().map(|authority| &authority.name);
        authorities.chain(self.witnesses.iter().map(|witness| &witness.name))
    }
}

impl AnchorName {
    /// Its text, which is safe as the name of a file.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Url {
    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AbsolutePath {
    /// The path.
    #[must_use]
    pub fn as_path(&self) -> &std::path::Path {
        &self.0
    }
}

impl TryFrom<String> for AnchorName {
    type Error = BadValue;

    fn try_from(text: String) -> Result<Self, BadValue> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let good = (1..=MAX_NAME).contains(&text.len())
            && text.bytes().all(|byte| plain(byte) || b".-_".contains(&byte))
            && text.bytes().next().is_some_and(plain);
        if good { Ok(Self(text)) } else { Err(BadValue::Name) }
    }
}

impl TryFrom<String> for Url {
    type Error = BadValue;

    fn try_from(text: String) -> Result<Self, BadValue> {
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let good = text.len() <= MAX_URL
            && host.is_some_and(|host| !host.is_empty() && !host.starts_with('/'))
            && text.chars().all(|c| c.is_ascii_graphic());
        if good { Ok(Self(text)) } else { Err(BadValue::Url) }
    }
}

impl TryFrom<String> for AbsolutePath {
    type Error = BadValue;

    fn try_from(text: String) -> Result<Self, BadValue> {
        let path = PathBuf::from(text);
        let good = path.is_absolute() && path.components().all(|part| part != Component::ParentDir);
        if good { Ok(Self(path)) } else { Err(BadValue::Path) }
    }
}

fn from_text<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

/// The name of the file for an anchor's answer on the checkpoint of this size.
#[must_use]
pub fn file_name(size: u64, ending: &str) -> String {
    format!("{size:0DIGITS$}.{ending}")
}

/// The size in the name of a kept file of that ending; nothing for any other name.
#[must_use]
pub fn size_of(name: &str, ending: &str) -> Option<u64> {
    let digits = name.strip_suffix(ending)?.strip_suffix('.')?;
    let size: u64 = digits.parse().ok()?;
    (file_name(size, ending) == name).then_some(size)
}

#[cfg(test)]
mod tests;
