//! The policy in force: read once before root is given up, and again on SIGHUP, all or nothing.

use std::path::Path;
use std::sync::Arc;

use countersign_config::{ConfigError, load};
use countersign_core::code::{Code, Failure};
use countersign_core::policy::Policy;
use countersign_core::record::Draft;

use crate::pipeline::Pipeline;

/// Reads the policy of this machine.
///
/// # Errors
/// The first file that is not right.
pub(crate) fn policy() -> Result<Policy, ConfigError> {
    load(Path::new("/"))
}

/// Reads the policy again, first the launcher and then we; unless both read the same, the old one stays with us and
/// every order is refused as changed until a reload succeeds. Recorded either way.
pub(crate) async fn reload(pipeline: &Arc<Pipeline>) {
    let failure = exchange(pipeline).await.err();
    let stamp = pipeline.ledger.stamp(&pipeline.policy());
    let draft = failure.iter().fold(Draft::load(&stamp), Draft::with_failure);
    drop(pipeline.ledger.write(draft).await);
}

async fn exchange(pipeline: &Arc<Pipeline>) -> Result<(), Failure> {
    let read = tokio::task::spawn_blocking(policy).await.map_err(|_| unreadable("it could not be read"))?;
    let policy = read.map_err(|error| unreadable(&error.to_string()))?;
    let ruleset = pipeline.launcher.reload().await?;
    if ruleset != policy.ruleset() {
        return Err(unreadable("the files changed while they were read"));
    }
    pipeline.put_in_force(Arc::new(policy));
    Ok(())
}

fn unreadable(why: &str) -> Failure {
    Failure::new(Code::Internal, format!("The policy was not read again: {why}."))
}
