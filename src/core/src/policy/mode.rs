//! The mode: a ceiling over the whole server that nothing on the bus can raise. SEC-3.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::tier::Tier;

/// How far the server goes at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Every tier, through its gate.
    Open,
    /// T3 is refused.
    Guarded,
    /// T0 only.
    Readonly,
}

/// The text names no mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a mode is one of open, guarded, readonly")]
pub struct NotAMode;

impl Mode {
    /// The highest tier that may pass.
    #[must_use]
    pub const fn ceiling(self) -> Tier {
        match self {
            Self::Open => Tier::T3,
            Self::Guarded => Tier::T2,
            Self::Readonly => Tier::T0,
        }
    }

    /// The mode's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Guarded => "guarded",
            Self::Readonly => "readonly",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Mode {
    type Err = NotAMode;

    fn from_str(text: &str) -> Result<Self, NotAMode> {
        [Self::Open, Self::Guarded, Self::Readonly].into_iter().find(|mode| mode.name() == text).ok_or(NotAMode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_mode_is_no_mode() {
        for wrong in ["", "Open", "guarded ", "read-only", "readwrite"] {
            assert_eq!(wrong.parse::<Mode>(), Err(NotAMode), "{wrong}");
        }
        for mode in [Mode::Open, Mode::Guarded, Mode::Readonly] {
            assert_eq!(mode.name().parse(), Ok(mode));
        }
    }
}
