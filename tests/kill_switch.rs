//! Promise: a stop works at once, on running jobs too, and only an operator at the machine undoes it. SEC-8.

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use harness::Machine;
    use harness::users::AGENT;
    use promises::{PATIENCE, approve_the_waiting, ask, installed, log, the_waiting, until};

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

    /// A hundred grandchildren, each in a session of its own, whose parents are gone, and who obey no polite signal.
    const TREE: &str = r#"
import os, signal, time
for number in range(100):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for polite in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(polite, signal.SIG_IGN)
            time.sleep(4242)
        os._exit(0)
    os.wait()
signal.pause()
"#;
    /// Waits for the tree, then takes the time from before the words are run (or, without words, from the job's start)
    /// to the moment when the kernel knows none of the processes any more, in milliseconds.
    const WATCH: &str = r#"
import glob, os, select, subprocess, sys, time
def of_the_job():
    for path in glob.glob("/sys/fs/cgroup/**/job-*/cgroup.procs", recursive=True):
        return path, [int(pid) for pid in open(path).read().split()]
    return "", []
path, pids, before = "", [], None
while len(pids) != 101 or pids != before:
    time.sleep(0.02)
    before = pids
    path, pids = of_the_job()
first = min(int(open(f"/proc/{pid}/stat").read().rsplit(")")[1].split()[19]) for pid in pids)
events = open(os.path.dirname(path) + "/cgroup.events")
empty = select.poll()
empty.register(events, select.POLLPRI)
begun = time.clock_gettime(time.CLOCK_BOOTTIME)
if sys.argv[1:]:
    told = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
else:
    begun = first / os.sysconf("SC_CLK_TCK")
try:
    while "populated 1" in events.read():
        empty.poll()
        events.seek(0)
except OSError:
    pass
emptied = time.clock_gettime(time.CLOCK_BOOTTIME)
while any(os.path.exists(f"/proc/{pid}") for pid in pids):
    time.sleep(0.0005)
gone = time.clock_gettime(time.CLOCK_BOOTTIME)
if sys.argv[1:]:
    told.wait()
print(len(pids), round(1000 * (emptied - begun)), round(1000 * (gone - begun)))
"#;

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
        its_end_was_signed(&machine)
    }

    /// A checkpoint covers the last record of the run before this one and nothing after it, and nobody was alarmed.
    fn its_end_was_signed(machine: &Machine) -> anyhow::Result<()> {
        let entries = log(machine)?;
        let end = entries.iter().find(|entry| entry["phase"] == "end" && entry["why"] == "restart");
        let end = end.ok_or_else(|| anyhow::anyhow!("no end: {entries:?}"))?["seq"].to_string();
        let sizes = "import sqlite3; log = sqlite3.connect('/var/lib/countersign/audit.db'); \
                     print(*(size for (size,) in log.execute('SELECT size FROM checkpoints')))";
        let sizes = machine.run(["python3", "-c", sizes])?.ok()?.stdout;
        assert!(sizes.split_whitespace().any(|size| size == end), "{end} of {sizes}");
        let journal = machine.run(["journalctl", "--no-pager", "-u", "countersignd"])?.ok()?.stdout;
        assert!(!journal.contains("cannot be used now"), "{journal}");
        machine.run(["sh", "-c", "countersign audit key > /root/key"])?.ok()?;
        machine.run(["countersign", "audit", "verify", "--key", "/root/key"])?.ok()?;
        Ok(())
    }

    /// A restart that waits for a job which would not end by itself.
    fn draining() -> anyhow::Result<(Machine, harness::Process)> {
        let (machine, client) = with_a_running_job()?;
        machine.run(["systemctl", "restart", "--no-block", "countersignd"])?.ok()?;
        until("the drain", || {
            let refused = machine.run_as(AGENT, ["countersign", "run", "--", "id"])?;
            Ok(refused.stderr.contains("restart").then_some(()))
        })?;
        assert_eq!(sleepers(&machine), 2);
        Ok((machine, client))
    }

    #[test]
    fn a_restart_that_waits_becomes_a_stop() -> anyhow::Result<()> {
        let (machine, _client) = draining()?;
        machine.run(["systemctl", "stop", "countersignd"])?.ok()?;
        assert_eq!(sleepers(&machine), 0);
        assert!(machine.exists("/run/countersign/stopped")?);
        assert_eq!(machine.run_as(AGENT, ["countersign", "run", "--", "id"])?.code, 125);
        Ok(())
    }

    #[test]
    fn a_restart_does_not_wait_for_a_launcher_that_is_gone() -> anyhow::Result<()> {
        let (machine, _client) = draining()?;
        machine
            .run(["pkill", "--signal", "KILL", "--exact", "--full", "/usr/libexec/countersign/countersign-launcher"])?
            .ok()?;
        until("the next run", || {
            Ok(machine.run_as(AGENT, ["countersign", "run", "--", "id"])?.success().then_some(()))
        })?;
        assert_eq!(sleepers(&machine), 0);
        machine.run(["countersign", "audit", "verify"])?.ok()?;
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

    /// From the word to the end of the last of the tree's processes, at most. A host that is busy with other machines may
    /// spoil one measurement, so that one of [`ROUNDS`] has to keep it.
    const GONE_WITHIN: u64 = 50;
    const ROUNDS: usize = 6;

    /// Has the tree run, with further words for `countersign run`; the client, and the request's id.
    fn plant(machine: &Machine, words: &[&str]) -> anyhow::Result<(harness::Process, String)> {
        let line = [&["countersign", "run"], words, &["--", "python3", "-c", TREE]].concat();
        let client = machine.spawn_as(AGENT, line.into_iter().map(str::to_owned).collect::<Vec<_>>())?;
        let id = the_waiting(machine)?;
        approve_the_waiting(machine)?;
        Ok((client, id))
    }

    /// How many processes there were, when their cgroup was empty, and when none of them was left at all.
    fn watch(machine: &Machine, words: &[&str]) -> anyhow::Result<[u64; 3]> {
        let line = [&["python3", "-c", WATCH], words].concat();
        let said = machine.run(line.into_iter().map(str::to_owned).collect::<Vec<_>>())?.ok()?.stdout;
        println!("{words:?}: processes, ms to an empty cgroup, ms to the last pid: {said}");
        let numbers: Vec<u64> = said.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        numbers.try_into().map_err(|_| anyhow::anyhow!("{said}"))
    }

    fn within_the_limit(mut round: impl FnMut() -> anyhow::Result<[u64; 3]>) -> anyhow::Result<()> {
        for _ in 0..ROUNDS {
            let [count, _, gone] = round()?;
            assert!(count == 101, "the whole tree was watched: {count}");
            if gone <= GONE_WITHIN {
                return Ok(());
            }
        }
        anyhow::bail!("in none of {ROUNDS} rounds")
    }

    #[test]
    fn a_tree_of_a_hundred_is_gone_within_50_ms_of_systemctl_stop() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        within_the_limit(|| {
            let (mut client, _) = plant(&machine, &[])?;
            let took = watch(&machine, &["systemctl", "stop", "countersignd"])?;
            assert_eq!(client.wait(PATIENCE)?.code, 125);
            clear(&machine)?;
            Ok(took)
        })
    }

    #[test]
    fn a_tree_of_a_hundred_is_gone_within_50_ms_of_a_stop_on_the_bus() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        within_the_limit(|| {
            let (mut client, _) = plant(&machine, &[])?;
            let took = watch(&machine, &["countersign", "stop", "--reason", "now"])?;
            assert_eq!(client.wait(PATIENCE)?.code, 125);
            let active = || machine.run(["systemctl", "is-active", "--quiet", "countersignd"]);
            until("the end of the unit", || Ok((!active()?.success()).then_some(())))?;
            clear(&machine)?;
            Ok(took)
        })
    }

    #[test]
    fn a_tree_of_a_hundred_is_gone_within_50_ms_of_cancel() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        within_the_limit(|| {
            let (mut client, id) = plant(&machine, &[])?;
            let took = watch(&machine, &["countersign", "cancel", &id])?;
            assert_eq!(client.wait(PATIENCE)?.code, 124);
            Ok(took)
        })
    }

    #[test]
    fn a_tree_of_a_hundred_is_gone_within_50_ms_of_its_time_out() -> anyhow::Result<()> {
        const SECONDS: u64 = 2;
        let machine = installed().boot()?;
        within_the_limit(|| {
            let (mut client, _) = plant(&machine, &["--timeout", &format!("{SECONDS}s")])?;
            let [count, emptied, gone] = watch(&machine, &[])?;
            assert_eq!(client.wait(PATIENCE)?.code, 124);
            assert!(emptied >= SECONDS * 1_000, "not before its time: {emptied}");
            Ok([count, emptied, gone - SECONDS * 1_000])
        })
    }

    #[test]
    fn a_grandchild_that_holds_stdout_keeps_no_call_waiting() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        let mut client = ask(&machine, &["sh", "-c", "setsid setsid sleep 4242 & echo begun; exit 3"])?;
        approve_the_waiting(&machine)?;
        let output = client.wait(PATIENCE)?;
        assert_eq!((output.code, output.stdout.as_str()), (3, "begun\n"));
        assert!(output.duration < PATIENCE / 2 && sleepers(&machine) == 0, "{output:?}");
        Ok(())
    }
}
