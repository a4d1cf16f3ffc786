//! `org.countersign.Broker1.Request`: one request, visible to its owner, to root and to inspectors only.

use std::sync::Arc;

use countersign_core::caller::Uid;
use countersign_core::code::{Code, Failure};
use zbus::interface;
use zbus::message::Header;
use zbus::object_server::SignalEmitter;

use super::answers::{self, Keys};
use super::error::Result;
use super::hall::Hall;
use super::reader::Reader;
use crate::control::mark_tainted;
use crate::tickets::{Command, Phase, Ticket, Withdrawal};

/// A request's object. It goes when the ticket goes.
pub(super) struct Request {
    pub(super) hall: Arc<Hall>,
    pub(super) ticket: Arc<Ticket>,
}

impl Request {
    /// Passes the owner and root. polkit is not asked here: the bus library holds the tree of objects while it reads a
    /// property, and everybody would wait with us. Inspectors have `Show`.
    async fn see(&self, header: Option<Header<'_>>) -> Result<Reader> {
        let header = header.ok_or_else(super::no_caller)?;
        let call = self.hall.enter(&header).await?;
        let own = [self.ticket.owner(), Uid::ROOT].contains(&call.caller.uid);
        if own { Ok(Reader::of(&call.caller, &self.ticket)) } else { Err(super::hall::none(self.ticket.id()).into()) }
    }
}

#[interface(name = "org.countersign.Broker1.Request", introspection_docs = false)]
impl Request {
    async fn cancel(&self, #[zbus(header)] header: Header<'_>) -> Result<()> {
        let call = self.hall.enter(&header).await?;
        self.hall.see(&header, &call.caller, &self.ticket).await?;
        if call.caller.uid != self.ticket.owner() && call.caller.uid != Uid::ROOT {
            return Err(
                Failure::new(Code::AccessDenied, "Only who asked may take a request back: refuse it instead.").into()
            );
        }
        if self.ticket.phase() == Phase::Done {
            return Err(Failure::new(Code::InvalidRequest, "The request is over already.").into());
        }
        self.ticket.withdraw(Withdrawal::Asked);
        Ok(())
    }

    /// Waits for the end, which every request has: the expiry of what waits, the time limit of what runs.
    #[zbus(out_args("result"))]
    async fn result(&self, #[zbus(header)] header: Header<'_>) -> Result<Keys> {
        let call = self.hall.enter(&header).await?;
        self.hall.see(&header, &call.caller, &self.ticket).await?;
        let left = async {
            if let Some(mut here) = self.hall.identities.presence(&call.caller.bus_name) {
                while here.changed().await.is_ok() {}
            }
        };
        let end = tokio::select! {
            end = self.ticket.over() => end,
            () = left => None,
        };
        let end = end.ok_or_else(|| Failure::new(Code::Cancelled, "You left before the request was over."))?;
        let ran = |command: &Command| command.end().is_some_and(|end| end.result.is_ok());
        match &end.result {
            Err(failure) if !self.ticket.commands.iter().any(ran) => Err(failure.clone().into()),
            Ok(_) | Err(_) => {
                // Whoever collects the output has read it, be it the owner long after or somebody who may inspect.
                mark_tainted(&self.hall.pipeline, &call.caller, "it collected output").await?;
                Ok(answers::over(&self.ticket, end, Reader::of(&call.caller, &self.ticket)))
            }
        }
    }

    #[zbus(property(emits_changed_signal = "const"))]
    async fn id(&self, #[zbus(header)] header: Option<Header<'_>>) -> Result<String> {
        self.see(header).await?;
        Ok(self.ticket.id().to_string())
    }

    #[zbus(property(emits_changed_signal = "const"))]
    async fn digest(&self, #[zbus(header)] header: Option<Header<'_>>) -> Result<String> {
        self.see(header).await?;
        Ok(self.ticket.digest.to_string())
    }

    #[zbus(property(emits_changed_signal = "const"))]
    async fn fingerprint(&self, #[zbus(header)] header: Option<Header<'_>>) -> Result<String> {
        self.see(header).await?;
        Ok(self.ticket.digest.fingerprint())
    }

    #[zbus(property(emits_changed_signal = "const"))]
    async fn tier(&self, #[zbus(header)] header: Option<Header<'_>>) -> Result<String> {
        self.see(header).await?;
        Ok(self.ticket.tier().name().to_owned())
    }

    #[zbus(property(emits_changed_signal = "const"))]
    async fn verdict(&self, #[zbus(header)] header: Option<Header<'_>>) -> Result<String> {
        self.see(header).await?;
        Ok(answers::word(&self.ticket.judgement))
    }

    #[zbus(property(emits_changed_signal = "false"))]
    async fn phase(&self, #[zbus(header)] header: Option<Header<'_>>) -> Result<String> {
        self.see(header).await?;
        Ok(self.ticket.phase().name().to_owned())
    }

    #[zbus(property(emits_changed_signal = "const"))]
    async fn expires(&self, #[zbus(header)] header: Option<Header<'_>>) -> Result<u64> {
        self.see(header).await?;
        Ok(self.ticket.expires().millis())
    }

    /// JSON; empty until the end.
    #[zbus(property(emits_changed_signal = "false"))]
    async fn receipt(&self, #[zbus(header)] header: Option<Header<'_>>) -> Result<String> {
        Ok(self.see(header).await?.receipt(&self.ticket))
    }

    /// Everybody hears it, so it says nothing of the content.
    #[zbus(signal)]
    pub(super) async fn phase_changed(
        emitter: &SignalEmitter<'_>,
        id: &str,
        phase: &str,
        tier: &str,
    ) -> zbus::Result<()>;
}
