//! Paths as callers write them: absolute, cleaned by words alone, never looked up.
//!
//! Cleaning removes `//`, `.` and `..` without touching the file system; what a path really leads to is settled
//! by descriptors in the launcher. `..` at the root stays at the root, as the kernel has it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An absolute path without `.`, `..`, empty components, NUL or a trailing slash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CleanPath(String);

/// Why some text is not an absolute path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It does not begin with `/`.
    #[error("the path must be absolute: begin it with /")]
    Relative,
    /// It contains a NUL byte.
    #[error("the path contains a NUL byte")]
    Nul,
    /// It is longer than the kernel takes.
    #[error("the path is longer than 4,095 bytes")]
    TooLong,
}

/// The longest path that the kernel takes, in bytes (`PATH_MAX` less its terminator).
const MAX_BYTES: usize = 4_095;

impl CleanPath {
    /// Cleans an absolute path.
    ///
    /// # Errors
    /// The text is relative, too long, or contains a NUL.
    pub fn new(text: &str) -> Result<Self, PathError> {
        if !text.starts_with('/') {
            return Err(PathError::Relative);
        }
        if text.contains('\0') {
            return Err(PathError::Nul);
        }
        if text.len() > MAX_BYTES {
            return Err(PathError::TooLong);
        }
        let mut parts: Vec<&str> = Vec::new();
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                name => parts.push(name),
            }
        }
        Ok(Self(format!("/{}", parts.join("/"))))
    }

    /// Cleans `text` as seen from this directory: itself if absolute, joined if relative.
    ///
    /// # Errors
    /// The result is too long or contains a NUL.
    pub fn join(&self, text: &str) -> Result<Self, PathError> {
        if text.starts_with('/') { Self::new(text) } else { Self::new(&format!("{}/{text}", self.0)) }
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `other` or lies below it.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        let base = other.0.trim_end_matches('/');
        self.0.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl fmt::Display for CleanPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for CleanPath {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        Self::new(&text)
    }
}

impl From<CleanPath> for String {
    fn from(path: CleanPath) -> Self {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleaning_is_lexical_and_idempotent() {
        for (text, clean) in [
            ("/", "/"),
            ("//", "/"),
            ("/a//b/./c/", "/a/b/c"),
            ("/usr/bin/../bin/sudo", "/usr/bin/sudo"),
            ("/../../etc/shadow", "/etc/shadow"),
            ("/a/b/../../..", "/"),
        ] {
            let path = CleanPath::new(text).unwrap();
            assert_eq!(path.as_str(), clean, "{text}");
            assert_eq!(CleanPath::new(path.as_str()).unwrap(), path);
        }
    }

    #[test]
    fn what_is_not_an_absolute_path_is_refused() {
        assert_eq!(CleanPath::new("etc"), Err(PathError::Relative));
        assert_eq!(CleanPath::new(""), Err(PathError::Relative));
        assert_eq!(CleanPath::new("/a\0b"), Err(PathError::Nul));
        assert!(CleanPath::new(&format!("/{}", "a".repeat(4_094))).is_ok());
        assert_eq!(CleanPath::new(&format!("/{}", "a".repeat(4_095))), Err(PathError::TooLong));
    }

    #[test]
    fn within_means_the_same_or_below_by_whole_names() {
        let etc = CleanPath::new("/etc").unwrap();
        let root = CleanPath::new("/").unwrap();
        assert!(CleanPath::new("/etc/passwd").unwrap().is_within(&etc));
        assert!(etc.is_within(&etc) && etc.is_within(&root));
        assert!(!CleanPath::new("/etcetera").unwrap().is_within(&etc));
        assert!(!root.is_within(&etc));
    }
}
