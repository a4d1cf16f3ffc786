//! The gates: one function each, in the order of the list. A gate that cannot say anything, because an earlier one
//! should have refused, lets pass: the earlier one has refused.

use serde::{Deserialize, Serialize};

use super::{Case, Code, Failure, Refused, RunState, Tier};
use crate::classify::Classification;
use crate::policy::Grant;
use crate::profile::ProfileName;
use crate::target::{Access, Target};
use crate::tier::Ruling;

/// A gate that a request must pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// The broker is not stopped.
    State,
    /// The caller has a grant.
    Grant,
    /// It is not on the deny list.
    DenyList,
    /// The broker is not on hold, or it is a read.
    Hold,
    /// The server's mode goes that far.
    Mode,
    /// The caller's grant goes that far.
    Ceiling,
    /// The sandbox exists, is no wider than it must be, and the grant has it.
    Profile,
    /// It is within what the caller itself allowed.
    Narrowing,
}

/// Every gate, in order.
pub const GATES: [Gate; 8] =
    [Gate::State, Gate::Grant, Gate::DenyList, Gate::Hold, Gate::Mode, Gate::Ceiling, Gate::Profile, Gate::Narrowing];

impl Gate {
    /// What this gate says against a case.
    pub(super) fn refuses(self, case: &Case<'_>) -> Option<Refused> {
        let passed = match self {
            Self::State => running(case),
            Self::Grant => granted(case).map(|_| ()),
            Self::DenyList => not_denied(case.classification),
            Self::Hold => not_held(case),
            Self::Mode => within_mode(case),
            Self::Ceiling => within_ceiling(case),
            Self::Profile => within_profile(case),
            Self::Narrowing => within_narrowing(case),
        };
        passed.err().map(|failure| Refused { gate: self, failure })
    }

    /// Whether its refusal says nothing about what was asked for, so that silence need not hide it.
    #[must_use]
    pub const fn is_about_the_broker_or_the_caller(self) -> bool {
        match self {
            Self::State | Self::Grant => true,
            Self::DenyList | Self::Hold | Self::Mode | Self::Ceiling | Self::Profile | Self::Narrowing => false,
        }
    }

    /// Whether its refusal is the policy's no to a plan, which is remembered. The caller's own bounds and a passing
    /// state of the broker are none.
    #[must_use]
    pub const fn is_policy(self) -> bool {
        match self {
            Self::DenyList | Self::Mode | Self::Ceiling | Self::Profile => true,
            Self::State | Self::Grant | Self::Hold | Self::Narrowing => false,
        }
    }
}

fn refuse(code: Code, sentence: impl Into<String>) -> Result<(), Failure> {
    Err(Failure::new(code, sentence))
}

fn running(case: &Case<'_>) -> Result<(), Failure> {
    match case.facts.state {
        RunState::Red => {
            refuse(Code::Stopped, "The broker is stopped: an operator clears it with `countersign clear`.")
        }
        RunState::Amber | RunState::Green => Ok(()),
    }
}

fn granted<'a>(case: &Case<'a>) -> Result<&'a Grant, Failure> {
    let none = || Failure::new(Code::AccessDenied, "You have no grant: ask an administrator for one.");
    case.facts.grant.as_ref().ok_or_else(none)
}

fn not_denied(classification: &Classification) -> Result<(), Failure> {
    match classification.ruling {
        Ruling::Tier(_) => Ok(()),
        Ruling::Deny => refuse(Code::Denied, denied_sentence(classification)),
    }
}

fn denied_sentence(classification: &Classification) -> String {
    let why = classification.evidence.iter().find(|evidence| classification.rules.first() == Some(&evidence.rule));
    let says = why
        .or_else(|| classification.evidence.first())
        .map_or("it is on the deny list", |evidence| evidence.says.as_str());
    format!("This is never done, with any approval: {}.", says.trim_end_matches('.'))
}

fn not_held(case: &Case<'_>) -> Result<(), Failure> {
    match (case.facts.state, case.tier()) {
        (RunState::Amber, Some(Tier::T1 | Tier::T2 | Tier::T3)) => {
            refuse(Code::Held, "The broker is on hold and serves reads only: ask an operator to resume it.")
        }
        (RunState::Amber, Some(Tier::T0) | None) | (RunState::Green | RunState::Red, _) => Ok(()),
    }
}

fn within_mode(case: &Case<'_>) -> Result<(), Failure> {
    let mode = case.policy.settings().mode;
    let Some(tier) = case.tier().filter(|tier| *tier > mode.ceiling()) else { return Ok(()) };
    refuse(
        Code::ModeCeiling,
        format!(
            "This is {tier} and the server's mode is {mode}, which ends at {}: an administrator sets the mode in countersign.toml.",
            mode.ceiling()
        ),
    )
}

fn within_ceiling(case: &Case<'_>) -> Result<(), Failure> {
    let (Ok(grant), Some(tier)) = (granted(case), case.tier()) else { return Ok(()) };
    if tier <= grant.ceiling {
        return Ok(());
    }
    refuse(
        Code::Denied,
        format!("This is {tier} and your grant ends at {}: ask an administrator for a wider grant.", grant.ceiling),
    )
}

fn within_profile(case: &Case<'_>) -> Result<(), Failure> {
    let (profile, needed, profiles) = (case.profile, &case.classification.profile, case.policy.profiles());
    if profiles.get(profile).is_none() {
        return refuse(
            Code::InvalidRequest,
            format!("There is no profile {}: leave the profile out, or name one that is installed.", profile.as_str()),
        );
    }
    if !profiles.is_within(profile, needed) {
        return refuse(
            Code::InvalidRequest,
            format!(
                "The profile {} is not narrower than {}, which this needs: a profile can only narrow.",
                profile.as_str(),
                needed.as_str()
            ),
        );
    }
    let Ok(grant) = granted(case) else { return Ok(()) };
    if grant.allows(profile) { Ok(()) } else { refuse(Code::Denied, profile_sentence(case, grant)) }
}

/// Names the first narrower sandbox that the grant has, if there is one.
fn profile_sentence(case: &Case<'_>, grant: &Grant) -> String {
    let narrower = |profile: &&ProfileName| case.policy.profiles().is_within(profile, &case.classification.profile);
    let nearest = grant.profiles.iter().flatten().find(narrower);
    let instead = nearest.map_or_else(
        || "ask an administrator for a wider grant".to_owned(),
        |profile| format!("it has {}, which is narrower", profile.as_str()),
    );
    format!("Your grant does not include the profile {}: {instead}.", case.profile.as_str())
}

fn within_narrowing(case: &Case<'_>) -> Result<(), Failure> {
    let Some(tier) = case.tier() else { return Ok(()) };
    if let Some(max) = case.narrowing.max_tier.filter(|max| tier > *max) {
        return refuse(
            Code::Denied,
            format!("This is {tier} and you allowed at most {max}: raise the limit if you meant it."),
        );
    }
    let Some(named) = &case.narrowing.targets else { return Ok(()) };
    let written = |target: &&Target| target.access == Access::Write;
    if case.classification.targets.iter().filter(written).all(|target| named.contains(&target.name)) {
        Ok(())
    } else {
        refuse(Code::Denied, "This changes something that you did not name as a target: name it if you meant it.")
    }
}
