//! Promise: a read that the classifier can prove runs at once, without a human, and comes back whole.

#[cfg(test)]
mod tests {
    use harness::users::{AGENT, STRANGER};
    use promises::{installed, log, waiting};

    #[test]
    fn a_read_runs_at_once_and_prints_what_the_file_says() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        let output = machine.run_as(AGENT, ["countersign", "run", "--", "cat", "/etc/os-release"])?.ok()?;
        assert_eq!(output.stdout, machine.read("/etc/os-release")?);
        assert!(waiting(&machine)?.is_empty(), "nobody was asked");
        let failing = machine.run_as(AGENT, ["countersign", "run", "--", "cat", "/no/such/file"])?;
        assert_eq!(failing.code, 1, "the command's own status: {failing:?}");
        assert!(failing.stderr.contains("No such file"), "the command's own words: {failing:?}");
        Ok(())
    }

    #[test]
    fn a_read_leaves_an_intent_and_a_result_and_no_output() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        machine.write("/etc/notes", "a line that nobody logs\n")?;
        machine.run_as(AGENT, ["countersign", "run", "--", "cat", "/etc/notes"])?.ok()?;
        let entries = log(&machine)?;
        let text = serde_json::to_string(&entries)?;
        assert!(text.contains("/etc/notes") && !text.contains("a line that nobody logs"));
        let phases: Vec<&str> =
            entries.iter().filter(|e| e["id"].is_string()).filter_map(|e| e["phase"].as_str()).collect();
        assert_eq!(phases, ["intent", "result"]);
        machine.run(["countersign", "audit", "verify"])?.ok()?;
        Ok(())
    }

    #[test]
    fn a_secret_is_not_a_read() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        let output = machine.run_as(AGENT, ["countersign", "plan", "--json", "--", "cat", "/etc/shadow"])?.ok()?;
        let plan: serde_json::Value = serde_json::from_str(&output.stdout)?;
        assert_eq!(plan["verdict"], "hold", "{plan}");
        assert_ne!(plan["tier"], "T0", "{plan}");
        Ok(())
    }

    #[test]
    fn a_user_without_a_grant_reads_nothing() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        let output = machine.run_as(STRANGER, ["countersign", "run", "--", "cat", "/etc/os-release"])?;
        assert_eq!((output.code, output.stdout.as_str()), (121, ""), "{output:?}");
        Ok(())
    }
}
