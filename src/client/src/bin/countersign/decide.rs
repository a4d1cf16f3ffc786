//! `approve` and `refuse`: an administrator decides on what was shown, and on nothing else.
//!
//! The request is fetched and shown first; the decision names the digest of what was shown, so that the broker
//! refuses it for any other.

use countersign::{Broker, Fields};
use countersign_core::text::shown;
use serde_json::json;

use crate::agent::Agent;
use crate::cli::{ApproveArgs, RefuseArgs};
use crate::complaint::Complaint;
use crate::requests::{KEYS, about, done};
use crate::{print, sheet};

pub(crate) async fn approve(args: ApproveArgs, json: bool) -> Result<u8, Complaint> {
    let broker = Broker::connect().await?;
    let (id, request) = look(&broker, &args.name.id, json).await?;
    let digest = args.digest.as_deref().map_or_else(|| request.required("digest"), Ok)?;
    let agent = Agent::start();
    broker.approve(&id, digest).await.map_err(|source| about(&id, source))?;
    drop(agent);
    told(json, "approved", &id, digest, &request)
}

pub(crate) async fn refuse(args: RefuseArgs, json: bool) -> Result<u8, Complaint> {
    let broker = Broker::connect().await?;
    let (id, request) = look(&broker, &args.name.id, json).await?;
    let digest = request.required("digest")?;
    let agent = Agent::start();
    broker
        .refuse(&id, digest, args.why.reason.as_deref().unwrap_or_default())
        .await
        .map_err(|source| about(&id, source))?;
    drop(agent);
    told(json, "refused", &id, digest, &request)
}

async fn look(broker: &Broker, word: &str, json: bool) -> Result<(String, Fields), Complaint> {
    let id = broker.id_of(word).await?;
    let request = broker.show(&id).await.map_err(|source| about(&id, source))?;
    if !json {
        sheet::lines(&request, &KEYS).iter().try_for_each(|line| print::line(line))?;
    }
    Ok((id, request))
}

fn told(json: bool, word: &str, id: &str, digest: &str, request: &Fields) -> Result<u8, Complaint> {
    let fingerprint = request.text("fingerprint");
    let object = json!({ "id": id, "digest": digest, "fingerprint": fingerprint, word: true });
    done(json, &object, &format!("{word} {}", shown(fingerprint, 64)))
}
