//! `plan`: what would happen, told without anything happening. A verdict of "deny" is a plan like any other.

use countersign::{Ask, Broker, Fields};

use crate::cli::PlanArgs;
use crate::complaint::Complaint;
use crate::{print, run, sheet};

/// What people are shown, in this order.
const KEYS: [(&str, &str); 16] = [
    ("command", "command"),
    ("tier", "tier"),
    ("verdict", "verdict"),
    ("sentence", "meaning"),
    ("code", "code"),
    ("against", "in its way"),
    ("profile", "profile"),
    ("may_touch", "may touch"),
    ("targets", "targets"),
    ("conditions", "conditions"),
    ("evidence", "why"),
    ("rules", "rules"),
    ("fingerprint", "fingerprint"),
    ("digest", "digest"),
    ("ruleset", "ruleset"),
    ("expires", "expires"),
];

pub(crate) async fn plan(args: PlanArgs, json: bool) -> Result<u8, Complaint> {
    let ask = Ask { all: args.all, ..run::ask(args.ask)? };
    let plan = Broker::connect().await?.plan(&ask).await?;
    if json {
        print::json(&plan)?;
    } else {
        lines(&plan).iter().try_for_each(|line| print::line(line))?;
    }
    Ok(0)
}

/// Where everything is told that stands in its way, the first of it is not told twice.
fn lines(plan: &Fields) -> Vec<String> {
    let all = plan.get("against").is_some();
    let told = |key: &str| !(all && matches!(key, "sentence" | "code"));
    let keys: Vec<_> = KEYS.into_iter().filter(|(key, _)| told(key)).collect();
    sheet::lines(plan, &keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn plan(against: Option<Value>) -> Fields {
        let mut plan = Fields::default();
        for (key, value) in [
            ("command", json!("shred -u /srv/data")),
            ("tier", json!("T3")),
            ("verdict", json!("deny")),
            ("code", json!("ModeCeiling")),
            ("sentence", json!("The mode guarded does not allow T3.")),
            ("profile", json!("system")),
        ] {
            plan.insert(key, value);
        }
        against.into_iter().for_each(|against| plan.insert("against", against));
        plan
    }

    #[test]
    fn a_plan_says_the_first_thing_in_its_way_or_all_of_them() {
        insta::assert_snapshot!(lines(&plan(None)).join("\n"), @r"
        command  shred -u /srv/data
        tier     T3
        verdict  deny
        meaning  The mode guarded does not allow T3.
        code     ModeCeiling
        profile  system
        ");
        let two = json!([
            {"code": "ModeCeiling", "sentence": "The mode guarded does not allow T3."},
            {"code": "Denied", "sentence": "You asked for T1 at most\u{1b}[2J."},
        ]);
        insta::assert_snapshot!(lines(&plan(Some(two))).join("\n"), @r"
        command     shred -u /srv/data
        tier        T3
        verdict     deny
        in its way  ModeCeiling: The mode guarded does not allow T3.
                    Denied: You asked for T1 at most\u{1B}[2J.
        profile     system
        ");
        insta::assert_snapshot!(lines(&plan(Some(json!([])))).join("\n"), @r"
        command     shred -u /srv/data
        tier        T3
        verdict     deny
        in its way  nothing
        profile     system
        ");
    }
}
