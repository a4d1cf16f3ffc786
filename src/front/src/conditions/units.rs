//! Units: what systemd says of one, as the checks know it. Who asks it is elsewhere.

use countersign_core::condition::{Activity, Unit};

use crate::launch::Soon;

/// Those who know how units are doing.
pub(crate) trait Units: Send + Sync {
    /// How this one is; nothing where it cannot be asked.
    fn state<'a>(&'a self, unit: &'a Unit) -> Soon<'a, Option<UnitState>>;
}

/// How a unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnitState {
    /// What it does now.
    pub(crate) activity: Activity,
    /// Whether it is of the kind that ends by itself, and its last run was not left out and did not fail.
    pub(crate) ended_well: bool,
}

impl UnitState {
    pub(super) fn is_active(&self) -> bool {
        self.activity == Activity::Active
    }

    pub(super) fn is_started(&self) -> bool {
        self.is_active() || self.ended_well && self.activity == Activity::Inactive
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_by_itself_was_started_and_nothing_else_that_does_not_run() {
        use Activity::{Absent, Active, Changing, Failed, Inactive};
        for activity in [Active, Inactive, Failed, Changing, Absent] {
            for ended_well in [false, true] {
                let state = UnitState { activity, ended_well };
                assert_eq!(state.is_active(), activity == Active, "{state:?}");
                let started = activity == Active || activity == Inactive && ended_well;
                assert_eq!(state.is_started(), started, "{state:?}");
            }
        }
    }
}
