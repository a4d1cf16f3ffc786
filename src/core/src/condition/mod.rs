//! Conditions: what a rule asks of the host and of the moment, before its command runs and after it. SEC-5, SEC-6.
//!
//! ```text
//!   rule ──▶ hosts, conditions ──▶ (somebody else looks) ──▶ Found ──▶ Seen, for people and the log
//!                                                                └───▶ Failure: Unmet before the run, Drift after it
//! ```
//!
//! Enters: the words of `hosts`, `checks` and `check` in a file of rules, and what somebody else found on this machine.
//! Leaves: typed conditions, and for each that does not hold what was asked and what was found. Nothing is looked at here.

mod administrators;
mod check;
mod found;
mod host;
mod name;
mod package;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use administrators::{Administrators, Unreadable, administrators_without};
pub use check::{Check, Named};
pub use found::{Activity, Found, Seen, drifted, other_host, unmet};
pub use host::{Host, HostKind};
pub use name::{Account, Name, Package, Unit};
pub use package::is_installed;

/// Why a word in `hosts` or `checks` is no condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCondition {
    /// Not a kind of host.
    #[error(
        "a kind of host is systemd, openrc, immutable, container, ! before one of the last two, or a distribution's ID as /etc/os-release has it"
    )]
    Host,
    /// Not a check.
    #[error(
        "a check is no-dpkg-lock, mains-power, free SIZE PATH, sha256 DIGEST PATH, unit-active UNIT, unit-started UNIT, package-present PACKAGE or not-last-administrator USER; SIZE ends in K, M or G, a path is absolute, and <unit>, <package> or <user> is what the command names"
    )]
    Check,
}

/// What becomes of a request where a condition does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It is refused, before a human is asked and again before the run.
    #[default]
    Hard,
    /// People are told, and it is recorded.
    Soft,
    /// It is looked at once the command has exited with status 0: then it drifted.
    After,
}

impl Role {
    /// As it is written in a rule.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hard => "hard",
            Self::Soft => "soft",
            Self::After => "after",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A check, and what it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// What is looked at.
    pub check: Check,
    /// What becomes of the request where it does not hold.
    pub role: Role,
}

/// Several in one line.
fn listed<T: ToString>(all: &[T]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
