//! The judge: policy, a classified request and the facts of the moment go in, a verdict comes out. SEC-1, SEC-3.
//!
//! Pure, and used twice: by the front before anything is asked of anybody, and by the launcher on the order that it
//! received. The gates stand in the order of the code; the first that refuses is the one that is reported.

use crate::classify::Classification;
use crate::code::{Code, Failure};
use crate::policy::{Grant, Policy};
use crate::profile::{ProfileName, Written};
use crate::request::{Classified, Narrowing};
use crate::run_state::RunState;
use crate::target::Access;
use crate::tier::{Ruling, Tier};

/// Whether the caller may have read untrusted or secret text since its session began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Taint {
    /// Nothing was returned to it yet.
    Clean,
    /// Text that the broker does not trust was returned to it.
    Tainted,
}

/// What the judge must know besides policy and request.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The broker's run state.
    pub state: RunState,
    /// The caller's taint latch.
    pub taint: Taint,
    /// What the caller's grants give, or nothing.
    pub grant: Option<Grant>,
}

/// The judge's leave to run without a human. Only [`judge`] makes one.
#[derive(Debug, PartialEq, Eq)]
pub struct Allowed(());

/// What a held request waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// The tier for which a human must decide.
    pub tier: Tier,
}

/// What is to be done with a request.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// It may run at once, at this tier.
    Allow(Allowed, Tier),
    /// A human must decide.
    Hold(Needs),
    /// Never, as things are.
    Deny(Failure),
    /// Not answered: no detail and no prompt.
    Silence,
}

impl Verdict {
    /// The verdict in one word, as on the bus and in the log.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Allow(..) => "allow",
            Self::Hold(_) => "hold",
            Self::Deny(_) => "deny",
            Self::Silence => "silence",
        }
    }
}

/// Judges a classified request.
pub fn judge(policy: &Policy, case: &Classified, facts: &Facts) -> Verdict {
    judge_parts(policy, case.classification(), case.profile(), case.request().narrowing(), facts)
}

/// The same from the parts, for the launcher, which has an order and not a request.
pub fn judge_parts(
    policy: &Policy,
    classification: &Classification,
    profile: &ProfileName,
    narrowing: &Narrowing,
    facts: &Facts,
) -> Verdict {
    match gates(policy, classification, profile, narrowing, facts) {
        Ok((grant, tier)) if runs_unasked(policy, profile, &grant, tier, facts.taint) => {
            Verdict::Allow(Allowed(()), tier)
        }
        Ok((_, tier)) => Verdict::Hold(Needs { tier }),
        Err(failure) => Verdict::Deny(failure),
    }
}

/// A tier is not a label: what runs unasked also runs in a sandbox that bounds it, whatever profile a rule names.
fn runs_unasked(policy: &Policy, profile: &ProfileName, grant: &Grant, tier: Tier, taint: Taint) -> bool {
    let bounded = policy.profiles().get(profile).is_some_and(|profile| match (tier, profile.files.written) {
        (Tier::T0, Written::Nothing) | (Tier::T1, Written::Nothing | Written::Targets) => true,
        (Tier::T0, Written::Targets | Written::Listed | Written::Everything)
        | (Tier::T1, Written::Listed | Written::Everything)
        | (Tier::T2 | Tier::T3, _) => false,
    });
    bounded && (tier == Tier::T0 || (tier <= grant.auto && taint == Taint::Clean))
}

fn gates(
    policy: &Policy,
    classification: &Classification,
    profile: &ProfileName,
    narrowing: &Narrowing,
    facts: &Facts,
) -> Result<(Grant, Tier), Failure> {
    let refuse = |code, sentence: String| Err(Failure::new(code, sentence));
    if facts.state == RunState::Red {
        return refuse(
            Code::Stopped,
            "The broker is stopped: an operator clears it with `countersign clear`.".to_owned(),
        );
    }
    let Some(grant) = facts.grant.clone() else {
        return refuse(Code::AccessDenied, "You have no grant: ask an administrator for one.".to_owned());
    };
    let tier = match classification.ruling {
        Ruling::Tier(tier) => tier,
        Ruling::Deny => return refuse(Code::Denied, denied_sentence(classification)),
    };
    if facts.state == RunState::Amber && tier > Tier::T0 {
        return refuse(
            Code::Held,
            "The broker is on hold and serves reads only: ask an operator to resume it.".to_owned(),
        );
    }
    let mode = policy.settings().mode;
    if tier > mode.ceiling() {
        return refuse(
            Code::ModeCeiling,
            format!(
                "This is {tier} and the server's mode is {mode}, which ends at {}: an administrator sets the mode in countersign.toml.",
                mode.ceiling()
            ),
        );
    }
    if tier > grant.ceiling {
        return refuse(
            Code::Denied,
            format!("This is {tier} and your grant ends at {}: ask an administrator for a wider grant.", grant.ceiling),
        );
    }
    within_profile(policy, classification, profile, &grant)?;
    within_narrowing(classification, tier, narrowing)?;
    Ok((grant, tier))
}

fn denied_sentence(classification: &Classification) -> String {
    let why = classification.evidence.iter().find(|evidence| classification.rules.first() == Some(&evidence.rule));
    let says = why
        .or_else(|| classification.evidence.first())
        .map_or("it is on the deny list", |evidence| evidence.says.as_str());
    format!("This is never done, with any approval: {}.", says.trim_end_matches('.'))
}

fn within_profile(
    policy: &Policy,
    classification: &Classification,
    profile: &ProfileName,
    grant: &Grant,
) -> Result<(), Failure> {
    if policy.profiles().get(profile).is_none() {
        return Err(Failure::new(
            Code::InvalidRequest,
            format!("There is no profile {}: leave the profile out, or name one that is installed.", profile.as_str()),
        ));
    }
    if !policy.profiles().is_within(profile, &classification.profile) {
        return Err(Failure::new(
            Code::InvalidRequest,
            format!(
                "The profile {} is not narrower than {}, which this needs: a profile can only narrow.",
                profile.as_str(),
                classification.profile.as_str()
            ),
        ));
    }
    if !grant.allows(profile) {
        return Err(Failure::new(
            Code::Denied,
            format!(
                "Your grant does not include the profile {}: ask an administrator for a wider grant.",
                profile.as_str()
            ),
        ));
    }
    Ok(())
}

fn within_narrowing(classification: &Classification, tier: Tier, narrowing: &Narrowing) -> Result<(), Failure> {
    if let Some(max) = narrowing.max_tier.filter(|max| tier > *max) {
        return Err(Failure::new(
            Code::Denied,
            format!("This is {tier} and you allowed at most {max}: raise the limit if you meant it."),
        ));
    }
    let Some(named) = &narrowing.targets else { return Ok(()) };
    let written = |target: &&crate::target::Target| target.access == Access::Write;
    if classification.targets.iter().filter(written).all(|target| named.contains(&target.name)) {
        Ok(())
    } else {
        Err(Failure::new(
            Code::Denied,
            "This changes something that you did not name as a target: name it if you meant it.",
        ))
    }
}

#[cfg(test)]
mod tests;
