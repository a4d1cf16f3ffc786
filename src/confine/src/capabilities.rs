//! Step `capabilities`: the bounding, inheritable, permitted, effective and ambient sets; read back.
//!
//! Root gets on `execve` what its bounding set holds; any other user gets what its ambient set holds. So the one needs
//! the first and the other the last, and what nobody needs is empty.

use caps::{CapSet, Capability, CapsHashSet};
use countersign_core::profile::CapabilityAllowance;

use crate::{ConfineError, Layer, layer};

/// Where the kernel shows the sets of this thread; each has its own.
const STATUS: &str = "/proc/thread-self/status";

/// The capabilities that remain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep {
    names: Vec<&'static str>,
    set: CapsHashSet,
    carry: Carry,
}

/// How capabilities outlive `execve`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carry {
    /// By being root: bounding set only.
    Root,
    /// By the ambient set.
    Ambient,
}

/// A capability's name is known to the profiles and not to the library.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no capability {0}")]
pub struct UnknownCapability(pub String);

impl Keep {
    /// Nothing remains.
    #[must_use]
    pub fn nothing() -> Self {
        Self { names: Vec::new(), set: CapsHashSet::new(), carry: Carry::Ambient }
    }

    /// What a profile allows remains.
    ///
    /// # Errors
    /// A name that the library does not know.
    pub fn allowed(allowances: &[CapabilityAllowance], carry: Carry) -> Result<Self, UnknownCapability> {
        let names: Vec<&'static str> = allowances.iter().map(|each| each.name.name()).collect();
        let parse = |name: &&str| format!("CAP_{name}").parse::<Capability>();
        let set = names.iter().map(|name| parse(name).map_err(|_| UnknownCapability((*name).to_owned())));
        Ok(Self { set: set.collect::<Result<_, _>>()?, names, carry })
    }
}

/// Whether this process has these capabilities in effect, by their names without `CAP_`.
#[must_use]
pub fn has(names: &[&str]) -> bool {
    let effective = caps::read(None, CapSet::Effective).unwrap_or_default();
    names.iter().all(|name| format!("CAP_{name}").parse().is_ok_and(|cap| effective.contains(&cap)))
}

/// Takes every capability away that shall not remain. One that the process does not have is not gained; it is named.
///
/// # Errors
/// The set that could not be written, or in which the kernel shows something else.
pub fn limit(keep: &Keep) -> Result<Layer, ConfineError> {
    let none = CapsHashSet::new();
    let permitted = read(CapSet::Permitted)?;
    let kept: CapsHashSet = keep.set.intersection(&permitted).copied().collect();
    let carried = match keep.carry {
        Carry::Root => &none,
        Carry::Ambient => &kept,
    };
    // Taking from the bounding set needs CAP_SETPCAP in the effective set, which a change of user empties.
    write(CapSet::Effective, &permitted)?;
    for each in caps::all().difference(&kept) {
        caps::drop(None, CapSet::Bounding, *each).map_err(|error| failed(CapSet::Bounding, error))?;
    }
    // Narrowest last: each set must lie within the next one while it is written.
    caps::clear(None, CapSet::Ambient).map_err(|error| failed(CapSet::Ambient, error))?;
    write(CapSet::Inheritable, carried)?;
    write(CapSet::Effective, &kept)?;
    write(CapSet::Permitted, &kept)?;
    for each in carried {
        caps::raise(None, CapSet::Ambient, *each).map_err(|error| failed(CapSet::Ambient, error))?;
    }
    let text = std::fs::read_to_string(STATUS).map_err(ConfineError::CapabilitiesUnread)?;
    for (set, expected) in [
        (CapSet::Bounding, &kept),
        (CapSet::Permitted, &kept),
        (CapSet::Effective, &kept),
        (CapSet::Inheritable, carried),
        (CapSet::Ambient, carried),
    ] {
        if shown(&text, set) != Some(mask(expected)) {
            return Err(ConfineError::CapabilitiesDiffer { set: name(set) });
        }
    }
    Ok(layer("capabilities", words(keep, &kept)))
}

/// A set as the kernel shows it (proc_pid_status(5)): one look for all five, and at capabilities too that are younger than
/// the library.
fn shown(status: &str, set: CapSet) -> Option<u64> {
    let line = match set {
        CapSet::Ambient => "CapAmb:",
        CapSet::Bounding => "CapBnd:",
        CapSet::Effective => "CapEff:",
        CapSet::Inheritable => "CapInh:",
        CapSet::Permitted => "CapPrm:",
    };
    let digits = status.lines().find_map(|text| text.strip_prefix(line))?;
    u64::from_str_radix(digits.trim(), 16).ok()
}

fn mask(set: &CapsHashSet) -> u64 {
    set.iter().fold(0, |mask, each| mask | each.bitmask())
}

/// What is there now, and what the profile allows and the broker itself was not given.
fn words(keep: &Keep, kept: &CapsHashSet) -> String {
    let has = |name: &&&'static str| format!("CAP_{name}").parse().is_ok_and(|cap| kept.contains(&cap));
    let (there, missing): (Vec<&str>, Vec<&str>) = keep.names.iter().partition(has);
    if there.is_empty() {
        return "none in any set".to_owned();
    }
    let carry = match keep.carry {
        Carry::Root => "bounding, permitted, effective",
        Carry::Ambient => "bounding, permitted, effective, ambient",
    };
    let missing =
        if missing.is_empty() { String::new() } else { format!("; not given to the broker: {}", missing.join(" ")) };
    format!("{} ({carry}){missing}", there.join(" "))
}

fn read(set: CapSet) -> Result<CapsHashSet, ConfineError> {
    caps::read(None, set).map_err(|error| failed(set, error))
}

fn write(set: CapSet, value: &CapsHashSet) -> Result<(), ConfineError> {
    caps::set(None, set, value).map_err(|error| failed(set, error))
}

const fn failed(set: CapSet, error: caps::errors::CapsError) -> ConfineError {
    ConfineError::Capabilities { set: name(set), error }
}

const fn name(set: CapSet) -> &'static str {
    match set {
        CapSet::Ambient => "ambient",
        CapSet::Bounding => "bounding",
        CapSet::Effective => "effective",
        CapSet::Inheritable => "inheritable",
        CapSet::Permitted => "permitted",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_set_is_read_from_its_own_line_and_what_is_no_set_differs_from_every_set() {
        let text = "Name:\tCapEff:\nCapInh:\t0000000000000001\nCapPrm:\t0000000000000002\nCapEff:\t0000000000000004\n\
                    CapBnd:\t000001ffffffffff\nCapAmb:\t8000000000000000\n";
        let sets = [CapSet::Inheritable, CapSet::Permitted, CapSet::Effective, CapSet::Bounding, CapSet::Ambient];
        assert_eq!(sets.map(|set| shown(text, set)), [1, 2, 4, (1 << 41) - 1, 1 << 63].map(Some));
        for broken in ["", "CapEff:\n", "CapEff:\t1ffffffffffffffff\n", "CapEff:\tx\n", " CapEff:\t0\n"] {
            assert_eq!(shown(broken, CapSet::Effective), None, "{broken}");
        }
    }

    #[test]
    fn a_mask_has_the_bits_of_its_capabilities_and_the_kernel_shows_the_same() {
        assert_eq!(mask(&CapsHashSet::new()), 0);
        assert_eq!(mask(&[Capability::CAP_CHOWN, Capability::CAP_SYS_ADMIN].into()), 1 | 1 << 21);
        let text = std::fs::read_to_string(STATUS).unwrap();
        for set in [CapSet::Bounding, CapSet::Permitted, CapSet::Effective, CapSet::Inheritable, CapSet::Ambient] {
            assert_eq!(shown(&text, set), Some(mask(&read(set).unwrap())), "{}", name(set));
        }
    }
}
