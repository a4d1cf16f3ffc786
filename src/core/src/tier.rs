//! Tiers: how much a request may change, from looking to what cannot be undone.
//!
//! A tier is not a label: it selects the gate a request must pass and the sandbox in which it runs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How much a request may change. Ordered: a later tier is stricter, and `max` is "strictest wins".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Tier {
    /// Observe: reads only.
    T0,
    /// Reversible: small, easily undone, bounded to named paths.
    T1,
    /// Stateful: changes the system.
    T2,
    /// Irreversible: destroys data, locks people out, or changes who is trusted.
    T3,
}

impl Tier {
    /// Every tier, mildest first.
    pub const ALL: [Self; 4] = [Self::T0, Self::T1, Self::T2, Self::T3];

    /// The tier's name in one plain word, for people.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::T0 => "observe",
            Self::T1 => "reversible",
            Self::T2 => "stateful",
            Self::T3 => "irreversible",
        }
    }

    /// The short name that appears in files, on the bus and in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::T0 => "T0",
            Self::T1 => "T1",
            Self::T2 => "T2",
            Self::T3 => "T3",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text was none of `T0`, `T1`, `T2`, `T3`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a tier is one of T0, T1, T2, T3")]
pub struct NotATier;

impl FromStr for Tier {
    type Err = NotATier;

    fn from_str(text: &str) -> Result<Self, NotATier> {
        Self::ALL.into_iter().find(|tier| tier.name() == text).ok_or(NotATier)
    }
}

/// What the classifier says of a request: a tier, or never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ruling {
    /// May be done at this tier, through that tier's gate.
    Tier(Tier),
    /// On the deny list: never, in any mode, with any approval.
    Deny,
}

impl Ruling {
    /// The short name: the tier's, or `deny`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tier(tier) => tier.name(),
            Self::Deny => "deny",
        }
    }

    /// The tier, unless the request is denied outright.
    #[must_use]
    pub const fn tier(self) -> Option<Tier> {
        match self {
            Self::Tier(tier) => Some(tier),
            Self::Deny => None,
        }
    }
}

impl Serialize for Ruling {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Ruling {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        if text == "deny" {
            return Ok(Self::Deny);
        }
        text.parse().map(Self::Tier).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strictest_wins_and_deny_is_strictest_of_all() {
        assert!(Tier::T0 < Tier::T1 && Tier::T1 < Tier::T2 && Tier::T2 < Tier::T3);
        assert!(Tier::ALL.iter().all(|tier| Ruling::Tier(*tier) < Ruling::Deny));
    }

    #[test]
    fn only_the_four_names_parse() {
        for tier in Tier::ALL {
            assert_eq!(tier.name().parse(), Ok(tier));
        }
        for wrong in ["", "t0", "T4", "T0 ", "0", "deny"] {
            assert_eq!(wrong.parse::<Tier>(), Err(NotATier), "{wrong}");
        }
    }

    #[test]
    fn a_ruling_survives_json() {
        for ruling in [Ruling::Tier(Tier::T0), Ruling::Tier(Tier::T3), Ruling::Deny] {
            let text = serde_json::to_string(&ruling).unwrap();
            assert_eq!(serde_json::from_str::<Ruling>(&text).unwrap(), ruling);
        }
        assert!(serde_json::from_str::<Ruling>("\"T9\"").is_err());
    }
}
