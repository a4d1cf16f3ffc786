//! Promise: the log can be followed, counted and saved while the broker writes it, over closed segments and restarts, and reading
//! is in nobody's way. SEC-10.

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use anyhow::{Context, Result};
    use harness::users::AGENT;
    use harness::{Machine, Process, Signal};
    use promises::{PATIENCE, installed_with, until};
    use serde_json::Value;

    const SMALL: &str = "[audit]\nsegment_records = 8\n";

    fn machine() -> Result<Machine> {
        installed_with("countersign.toml.d/small.toml", SMALL).boot()
    }

    fn read(machine: &Machine, file: &str) -> Result<()> {
        machine.run_as(AGENT, ["countersign", "run", "--", "cat", file])?.ok()?;
        Ok(())
    }

    fn segments(machine: &Machine) -> Result<usize> {
        Ok(machine.run(["sh", "-c", "ls /var/lib/countersign/audit*.db | wc -l"])?.ok()?.stdout.trim().parse()?)
    }

    /// Closes a segment: enough entries, a checkpoint over the last of them, and a moment without any.
    fn close(machine: &Machine) -> Result<()> {
        let before = segments(machine)?;
        for _ in 0..4 {
            read(machine, "/etc/hosts")?;
        }
        until("a closed segment", || {
            machine.run_as(AGENT, ["countersign", "audit", "checkpoint"])?.ok()?;
            // The writer closes it in the first moment without anything to do.
            std::thread::sleep(Duration::from_millis(300));
            Ok(Some(()).filter(|()| segments(machine).is_ok_and(|now| now > before)))
        })
    }

    #[test]
    fn a_segment_closes_while_there_is_always_something_to_write() -> Result<()> {
        let machine = machine()?;
        let load = "while :; do countersign run -- id >/dev/null 2>&1; done";
        let loads: Vec<Process> = (0..2).map(|_| machine.spawn_as(AGENT, ["sh", "-c", load])).collect::<Result<_>>()?;
        until("three closed segments under load", || {
            machine.run_as(AGENT, ["countersign", "audit", "checkpoint"])?.ok()?;
            Ok(Some(()).filter(|()| segments(&machine).is_ok_and(|now| now > 3)))
        })?;
        loads.iter().try_for_each(Process::kill)?;
        machine.run(["sh", "-c", "countersign audit key > /root/key"])?.ok()?;
        machine.run(["countersign", "audit", "verify", "--key", "/root/key"])?.ok()?;
        Ok(())
    }

    fn numbers(text: &str) -> Result<Vec<u64>> {
        let number = |line: &str| -> Result<u64> {
            let entry: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
            entry["seq"].as_u64().context("a number")
        };
        text.lines().map(number).collect()
    }

    fn follow(machine: &Machine, words: &[&str]) -> Result<Process> {
        machine.spawn_as("root", ["countersign", "audit", "tail", "-f", "--json"].iter().chain(words).copied())
    }

    #[test]
    fn a_log_is_followed_over_closed_segments_and_restarts() -> Result<()> {
        let machine = machine()?;
        read(&machine, "/etc/hostname")?;
        let mut tail = follow(&machine, &["-n", "2"])?;
        tail.stdout()?.expect("\"result\"", PATIENCE)?;
        close(&machine)?;
        machine.run(["systemctl", "kill", "--signal=KILL", "countersignd"])?.ok()?;
        until("the broker again", || Ok(read(&machine, "/etc/os-release").ok()))?;
        close(&machine)?;
        machine.run_as(AGENT, ["countersign", "run", "--reason", "the last one", "--", "cat", "/etc/hosts"])?.ok()?;
        tail.stdout()?.expect("the last one", PATIENCE)?;
        tail.stdout()?.expect("\"result\"", PATIENCE)?;
        tail.signal(Signal::INT)?;
        let output = tail.wait(PATIENCE)?.ok()?;
        let followed = numbers(&output.stdout)?;
        let all = numbers(&machine.run(["countersign", "audit", "list", "--json"])?.ok()?.stdout)?;
        assert_eq!(all, (1..=u64::try_from(all.len())?).collect::<Vec<_>>(), "the list has the closed segments too");
        let first = *followed.first().context("nothing")?;
        assert!(first > 1 && followed == all[usize::try_from(first)? - 1..], "{followed:?} of {}", all.len());
        machine.run(["countersign", "audit", "verify"])?.ok()?;
        Ok(())
    }

    #[test]
    fn only_what_is_wanted_is_followed_and_a_reader_that_leaves_ends_it() -> Result<()> {
        let machine = machine()?;
        read(&machine, "/etc/hostname")?;
        let mut tail = follow(&machine, &["--code", "Denied"])?;
        assert_ne!(machine.run_as(AGENT, ["countersign", "run", "--", "rm", "-rf", "/"])?.code, 0);
        read(&machine, "/etc/hosts")?;
        tail.stdout()?.expect("Denied", PATIENCE)?;
        tail.signal(Signal::TERM)?;
        assert_eq!(numbers(&tail.wait(PATIENCE)?.ok()?.stdout)?.len(), 1);
        // The reader of the pipe is gone after one line, and nothing comes that would tell.
        let script = "{ countersign audit tail -f -n 1; echo $? > /run/status; } | head -n 1";
        machine.run(["sh", "-c", script])?.ok()?;
        assert_eq!(machine.read("run/status")?.trim(), "141", "as the signal would have it");
        for user in [AGENT, harness::users::STRANGER] {
            assert_ne!(machine.run_as(user, ["countersign", "audit", "tail"])?.code, 0, "{user}");
        }
        Ok(())
    }

    /// What root keeps elsewhere: the key, and a checkpoint of now.
    fn keep(machine: &Machine) -> Result<()> {
        let script = "countersign audit key > /root/key && countersign audit checkpoint > /root/checkpoint";
        machine.run(["sh", "-c", script])?.ok()?;
        Ok(())
    }

    fn verified(machine: &Machine, directory: &str) -> Result<()> {
        let known = ["--key", "/root/key", "--checkpoint", "/root/checkpoint"];
        machine.run(["countersign", "audit", "verify", directory].into_iter().chain(known))?.ok()?;
        Ok(())
    }

    #[test]
    fn a_backup_is_whole_while_the_broker_writes_or_it_is_not_there() -> Result<()> {
        let machine = machine()?;
        close(&machine)?;
        keep(&machine)?;
        let load = "while :; do countersign run -- cat /etc/hosts > /dev/null; done";
        let load = machine.spawn_as(AGENT, ["sh", "-c", load])?;
        for number in 0..5 {
            let directory = format!("/root/saved-{number}");
            machine.run(["countersign", "audit", "backup", &directory])?.ok()?;
            verified(&machine, &directory)?;
        }
        // Killed at any moment: a whole backup of that name, or none.
        let script = "for ms in 1 2 4 6 8 10 12 14 16 18 20 25 30 40 50 60; do \
            timeout -s KILL 0.0$(printf %02d $ms) countersign audit backup /root/killed-$ms; done 2>/dev/null; :";
        machine.run(["sh", "-c", script])?.ok()?;
        load.kill()?;
        let left = machine.run(["sh", "-c", "ls -d /root/killed-* 2>/dev/null || :"])?.ok()?.stdout;
        for directory in left.lines() {
            verified(&machine, directory)?;
        }
        let modes = machine.run(["sh", "-c", "stat -c '%a %U' /root/saved-0 /root/saved-0/* | sort -u"])?.ok()?.stdout;
        assert_eq!(modes, "600 root\n700 root\n");
        let again = machine.run(["countersign", "audit", "backup", "/root/saved-0"])?;
        assert_eq!(again.code, 120, "{again:?}");
        assert_ne!(machine.run_as(AGENT, ["countersign", "audit", "backup", "/tmp/mine"])?.code, 0);
        verified(&machine, "/var/lib/countersign")?;
        Ok(())
    }

    #[test]
    fn the_journal_finds_a_request_and_explains_it() -> Result<()> {
        let machine = machine()?;
        let receipt = machine.run_as(AGENT, ["countersign", "run", "--json", "--", "cat", "/etc/hosts"])?.ok()?.stdout;
        let id = serde_json::from_str::<Value>(&receipt)?["id"].as_str().context("an id")?.to_owned();
        machine.run_as(AGENT, ["countersign", "run", "--", "rm", "-rf", "/"])?;
        machine.run(["journalctl", "--update-catalog"])?.ok()?;
        let journal = |words: &[&str]| -> Result<String> {
            let words = ["journalctl", "--no-pager"].iter().chain(words).copied();
            Ok(machine.run(words)?.ok()?.stdout)
        };
        let request = format!("COUNTERSIGN_REQUEST={id}");
        let entries = until("both lines", || {
            let lines = journal(&["-o", "json", &request])?;
            let lines = lines.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
            Ok(Some(lines).filter(|lines| lines.len() == 2))
        })?;
        let phases = entries.iter().map(|line| line["COUNTERSIGN_PHASE"].as_str()).collect::<Vec<_>>();
        assert_eq!(phases, [Some("intent"), Some("result")]);
        let number = entries[0]["COUNTERSIGN_ENTRY"].as_str().context("its number")?;
        let entry = machine.run(["countersign", "audit", "show", number, "--json"])?.ok()?.stdout;
        assert_eq!(serde_json::from_str::<Value>(&entry)?["id"], id.as_str());
        let explained = journal(&["-x", &request])?;
        for says in ["A request is about to run", "The run of a request is over", &format!("--text {id}")] {
            assert!(explained.contains(says), "{explained}");
        }
        let denied = journal(&["-x", "-t", "countersignd", "COUNTERSIGN_CODE=Denied"])?;
        assert!(denied.contains("A request is over and nothing ran") && !denied.contains("rm -rf"), "{denied}");
        assert_eq!(journal(&["-q", "COUNTERSIGN_REQUEST=00000000000000000000000000000000"])?, "");
        Ok(())
    }

    #[test]
    fn the_log_is_counted_while_it_is_written() -> Result<()> {
        let machine = machine()?;
        close(&machine)?;
        machine.run_as(AGENT, ["countersign", "run", "--", "rm", "-rf", "/"])?;
        let stats = |words: &[&str]| -> Result<Value> {
            let words = ["countersign", "audit", "stats", "--json"].iter().chain(words).copied();
            Ok(serde_json::from_str(&machine.run(words)?.ok()?.stdout)?)
        };
        let all = stats(&[])?;
        let entries = numbers(&machine.run(["countersign", "audit", "list", "--json"])?.ok()?.stdout)?.len();
        assert_eq!(all["wanted"]["entries"], entries, "{all}");
        assert_eq!(all["wanted"]["phases"]["request intent"], all["wanted"]["phases"]["request result"], "{all}");
        assert_eq!(all["wanted"]["codes"]["Denied"], 1, "{all}");
        assert_eq!(all["wanted"]["tiers"]["deny"], 1, "{all}");
        assert_eq!(all["log"]["segments"], segments(&machine)?, "{all}");
        let signed = (&all["log"]["checkpoint"]["entries"], &all["log"]["checkpoint"]["after"]);
        assert_eq!(
            signed.0.as_u64().zip(signed.1.as_u64()).map(|(signed, after)| signed + after),
            all["log"]["last"].as_u64()
        );
        assert_eq!(
            stats(&["--user", AGENT, "--tier", "T0"])?["wanted"]["verdicts"]["allow"],
            all["wanted"]["tiers"]["T0"]
        );
        assert_eq!(stats(&["--until", "2020"])?["wanted"]["entries"], 0);
        assert_eq!(stats(&["-n", "3"])?["wanted"]["entries"], 3);
        let text = machine.run(["countersign", "audit", "stats"])?.ok()?.stdout;
        assert!(text.contains("codes      Denied: 1\n"), "{text}");
        assert_ne!(machine.run_as(AGENT, ["countersign", "audit", "stats"])?.code, 0);
        Ok(())
    }
}
