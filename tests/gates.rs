//! Promise: what one caller may use is bounded, what was refused too often asks nobody, and who was given output is
//! asked about; and none of it is undone by a restart of the broker.

#[cfg(test)]
mod tests {
    use harness::Machine;
    use harness::users::{ADMIN, ADMIN_PASSWORD, AGENT, STRANGER};
    use promises::{PATIENCE, approve_the_waiting, ask, installed_with, log, the_waiting, until, waiting};

    const AUTO: &str = "[[grant]]\nuser = 'agent'\nceiling = 'T3'\nauto = 'T1'\n";
    const FEW: &str = "[[grant]]\ngroup = 'countersign'\nceiling = 'T3'\nbudgets = { waiting = 3 }\n";

    /// Submits without waiting; says how that ended.
    fn submits(machine: &Machine, user: &str, path: &str) -> anyhow::Result<i32> {
        Ok(machine.run_as(user, ["countersign", "run", "--no-wait", "--", "touch", path])?.code)
    }

    #[test]
    fn who_was_given_output_is_asked_about_also_after_a_restart() -> anyhow::Result<()> {
        let machine = installed_with("grants.d/10-group.toml", AUTO).boot()?;
        // The latch ends with the last process of its user, so one stays.
        let shell = machine.spawn_as(AGENT, ["sleep", "1000"])?;
        let output = machine.run_as(AGENT, ["countersign", "run", "--", "cat", "/etc/hostname"])?.ok()?;
        assert!(!output.stdout.is_empty(), "it was given output of a read");
        let client = ask(&machine, &["touch", "/etc/before"])?;
        the_waiting(&machine)?;
        client.kill()?;
        until("the request to go", || Ok(waiting(&machine)?.is_empty().then_some(())))?;
        let words = ["countersign", "taint", "clear", AGENT, "--reason", "looked at it"];
        assert_ne!(machine.run_as(AGENT, words)?.code, 0, "not by itself");
        let (cleared, screen) = machine.run_with_agent(ADMIN, ADMIN_PASSWORD, words)?;
        cleared.ok().map_err(|error| error.context(screen))?;
        machine.run_as(AGENT, ["countersign", "run", "--", "touch", "/etc/first"])?.ok()?;
        assert!(machine.exists("/etc/first")? && !machine.exists("/etc/before")?, "nobody was asked");
        for restart in [false, true] {
            if restart {
                machine.run(["systemctl", "restart", "countersignd"])?.ok()?;
            }
            let client = ask(&machine, &["touch", "/etc/second"])?;
            the_waiting(&machine)?;
            assert!(!machine.exists("/etc/second")?, "restart: {restart}");
            client.kill()?;
            until("the request to go", || Ok(waiting(&machine)?.is_empty().then_some(())))?;
        }
        machine.run(["countersign", "taint", "clear", AGENT, "--reason", "looked at it"])?.ok()?;
        machine.run_as(AGENT, ["countersign", "run", "--", "touch", "/etc/third"])?.ok()?;
        assert!(machine.exists("/etc/third")?, "an administrator ended it");
        shell.kill()?;
        Ok(())
    }

    #[test]
    fn who_has_ended_its_last_process_is_clean() -> anyhow::Result<()> {
        let machine = installed_with("grants.d/10-group.toml", AUTO).boot()?;
        machine.run_as(AGENT, ["countersign", "run", "--", "true"])?.ok()?;
        until("the latch to end", || {
            let log = promises::log(&machine)?;
            Ok(log.iter().any(|entry| entry["phase"] == "clear-taint" && entry["who"] == "countersignd").then_some(()))
        })?;
        machine.run_as(AGENT, ["countersign", "run", "--", "touch", "/etc/x"])?.ok()?;
        assert!(machine.exists("/etc/x")?);
        Ok(())
    }

    #[test]
    fn the_nth_waits_the_next_does_not_and_another_user_is_not_in_the_way() -> anyhow::Result<()> {
        let machine = installed_with("grants.d/10-group.toml", FEW).boot()?;
        machine.run(["gpasswd", "--add", STRANGER, "countersign"])?.ok()?;
        let mut clients =
            (0..3).map(|number| ask(&machine, &["touch", &format!("/etc/{number}")])).collect::<Result<Vec<_>, _>>()?;
        until("three to wait", || Ok((waiting(&machine)?.len() == 3).then_some(())))?;
        assert_eq!(submits(&machine, AGENT, "/etc/4")?, 126);
        let stranger = machine.spawn_as(STRANGER, ["countersign", "run", "--", "touch", "/etc/5"])?;
        until("the stranger's to wait", || Ok((waiting(&machine)?.len() == 4).then_some(())))?;
        stranger.kill()?;
        clients.drain(..).try_for_each(|client| client.kill())
    }

    #[test]
    fn what_was_refused_three_times_asks_nobody_also_after_a_restart() -> anyhow::Result<()> {
        let machine = installed_with("grants.d/10-group.toml", FEW).boot()?;
        for _ in 0..3 {
            let mut client = ask(&machine, &["touch", "/etc/x"])?;
            let id = the_waiting(&machine)?;
            machine.run(["countersign", "refuse", &id])?.ok()?;
            assert_eq!(client.wait(PATIENCE)?.code, 123);
        }
        for restart in [false, true] {
            if restart {
                machine.run(["systemctl", "restart", "countersignd"])?.ok()?;
            }
            let output = machine.run_as(AGENT, ["countersign", "run", "--json", "--", "touch", "/etc/x"])?;
            assert_eq!(output.code, 123, "{output:?}");
            assert!(
                output.stdout.contains("Silenced") && waiting(&machine)?.is_empty(),
                "restart {restart}: {output:?}"
            );
        }
        let mut client = ask(&machine, &["touch", "/etc/y"])?;
        approve_the_waiting(&machine)?;
        client.wait(PATIENCE)?.ok()?;
        machine.run(["gpasswd", "--add", STRANGER, "countersign"])?.ok()?;
        let mut other = machine.spawn_as(STRANGER, ["countersign", "run", "--", "touch", "/etc/x"])?;
        approve_the_waiting(&machine)?;
        other.wait(PATIENCE)?.ok()?;
        assert!(machine.exists("/etc/x")?, "another user is not affected");
        Ok(())
    }

    /// Requests that come as fast as one connection allows, each of which may open a dialog before its caller.
    const FLOOD: &str = include_str!("data/flood.py");
    const PROMPTS: &str = "[[grant]]\ngroup = 'countersign'\nceiling = 'T3'\n\
                           budgets = { prompts_per_hour = 5, requests_per_minute = 100000 }\n";

    #[test]
    fn a_thousand_requests_open_as_many_dialogs_as_they_may_and_another_user_has_its_own() -> anyhow::Result<()> {
        let machine = installed_with("grants.d/10-group.toml", PROMPTS).boot()?;
        machine.run(["gpasswd", "--add", STRANGER, "countersign"])?.ok()?;
        let opened = ["busctl", "monitor", "--json=short", "--match=member='BeginAuthentication'"];
        let mut opened = machine.spawn_as("root", opened)?;
        opened.stderr()?.expect("Monitoring", PATIENCE)?;
        let mut flood = machine.command(AGENT, ["python3", "-c", FLOOD, "1000"])?.attended()?;
        flood.dialog()?;
        let said = until("the thousandth answer", || {
            let all = log(&machine)?;
            let over = all.iter().filter(|entry| entry["code"] == "OverBudget").count();
            Ok((over >= 995).then_some(over))
        })?;
        assert_eq!(said, 995, "five were taken in");
        let mut other = machine.spawn_as(STRANGER, ["countersign", "run", "--", "touch", "/etc/y"])?;
        until("the stranger's request", || {
            let all = waiting(&machine)?;
            Ok(all.iter().any(|request| request["user"] == STRANGER).then_some(()))
        })?;
        assert!(other.is_running()?);
        let dialogs = opened.kill_and_collect(0)?.stdout;
        let dialogs = dialogs.lines().filter(|line| line.contains("org.countersign.approve")).count();
        assert!((1..=5).contains(&dialogs), "{dialogs} dialogs");
        let made = machine.run(["sh", "-c", "ls /etc/flood-* 2>/dev/null; true"])?.ok()?.stdout;
        assert_eq!(made, "");
        Ok(())
    }

    const ROOM: usize = 100;
    const LITTLE: &str = "[[grant]]\ngroup = 'countersign'\nceiling = 'T3'\nbudgets = { requests_per_minute = 100 }\n";

    /// Calls so often and says how it was answered.
    fn floods(machine: &Machine, user: &str, count: &str, words: &[&str]) -> anyhow::Result<String> {
        let line = ["python3", "-c", FLOOD, count].into_iter().chain(words.iter().copied());
        Ok(machine.run_as(user, line)?.ok()?.stdout.trim().to_owned())
    }

    /// How many bytes the log has on its disk.
    fn bytes(machine: &Machine) -> anyhow::Result<u64> {
        let size = machine.run(["du", "--summarize", "--bytes", "/var/lib/countersign"])?.ok()?.stdout;
        Ok(size.split_whitespace().next().unwrap_or_default().parse()?)
    }

    #[test]
    fn a_flood_of_what_is_not_taken_in_leaves_a_bounded_log_and_is_in_the_way_of_no_read_and_no_stop()
    -> anyhow::Result<()> {
        let machine = installed_with("grants.d/10-group.toml", LITTLE).boot()?;
        machine.run(["gpasswd", "--add", STRANGER, "countersign"])?.ok()?;
        let (before, begun) = (bytes(&machine)?, std::time::Instant::now());
        let denied = floods(&machine, AGENT, "400", &["Submit", "rm", "-rf", "/usr", "/q#"])?;
        let planned = floods(&machine, AGENT, "400", &["Plan", "touch", "/etc/q#"])?;
        let held = floods(&machine, AGENT, "50", &["Hold"])?;
        let minutes = usize::try_from(begun.elapsed().as_secs() / 60)? + 1;
        if minutes == 1 {
            assert_eq!([denied, planned, held], ["Denied=100 OverBudget=300", "OverBudget=400", "OverBudget=50"]);
        }
        let all = log(&machine)?;
        let of_agent: Vec<_> = all.iter().filter(|entry| entry["caller"]["user"] == AGENT).collect();
        let counted = of_agent.iter().filter(|entry| entry["times"].is_u64()).count();
        assert!((1..=minutes + 1).contains(&counted), "{counted} records count the rest in {minutes} minutes");
        assert!((ROOM..=ROOM * minutes).contains(&(of_agent.len() - counted)), "{} in {minutes}", of_agent.len());
        machine.run_as(AGENT, ["countersign", "run", "--", "id"])?.ok()?;
        let other = machine.run_as(STRANGER, ["countersign", "run", "--", "rm", "-rf", "/usr"])?;
        assert_eq!(other.code, 122, "another user is told as ever: {other:?}");
        let large = "x".repeat(60_000);
        floods(&machine, STRANGER, "200", &["Submit", "rm", "-rf", "/usr", "/q#", &large])?;
        let grown = bytes(&machine)?.saturating_sub(before);
        assert!(grown < 4 << 20, "{grown} bytes, of twelve million that were sent");
        machine.run(["countersign", "audit", "verify"])?.ok()?;
        machine.run_as(AGENT, ["countersign", "stop"])?.ok()?;
        until("the broker to stop", || Ok((log(&machine)?.iter().any(|entry| entry["phase"] == "stop")).then_some(())))
    }

    #[test]
    fn a_plan_says_everything_that_stands_in_its_way() -> anyhow::Result<()> {
        const NONE: &str = "[[grant]]\ngroup = 'countersign'\nceiling = 'T3'\nbudgets = { prompts_per_hour = 0 }\n";
        let machine = installed_with("grants.d/10-group.toml", NONE).boot()?;
        let plan = |more: &[&str], command: &[&str]| -> anyhow::Result<serde_json::Value> {
            let words = ["countersign", "plan", "--json"].iter().chain(more).chain(&["--"]).chain(command).copied();
            Ok(serde_json::from_str(&machine.run_as(AGENT, words)?.ok()?.stdout)?)
        };
        for (more, command, codes) in [
            (&["--all", "--tier-max", "T1"][..], &["shred", "-u", "/srv/x"][..], &["ModeCeiling", "Denied"][..]),
            (&["--all"], &["touch", "/etc/x"], &["OverBudget", "NeedsApproval"]),
            (&["--all"], &["true"], &[]),
        ] {
            let plan = plan(more, command)?;
            let all = plan["against"].as_array().into_iter().flatten();
            let told: Vec<_> = all.map(|one| one["code"].as_str().unwrap_or_default()).collect();
            assert_eq!(told, codes, "{plan}");
            assert_eq!(plan["code"].as_str(), Some(codes.first().copied().unwrap_or_default()));
        }
        assert!(plan(&[], &["touch", "/etc/x"])?.get("against").is_none(), "who did not ask for all is told the first");
        let words = ["countersign", "plan", "--all", "--", "touch", "/etc/x"];
        let people = machine.run_as(AGENT, words)?.ok()?.stdout;
        assert!(people.contains("in its way   OverBudget: ") && people.contains("NeedsApproval: "), "{people}");
        assert!(waiting(&machine)?.is_empty() && !machine.exists("/etc/x")?, "nothing happened");
        Ok(())
    }

    #[test]
    fn of_many_administrators_who_approve_at_once_one_does_and_it_runs_once() -> anyhow::Result<()> {
        let machine = installed_with("grants.d/10-group.toml", FEW).boot()?;
        for round in 0..3 {
            let script = format!("echo ran >> /etc/ran-{round}");
            let mut client = ask(&machine, &["sh", "-c", &script])?;
            let id = the_waiting(&machine)?;
            let words = ["countersign", "approve", &id];
            let racers = (0..8).map(|_| machine.spawn_as("root", words)).collect::<Result<Vec<_>, _>>()?;
            let codes = racers
                .into_iter()
                .map(|mut racer| Ok(racer.wait(PATIENCE)?.code))
                .collect::<anyhow::Result<Vec<_>>>()?;
            client.wait(PATIENCE)?.ok()?;
            assert!(codes.contains(&0), "{codes:?}");
            let ran = machine.run(["cat", &format!("/etc/ran-{round}")])?.ok()?.stdout;
            assert_eq!(ran, "ran\n", "{codes:?}");
        }
        Ok(())
    }

    #[test]
    fn two_people_approve_what_cannot_be_undone() -> anyhow::Result<()> {
        let settings = "mode = 'open'\n[approval]\nquorum.t3 = 2\npolkit_rule_at_t3 = true\n";
        let machine = installed_with("countersign.toml.d/50-test.toml", settings).boot()?;
        machine.run(["touch", "/srv/data"])?.ok()?;
        let mut client = ask(&machine, &["shred", "-u", "/srv/data"])?;
        let id = the_waiting(&machine)?;
        let digest = waiting(&machine)?[0]["digest"].as_str().unwrap_or_default().to_owned();
        machine.run(["countersign", "approve", &id, "--digest", &digest])?.ok()?;
        assert!(client.is_running()? && machine.exists("/srv/data")?, "one is not enough");
        let again = machine.run(["countersign", "approve", &id, "--digest", &digest])?;
        assert_eq!(again.code, 123, "nor is the same person twice: {again:?}");
        for words in [&["countersign", "requests"][..], &["countersign", "show", &id]] {
            let owner = machine.run_as(AGENT, words.iter().copied())?.ok()?.stdout;
            let anybody = machine.run(words.iter().copied())?.ok()?.stdout;
            for seen in [owner, anybody] {
                let counted = |line: &str| line.starts_with("approvals") && line.ends_with(" 1 of 2");
                assert!(seen.contains("waiting 1/2") || seen.lines().any(counted), "{words:?}: {seen}");
                assert_eq!(seen.contains("root (uid 0) without being asked"), words.len() == 3, "{seen}");
            }
        }
        let stranger = machine.run_as(STRANGER, ["countersign", "show", &id])?;
        assert!(stranger.code != 0 && !stranger.stdout.contains("1 of 2"), "{stranger:?}");
        let (output, screen) = machine.run_with_agent(ADMIN, ADMIN_PASSWORD, ["countersign", "approve", &id])?;
        output.ok().map_err(|error| error.context(screen))?;
        client.wait(PATIENCE)?.ok()?;
        assert!(!machine.exists("/srv/data")?);
        let shown = machine.run_as(AGENT, ["countersign", "show", "--json", &id])?.ok()?.stdout;
        let shown: serde_json::Value = serde_json::from_str(&shown)?;
        let who = shown["approvers"].as_array().into_iter().flatten();
        let who: Vec<_> = who.map(|one| (one["user"].as_str(), one["kind"].as_str())).collect();
        assert_eq!(who, [(Some("root"), Some("polkit-rule")), (Some(ADMIN), Some("challenge"))]);
        assert_eq!((&shown["approvals"], &shown["approvals_needed"]), (&2.into(), &2.into()));
        Ok(())
    }
}
