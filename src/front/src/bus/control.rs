//! `org.countersign.Broker1.Control`: hold, resume, clear a taint latch, read the policy again.

use std::sync::Arc;

use countersign_core::caller::Uid;
use countersign_core::code::Failure;
use countersign_core::request::MAX_REASON;
use countersign_core::text::Steering;
use zbus::interface;
use zbus::message::Header;

use super::error::Result;
use super::hall::{Hall, dialog_of};
use crate::control::{Operator, steer};

/// The operators' interface.
pub(super) struct Control(pub(super) Arc<Hall>);

#[interface(name = "org.countersign.Broker1.Control", introspection_docs = false)]
impl Control {
    async fn hold(&self, reason: &str, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.act(&header, Steering::Hold, reason).await
    }

    async fn resume(&self, reason: &str, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.act(&header, Steering::Resume, reason).await
    }

    async fn clear_taint(&self, uid: u32, reason: &str, #[zbus(header)] header: Header<'_>) -> Result<()> {
        let uid = Uid::try_from(uid).map_err(|error| -> Failure { crate::ask::invalid(&error) })?;
        self.act(&header, Steering::ClearTaint(uid), reason).await
    }

    async fn reload(&self, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.act(&header, Steering::Reload, "").await
    }
}

impl Control {
    async fn act(&self, header: &Header<'_>, act: Steering, reason: &str) -> Result<()> {
        let call = self.0.enter(header).await?;
        let (person, dialog) = (self.0.person(header, &call.caller)?, dialog_of(header));
        let _place = self.0.dialog(call.caller.uid, dialog)?;
        let why: String = reason.chars().take(MAX_REASON).collect();
        let operator = Operator { caller: &call.caller, person, dialog };
        Ok(steer(&self.0.pipeline, &operator, act, &why).await?)
    }
}
