//! Step `landlock`: which files may be reached how, and which other processes at all. A hard requirement.
//!
//! Landlock does not see changes of mode, owner, times or attributes, nor local sockets by path before version 9 of its
//! interface. The mount namespace, another user, capabilities and seccomp stand where it does not; it stands where a
//! path would lead around them. A process in a domain also cannot mount, and cannot trace a process outside.

use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};

use crate::{ConfineError, Layer, layer};

/// The newest interface whose rights this project has looked at. What a kernel does not have is left out, down to
/// the version that a sandbox requires.
const NEWEST: ABI = ABI::V9;

/// What may be done below a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Read, list and execute.
    Read,
    /// The same, and connect to local sockets.
    ReadAndConnect,
    /// Everything but making device nodes.
    Change,
    /// Read and write what is there, and device requests; make and remove nothing.
    Use,
    /// Everything.
    Everything,
}

/// What a domain says of the network and of processes outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// No TCP, no abstract sockets of others, no signals to others.
    Closed,
    /// No signals to others. Abstract sockets and TCP are left to other layers.
    SignalsClosed,
    /// As without a domain. Abstract sockets, TCP and signals are left to other layers.
    Open,
}

/// A place and what may be done below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The place. It must exist.
    pub path: PathBuf,
    /// What may be done.
    pub reach: Reach,
}

/// Everything that a domain allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// The least version of the interface; older kernels are an error.
    pub least_abi: u8,
    /// What may be reached; nothing else is.
    pub rules: Vec<Rule>,
    /// Network and processes outside.
    pub outside: Outside,
}

/// Enters the domain for good.
///
/// # Errors
/// A place that cannot be opened, a kernel without the required rights, or one that does not enforce them.
pub fn restrict(domain: &Domain) -> Result<Layer, ConfineError> {
    let mut created = ruleset(domain)?;
    for rule in &domain.rules {
        created = allow(created, rule)?;
    }
    let status = created.restrict_self().map_err(ConfineError::Landlock)?;
    let abi = match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => effective_abi,
        LandlockStatus::NotEnabled | LandlockStatus::NotImplemented => return Err(ConfineError::LandlockTooOld),
    };
    match status.ruleset {
        RulesetStatus::NotEnforced => Err(ConfineError::LandlockTooOld),
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(layer("landlock", words(abi, domain))),
    }
}

/// Whether the kernel offers this version of the interface. Nothing is restricted.
#[must_use]
pub fn is_offered(least_abi: u8) -> bool {
    least_abi <= NEWEST as u8 && ruleset(&Domain { least_abi, rules: Vec::new(), outside: Outside::Open }).is_ok()
}

fn ruleset(domain: &Domain) -> Result<RulesetCreated, ConfineError> {
    let least = ABI::from(i32::from(domain.least_abi));
    let required = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(least))
        .map_err(|_| ConfineError::LandlockTooOld)?;
    let mut offered = required
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))
        .map_err(ConfineError::Landlock)?;
    let closed = |ruleset: Ruleset| -> Result<Ruleset, RulesetError> {
        match domain.outside {
            Outside::Closed => ruleset.handle_access(AccessNet::from_all(NEWEST))?.scope(Scope::from_all(NEWEST)),
            Outside::SignalsClosed => ruleset.scope(Scope::Signal),
            Outside::Open => Ok(ruleset),
        }
    };
    offered = closed(offered).map_err(ConfineError::Landlock)?;
    offered.create().map_err(ConfineError::Landlock)
}

fn allow(created: RulesetCreated, rule: &Rule) -> Result<RulesetCreated, ConfineError> {
    let path = || rule.path.display().to_string();
    let fd = PathFd::new(&rule.path).map_err(|error| ConfineError::LandlockPath { path: path(), error })?;
    created.add_rule(PathBeneath::new(fd, rights(rule.reach))).map_err(ConfineError::Landlock)
}

fn rights(reach: Reach) -> BitFlags<AccessFs> {
    let all = AccessFs::from_all(NEWEST);
    let nodes = AccessFs::MakeChar | AccessFs::MakeBlock;
    match reach {
        Reach::Read => AccessFs::from_read(NEWEST),
        Reach::ReadAndConnect => AccessFs::from_read(NEWEST) | AccessFs::ResolveUnix,
        Reach::Change => all & !(nodes | AccessFs::ResolveUnix),
        Reach::Use => AccessFs::from_read(NEWEST) | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::IoctlDev,
        Reach::Everything => all,
    }
}

fn words(abi: ABI, domain: &Domain) -> String {
    let files = AccessFs::from_all(abi).len();
    let written: Vec<String> = domain
        .rules
        .iter()
        .filter(|rule| matches!(rule.reach, Reach::Change | Reach::Everything))
        .map(|rule| rule.path.display().to_string())
        .collect();
    let written = if written.is_empty() { "nothing".to_owned() } else { written.join(" ") };
    let outside = match domain.outside {
        Outside::Open => "tcp, abstract sockets and signals open",
        Outside::SignalsClosed if abi >= ABI::V6 => "tcp and abstract sockets open; signals closed",
        Outside::SignalsClosed => "tcp and abstract sockets open; signals not known to this kernel",
        Outside::Closed if abi >= ABI::V6 => "tcp, abstract sockets and signals closed",
        Outside::Closed if abi >= ABI::V4 => "tcp closed; abstract sockets and signals not known to this kernel",
        Outside::Closed => "tcp, abstract sockets and signals not known to this kernel",
    };
    format!("abi {abi}, {files} file rights, changes below: {written}; mounts and tracing of others closed; {outside}")
}
