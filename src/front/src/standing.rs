//! Standing: the broker's run state, whether it takes requests, and what is not as usual, in one place that everybody reads.
//!
//! ```text
//!   open ──drain──▶ draining        (a restart: what runs may finish, nothing begins)
//!     └────close───▶ closed ◀──┘    (a stop: the run state is red)
//! ```
//!
//! Only an operator makes it milder, and nothing leaves red; a new process starts anew.

use countersign_core::code::{Code, Failure};
use countersign_core::run_state::{RunState, StateEvent};
use tokio::sync::watch;

use crate::notice::Notices;

/// Whether requests are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Intake {
    /// Requests are taken.
    Open,
    /// The broker is about to be started anew: running jobs may finish.
    Draining,
    /// The broker ends.
    Closed,
}

/// The state of the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Now {
    /// The run state.
    pub(crate) state: RunState,
    /// Whether requests are taken.
    pub(crate) intake: Intake,
}

/// The one holder of the state.
#[derive(Debug)]
pub(crate) struct Standing {
    now: watch::Sender<Now>,
    /// What people are told until it is over.
    pub(crate) notices: Notices,
}

impl Standing {
    /// Green and open.
    pub(crate) fn new() -> Self {
        let now = watch::Sender::new(Now { state: RunState::Green, intake: Intake::Open });
        Self { now, notices: Notices::default() }
    }

    /// The state of the moment.
    pub(crate) fn now(&self) -> Now {
        *self.now.borrow()
    }

    /// The run state of the moment.
    pub(crate) fn state(&self) -> RunState {
        self.now().state
    }

    /// Something is wrong: only reads from here on.
    pub(crate) fn warn(&self) {
        self.now.send_modify(|now| now.state = now.state.after(StateEvent::Warn));
    }

    /// An operator says that it is well again. Never leaves red.
    pub(crate) fn resume(&self) {
        self.now.send_modify(|now| now.state = now.state.after(StateEvent::Reset));
    }

    /// The kill switch: red and closed, for good.
    pub(crate) fn stop(&self) {
        self.now.send_modify(|now| *now = Now { state: now.state.after(StateEvent::Stop), intake: Intake::Closed });
    }

    /// A restart or a shutdown: nothing begins any more.
    pub(crate) fn wind_down(&self, intake: Intake) {
        self.now.send_modify(|now| now.intake = now.intake.max(intake));
    }

    /// Comes back when the broker begins to end.
    pub(crate) async fn ends(&self) {
        let mut follow = self.now.subscribe();
        // The sender is in `self`, so waiting cannot fail.
        drop(follow.wait_for(|now| now.intake != Intake::Open).await);
    }

    /// Whether a request may come in.
    ///
    /// # Errors
    /// `Stopped` or `Held`, with what to do.
    pub(crate) fn admits(&self) -> Result<(), Failure> {
        match self.now().intake {
            Intake::Open => Ok(()),
            Intake::Draining => Err(Failure::new(Code::Held, "The broker is about to restart: ask again in a moment.")),
            Intake::Closed => Err(Failure::new(
                Code::Stopped,
                "The broker is stopped: an operator clears it with `countersign clear`.",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_final() {
        let standing = Standing::new();
        assert!(standing.admits().is_ok());
        standing.stop();
        standing.warn();
        standing.resume();
        standing.wind_down(Intake::Draining);
        assert_eq!(standing.now(), Now { state: RunState::Red, intake: Intake::Closed });
        assert_eq!(standing.admits().unwrap_err().code, Code::Stopped);
    }

    #[test]
    fn an_operator_ends_a_hold() {
        let standing = Standing::new();
        standing.warn();
        assert_eq!(standing.state(), RunState::Amber);
        standing.resume();
        assert_eq!(standing.state(), RunState::Green);
    }

    #[test]
    fn draining_refuses_without_being_a_stop() {
        let standing = Standing::new();
        standing.wind_down(Intake::Draining);
        assert_eq!(standing.state(), RunState::Green);
        assert_eq!(standing.admits().unwrap_err().code, Code::Held);
    }
}
