//! Promise: a policy is taken whole or not at all, at the start and on a reload, and a mistake never makes it weaker.

#[cfg(test)]
mod tests {
    use anyhow::Context as _;
    use harness::Machine;
    use harness::users::AGENT;
    use promises::{PATIENCE, ask, installed, log, the_waiting, waiting};

    /// What an administrator may get wrong: a script that does it, what is said of it, and where.
    const MISTAKES: [(&str, &[&str]); 16] = [
        ("echo 'mode = \"gaurded\"' > countersign.toml", &["countersign.toml:1:8: ", "gaurded"]),
        ("echo 'mode = 1' > countersign.toml", &["countersign.toml:1:8: "]),
        ("printf '\\nmoed = \"open\"\\n' > countersign.toml", &["countersign.toml:2:1: ", "moed"]),
        ("printf '[approval]\\nexpiry_s = 0\\n' > countersign.toml", &["countersign.toml:2:12: ", "approval.expiry_s"]),
        ("chown 1001 countersign.toml", &["countersign.toml", "owned by root"]),
        ("chmod 666 countersign.toml", &["countersign.toml", "writable"]),
        (
            "printf '[[grant]]\\nuser = \"agent\"\\nceiling = \"T3\"\\nauot = \"T1\"\\n' > grants.d/x.toml",
            &["grants.d/x.toml:4:1: ", "auot"],
        ),
        ("printf '[[grant]]\\nuser = \"agent\"\\nceiling = 3\\n' > grants.d/x.toml", &["x.toml:3:11: "]),
        (
            "printf '[[grant]]\\nuser = \"nobody-of-that-name\"\\nceiling = \"T3\"\\n' > grants.d/x.toml",
            &["grants.d/x.toml:2:8: ", "no user"],
        ),
        (
            "printf '[[program]]\\nnames = [\"frob\"]\\ntier = \"T9\"\\n' > rules.d/x.toml",
            &["rules.d/x.toml:3:8: ", "T9"],
        ),
        (
            "sed 's/^user = .*/user = \"nobody-of-that-name\"/' /usr/share/countersign/profiles/observe.toml > profiles.d/x.toml",
            &["profiles.d/x.toml:6:8: ", "no user"],
        ),
        (
            "echo > countersign.toml.d/x.toml; chmod 646 countersign.toml.d/x.toml",
            &["countersign.toml.d/x.toml", "writable"],
        ),
        ("echo > grants.d/x.toml; chown 1001 grants.d/x.toml", &["grants.d/x.toml", "owned by root"]),
        ("echo > rules.d/x.toml; chmod 664 rules.d/x.toml", &["rules.d/x.toml", "writable"]),
        ("echo > profiles.d/x.toml; chown 1001 profiles.d/x.toml", &["profiles.d/x.toml", "owned by root"]),
        ("chmod 777 grants.d", &["/etc/countersign/grants.d", "writable"]),
    ];
    /// Puts the policy back as it was installed.
    const MEND: &str = "rm -f */x.toml; echo 'mode = \"guarded\"' > countersign.toml; \
                        chown root countersign.toml; chmod 644 countersign.toml; chmod 755 grants.d";

    fn edit(machine: &Machine, script: &str) -> anyhow::Result<()> {
        machine.run(["sh", "-ec", &format!("cd /etc/countersign; {script}")])?.ok()?;
        Ok(())
    }

    fn status(machine: &Machine, key: &str) -> anyhow::Result<serde_json::Value> {
        let output = machine.run_as(AGENT, ["countersign", "status", "--json"])?.ok()?;
        let status: serde_json::Value = serde_json::from_str(&output.stdout).with_context(|| output.stdout.clone())?;
        Ok(status[key].clone())
    }

    fn run(machine: &Machine, command: &[&str]) -> anyhow::Result<harness::Output> {
        machine.run_as(AGENT, ["countersign", "run", "--json", "--"].iter().chain(command).copied())
    }

    #[test]
    fn a_reload_puts_another_policy_in_force_in_both_processes_and_comes_back_when_it_is_done() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        let before = status(&machine, "ruleset")?;
        edit(&machine, "echo 'mode = \"readonly\"' > countersign.toml")?;
        assert_eq!(status(&machine, "mode")?, "guarded", "not before it is told");
        machine.run(["systemctl", "reload", "countersignd"])?.ok()?;
        assert_eq!(status(&machine, "mode")?, "readonly", "in force when the reload comes back");
        assert_ne!(status(&machine, "ruleset")?, before);
        run(&machine, &["id"])?.ok()?;
        let refused = run(&machine, &["touch", "/etc/x"])?;
        assert!(refused.stdout.contains("ModeCeiling"), "{refused:?}");
        edit(&machine, MEND)?;
        machine.run(["systemctl", "kill", "--kill-whom=main", "--signal=HUP", "countersignd"])?.ok()?;
        promises::until("the signal to do the same", || Ok((status(&machine, "mode")? == "guarded").then_some(())))?;
        assert_eq!(machine.run(["systemctl", "is-active", "countersignd"])?.stdout, "active\n");
        Ok(())
    }

    #[test]
    fn a_reload_reads_accounts_that_are_newer_than_the_broker() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        status(&machine, "mode")?;
        machine.run(["useradd", "--create-home", "--groups", "countersign", "newcomer"])?.ok()?;
        edit(&machine, "printf '[[grant]]\\nuser = \"newcomer\"\\nceiling = \"T1\"\\n' > grants.d/x.toml")?;
        machine.run(["systemctl", "reload", "countersignd"])?.ok()?;
        let output = machine.run_as("newcomer", ["countersign", "run", "--", "id", "-un"])?.ok()?;
        assert_eq!(output.stdout, "_countersign-observe\n");
        assert!(log(&machine)?.iter().any(|entry| entry["caller"]["user"] == "newcomer"), "its name is known");
        Ok(())
    }

    #[test]
    fn no_mistake_is_put_in_force_and_each_is_told_with_its_place() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        let before = status(&machine, "ruleset")?;
        for (mistake, said) in MISTAKES {
            edit(&machine, mistake)?;
            let refused = machine.run(["systemctl", "reload", "countersignd"])?;
            assert_ne!(refused.code, 0, "{mistake}: systemctl says that it failed");
            assert_eq!(status(&machine, "ruleset")?, before, "{mistake}: the old policy stays");
            let check = machine.run_as(AGENT, ["countersign", "policy", "check"])?;
            assert!(check.code == 1 && said.iter().all(|part| check.stderr.contains(part)), "{mistake}: {check:?}");
            let (notice, manager) =
                (status(&machine, "notices")?.to_string(), machine.run(["systemctl", "status", "countersignd"])?);
            let journal = machine.journal("countersignd.service")?;
            let last = journal.lines().rfind(|line| line.contains("was not read again")).unwrap_or_default();
            for part in said {
                assert!(notice.contains(part), "{mistake}: {part}: {notice}");
                assert!(last.contains(part), "{mistake}: {part}: {last}");
            }
            assert!(manager.stdout.contains("systemctl reload countersignd"), "{mistake}: what to do: {manager:?}");
            run(&machine, &["id"])?.ok()?;
            edit(&machine, MEND)?;
        }
        let refused =
            log(&machine)?.into_iter().filter(|entry| entry["phase"] == "load" && entry["code"] == "PolicyInvalid");
        assert_eq!(refused.count(), MISTAKES.len(), "each has its record");
        machine.run(["systemctl", "reload", "countersignd"])?.ok()?;
        assert_eq!(status(&machine, "notices")?, serde_json::json!([]), "and it is over when the files are right");
        Ok(())
    }

    /// The tables of mistakes, which the reader's own tests try whole: the path, the text, the place and what is said.
    fn tables(machine: &Machine) -> anyhow::Result<Vec<(&'static str, String, String, String)>> {
        let observe = machine.read("/usr/share/countersign/profiles/observe.toml")?;
        let look = observe.replacen("name = \"observe\"", "name = \"look\"", 1);
        let mut all = Vec::new();
        for (table, path) in [
            (include_str!("data/mistakes/settings.toml"), "countersign.toml"),
            (include_str!("data/mistakes/grants.toml"), "grants.d/x.toml"),
            (include_str!("data/mistakes/rules.toml"), "rules.d/x.toml"),
            (include_str!("data/mistakes/profiles.toml"), "profiles.d/x.toml"),
        ] {
            let table: toml::Table = toml::from_str(table)?;
            for mistake in table["mistake"].as_array().into_iter().flatten() {
                let text = |key: &str| mistake.get(key).and_then(toml::Value::as_str).unwrap_or_default().to_owned();
                let edit = look.replacen(&text("from"), &text("to"), 1);
                let whole = if text("from").is_empty() { text("text") } else { edit };
                all.push((path, whole, text("at"), text("says")));
            }
        }
        Ok(all)
    }

    #[test]
    fn every_mistake_is_told_by_a_check_and_by_a_reload_which_changes_nothing() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        edit(&machine, "echo 'mode = \"readonly\"' > countersign.toml")?;
        let before = status(&machine, "ruleset")?;
        let all = tables(&machine)?;
        assert!(all.len() >= 4 * 40);
        for (number, (path, text, at, says)) in all.into_iter().enumerate() {
            // The reader's own tests try all of them; and what comes after the rules takes a while.
            let each = if path.starts_with(['r', 'p']) { 12 } else { 3 };
            if number % each != 0 {
                continue;
            }
            machine.write(format!("/etc/countersign/{path}"), &text)?;
            let begins = format!("/etc/countersign/{path}:{at}: {says}");
            let check = machine.run_as(AGENT, ["countersign", "policy", "check"])?;
            assert!(check.code == 1 && check.stderr.contains(&begins), "{text}\n{begins}\n{check:?}");
            if number % 12 == 0 {
                let reload = machine.run(["countersign", "reload"])?;
                assert!(reload.code == 127 && reload.stderr.contains(&begins), "{text}\n{begins}\n{reload:?}");
                assert_eq!(
                    (status(&machine, "ruleset")?, status(&machine, "mode")?),
                    (before.clone(), "readonly".into())
                );
            }
            edit(&machine, "rm -f */x.toml; echo 'mode = \"readonly\"' > countersign.toml")?;
        }
        machine.run(["countersign", "reload"])?.ok()?;
        assert_eq!(status(&machine, "ruleset")?, before);
        Ok(())
    }

    #[test]
    fn no_mistake_lets_the_broker_start() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        for (mistake, said) in MISTAKES {
            edit(&machine, mistake)?;
            assert_ne!(machine.run(["systemctl", "start", "countersignd"])?.code, 0, "{mistake}");
            let journal = machine.journal("countersignd.service")?;
            for part in said {
                assert!(journal.contains(part), "{mistake}: {part}: {journal}");
            }
            machine.run(["systemctl", "stop", "countersignd"])?;
            machine.run(["systemctl", "reset-failed", "countersignd"])?;
            machine.run(["sh", "-c", "rm -f /var/lib/countersign-launcher/stopped /run/countersign/stopped; systemctl daemon-reload; journalctl --rotate --vacuum-time=1us"])?.ok()?;
            edit(&machine, MEND)?;
        }
        machine.run(["systemctl", "start", "countersignd"])?.ok()?;
        Ok(())
    }

    #[test]
    fn what_waits_under_the_old_policy_is_void_and_says_so() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        let mut client = ask(&machine, &["touch", "/etc/x"])?;
        let id = the_waiting(&machine)?;
        machine.run(["systemctl", "reload", "countersignd"])?.ok()?;
        assert_eq!(the_waiting(&machine)?, id, "the same policy again voids nothing");
        edit(&machine, "printf '[approval]\\nexpiry_s = 300\\n' > countersign.toml")?;
        machine.run(["systemctl", "reload", "countersignd"])?.ok()?;
        let output = client.wait(PATIENCE)?;
        assert!(output.code == 123 && output.stderr.contains("The policy changed"), "{output:?}");
        assert!(waiting(&machine)?.is_empty() && !machine.exists("/etc/x")?);
        assert!(log(&machine)?.iter().any(|entry| entry["id"] == id.as_str() && entry["code"] == "Changed"));
        let mut again = ask(&machine, &["touch", "/etc/x"])?;
        promises::approve_the_waiting(&machine)?;
        again.wait(PATIENCE)?.ok()?;
        Ok(())
    }

    #[test]
    fn what_a_reload_would_change_is_told_before_it() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        let diff = |paths: &[&str]| {
            let words = ["countersign", "policy", "diff"].iter().chain(paths).copied();
            machine.run_as(AGENT, words.collect::<Vec<_>>())
        };
        let before = diff(&[])?;
        assert_eq!((before.code, before.stdout.as_str()), (0, "nothing\n"), "{before:?}");
        machine.run(["mkdir", "-p", "/srv/rules.d", "/srv/etc"])?.ok()?;
        let rule =
            "[[program]]\nnames = [\"apt-get\"]\ntier = \"T3\"\nreason = \"Ours.\"\nmust_match = [\"apt-get frob\"]\n";
        machine.command("root", ["tee", "/srv/rules.d/x.toml"])?.stdin(rule).run()?.ok()?;
        let file = diff(&["/srv/rules.d/x.toml"])?;
        assert!(file.code == 1 && file.stdout.contains("command  apt-get check: T2 packages -> T3 system"), "{file:?}");
        machine.run(["sh", "-c", "echo 'mode = \"open\"' > /srv/etc/countersign.toml"])?.ok()?;
        let directory = diff(&["/srv/etc"])?;
        assert!(directory.code == 1 && directory.stdout.contains("setting  mode"), "{directory:?}");
        edit(&machine, "echo 'mode = \"readonly\"' > countersign.toml")?;
        let installed = diff(&[])?;
        assert!(installed.code == 1 && installed.stdout.contains("readonly"), "{installed:?}");
        machine.run(["systemctl", "reload", "countersignd"])?.ok()?;
        assert_eq!(diff(&[])?.stdout, "nothing\n");
        edit(&machine, "echo 'mode = \"gaurded\"' > countersign.toml")?;
        assert_eq!(diff(&[])?.code, 127, "what cannot be read is no difference");
        Ok(())
    }

    #[test]
    fn a_running_job_outlives_a_reload() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        let mut client = ask(&machine, &["sh", "-c", "sleep 2; exit 9"])?;
        promises::approve_the_waiting(&machine)?;
        promises::until("the job", || Ok((!machine.pids_of("sleep 2").is_empty()).then_some(())))?;
        edit(&machine, "echo 'mode = \"readonly\"' > countersign.toml")?;
        machine.run(["systemctl", "reload", "countersignd"])?.ok()?;
        assert_eq!(client.wait(PATIENCE)?.code, 9);
        Ok(())
    }
}
