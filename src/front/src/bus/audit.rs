//! `org.countersign.Broker1.Audit`: what the log proves of itself. It tells hashes and counts, never what is recorded.

use std::sync::Arc;

use zbus::interface;
use zbus::message::Header;

use super::error::Result;
use super::hall::Hall;

/// The log's interface.
pub(super) struct Audit(pub(super) Arc<Hall>);

#[interface(name = "org.countersign.Broker1.Audit", introspection_docs = false)]
impl Audit {
    /// How many entries there are, and the root over them. Signed by nobody.
    #[zbus(out_args("entries", "root"))]
    async fn head(&self, #[zbus(header)] header: Header<'_>) -> Result<(u64, String)> {
        let _call = self.0.enter(&header).await?;
        let head = self.0.pipeline.ledger.head().await?;
        Ok((head.size, head.root.to_string()))
    }

    /// A signed checkpoint over every entry.
    #[zbus(out_args("note"))]
    async fn checkpoint(&self, #[zbus(header)] header: Header<'_>) -> Result<String> {
        let _call = self.0.enter(&header).await?;
        let pipeline = &self.0.pipeline;
        Ok(pipeline.ledger.checkpoint(&*pipeline.launcher).await?)
    }

    /// That the log of `new` entries begins with that of `old`.
    #[zbus(out_args("hashes"))]
    async fn consistency(&self, old: u64, new: u64, #[zbus(header)] header: Header<'_>) -> Result<Vec<String>> {
        let _call = self.0.enter(&header).await?;
        Ok(self.0.pipeline.ledger.consistency(old, new).await?)
    }

    /// That an entry is in the log. Whoever has its hash, from a receipt, can check it without us.
    #[zbus(out_args("proof"))]
    async fn proof(&self, entry: u64, #[zbus(header)] header: Header<'_>) -> Result<String> {
        let _call = self.0.enter(&header).await?;
        let pipeline = &self.0.pipeline;
        let evidence = pipeline.ledger.evidence(&*pipeline.launcher, entry).await;
        Ok(evidence?.to_string())
    }
}
