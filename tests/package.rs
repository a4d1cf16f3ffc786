//! Promise: the Debian package installs a broker that works, an upgrade lets running jobs end, removing
//! it ends everything and leaves the log, and purging leaves nothing. No program in it is setuid. A job cannot upgrade it.

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use anyhow::{Context as _, bail};
    use harness::Machine;
    use harness::users::AGENT;
    use promises::{PATIENCE, approve_the_waiting, ask, binaries, checkout, until};

    /// Where the machine finds the package.
    const PACKAGE: &str = "/root/countersign.deb";
    /// What the rules deny when it is written out.
    const REMOVE: [&str; 3] = ["sh", "-c", "name=countersign; dpkg --remove $name"];

    #[expect(clippy::disallowed_methods, reason = "the package is built on the host, by the command that people use")]
    fn build(directory: &Path) -> anyhow::Result<PathBuf> {
        let output = Command::new("make")
            .args(["--silent", "-C"])
            .arg(checkout())
            .arg("package")
            .arg(format!("RELEASE={}", binaries()?.display()))
            .arg(format!("STAGE={}", directory.join("stage").display()))
            .arg(format!("PACKAGES_TO={}", directory.display()))
            .output()?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr));
        }
        let mut files = std::fs::read_dir(directory)?.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        files.find(|path| path.extension().is_some_and(|end| end == "deb")).context("no package")
    }

    fn with_the_package() -> anyhow::Result<Machine> {
        let directory = tempfile::tempdir()?;
        let package = build(directory.path())?;
        let put = move |root: &Path| Ok(std::fs::copy(&package, root.join(PACKAGE.trim_start_matches('/'))).map(drop)?);
        let machine = Machine::builder().before_boot(put).boot()?;
        machine.run(["dpkg", "--install", PACKAGE])?.ok()?;
        machine.run(["gpasswd", "--add", AGENT, "countersign"])?.ok()?;
        Ok(machine)
    }

    fn is_there(machine: &Machine, path: &str) -> anyhow::Result<bool> {
        Ok(machine.run(["test", "-e", path])?.success())
    }

    #[test]
    fn installed_it_works_and_nothing_in_it_is_setuid() -> anyhow::Result<()> {
        let machine = with_the_package()?;
        let ran = machine.run_as(AGENT, ["countersign", "run", "--", "id", "-un"])?.ok()?;
        assert_eq!(ran.stdout.trim(), "_countersign-observe");
        machine.run(["dpkg", "--verify", "countersign"])?.ok()?;
        let files = machine.run(["dpkg", "--listfiles", "countersign"])?.ok()?.stdout;
        assert!(files.lines().count() > 50, "{files}");
        let mut find = vec!["find"];
        find.extend(files.lines().filter(|path| *path != "/."));
        let special = [find.as_slice(), &["-maxdepth", "0", "-type", "f", "-perm", "/6000"]].concat();
        assert_eq!(machine.run(special)?.ok()?.stdout, "");
        let capable = [vec!["getcap"], files.lines().filter(|path| *path != "/.").collect()].concat();
        assert_eq!(machine.run(capable)?.ok()?.stdout, "");
        Ok(())
    }

    #[test]
    fn an_upgrade_lets_a_job_that_runs_end_in_its_own_time() -> anyhow::Result<()> {
        let machine = with_the_package()?;
        let mut client =
            ask(&machine, &["sh", "-c", "touch /srv/begun; while test ! -e /srv/enough; do sleep 0.1; done"])?;
        approve_the_waiting(&machine)?;
        until("the job's start", || Ok(is_there(&machine, "/srv/begun")?.then_some(())))?;
        machine.run(["dpkg", "--install", PACKAGE])?.ok()?;
        machine.run(["touch", "/srv/enough"])?.ok()?;
        client.wait(PATIENCE)?.ok()?;
        until("the new broker", || {
            Ok(machine.run_as(AGENT, ["countersign", "run", "--", "id"])?.success().then_some(()))
        })?;
        machine.run(["countersign", "audit", "verify"])?.ok()?;
        Ok(())
    }

    /// Its own files are write-protected for jobs, so dpkg would fail half-way; and a stop would end a removal half-way.
    #[test]
    fn neither_upgrade_nor_removal_begins_in_a_job() -> anyhow::Result<()> {
        let machine = with_the_package()?;
        for (words, said) in
            [(["dpkg", "--install", PACKAGE], "not upgraded through itself"), (REMOVE, "not removed through itself")]
        {
            let mut client = ask(&machine, &words)?;
            approve_the_waiting(&machine)?;
            let ended = client.wait(PATIENCE)?;
            assert!(ended.code == 1 && ended.stderr.contains(said), "{ended:?}");
            let state = ["dpkg-query", "--show", "--showformat=${db:Status-Abbrev}", "countersign"];
            // What dpkg was asked for comes first, then what is: installed, whole.
            assert_eq!(machine.run(state)?.ok()?.stdout.trim().get(1..), Some("i"), "{words:?}");
            machine.run(["dpkg", "--verify", "countersign"])?.ok()?;
            machine.run_as(AGENT, ["countersign", "run", "--", "id"])?.ok()?;
        }
        Ok(())
    }

    #[test]
    fn removing_it_ends_it_and_keeps_the_log_and_purging_leaves_nothing() -> anyhow::Result<()> {
        let machine = with_the_package()?;
        machine.run_as(AGENT, ["countersign", "run", "--", "id"])?.ok()?;
        machine.run(["dpkg", "--remove", "countersign"])?.ok()?;
        until(
            "its end",
            || Ok((!machine.processes().iter().any(|p| p.command.contains("countersign"))).then_some(())),
        )?;
        assert!(is_there(&machine, "/var/lib/countersign")? && !is_there(&machine, "/usr/bin/countersign")?);
        machine.run(["dpkg", "--purge", "countersign"])?.ok()?;
        for path in ["/var/lib/countersign", "/var/lib/countersign-launcher", "/run/countersign", "/etc/countersign"] {
            assert!(!is_there(&machine, path)?, "{path}");
        }
        Ok(())
    }
}
