//! Profiles: the sandboxes, as data. A tier holds because of its profile, even where the classifier was wrong. SEC-13.
//!
//! Enters: the text of profile files. Leaves: checked definitions with a digest each, and in words what a job may
//! touch. A profile says what is allowed, each with its reason; everything else is refused. What a definition does
//! to a process is the launcher's business.

mod places;
mod words;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use places::{Place, PlaceSet};

use crate::digest::{Digest, NotCanonical};
use crate::path::CleanPath;
use crate::policy::TextFile;

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
    /// What of the file system is written and seen.
    pub files: Files,
    /// Which network namespace a job is in.
    pub network: Network,
    /// The least version of Landlock's interface without which nothing runs.
    pub landlock_abi: u8,
    /// The groups of system calls that are refused.
    pub refused_calls: Vec<CallSet>,
    /// How much a job may use.
    pub limits: Limits,
    /// The capabilities that a job has.
    #[serde(default, rename = "capability")]
    pub capabilities: Vec<CapabilityAllowance>,
    /// The kinds of socket that a job may open.
    #[serde(default, rename = "socket")]
    pub sockets: Vec<SocketAllowance>,
    /// What a job finds in `/dev`.
    #[serde(default, rename = "device")]
    pub devices: Vec<PathAllowance>,
}

/// What of the file system is written and seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// What may be written.
    pub written: Written,
    /// Directories that are empty at first, the job's own, and gone with it.
    #[serde(default)]
    pub private: Vec<CleanPath>,
    /// Sets of places that are read-only whatever else is said.
    pub protected: Vec<PlaceSet>,
    /// Sets of places that cannot be opened at all.
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

/// A group of system calls that is refused as a whole. Which calls these are, and why, stands in the crate `confine`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallSet {
    /// Loading and removing kernel modules.
    Modules,
    /// Starting another kernel, and rebooting.
    Boot,
    /// Programs inside the kernel, and its performance counters.
    KernelPrograms,
    /// Handling another process's page faults.
    PageFaults,
    /// Reading, steering and robbing other processes.
    Processes,
    /// The kernel's key rings.
    Keys,
    /// Opening files by handle instead of by path.
    Handles,
    /// Submitting calls through shared memory, past every filter.
    IoUring,
    /// Changing the mount tree, by the old calls and the new.
    Mounts,
    /// Changing the root directory.
    Chroot,
    /// Making and entering namespaces.
    Namespaces,
    /// Swap space.
    Swap,
    /// Hardware ports.
    Ports,
    /// Process accounting and disk quotas.
    Accounting,
    /// Other execution domains.
    Personality,
    /// Setting clocks.
    Clock,
    /// Putting words into a terminal's input.
    Terminals,
    /// The machine's names.
    Names,
    /// Making device nodes.
    Nodes,
    /// Files without a path.
    MemoryFiles,
    /// Attributes in which capabilities and labels are kept.
    Attributes,
    /// Changing users and groups.
    Credentials,
}

/// A kind of socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Socket {
    /// Local sockets.
    Unix,
    /// Internet protocol, version 4.
    Inet,
    /// Internet protocol, version 6.
    Inet6,
    /// Every protocol of netlink.
    Netlink,
    /// Netlink for addresses and routes.
    NetlinkRoute,
    /// Netlink for looking at sockets.
    NetlinkDiagnosis,
}

/// A capability and the reason for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapabilityAllowance {
    /// The capability.
    pub name: Capability,
    /// Why a job needs it.
    pub why: String,
}

/// A kind of socket and the reason for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SocketAllowance {
    /// The kind.
    pub kind: Socket,
    /// Why a job needs it.
    pub why: String,
}

/// A path and the reason for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathAllowance {
    /// The path.
    pub path: CleanPath,
    /// Why a job needs it.
    pub why: String,
}

/// A capability of the kernel, by its name without the prefix `CAP_`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Capability(&'static str);

/// Every capability of Linux 5.9 and later, in the kernel's order.
const CAPABILITIES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

impl Capability {
    /// The name without its prefix.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }
}

impl<'de> Deserialize<'de> for Capability {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let known = CAPABILITIES.into_iter().find(|known| *known == name);
        known
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("a capability is named as in capabilities(7), without CAP_"))
    }
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
    /// A number is outside its bounds.
    #[error("{file}: {key} must be between {min} and {max}")]
    OutOfBounds {
        /// The file.
        file: String,
        /// The key.
        key: &'static str,
        /// The lower bound.
        min: u32,
        /// The upper bound.
        max: u32,
    },
    /// An allowance without a reason.
    #[error("{file}: say why {what} is allowed")]
    NoReason {
        /// The file.
        file: String,
        /// What is allowed.
        what: String,
    },
    /// Two files define one profile.
    #[error("{file}: there is already a profile {name}")]
    Twice {
        /// The second file.
        file: String,
        /// The name.
        name: String,
    },
    /// `within` names a profile that is not there.
    #[error("the profile {name} is said to lie within {missing}, which does not exist")]
    Missing {
        /// The profile.
        name: String,
        /// The name that nothing has.
        missing: String,
    },
}

impl Profiles {
    /// Reads the files in order.
    ///
    /// # Errors
    /// The first profile that is not right.
    pub fn parse(files: &[TextFile<'_>]) -> Result<Self, ProfileError> {
        let mut profiles = BTreeMap::new();
        for file in files {
            let profile: Profile = toml::from_str(file.text)
                .map_err(|error| ProfileError::Syntax { file: file.name.to_owned(), error: Box::new(error) })?;
            profile.limits.check(file.name)?;
            profile.check_reasons(file.name)?;
            if let Some(other) = profiles.insert(profile.name.clone(), profile) {
                return Err(ProfileError::Twice { file: file.name.to_owned(), name: other.name.0 });
            }
        }
        for profile in profiles.values() {
            if let Some(missing) = profile.within.iter().find(|wide| !profiles.contains_key(*wide)) {
                return Err(ProfileError::Missing { name: profile.name.0.clone(), missing: missing.0.clone() });
            }
        }
        Ok(Self(profiles))
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

    /// Whether `narrow` is `wide` or lies within it.
    #[must_use]
    pub fn is_within(&self, narrow: &ProfileName, wide: &ProfileName) -> bool {
        narrow == wide || self.get(narrow).is_some_and(|profile| profile.within.contains(wide))
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

    fn check_reasons(&self, file: &str) -> Result<(), ProfileError> {
        let capabilities = self.capabilities.iter().map(|each| (each.name.name().to_owned(), &each.why));
        let sockets = self.sockets.iter().map(|each| (format!("{:?}", each.kind), &each.why));
        let devices = self.devices.iter().map(|each| (each.path.to_string(), &each.why));
        match capabilities.chain(sockets).chain(devices).find(|(_, why)| why.trim().is_empty()) {
            Some((what, _)) => Err(ProfileError::NoReason { file: file.to_owned(), what }),
            None => Ok(()),
        }
    }
}

impl Limits {
    fn check(&self, file: &str) -> Result<(), ProfileError> {
        let bounds = [
            ("limits.seconds", Some(self.seconds), 1, 86_400),
            ("limits.tasks", Some(self.tasks), 1, 65_536),
            ("limits.memory_mib", self.memory_mib, 16, 1_048_576),
            ("limits.output_mib", Some(self.output_mib), 1, 1_048_576),
        ];
        for (key, value, min, max) in bounds {
            if value.is_some_and(|value| value < min || value > max) {
                return Err(ProfileError::OutOfBounds { file: file.to_owned(), key, min, max });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
