//! Promise: whoever dies on the way, nothing runs that should not, no dialog stays open and every record is complete.
//! The same at every single step: `src/front/src/pipeline/tests/faults.rs` and `killed.rs`.

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use harness::users::{ADMIN, AGENT};
    use harness::{Answer, Machine};
    use promises::{PATIENCE, approve_the_waiting, ask, installed, installed_with, log, the_waiting, until, waiting};

    const BUDGETS: &str = "[[grant]]\ngroup = 'countersign'\nceiling = 'T3'\n\
                           budgets = { requests_per_minute = 100000, prompts_per_hour = 100000 }\n";
    /// Starts clients and kills them with SIGKILL after delays from 0 to far more than a request takes to be queued or
    /// to run, for so many seconds; prints how many. Every second one asks for a read, the others for a change.
    const KILLER: &str = r#"
import os, random, signal, subprocess, sys, time
me, seconds = int(sys.argv[1]), float(sys.argv[2])
chance, end, rounds = random.Random(me), time.monotonic() + seconds, 0
while time.monotonic() < end:
    words = ["id"] if rounds % 2 else ["touch", f"/etc/marker-{me}-{rounds}"]
    client = subprocess.Popen(["countersign", "run", "--queue", "--", *words], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(chance.choice([0.004, 0.008, 0.016, 0.03, 0.06, 0.12]) * chance.random())
    client.send_signal(signal.SIGKILL)
    client.wait()
    rounds += 1
print(rounds)
"#;
    const CLIENTS: usize = 4;
    const SECONDS: u64 = 20;

    /// Each request has one record, or an intent and its result; returns how many have.
    fn complete(machine: &Machine) -> anyhow::Result<usize> {
        let entries = log(machine)?;
        let mut ends: Vec<&str> = entries
            .iter()
            .filter(|entry| ["final", "result"].contains(&entry["phase"].as_str().unwrap_or_default()))
            .filter_map(|entry| entry["id"].as_str())
            .collect();
        let intents = entries.iter().filter(|entry| entry["phase"] == "intent");
        for intent in intents {
            let id = intent["id"].as_str().unwrap_or_default();
            anyhow::ensure!(ends.contains(&id), "an intent without a result: {intent}");
        }
        let all = ends.len();
        ends.sort_unstable();
        ends.dedup();
        anyhow::ensure!(ends.len() == all, "a request with two ends");
        machine.run(["countersign", "audit", "verify"])?.ok()?;
        Ok(all)
    }

    fn jobs(machine: &Machine) -> anyhow::Result<String> {
        let found = "find /sys/fs/cgroup -type d -name 'job-*' 2>/dev/null; true";
        Ok(machine.run(["sh", "-c", found])?.ok()?.stdout)
    }

    #[test]
    fn clients_that_are_killed_at_any_moment_leave_nothing_but_complete_records() -> anyhow::Result<()> {
        let machine = installed_with("grants.d/20-many.toml", BUDGETS).boot()?;
        let mut killers = Vec::new();
        for number in 0..CLIENTS {
            let words = ["python3", "-c", KILLER, &number.to_string(), &SECONDS.to_string()].map(str::to_owned);
            killers.push(machine.spawn_as(AGENT, words)?);
        }
        let mut killed = 0_usize;
        for mut killer in killers {
            let said = killer.wait(Duration::from_secs(SECONDS) + PATIENCE)?.ok()?.stdout;
            killed += said.trim().parse::<usize>()?;
        }
        until("the end of all requests", || Ok(waiting(&machine)?.is_empty().then_some(())))?;
        until("the end of all jobs", || Ok(jobs(&machine)?.is_empty().then_some(())))?;
        let recorded = complete(&machine)?;
        println!("{killed} clients were killed, {recorded} of them after their request was there");
        assert!(killed >= 100 && recorded >= killed / 10, "{killed} {recorded}");
        assert!(recorded <= killed, "no request without a client");
        let markers = machine.run(["sh", "-c", "ls /etc/marker-* 2>/dev/null; true"])?.ok()?.stdout;
        assert_eq!(markers, "", "what nobody approved did not run");
        Ok(())
    }

    /// Kills the caller of an open dialog, and ends or halts what else a dialog needs.
    #[test]
    fn a_dialog_ends_with_its_caller_and_with_polkit() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        let told = ["busctl", "monitor", "--match=member='CancelCheckAuthorization'"];
        let mut polkit = machine.spawn_as("root", told)?;
        polkit.stderr()?.expect("Monitoring", PATIENCE)?;
        for round in 0..3 {
            let words = ["countersign".to_owned(), "run".to_owned(), "--".to_owned(), "touch".to_owned()];
            let words = words.into_iter().chain([format!("/etc/marker-{round}")]);
            let mut attended = machine.command(AGENT, words)?.attended()?;
            attended.dialog()?;
            machine.run(["pkill", "--signal", "KILL", "--exact", "--uid", AGENT, "countersign"])?.ok()?;
            polkit.stdout()?.expect("CancelCheckAuthorization", PATIENCE)?;
            until("the end of the request", || Ok(waiting(&machine)?.is_empty().then_some(())))?;
            attended.answer(Answer::Interrupt)?;
            drop(attended);
        }
        let client = ask(&machine, &["touch", "/etc/marker-3"])?;
        let id = the_waiting(&machine)?;
        for signal in ["KILL", "TERM"] {
            let mut attended = machine.command(ADMIN, ["countersign", "approve", &id])?.attended()?;
            attended.dialog()?;
            machine.run(["systemctl", "kill", &format!("--signal={signal}"), "polkit"])?.ok()?;
            let (output, screen) = attended.wait()?;
            assert!(output.code != 0, "{signal}: {output:?} {screen}");
            assert_eq!(the_waiting(&machine)?, id, "the request waits on");
        }
        approve_the_waiting(&machine)?;
        until("the job", || Ok(machine.exists("/etc/marker-3")?.then_some(())))?;
        drop(client);
        let markers = machine.run(["sh", "-c", "ls /etc/marker-*"])?.ok()?.stdout;
        assert_eq!(markers, "/etc/marker-3\n");
        complete(&machine)?;
        Ok(())
    }

    /// The log on a file system of its own, so that it can be filled; nothing but room on it is needed to go on.
    const MOUNT: &str = "[Unit]\nBefore=countersignd.service\n[Mount]\nWhat=tmpfs\nWhere=/var/lib/countersign\nType=tmpfs\n\
        Options=size=40m,mode=0700,uid=_countersign,gid=_countersign\n";
    const ON_ITS_OWN: &str = "[Unit]\nRequires=var-lib-countersign.mount\nAfter=var-lib-countersign.mount\n";

    #[test]
    fn a_disk_that_is_full_when_it_is_approved_lets_nothing_run_and_is_told_of_when_there_is_room() -> anyhow::Result<()>
    {
        let machine = installed()
            .before_boot(|root| {
                let units = root.join("etc/systemd/system");
                std::fs::write(units.join("var-lib-countersign.mount"), MOUNT)?;
                std::fs::create_dir_all(units.join("countersignd.service.d"))?;
                std::fs::write(units.join("countersignd.service.d/mount.conf"), ON_ITS_OWN)?;
                Ok(())
            })
            .boot()?;
        let mut client = ask(&machine, &["touch", "/etc/marker-0"])?;
        let id = the_waiting(&machine)?;
        // The log's journal is emptied when nothing comes for a moment, and then needs room for whatever comes next.
        std::thread::sleep(Duration::from_millis(500));
        let full = "cat /dev/zero > /var/lib/countersign/filler; test -s /var/lib/countersign/filler";
        machine.run(["sh", "-c", full])?.ok()?;
        machine.run(["countersign", "approve", &id])?.ok()?;
        let output = client.wait(PATIENCE)?;
        assert!(output.code == 126 && output.stderr.contains("audit log cannot be written"), "{output:?}");
        let status = machine.run(["countersign", "status", "--json"])?.ok()?.stdout;
        assert!(status.contains("\"amber\"") && !machine.exists("/etc/marker-0")?, "{status}");
        assert!(!log(&machine)?.iter().any(|entry| entry["id"] == id.as_str()), "there is no room for it yet");
        machine.run(["rm", "/var/lib/countersign/filler"])?.ok()?;
        let of_it = until("the request's record", || {
            let of_it = log(&machine)?.into_iter().filter(|entry| entry["id"] == id.as_str()).collect::<Vec<_>>();
            Ok((!of_it.is_empty()).then_some(of_it))
        })?;
        assert!(
            of_it.len() == 1 && of_it[0]["code"] == "AuditUnavailable" && of_it[0]["phase"] == "final",
            "{of_it:?}"
        );
        assert_eq!(of_it[0]["approvers"][0]["uid"], 0, "who approved it is said: {of_it:?}");
        assert!(!machine.exists("/etc/marker-0")? && jobs(&machine)?.is_empty());
        complete(&machine)?;
        let again = machine.run(["countersign", "approve", &id])?;
        assert!(again.code != 0 && !machine.exists("/etc/marker-0")?, "an approval is good for one request: {again:?}");
        Ok(())
    }

    #[test]
    fn the_launchers_end_in_the_middle_of_a_job_is_recorded_at_the_next_start() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        let mut client = ask(&machine, &["sh", "-c", "touch /etc/begun; setsid sleep 4242 & exec sleep 4242"])?;
        approve_the_waiting(&machine)?;
        until("the job", || Ok((machine.pids_of("sleep 4242").len() >= 2).then_some(())))?;
        let launcher = "/usr/libexec/countersign/countersign-launcher";
        machine.run(["pkill", "--signal", "KILL", "--exact", "--full", launcher])?.ok()?;
        assert_ne!(client.wait(PATIENCE)?.code, 0);
        until("the end of the job", || Ok(machine.pids_of("sleep 4242").is_empty().then_some(())))?;
        until("a new start", || {
            Ok(machine.run_as(AGENT, ["countersign", "run", "--", "id"])?.success().then_some(()))
        })?;
        assert!(jobs(&machine)?.lines().count() <= 1, "only that of the last read, if any");
        let entries = log(&machine)?;
        let results = entries.iter().filter(|entry| entry["phase"] == "result").count();
        let said = entries.iter().any(|entry| entry["ended"] == "interrupted" || entry["code"] == "LaunchFailed");
        assert!(said && results == 2, "{entries:?}");
        complete(&machine)?;
        Ok(())
    }
}
