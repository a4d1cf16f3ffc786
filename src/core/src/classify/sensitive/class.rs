//! Classes of sensitive places: what each means for those who read or write there.
//!
//! Enters: a class and a use. Leaves: the rule that fires, its ruling and a sentence for people.

use super::Use;
use crate::tier::{Ruling, Tier};

/// Why a place is sensitive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::classify) enum Class {
    /// Keys, passwords, tokens, other processes' memory.
    Secret,
    /// A file anywhere that has the name of a key or of a store of passwords.
    SecretByName,
    /// A file of its own right below the root.
    Top,
    /// Who may log in, who is trusted, what protects the machine.
    Trust,
    /// Files that are run or obeyed by root sooner or later.
    Obeyed,
    /// Programs, libraries and the databases of packages.
    Software,
    /// What the machine needs to start.
    Boot,
    /// Kernel parameters and state.
    Kernel,
    /// Devices.
    Device,
    /// Sockets that give their users the machine.
    Socket,
    /// Doors to other paths: `/proc/PID/root`, `/dev/fd`.
    Door,
    /// Logs that tell what happened.
    Log,
    /// Data of services.
    Data,
    /// Countersign's own configuration and programs, and polkit's rules.
    Own,
    /// Countersign's own state and keys.
    OwnState,
    /// The kernel's lockdown.
    Lockdown,
}

impl Class {
    /// Whether it is on the deny list.
    pub(in crate::classify) const fn is_own(self) -> bool {
        matches!(self, Self::Own | Self::OwnState | Self::Lockdown)
    }

    /// The rule's id.
    pub(in crate::classify) const fn rule(self) -> &'static str {
        match self {
            Self::Secret | Self::SecretByName => "sensitive.secret",
            Self::Top => "sensitive.top",
            Self::Trust => "sensitive.trust",
            Self::Obeyed => "sensitive.obeyed",
            Self::Software => "sensitive.software",
            Self::Boot => "sensitive.boot",
            Self::Kernel => "sensitive.kernel",
            Self::Device => "sensitive.device",
            Self::Socket => "sensitive.socket",
            Self::Door => "sensitive.door",
            Self::Log => "sensitive.log",
            Self::Data => "sensitive.data",
            Self::Own => "deny.own-files",
            Self::OwnState => "deny.own-state",
            Self::Lockdown => "deny.lockdown",
        }
    }

    /// What a person is told.
    pub(in crate::classify) const fn says(self, access: Use) -> &'static str {
        match (self, access) {
            (Self::Secret | Self::SecretByName, Use::Read) => {
                "Reads a secret: a key, a password, a token or another process's memory."
            }
            (Self::Secret, Use::Write) => "Changes a secret that decides who may get in.",
            (Self::SecretByName, Use::Write) => "Changes a file that has the name of a key or a password store.",
            (Self::Top, _) => "Changes something right below the root of the file system.",
            (Self::Trust, _) => "Changes who is trusted or what protects the machine.",
            (Self::Obeyed, _) => "Changes a file that root runs or obeys later.",
            (Self::Software, _) => "Changes programs, libraries or the package database directly.",
            (Self::Boot, _) => "Changes what the machine needs to start.",
            (Self::Kernel, _) => "Changes the running kernel or its parameters.",
            (Self::Device, Use::Read) => "Reads a device directly, below every file permission.",
            (Self::Device, Use::Write) => "Writes to a device directly, below every file system.",
            (Self::Socket, _) => "Uses a socket that gives its users the machine.",
            (Self::Door, _) => "Goes through a path that leads to whatever another process has open.",
            (Self::Log, _) => "Changes the logs that tell what happened.",
            (Self::Data, _) => "Goes to the stored data of a service behind its back.",
            (Self::Own, _) => "Changes Countersign itself or the rules of polkit.",
            (Self::OwnState, _) => "Touches the keys, the state or the audit trail of Countersign.",
            (Self::Lockdown, _) => "Changes the kernel's lockdown.",
        }
    }

    /// What such a use is ruled at least, or nothing.
    pub(in crate::classify) const fn ruling(self, access: Use) -> Option<Ruling> {
        let tier = match (self, access) {
            (Self::Own | Self::Lockdown, Use::Write) | (Self::OwnState, _) => return Some(Ruling::Deny),
            (Self::Secret | Self::Trust | Self::Boot | Self::Device, Use::Write) => Tier::T3,
            (Self::Log, Use::Write) => Tier::T3,
            (Self::Secret | Self::SecretByName | Self::Device | Self::Socket | Self::Door | Self::Data, _) => Tier::T2,
            (Self::Top | Self::Obeyed | Self::Software | Self::Kernel, Use::Write) => Tier::T2,
            (Self::Top | Self::Trust | Self::Obeyed | Self::Software | Self::Boot, Use::Read) => return None,
            (Self::Kernel | Self::Log | Self::Own | Self::Lockdown, Use::Read) => return None,
        };
        Some(Ruling::Tier(tier))
    }
}
