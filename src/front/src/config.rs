//! The policy in force: read once before root is given up, and again on `Reload` or SIGHUP, all or nothing.
//!
//! ```text
//!   files ──front reads──▶ policy ──launcher reads the same, or keeps its own──▶ both in force ──▶ what waited is void
//!     └──wrong: file, line, column──▶ journal, log, status, whoever asked; the old one stays in both
//! ```

use std::path::Path;
use std::sync::Arc;

use countersign_config::{ConfigError, Source, sources};
use countersign_core::code::{Code, Failure};
use countersign_core::policy::Policy;
use countersign_core::record::Draft;
use countersign_core::text::sentence;

use crate::lifecycle;
use crate::lock::lock;
use crate::notice::Topic;
use crate::pipeline::Pipeline;

/// The most bytes of what is said of a mistake.
const MAX_MISTAKE: usize = 1_024;

/// Reads the policy of this machine, and keeps its files, so that anybody can compare others with what is in force.
///
/// # Errors
/// The first file that is not right.
pub(crate) fn read() -> Result<(Policy, Files), ConfigError> {
    let sources = sources(Path::new("/"))?;
    let policy = sources.policy()?;
    Ok((policy, Arc::new(sources.files().to_vec())))
}

/// The files of the policy in force, in the order in which they apply.
pub(crate) type Files = Arc<Vec<Source>>;

/// Reads the policy again. Unless front and launcher read the same, the old one stays in both. Recorded either way, in
/// the draft, which says who asked; systemd is told when it begins and when it is over.
///
/// # Errors
/// What is not right with which file, or that the record could not be written.
pub(crate) async fn reload(pipeline: &Arc<Pipeline>, draft: Draft) -> Result<(), Failure> {
    let _turn = pipeline.reloading.lock().await;
    lifecycle::begins_to_reload();
    let outcome = exchange(pipeline).await;
    let failure = outcome.as_ref().err();
    if let Some(failure) = failure {
        crate::complain(&failure.sentence);
    }
    pipeline.standing.notices.say(Topic::Policy, failure.map(|failure| failure.sentence.clone()));
    let draft = failure.into_iter().fold(draft, Draft::with_failure).under(&pipeline.ledger.stamp(&pipeline.policy()));
    let written = pipeline.ledger.write(draft).await;
    lifecycle::has_reloaded();
    outcome.and(written.map(drop))
}

async fn exchange(pipeline: &Arc<Pipeline>) -> Result<(), Failure> {
    let read = tokio::task::spawn_blocking(read).await.map_err(|_| unreadable("it could not be read"))?;
    let (policy, files) = read.map_err(|error| unreadable(&error.in_one_line()))?;
    let ruleset = policy.ruleset();
    if pipeline.launcher.reload(ruleset).await? != ruleset {
        return Err(unreadable("the files changed while they were read"));
    }
    pipeline.put_in_force(Arc::new(policy));
    *lock(&pipeline.files) = files;
    Ok(())
}

fn unreadable(why: &str) -> Failure {
    Failure::new(
        Code::PolicyInvalid,
        format!(
            "The policy was not read again and the one in force stays: {}; mend that and run `systemctl reload countersignd`.",
            sentence(why, MAX_MISTAKE)
        ),
    )
}
