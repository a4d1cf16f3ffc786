//! A plan: everything that would run, in full, and therefore everything that its digest binds.
//!
//! Drawn once from a classified request and what the launcher pinned; shown, approved, recorded and sealed as the
//! same bytes. The launcher re-computes the digest from the plan it received before it acts on it.

use serde::{Deserialize, Serialize};

use crate::caller::{BusName, Uid};
use crate::digest::{Digest, NotCanonical, canonical, decimal};
use crate::path::CleanPath;
use crate::policy::{Mode, Ruleset};
use crate::profile::ProfileName;
use crate::request::{Action, Classified, RequestId};
use crate::salt::Salt;
use crate::target::Target;
use crate::tier::Tier;
use crate::time::Moment;

/// The version of the plan's form. A digest is only comparable within one version.
pub const VERSION: u32 = 1;
/// The most bytes of a plan's canonical form, so that an order always fits one message to the launcher.
pub const MAX_BYTES: usize = 160 * 1_024;

/// A file that was opened, checked and hashed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedFile {
    /// The path by which it was found, links resolved.
    pub path: CleanPath,
    /// The device number of its file system.
    #[serde(with = "decimal")]
    pub device: u64,
    /// Its inode.
    #[serde(with = "decimal")]
    pub inode: u64,
    /// Its size in bytes.
    #[serde(with = "decimal")]
    pub size: u64,
    /// When it was last written, in nanoseconds since 1970.
    #[serde(with = "decimal")]
    pub modified_ns: i128,
    /// SHA-256 of its content.
    pub sha256: Digest,
}

/// The interpreter that a script's first line names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interpreter {
    /// The program.
    pub file: PinnedFile,
    /// The one argument that the first line may give it.
    pub argument: Option<String>,
}

/// A directory that was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedDirectory {
    /// The path by which it was found.
    pub path: CleanPath,
    /// The device number of its file system.
    #[serde(with = "decimal")]
    pub device: u64,
    /// Its inode.
    #[serde(with = "decimal")]
    pub inode: u64,
}

/// What the launcher found where the request points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pinned {
    /// The program, or the script.
    pub executable: PinnedFile,
    /// The script's interpreter.
    pub interpreter: Option<Interpreter>,
    /// The working directory.
    pub cwd: PinnedDirectory,
}

/// The part of the caller that a plan binds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanCaller {
    /// The user.
    pub uid: Uid,
    /// Its groups.
    pub gids: Vec<crate::caller::Gid>,
    /// The connection.
    pub bus_name: BusName,
}

/// Everything that would run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`VERSION`].
    pub version: u32,
    /// The request.
    pub id: RequestId,
    /// Random bits, so that nobody who has only the digest can try guesses of a secret in the words against it.
    pub salt: Salt,
    /// Words, working directory as asked, added environment, stdin, time-out.
    pub action: Action,
    /// The files and the directory behind them.
    pub pinned: Pinned,
    /// The sandbox.
    pub profile: ProfileName,
    /// The digest of that sandbox's definition.
    pub profile_digest: Digest,
    /// The tier.
    pub tier: Tier,
    /// What is acted on.
    pub targets: Vec<Target>,
    /// The rules, profiles, grants and mode under which it was judged.
    pub ruleset: Ruleset,
    /// The mode.
    pub mode: Mode,
    /// Who asks.
    pub caller: PlanCaller,
    /// When the plan becomes void.
    pub expires: Moment,
}

/// What a plan needs besides the request itself.
#[derive(Debug, Clone)]
pub struct Circumstances {
    /// What the launcher pinned.
    pub pinned: Pinned,
    /// The digest of the profile.
    pub profile_digest: Digest,
    /// The tier, which is no longer in doubt.
    pub tier: Tier,
    /// The ruleset in force.
    pub ruleset: Ruleset,
    /// The mode in force.
    pub mode: Mode,
    /// When the plan becomes void.
    pub expires: Moment,
}

/// Why a plan could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Its canonical form passes [`MAX_BYTES`].
    #[error(
        "the request is too large when written in full ({0} bytes, {MAX_BYTES} are allowed): shorten its words or its environment"
    )]
    TooLarge(usize),
    /// It has no canonical form.
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
}

impl Plan {
    /// Draws the plan of a classified request, with its digest.
    ///
    /// # Errors
    /// The plan is too large to pass on.
    pub fn draw(case: &Classified, circumstances: Circumstances) -> Result<(Self, Digest), PlanError> {
        let request = case.request();
        let Circumstances { pinned, profile_digest, tier, ruleset, mode, expires } = circumstances;
        let caller = request.caller();
        let plan = Self {
            version: VERSION,
            id: request.id(),
            salt: request.salt(),
            action: request.action().clone(),
            pinned,
            profile: case.profile().clone(),
            profile_digest,
            tier,
            targets: case.targets().to_vec(),
            ruleset,
            mode,
            caller: PlanCaller { uid: caller.uid, gids: caller.gids.clone(), bus_name: caller.bus_name.clone() },
            expires,
        };
        let digest = plan.digest()?;
        Ok((plan, digest))
    }

    /// The digest over the plan's canonical JSON.
    ///
    /// # Errors
    /// The plan is too large to pass on.
    pub fn digest(&self) -> Result<Digest, PlanError> {
        let bytes = canonical(self)?;
        if bytes.len() > MAX_BYTES { Err(PlanError::TooLarge(bytes.len())) } else { Ok(Digest::of(&bytes)) }
    }
}
