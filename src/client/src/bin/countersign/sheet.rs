//! Sheets: an answer for people, one aligned line per key, every value inert.

use countersign::Fields;
use countersign_core::argv::Argv;
use countersign_core::text::{sentence, shown, shown_argv};
use serde_json::Value;

/// The most bytes of one value that are shown.
const MAX_VALUE: usize = 8 * 1_024;

/// The keys of this list that arrived, in its order, each as `label  value`; a list has one line per member. The steps of a
/// bundle follow, each with the same keys.
pub(crate) fn lines(fields: &Fields, keys: &[(&str, &str)]) -> Vec<String> {
    let present = || keys.iter().filter_map(|(key, label)| Some((*label, said(fields, key)?)));
    let width = present().filter(|(_, values)| !values.is_empty()).map(|(label, _)| label.len()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for (label, values) in present() {
        let labels = std::iter::once(label).chain(std::iter::repeat(""));
        lines.extend(labels.zip(values).map(|(label, value)| format!("{label:<width$}  {value}")));
    }
    for (number, step) in (1_usize..).zip(fields.steps()) {
        lines.push(format!("step {number}"));
        lines.extend(self::lines(&step, keys).into_iter().map(|line| format!("  {line}")));
    }
    lines
}

fn said(fields: &Fields, key: &str) -> Option<Vec<String>> {
    let whole = || whole_command(fields.get("argv")?);
    if key == "command"
        && let Some(command) = whole()
    {
        return Some(vec![command]);
    }
    match key {
        "against" => fields.get(key)?.as_array().map(|all| in_its_way(all)),
        "approvals" => Some(approvals(fields)),
        _ => Some(values(key, fields.get(key)?)),
    }
}

/// What stands in the way of a plan, one after another.
fn in_its_way(all: &[Value]) -> Vec<String> {
    let text = |one: &Value, key| one.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let say = |one: &Value| sentence(&format!("{}: {}", text(one, "code"), text(one, "sentence")), MAX_VALUE).into();
    if all.is_empty() { vec!["nothing".to_owned()] } else { all.iter().map(say).collect() }
}

/// How many approved and how many it takes, where that was said, and who.
fn approvals(fields: &Fields) -> Vec<String> {
    let count = fields.number("approvals").zip(fields.number("approvals_needed"));
    let who = fields.get("approvers").and_then(Value::as_array).into_iter().flatten().map(approver);
    count.map(|(given, needed)| format!("{given} of {needed}")).into_iter().chain(who).collect()
}

fn approver(approver: &Value) -> String {
    let text = |key| approver.get(key).and_then(Value::as_str).unwrap_or_default();
    let uid = approver.get("uid").map(Value::to_string).unwrap_or_default();
    let how = match text("kind") {
        "challenge" => "by password",
        "polkit-rule" => "without being asked for a password",
        other => other,
    };
    shown(&format!("{} (uid {uid}) {how}", text("user")), MAX_VALUE).into()
}

/// Every word of a command, however long: whoever decides on it must have been able to read it.
fn whole_command(words: &Value) -> Option<String> {
    let words = words.as_array()?.iter().map(|word| word.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()?;
    Some(shown_argv(&Argv::new(words).ok()?, usize::MAX).into())
}

fn values(key: &str, value: &Value) -> Vec<String> {
    match value {
        Value::Null => Vec::new(),
        Value::Bool(yes) => vec![if *yes { "yes" } else { "no" }.to_owned()],
        Value::Number(number) if is_none(key, number) => Vec::new(),
        Value::Number(number) => vec![moment(key, number).unwrap_or_else(|| number.to_string())],
        Value::String(text) if text.is_empty() => Vec::new(),
        Value::String(text) if is_ours(key) => vec![sentence(text, MAX_VALUE).into()],
        Value::String(text) => vec![shown(text, MAX_VALUE).into()],
        Value::Array(members) => members.iter().flat_map(|member| values(key, member)).collect(),
        Value::Object(members) if key == "conditions" => vec![condition(members)],
        Value::Object(members) => {
            vec![members.values().flat_map(|member| values(key, member)).collect::<Vec<_>>().join(" ")]
        }
    }
}

/// What a rule asks of the machine, and what was found where that does not hold.
fn condition(members: &serde_json::Map<String, Value>) -> String {
    let said = |name: &str| shown(members.get(name).and_then(Value::as_str).unwrap_or_default(), MAX_VALUE).to_string();
    let found = Some(said("found")).filter(|found| !found.is_empty()).map(|found| format!(": {found}"));
    format!("{} {}{} ({})", said("role"), said("check"), found.unwrap_or_default(), said("rule"))
}

/// Keys that hold words of ours.
fn is_ours(key: &str) -> bool {
    matches!(key, "sentence" | "may_touch" | "evidence" | "notices")
}

/// Keys whose zero means that there is none.
fn is_none(key: &str, number: &serde_json::Number) -> bool {
    number.as_u64() == Some(0) && matches!(key, "expires" | "timeout_ms")
}

/// Keys that hold a time in milliseconds since 1970.
fn moment(key: &str, number: &serde_json::Number) -> Option<String> {
    let is_time = matches!(key, "expires" | "asked" | "started" | "finished" | "time");
    let millis = number.as_u64().filter(|_| is_time)?;
    Some(countersign_core::time::Moment::from_millis(millis).rfc3339())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_aligned_inert_and_in_the_order_asked_for() {
        let mut fields = Fields::default();
        fields.insert("command", json!("touch 'a\u{1b}[2Jb'"));
        fields.insert("tier", json!("T2"));
        fields.insert("expires", json!(1));
        fields.insert("timeout_ms", json!(0));
        fields.insert("uid", json!(0));
        fields.insert("rules", json!(["one", "two\nthree"]));
        fields.insert("targets", json!([{"access": "write", "kind": "path", "name": "/etc/x"}]));
        fields.insert("unasked", json!("x"));
        let condition = |found: &str| json!({"rule": "apt", "role": "soft", "check": "mains-power", "found": found});
        fields.insert("conditions", json!([condition(""), condition("it runs\non a battery")]));
        let keys = [
            ("tier", "tier"),
            ("command", "command"),
            ("rules", "rules"),
            ("targets", "target"),
            ("expires", "expires"),
            ("timeout_ms", "limit"),
            ("uid", "uid"),
            ("conditions", "asks"),
            ("absent", "much longer label"),
        ];
        let shown = lines(&fields, &keys).join("\n");
        insta::assert_snapshot!(shown, @r"
        tier     T2
        command  touch 'a\u{1B}[2Jb'
        rules    one
                 two\nthree
        target   write path /etc/x
        expires  1970-01-01T00:00:00.001Z
        uid      0
        asks     soft mains-power (apt)
                 soft mains-power: it runs\non a battery (apt)
        ");
    }

    #[test]
    fn every_step_of_a_bundle_is_shown_in_full() {
        let mut fields = Fields::default();
        fields.insert("command", json!("2 steps: id; rm 'a b'"));
        fields.insert("tier", json!("T2"));
        let steps = json!([
            {"command": "id", "argv": ["id"], "tier": "T0"},
            {"command": "rm 'a b'", "argv": ["rm", "a\u{1b}b"], "tier": "T2", "unasked": "x"},
        ]);
        fields.insert("steps", steps);
        insta::assert_snapshot!(lines(&fields, &[("command", "command"), ("tier", "tier")]).join("\n"), @r"
        command  2 steps: id; rm 'a b'
        tier     T2
        step 1
          command  id
          tier     T0
        step 2
          command  rm $'a\u{1B}b'
          tier     T2
        ");
    }

    #[test]
    fn approvals_say_how_many_of_how_many_and_by_whom() {
        let mut fields = Fields::default();
        let shown = |fields: &Fields| lines(fields, &[("approvals", "approvals")]).join("\n");
        assert_eq!(shown(&fields), "", "an older broker does not say");
        fields.insert("approvals", json!(0));
        fields.insert("approvals_needed", json!(2));
        fields.insert("approvers", json!([]));
        assert_eq!(shown(&fields), "approvals  0 of 2");
        fields.insert("approvals", json!(2));
        let approvers = json!([
            {"uid": 0, "user": "root", "kind": "polkit-rule"},
            {"uid": 1002, "user": "ad\u{1b}min", "kind": "challenge"},
        ]);
        fields.insert("approvers", approvers);
        insta::assert_snapshot!(shown(&fields), @r"
        approvals  2 of 2
                   root (uid 0) without being asked for a password
                   ad\u{1B}min (uid 1002) by password
        ");
    }
}
