//! Policy: what the administrator laid down, as one immutable value with one digest.
//!
//! ```text
//!   countersign.toml ─┐
//!   grants.d/*.toml  ─┤
//!   rules/*.toml     ─┼─ Policy::parse ──▶ Policy ──judge──▶ Verdict
//!   profiles/*.toml  ─┘                      └─ ruleset: version + digest of all four
//! ```
//!
//! Front and launcher parse the same files with this code and must arrive at the same [`Ruleset`]. All or
//! nothing: one bad file and there is no policy.

pub mod budget;
mod document;
mod grant;
mod judge;
pub mod memory;
mod mode;

use serde::{Deserialize, Serialize};

pub use document::{ApproverDiffers, Quorum, Settings, SettingsError, SettingsProblem};
pub use grant::{Grant, GrantError, GrantProblem, Grants, Names};
pub use judge::{Allowed, Case, Facts, GATES, Gate, Needs, Refused, Taint, Verdict, judge, refusals};
pub use mode::{Mode, NotAMode};

use crate::classify::{RuleFile, Rules, RulesError};
use crate::digest::{Digest, NotCanonical};
use crate::profile::{ProfileError, Profiles};
use crate::spot::{Spot, texts_under};

/// The version of the meaning of rules, profiles and grants; raised when the same files come to mean something else.
pub const RULESET_VERSION: u32 = 1;

/// Which policy a decision was made under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ruleset {
    /// [`RULESET_VERSION`].
    pub version: u32,
    /// SHA-256 over the effective rules, profiles, grants and settings.
    pub digest: Digest,
}

/// A configuration file that somebody else read: its name for messages, and its text.
#[derive(Debug, Clone, Copy)]
pub struct TextFile<'a> {
    /// The name for messages.
    pub name: &'a str,
    /// The whole text.
    pub text: &'a str,
}

/// Every text that makes up a policy.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// `countersign.toml`, then the files of `countersign.toml.d`, in order.
    pub settings: &'a [TextFile<'a>],
    /// The grants.
    pub grants: &'a [TextFile<'a>],
    /// The classifier's rules.
    pub rules: &'a [RuleFile<'a>],
    /// The vendor's sandboxes.
    pub profiles: &'a [TextFile<'a>],
    /// The administrator's sandboxes: others, and narrower ones in place of the vendor's.
    pub own_profiles: &'a [TextFile<'a>],
}

/// Why there is no policy. Each names the file, the place and what was expected.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// In the settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// In a grant.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// In a rule.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// In a profile.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// A grant or a rule names a profile that is not there.
    #[error("{file}:{line}:{column}: there is no profile {name:?}")]
    NoProfile {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The column in bytes, from 1.
        column: usize,
        /// The name.
        name: String,
    },
    /// The whole could not be digested.
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
}

/// The policy in force.
#[derive(Debug)]
pub struct Policy {
    settings: Settings,
    grants: Grants,
    rules: Rules,
    profiles: Profiles,
    ruleset: Ruleset,
}

/// Whether every profile that a file names under this key is there.
fn no_profile(file: &TextFile<'_>, key: &str, profiles: &Profiles) -> Result<(), PolicyError> {
    let known = |name: &str| profiles.iter().any(|profile| profile.name.as_str() == name);
    let unknown = texts_under(file.text, key).into_iter().find(|(name, _)| !known(name));
    unknown.map_or(Ok(()), |(name, Spot { line, column })| {
        Err(PolicyError::NoProfile { file: file.name.to_owned(), line, column, name })
    })
}

impl Policy {
    /// Parses every source; user and group names are resolved once, here.
    ///
    /// # Errors
    /// The first file that is not right.
    pub fn parse(sources: &Sources<'_>, names: &dyn Names) -> Result<Self, PolicyError> {
        let settings = Settings::parse(sources.settings)?;
        let grants = Grants::parse(sources.grants, names)?;
        let rules = Rules::parse(sources.rules)?;
        let profiles = Profiles::parse_among(sources.profiles, sources.own_profiles, |user| names.lacks(user))?;
        let named = |file: &TextFile<'_>, key| no_profile(file, key, &profiles);
        sources.grants.iter().try_for_each(|file| named(file, "profiles"))?;
        sources
            .rules
            .iter()
            .try_for_each(|rules| named(&TextFile { name: rules.name, text: rules.text }, "profile"))?;
        let digest = Digest::of_canonical(&(&settings, &grants, rules.digest(), profiles.digest()?))?;
        Ok(Self { settings, grants, rules, profiles, ruleset: Ruleset { version: RULESET_VERSION, digest } })
    }

    /// The settings.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Who may ask for what.
    #[must_use]
    pub const fn grants(&self) -> &Grants {
        &self.grants
    }

    /// The classifier's rules.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The sandboxes.
    #[must_use]
    pub const fn profiles(&self) -> &Profiles {
        &self.profiles
    }

    /// Which policy this is.
    #[must_use]
    pub const fn ruleset(&self) -> Ruleset {
        self.ruleset
    }
}
