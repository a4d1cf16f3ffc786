//! Promise: what a rule asks of the machine is looked at on the machine, before anybody is asked, again before the run, and
//! after it; and a rule for another kind of host is refused with a code and a sentence of its own. SEC-5.

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, Result};
    use harness::Machine;
    use harness::users::{ADMIN, AGENT};
    use promises::{
        PATIENCE, approve_the_waiting, ask, installed, installed_with, last_entry, the_waiting, until, waiting,
    };
    use serde_json::Value;

    /// What the agent's request answers in JSON, and its exit status.
    fn answer(machine: &Machine, words: &[&str]) -> Result<(i32, Value)> {
        let words = ["countersign", "run", "--json", "--no-wait", "--"].iter().chain(words).copied();
        let output = machine.run_as(AGENT, words.collect::<Vec<_>>())?;
        let json = serde_json::from_str(&output.stdout).with_context(|| format!("{output:?}"))?;
        Ok((output.code, json))
    }

    /// The code of a plan, which leaves nothing behind.
    fn planned(machine: &Machine, words: &[&str]) -> Result<String> {
        let words = ["countersign", "plan", "--json", "--"].iter().chain(words).copied();
        let plan: Value = serde_json::from_str(&machine.run_as(AGENT, words.collect::<Vec<_>>())?.ok()?.stdout)?;
        Ok(plan["code"].as_str().unwrap_or_default().to_owned())
    }

    /// Refused because of a condition, with a sentence that says this, one record, and nobody asked.
    fn is_unmet(machine: &Machine, words: &[&str], says: &str) -> Result<()> {
        let (status, json) = answer(machine, words)?;
        let said = json.to_string();
        assert!(status == 126 && said.contains("Unmet") && said.contains(says), "{words:?}: {status} {said}");
        let entry = last_entry(machine)?;
        assert_eq!((&entry["phase"], &entry["code"]), (&"final".into(), &"Unmet".into()), "{entry}");
        assert!(waiting(machine)?.is_empty(), "{words:?}");
        Ok(())
    }

    /// Waits for a human, who is then not needed.
    fn waits(machine: &Machine, words: &[&str]) -> Result<()> {
        let client = ask(machine, words)?;
        the_waiting(machine)?;
        client.kill()?;
        until("the request to go", || Ok(waiting(machine)?.is_empty().then_some(())))
    }

    /// Asked, approved by root, and over: exit status and what was said.
    fn approved(machine: &Machine, words: &[&str]) -> Result<(i32, String)> {
        let mut client = ask(machine, words)?;
        let id = the_waiting(machine)?;
        machine.run(["countersign", "approve", &id])?.ok()?;
        let output = client.wait(PATIENCE)?;
        Ok((output.code, output.stderr))
    }

    const HOLDS: &str = "import fcntl, sys\nf = open('/var/lib/dpkg/lock-frontend', 'w')\nfcntl.lockf(f, fcntl.LOCK_EX)\nprint('held', flush=True)\nsys.stdin.read()";

    #[test]
    fn another_package_manager_at_work_is_seen_before_anybody_is_asked() -> Result<()> {
        let machine = installed()
            .before_boot(|root| {
                // The host's own file shows through until somebody writes to it, and is another one from then on.
                for lock in ["lock", "lock-frontend"] {
                    std::fs::write(root.join("var/lib/dpkg").join(lock), "")?;
                }
                Ok(())
            })
            .boot()?;
        let words = ["apt-get", "install", "-y", "hello"];
        waits(&machine, &words)?;
        let mut holder = machine.spawn_as("root", ["python3", "-c", HOLDS])?;
        until("the lock to be seen", || Ok((planned(&machine, &words)? == "Unmet").then_some(())))?;
        is_unmet(&machine, &words, "no-dpkg-lock")?;
        is_unmet(&machine, &["dpkg", "--configure", "-a"], "holds it")?;
        waits(&machine, &["apt-get", "clean"])?;
        let read = machine.run_as(AGENT, ["countersign", "run", "--", "apt-cache", "policy", "dpkg"])?;
        assert_eq!(read.code, 0, "reads are not in its way: {read:?}");
        assert!(holder.is_running()?);
        holder.kill()?;
        until("the lock to go", || Ok((planned(&machine, &words)? == "NeedsApproval").then_some(())))?;
        waits(&machine, &words)
    }

    fn unit(root: &std::path::Path, name: &str, lines: &str) -> Result<()> {
        Ok(std::fs::write(root.join("etc/systemd/system").join(name), lines)?)
    }

    #[test]
    fn a_service_that_did_not_come_up_has_drifted_although_systemctl_is_content() -> Result<()> {
        let machine = installed()
            .before_boot(|root| {
                unit(root, "well.service", "[Service]\nExecStart=/bin/sleep 1000\nExecReload=/bin/true\n")?;
                unit(root, "once.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n")?;
                let never = "[Unit]\nConditionPathExists=/never\n[Service]\nExecStart=/bin/sleep 1000\n";
                unit(root, "never.service", never)
            })
            .boot()?;
        is_unmet(&machine, &["systemctl", "reload", "well"], "it is inactive")?;
        is_unmet(&machine, &["systemctl", "reload", "nowhere"], "it is not there")?;
        for fine in ["well", "once"] {
            assert_eq!(approved(&machine, &["systemctl", "start", fine])?.0, 0, "{fine}");
            assert_eq!(last_entry(&machine)?["code"], Value::Null, "{fine}");
        }
        assert_eq!(approved(&machine, &["systemctl", "reload", "well"])?.0, 0);
        is_unmet(&machine, &["systemctl", "start", "we*"], "name each in full")?;
        let (status, said) = approved(&machine, &["systemctl", "start", "never"])?;
        assert!(status == 119 && said.contains("unit-started never.service"), "{status} {said}");
        let entry = last_entry(&machine)?;
        assert_eq!((&entry["code"], &entry["ended"]["exited"]), (&"Drift".into(), &0.into()), "{entry}");
        let seen = &entry["conditions"][0];
        assert_eq!((&seen["role"], &seen["found"]), (&"after".into(), &"it is inactive".into()), "{entry}");
        Ok(())
    }

    #[test]
    fn the_last_administrator_stays_and_one_of_two_may_go() -> Result<()> {
        let machine = installed().boot()?;
        for words in [&["userdel", ADMIN][..], &["deluser", ADMIN], &["sudo", "userdel", ADMIN]] {
            is_unmet(&machine, words, "not-last-administrator")?;
        }
        // Which cannot be told, so it cannot be looked at.
        is_unmet(&machine, &["userdel", "ad*"], "does not say exactly")?;
        waits(&machine, &["userdel", AGENT])?;
        machine.run(["useradd", "--shell", "/usr/sbin/nologin", "--groups", "sudo", "robot"])?.ok()?;
        is_unmet(&machine, &["userdel", ADMIN], "nobody else is known")?;
        machine.run(["useradd", "--shell", "/bin/bash", "--groups", "sudo", "second"])?.ok()?;
        let (status, said) = approved(&machine, &["userdel", ADMIN])?;
        assert_eq!(status, 0, "{said}");
        assert_ne!(machine.run(["id", ADMIN])?.code, 0);
        is_unmet(&machine, &["userdel", "second"], "not-last-administrator")
    }

    const HOSTS: &str = r#"
[[program]]
names = ["touch"]
tier = "T0"
reason = "Only elsewhere."
hosts = ["fedora"]
[[program]]
names = ["uname"]
tier = "T0"
reason = "Only where there is a kernel of its own."
hosts = ["!container"]
[[program]]
names = ["mkdir"]
tier = "T0"
reason = "Here."
hosts = ["fedora", "debian", "systemd", "container", "!immutable"]
"#;

    #[test]
    fn a_rule_for_another_kind_of_host_is_refused_here_and_one_for_this_kind_is_not() -> Result<()> {
        let machine = installed_with("rules.d/50-hosts.toml", HOSTS).boot()?;
        is_unmet(&machine, &["touch", "/etc/x"], "is for hosts of the kind fedora")?;
        is_unmet(&machine, &["uname", "-a"], "!container")?;
        waits(&machine, &["mkdir", "/srv/x"])?;
        let read = machine.run_as(AGENT, ["countersign", "run", "--", "id"])?;
        assert_eq!(read.code, 0, "{read:?}");
        Ok(())
    }

    /// The digest is what `printf 'ours\\n' | sha256sum` prints.
    const ASKS: &str = r#"
[[program]]
names = ["mkdir"]
tier = "T0"
reason = "Ours."
checks = ["mains-power", "free 1K /srv", "package-present dpkg", "sha256 13102ad5e68a577a21dbe1aa6b16189e93e979278d6b9917d7f279a9a3dabd16 /usr/local/share/ours/file"]
check = [{ spec = "package-present no-such-package", role = "soft" }]
[[program]]
names = ["touch"]
tier = "T0"
reason = "Ours."
checks = ["free 17592186044415G /srv"]
[[program]]
names = ["ln"]
tier = "T0"
reason = "Ours."
checks = ["package-present no-such-package"]
"#;

    #[test]
    fn what_is_asked_is_shown_and_looked_at_twice() -> Result<()> {
        let file = "usr/local/share/ours/file";
        let machine = installed()
            .before_boot(move |root| {
                std::fs::create_dir_all(root.join("usr/local/share/ours"))?;
                std::fs::write(root.join(file), "ours\n")?;
                Ok(std::fs::write(root.join("etc/countersign/rules.d/50-asks.toml"), ASKS)?)
            })
            .boot()?;
        is_unmet(&machine, &["touch", "/etc/x"], "are free")?;
        is_unmet(&machine, &["ln", "-s", "/srv", "/etc/x"], "it is not installed")?;
        let plan = machine.run_as(AGENT, ["countersign", "plan", "--", "mkdir", "/srv/x"])?.ok()?.stdout;
        assert!(plan.contains("soft package-present no-such-package: it is not installed (mkdir)"), "{plan}");
        assert!(plan.contains("hard mains-power (mkdir)"), "{plan}");
        let all = machine.run_as(AGENT, ["countersign", "plan", "--all", "--", "touch", "/etc/x"])?.ok()?.stdout;
        assert!(all.contains("Unmet") && all.contains("NeedsApproval"), "{all}");
        let mut client = ask(&machine, &["mkdir", "/srv/x"])?;
        let shown = machine.run(["countersign", "show", &the_waiting(&machine)?])?.ok()?.stdout;
        assert!(shown.contains("soft package-present no-such-package: it is not installed (mkdir)"), "{shown}");
        let screen = approve_the_waiting(&machine)?;
        assert!(screen.contains("Mind: package-present no-such-package (it is not installed)"), "{screen}");
        client.wait(PATIENCE)?.ok()?;
        let mut client = ask(&machine, &["mkdir", "/srv/y"])?;
        let id = the_waiting(&machine)?;
        machine.run(["sh", "-c", &format!("echo theirs > /{file}.new && mv /{file}.new /{file}")])?.ok()?;
        machine.run(["countersign", "approve", &id])?.ok()?;
        let output = client.wait(PATIENCE)?;
        assert!(output.code == 126 && output.stderr.contains("the content is another"), "{output:?}");
        assert!(!machine.exists("/srv/y")?);
        let entry = last_entry(&machine)?;
        assert_eq!((&entry["phase"], &entry["code"]), (&"final".into(), &"Unmet".into()), "nothing ran: {entry}");
        Ok(())
    }
}
