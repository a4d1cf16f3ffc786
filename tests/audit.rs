//! Promise: the log is the owner's alone, cannot be edited in place, and any change of a copy is found and named. SEC-9, SEC-10.

#[cfg(test)]
mod tests {
    use harness::Machine;
    use harness::users::{AGENT, STRANGER};
    use promises::{installed, log};

    const LOG: &str = "/var/lib/countersign/audit.db";

    fn with_entries() -> anyhow::Result<Machine> {
        let machine = installed().boot()?;
        for file in ["/etc/os-release", "/etc/hostname", "/etc/hosts"] {
            machine.run_as(AGENT, ["countersign", "run", "--", "cat", file])?.ok()?;
        }
        Ok(machine)
    }

    #[test]
    fn only_the_owner_reads_the_log() -> anyhow::Result<()> {
        let machine = with_entries()?;
        let modes = machine.run(["stat", "-c", "%a %U", "/var/lib/countersign", LOG])?.ok()?.stdout;
        assert_eq!(modes, "700 _countersign\n600 _countersign\n");
        for user in [AGENT, STRANGER] {
            assert_ne!(machine.run_as(user, ["countersign", "audit", "list"])?.code, 0);
        }
        Ok(())
    }

    #[test]
    fn every_edited_byte_of_an_entry_is_found_and_named() -> anyhow::Result<()> {
        let machine = with_entries()?;
        machine.run(["systemctl", "stop", "countersignd"])?.ok()?;
        let entries = log(&machine)?.len();
        assert!(entries >= 7, "start, three intents, three results: {entries}");
        let script = r#"
import shutil, sqlite3, subprocess, sys
db = "/var/lib/countersign/audit.db"
source = sqlite3.connect(db)
rows = source.execute("select seq, cast(body as blob) from entries order by seq").fetchall()
for seq, body in rows:
    for at in range(0, len(body), max(1, len(body) // 12)):
        copy = "/tmp/copy.db"
        target = sqlite3.connect(copy); source.backup(target)
        target.execute("drop trigger if exists entries_no_update"); target.execute("drop trigger if exists entries_no_delete")
        for (name,) in target.execute("select name from sqlite_master where type='trigger'").fetchall(): target.execute(f"drop trigger {name}")
        changed = bytes([b ^ 1 if i == at else b for i, b in enumerate(body)])
        target.execute("update entries set body = ? where seq = ?", (changed, seq)); target.commit(); target.close()
        run = subprocess.run(["countersign", "audit", "verify", copy], capture_output=True, text=True)
        if run.returncode == 0 or f"entry {seq}" not in run.stdout + run.stderr:
            sys.exit(f"entry {seq} byte {at}: {run}")
print(len(rows))
"#;
        let output = machine.run(["python3", "-c", script])?.ok()?;
        assert_eq!(output.stdout.trim(), entries.to_string());
        Ok(())
    }

    #[test]
    fn the_entries_that_are_asked_for_are_shown_and_no_others() -> anyhow::Result<()> {
        let machine = with_entries()?;
        machine.run_as(AGENT, ["countersign", "run", "--", "rm", "-rf", "/"])?;
        let count = |words: &[&str]| -> anyhow::Result<usize> {
            let all = ["countersign", "audit", "list"].iter().chain(words).copied();
            Ok(machine.run(all)?.ok()?.stdout.lines().count())
        };
        let all = count(&[])?;
        assert!(all >= 9, "start, load, three intents and results, one denial: {all}");
        for (words, expected) in [
            (&["--user", AGENT][..], 7),
            (&["--user", AGENT, "--tier", "t0"], 6),
            (&["--user", "nobody"], 0),
            (&["--verdict", "deny"], 1),
            (&["--code", "Denied", "--text", "RM"], 1),
            (&["--text", "/etc/hostname"], 1),
            (&["--since", "2026", "--user", AGENT], 7),
            (&["--until", "2020-01-01"], 0),
            (&["--last", "2"], 2),
            (&["--user", AGENT, "-n", "1"], 1),
        ] {
            assert_eq!(count(words)?, expected, "{words:?}");
        }
        assert_ne!(machine.run(["countersign", "audit", "list", "--since", "yesterday"])?.code, 0);
        Ok(())
    }

    #[test]
    fn an_export_is_verified_and_an_edited_one_is_not() -> anyhow::Result<()> {
        let machine = with_entries()?;
        machine.run(["sh", "-c", "countersign audit export > /root/log.jsonl"])?.ok()?;
        machine.run(["countersign", "audit", "verify", "/root/log.jsonl"])?.ok()?;
        machine.run(["sed", "-i", "s,/etc/hostname,/etc/hostnamf,", "/root/log.jsonl"])?.ok()?;
        assert_eq!(machine.run(["countersign", "audit", "verify", "/root/log.jsonl"])?.code, 1);
        Ok(())
    }

    #[test]
    fn the_store_itself_refuses_update_and_delete() -> anyhow::Result<()> {
        let machine = with_entries()?;
        for statement in ["update entries set body = body", "delete from entries"] {
            let script =
                format!("import sqlite3; c = sqlite3.connect('{LOG}'); c.execute(\"{statement}\"); c.commit()");
            let output = machine.run(["python3", "-c", &script])?;
            assert_ne!(output.code, 0, "{statement}: {output:?}");
        }
        machine.run(["countersign", "audit", "verify"])?.ok()?;
        Ok(())
    }
}
