//! Layers: what of the kernel and of the broker's own rights a sandbox is made of, by name. SEC-14.
//!
//! A profile lists the layers without which nothing runs in it. Most cannot be left out; what a profile's own words
//! make use of must be listed too, so that the list says the whole truth to whoever reads the file.

use serde::{Deserialize, Serialize};

use super::{Network, Profile};

/// A layer. Its name is that of the step that puts it in force, as an outcome tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayerName {
    /// A cgroup per job that is killed as a whole.
    Cgroup,
    /// The cgroup's own limits on tasks and memory. Without them limits per process or user stand in, unless this is listed.
    CgroupLimits,
    /// Closing everything that the launcher had open.
    Descriptors,
    /// A mount namespace, and mounts by descriptor.
    Mounts,
    /// A network namespace.
    Network,
    /// Another user and group.
    Credentials,
    /// Bounding and ambient sets.
    Capabilities,
    /// No `execve` gives anything back.
    NoNewPrivs,
    /// Rights on files, sockets and signals, from the version that the profile names.
    Landlock,
    /// Filters over system calls.
    Seccomp,
}

impl LayerName {
    /// Every layer.
    pub const ALL: [Self; 10] = [
        Self::Cgroup,
        Self::CgroupLimits,
        Self::Descriptors,
        Self::Mounts,
        Self::Network,
        Self::Credentials,
        Self::Capabilities,
        Self::NoNewPrivs,
        Self::Landlock,
        Self::Seccomp,
    ];

    /// The name as text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cgroup => "cgroup",
            Self::CgroupLimits => "cgroup-limits",
            Self::Descriptors => "descriptors",
            Self::Mounts => "mounts",
            Self::Network => "network",
            Self::Credentials => "credentials",
            Self::Capabilities => "capabilities",
            Self::NoNewPrivs => "no-new-privs",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
        }
    }

    /// What the layer holds, for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Cgroup => "every process of a job ends with it",
            Self::CgroupLimits => "tasks and memory of a job as a whole are limited",
            Self::Descriptors => "nothing that the launcher had open is left open",
            Self::Mounts => "a view of the file system of the job's own",
            Self::Network => "a network of the job's own, with nothing in it",
            Self::Credentials => "the profile's user and group and no other",
            Self::Capabilities => "the profile's capabilities and no other",
            Self::NoNewPrivs => "no program gives privileges back",
            Self::Landlock => "rights on files, and on processes outside",
            Self::Seccomp => "system calls that the profile does not allow are refused",
        }
    }

    /// Whether a profile that says this of itself must list the layer.
    #[must_use]
    pub const fn is_used_by(self, profile: &Profile) -> bool {
        match self {
            Self::Cgroup
            | Self::Descriptors
            | Self::Mounts
            | Self::Credentials
            | Self::Capabilities
            | Self::NoNewPrivs
            | Self::Seccomp => true,
            Self::CgroupLimits => false,
            Self::Network => matches!(profile.network, Network::Own),
            Self::Landlock => profile.landlock_abi > 0,
        }
    }

    /// Whether a profile that says this of itself may list the layer.
    #[must_use]
    pub const fn may_be_asked_by(self, profile: &Profile) -> bool {
        matches!(self, Self::CgroupLimits) || self.is_used_by(profile)
    }
}
