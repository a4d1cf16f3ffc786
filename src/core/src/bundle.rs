//! A bundle: several plans in one order, approved once and as a whole. SEC-2, SEC-12.
//!
//! ```text
//!   (Plan, Digest) × 2…16 ──Bundle::draw──▶ (Bundle, Digest)     the digest is what people see, approve and find in the log
//!   Bundle, index ─────────▶ Step ──approves(plan)──▶ that digest, if the plan is the one in that place
//! ```
//!
//! Enters: plans that were drawn for one caller with one expiry. Leaves: one value that names them by their digests, so that
//! no step can be exchanged, left out, added or moved without another digest. Nothing here runs or decides anything; that
//! steps run in turn is kept by the front, and by the launcher again.

use serde::{Deserialize, Serialize};

use crate::caller::{BusName, Uid};
use crate::code::{Code, Failure};
use crate::digest::{Digest, NotCanonical};
use crate::plan::Plan;
use crate::request::RequestId;
use crate::tier::Tier;
use crate::time::Moment;

/// The version of the bundle's form. A digest is only comparable within one version.
pub const VERSION: u32 = 1;
/// The fewest steps: one is a request, not a bundle.
pub const FEWEST: usize = 2;
/// The most steps: what one person can still read before saying yes.
pub const MOST: usize = 16;
/// The most bytes that the words of all steps may have together, counting one terminator each: as one command may.
pub const MAX_WORDS_BYTES: usize = crate::argv::MAX_BYTES;

/// The part of the caller that a bundle binds; each plan binds the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleCaller {
    /// The user.
    pub uid: Uid,
    /// The connection.
    pub bus_name: BusName,
}

/// Several plans in one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// [`VERSION`].
    pub version: u32,
    /// The request that all steps are; each step has an id of its own besides.
    pub id: RequestId,
    /// The digests of the plans, in the order in which they run.
    pub steps: Vec<Digest>,
    /// The strictest tier of any step: the one at which people decide on the whole.
    pub tier: Tier,
    /// Who asks.
    pub caller: BundleCaller,
    /// When the whole becomes void, and each plan with it.
    pub expires: Moment,
}

/// Why plans are no bundle, or a bundle has no digest.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Too few or too many.
    #[error("a bundle has {FEWEST} to {MOST} steps and this one has {0}")]
    Count(usize),
    /// The words of all steps together pass [`MAX_WORDS_BYTES`].
    #[error("the words of all steps have {0} bytes together and {MAX_WORDS_BYTES} are allowed")]
    TooLong(usize),
    /// The plans were drawn for different callers, with different expiries, or one is there twice.
    #[error("the steps are not plans of one request")]
    Mixed,
    /// Written in another version.
    #[error("the bundle has version {0} and this program knows version {VERSION}")]
    Version(u32),
    /// It has no canonical form.
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
}

impl Bundle {
    /// Draws the bundle of these plans, each with its digest, with the digest of the whole.
    ///
    /// # Errors
    /// [`BundleError`]: the plans do not belong together, or are too few, too many or too long.
    pub fn draw(id: RequestId, plans: &[(Plan, Digest)]) -> Result<(Self, Digest), BundleError> {
        let (first, rest) = plans.split_first().ok_or(BundleError::Count(0))?;
        let (plan, _) = first;
        let together = |(other, _): &(Plan, Digest)| other.caller == plan.caller && other.expires == plan.expires;
        let ids: std::collections::BTreeSet<RequestId> = plans.iter().map(|(plan, _)| plan.id).collect();
        if !rest.iter().all(together) || ids.len() != plans.len() || ids.contains(&id) {
            return Err(BundleError::Mixed);
        }
        within_bounds(plans.iter().map(|(plan, _)| plan.action.argv.words()))?;
        let bundle = Self {
            version: VERSION,
            id,
            steps: plans.iter().map(|(_, digest)| *digest).collect(),
            tier: plans.iter().fold(plan.tier, |tier, (plan, _)| tier.max(plan.tier)),
            caller: BundleCaller { uid: plan.caller.uid, bus_name: plan.caller.bus_name.clone() },
            expires: plan.expires,
        };
        let digest = bundle.digest()?;
        Ok((bundle, digest))
    }

    /// The digest over the bundle's canonical JSON.
    ///
    /// # Errors
    /// It is of another version, or has too few or too many steps.
    pub fn digest(&self) -> Result<Digest, BundleError> {
        if self.version != VERSION {
            return Err(BundleError::Version(self.version));
        }
        counted(self.steps.len())?;
        Ok(Digest::of_canonical(self)?)
    }

    /// Every step, in order.
    pub fn each(&self) -> impl Iterator<Item = Step> {
        (0_u32..).take(self.steps.len()).map(|index| Step { bundle: self.clone(), index })
    }

    /// How many steps there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        u32::try_from(self.steps.len()).unwrap_or(u32::MAX)
    }
}

/// Passes a number of steps and a length of their words that a bundle may have; looked at before anything is pinned.
///
/// # Errors
/// The bound that is passed.
pub fn within_bounds<'a>(steps: impl ExactSizeIterator<Item = &'a [String]>) -> Result<(), BundleError> {
    counted(steps.len())?;
    let bytes = steps.flatten().fold(0_usize, |sum, word| sum.saturating_add(word.len()).saturating_add(1));
    if bytes > MAX_WORDS_BYTES { Err(BundleError::TooLong(bytes)) } else { Ok(()) }
}

const fn counted(count: usize) -> Result<(), BundleError> {
    if count < FEWEST || count > MOST { Err(BundleError::Count(count)) } else { Ok(()) }
}

/// One step's place in its bundle: with the plan, everything from which the approved digest can be computed again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The whole.
    pub bundle: Bundle,
    /// Which of its steps, counted from 0.
    pub index: u32,
}

impl Step {
    /// Which of the steps, counted from 1, as people do.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.index.saturating_add(1)
    }

    /// The digest of the whole, which an approval must name, if this plan of this digest is in this very place of it.
    ///
    /// # Errors
    /// `Changed`: another plan is in that place, or none, or it has another caller, another expiry or a stricter tier.
    pub fn approves(&self, plan: &Plan, digest: Digest) -> Result<Digest, Failure> {
        let Bundle { steps, tier, caller, expires, .. } = &self.bundle;
        let there = usize::try_from(self.index).ok().and_then(|index| steps.get(index)) == Some(&digest);
        let same = caller.uid == plan.caller.uid && caller.bus_name == plan.caller.bus_name && *expires == plan.expires;
        let no = || Failure::new(Code::Changed, "The order is not this step of the bundle that was approved.");
        if there && same && plan.tier <= *tier { self.bundle.digest().map_err(|_| no()) } else { Err(no()) }
    }
}

#[cfg(test)]
mod tests;
