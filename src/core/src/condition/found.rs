//! Found: what was found where a condition does not hold, and what is said of it to a caller, to people and to the log.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::host::{Host, HostKind};
use super::{Check, Condition, Role, listed};
use crate::classify::RuleId;
use crate::code::{Code, Failure};

/// How a unit of systemd is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// It runs, or is there.
    Active,
    /// It does not, and nothing is wrong.
    Inactive,
    /// It does not, because it failed.
    Failed,
    /// It is on its way up or down.
    Changing,
    /// There is no such unit.
    Absent,
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Failed => "failed",
            Self::Changing => "starting or stopping",
            Self::Absent => "not there",
        })
    }
}

/// What was found where a check did not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A process holds the lock; nothing where it cannot be seen from here.
    Locked(Option<i32>),
    /// So many KiB are free.
    Room(u64),
    /// It runs on a battery.
    Battery,
    /// The file's content is another.
    OtherContent,
    /// The unit is in this state.
    Unit(Activity),
    /// The package is not installed.
    NoPackage,
    /// Nobody else is an administrator.
    Alone,
    /// The words of the command do not say which thing it is about.
    Unnamed,
    /// It could not be looked at.
    Unknown,
    /// The look took too long.
    TimedOut,
}

impl Found {
    /// Whether this is an answer at all. What is none is a failure whatever the condition is for.
    #[must_use]
    pub const fn is_an_answer(self) -> bool {
        match self {
            Self::Locked(_)
            | Self::Room(_)
            | Self::Battery
            | Self::OtherContent
            | Self::Unit(_)
            | Self::NoPackage
            | Self::Alone => true,
            Self::Unnamed | Self::Unknown | Self::TimedOut => false,
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked(Some(process)) => write!(f, "process {process} holds it"),
            Self::Locked(None) => f.write_str("a process holds it"),
            Self::Room(kib) => write!(f, "{kib}K are free"),
            Self::Battery => f.write_str("it runs on a battery"),
            Self::OtherContent => f.write_str("the content is another"),
            Self::Unit(activity) => write!(f, "it is {activity}"),
            Self::NoPackage => f.write_str("it is not installed"),
            Self::Alone => f.write_str("nobody else is known to be an administrator"),
            Self::Unnamed => f.write_str("the command does not say exactly which it is"),
            Self::Unknown => f.write_str("it could not be looked at"),
            Self::TimedOut => f.write_str("the look took too long"),
        }
    }
}

/// One condition that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// What was asked, as a rule writes it.
    pub check: String,
    /// What was found where it does not hold; absent where it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// What it is for.
    pub role: Role,
    /// The rule that asked.
    pub rule: RuleId,
}

impl Seen {
    /// A check, and what was found where it does not hold.
    #[must_use]
    pub fn new(rule: &RuleId, condition: &Condition, found: Option<Found>) -> Self {
        let found = found.map(|found| found.to_string());
        Self { check: condition.check.to_string(), found, role: condition.role, rule: rule.clone() }
    }

    /// The kinds of host that a rule asked for, and whether this is one.
    #[must_use]
    pub fn of_host(rule: &RuleId, kinds: &[HostKind], host: &Host) -> Self {
        let found = (!host.fits(kinds)).then(|| format!("it is {host}"));
        Self { check: format!("host {}", listed(kinds)), found, role: Role::Hard, rule: rule.clone() }
    }

    /// What a human is to mind before deciding: a condition that does not hold and does not refuse.
    #[must_use]
    pub fn to_mind(&self) -> Option<String> {
        let found = self.found.as_ref().filter(|_| self.role == Role::Soft)?;
        Some(format!("{} ({found})", self.check))
    }
}

/// A host of another kind, as its caller is told.
#[must_use]
pub fn other_host(rule: &RuleId, kinds: &[HostKind], host: &Host) -> Failure {
    let kinds = listed(kinds);
    Failure::new(
        Code::Unmet,
        format!("The rule {rule} is for hosts of the kind {kinds}, and this one is {host}: use what fits this host."),
    )
}

/// A check that did not hold before the run, as its caller is told.
#[must_use]
pub fn unmet(rule: &RuleId, check: &Check, found: Found) -> Failure {
    let mend = match found {
        Found::Unnamed => "name each in full",
        Found::Locked(_)
        | Found::Room(_)
        | Found::Battery
        | Found::OtherContent
        | Found::Unit(_)
        | Found::NoPackage
        | Found::Alone
        | Found::Unknown
        | Found::TimedOut => "ask again when that has changed",
    };
    Failure::new(Code::Unmet, format!("The rule {rule} asks for `{check}`, and {found}: {mend}."))
}

/// A check that did not hold after the run, as its caller is told.
#[must_use]
pub fn drifted(rule: &RuleId, check: &Check, found: Found) -> Failure {
    Failure::new(
        Code::Drift,
        format!(
            "It ran and exited with status 0, but the rule {rule} expects `{check}` after it, and {found}: look at the machine before you go on."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Found; 10] = [
        Found::Locked(Some(1)),
        Found::Room(1),
        Found::Battery,
        Found::OtherContent,
        Found::Unit(Activity::Failed),
        Found::NoPackage,
        Found::Alone,
        Found::Unnamed,
        Found::Unknown,
        Found::TimedOut,
    ];

    #[test]
    fn a_look_that_found_nothing_out_is_no_answer() {
        let answers: Vec<Found> = ALL.into_iter().filter(|found| found.is_an_answer()).collect();
        assert_eq!(answers, ALL[..7]);
    }

    #[test]
    fn people_are_to_mind_what_is_soft_and_does_not_hold() {
        let rule = RuleId::of_table("apt");
        for role in [Role::Hard, Role::Soft, Role::After] {
            for found in [None, Some(Found::Battery)] {
                let seen = Seen::new(&rule, &Condition { check: Check::MainsPower, role }, found);
                let minds = role == Role::Soft && found.is_some();
                assert_eq!(seen.to_mind(), minds.then(|| "mains-power (it runs on a battery)".to_owned()));
            }
        }
    }

    #[test]
    fn a_failure_names_the_rule_the_check_and_what_was_found() {
        let rule = RuleId::of_table("apt");
        for found in ALL {
            for failure in [unmet(&rule, &Check::NoDpkgLock, found), drifted(&rule, &Check::NoDpkgLock, found)] {
                for part in ["rule apt", "`no-dpkg-lock`", &found.to_string()] {
                    assert!(failure.sentence.contains(part), "{failure}");
                }
            }
        }
        assert_eq!(unmet(&rule, &Check::NoDpkgLock, Found::Unknown).code, Code::Unmet);
        assert_eq!(drifted(&rule, &Check::NoDpkgLock, Found::Unknown).code, Code::Drift);
    }
}
