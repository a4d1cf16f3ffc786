//! Step `capabilities`: the bounding, inheritable, permitted, effective and ambient sets; read back.
//!
//! Root gets on `execve` what its bounding set holds; any other user gets what its ambient set holds. So the one needs
//! the first and the other the last, and what nobody needs is empty.

use caps::{CapSet, Capability, CapsHashSet};
use countersign_core::profile::CapabilityAllowance;

use crate::{ConfineError, Layer, layer};

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
    for (set, expected) in [
        (CapSet::Bounding, &kept),
        (CapSet::Permitted, &kept),
        (CapSet::Effective, &kept),
        (CapSet::Inheritable, carried),
        (CapSet::Ambient, carried),
    ] {
        if read(set)? != *expected {
            return Err(ConfineError::CapabilitiesDiffer { set: name(set) });
        }
    }
    Ok(layer("capabilities", words(keep, &kept)))
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
