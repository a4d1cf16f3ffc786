//! `status` and `stop`: how the broker is, and ending it.

use std::path::Path;

use countersign::Broker;
use countersign::stopped::Latch;
use serde_json::{Value, json};

use crate::cli::ReasonArgs;
use crate::complaint::Complaint;
use crate::requests::done;
use crate::{exit, print, sheet};

/// What people are shown, in this order.
const KEYS: [(&str, &str); 6] = [
    ("state", "state"),
    ("notices", "notice"),
    ("mode", "mode"),
    ("tainted", "tainted"),
    ("version", "version"),
    ("ruleset", "ruleset"),
];

/// A stopped broker is told from its note, and not started by being asked.
pub(crate) async fn status(json: bool) -> Result<u8, Complaint> {
    let latch = Latch::look(Path::new("/"));
    if let Some(sentence) = latch.sentence() {
        let object = json!({ "state": "red", "sentence": sentence, "stopped": note(&latch) });
        done(json, &object, &sentence)?;
        return Ok(exit::STOPPED);
    }
    let status = Broker::connect().await?.status().await?;
    if json {
        print::json(&status)?;
    } else {
        sheet::lines(&status, &KEYS).iter().try_for_each(|line| print::line(line))?;
    }
    Ok(0)
}

fn note(latch: &Latch) -> Value {
    match latch {
        Latch::Engaged(note) => json!({ "time": note.time, "who": note.who, "why": note.why }),
        Latch::Open | Latch::Unreadable => Value::Null,
    }
}

/// Stopping what is stopped is done already.
pub(crate) async fn stop(args: ReasonArgs, json: bool) -> Result<u8, Complaint> {
    if Latch::look(Path::new("/")) == Latch::Open {
        Broker::connect().await?.stop(args.reason.as_deref().unwrap_or_default()).await?;
    }
    done(json, &json!({ "state": "red" }), "stopped; an operator starts it again with: countersign clear")
}
