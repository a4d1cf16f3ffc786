//! Promise: whoever has a receipt can compute the digest again with nothing else, and by other means than ours.

#[cfg(test)]
mod tests {
    use harness::Machine;
    use harness::users::AGENT;
    use promises::{PATIENCE, approve_the_waiting, ask, installed, the_waiting};
    use serde_json::Value;

    /// Canonical JSON by other means: a plan has only text, lists, objects and small whole numbers.
    const BY_OTHER_MEANS: &str = "import hashlib, json, sys; plan = json.load(sys.stdin)['receipt']['plan']; \
        text = json.dumps(plan, sort_keys=True, separators=(',', ':'), ensure_ascii=False); \
        print(hashlib.sha256(text.encode()).hexdigest(), end='')";

    fn digest(machine: &Machine, text: &str) -> anyhow::Result<(i32, Value)> {
        let words = ["countersign", "digest", "--json", "-"];
        let output = machine.command(harness::users::STRANGER, words)?.stdin(text).run()?;
        Ok((output.code, serde_json::from_str(&output.stdout)?))
    }

    #[test]
    fn a_receipt_has_all_that_its_digest_is_of() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        let words =
            ["countersign", "run", "--json", "--env", "TZ=UTC", "--reason", "é", "--", "printf", "%s", "ü\u{1b}"];
        let answer = machine.run_as(AGENT, words)?.ok()?.stdout;
        machine.run(["systemctl", "stop", "countersignd"])?.ok()?;
        let (code, found) = digest(&machine, &answer)?;
        let receipt = &serde_json::from_str::<Value>(&answer)?["receipt"];
        assert_eq!((code, &found["match"]), (0, &Value::Bool(true)), "{found}");
        assert_eq!((&found["digest"], &found["fingerprint"]), (&receipt["digest"], &receipt["fingerprint"]));
        let other = machine.command("root", ["python3", "-c", BY_OTHER_MEANS])?.stdin(answer.clone()).run()?.ok()?;
        assert_eq!(found["digest"], other.stdout);
        let (code, found) = digest(&machine, &answer.replace("/home/agent", "/home/agenu"))?;
        assert_eq!((code, &found["match"]), (1, &Value::Bool(false)), "one letter of the plan: {found}");
        Ok(())
    }

    #[test]
    fn who_decides_can_compute_it_before_deciding() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        let planned = machine.run_as(AGENT, ["countersign", "plan", "--json", "--", "touch", "/etc/x"])?.ok()?;
        assert_eq!(digest(&machine, &planned.stdout)?.0, 0);
        let mut client = ask(&machine, &["touch", "/etc/x"])?;
        let id = the_waiting(&machine)?;
        let shown = machine.run(["countersign", "show", "--json", &id])?.ok()?.stdout;
        let (code, found) = digest(&machine, &shown)?;
        assert_eq!((code, &found["match"]), (0, &Value::Bool(true)));
        let screen = approve_the_waiting(&machine)?;
        let fingerprint = found["fingerprint"].as_str().unwrap_or("none");
        assert!(screen.contains(fingerprint), "the dialog shows the same: {screen}");
        client.wait(PATIENCE)?.ok()?;
        Ok(())
    }
}
