//! `org.countersign.Broker1.Audit`: what the log proves of itself, in hashes and counts, and what it has of the caller's own
//! requests. What it has of others is for those who may inspect.

use std::sync::Arc;

use countersign_core::code::{Code, Failure};
use zbus::interface;
use zbus::message::Header;

use super::answers;
use super::dictionary::Dictionary;
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

    /// The caller's own entries, newest first; those of others for who may inspect.
    #[zbus(out_args("entries", "next"))]
    async fn query(
        &self,
        query: Dictionary,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(Vec<(u64, String, String)>, u64)> {
        let call = self.0.enter(&header).await?;
        let _place = self.0.questions.take(call.caller.uid)?;
        let query = query.into_query(call.caller.uid)?;
        if query.uid != Some(call.caller.uid) && !self.0.inspects(&header, &call.caller).await? {
            return Err(not_yours().into());
        }
        let page = self.0.pipeline.ledger.query(query).await?;
        Ok((page.entries.iter().map(answers::entry).collect(), page.next))
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

fn not_yours() -> Failure {
    Failure::new(
        Code::AccessDenied,
        "What the log has of others is for administrators: ask for your own entries, or authenticate as one.",
    )
}
