//! Broker: the two things that are asked of it.

use countersign_core::note::Note;
use tokio::runtime::{Builder, Runtime};

use crate::error::AnchorError;

/// The part of the broker's audit interface that is for everybody.
#[zbus::proxy(
    interface = "org.countersign.Broker1.Audit",
    default_service = "org.countersign.Broker1",
    default_path = "/org/countersign/Broker1"
)]
trait Audit {
    /// The newest checkpoint, a signed note.
    fn checkpoint(&self) -> zbus::Result<String>;

    /// The hashes, in base 64, that prove that the log of the second size begins with that of the first.
    fn consistency(&self, old: u64, new: u64) -> zbus::Result<Vec<String>>;
}

/// A connection to it.
#[derive(Debug)]
pub(crate) struct Broker {
    runtime: Runtime,
    audit: AuditProxy<'static>,
}

impl Broker {
    /// Connects.
    pub(crate) fn connect() -> Result<Self, AnchorError> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(AnchorError::Runtime)?;
        let audit = runtime.block_on(async { AuditProxy::new(&zbus::Connection::system().await?).await });
        Ok(Self { audit: audit.map_err(|error| AnchorError::Broker(Box::new(error)))?, runtime })
    }

    /// The newest checkpoint.
    pub(crate) fn checkpoint(&self) -> Result<Note, AnchorError> {
        let text = self.runtime.block_on(self.audit.checkpoint());
        let text = text.map_err(|error| AnchorError::Broker(Box::new(error)))?;
        Note::parse(text.as_bytes()).map_err(AnchorError::NotANote)
    }

    /// The proof that the log only grew between these sizes; none is needed from nothing, or from itself.
    pub(crate) fn consistency(&self, old: u64, new: u64) -> Result<Vec<String>, AnchorError> {
        if old == 0 || old == new {
            return Ok(Vec::new());
        }
        let proof = self.runtime.block_on(self.audit.consistency(old, new));
        proof.map_err(|error| AnchorError::Broker(Box::new(error)))
    }
}
