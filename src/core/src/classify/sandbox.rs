//! Sandboxes: which profile a request runs in, from what its parts name and from where it writes.
//!
//! Enters: what each finding says of the sandbox, and the paths that are written. Leaves: one profile. Among reads and
//! among small changes the standard profile yields to one that a rule names. Above, the standard one is the widest that
//! fits most tools, so it holds where parts differ; where no part names another and something that is written lies in a
//! protected place, it is one that opens it: the paths as they are named, and nothing else, wherever that is enough.
//! A part that becomes another user has the standard with that right, and takes the others along. Never changes a tier.

use crate::profile::{Place, PlaceSet, ProfileName};
use crate::target::{Access, Target, TargetKind};
use crate::tier::{Ruling, Tier};

/// Rules of the engine that say something of a word or a path, whoever uses it. They have no view on the sandbox: the
/// tool's own table names the one in which the tool can work, and what lies outside of it stays out of reach.
const WITHOUT_VIEW: [&str; 10] = [
    "sensitive.",
    "write.",
    "remove.",
    "mode.",
    "path.",
    "unknown-flag",
    "unknown-operand",
    "unknown-value",
    "network.url",
    "privilege-tool",
];

/// The standard profile with the right to become another user.
const SWITCH: &str = "switch";
/// Profiles that have that right themselves and show what such tools read.
const CAN_SWITCH: [&str; 2] = ["packages", "network"];

/// The profiles that the parts of one request name, for each of the three sorts of sandboxes.
#[derive(Debug, Default)]
pub(super) struct Sandboxes {
    observe: Wish,
    change: Wish,
    above: Wish,
    /// Whether a part becomes another user.
    switches: bool,
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
            Ruling::Tier(Tier::T2 | Tier::T3) | Ruling::Deny if profile.as_str() == SWITCH => self.switches = true,
            Ruling::Tier(Tier::T2 | Tier::T3) | Ruling::Deny => self.above.add(profile),
        }
    }

    /// The profile of a request that is ruled so and has these targets.
    pub(super) fn choose(self, ruling: Ruling, targets: &[Target]) -> ProfileName {
        match ruling {
            Ruling::Tier(Tier::T0) => self.observe.or(ProfileName::observe()),
            Ruling::Tier(Tier::T1) => self.change.or(ProfileName::change()),
            Ruling::Tier(Tier::T2 | Tier::T3) | Ruling::Deny => self.above_small(targets),
        }
    }

    fn above_small(self, targets: &[Target]) -> ProfileName {
        let standard = ProfileName::system();
        if self.switches {
            let named = self.above.or(standard.clone());
            return if CAN_SWITCH.contains(&named.as_str()) {
                named
            } else {
                ProfileName::new(SWITCH).unwrap_or(standard)
            };
        }
        let agreed = match &self.above {
            Wish::None => true,
            Wish::One(profile) => *profile == standard,
            Wish::Differ => false,
        };
        let open = if agreed { opener(targets) } else { None };
        open.unwrap_or_else(|| self.above.or(standard))
    }
}

/// The profile that opens what the standard one does not: a disk that is read or written, the kernel's own switches, or
/// protected places, of which nothing is opened but the named paths.
fn opener(targets: &[Target]) -> Option<ProfileName> {
    let paths = || targets.iter().filter(|target| target.kind == TargetKind::Path);
    let mut written = paths().filter(|target| target.access == Access::Write).map(|target| target.name.as_str());
    let name = if paths().any(|target| is_hidden_device(&target.name)) {
        "storage"
    } else if written.clone().any(is_switch_of_the_kernel) {
        "kernel"
    } else if written.any(is_protected) {
        "named"
    } else {
        return None;
    };
    ProfileName::new(name).ok()
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

/// What changes the running kernel takes more than a path that can be written.
fn is_switch_of_the_kernel(path: &str) -> bool {
    ["/proc/", "/sys/"].iter().any(|top| path.starts_with(top))
}

/// Whether the standard profile keeps it from being written.
fn is_protected(path: &str) -> bool {
    let sets = [PlaceSet::Accounts, PlaceSet::Authority, PlaceSet::Boot, PlaceSet::Units];
    sets.iter().flat_map(|set| set.places()).any(|place| lies_in(path, place))
}

/// Whether a path is a place or lies below it. A `*` of a pattern stands for part of one name.
fn lies_in(path: &str, place: &Place) -> bool {
    let mut names = path.split('/');
    place.pattern.split('/').all(|pattern| {
        names.next().is_some_and(|name| match pattern.split_once('*') {
            None => name == pattern,
            Some((before, after)) => name.strip_prefix(before).is_some_and(|rest| rest.ends_with(after)),
        })
    })
}
