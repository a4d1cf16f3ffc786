//! `plan`: what would happen, told without anything happening. A verdict of "deny" is a plan like any other.

use countersign::Broker;

use crate::cli::AskArgs;
use crate::complaint::Complaint;
use crate::{print, run, sheet};

/// What people are shown, in this order.
const KEYS: [(&str, &str); 14] = [
    ("command", "command"),
    ("tier", "tier"),
    ("verdict", "verdict"),
    ("sentence", "meaning"),
    ("code", "code"),
    ("profile", "profile"),
    ("may_touch", "may touch"),
    ("targets", "targets"),
    ("evidence", "why"),
    ("rules", "rules"),
    ("fingerprint", "fingerprint"),
    ("digest", "digest"),
    ("ruleset", "ruleset"),
    ("expires", "expires"),
];

pub(crate) async fn plan(args: AskArgs, json: bool) -> Result<u8, Complaint> {
    let ask = run::ask(args)?;
    let plan = Broker::connect().await?.plan(&ask).await?;
    if json {
        print::json(&plan)?;
    } else {
        sheet::lines(&plan, &KEYS).iter().try_for_each(|line| print::line(line))?;
    }
    Ok(0)
}
