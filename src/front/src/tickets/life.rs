//! The life of a request, or of one step of a bundle, as one table: what may follow what. SEC-2, SEC-8, SEC-12.
//!
//! ```text
//!   asked ──allow (by its grant), approve (by people)──▶ approved ──seal──▶ ordered ──start──▶ running
//!     └───────────────────────┴────────end, once, from everywhere────┴──────────┴────────────────┴──▶ done
//! ```
//!
//! Every step of a request goes through [`Life::after`], in the run state of that moment: while it is red nothing goes
//! forward, only to its end. A step that the table does not have does not happen, so no order is made twice of one
//! approval and none without one. The test tries every path.

use countersign_core::run_state::RunState;

/// How far a request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Life {
    /// Nobody has allowed it yet.
    Asked,
    /// Its grant or people allowed it; nothing was used of that yet.
    Approved,
    /// The approval was used up for one order.
    Ordered,
    /// The program was started.
    Running,
    /// It is over, whether it ran or not.
    Done,
}

/// What may happen to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Event {
    /// The judge allowed it by the caller's grant.
    Allow,
    /// As many people as it takes approved it.
    Approve,
    /// The last re-check passed, and the order is made.
    Seal,
    /// The launcher started the program.
    Start,
    /// It is over, whyever.
    End,
}

impl Life {
    /// Where an event leads, if it may happen.
    pub(crate) const fn after(self, event: Event, state: RunState) -> Option<Self> {
        match (self, event, state) {
            (Self::Asked | Self::Approved | Self::Ordered | Self::Running, Event::End, _) => Some(Self::Done),
            (Self::Asked, Event::Allow | Event::Approve, RunState::Green | RunState::Amber) => Some(Self::Approved),
            (Self::Approved, Event::Seal, RunState::Green | RunState::Amber) => Some(Self::Ordered),
            (Self::Ordered, Event::Start, RunState::Green | RunState::Amber) => Some(Self::Running),
            (Self::Asked, Event::Seal | Event::Start, _)
            | (Self::Approved, Event::Allow | Event::Approve | Event::Start, _)
            | (Self::Ordered, Event::Allow | Event::Approve | Event::Seal, _)
            | (Self::Running, Event::Allow | Event::Approve | Event::Seal | Event::Start, _)
            | (Self::Done, _, _)
            | (_, Event::Allow | Event::Approve | Event::Seal | Event::Start, RunState::Red) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashSet, VecDeque};

    use countersign_core::run_state::StateEvent;

    use super::*;

    const EVENTS: [Event; 5] = [Event::Allow, Event::Approve, Event::Seal, Event::Start, Event::End];
    const STATE_EVENTS: [StateEvent; 4] = [StateEvent::Tick, StateEvent::Warn, StateEvent::Stop, StateEvent::Reset];

    /// Two requests and the broker, with what must never go wrong counted beside.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    struct World {
        lives: [Life; 2],
        state: RunState,
        allowed: [bool; 2],
        orders: [u8; 2],
        starts: [u8; 2],
        forward_in_red: bool,
        was_red: bool,
    }

    const BEGIN: World = World {
        lives: [Life::Asked; 2],
        state: RunState::Green,
        allowed: [false; 2],
        orders: [0; 2],
        starts: [0; 2],
        forward_in_red: false,
        was_red: false,
    };

    fn successors(world: World) -> Vec<World> {
        let moved = STATE_EVENTS.iter().map(|event| {
            let state = world.state.after(*event);
            World { state, was_red: world.was_red || state == RunState::Red, ..world }
        });
        let mut all: Vec<World> = moved.collect();
        for (which, event) in [0, 1].into_iter().flat_map(|which| EVENTS.map(|event| (which, event))) {
            let Some(life) = world.lives[which].after(event, world.state) else { continue };
            let mut next = world;
            next.lives[which] = life;
            next.allowed[which] |= matches!(event, Event::Allow | Event::Approve);
            next.orders[which] = world.orders[which].saturating_add(u8::from(event == Event::Seal));
            next.starts[which] = world.starts[which].saturating_add(u8::from(event == Event::Start));
            next.forward_in_red |= world.state == RunState::Red && event != Event::End;
            all.push(next);
        }
        all
    }

    /// Every world that can be reached, breadth first.
    fn reachable() -> HashSet<World> {
        let (mut seen, mut open) = (HashSet::from([BEGIN]), VecDeque::from([BEGIN]));
        while let Some(world) = open.pop_front() {
            open.extend(successors(world).into_iter().filter(|next| seen.insert(*next)));
        }
        seen
    }

    #[test]
    fn no_path_leads_to_a_run_without_leave_to_two_runs_or_out_of_red() {
        let worlds = reachable();
        assert!(worlds.len() >= 150, "{} worlds are too few to have tried anything", worlds.len());
        for world in &worlds {
            for which in 0..2 {
                let ordered = matches!(world.lives[which], Life::Ordered | Life::Running);
                assert!(!ordered || world.allowed[which], "an order without leave: {world:?}");
                assert!(world.orders[which] <= 1, "two orders of one approval: {world:?}");
                assert!(world.starts[which] <= world.orders[which], "a run without an order: {world:?}");
            }
            assert!(!world.forward_in_red, "something went forward in red: {world:?}");
            assert_eq!(world.was_red, world.state == RunState::Red, "something left red: {world:?}");
        }
    }

    #[test]
    fn every_request_can_run_and_can_always_end() {
        let worlds = reachable();
        assert!(worlds.iter().any(|world| world.starts == [1, 1] && world.lives == [Life::Done; 2]));
        for world in worlds {
            let can_end =
                world.lives.iter().all(|life| *life == Life::Done || life.after(Event::End, world.state).is_some());
            assert!(can_end, "{world:?}");
        }
    }

    #[test]
    fn what_has_ended_stays_ended_and_the_table_only_goes_forward() {
        for life in [Life::Asked, Life::Approved, Life::Ordered, Life::Running, Life::Done] {
            for (event, state) in EVENTS
                .into_iter()
                .flat_map(|event| [RunState::Green, RunState::Amber, RunState::Red].map(|state| (event, state)))
            {
                if let Some(next) = life.after(event, state) {
                    assert!(next > life, "{life:?} {event:?} {state:?}");
                }
            }
        }
    }
}
