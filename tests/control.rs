//! Promise: an operator holds, resumes and reloads the broker and clears a taint latch; nobody else does, each act is
//! recorded, and none of them leaves red.

#[cfg(test)]
mod tests {
    use harness::Machine;
    use harness::users::{ADMIN, ADMIN_PASSWORD, AGENT, AGENT_PASSWORD};
    use promises::{PATIENCE, approve_the_waiting, ask, installed, installed_with, log, the_waiting};

    /// A small change, which the grant below lets run unasked.
    const SMALL: [&str; 3] = ["touch", "--", "/srv/x"];
    const AUTO_T1: &str = "[[grant]]\ngroup = 'countersign'\nceiling = 'T3'\nauto = 'T1'\n";

    fn state(machine: &Machine) -> anyhow::Result<String> {
        let status = machine.run_as(AGENT, ["countersign", "status", "--json"])?.ok()?;
        let status: serde_json::Value = serde_json::from_str(&status.stdout)?;
        Ok(status["state"].as_str().unwrap_or_default().to_owned())
    }

    /// How many records of this phase the log has, and how many of them are of acts that were refused.
    fn records(machine: &Machine, phase: &str) -> anyhow::Result<(usize, usize)> {
        let of_phase: Vec<_> = log(machine)?.into_iter().filter(|entry| entry["phase"] == phase).collect();
        Ok((of_phase.len(), of_phase.iter().filter(|entry| !entry["code"].is_null()).count()))
    }

    fn run(machine: &Machine, command: &[&str]) -> anyhow::Result<harness::Output> {
        machine.run_as(AGENT, ["countersign", "run", "--json", "--"].iter().chain(command).copied())
    }

    #[test]
    fn a_hold_serves_reads_only_until_it_is_resumed() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        let mut waiting = ask(&machine, &["touch", "/etc/x"])?;
        let id = the_waiting(&machine)?;
        machine.run(["countersign", "hold", "--reason", "looking \u{1b}[2J around"])?.ok()?;
        assert_eq!(state(&machine)?, "amber");
        run(&machine, &["id"])?.ok()?;
        let refused = run(&machine, &["touch", "/etc/y"])?;
        assert!(refused.code == 125 && refused.stdout.contains("\"Held\""), "{refused:?}");
        machine.run(["countersign", "approve", &id])?;
        let held = waiting.wait(PATIENCE)?;
        assert_eq!(held.code, 125, "what waited before is held as well: {held:?}");
        assert!(!machine.exists("/etc/x")? && !machine.exists("/etc/y")?);
        for told in [
            machine.run_as(AGENT, ["countersign", "status"])?.stdout,
            machine.run(["systemctl", "status", "countersignd"])?.stdout,
        ] {
            assert!(told.contains("On hold by uid 0") && !told.contains('\u{1b}'), "{told}");
        }
        machine.run(["countersign", "resume", "--reason", "all well"])?.ok()?;
        assert_eq!(state(&machine)?, "green");
        let mut again = ask(&machine, &["touch", "/etc/x"])?;
        approve_the_waiting(&machine)?;
        again.wait(PATIENCE)?.ok()?;
        assert_eq!((records(&machine, "hold")?, records(&machine, "resume")?), ((1, 0), (1, 0)));
        Ok(())
    }

    #[test]
    fn an_administrator_proves_to_be_one_and_nobody_else_can() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        for words in [
            &["countersign", "hold", "--reason", "x"][..],
            &["countersign", "resume"],
            &["countersign", "reload"],
            &["countersign", "taint", "clear", AGENT],
        ] {
            let refused = machine.run_as(AGENT, words.iter().copied())?;
            assert!(matches!(refused.code, 121 | 123), "{words:?}: {refused:?}");
            let (refused, screen) = machine.run_with_agent(AGENT, AGENT_PASSWORD, words.iter().copied())?;
            assert_eq!(refused.code, 121, "{words:?}: {refused:?} {screen}");
        }
        assert_eq!(state(&machine)?, "green");
        for phase in ["hold", "resume", "load", "clear-taint"] {
            let refused = records(&machine, phase)?.1;
            assert_eq!(refused, 2, "both refusals of {phase} are recorded");
        }
        let words = ["countersign", "hold", "--reason", "odd \u{202e} things"];
        let (held, screen) = machine.run_with_agent(ADMIN, ADMIN_PASSWORD, words)?;
        held.ok()?;
        assert!(screen.contains("Put Countersign on hold") && screen.contains(r"odd \u{202E} things"), "{screen}");
        assert_eq!(state(&machine)?, "amber");
        let act = log(&machine)?.into_iter().rfind(|entry| entry["phase"] == "hold").unwrap_or_default();
        assert_eq!(act["approvers"][0]["kind"], "challenge", "{act}");
        let (resumed, _) = machine.run_with_agent(ADMIN, ADMIN_PASSWORD, ["countersign", "resume"])?;
        resumed.ok()?;
        assert_eq!(state(&machine)?, "green");
        Ok(())
    }

    #[test]
    fn a_stranger_to_the_bus_policy_does_not_even_reach_it() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        machine.run_as(AGENT, ["countersign", "status"])?.ok()?;
        let call = ["countersign", "hold", "--reason", "x"];
        let refused = machine.run_as(harness::users::STRANGER, call)?;
        assert_eq!((refused.code, records(&machine, "hold")?), (121, (0, 0)), "{refused:?}");
        Ok(())
    }

    #[test]
    fn after_output_a_small_change_asks_again_until_an_administrator_clears_the_latch() -> anyhow::Result<()> {
        let machine = installed_with("grants.d/10-group.toml", AUTO_T1).boot()?;
        run(&machine, &SMALL)?.ok()?;
        let mut tainted = ask(&machine, &SMALL)?;
        the_waiting(&machine)?;
        assert!(tainted.is_running()?, "the output of the first run armed the latch");
        tainted.kill()?;
        let (refused, _) = machine.run_with_agent(AGENT, AGENT_PASSWORD, ["countersign", "taint", "clear", AGENT])?;
        assert_eq!(refused.code, 121, "{refused:?}");
        machine.run(["countersign", "taint", "clear", AGENT, "--reason", "a new session"])?.ok()?;
        run(&machine, &SMALL)?.ok()?;
        machine.run(["countersign", "taint", "clear", AGENT])?.ok()?;
        machine.run_as(AGENT, ["countersign", "taint", "mark"])?.ok()?;
        let mut marked = ask(&machine, &SMALL)?;
        the_waiting(&machine)?;
        assert!(marked.is_running()?);
        assert_eq!((records(&machine, "clear-taint")?, records(&machine, "mark-tainted")?), ((3, 1), (1, 0)));
        Ok(())
    }

    #[test]
    fn nothing_of_it_leaves_red() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        machine.run_as(AGENT, ["countersign", "stop", "--reason", "enough"])?.ok()?;
        for words in [
            &["countersign", "resume"][..],
            &["countersign", "hold"],
            &["countersign", "reload"],
            &["countersign", "taint", "clear", AGENT],
            &["systemctl", "reload", "countersignd"],
        ] {
            assert_ne!(machine.run(words.iter().copied())?.code, 0, "{words:?}");
            assert_eq!(machine.run_as(AGENT, ["countersign", "run", "--", "id"])?.code, 125, "{words:?}");
        }
        Ok(())
    }
}
