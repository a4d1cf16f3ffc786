//! What a profile allows: system calls, sockets, capabilities and paths, each with the reason for it.
//!
//! Whatever is not named here by a profile is refused. The reasons are part of the profile and of its digest.

use serde::{Deserialize, Serialize};

use crate::path::CleanPath;
use crate::strict;

/// A group of system calls that is refused unless a profile allows it. Which calls these are stands in the crate
/// `confine`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallSet {
    /// Loading and removing kernel modules.
    Modules,
    /// Rebooting, halting, and starting a kernel that was loaded.
    Boot,
    /// Loading another kernel to be started.
    Kexec,
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
    /// Throwing the kernel's messages away, and changing which reach the console.
    KernelLog,
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

impl CallSet {
    /// Every group.
    pub const ALL: [Self; 24] = [
        Self::Modules,
        Self::Boot,
        Self::Kexec,
        Self::KernelPrograms,
        Self::PageFaults,
        Self::Processes,
        Self::Keys,
        Self::Handles,
        Self::IoUring,
        Self::Mounts,
        Self::Chroot,
        Self::Namespaces,
        Self::Swap,
        Self::Ports,
        Self::Accounting,
        Self::Personality,
        Self::Clock,
        Self::Terminals,
        Self::KernelLog,
        Self::Names,
        Self::Nodes,
        Self::MemoryFiles,
        Self::Attributes,
        Self::Credentials,
    ];

    /// The name by which a profile file knows it.
    #[must_use]
    pub fn name(self) -> String {
        name_of(&self)
    }
}

impl Socket {
    /// The name by which a profile file knows it.
    #[must_use]
    pub fn name(self) -> String {
        name_of(&self)
    }
}

/// The name of a variant, as written in files.
fn name_of(variant: &impl Serialize) -> String {
    // A variant without content is a string in every format.
    serde_json::to_value(variant).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
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
    /// Whole frames of a network interface.
    Packet,
    /// The kernel's ciphers and digests.
    KernelCrypto,
}

/// A group of system calls and the reason for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallAllowance {
    /// The group.
    #[serde(deserialize_with = "strict::word")]
    pub set: CallSet,
    /// Why a job needs it.
    pub why: String,
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
    #[serde(deserialize_with = "strict::word")]
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
