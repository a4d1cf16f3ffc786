//! Promise: who may not ask is refused, by the bus and by the broker, with a stable code.

#[cfg(test)]
mod tests {
    use harness::users::{AGENT, STRANGER};
    use harness::{Machine, Output};
    use promises::{installed, installed_with};
    use serde_json::Value;

    const SUBMIT: [&str; 12] = [
        "busctl",
        "call",
        "org.countersign.Broker1",
        "/org/countersign/Broker1",
        "org.countersign.Broker1",
        "Submit",
        "a{sv}",
        "1",
        "argv",
        "as",
        "1",
        "id",
    ];

    fn json(output: &Output) -> anyhow::Result<Value> {
        serde_json::from_str(&output.stdout).map_err(|error| anyhow::anyhow!("{error}: {output:?}"))
    }

    fn run(machine: &Machine, words: &[&str]) -> anyhow::Result<Output> {
        machine.run_as(AGENT, ["countersign", "run", "--json"].iter().chain(words).copied())
    }

    #[test]
    fn a_stranger_is_refused_by_the_bus_itself() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        machine.run_as(AGENT, SUBMIT)?.ok()?;
        let refused = machine.run_as(STRANGER, SUBMIT)?;
        assert_ne!(refused.code, 0);
        assert!(refused.stderr.contains("Access denied") || refused.stderr.contains("AccessDenied"), "{refused:?}");
        Ok(())
    }

    #[test]
    fn a_member_of_the_group_without_a_grant_is_refused_by_the_broker() -> anyhow::Result<()> {
        let machine = installed_with("grants.d/10-group.toml", "").boot()?;
        let refused = run(&machine, &["--", "id"])?;
        assert_eq!((refused.code, &json(&refused)?["code"]), (121, &Value::from("AccessDenied")), "{refused:?}");
        Ok(())
    }

    #[test]
    fn every_refusal_has_its_code() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        for (words, status, code) in [
            (&["--", "rm", "-rf", "/"][..], 122, "Denied"),
            (&["--tier-max", "T0", "--", "touch", "/etc/x"], 122, "Denied"),
            (&["--env", "LD_PRELOAD=/tmp/x.so", "--", "id"], 120, "InvalidRequest"),
            (&["--profile", "nowhere", "--", "id"], 120, "InvalidRequest"),
            (&["--profile", "system", "--", "id"], 120, "InvalidRequest"),
            (&["--", "no-such-program-anywhere"], 126, "LaunchFailed"),
            (&["--cwd", "/no/such/directory", "--", "id"], 126, "LaunchFailed"),
        ] {
            let refused = run(&machine, words)?;
            assert_eq!(
                (refused.code, &json(&refused)?["code"]),
                (status, &Value::from(code)),
                "{words:?}: {refused:?}"
            );
        }
        Ok(())
    }

    #[test]
    fn the_mode_is_a_ceiling_that_no_approval_lifts() -> anyhow::Result<()> {
        let machine = installed_with("countersign.toml", "mode = 'readonly'\n").boot()?;
        run(&machine, &["--", "cat", "/etc/os-release"])?.ok()?;
        let refused = run(&machine, &["--", "touch", "/etc/x"])?;
        assert_eq!((refused.code, &json(&refused)?["code"]), (122, &Value::from("ModeCeiling")), "{refused:?}");
        Ok(())
    }

    #[test]
    fn a_mistyped_mode_refuses_to_start() -> anyhow::Result<()> {
        let machine = installed_with("countersign.toml", "mode = 'gaurded'\n").boot()?;
        let refused = run(&machine, &["--", "id"])?;
        assert_eq!(refused.code, 127, "{refused:?}");
        let journal = machine.journal("countersignd.service")?;
        assert!(journal.contains("countersign.toml:1:8"), "{journal}");
        Ok(())
    }

    #[test]
    fn unknown_keys_and_odd_values_are_invalid() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        for tail in [
            &["a{sv}", "0"][..],
            &["a{sv}", "2", "argv", "as", "1", "id", "no-such-key", "s", "x"],
            &["a{sv}", "1", "argv", "as", "0"],
            &["a{sv}", "1", "argv", "s", "id"],
            &["a{sv}", "2", "argv", "as", "1", "id", "shell", "s", "id"],
            &["a{sv}", "2", "argv", "as", "1", "id", "cwd", "s", "relative"],
            &["a{sv}", "2", "argv", "as", "1", "id", "timeout_ms", "t", "0"],
        ] {
            let output = machine.run_as(AGENT, SUBMIT[..6].iter().chain(tail).copied())?;
            assert!(output.code != 0, "{tail:?}: {output:?}");
            let named = machine.run_as(
                AGENT,
                [
                    "gdbus",
                    "introspect",
                    "--system",
                    "--dest",
                    "org.countersign.Broker1",
                    "--object-path",
                    "/org/countersign/Broker1",
                ],
            )?;
            named.ok()?;
        }
        Ok(())
    }
}
