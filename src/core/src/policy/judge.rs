//! The judge: policy, a classified request and the facts of the moment go in, a verdict comes out. SEC-1, SEC-3.
//!
//! ```text
//!   state ▶ grant ▶ deny list ▶ hold ▶ mode ▶ ceiling ▶ profile ▶ narrowing ▶ memory ─▶ Allow, or Hold for a human
//!     └───────┴─────────┴─────────┴──────┴───────┴─────────┴──────────┴──▶ Deny     └─▶ Silence
//! ```
//!
//! Pure, and used twice: by the front before anything is asked of anybody, and by the launcher on the order that it
//! received. The gates are a list, [`GATES`]; the first that refuses is the one that is reported, and a plan can be told
//! them all. Whoever has no grant is told nothing else, and so is who was refused the same too often.

mod gates;

use crate::classify::Classification;
use crate::code::{Code, Failure};
use crate::policy::memory::Memory;
use crate::policy::{Grant, Policy};
use crate::profile::{ProfileName, Written};
use crate::request::{Classified, Narrowing};
use crate::run_state::RunState;
use crate::tier::{Ruling, Tier};

pub use gates::{GATES, Gate};

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
    /// Whether the same was refused too often.
    pub memory: Memory,
}

/// Everything that the judge looks at.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The policy in force.
    pub policy: &'a Policy,
    /// What the classifier said.
    pub classification: &'a Classification,
    /// The profile in which it would run.
    pub profile: &'a ProfileName,
    /// How the caller narrows it.
    pub narrowing: &'a Narrowing,
    /// The facts of the moment.
    pub facts: &'a Facts,
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

/// A gate that did not open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Which.
    pub gate: Gate,
    /// Why, and what would be allowed where that is safe to say.
    pub failure: Failure,
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
    Deny(Refused),
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

impl<'a> Case<'a> {
    /// The case of a classified request.
    #[must_use]
    pub fn of(policy: &'a Policy, case: &'a Classified, facts: &'a Facts) -> Self {
        let (classification, narrowing) = (case.classification(), case.request().narrowing());
        Self { policy, classification, profile: case.profile(), narrowing, facts }
    }

    const fn tier(&self) -> Option<Tier> {
        self.classification.ruling.tier()
    }
}

/// Judges a case.
pub fn judge(case: &Case<'_>) -> Verdict {
    let first = GATES.into_iter().find_map(|gate| gate.refuses(case));
    let silent = case.facts.memory == Memory::Silent;
    match (first, case.classification.ruling) {
        (Some(refused), _) if refused.gate.is_about_the_broker_or_the_caller() => Verdict::Deny(refused),
        (Some(_) | None, _) if silent => Verdict::Silence,
        (Some(refused), _) => Verdict::Deny(refused),
        (None, Ruling::Tier(tier)) if runs_unasked(case, tier) => Verdict::Allow(Allowed(()), tier),
        (None, Ruling::Tier(tier)) => Verdict::Hold(Needs { tier }),
        // Not reached: the gate of the deny list refuses it.
        (None, Ruling::Deny) => Verdict::Silence,
    }
}

/// Every gate that does not open, in order: for whoever wants to know all that stands in the way. Nothing more than the
/// first is told to whom nothing is told.
#[must_use]
pub fn refusals(case: &Case<'_>) -> Vec<Refused> {
    let all: Vec<Refused> = GATES.into_iter().filter_map(|gate| gate.refuses(case)).collect();
    match all.iter().position(|refused| refused.gate == Gate::Grant) {
        Some(at) => all.into_iter().skip(at).take(1).collect(),
        None => all,
    }
}

/// A tier is not a label: what runs unasked also runs in a sandbox that bounds it, whatever profile a rule names.
fn runs_unasked(case: &Case<'_>, tier: Tier) -> bool {
    let bounded = case.policy.profiles().get(case.profile).is_some_and(|profile| match (tier, profile.files.written) {
        (Tier::T0, Written::Nothing) | (Tier::T1, Written::Nothing | Written::Targets) => true,
        (Tier::T0, Written::Targets | Written::Listed | Written::Everything)
        | (Tier::T1, Written::Listed | Written::Everything)
        | (Tier::T2 | Tier::T3, _) => false,
    });
    let auto = case.facts.grant.as_ref().is_some_and(|grant| tier <= grant.auto);
    bounded && (tier == Tier::T0 || (auto && case.facts.taint == Taint::Clean))
}

#[cfg(test)]
mod tests;
