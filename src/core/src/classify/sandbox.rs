//! Sandboxes: which profile a request runs in, from what its parts name and from where it writes.
//!
//! Enters: what each finding says of the sandbox, and the paths that are written. Leaves: one profile. Among reads and
//! among small changes the standard profile yields to one that a rule names. Above, the standard one is the widest that
//! fits most tools, so it holds where parts differ; where no part names another and everything that is written lies in
//! places that only one other profile opens, it is that one. Never changes a tier.

use crate::profile::{PlaceSet, ProfileName};
use crate::target::{Access, Target, TargetKind};
use crate::tier::{Ruling, Tier};

/// Rules of the engine that say something of a word or a path, whoever uses it. They have no view on the sandbox: the
/// tool's own table names the one in which the tool can work, and what lies outside of it stays out of reach.
const WITHOUT_VIEW: [&str; 9] = [
    "sensitive.",
    "write.",
    "remove.",
    "mode.",
    "path.",
    "unknown-flag",
    "unknown-operand",
    "unknown-value",
    "network.url",
];

/// The profiles that the parts of one request name, for each of the three sorts of sandboxes.
#[derive(Debug, Default)]
pub(super) struct Sandboxes {
    observe: Wish,
    change: Wish,
    above: Wish,
}

/// What the parts of one sort agree on.
#[derive(Debug, Default)]
enum Wish {
    /// No part has named any.
    #[default]
    None,
    /// All parts that named one named this one.
    One(ProfileName),
    /// They named different ones.
    Differ,
}

impl Wish {
    fn add(&mut self, profile: &ProfileName) {
        match self {
            Self::None => *self = Self::One(profile.clone()),
            Self::One(same) if same == profile => {}
            Self::One(_) | Self::Differ => *self = Self::Differ,
        }
    }

    fn or(self, standard: ProfileName) -> ProfileName {
        match self {
            Self::One(profile) => profile,
            Self::None | Self::Differ => standard,
        }
    }
}

impl Sandboxes {
    /// Adds what a rule says.
    pub(super) fn add(&mut self, rule: &str, ruling: Ruling, profile: &ProfileName) {
        if WITHOUT_VIEW.iter().any(|without| rule.starts_with(without)) {
            return;
        }
        match ruling {
            Ruling::Tier(Tier::T0) if *profile == ProfileName::observe() => {}
            Ruling::Tier(Tier::T0) => self.observe.add(profile),
            Ruling::Tier(Tier::T1) if *profile == ProfileName::change() => {}
            Ruling::Tier(Tier::T1) => self.change.add(profile),
            Ruling::Tier(Tier::T2 | Tier::T3) | Ruling::Deny => self.above.add(profile),
        }
    }

    /// The profile of a request that is ruled so and has these targets.
    pub(super) fn choose(self, ruling: Ruling, targets: &[Target]) -> ProfileName {
        match ruling {
            Ruling::Tier(Tier::T0) => self.observe.or(ProfileName::observe()),
            Ruling::Tier(Tier::T1) => self.change.or(ProfileName::change()),
            Ruling::Tier(Tier::T2 | Tier::T3) | Ruling::Deny => {
                let standard = ProfileName::system();
                let agreed = match &self.above {
                    Wish::None => true,
                    Wish::One(profile) => *profile == standard,
                    Wish::Differ => false,
                };
                let open = if agreed { opener(targets) } else { None };
                open.unwrap_or_else(|| self.above.or(standard))
            }
        }
    }
}

/// The profile that opens what the standard one does not: a disk that is read or written, or the places in which
/// everything that is written lies.
fn opener(targets: &[Target]) -> Option<ProfileName> {
    let paths = || targets.iter().filter(|target| target.kind == TargetKind::Path);
    if paths().any(|target| is_hidden_device(&target.name)) {
        return ProfileName::new("storage").ok();
    }
    let mut openers = paths().filter(|target| target.access == Access::Write).map(|target| opener_of(&target.name));
    let first = openers.next()??;
    openers.all(|other| other == Some(first)).then(|| ProfileName::new(first).ok())?
}

/// Whether it is a device that only a `/dev` of the machine's own has: none that every sandbox or the standard one has.
fn is_hidden_device(path: &str) -> bool {
    const SHOWN: [&str; 14] =
        ["null", "zero", "full", "random", "urandom", "tty", "pts", "ptmx", "shm", "log", "kmsg", "net", "fuse", "fd"];
    path.strip_prefix("/dev/").is_some_and(|name| {
        let first = name.split('/').next().unwrap_or_default();
        !first.starts_with("std") && !SHOWN.contains(&first)
    })
}

fn opener_of(path: &str) -> Option<&'static str> {
    let within = |set: PlaceSet| {
        set.places()
            .iter()
            .any(|place| path.strip_prefix(place.pattern).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    };
    [(PlaceSet::Boot, "kernel"), (PlaceSet::Units, "services"), (PlaceSet::Accounts, "users")]
        .into_iter()
        .find_map(|(set, profile)| within(set).then_some(profile))
}
