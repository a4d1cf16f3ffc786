//! Reading profile files: every check that a definition must pass, with the place of what fails it.
//!
//! ```text
//!   vendor's files ─┐
//!                   ├─ each by itself ─▶ an administrator's of a vendor's name: no wider ─▶ `within` is true ─▶ Profiles
//!   administrator's ┘
//! ```
//!
//! Enters: texts. Leaves: every profile, or the first mistake. An administrator's file may add profiles, and may
//! replace a vendor's by a narrower one of the same name; a wider one needs a name of its own, which a rule then has to
//! name, so that no sandbox gets wider without its name saying that it is another.

use std::collections::BTreeMap;

use super::{CallSet, LayerName, Limits, Profile, ProfileName, Profiles, Written, narrow};
use crate::policy::TextFile;
use crate::spot::Step::{self, Key, Member};
use crate::spot::{Spot, said};

/// Where a profile file is wrong, and what was expected there.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{line}:{column}: {problem}")]
pub struct ProfileError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in bytes, from 1.
    pub column: usize,
    /// What is wrong.
    #[source]
    pub problem: ProfileProblem,
}

/// What may be wrong in a profile file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileProblem {
    /// It is not TOML, or has a key or a value that it may not have.
    #[error("{0}")]
    Toml(String),
    /// The account of its jobs does not exist.
    #[error("there is no user {0:?} on this machine: run systemd-sysusers if it is one of Countersign's")]
    NoUser(String),
    /// A number is outside its bounds.
    #[error("must be between {min} and {max}")]
    OutOfBounds {
        /// The lower bound.
        min: u32,
        /// The upper bound.
        max: u32,
    },
    /// An allowance without a reason.
    #[error("say why {0} is allowed")]
    NoReason(String),
    /// Places to write are listed where none count, or none are where some must be.
    #[error("places to write are listed exactly where written is \"listed\"")]
    Writes,
    /// Landlock refuses every mount, so that a profile has the one or the other.
    #[error("landlock_abi is 0 exactly where the calls \"mounts\" are allowed")]
    Mounts,
    /// A layer that the profile makes use of is not listed.
    #[error("this profile makes use of the layer \"{}\": list it", .0.as_str())]
    LayerMissing(LayerName),
    /// A layer is listed that the profile has no use for, or twice.
    #[error("the layer \"{}\" has no use in this profile, or is there twice", .0.as_str())]
    LayerTooMany(LayerName),
    /// Two files define one profile.
    #[error("there is already a profile {0}")]
    Twice(String),
    /// `within` names a profile that is not there.
    #[error("it is said to lie within {0}, which does not exist")]
    Missing(String),
    /// `within` is not true.
    #[error("it is said to lie within {wide} and is wider: {what}")]
    NotWithin {
        /// The other profile.
        wide: String,
        /// The first respect in which it is wider.
        what: String,
    },
    /// An administrator's file would widen a vendor's profile.
    #[error("it is wider than the vendor's profile of this name: {what}; give it a name of its own, for rules to name")]
    Wider {
        /// The first respect in which it is wider.
        what: String,
    },
}

/// A profile with the file that it came from.
struct Found<'a> {
    profile: Profile,
    file: TextFile<'a>,
}

/// Profiles of one origin, or of both.
type All<'a> = BTreeMap<ProfileName, Found<'a>>;

/// Reads every file.
pub(super) fn read(
    vendor: &[TextFile<'_>],
    admin: &[TextFile<'_>],
    lacks: impl Fn(&str) -> bool,
) -> Result<Profiles, ProfileError> {
    let (mut all, own) = (each(vendor)?, each(admin)?);
    if let Some(Found { profile, file }) = all.values().chain(own.values()).find(|found| lacks(&found.profile.user)) {
        return Err(at(*file, &[Key("user")], ProfileProblem::NoUser(profile.user.clone())));
    }
    for (name, found) in &own {
        if let Some(vendors) = all.get(name)
            && let Some(what) = narrow::wider(&found.profile, &vendors.profile)
        {
            return Err(at(found.file, &[Key("name")], ProfileProblem::Wider { what }));
        }
    }
    all.extend(own);
    for found in all.values() {
        check_within(found, &all)?;
    }
    Ok(Profiles(all.into_iter().map(|(name, found)| (name, found.profile)).collect()))
}

/// The files of one origin, each by itself.
fn each<'a>(files: &[TextFile<'a>]) -> Result<All<'a>, ProfileError> {
    let mut all = All::new();
    for file in files {
        let profile = one(*file)?;
        if all.contains_key(&profile.name) {
            return Err(twice(&profile, *file));
        }
        all.insert(profile.name.clone(), Found { profile, file: *file });
    }
    Ok(all)
}

fn twice(profile: &Profile, file: TextFile<'_>) -> ProfileError {
    at(file, &[Key("name")], ProfileProblem::Twice(profile.name.as_str().to_owned()))
}

fn check_within(found: &Found<'_>, all: &All<'_>) -> Result<(), ProfileError> {
    for (index, name) in found.profile.within.iter().enumerate() {
        let wrong = |problem| at(found.file, &[Key("within"), Member(index)], problem);
        let wide = name.as_str().to_owned();
        let Some(other) = all.get(name) else { return Err(wrong(ProfileProblem::Missing(wide))) };
        if let Some(what) = narrow::wider(&found.profile, &other.profile) {
            return Err(wrong(ProfileProblem::NotWithin { wide, what }));
        }
    }
    Ok(())
}

/// Reads one file by itself.
fn one(file: TextFile<'_>) -> Result<Profile, ProfileError> {
    let profile: Profile = toml::from_str(file.text)
        .map_err(|bad| at_spot(file, Spot::of_toml(file.text, &bad), ProfileProblem::Toml(said(&bad))))?;
    profile.limits.check(file)?;
    check_reasons(&profile, file)?;
    check_layers(&profile, file)?;
    if profile.allows(CallSet::Mounts) != (profile.landlock_abi == 0) {
        return Err(at(file, &[Key("landlock_abi")], ProfileProblem::Mounts));
    }
    if (profile.files.written == Written::Listed) == profile.writes.is_empty() {
        return Err(at(file, &[Key("files"), Key("written")], ProfileProblem::Writes));
    }
    Ok(profile)
}

impl Limits {
    fn check(&self, file: TextFile<'_>) -> Result<(), ProfileError> {
        let bounds = [
            ("seconds", Some(self.seconds), 1, 86_400),
            ("tasks", Some(self.tasks), 1, 65_536),
            ("memory_mib", self.memory_mib, 16, 1_048_576),
            ("output_mib", Some(self.output_mib), 1, 1_048_576),
        ];
        for (key, value, min, max) in bounds {
            if value.is_some_and(|value| value < min || value > max) {
                return Err(at(file, &[Key("limits"), Key(key)], ProfileProblem::OutOfBounds { min, max }));
            }
        }
        Ok(())
    }
}

fn check_layers(profile: &Profile, file: TextFile<'_>) -> Result<(), ProfileError> {
    if let Some(missing) =
        LayerName::ALL.into_iter().find(|layer| layer.is_used_by(profile) && !profile.layers.contains(layer))
    {
        return Err(at(file, &[Key("layers")], ProfileProblem::LayerMissing(missing)));
    }
    for (index, layer) in profile.layers.iter().enumerate() {
        let before = profile.layers.iter().take(index).any(|other| other == layer);
        if before || !layer.may_be_asked_by(profile) {
            return Err(at(file, &[Key("layers"), Member(index)], ProfileProblem::LayerTooMany(*layer)));
        }
    }
    Ok(())
}

fn check_reasons(profile: &Profile, file: TextFile<'_>) -> Result<(), ProfileError> {
    let reasons = |key, all: Vec<(String, &String)>| {
        let none = all.into_iter().enumerate().find(|(_, (_, why))| why.trim().is_empty());
        none.map_or(Ok(()), |(index, (what, _))| {
            Err(at(file, &[Key(key), Member(index), Key("why")], ProfileProblem::NoReason(what)))
        })
    };
    reasons("capability", profile.capabilities.iter().map(|each| (each.name.name().to_owned(), &each.why)).collect())?;
    reasons("socket", profile.sockets.iter().map(|each| (each.kind.name(), &each.why)).collect())?;
    reasons("call", profile.calls.iter().map(|each| (each.set.name(), &each.why)).collect())?;
    reasons("device", profile.devices.iter().map(|each| (each.path.to_string(), &each.why)).collect())?;
    reasons("write", profile.writes.iter().map(|each| (each.path.to_string(), &each.why)).collect())
}

/// The mistake at the value that the steps lead to, or at the last one of them that is there.
fn at(file: TextFile<'_>, steps: &[Step<'_>], problem: ProfileProblem) -> ProfileError {
    at_spot(file, Spot::of_value(file.text, steps), problem)
}

fn at_spot(file: TextFile<'_>, spot: Spot, problem: ProfileProblem) -> ProfileError {
    ProfileError { file: file.name.to_owned(), line: spot.line, column: spot.column, problem }
}
