//! The broker's run state: a small machine that only ever gets stricter by itself.
//!
//! ```text
//!            warn            stop
//!   green ─────────▶ amber ─────────▶ red      tick changes nothing
//!     ▲                │               ▲       reset (an operator): amber ▶ green, never red ▶ anything
//!     └──── reset ─────┘   green ─stop─┘
//! ```

use serde::{Deserialize, Serialize};

/// What the broker is ready to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// Normal.
    Green,
    /// Hold: T0 only.
    Amber,
    /// Terminal for this process: every request is refused.
    Red,
}

/// What may move the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StateEvent {
    /// Time passes.
    Tick,
    /// Something is wrong, or an operator asked to hold.
    Warn,
    /// Stop.
    Stop,
    /// An operator says that it is well again.
    Reset,
}

impl RunState {
    /// The state after an event.
    #[must_use]
    pub const fn after(self, event: StateEvent) -> Self {
        match (self, event) {
            (Self::Red, StateEvent::Tick | StateEvent::Warn | StateEvent::Stop | StateEvent::Reset)
            | (Self::Green | Self::Amber, StateEvent::Stop) => Self::Red,
            (Self::Green, StateEvent::Tick | StateEvent::Reset) | (Self::Amber, StateEvent::Reset) => Self::Green,
            (Self::Green | Self::Amber, StateEvent::Warn) | (Self::Amber, StateEvent::Tick) => Self::Amber,
        }
    }

    /// The state's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Amber => "amber",
            Self::Red => "red",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RunState::{Amber, Green, Red};
    use StateEvent::{Reset, Stop, Tick, Warn};

    #[test]
    fn the_table_is_the_designs() {
        for (from, [tick, warn, stop, reset]) in
            [(Green, [Green, Amber, Red, Green]), (Amber, [Amber, Amber, Red, Green]), (Red, [Red; 4])]
        {
            assert_eq!(
                [from.after(Tick), from.after(Warn), from.after(Stop), from.after(Reset)],
                [tick, warn, stop, reset]
            );
        }
    }

    #[test]
    fn only_an_operator_makes_it_milder() {
        for state in [Green, Amber, Red] {
            assert!([Tick, Warn, Stop].iter().all(|event| state.after(*event) >= state));
        }
    }
}
