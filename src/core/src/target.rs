//! Targets: the things that a request names and acts on, as typed words for people and for the sandbox.
//!
//! The classifier makes them; the dialog shows them; the `change` profile makes exactly the written paths
//! writable. A target is a claim about what the command line says, never about what a program really did.

use serde::{Deserialize, Serialize};

/// What sort of thing a target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetKind {
    /// A file or directory, by absolute cleaned path.
    Path,
    /// A systemd unit.
    Unit,
    /// A software package.
    Package,
    /// A user account.
    User,
    /// A group.
    Group,
    /// A block or character device, by path.
    Device,
    /// A network host, address or URL.
    Host,
    /// A process, by number or name.
    Process,
    /// The machine itself (reboot, clock, kernel).
    Machine,
    /// Anything else that a rule names, for instance a container or a network interface.
    Other,
}

/// What the request does with the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Looks at it.
    Read,
    /// Creates, changes or removes it.
    Write,
}

/// One thing that a request acts on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// What sort of thing it is.
    pub kind: TargetKind,
    /// Its name: for a path absolute and cleaned, otherwise as the caller wrote it.
    pub name: String,
    /// What is done with it.
    pub access: Access,
}
