//! `hold`, `resume`, `reload` and `taint`: acts on the broker itself.
//!
//! Enters: the act, and why. Leaves: that it was done. Who may is polkit's to say; a terminal's agent is started for the
//! question, as for `approve`.

use std::path::Path;

use countersign::Broker;
use countersign_config::Accounts;
use countersign_core::caller::Uid;
use countersign_core::policy::Names as _;
use countersign_core::text::shown;
use serde_json::json;

use crate::agent::Agent;
use crate::cli::{ClearTaintArgs, ReasonArgs};
use crate::complaint::Complaint;
use crate::requests::done;
use crate::words;

/// The most bytes of a name that is repeated.
const MAX_NAME: usize = 80;

pub(crate) async fn hold(args: ReasonArgs, json: bool) -> Result<u8, Complaint> {
    let broker = Broker::connect().await?;
    let _agent = Agent::start();
    broker.hold(args.reason.as_deref().unwrap_or_default()).await?;
    done(json, &json!({ "held": true }), "on hold: reads only, until countersign resume")
}

pub(crate) async fn resume(args: ReasonArgs, json: bool) -> Result<u8, Complaint> {
    let broker = Broker::connect().await?;
    let _agent = Agent::start();
    broker.resume(args.reason.as_deref().unwrap_or_default()).await?;
    done(json, &json!({ "held": false }), "resumed")
}

/// What `systemctl reload` runs as well: it ends when the policy is in force, or was refused.
pub(crate) async fn reload(json: bool) -> Result<u8, Complaint> {
    let broker = Broker::connect().await?;
    let _agent = Agent::start();
    broker.reload().await?;
    let status = broker.status().await?;
    let ruleset = status.text("ruleset");
    done(
        json,
        &json!({ "reloaded": true, "ruleset": ruleset }),
        &words::fill("reloaded; ruleset {ruleset}", &[("ruleset", ruleset)]),
    )
}

pub(crate) async fn mark(json: bool) -> Result<u8, Complaint> {
    Broker::connect().await?.mark_tainted().await?;
    done(json, &json!({ "tainted": true }), "your taint latch is armed")
}

pub(crate) async fn clear_taint(args: ClearTaintArgs, json: bool) -> Result<u8, Complaint> {
    let passwd = std::fs::read_to_string(Path::new("/etc/passwd")).unwrap_or_default();
    let uid = uid(&args.user, &Accounts::parse(&passwd, ""))?;
    let broker = Broker::connect().await?;
    let _agent = Agent::start();
    broker.clear_taint(uid.get(), args.why.reason.as_deref().unwrap_or_default()).await?;
    done(
        json,
        &json!({ "tainted": false, "uid": uid }),
        &words::fill("the taint latch of uid {uid} is clear", &[("uid", &uid.to_string())]),
    )
}

/// A name first: an account may be called by digits.
fn uid(user: &str, accounts: &Accounts) -> Result<Uid, Complaint> {
    let number = || user.parse::<u32>().ok().and_then(|number| Uid::try_from(number).ok());
    accounts.uid(user).or_else(number).ok_or_else(|| {
        Complaint::usage(format!("There is no user {} in /etc/passwd: name one, or a uid.", shown(user, MAX_NAME)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_counts_before_a_number_and_nonsense_names_nobody() {
        let accounts = Accounts::parse("agent:x:1001:1001::/:/bin/sh\n1001:x:7:7::/:/bin/sh\n", "");
        let number = |user: &str| uid(user, &accounts).map(Uid::get).ok();
        assert_eq!([number("agent"), number("1001"), number("1002")], [Some(1001), Some(7), Some(1002)]);
        for nobody in ["", "4294967295", "-1", "nobody-here", "\u{1b}[2J"] {
            let complaint = uid(nobody, &accounts).unwrap_err().to_string();
            assert!(!complaint.contains('\u{1b}'), "{complaint}");
        }
    }
}
