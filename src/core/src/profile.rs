//! Profiles: the sandboxes, as data. A tier holds because of its profile, even where the classifier was wrong. SEC-13.
//!
//! Enters: the text of profile files. Leaves: checked definitions with a digest each, and in words what a job may
//! touch. A profile says what is allowed, each with its reason; everything else is refused. What a definition does
//! to a process is the launcher's business.

mod allowances;
mod layers;
mod narrow;
mod places;
mod read;
mod words;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use allowances::{CallAllowance, CallSet, Capability, CapabilityAllowance, PathAllowance, Socket, SocketAllowance};
pub use layers::LayerName;
pub use places::{Place, PlaceSet};
pub use read::{ProfileError, ProfileProblem};

use crate::digest::{Digest, NotCanonical};
use crate::path::CleanPath;
use crate::policy::TextFile;
use crate::strict;

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
pub struct Profiles(BTreeMap<ProfileName, Profile>);

/// One sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name.
    pub name: ProfileName,
    /// What it is for, in half a sentence that begins with a verb.
    pub summary: String,
    /// The profiles that are wider than this one in every respect.
    #[serde(default)]
    pub within: Vec<ProfileName>,
    /// The account that a job runs as, by name.
    pub user: String,
    /// The layers without which nothing runs.
    #[serde(deserialize_with = "strict::words")]
    pub layers: Vec<LayerName>,
    /// What of the file system is written and seen.
    #[serde(deserialize_with = "strict::table")]
    pub files: Files,
    /// Which network namespace a job is in.
    #[serde(deserialize_with = "strict::word")]
    pub network: Network,
    /// The least version of Landlock's interface without which nothing runs; 0 where Landlock cannot be used.
    pub landlock_abi: u8,
    /// The groups of system calls that a job may make; every other group is refused.
    #[serde(default, rename = "call", deserialize_with = "strict::tables")]
    pub calls: Vec<CallAllowance>,
    /// How much a job may use.
    #[serde(deserialize_with = "strict::table")]
    pub limits: Limits,
    /// The capabilities that a job has.
    #[serde(default, rename = "capability", deserialize_with = "strict::tables")]
    pub capabilities: Vec<CapabilityAllowance>,
    /// The kinds of socket that a job may open.
    #[serde(default, rename = "socket", deserialize_with = "strict::tables")]
    pub sockets: Vec<SocketAllowance>,
    /// What a job finds in `/dev`; `/dev` itself stands for all of it.
    #[serde(default, rename = "device", deserialize_with = "strict::tables")]
    pub devices: Vec<PathAllowance>,
    /// Where a job may write, for [`Written::Listed`]; what does not exist is passed over.
    #[serde(default, rename = "write", deserialize_with = "strict::tables")]
    pub writes: Vec<PathAllowance>,
}

/// What of the file system is written and seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// What may be written.
    #[serde(deserialize_with = "strict::word")]
    pub written: Written,
    /// Directories that are empty at first, the job's own, and gone with it.
    #[serde(default)]
    pub private: Vec<CleanPath>,
    /// Sets of places that are read-only whatever else is said.
    #[serde(deserialize_with = "strict::words")]
    pub protected: Vec<PlaceSet>,
    /// Sets of places that cannot be opened at all.
    #[serde(deserialize_with = "strict::words")]
    pub hidden: Vec<PlaceSet>,
}

/// What may be written besides the private directories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Written {
    /// Nothing.
    Nothing,
    /// The paths that the request names as written.
    Targets,
    /// The places that the profile lists, and the paths that the request names as written.
    Listed,
    /// Everything that is not protected.
    Everything,
}

/// Which network a job is in. What it may open there is said by the sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// One of its own, with nothing in it.
    Own,
    /// The machine's.
    Host,
}

/// How much a job may use. The caller may ask for less time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Time from begin to end, in seconds, 1 to 86,400.
    pub seconds: u32,
    /// Processes and threads together, 1 to 65,536.
    pub tasks: u32,
    /// Memory in MiB, 16 to 1,048,576; unlimited if absent.
    pub memory_mib: Option<u32>,
    /// Output of both streams together in MiB, 1 to 1,048,576; the front ends a job that writes more.
    pub output_mib: u32,
}

impl Profiles {
    /// Reads the vendor's files and the administrator's. An administrator's profile of a vendor's name replaces it and
    /// must lie within it.
    ///
    /// # Errors
    /// The first profile that is not right, with its place.
    pub fn parse(vendor: &[TextFile<'_>], admin: &[TextFile<'_>]) -> Result<Self, ProfileError> {
        Self::parse_among(vendor, admin, |_| false)
    }

    /// The same on a machine of which it is known that it lacks some users: a profile for one of them is a mistake.
    ///
    /// # Errors
    /// As [`Profiles::parse`].
    pub fn parse_among(
        vendor: &[TextFile<'_>],
        admin: &[TextFile<'_>],
        lacks: impl Fn(&str) -> bool,
    ) -> Result<Self, ProfileError> {
        read::read(vendor, admin, lacks)
    }

    /// The profile of this name.
    #[must_use]
    pub fn get(&self, name: &ProfileName) -> Option<&Profile> {
        self.0.get(name)
    }

    /// Every profile, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Profile> {
        self.0.values()
    }

    /// Whether `narrow` is `wide` or lies within it. Whatever would run as root and write may be looked at in `observe`
    /// instead, which changes nothing.
    #[must_use]
    pub fn is_within(&self, narrow: &ProfileName, wide: &ProfileName) -> bool {
        let looks = *narrow == ProfileName::observe() && self.get(narrow).is_some();
        let writes = |profile: &Profile| matches!(profile.files.written, Written::Listed | Written::Everything);
        narrow == wide
            || self.get(narrow).is_some_and(|profile| profile.within.contains(wide))
            || (looks && self.get(wide).is_some_and(writes))
    }

    /// The digest over all profiles.
    ///
    /// # Errors
    /// A profile has no canonical form.
    pub fn digest(&self) -> Result<Digest, NotCanonical> {
        let each = self.0.values().map(Profile::digest).collect::<Result<Vec<_>, _>>()?;
        Digest::of_canonical(&each)
    }
}

impl Profile {
    /// The digest over this profile and over the places that its sets name.
    ///
    /// # Errors
    /// It has no canonical form.
    pub fn digest(&self) -> Result<Digest, NotCanonical> {
        let sets = self.files.protected.iter().chain(&self.files.hidden);
        let places: Vec<&str> = sets.flat_map(|set| set.places()).map(|place| place.pattern).collect();
        Digest::of_canonical(&(self, places))
    }

    /// Whether signals, TCP and abstract sockets of others are closed to a job.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.files.written != Written::Everything && !self.reaches_out() && !self.signals_others()
    }

    /// Whether a job may signal processes that are not its own.
    #[must_use]
    pub fn signals_others(&self) -> bool {
        self.capabilities.iter().any(|each| each.name.name() == "KILL")
    }

    /// Whether this group of system calls is allowed.
    #[must_use]
    pub fn allows(&self, set: CallSet) -> bool {
        self.calls.iter().any(|each| each.set == set)
    }

    /// The groups of system calls that are refused.
    #[must_use]
    pub fn refused_calls(&self) -> Vec<CallSet> {
        CallSet::ALL.into_iter().filter(|set| !self.allows(*set)).collect()
    }
}

#[cfg(test)]
mod tests;
