//! The hall: what every interface of ours shares, and who may see what.

use std::sync::Arc;
use std::time::Duration;

use countersign_core::caller::{Caller, Uid};
use countersign_core::code::{Code, Failure};
use countersign_core::request::RequestId;
use tokio::sync::mpsc;
use tokio::time::timeout;
use zbus::message::{Flags, Header};

use super::identity::Identities;
use crate::approve::polkit::Person;
use crate::approve::words::Words;
use crate::approve::{Dialog, Matter, Reply};
use crate::bounds::{self, Place, Quota};
use crate::lifecycle::StopCall;
use crate::pipeline::Pipeline;
use crate::tickets::Ticket;

/// How long polkit may take to say, without a dialog, whether somebody sees the requests of others; it takes milliseconds.
const WITHOUT_DIALOG: Duration = Duration::from_secs(1);

/// What every interface shares.
pub(crate) struct Hall {
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) identities: Identities,
    pub(super) stop: mpsc::Sender<StopCall>,
    calls: Quota,
    dialogs: Quota,
    pub(super) readings: Quota,
    pub(super) questions: Quota,
}

/// A call that is being worked on: who called, and its place among the calls.
pub(super) struct Call {
    pub(super) caller: Arc<Caller>,
    _place: Place,
}

impl Hall {
    pub(super) fn new(pipeline: Arc<Pipeline>, identities: Identities, stop: mpsc::Sender<StopCall>) -> Self {
        let calls = Quota::new("calls", bounds::CALLS_PER_USER, bounds::CALLS_IN_ALL);
        let dialogs = Quota::new("dialogs", bounds::DIALOGS_PER_USER, bounds::DIALOGS_IN_ALL);
        let readings = Quota::new("readings of the policy", bounds::READINGS_PER_USER, bounds::READINGS_IN_ALL);
        let questions = Quota::new("questions to the log", bounds::QUESTIONS_PER_USER, bounds::QUESTIONS_IN_ALL);
        Self { pipeline, identities, stop, calls, dialogs, readings, questions }
    }

    /// Proves the sender of a call and takes its place.
    ///
    /// # Errors
    /// `AccessDenied` or `OverBudget`.
    pub(super) async fn enter(&self, header: &Header<'_>) -> Result<Call, Failure> {
        let caller = self.identities.prove(header).await?;
        let place = self.calls.take(caller.uid)?;
        Ok(Call { caller, _place: place })
    }

    /// The sender as somebody who can be asked.
    pub(super) fn person(&self, header: &Header<'_>, caller: &Caller) -> Result<Person, Failure> {
        let here = self
            .identities
            .presence(&caller.bus_name)
            .ok_or_else(|| Failure::new(Code::Cancelled, "You left the bus."))?;
        Person::sender_of(header, caller, here)
    }

    /// A place for the dialog that an administrator's call may open.
    pub(super) fn dialog(&self, uid: Uid, dialog: Dialog) -> Result<Option<Place>, Failure> {
        match dialog {
            Dialog::Allowed => self.dialogs.take(uid).map(Some),
            Dialog::Never => Ok(None),
        }
    }

    /// Passes who may see a request: its owner, root, and whom polkit takes for an inspector.
    ///
    /// # Errors
    /// The same as for a request that is not there.
    pub(super) async fn see(&self, header: &Header<'_>, caller: &Caller, ticket: &Ticket) -> Result<(), Failure> {
        if caller.uid == ticket.owner() || self.inspects(header, caller).await? {
            Ok(())
        } else {
            Err(none(ticket.id()))
        }
    }

    /// Whether the sender may see the requests of others. Root may, and polkit need not answer for that.
    pub(super) async fn inspects(&self, header: &Header<'_>, caller: &Caller) -> Result<bool, Failure> {
        if caller.uid == Uid::ROOT {
            return Ok(true);
        }
        let (person, dialog) = (self.person(header, caller)?, dialog_of(header));
        let _place = self.dialog(caller.uid, dialog)?;
        let words = Words::default();
        let over = Box::pin(std::future::pending());
        let asked = self.pipeline.humans.ask(&person, Matter::Inspect, &words, dialog, over);
        let reply = match dialog {
            Dialog::Allowed => asked.await,
            // Whoever lists its own requests does not wait for a polkit that does not answer.
            Dialog::Never => timeout(WITHOUT_DIALOG, asked).await.unwrap_or(Reply::Unavailable),
        };
        Ok(match reply {
            Reply::Yes(_) => true,
            Reply::No | Reply::Dismissed | Reply::NeedsDialog | Reply::NoAgent | Reply::Gone | Reply::Unavailable => {
                false
            }
        })
    }

    /// The ticket of this id.
    ///
    /// # Errors
    /// There is none, or the text is no id.
    pub(super) fn ticket(&self, id: &str) -> Result<Arc<Ticket>, Failure> {
        let id: RequestId = id.parse().map_err(|error| crate::ask::invalid(&error))?;
        self.pipeline.tickets.get(id).ok_or_else(|| none(id))
    }
}

/// Whether the caller's message allows a dialog.
pub(super) fn dialog_of(header: &Header<'_>) -> Dialog {
    if header.primary().flags().contains(Flags::ALLOW_INTERACTIVE_AUTH) { Dialog::Allowed } else { Dialog::Never }
}

pub(super) fn none(id: RequestId) -> Failure {
    Failure::new(
        Code::NoSuchRequest,
        format!("There is no request {id} that you may see: it may be over, see `countersign requests`."),
    )
}
