//! The probe: which layers of a sandbox this kernel, and what the broker itself was given, can put in force. SEC-14.
//!
//! ```text
//!   start, reload ──▶ probe ──▶ Kernel ──lacks──▶ the layer of a profile that is missing ──▶ every order for it is refused
//! ```
//!
//! Enters: nothing but the machine. Leaves: the layers that are missing. Each is tried by what its step will do, on
//! nothing that anybody sees: a detached mount, an empty range of descriptors, a ruleset that is never entered. A layer
//! that is missing is refused before a process exists; the steps themselves stay fatal, whatever was found here.

use std::collections::BTreeSet;
use std::path::Path;

use countersign_confine::{capabilities, landlock, seccomp};
use countersign_core::profile::{LayerName, Profile};

use crate::cgroup::Unit;
use crate::{confine, sys};

#[cfg(feature = "missing-layers")]
mod simulated;

/// What this machine does not offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kernel {
    missing: BTreeSet<LayerName>,
}

impl Kernel {
    /// Tries every layer.
    pub(crate) fn probe(unit: &Unit) -> Self {
        let missing = LayerName::ALL.into_iter().filter(|layer| !is_offered(*layer, unit));
        #[cfg(feature = "missing-layers")]
        let missing = missing.chain(simulated::missing());
        Self { missing: missing.collect() }
    }

    /// The first layer of a profile that is missing.
    pub(crate) fn lacks(&self, profile: &Profile) -> Option<LayerName> {
        let listed = profile.layers.iter().find(|layer| self.missing.contains(layer)).copied();
        let too_old = profile.landlock_abi > 0 && !landlock::is_offered(profile.landlock_abi);
        listed.or_else(|| too_old.then_some(LayerName::Landlock))
    }
}

fn is_offered(layer: LayerName, unit: &Unit) -> bool {
    let has_namespace = |kind: &str| Path::new("/proc/self/ns").join(kind).exists();
    match layer {
        LayerName::Cgroup => unit.can_be_killed(),
        LayerName::CgroupLimits => {
            let controllers = unit.controllers();
            controllers.memory && controllers.pids
        }
        // Closes what cannot be open, and fails where the call does not exist.
        LayerName::Descriptors => sys::close_between(u32::MAX, u32::MAX).is_ok(),
        LayerName::Mounts => has_namespace("mnt") && confine::can_mount(),
        LayerName::Network => has_namespace("net"),
        LayerName::Credentials => capabilities::has(&["SETUID", "SETGID"]),
        LayerName::Capabilities => capabilities::has(&["SETPCAP"]),
        LayerName::NoNewPrivs => nix::sys::prctl::get_no_new_privs().is_ok(),
        LayerName::Landlock => landlock::is_offered(1),
        LayerName::Seccomp => seccomp::is_offered(),
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::policy::TextFile;
    use countersign_core::profile::Profiles;

    use super::*;

    fn shipped() -> Profiles {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policy/profiles");
        let read = |entry: std::io::Result<std::fs::DirEntry>| std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let texts: Vec<String> = std::fs::read_dir(directory).unwrap().map(read).collect();
        let files: Vec<TextFile<'_>> = texts.iter().map(|text| TextFile { name: "profile", text }).collect();
        Profiles::parse(&files, &[]).unwrap()
    }

    #[test]
    fn each_profile_lacks_what_it_lists_and_is_missing_and_nothing_else() {
        let nothing = Kernel { missing: BTreeSet::new() };
        for profile in shipped().iter() {
            assert_eq!(nothing.lacks(profile), None, "{:?}", profile.name);
            for layer in LayerName::ALL {
                let kernel = Kernel { missing: BTreeSet::from([layer]) };
                let expected = profile.layers.contains(&layer).then_some(layer);
                assert_eq!(kernel.lacks(profile), expected, "{:?} {layer:?}", profile.name);
            }
        }
    }

    #[test]
    fn a_version_of_the_future_is_missing() {
        let nothing = Kernel { missing: BTreeSet::new() };
        let all = shipped();
        let observe = all.get(&countersign_core::profile::ProfileName::observe()).unwrap();
        // The library knows no version above the newest that it has looked at; what is asked above it is not there.
        let future = Profile { landlock_abi: u8::MAX, ..observe.clone() };
        assert_eq!(nothing.lacks(&future), Some(LayerName::Landlock));
    }
}
