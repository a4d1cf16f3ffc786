//! Why a process could not be confined: one variant per step, the kernel's answer in each.

use nix::errno::Errno;

/// Why a process could not be confined. Whoever sees one must end, or not begin.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// Setting users and groups.
    #[error("{call} failed")]
    Credentials {
        /// The call.
        call: &'static str,
        /// The kernel's answer.
        #[source]
        errno: Errno,
    },
    /// The kernel shows other users or groups than were set.
    #[error("users and groups are not those that were set")]
    CredentialsDiffer,
    /// Setting or reading a set of capabilities.
    #[error("the {set} capabilities could not be handled")]
    Capabilities {
        /// Which set.
        set: &'static str,
        /// The library's answer.
        #[source]
        error: caps::errors::CapsError,
    },
    /// The kernel does not show the capabilities.
    #[error("the capabilities could not be read back")]
    CapabilitiesUnread(#[source] std::io::Error),
    /// The kernel shows other capabilities than were set.
    #[error("the {set} capabilities are not those that were set")]
    CapabilitiesDiffer {
        /// Which set.
        set: &'static str,
    },
    /// Setting `no_new_privs`.
    #[error("no_new_privs could not be set")]
    NoNewPrivs(#[source] Errno),
    /// Opening a place for a rule of Landlock.
    #[error("landlock: {path} could not be opened")]
    LandlockPath {
        /// The place.
        path: String,
        /// The library's answer.
        #[source]
        error: ::landlock::PathFdError,
    },
    /// Building the ruleset or restricting.
    #[error("landlock")]
    Landlock(#[source] ::landlock::RulesetError),
    /// The kernel's Landlock is older than what is required.
    #[error("the kernel's Landlock does not have what is required")]
    LandlockTooOld,
    /// Compiling a filter.
    #[error("seccomp: a filter could not be compiled")]
    Compile(#[source] seccompiler::BackendError),
    /// A filter is longer than the kernel takes.
    #[error("seccomp: a filter is too long")]
    TooLong,
    /// Installing a filter.
    #[error("seccomp: a filter could not be installed")]
    Seccomp(#[source] seccompiler::Error),
    /// The kernel shows another mode than that of filters.
    #[error("seccomp: the kernel does not show a filter")]
    NotFiltered,
}

impl ConfineError {
    /// The name of the step that failed, as in [`crate::Layer::step`].
    #[must_use]
    pub const fn step(&self) -> &'static str {
        match self {
            Self::Credentials { .. } | Self::CredentialsDiffer => "credentials",
            Self::Capabilities { .. } | Self::CapabilitiesUnread(_) | Self::CapabilitiesDiffer { .. } => "capabilities",
            Self::NoNewPrivs(_) => "no-new-privs",
            Self::LandlockPath { .. } | Self::Landlock(_) | Self::LandlockTooOld => "landlock",
            Self::Compile(_) | Self::TooLong | Self::Seccomp(_) | Self::NotFiltered => "seccomp",
        }
    }

    /// The kernel's error number; `EPERM` where a library does not tell, `ENOTSUP` where the kernel took the step
    /// and shows otherwise.
    #[must_use]
    pub fn errno(&self) -> i32 {
        let of = |error: &std::io::Error| error.raw_os_error().unwrap_or(nix::libc::EPERM);
        match self {
            Self::Credentials { errno, .. } | Self::NoNewPrivs(errno) => *errno as i32,
            Self::CredentialsDiffer | Self::CapabilitiesDiffer { .. } | Self::NotFiltered | Self::LandlockTooOld => {
                nix::libc::ENOTSUP
            }
            Self::Capabilities { .. } => nix::libc::EPERM,
            Self::CapabilitiesUnread(error) => of(error),
            Self::LandlockPath { error: ::landlock::PathFdError::OpenCall { source, .. }, .. } => of(source),
            Self::Seccomp(seccompiler::Error::Prctl(source) | seccompiler::Error::Seccomp(source)) => of(source),
            Self::LandlockPath { .. } | Self::Landlock(_) | Self::Compile(_) | Self::TooLong | Self::Seccomp(_) => {
                nix::libc::EINVAL
            }
        }
    }
}
