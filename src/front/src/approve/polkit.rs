//! polkit: asks one person, before the person's own agent, and says how the answer came about. SEC-11.
//!
//! ```text
//!   check, no dialog ──yes──▶ a rule or root said so
//!         └─challenge─▶ check with a dialog ──yes──▶ a human answered     then: does the sender still own its name?
//! ```
//!
//! The subject is built from a message's sender and from nothing else (a daemon once passed its own pid and
//! authorised everyone). Every error is an answer, and none of them is a yes.

use std::collections::HashMap;
use std::time::Duration;

use countersign_core::approval::ApprovalKind;
use countersign_core::caller::{BusName, Caller, Uid};
use countersign_core::code::{Code, Failure};
use tokio::sync::watch;
use tokio::time::timeout;
use zbus::fdo::DBusProxy;
use zbus::message::Header;
use zbus::names::UniqueName;
use zbus_polkit::policykit1::{AuthorityProxy, AuthorizationResult, CheckAuthorizationFlags, Subject};

use super::words::Words;
use super::{Dialog, Humans, Matter, Reply};
use crate::clock;
use crate::launch::Soon;

/// How long polkit may take where no human is involved.
const AT_ONCE: Duration = Duration::from_secs(5);

/// A person who can be asked: the sender of one message.
#[derive(Debug)]
pub(crate) struct Person {
    subject: Subject,
    name: BusName,
    uid: Uid,
    here: watch::Receiver<()>,
}

impl Person {
    /// The sender of this message, proven to be this caller; the sender of `here` is dropped when it leaves.
    ///
    /// # Errors
    /// `AccessDenied` if the message has no sender, or another one.
    pub(crate) fn sender_of(header: &Header<'_>, caller: &Caller, here: watch::Receiver<()>) -> Result<Self, Failure> {
        let same = header.sender().is_some_and(|sender| sender.as_str() == caller.bus_name.as_str());
        match Subject::new_for_message_header(header) {
            Ok(subject) if same => Ok(Self { subject, name: caller.bus_name.clone(), uid: caller.uid, here }),
            Ok(_) | Err(_) => Err(Failure::new(
                Code::AccessDenied,
                "The broker could not prove who you are: connect anew and try again.",
            )),
        }
    }

    /// The user.
    pub(crate) const fn uid(&self) -> Uid {
        self.uid
    }

    /// Comes back when the person has left the bus.
    async fn left(&self) {
        let mut here = self.here.clone();
        // Nothing is ever sent: the only news is that the sender was dropped.
        while here.changed().await.is_ok() {}
    }
}

/// polkit's authority, and the bus that says who is still there.
#[derive(Debug)]
pub(crate) struct Polkit {
    authority: AuthorityProxy<'static>,
    bus: DBusProxy<'static>,
}

impl Polkit {
    /// Asks this authority.
    pub(crate) const fn new(authority: AuthorityProxy<'static>, bus: DBusProxy<'static>) -> Self {
        Self { authority, bus }
    }

    async fn converse(
        &self,
        person: &Person,
        matter: Matter,
        words: &Words,
        dialog: Dialog,
        over: Soon<'_, ()>,
    ) -> Reply {
        let first = timeout(AT_ONCE, self.check(person, matter, words, CheckAuthorizationFlags::empty(), "")).await;
        match first {
            Ok(Ok(answer)) if answer.is_authorized => Reply::Yes(ApprovalKind::PolkitRule),
            Ok(Ok(answer)) if !answer.is_challenge => Reply::No,
            Ok(Ok(_)) if dialog == Dialog::Never => Reply::NeedsDialog,
            Ok(Ok(_)) => self.challenge(person, matter, words, over).await,
            Ok(Err(_)) | Err(_) => Reply::Unavailable,
        }
    }

    async fn challenge(&self, person: &Person, matter: Matter, words: &Words, over: Soon<'_, ()>) -> Reply {
        let Ok(id) = clock::new_id().map(|id| id.to_string()) else { return Reply::Unavailable };
        tokio::select! {
            biased;
            () = over => self.close(&id).await,
            () = person.left() => self.close(&id).await,
            answer = self.check(person, matter, words, CheckAuthorizationFlags::ALLOW_USER_INTERACTION, &id) => match answer {
                Ok(answer) => after_dialog(&answer),
                Err(_) => Reply::Unavailable,
            },
        }
    }

    /// A dialog must not outlive its question. If polkit cannot be told, it is gone, and the dialog with it.
    async fn close(&self, id: &str) -> Reply {
        drop(timeout(AT_ONCE, self.authority.cancel_check_authorization(id)).await);
        Reply::Gone
    }

    async fn check(
        &self,
        person: &Person,
        matter: Matter,
        words: &Words,
        flags: CheckAuthorizationFlags,
        cancellation: &str,
    ) -> zbus::Result<AuthorizationResult> {
        let details: HashMap<&str, &str> = words.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        self.authority.check_authorization(&person.subject, matter.action(), &details, flags, cancellation).await
    }

    /// Whether the sender still owns its name; an error is a no (CVE-2021-3560).
    async fn is_here(&self, person: &Person) -> bool {
        let Ok(name) = UniqueName::try_from(person.name.as_str()) else { return false };
        matches!(timeout(AT_ONCE, self.bus.name_has_owner(name.into())).await, Ok(Ok(true)))
    }
}

impl Humans for Polkit {
    fn ask<'a>(
        &'a self,
        person: &'a Person,
        matter: Matter,
        words: &'a Words,
        dialog: Dialog,
        over: Soon<'a, ()>,
    ) -> Soon<'a, Reply> {
        Box::pin(async move {
            let reply = self.converse(person, matter, words, dialog, over).await;
            let yes = matches!(reply, Reply::Yes(_));
            if yes && !self.is_here(person).await { Reply::Gone } else { reply }
        })
    }
}

/// What a check with a dialog says. polkit answers `challenge` where no agent was there to open one.
fn after_dialog(answer: &AuthorizationResult) -> Reply {
    let dismissed = answer.details.get("polkit.dismissed").is_some_and(|value| !value.is_empty());
    match (answer.is_authorized, dismissed, answer.is_challenge) {
        (true, _, _) => Reply::Yes(ApprovalKind::Challenge),
        (false, true, _) => Reply::Dismissed,
        (false, false, true) => Reply::NoAgent,
        (false, false, false) => Reply::No,
    }
}

#[cfg(test)]
mod tests;
