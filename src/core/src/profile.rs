//! Profiles: the sandboxes, as data. A tier holds because of its profile, even where the classifier was wrong. SEC-13.
//!
//! Enters: the text of profile files. Leaves: checked definitions with a digest each. What a definition does to a
//! process is the launcher's business.

use serde::{Deserialize, Serialize};

/// The name of a profile: 1 to 32 lowercase letters, digits and hyphens, beginning with a letter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProfileName(String);

/// The text is not a profile's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a profile's name has 1 to 32 lowercase letters, digits and hyphens and begins with a letter")]
pub struct NotAProfileName;

impl ProfileName {
    /// Checks a name.
    ///
    /// # Errors
    /// [`NotAProfileName`].
    pub fn new(name: &str) -> Result<Self, NotAProfileName> {
        let letters = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let sound = letters && name.len() <= 32 && name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        if sound { Ok(Self(name.to_owned())) } else { Err(NotAProfileName) }
    }

    /// The profile of T0: reads only.
    #[must_use]
    pub fn observe() -> Self {
        Self("observe".to_owned())
    }

    /// The profile of T1: only the named paths are writable.
    #[must_use]
    pub fn change() -> Self {
        Self("change".to_owned())
    }

    /// The profile of T2 where no rule names a narrower one.
    #[must_use]
    pub fn system() -> Self {
        Self("system".to_owned())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ProfileName {
    type Error = NotAProfileName;

    fn try_from(name: String) -> Result<Self, NotAProfileName> {
        Self::new(&name)
    }
}

impl From<ProfileName> for String {
    fn from(name: ProfileName) -> Self {
        name.0
    }
}

/// Every profile in force.
#[derive(Debug, Default)]
pub struct Profiles(std::collections::BTreeMap<ProfileName, Profile>);

/// One sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name.
    pub name: ProfileName,
    /// The profiles that are wider than this one in every respect.
    #[serde(default)]
    pub within: Vec<ProfileName>,
}

/// Why a profile file was refused.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// It is not TOML, or has a key or a value that it may not have.
    #[error("{file}: {error}")]
    Syntax {
        /// The file.
        file: String,
        /// Line, column and what was expected.
        #[source]
        error: Box<toml::de::Error>,
    },
}

impl Profiles {
    /// Reads the files in order.
    ///
    /// # Errors
    /// The first profile that is not right.
    pub fn parse(files: &[crate::policy::TextFile<'_>]) -> Result<Self, ProfileError> {
        let mut profiles = std::collections::BTreeMap::new();
        for file in files {
            let profile: Profile = toml::from_str(file.text)
                .map_err(|error| ProfileError::Syntax { file: file.name.to_owned(), error: Box::new(error) })?;
            profiles.insert(profile.name.clone(), profile);
        }
        Ok(Self(profiles))
    }

    /// The profile of this name.
    #[must_use]
    pub fn get(&self, name: &ProfileName) -> Option<&Profile> {
        self.0.get(name)
    }

    /// Whether `narrow` is `wide` or lies within it.
    #[must_use]
    pub fn is_within(&self, narrow: &ProfileName, wide: &ProfileName) -> bool {
        narrow == wide || self.get(narrow).is_some_and(|profile| profile.within.contains(wide))
    }

    /// The digest over all profiles.
    ///
    /// # Errors
    /// A profile has no canonical form.
    pub fn digest(&self) -> Result<crate::digest::Digest, crate::digest::NotCanonical> {
        crate::digest::Digest::of_canonical(&self.0.values().collect::<Vec<_>>())
    }
}

impl Profile {
    /// The digest over this profile.
    ///
    /// # Errors
    /// It has no canonical form.
    pub fn digest(&self) -> Result<crate::digest::Digest, crate::digest::NotCanonical> {
        crate::digest::Digest::of_canonical(self)
    }
}
