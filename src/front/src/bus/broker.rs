//! `org.countersign.Broker1`: plan, submit, stop, and what state the broker is in.

use std::sync::Arc;

use countersign_core::caller::{Caller, Uid};
use countersign_core::code::{Code, Failure};
use countersign_core::message::StopNote;
use countersign_core::policy::Taint;
use countersign_core::request::MAX_REASON;
use zbus::message::Header;
use zbus::{ObjectServer, OwnedObjectPath, interface};

use super::answers::{self, Keys};
use super::dictionary::Dictionary;
use super::error::Result;
use super::hall::{Hall, dialog_of};
use super::request::Request;
use crate::approve::Dialog;
use crate::ask::Asks;
use crate::clock;
use crate::control;
use crate::lifecycle::StopCall;
use crate::lock::lock;
use crate::pipeline::no_grant;

/// The broker's object.
pub(super) struct Broker(pub(super) Arc<Hall>);

#[interface(name = "org.countersign.Broker1", introspection_docs = false)]
impl Broker {
    #[zbus(out_args("plan"))]
    async fn plan(&self, request: Dictionary, #[zbus(header)] header: Header<'_>) -> Result<Keys> {
        let call = self.0.enter(&header).await?;
        let asks = self.asks(&call.caller, request).await?;
        let all = asks.first.all;
        if asks.is_several() {
            return Ok(answers::shown_steps(&self.0.pipeline.plan_steps(&call.caller, asks).await?, all));
        }
        let shown = self.0.pipeline.plan(&call.caller, asks.first).await?;
        let mut keys = answers::shown(&shown);
        keys.extend(all.then(|| answers::against(&shown)));
        Ok(keys)
    }

    #[zbus(out_args("object"))]
    async fn submit(
        &self,
        request: Dictionary,
        #[zbus(header)] header: Header<'_>,
        #[zbus(object_server)] server: &ObjectServer,
    ) -> Result<OwnedObjectPath> {
        let call = self.0.enter(&header).await?;
        let asks = self.asks(&call.caller, request).await?;
        if asks.first.all {
            let failure = Failure::new(Code::InvalidRequest, "The key all is for a plan: leave it out.");
            return Err(self.0.pipeline.reject(&call.caller, failure).await.into());
        }
        let person = match dialog_of(&header) {
            Dialog::Allowed => Some(self.0.person(&header, &call.caller)?),
            Dialog::Never => None,
        };
        let ticket = self.0.pipeline.submit(&call.caller, asks, person).await?;
        // A caller that left meanwhile was told of before there was a ticket to end.
        if self.0.identities.presence(&call.caller.bus_name).is_none() {
            self.0.pipeline.departed(&call.caller.bus_name);
        }
        let path = super::path_of(ticket.id())?;
        server.at(&path, Request { hall: Arc::clone(&self.0), ticket }).await?;
        Ok(path)
    }

    /// No secret: everybody may read the files themselves.
    #[zbus(out_args("files"))]
    async fn policy(&self, #[zbus(header)] header: Header<'_>) -> Result<Vec<(String, String, String, String)>> {
        let call = self.0.enter(&header).await?;
        let _place = self.0.readings.take(call.caller.uid)?;
        let files = Arc::clone(&lock(&self.0.pipeline.files));
        Ok(files.iter().map(answers::file).collect())
    }

    async fn mark_tainted(&self, #[zbus(header)] header: Header<'_>) -> Result<()> {
        let call = self.0.enter(&header).await?;
        Ok(control::mark_tainted(&self.0.pipeline, &call.caller, "").await?)
    }

    /// Never gated: whoever may ask for anything may stop everything, in every state.
    async fn stop(&self, reason: String, #[zbus(header)] header: Header<'_>) -> Result<()> {
        let caller = self.0.identities.prove(&header).await?;
        let granted = self.0.pipeline.policy().grants().of(&caller).is_some();
        if !granted && caller.uid != Uid::ROOT {
            return Err(no_grant().into());
        }
        let why: String = reason.chars().take(MAX_REASON).collect();
        let (call, stopped) = StopCall::new(StopNote { time: clock::now(), who: format!("uid {}", caller.uid), why });
        let under_way = || Failure::new(Code::Stopped, "The broker is being stopped already.");
        self.0.stop.try_send(call).map_err(|_| under_way())?;
        Ok(stopped.await.unwrap_or_else(|_| Err(under_way()))?)
    }

    #[zbus(property(emits_changed_signal = "false"))]
    async fn state(&self) -> String {
        self.0.pipeline.standing.state().name().to_owned()
    }

    #[zbus(property(emits_changed_signal = "false"))]
    async fn mode(&self) -> String {
        self.0.pipeline.policy().settings().mode.name().to_owned()
    }

    /// What is not as usual, in a sentence each.
    #[zbus(property(emits_changed_signal = "false"))]
    async fn notices(&self) -> Vec<String> {
        self.0.pipeline.standing.notices.all()
    }

    #[zbus(property(emits_changed_signal = "const"))]
    async fn version(&self) -> String {
        env!("CARGO_PKG_VERSION").to_owned()
    }

    #[zbus(property(emits_changed_signal = "false"))]
    async fn ruleset(&self) -> String {
        answers::ruleset(self.0.pipeline.policy().ruleset())
    }

    /// The caller's own latch.
    #[zbus(property(emits_changed_signal = "false"))]
    async fn tainted(&self, #[zbus(header)] header: Option<Header<'_>>) -> Result<bool> {
        let header = header.ok_or_else(super::no_caller)?;
        let call = self.0.enter(&header).await?;
        Ok(self.0.pipeline.latches.of(call.caller.uid) == Taint::Tainted)
    }
}

impl Broker {
    /// Makes the ask; one that is not well-formed is refused and recorded like every other. Looking at descriptors
    /// may take its time, and then not in the way of others.
    async fn asks(&self, caller: &Caller, request: Dictionary) -> Result<Asks, Failure> {
        let made = if request.has_files() {
            let looked = tokio::task::spawn_blocking(|| request.into_asks()).await;
            looked
                .unwrap_or_else(|_| Err(Failure::new(Code::Internal, "The request could not be looked at: try again.")))
        } else {
            request.into_asks()
        };
        match made {
            Ok(asks) => Ok(asks),
            Err(failure) => Err(self.0.pipeline.reject(caller, failure).await),
        }
    }
}
