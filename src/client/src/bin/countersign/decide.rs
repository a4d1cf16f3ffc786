//! `approve` and `refuse`: an administrator decides on what was shown, and on nothing else.
//!
//! Whoever may see the request is shown it first, and the decision names the digest of what was shown, so that the
//! broker refuses it for any other. Whoever may not see it yet authenticates once, in the dialog that shows it.

use countersign::{Broker, Fields, Prompt};
use serde_json::json;

use crate::agent::Agent;
use crate::cli::{ApproveArgs, RefuseArgs};
use crate::complaint::Complaint;
use crate::requests::{KEYS, about, done, id_of, is_unseen};
use crate::{print, sheet};

pub(crate) async fn approve(args: ApproveArgs, json: bool) -> Result<u8, Complaint> {
    let broker = Broker::connect().await?;
    let id = id_of(&broker, &args.name.id).await?;
    let seen = look(&broker, &id, json).await?;
    let digest = args.digest.as_deref().unwrap_or_else(|| seen.text("digest"));
    let agent = Agent::start();
    broker.approve(&id, digest).await.map_err(|source| about(&id, source))?;
    drop(agent);
    told(json, "approved", &id, digest, &seen)
}

pub(crate) async fn refuse(args: RefuseArgs, json: bool) -> Result<u8, Complaint> {
    let broker = Broker::connect().await?;
    let id = id_of(&broker, &args.name.id).await?;
    let seen = look(&broker, &id, json).await?;
    let (digest, reason) = (seen.text("digest"), args.why.reason.as_deref().unwrap_or_default());
    let agent = Agent::start();
    broker.refuse(&id, digest, reason).await.map_err(|source| about(&id, source))?;
    drop(agent);
    told(json, "refused", &id, digest, &seen)
}

/// Shows the request to whoever may see it; otherwise nothing, and the dialog will.
async fn look(broker: &Broker, id: &str, json: bool) -> Result<Fields, Complaint> {
    let seen = broker.show(id, Prompt::Never).await;
    let seen = if is_unseen(&seen) { Fields::default() } else { seen.map_err(|source| about(id, source))? };
    if !json {
        sheet::lines(&seen, &KEYS).iter().try_for_each(|line| print::line(line))?;
    }
    Ok(seen)
}

fn told(json: bool, word: &str, id: &str, digest: &str, seen: &Fields) -> Result<u8, Complaint> {
    let object = json!({ "id": id, "digest": digest, "fingerprint": seen.text("fingerprint"), word: true });
    done(json, &object, &format!("{word} {id}"))
}
