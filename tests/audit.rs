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
