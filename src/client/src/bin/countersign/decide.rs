//! `approve` and `refuse`: an administrator decides on what was shown, and on nothing else.
//!
//! ```text
//!   may see it:      show ─▶ decide on the digest that was shown
//!   may not, yet:    decide in the dialog, which shows it ─ a digest is wanted ─▶ authenticate, show, decide
//! ```

use countersign::{Broker, ClientError, Fields, Prompt};
use countersign_core::code::Code;
use serde_json::json;

use crate::agent::Agent;
use crate::cli::{ApproveArgs, RefuseArgs};
use crate::complaint::Complaint;
use crate::requests::{KEYS, about, done, id_of, is_unseen};
use crate::{print, sheet, words};

pub(crate) async fn approve(args: ApproveArgs, json: bool) -> Result<u8, Complaint> {
    let broker = Broker::connect().await?;
    let id = id_of(&broker, &args.name.id).await?;
    let yes = async |digest: &str| broker.approve(&id, digest).await;
    let seen = decide(&broker, &id, args.digest, json, yes).await?;
    told(json, ("approved", "approved {id}"), &id, &seen)
}

pub(crate) async fn refuse(args: RefuseArgs, json: bool) -> Result<u8, Complaint> {
    let broker = Broker::connect().await?;
    let id = id_of(&broker, &args.name.id).await?;
    let reason = args.why.reason.as_deref().unwrap_or_default();
    let no = async |digest: &str| broker.refuse(&id, digest, reason).await;
    let seen = decide(&broker, &id, None, json, no).await?;
    told(json, ("refused", "refused {id}"), &id, &seen)
}

/// Shows the request as far as that is allowed, gives the answer, and returns what was seen.
async fn decide(
    broker: &Broker,
    id: &str,
    named: Option<String>,
    json: bool,
    answer: impl AsyncFn(&str) -> Result<(), ClientError>,
) -> Result<Fields, Complaint> {
    let failed = |source| about(id, source);
    let seen = broker.show(id, Prompt::Never).await;
    let seen = if is_unseen(&seen) { Fields::default() } else { seen.map_err(failed)? };
    lay_out(&seen, json)?;
    let _agent = Agent::start();
    let digest = named.unwrap_or_else(|| seen.text("digest").to_owned());
    let given = answer(&digest).await;
    if !digest.is_empty() || !wants_a_digest(&given) {
        return given.map(|()| seen).map_err(failed);
    }
    let seen = broker.show(id, Prompt::Allowed).await.map_err(failed)?;
    lay_out(&seen, json)?;
    answer(seen.required("digest").map_err(failed)?).await.map(|()| seen).map_err(failed)
}

fn wants_a_digest(given: &Result<(), ClientError>) -> bool {
    matches!(given, Err(ClientError::Failed(failure)) if failure.code == Code::WrongDigest)
}

fn lay_out(seen: &Fields, json: bool) -> Result<(), Complaint> {
    if json { Ok(()) } else { sheet::lines(seen, &KEYS).iter().try_for_each(|line| print::line(line)) }
}

fn told(json: bool, (word, sentence): (&str, &str), id: &str, seen: &Fields) -> Result<u8, Complaint> {
    let object =
        json!({ "id": id, "digest": seen.text("digest"), "fingerprint": seen.text("fingerprint"), word: true });
    done(json, &object, &words::fill(sentence, &[("id", id)]))
}
