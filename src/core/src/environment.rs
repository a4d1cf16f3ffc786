//! The environment of a job: built from nothing, plus the few names that a caller may add.
//!
//! A name outside the allowlist is an error that names it, never silently dropped: a program that ran without a
//! variable that its caller relied on did not run as asked. What loaders and interpreters obey (`LD_*`, `BASH_ENV`,
//! `PYTHON*` and their like) is not on the list and cannot be put there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The most bytes that a caller's names and values may have together.
pub const MAX_BYTES: usize = 8 * 1_024;
/// The most bytes of one value.
pub const MAX_VALUE: usize = 1_024;

/// The names that every caller may add, besides those that begin with `LC_`.
const ALLOWED: [&str; 6] = ["LANG", "TZ", "TERM", "COLUMNS", "LINES", "NO_COLOR"];

/// What every job has. `PATH` holds only directories that root alone can write on a sound system.
const FIXED: [(&str, &str); 8] = [
    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ("SHELL", "/bin/sh"),
    ("LANG", "C.UTF-8"),
    ("DEBIAN_FRONTEND", "noninteractive"),
    ("SYSTEMD_PAGER", "cat"),
    ("SUDO_ASKPASS", ""),
    ("SSH_ASKPASS", ""),
    ("GIT_TERMINAL_PROMPT", "0"),
];

/// The names and values that a caller added, checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct Environment(BTreeMap<String, String>);

/// Why an environment was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// The name is not on the allowlist; it is given with everything but plain characters replaced.
    #[error("the environment variable {0} may not be set: leave it out")]
    NotAllowed(String),
    /// The value has characters that this name may not have, or is too long.
    #[error("the value of the environment variable {0} is not one that it may have")]
    BadValue(String),
    /// All together pass [`MAX_BYTES`].
    #[error("the environment has {0} bytes and {MAX_BYTES} are allowed")]
    TooLong(usize),
}

impl Environment {
    /// Checks what a caller wants to add.
    ///
    /// # Errors
    /// [`EnvironmentError`], naming the variable or the bound.
    pub fn new(added: BTreeMap<String, String>) -> Result<Self, EnvironmentError> {
        let bytes =
            added.iter().fold(0_usize, |sum, (name, value)| sum.saturating_add(name.len()).saturating_add(value.len()));
        if bytes > MAX_BYTES {
            return Err(EnvironmentError::TooLong(bytes));
        }
        for (name, value) in &added {
            if !is_allowed(name) {
                return Err(EnvironmentError::NotAllowed(plain(name)));
            }
            if !is_sound(name, value) {
                return Err(EnvironmentError::BadValue(plain(name)));
            }
        }
        Ok(Self(added))
    }

    /// What the caller added.
    #[must_use]
    pub const fn added(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// The whole environment of a job that runs as the given account.
    #[must_use]
    pub fn complete(&self, user: &str, home: &str) -> BTreeMap<String, String> {
        let fixed = FIXED.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let account = [("USER", user), ("LOGNAME", user), ("HOME", home)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let added = self.0.iter().map(|(name, value)| (name.clone(), value.clone()));
        fixed.chain(account).chain(added).collect()
    }
}

fn is_allowed(name: &str) -> bool {
    let locale =
        name.strip_prefix("LC_").is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_uppercase()));
    ALLOWED.contains(&name) || locale
}

/// Locale, terminal and zone names reach file lookups inside the C library, so no slash begins or climbs in them.
fn is_sound(name: &str, value: &str) -> bool {
    let number = matches!(name, "COLUMNS" | "LINES");
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-+@=:,/".contains(&b);
    value.len() <= MAX_VALUE
        && !value.starts_with('/')
        && !value.starts_with(':')
        && !value.contains("..")
        && value.bytes().all(|b| if number { b.is_ascii_digit() } else { plain(b) })
        && (name == "TZ" || !value.contains('/'))
}

/// A name fit for a sentence: bounded, and only characters that cannot do harm.
fn plain(name: &str) -> String {
    let shown = name.chars().take(64).map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '?' });
    shown.collect()
}

impl TryFrom<BTreeMap<String, String>> for Environment {
    type Error = EnvironmentError;

    fn try_from(added: BTreeMap<String, String>) -> Result<Self, EnvironmentError> {
        Self::new(added)
    }
}

impl From<Environment> for BTreeMap<String, String> {
    fn from(environment: Environment) -> Self {
        environment.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, value: &str) -> Result<Environment, EnvironmentError> {
        Environment::new(BTreeMap::from([(name.to_owned(), value.to_owned())]))
    }

    #[test]
    fn the_allowlist_lets_locale_terminal_and_zone_in() {
        for (name, value) in [
            ("LANG", "de_DE.UTF-8"),
            ("LC_ALL", "C"),
            ("TZ", "Europe/Berlin"),
            ("TERM", "xterm-256color"),
            ("COLUMNS", "80"),
            ("NO_COLOR", "1"),
        ] {
            assert!(one(name, value).is_ok(), "{name}");
        }
    }

    #[test]
    fn what_loaders_and_interpreters_obey_is_refused_by_name() {
        for name in [
            "LD_PRELOAD",
            "LD_LIBRARY_PATH",
            "BASH_ENV",
            "ENV",
            "IFS",
            "PATH",
            "PYTHONPATH",
            "PERL5OPT",
            "RUBYOPT",
            "NODE_OPTIONS",
            "GCONV_PATH",
            "LOCPATH",
            "NLSPATH",
            "BASH_FUNC_x%%",
            "GIT_SSH_COMMAND",
            "PAGER",
            "EDITOR",
            "HOME",
            "LC_",
            "LC_x",
            "",
            "TERMINFO",
            "TERMCAP",
            "MALLOC_TRACE",
        ] {
            assert_eq!(one(name, "x"), Err(EnvironmentError::NotAllowed(plain(name))), "{name}");
        }
    }

    #[test]
    fn values_cannot_lead_a_library_to_a_file() {
        for (name, value) in [
            ("TZ", "/tmp/x"),
            ("TZ", "../../tmp/x"),
            ("TZ", ":/tmp/x"),
            ("LANG", "a/b"),
            ("TERM", "x\u{1b}"),
            ("COLUMNS", "8x"),
            ("LC_ALL", "() { :; }"),
        ] {
            assert_eq!(one(name, value), Err(EnvironmentError::BadValue(name.to_owned())), "{name}={value}");
        }
    }

    #[test]
    fn a_value_is_bounded_at_n_and_n_plus_one() {
        assert!(one("TERM", &"x".repeat(MAX_VALUE)).is_ok());
        assert!(one("TERM", &"x".repeat(MAX_VALUE + 1)).is_err());
    }

    #[test]
    fn a_job_gets_the_fixed_names_and_nothing_of_ours() {
        let all = one("LANG", "C").unwrap().complete("root", "/root");
        assert_eq!(all.get("LANG").map(String::as_str), Some("C"));
        assert_eq!(all.get("HOME").map(String::as_str), Some("/root"));
        assert_eq!(all.len(), FIXED.len() + 3);
    }
}
