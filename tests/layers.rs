//! Promise: a sandbox layer that a machine does not offer stops the job, never the layer; and what a job is told to have
//! been confined by is what the kernel says of it. SEC-14.
//!
//! Layers go missing by a launcher that is built for this alone (`make lacking`) and is otherwise the real one.

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use anyhow::{Context, Result, bail};
    use harness::users::AGENT;
    use harness::{Builder, Machine, Output};
    use promises::{installed, log};
    use serde_json::Value;

    const LAUNCHER: &str = "usr/libexec/countersign/countersign-launcher";
    const LIST: &str = "/run/countersign-missing-layers";
    /// Changes run unasked here, so that nothing but the missing layer stands in their way.
    const GRANT: &str = "[[grant]]\ngroup = 'countersign'\nceiling = 'T3'\nauto = 'T1'\n";

    fn binaries() -> PathBuf {
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        std::env::var_os("COUNTERSIGN_BINARIES").map_or_else(|| checkout.join("target/release"), PathBuf::from)
    }

    fn lacking() -> Result<PathBuf> {
        let beside = || binaries().join("../lacking/countersign-launcher");
        let built = std::env::var_os("COUNTERSIGN_LACKING").map_or_else(beside, PathBuf::from);
        if !built.exists() {
            bail!("{} does not exist: run `make lacking` first", built.display());
        }
        Ok(built)
    }

    fn granted<'a>() -> Builder<'a> {
        installed().before_boot(|root| {
            let etc = root.join("etc/countersign");
            Ok(std::fs::write(etc.join("grants.d/10-group.toml"), GRANT)?)
        })
    }

    fn machine() -> Result<Machine> {
        let built = lacking()?;
        granted()
            .before_boot(move |root| {
                std::fs::copy(&built, root.join(LAUNCHER)).with_context(|| built.display().to_string()).map(drop)
            })
            .lift_protections()
            .boot()
    }

    /// Starts anew, as often as a test needs.
    fn restart(machine: &Machine) -> Result<()> {
        // Unknown to PID 1 at first, which is as well.
        machine.run(["systemctl", "reset-failed", "countersignd"])?;
        machine.run(["systemctl", "restart", "countersignd"])?.ok()?;
        // Whose requests came as far as the launcher changes nothing more unasked; here it shall.
        machine.run(["countersign", "taint", "clear", AGENT, "--reason", "the next round"]).map(drop)
    }

    fn run(machine: &Machine, words: &[&str]) -> Result<Output> {
        machine.run_as(AGENT, ["countersign", "run", "--"].iter().chain(words).copied())
    }

    fn state(machine: &Machine) -> Result<String> {
        let status: Value = serde_json::from_str(&machine.run(["countersign", "status", "--json"])?.ok()?.stdout)?;
        Ok(status["state"].as_str().unwrap_or_default().to_owned())
    }

    /// How many page faults the launcher's children had, all together: none, if it never had a child.
    fn faults_of_children(machine: &Machine) -> Result<u64> {
        let script = "awk '{ print $11 }' /proc/$(pgrep -x countersign-lau)/stat";
        Ok(machine.run(["sh", "-c", script])?.ok()?.stdout.trim().parse()?)
    }

    #[test]
    fn a_missing_layer_is_a_refusal_and_amber_and_no_process() -> Result<()> {
        let machine = machine()?;
        let layers = [
            "cgroup",
            "descriptors",
            "mounts",
            "credentials",
            "capabilities",
            "no-new-privs",
            "landlock",
            "seccomp",
            "network",
        ];
        for layer in layers {
            machine.write(LIST, format!("{layer}\n"))?;
            restart(&machine)?;
            assert_eq!(state(&machine)?, "green", "{layer}");
            let change = run(&machine, &["touch", "/srv/made"])?;
            assert_eq!(change.code, 126, "{layer}: {change:?}");
            let named =
                format!("The profile change requires the sandbox layer {layer}, which this machine does not offer");
            assert!(change.stderr.contains(&named), "{layer}: {change:?}");
            assert!(!machine.exists("/srv/made")?, "{layer}");
            assert_eq!(faults_of_children(&machine)?, 0, "{layer}: no process was ever made");
            assert_eq!(state(&machine)?, "amber", "{layer}");
            let held = run(&machine, &["touch", "/srv/made"])?;
            assert!(held.stderr.contains("on hold"), "{layer}: {held:?}");
            // What a read needs is there if it is the network alone that is missing: it still runs.
            let read = run(&machine, &["cat", "/etc/hostname"])?;
            let expected = if layer == "network" { 0 } else { 126 };
            assert_eq!(read.code, expected, "{layer}: {read:?}");
            let last = log(&machine)?.pop().unwrap_or_default();
            if layer != "network" {
                assert_eq!((&last["code"], &last["enforced"]), (&"SandboxUnavailable".into(), &Value::Null), "{last}");
            }
        }
        assert!(
            machine.journal("countersignd.service")?.contains("the profile observe requires the sandbox layer seccomp")
        );
        machine.run(["rm", LIST])?.ok()?;
        restart(&machine)?;
        run(&machine, &["touch", "/srv/made"])?.ok()?;
        assert!(machine.exists("/srv/made")? && state(&machine)? == "green", "nothing is missing any more");
        Ok(())
    }

    #[test]
    fn a_layer_that_a_profile_does_not_list_may_be_missing_and_one_that_is_added_may_not() -> Result<()> {
        let machine = machine()?;
        machine.write(LIST, "cgroup-limits\n")?;
        run(&machine, &["cat", "/etc/hostname"])?.ok()?;
        let vendor = machine.read("/usr/share/countersign/profiles/observe.toml")?;
        let stricter = vendor.replacen("layers = [", "layers = [\"cgroup-limits\", ", 1);
        machine.write("/etc/countersign/profiles.d/observe.toml", stricter)?;
        restart(&machine)?;
        let refused = run(&machine, &["cat", "/etc/hostname"])?;
        assert!(refused.code == 126 && refused.stderr.contains("layer cgroup-limits"), "{refused:?}");
        Ok(())
    }

    #[test]
    fn no_layer_can_be_said_to_be_missing_to_what_is_installed() -> Result<()> {
        let says = |path: &Path| -> Result<bool> {
            let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
            Ok(bytes.windows(LIST.len()).any(|window| window == LIST.as_bytes()))
        };
        assert!(says(&lacking()?)?, "the test looks at the right thing");
        assert!(!says(&binaries().join("countersign-launcher"))?);
        Ok(())
    }

    /// Tries to make what the sandbox protects, and an ordinary file beside it.
    const MAKING: &str = r#"
import os, sys
def attempt(path, action):
    try:
        action()
        print(path, 0)
    except OSError as error:
        print(path, error.errno)
for path in ["/etc/ld.so.preload", "/etc/doas.conf", "/etc/rc.local", "/etc/environment", "/etc/crypttab"]:
    attempt(path, lambda: open(path, "w"))
    attempt("over " + path, lambda: (open("/etc/other", "w").close(), os.rename("/etc/other", path)))
    attempt("without " + path, lambda: os.unlink(path))
for path in ["/root/.ssh", "/etc/sudoers.d", "/etc/cron.d", "/etc/cron.hourly", "/etc/pam.d", "/etc/profile.d", "/etc/systemd/system", "/etc/modprobe.d", "/etc/sysctl.d", "/usr/local/lib/systemd", "/run/systemd/system.control"]:
    attempt(path + "/made", lambda: open(path + "/made", "w"))
    attempt("instead of " + path, lambda: os.rename(path, path + ".away"))
print("ordinary", sys.argv[1] if len(sys.argv) > 1 else "/etc/ordinary", flush=True)
open(sys.argv[1] if len(sys.argv) > 1 else "/etc/ordinary", "w")
"#;

    const MAKERS: &str = r#"
[[program]]
names = ["in-system"]
lowers = true
tier = "T2"
profile = "system"
reason = "Wrong on purpose."
operands = ["<text>", "<write>"]
[[program]]
names = ["in-users"]
lowers = true
tier = "T2"
profile = "users"
reason = "Wrong on purpose."
operands = ["<text>", "<write>"]
[[program]]
names = ["in-change"]
lowers = true
tier = "T1"
profile = "change"
reason = "Wrong on purpose."
operands = ["<text>", "<write>"]
"#;

    #[test]
    fn what_is_protected_cannot_be_made_where_it_was_absent() -> Result<()> {
        let names = ["in-system", "in-users", "in-change"];
        let machine = granted()
            .before_boot(move |root| {
                for name in names {
                    std::fs::copy(root.join("usr/bin/python3.11"), root.join("usr/local/bin").join(name))?;
                }
                std::fs::write(root.join("opt/making.py"), MAKING)?;
                Ok(std::fs::write(root.join("etc/countersign/rules.d/99-makers.toml"), MAKERS)?)
            })
            .lift_protections()
            .boot()?;
        for name in names {
            let ordinary = format!("/etc/ordinary-{name}");
            let mut client = promises::ask(&machine, &[name, "/opt/making.py", &ordinary])?;
            // Whoever was given output changes nothing more without a human.
            promises::approve_the_waiting(&machine)?;
            let output = client.wait(promises::PATIENCE)?.ok()?;
            assert!(machine.exists(&ordinary)?, "{name}: what is ordinary is made: {output:?}");
            let tried: Vec<(&str, &str)> = output.stdout.lines().filter_map(|line| line.rsplit_once(' ')).collect();
            assert_eq!(tried.len(), 5 * 3 + 11 * 2 + 1, "{name}: {output:?}");
            for (what, errno) in tried.iter().filter(|(what, _)| *what != "ordinary") {
                // Read-only, somewhere else, or a place where something is attached.
                assert!(["30", "18", "16", "13"].contains(errno), "{name}: {what}: {errno}");
            }
            assert_eq!(machine.read("/etc/ld.so.preload")?, "", "{name}");
        }
        Ok(())
    }
}
