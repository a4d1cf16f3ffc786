//! Promise: whatever is killed at whatever moment, and wherever the log's disk ends, the log is whole, has the intent of
//! every job that ran, and nothing runs that it cannot hold. SEC-9, SEC-10.

#[cfg(test)]
mod tests {
    use std::path::Path;

    use anyhow::Context;
    use harness::users::{AGENT, STRANGER};
    use harness::{Machine, Output};
    use promises::{installed_with, log, until};
    use serde_json::Value;

    /// Also for reads by a second user, whose latch does not stop the first.
    const GRANTS: &str = "[[grant]]\nuser = 'agent'\nceiling = 'T1'\nauto = 'T1'\n\
        budgets = { requests_per_minute = 6000, job_seconds_per_hour = 200000 }\n\
        [[grant]]\nuser = 'stranger'\nceiling = 'T0'\nauto = 'T0'\nbudgets = { requests_per_minute = 6000, job_seconds_per_hour = 200000 }\n";
    /// The broker may be started as often as it dies, and at once.
    const NO_LIMIT: &str = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestartSec=1ms\n";
    /// The log's writer by itself is killed two hundred times, each of which counts (`src/audit/src/tests/power.rs`).
    const MOMENTS: usize = 100;
    /// What a busy host must manage of them in its time.
    const LEAST: usize = 12;

    /// Jobs that leave a mark and jobs that read, until the file is gone. The latch is cleared, so that nobody is asked.
    const LOAD: &str = "touch /run/load
        (while test -e /run/load; do timeout 5 runuser -u stranger -- countersign run -- cat /etc/hostname; done) &
        n=0; while test -e /run/load; do n=$((n+1))
            timeout 5 runuser -u agent -- countersign run -- touch /etc/mark-$n
            timeout 5 countersign taint clear agent --reason load
        done; wait";

    /// Kills front, launcher or both at moments that nobody chose, each time after the broker was there again.
    const KILL: &str = r#"
import os, random, signal, sys, time
def pids(path):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/exe") == path: found.append(int(pid))
        except OSError: pass
    return found
PARTS = ["/usr/libexec/countersign/countersignd", "/usr/libexec/countersign/countersign-launcher"]
end, done = time.monotonic() + 35, 0
while done < int(sys.argv[1]) and time.monotonic() < end:
    parts = random.choice([PARTS[:1], PARTS[1:], PARTS])
    # Most moments are moments of work, which leaves a mark, some are moments of a start.
    before, wait = os.listdir("/etc"), time.monotonic() + random.choice([0.2, 3, 3, 3])
    while time.monotonic() < wait and os.listdir("/etc") == before: time.sleep(0.005)
    time.sleep(random.random() * 0.1)
    hit = [pid for part in parts for pid in pids(part)]
    for pid in hit:
        try: os.kill(pid, signal.SIGKILL)
        except ProcessLookupError: pass
    done += bool(hit)
    time.sleep(0.05)
os.remove("/run/load")
print(done)
"#;

    fn drop_in(root: &Path, name: &str, content: &str) -> anyhow::Result<()> {
        let directory = root.join("etc/systemd/system/countersignd.service.d");
        std::fs::create_dir_all(&directory)?;
        std::fs::write(directory.join(name), content).context("drop-in")
    }

    /// A second caller: the latch of the first does not stop its reads.
    fn admit(machine: &Machine) -> anyhow::Result<()> {
        machine.run(["gpasswd", "--add", STRANGER, "countersign"])?.ok()?;
        Ok(())
    }

    fn read(machine: &Machine) -> anyhow::Result<Output> {
        machine.run_as(STRANGER, ["countersign", "run", "--", "cat", "/etc/hostname"])
    }

    fn phase<'a>(entries: &'a [Value], phase: &'a str) -> impl Iterator<Item = &'a Value> {
        entries.iter().filter(move |entry| entry["phase"] == phase)
    }

    #[test]
    fn killed_at_any_moment_the_log_is_whole_and_has_every_job_that_ran() -> anyhow::Result<()> {
        let builder = installed_with("grants.d/10-group.toml", GRANTS);
        let machine = builder.before_boot(|root| drop_in(root, "limit.conf", NO_LIMIT)).boot()?;
        admit(&machine)?;
        read(&machine)?.ok()?;
        let mut load = machine.spawn_as("root", ["sh", "-c", LOAD])?;
        let mut killer = machine.spawn_as("root", ["python3", "-c", KILL, &MOMENTS.to_string()])?;
        let killed = killer.wait(std::time::Duration::from_secs(60))?.ok()?.stdout;
        load.wait(promises::PATIENCE)?;
        machine.run(["systemctl", "kill", "--kill-whom=main", "--signal=KILL", "countersignd"])?;
        until("a new start", || Ok(read(&machine)?.success().then_some(())))?;
        machine.run(["countersign", "audit", "verify"])?.ok()?;

        let entries = log(&machine)?;
        let intents: Vec<&Value> = phase(&entries, "intent").collect();
        let marks = machine.run(["sh", "-c", "ls /etc | grep ^mark-"])?.stdout;
        println!("{} kills, {} entries, {} marks", killed.trim(), entries.len(), marks.lines().count());
        for mark in marks.lines() {
            let path = format!("/etc/{mark}");
            assert_eq!(intents.iter().filter(|intent| intent["argv"][1] == *path).count(), 1, "{path}");
        }
        for intent in &intents {
            assert_eq!(phase(&entries, "result").filter(|result| result["id"] == intent["id"]).count(), 1, "{intent}");
        }
        let interrupted = entries.iter().filter(|entry| entry["ended"] == "interrupted").count();
        assert!(interrupted > 0 && marks.lines().count() > 5, "the moments were moments of work: {interrupted}");
        assert!(killed.trim().parse::<usize>()? >= LEAST, "{killed}");
        Ok(())
    }

    /// The state directory as a file system of its own, so that it can be filled.
    const MOUNT: &str = "[Unit]\nBefore=countersignd.service\n[Mount]\nWhat=tmpfs\nWhere=/var/lib/countersign\nType=tmpfs\n\
        Options=size=24m,mode=0700,uid=_countersign,gid=_countersign\n";
    const ON_ITS_OWN: &str = "[Unit]\nRequires=var-lib-countersign.mount\nAfter=var-lib-countersign.mount\n";

    fn state(machine: &Machine) -> anyhow::Result<Value> {
        let output = machine.run(["countersign", "status", "--json"])?;
        Ok(serde_json::from_str::<Value>(&output.stdout).with_context(|| format!("{output:?}"))?["state"].clone())
    }

    #[test]
    fn a_full_disk_lets_nothing_run_and_room_on_it_needs_no_restart() -> anyhow::Result<()> {
        let builder = installed_with("grants.d/10-group.toml", GRANTS).before_boot(|root| {
            std::fs::write(root.join("etc/systemd/system/var-lib-countersign.mount"), MOUNT)?;
            drop_in(root, "mount.conf", ON_ITS_OWN)
        });
        let machine = builder.boot()?;
        admit(&machine)?;
        read(&machine)?.ok()?;
        assert_eq!(state(&machine)?, "green");
        let pid = || machine.run(["systemctl", "show", "--value", "--property=MainPID", "countersignd"])?.ok();
        let before = pid()?.stdout;
        machine
            .run(["sh", "-c", "cat /dev/zero > /var/lib/countersign/filler; test -s /var/lib/countersign/filler"])?
            .ok()?;
        let refused = until("a refusal", || {
            let output = machine.run_as(STRANGER, ["countersign", "run", "--json", "--", "cat", "/etc/hostname"])?;
            Ok(output.stdout.contains("AuditUnavailable").then_some(output))
        })?;
        assert_eq!(refused.code, 126, "{refused:?}");
        assert_ne!(machine.run_as(AGENT, ["countersign", "run", "--", "touch", "/etc/not-this"])?.code, 0);
        assert!(!machine.exists("/etc/not-this")?);
        assert_eq!(state(&machine)?, "amber");
        machine.run(["rm", "/var/lib/countersign/filler"])?.ok()?;
        until("a read", || Ok(read(&machine)?.success().then_some(())))?;
        assert_eq!(pid()?.stdout, before, "it is the same process");
        machine.run(["countersign", "audit", "verify"])?.ok()?;
        Ok(())
    }

    #[test]
    fn a_log_that_cannot_be_written_lets_nothing_run_until_it_can() -> anyhow::Result<()> {
        let builder = installed_with("grants.d/10-group.toml", GRANTS).before_boot(|root| {
            std::fs::write(root.join("etc/systemd/system/var-lib-countersign.mount"), MOUNT)?;
            drop_in(root, "limit.conf", NO_LIMIT)?;
            drop_in(root, "mount.conf", ON_ITS_OWN)
        });
        let machine = builder.boot()?;
        admit(&machine)?;
        read(&machine)?.ok()?;
        // With a file that is open for writing no file system becomes read-only, so it dies and comes back to one.
        let remount = "systemctl kill --kill-whom=all --signal=KILL countersignd
            until mount -o remount,ro /var/lib/countersign; do sleep 0.005; done";
        machine.run(["sh", "-c", remount])?.ok()?;
        for _ in 0..3 {
            let refused = machine.run_as(AGENT, ["countersign", "run", "--", "touch", "/etc/not-this"])?;
            assert!(refused.code >= 120, "{refused:?}");
            assert!(!machine.exists("/etc/not-this")?);
        }
        let journal = machine.run(["journalctl", "--unit=countersignd", "--no-pager"])?.stdout;
        assert!(journal.contains("the audit log cannot be opened: the log may not be written"), "{journal}");
        machine.run(["mount", "-o", "remount,rw", "/var/lib/countersign"])?.ok()?;
        until("a read", || Ok(read(&machine)?.success().then_some(())))?;
        machine.run(["countersign", "audit", "verify"])?.ok()?;
        Ok(())
    }
}
