//! Promise: several commands are shown as one list and approved once; they run in that order, and none after one that failed.

#[cfg(test)]
mod tests {
    use harness::users::{ADMIN, AGENT, STRANGER};
    use harness::{Machine, Process};
    use promises::{PATIENCE, approve_the_waiting, installed, log, the_waiting, until};
    use serde_json::Value;

    /// The agent's `countersign run --steps -`, started and left running.
    fn ask(machine: &Machine, words: &str, steps: &str) -> anyhow::Result<Process> {
        let line = format!("printf %s '{steps}' | countersign run {words} --steps -");
        machine.spawn_as(AGENT, ["sh", "-c", &line])
    }

    /// Phase, code and step of the log's entries that are about a bundle.
    fn steps_in_the_log(machine: &Machine) -> anyhow::Result<Vec<String>> {
        let word = |entry: &Value, key: &str| entry[key].as_str().unwrap_or("ok").to_owned();
        let of_a_bundle = |entry: &Value| {
            let step = entry["bundle"]["step"].as_u64()?;
            Some(format!("{step} {} {}", word(entry, "phase"), word(entry, "code")))
        };
        Ok(log(machine)?.iter().filter_map(of_a_bundle).collect())
    }

    #[test]
    fn one_approval_of_what_the_screen_lists_runs_every_step_in_order() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        let steps = r#"[{"shell": "echo one >> /etc/order; echo said one"},
                        {"argv": ["cat", "/etc/hostname"]},
                        {"shell": "echo three >> /etc/order; echo said three", "cwd": "/srv"}]"#;
        let mut client = ask(&machine, "", steps)?;
        let id = the_waiting(&machine)?;
        let shown = machine.run(["countersign", "show", &id])?.ok()?.stdout;
        assert!(shown.contains("step 3") && shown.contains("cat /etc/hostname"), "{shown}");
        let wrong = ["countersign", "approve", "--digest", &"0".repeat(64), &id];
        let refused = machine.run_as(ADMIN, wrong)?;
        assert_eq!((refused.code, machine.exists("/etc/order")?), (123, false), "{refused:?}");
        let screen = approve_the_waiting(&machine)?;
        for part in ["all 3 steps", "1. T1, reversible: ", "2. T0, observe: cat /etc/hostname", "3. T1", "in /srv"] {
            assert!(screen.contains(part), "{part} in {screen}");
        }
        let output = client.wait(PATIENCE)?.ok()?;
        let host = machine.run(["cat", "/etc/hostname"])?.ok()?.stdout;
        assert_eq!(output.stdout, format!("said one\n{host}said three\n"), "each step's output, in order");
        assert_eq!(machine.run(["cat", "/etc/order"])?.ok()?.stdout, "one\nthree\n");
        let expected: Vec<String> =
            (1..=3).flat_map(|step| [format!("{step} intent ok"), format!("{step} result ok")]).collect();
        assert_eq!(steps_in_the_log(&machine)?, expected);
        machine.run(["countersign", "audit", "verify"])?.ok()?;
        Ok(())
    }

    #[test]
    fn a_step_that_fails_voids_the_rest_and_the_receipt_proves_what_was_approved() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        let steps = r#"[{"argv": ["touch", "/etc/first"]}, {"shell": "touch /etc/second; exit 7"},
                        {"argv": ["touch", "/etc/third"]}, {"argv": ["cat", "/etc/hostname"]}]"#;
        let mut client = ask(&machine, "--json", steps)?;
        let screen = approve_the_waiting(&machine)?;
        let output = client.wait(PATIENCE)?;
        assert_eq!(output.code, 7, "the status of the step that failed: {output:?}");
        for (file, there) in [("/etc/first", true), ("/etc/second", true), ("/etc/third", false)] {
            assert_eq!(machine.exists(file)?, there, "{file}");
        }
        let told = ["1 intent ok", "1 result ok", "2 intent ok", "2 result ok", "3 final Void", "4 final Void"];
        assert_eq!(steps_in_the_log(&machine)?, told);
        machine.run(["countersign", "audit", "verify"])?.ok()?;
        let answer: Value = serde_json::from_str(&output.stdout)?;
        let codes: Vec<_> =
            answer["steps"].as_array().into_iter().flatten().map(|step| step["code"].as_str()).collect();
        assert_eq!(codes, [Some(""), Some(""), Some("Void"), Some("Void")]);
        let words = ["countersign", "digest", "--json", "-"];
        let found = machine.command(STRANGER, words)?.stdin(output.stdout.clone()).run()?.ok()?.stdout;
        let found: Value = serde_json::from_str(&found)?;
        assert_eq!((&found["match"], &found["digest"]), (&Value::Bool(true), &answer["digest"]));
        assert!(screen.contains(found["fingerprint"].as_str().unwrap_or("none")), "{screen}");
        let changed =
            machine.command(STRANGER, words)?.stdin(output.stdout.replace("/etc/third", "/etc/thirt")).run()?;
        assert_eq!(changed.code, 1, "one letter of a step that did not even begin: {changed:?}");
        Ok(())
    }

    #[test]
    fn a_stop_in_the_middle_ends_the_step_that_runs_and_no_other_begins() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        let steps = r#"[{"shell": "touch /etc/first; exec sleep 4242"}, {"argv": ["touch", "/etc/second"]}]"#;
        let mut client = ask(&machine, "", steps)?;
        approve_the_waiting(&machine)?;
        until("the first step", || Ok(machine.exists("/etc/first")?.then_some(())))?;
        machine.run(["systemctl", "stop", "countersignd"])?.ok()?;
        assert_eq!(client.wait(PATIENCE)?.code, 125);
        assert!(!machine.exists("/etc/second")?);
        assert!(!machine.processes().iter().any(|process| process.command.starts_with("sleep 4242")));
        let told = steps_in_the_log(&machine)?;
        assert_eq!(told, ["1 intent ok", "1 result Stopped", "2 final Void"]);
        machine.run(["countersign", "audit", "verify"])?.ok()?;
        Ok(())
    }

    #[test]
    fn reads_ask_nobody_a_denied_step_denies_all_and_a_file_with_a_mistake_asks_nothing() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        let run = |steps: &str| ask(&machine, "", steps)?.wait(PATIENCE);
        let reads = run(r#"[{"argv": ["echo", "1"]}, {"argv": ["echo", "2"]}]"#)?.ok()?;
        assert_eq!(reads.stdout, "1\n2\n");
        let denied = run(r#"[{"argv": ["touch", "/etc/x"]}, {"argv": ["rm", "-rf", "/"]}]"#)?;
        assert!(denied.code == 122 && denied.stderr.contains("Step 2 of 2"), "{denied:?}");
        let absent = run(r#"[{"argv": ["touch", "/etc/x"]}, {"argv": ["/opt/made-by-the-first"]}]"#)?;
        assert!(absent.code != 0 && absent.stderr.contains("a step before it"), "{absent:?}");
        let before = log(&machine)?.len();
        let mistyped = run(r#"[{"argv": ["echo"]}, {"argv": ["echo"], "max_teir": "T0"}]"#)?;
        assert!(mistyped.code == 120 && mistyped.stderr.contains("line 1 column"), "{mistyped:?}");
        assert_eq!(log(&machine)?.len(), before, "it was never asked");
        let planned = r#"printf %s '[{"argv":["echo"]},{"argv":["touch","/etc/x"]}]' | countersign plan --steps -"#;
        let plan = machine.run_as(AGENT, ["sh", "-c", planned])?.ok()?.stdout;
        assert!(plan.contains("step 2") && plan.contains("hold") && !machine.exists("/etc/x")?, "{plan}");
        Ok(())
    }
}
