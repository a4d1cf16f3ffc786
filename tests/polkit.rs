//! Promise: what polkit does not clearly say is no yes, and a polkit that is slow, halted or lies holds up nothing that does
//! not need it. SEC-11, SEC-17.

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::time::{Duration, Instant};

    use harness::users::{ADMIN, ADMIN_PASSWORD, AGENT};
    use harness::{Answer, Machine, Process};
    use promises::{PATIENCE, ask, installed, installed_with, log, the_waiting, until, waiting};

    /// Owns polkit's name in a machine without polkit; see there for what it answers.
    const LIAR: &str = include_str!("data/lying-polkit.py");
    const MAY_OWN: &str =
        "<busconfig><policy user='root'><allow own='org.freedesktop.PolicyKit1'/></policy></busconfig>";
    /// What says yes without saying it right. The right members without the struct around them are no lie: the bus library
    /// cannot tell the two apart, and they say the same.
    const LIES: [&str; 11] = [
        "text",
        "nothing",
        "truth-alone",
        "numbers",
        "other-values",
        "a-list",
        "one-truth-too-many",
        "variant",
        "neither",
        "strange-error",
        "error-that-says-yes",
    ];
    /// What never comes.
    const SILENT: [&str; 2] = ["to-another-call", "silence"];
    /// Nothing that polkit has no part in takes longer.
    const AT_ONCE: Duration = Duration::from_secs(2);

    fn with_a_liar() -> anyhow::Result<Machine> {
        let machine = installed().before_boot(|root| {
            symlink("/dev/null", root.join("etc/systemd/system/polkit.service"))?;
            std::fs::write(root.join("etc/dbus-1/system.d/liar.conf"), MAY_OWN)?;
            std::fs::write(root.join("etc/liar.py"), LIAR)?;
            Ok(())
        });
        machine.boot()
    }

    /// Has the liar answer so, from now on: the check without a dialog, and the check with one. One that sends what is no
    /// message at all is thrown off the bus, so each lie has its own.
    fn lies(machine: &Machine, first: &str, second: &str) -> anyhow::Result<Process> {
        machine.write("/run/lie", format!("{first} {second}\n"))?;
        let liar = machine.spawn_as("root", ["python3", "/etc/liar.py", "/run/dbus/system_bus_socket", "/run/lie"])?;
        let owned = ["busctl", "call", "org.freedesktop.DBus", "/", "org.freedesktop.DBus", "NameHasOwner", "s"];
        until("polkit's name to be owned", || {
            let said = machine.run(owned.iter().chain(&["org.freedesktop.PolicyKit1"]).copied())?.ok()?;
            Ok(said.stdout.contains("true").then_some(()))
        })?;
        Ok(liar)
    }

    /// Has a request made, lied about in place and from the queue, and taken back; nobody approved it.
    fn nothing_runs(machine: &Machine, first: &str, second: &str) -> anyhow::Result<()> {
        let mut liar = lies(machine, first, second)?;
        let mut client = ask(machine, &["touch", "/etc/x"])?;
        let id = the_waiting(machine)?;
        let mut approve = machine.spawn_as("root", ["countersign", "approve", &id])?;
        // To a check with a dialog, for which people may take their time, polkit may be silent for ever.
        let answers = !SILENT.contains(&second) || first == second;
        if answers {
            let approved = approve.wait(PATIENCE)?;
            assert_ne!(approved.code, 0, "{first} {second}: {approved:?}");
            assert_eq!(the_waiting(machine)?, id, "{first} {second}: it waits on");
        }
        let begun = Instant::now();
        machine.run_as(AGENT, ["countersign", "cancel", &id])?.ok()?;
        assert_eq!(client.wait(PATIENCE)?.code, 123, "{first} {second}");
        assert!(begun.elapsed() < AT_ONCE, "{first} {second}: {:?}", begun.elapsed());
        if !answers {
            assert_ne!(approve.wait(PATIENCE)?.code, 0, "{first} {second}");
        }
        assert!(!machine.exists("/etc/x")?, "{first} {second}");
        let said = liar.kill_and_collect(0)?.stdout;
        assert!(said.contains(first) && (first != "challenge" || said.contains(second)), "it was asked: {said}");
        Ok(())
    }

    #[test]
    fn a_polkit_that_lies_about_types_is_not_believed() -> anyhow::Result<()> {
        let machine = with_a_liar()?;
        for lie in LIES.into_iter().chain(SILENT) {
            nothing_runs(&machine, lie, lie)?;
        }
        for lie in LIES.into_iter().chain(SILENT) {
            nothing_runs(&machine, "challenge", lie)?;
        }
        let entries = log(&machine)?;
        let ends: Vec<_> = entries.iter().filter(|entry| entry["phase"] == "final").collect();
        assert_eq!(ends.len(), 2 * (LIES.len() + SILENT.len()), "one record each");
        for end in ends {
            let approvers = end["approvers"].as_array().map_or(0, Vec::len);
            assert!(end["code"] == "Cancelled" && approvers == 0, "{end}");
        }
        assert!(!entries.iter().any(|entry| entry["phase"] == "intent"));
        // The same process, the same call, and the truth.
        let _liar = lies(&machine, "yes", "yes")?;
        let mut client = machine.spawn_as(AGENT, ["countersign", "run", "--queue", "--", "touch", "/etc/x"])?;
        let id = the_waiting(&machine)?;
        machine.run(["countersign", "approve", &id])?.ok()?;
        client.wait(PATIENCE)?.ok()?;
        assert!(machine.exists("/etc/x")?);
        Ok(())
    }

    fn signal(machine: &Machine, signal: &str) -> anyhow::Result<()> {
        machine.run(["systemctl", "kill", &format!("--signal={signal}"), "polkit"])?.ok()?;
        Ok(())
    }

    /// What must not wait for polkit does not.
    fn the_rest_works_at_once(machine: &Machine) -> anyhow::Result<()> {
        for words in [&["status"][..], &["run", "--", "id"], &["plan", "--", "touch", "/etc/x"], &["requests"]] {
            let begun = Instant::now();
            machine.run_as(AGENT, ["countersign"].iter().chain(words).copied())?.ok()?;
            assert!(begun.elapsed() < AT_ONCE, "{words:?}: {:?}", begun.elapsed());
        }
        let begun = Instant::now();
        machine.run_as(AGENT, ["countersign", "run", "--no-wait", "--", "touch", "/etc/y"])?.ok()?;
        let listed = machine.run_as(AGENT, ["countersign", "requests", "--json"])?.ok()?.stdout;
        let listed: Vec<serde_json::Value> = serde_json::from_str(&listed)?;
        let id = listed.iter().find(|request| request["command"] == "touch /etc/y").and_then(|one| one["id"].as_str());
        machine.run_as(AGENT, ["countersign", "cancel", id.unwrap_or_default()])?.ok()?;
        assert!(begun.elapsed() < AT_ONCE, "a request and its cancelling: {:?}", begun.elapsed());
        Ok(())
    }

    fn ended_as(machine: &Machine, id: &str, code: &str) -> anyhow::Result<()> {
        let entries = log(machine)?;
        let of_it: Vec<_> = entries.iter().filter(|entry| entry["id"] == id).collect();
        assert!(of_it.len() == 1 && of_it[0]["code"] == code && of_it[0]["phase"] == "final", "{of_it:?}");
        Ok(())
    }

    #[test]
    fn a_polkit_that_is_halted_or_slow_holds_up_nothing_else() -> anyhow::Result<()> {
        let machine = installed_with("countersign.toml.d/50-test.toml", "approval.expiry_s = 9\n").boot()?;
        machine.run(["systemctl", "start", "polkit"])?.ok()?;
        // Halted before a dialog opens: nobody can be asked, in place or from the queue, and the deadline holds.
        signal(&machine, "STOP")?;
        let mut client = ask(&machine, &["touch", "/etc/x"])?;
        let id = the_waiting(&machine)?;
        let mut approve = machine.spawn_as("root", ["countersign", "approve", &id])?;
        the_rest_works_at_once(&machine)?;
        let approved = approve.wait(PATIENCE)?;
        assert!(approved.code == 123 && approved.stderr.contains("polkit did not answer"), "{approved:?}");
        assert!(client.is_running()?, "it waits on");
        assert_eq!(client.wait(PATIENCE)?.code, 123);
        ended_as(&machine, &id, "Expired")?;

        // Halted for less than the patience that it is given: slow, and right in the end.
        let mut client = ask(&machine, &["touch", "/etc/slow"])?;
        let id = the_waiting(&machine)?;
        let mut approve = machine.spawn_as("root", ["countersign", "approve", &id])?;
        std::thread::sleep(Duration::from_secs(2));
        assert!(approve.is_running()? && !machine.exists("/etc/slow")?);
        signal(&machine, "CONT")?;
        approve.wait(PATIENCE)?.ok()?;
        client.wait(PATIENCE)?.ok()?;
        assert!(machine.exists("/etc/slow")?);

        // Halted while a dialog is open: the request ends when it must, and a yes that comes after that is none.
        let mut client = ask(&machine, &["touch", "/etc/x"])?;
        let id = the_waiting(&machine)?;
        let mut attended = machine.command(ADMIN, ["countersign", "approve", &id])?.attended()?;
        attended.dialog()?;
        signal(&machine, "STOP")?;
        attended.answer(Answer::Password(ADMIN_PASSWORD))?;
        the_rest_works_at_once(&machine)?;
        assert_eq!(client.wait(PATIENCE)?.code, 123);
        ended_as(&machine, &id, "Expired")?;
        signal(&machine, "CONT")?;
        let (output, screen) = attended.wait()?;
        assert!(output.code != 0, "{output:?} {screen}");
        assert!(!machine.exists("/etc/x")?);

        // And so does a stop, while one is open and polkit does not move.
        let mut client = ask(&machine, &["touch", "/etc/x"])?;
        let id = the_waiting(&machine)?;
        let mut attended = machine.command(ADMIN, ["countersign", "approve", &id])?.attended()?;
        attended.dialog()?;
        signal(&machine, "STOP")?;
        let begun = Instant::now();
        machine.run_as(AGENT, ["countersign", "stop"])?.ok()?;
        assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
        assert_eq!(client.wait(PATIENCE)?.code, 125);
        until("the end of the unit", || {
            let said = machine.run(["systemctl", "is-active", "countersignd"])?.stdout;
            Ok((said.trim() != "active").then_some(()))
        })?;
        ended_as(&machine, &id, "Stopped")?;
        signal(&machine, "CONT")?;
        assert!(attended.wait()?.0.code != 0 && !machine.exists("/etc/x")?);
        assert!(waiting(&machine).is_err(), "it is stopped");
        Ok(())
    }
}
