//! Promise: a stop works at once, on running jobs too, and only an operator at the machine undoes it. SEC-8.

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use harness::Machine;
    use harness::users::AGENT;
    use promises::{PATIENCE, approve_the_waiting, ask, installed, log, until};

    /// A job that a human approves, that leaves a grandchild in a session of its own and then lingers.
    const SURVIVOR: &str = "touch /etc/begun; setsid setsid sh -c 'exec sleep 4242' & exec sleep 4243";
    /// A refused call answers long before the bus would give up on a start (25 s).
    const AT_ONCE: Duration = Duration::from_secs(2);

    fn with_a_running_job() -> anyhow::Result<(Machine, harness::Process)> {
        let machine = installed().boot()?;
        let client = ask(&machine, &["sh", "-c", SURVIVOR])?;
        approve_the_waiting(&machine)?;
        until("both sleepers", || Ok((sleepers(&machine) == 2).then_some(())))?;
        Ok((machine, client))
    }

    fn sleepers(machine: &Machine) -> usize {
        machine.processes().iter().filter(|process| process.command.starts_with("sleep 424")).count()
    }

    fn clear(machine: &Machine) -> anyhow::Result<()> {
        let mut terminal = machine.spawn_pty_as("root", ["countersign", "clear", "--reason", "looked at it"])?;
        terminal.wait(PATIENCE)?.ok()?;
        Ok(())
    }

    #[test]
    fn stopping_the_unit_ends_every_job_and_stays() -> anyhow::Result<()> {
        let (machine, mut client) = with_a_running_job()?;
        machine.run(["systemctl", "stop", "countersignd"])?.ok()?;
        assert_eq!(sleepers(&machine), 0);
        assert_eq!(client.wait(PATIENCE)?.code, 125);
        let refused = machine.run_as(AGENT, ["countersign", "run", "--json", "--", "id"])?;
        assert_eq!(refused.code, 125, "{refused:?}");
        assert!(refused.duration < Duration::from_secs(1) && refused.stdout.contains("Stopped"), "{refused:?}");
        let call =
            machine.run_as(AGENT, ["busctl", "introspect", "org.countersign.Broker1", "/org/countersign/Broker1"])?;
        assert!(call.code != 0 && call.duration < AT_ONCE, "{call:?}");
        let started = machine.run(["systemctl", "start", "countersignd"])?;
        assert_ne!(machine.run(["systemctl", "is-active", "--quiet", "countersignd"])?.code, 0, "{started:?}");
        Ok(())
    }

    #[test]
    fn an_operator_clears_it_and_the_log_says_so_first() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        machine.run_as(AGENT, ["countersign", "run", "--", "id"])?.ok()?;
        machine.run(["systemctl", "stop", "countersignd"])?.ok()?;
        let before = log(&machine)?.len();
        let piped = machine.run(["countersign", "clear", "--reason", "no terminal"])?;
        assert_ne!(piped.code, 0, "only on a terminal: {piped:?}");
        clear(&machine)?;
        machine.run_as(AGENT, ["countersign", "run", "--", "id"])?.ok()?;
        let entries = log(&machine)?;
        let next = entries.get(before).map(ToString::to_string).unwrap_or_default();
        assert!(next.contains("looked at it"), "{next}");
        machine.run(["countersign", "audit", "verify"])?.ok()?;
        Ok(())
    }

    #[test]
    fn an_agent_may_stop_but_not_clear() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        machine.run_as(AGENT, ["countersign", "stop", "--reason", "something is off"])?.ok()?;
        let refused = machine.run_as(AGENT, ["countersign", "run", "--", "id"])?;
        assert!(refused.code == 125 && refused.stderr.contains("something is off"), "{refused:?}");
        let mut terminal = machine.spawn_pty_as(AGENT, ["countersign", "clear", "--reason", "please"])?;
        assert_ne!(terminal.wait(PATIENCE)?.code, 0);
        assert_eq!(machine.run_as(AGENT, ["countersign", "run", "--", "id"])?.code, 125);
        Ok(())
    }

    #[test]
    fn a_restart_drains_and_does_not_latch() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        let mut client = ask(&machine, &["sh", "-c", "touch /etc/begun; sleep 1; exit 9"])?;
        approve_the_waiting(&machine)?;
        until("the job", || Ok((!machine.pids_of("sleep 1").is_empty()).then_some(())))?;
        machine.run(["systemctl", "restart", "countersignd"])?.ok()?;
        assert_eq!(client.wait(PATIENCE)?.code, 9, "the job was allowed to finish");
        machine.run_as(AGENT, ["countersign", "run", "--", "id"])?.ok()?;
        Ok(())
    }

    #[test]
    fn killing_the_front_leaves_no_job_and_a_closed_intent() -> anyhow::Result<()> {
        let (machine, mut client) = with_a_running_job()?;
        machine.run(["systemctl", "kill", "--kill-whom=main", "--signal=KILL", "countersignd"])?.ok()?;
        until("the jobs to end", || Ok((sleepers(&machine) == 0).then_some(())))?;
        assert_eq!(client.wait(PATIENCE)?.code, 127);
        until("a new start", || {
            Ok(machine.run_as(AGENT, ["countersign", "run", "--", "id"])?.success().then_some(()))
        })?;
        let interrupted = log(&machine)?.iter().filter(|entry| entry["ended"] == "interrupted").count();
        assert_eq!(interrupted, 1);
        machine.run(["countersign", "audit", "verify"])?.ok()?;
        Ok(())
    }

    #[test]
    fn a_stop_holds_even_where_the_launcher_hangs() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        machine.run_as(AGENT, ["countersign", "run", "--", "id"])?.ok()?;
        machine
            .run(["pkill", "--signal", "STOP", "--exact", "--full", "/usr/libexec/countersign/countersign-launcher"])?
            .ok()?;
        machine.run(["systemctl", "stop", "countersignd"])?;
        let refused = machine.run_as(AGENT, ["countersign", "run", "--", "id"])?;
        assert_eq!(refused.code, 125, "{refused:?}");
        machine.run(["rm", "/run/countersign/stopped"])?.ok()?;
        let call =
            machine.run_as(AGENT, ["busctl", "introspect", "org.countersign.Broker1", "/org/countersign/Broker1"])?;
        assert!(call.code != 0 && call.duration < AT_ONCE, "{call:?}");
        clear(&machine)?;
        machine.run_as(AGENT, ["countersign", "run", "--", "id"])?.ok()?;
        Ok(())
    }

    #[test]
    fn a_stop_holds_even_where_the_front_hangs() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        machine.run_as(AGENT, ["countersign", "run", "--", "id"])?.ok()?;
        machine.run(["systemctl", "kill", "--kill-whom=main", "--signal=STOP", "countersignd"])?.ok()?;
        machine.run(["systemctl", "stop", "countersignd"])?;
        assert_eq!(machine.run_as(AGENT, ["countersign", "run", "--", "id"])?.code, 125);
        clear(&machine)?;
        machine.run_as(AGENT, ["countersign", "run", "--", "id"])?.ok()?;
        Ok(())
    }

    #[test]
    fn killing_the_launcher_leaves_no_job_either() -> anyhow::Result<()> {
        let (machine, _client) = with_a_running_job()?;
        machine
            .run(["pkill", "--signal", "KILL", "--exact", "--full", "/usr/libexec/countersign/countersign-launcher"])?
            .ok()?;
        until("the jobs to end", || Ok((sleepers(&machine) == 0).then_some(())))?;
        until("a new start", || {
            Ok(machine.run_as(AGENT, ["countersign", "run", "--", "id"])?.success().then_some(()))
        })?;
        machine.run(["countersign", "audit", "verify"])?.ok()?;
        Ok(())
    }
}
