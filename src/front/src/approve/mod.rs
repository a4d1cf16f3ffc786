//! Approve: how a human says yes. SEC-2, SEC-12.
//!
//! ```text
//!   held request ─┬─ in place: a dialog in the caller's session ──┐  a no, or as many yes
//!                 └─ queued: a dialog before an administrator ────┼─▶ as it takes, once ──▶ Approval
//!                    expiry, withdrawal, stop ────────────────────┘
//! ```
//!
//! An approval is minted here, for one digest, and used once by the one task that waits for it. What polkit cannot
//! answer is never a yes.

pub(crate) mod polkit;
pub(crate) mod queue;
pub(crate) mod words;

use countersign_core::approval::ApprovalKind;
use countersign_core::tier::Tier;

use crate::launch::Soon;
use polkit::Person;
use words::Words;

/// Whether a dialog may open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialog {
    /// The caller said that it can wait for one.
    Allowed,
    /// Ask only what is known without one.
    Never,
}

/// What a person is asked. A polkit action each, so that an administrator can set each one's rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Matter {
    /// May this request of the caller's own run?
    Approve(Tier),
    /// May this waiting request of somebody run?
    Queue(Tier),
    /// May this person see the requests of others?
    Inspect,
    /// May this person act on the broker itself?
    Control,
}

impl Matter {
    /// The polkit action.
    pub(crate) const fn action(self) -> &'static str {
        match self {
            // T0 runs by its grant and is never asked about; should it ever be, then as the least of the three.
            Self::Approve(Tier::T0 | Tier::T1) => "org.countersign.approve.reversible",
            Self::Approve(Tier::T2) => "org.countersign.approve.stateful",
            Self::Approve(Tier::T3) => "org.countersign.approve.irreversible",
            Self::Queue(Tier::T0 | Tier::T1) => "org.countersign.queue.reversible",
            Self::Queue(Tier::T2) => "org.countersign.queue.stateful",
            Self::Queue(Tier::T3) => "org.countersign.queue.irreversible",
            Self::Inspect => "org.countersign.inspect",
            Self::Control => "org.countersign.control",
        }
    }
}

/// How a person answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Yes.
    Yes(ApprovalKind),
    /// No: a rule says so, or the password was wrong.
    No,
    /// The dialog was closed.
    Dismissed,
    /// It would need a dialog, and none was allowed.
    NeedsDialog,
    /// Nobody is there to show a dialog.
    NoAgent,
    /// The question was taken back, or the person left.
    Gone,
    /// polkit did not answer.
    Unavailable,
}

/// Those who can be asked.
pub(crate) trait Humans: Send + Sync {
    /// Asks one person; the dialog closes when `over` comes back. Errors are answers: none of them is a yes.
    fn ask<'a>(
        &'a self,
        person: &'a Person,
        matter: Matter,
        words: &'a Words,
        dialog: Dialog,
        over: Soon<'a, ()>,
    ) -> Soon<'a, Reply>;
}
