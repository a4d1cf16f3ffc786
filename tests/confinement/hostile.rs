//! Programs that try to get out, as a job of every profile, on a machine where the whole broker runs.
//!
//! The machine runs without the covers of the container it boots in. An interpreter under a name per profile makes the
//! system calls itself, so that no tool's caution stands in for the sandbox. What is expected is the reason, by its error
//! number, and where a profile lifts something that it is lifted there alone. What needs no bus and no front is tried
//! beside the launcher.

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use harness::Machine;
    use harness::users::AGENT;
    use promises::{PATIENCE, approve_the_waiting, ask, installed};

    const PROFILES: [&str; 13] = [
        "observe",
        "kernel-log",
        "change",
        "users",
        "services",
        "packages",
        "network",
        "storage",
        "power",
        "kernel",
        "system",
        "named",
        "switch",
    ];

    /// Each attempt prints its name and the error number, or 0. Where success would do harm the arguments are wrong, so
    /// that the kernel's own answer tells that the call was let through.
    const ATTEMPTS: &str = include_str!("hostile/attempts.py");

    const BOMB: &str = r#"
import os, time
n = 0
try:
    while n < 5000:
        if os.fork() == 0:
            os.setsid()
            time.sleep(999)
        n += 1
except OSError as error:
    print(n, error.errno)
"#;

    const EPERM: i32 = 1;
    const ENOENT: i32 = 2;
    const EACCES: i32 = 13;
    const EXDEV: i32 = 18;
    const EINVAL: i32 = 22;
    const EBUSY: i32 = 16;
    const EROFS: i32 = 30;
    const ENOSYS: i32 = 38;
    const EPROTONOSUPPORT: i32 = 93;
    const EAFNOSUPPORT: i32 = 97;
    const ECONNREFUSED: i32 = 111;

    /// What an attempt must meet: in every profile, but for some that let it through to the kernel.
    struct Expected {
        attempt: &'static str,
        refused: &'static [i32],
        let_through: &'static [&'static str],
    }

    const fn refused(attempt: &'static str, refused: &'static [i32]) -> Expected {
        Expected { attempt, refused, let_through: &[] }
    }

    const fn but(attempt: &'static str, refused: &'static [i32], let_through: &'static [&'static str]) -> Expected {
        Expected { attempt, refused, let_through }
    }

    /// Jobs that are root.
    const ROOT: &[&str] = &[
        "change", "named", "users", "services", "packages", "network", "storage", "power", "kernel", "system", "switch",
    ];
    /// Jobs that write wherever nothing is protected.
    const WRITERS: &[&str] = &["packages", "storage", "kernel", "system", "switch"];
    /// Jobs from which password hashes are not hidden.
    const SHADOW: &[&str] = &["users", "named", "packages", "network", "storage", "kernel", "system", "switch"];
    const NETWORK: &[&str] = &["packages", "network", "storage", "system", "switch"];

    /// By the beginning of the attempt's name; the first that fits.
    const EXPECTED: &[Expected] = &[
        refused("signal to", &[EPERM]),
        refused("a signal", &[EPERM]),
        refused("a queued signal", &[EPERM]),
        refused("owner of a descriptor", &[EPERM]),
        refused("owner by structure", &[EPERM]),
        refused("owner of a socket", &[EPERM]),
        refused("set limit of", &[EPERM]),
        // Looking at another's limits is no harm to it.
        but("limit of", &[EPERM], ROOT),
        refused("priority of", &[EPERM]),
        refused("disk priority of", &[EPERM]),
        refused("processors of", &[EPERM]),
        refused("scheduler of", &[EPERM]),
        refused("pages of", &[EPERM]),
        refused("comparing with", &[EPERM]),
        refused("advice for", &[EPERM]),
        refused("freeing", &[EPERM]),
        refused("out-of-memory score of", &[EACCES, EROFS]),
        refused("name of", &[EACCES, EROFS]),
        refused("core filter of", &[EACCES, EROFS]),
        refused("clearing of", &[EROFS]),
        refused("binary of", &[EACCES]),
        refused("stack of", &[EACCES, EPERM]),
        refused("call of", &[EACCES, EPERM]),
        but("memory map of", &[EACCES], &["storage", "kernel"]),
        refused("memory layout", &[EPERM]),
        refused("cgroup", &[EROFS]),
        refused("release agent", &[EROFS]),
        refused("kernel file namespaces", &[EROFS, EACCES]),
        but("kernel file uevent", &[EROFS, EACCES], WRITERS),
        but("kernel file interrupts", &[EROFS, EACCES], WRITERS),
        but("kernel file slab", &[EROFS, EACCES], WRITERS),
        but("kernel file", &[EROFS, EACCES], &["packages", "kernel"]),
        refused("secure bits", &[EPERM]),
        refused("new privileges", &[EINVAL]),
        but("capability in", &[EPERM], &["storage", "kernel"]),
        but("freezing", &[EPERM], &["storage", "kernel"]),
        but("watching", &[EPERM], &["storage", "kernel"]),
        but("hang up", &[EPERM], &["packages", "system", "switch"]),
        but("system log", &[EPERM], &["packages", "kernel", "system", "switch"]),
        but("undeletable", &[EROFS, EPERM], WRITERS),
        refused("file by handle", &[EPERM]),
        refused("ioctl of", &[EPERM]),
        refused("a call of", &[ENOSYS]),
        // Without this the covers below could be carried away. Who mounts could undo the covers anyway.
        but("moving /run/systemd", &[EROFS, EBUSY], &["storage"]),
        refused("moving", &[EROFS, EBUSY, EXDEV]),
        refused("changing our unit", &[EROFS]),
        but("making /etc/cron.", &[EROFS], &["services", "packages"]),
        but("making /etc/systemd", &[EROFS], &["services", "packages"]),
        but("making /run/systemd", &[EROFS], &["services", "packages"]),
        but("making /etc/modprobe.d", &[EROFS], &["packages", "kernel"]),
        but("making /etc/sysctl.d", &[EROFS], &["packages", "kernel"]),
        but("making /usr/lib/udev", &[EROFS], &["packages", "kernel"]),
        but("making", &[EROFS, EACCES, ENOENT], &["packages"]),
        but("secret shadow", &[EACCES], SHADOW),
        but("secret gshadow", &[EACCES], SHADOW),
        refused("secret log", &[EACCES]),
        refused("secret", &[EACCES, ENOENT]),
        refused("trace", &[EPERM]),
        refused("memory of", &[EACCES, EPERM]),
        // Whoever holds SYS_ADMIN may read it since Linux 6.15; the broker's own has nothing in it.
        but("environment of", &[EACCES, EPERM], &["storage", "kernel"]),
        refused("descriptors of", &[EACCES, EPERM]),
        refused("root of", &[EACCES, EPERM]),
        refused("namespace of", &[EACCES, EPERM]),
        refused("robbing", &[EPERM]),
        refused("reading memory", &[EPERM]),
        refused("log", &[ENOENT, EACCES]),
        refused("latch", &[ENOENT, EACCES]),
        refused("mode of", &[EROFS]),
        refused("owner of", &[EROFS]),
        refused("time of", &[EROFS]),
        refused("write the policy", &[EROFS, EACCES]),
        refused("add a rule", &[EROFS, EACCES]),
        refused("move the policy", &[EROFS, EBUSY, EACCES]),
        refused("move the launcher", &[EROFS, EXDEV, EBUSY, EACCES]),
        refused("replace the client", &[EROFS, EBUSY, EXDEV, EACCES]),
        // Where accounts are changed the file is there to be changed.
        but("link to a secret", &[EROFS, EXDEV, EACCES, EPERM], &["users", "packages"]),
        refused("unshare", &[EPERM]),
        refused("clone user", &[EPERM]),
        refused("clone3", &[ENOSYS]),
        refused("setns", &[EPERM]),
        refused("handle", &[EPERM]),
        refused("io_uring", &[EPERM]),
        refused("userfaultfd", &[EPERM]),
        but("bpf", &[EPERM], &["kernel"]),
        but("perf", &[EPERM], &["kernel"]),
        but("keys", &[EPERM], &["storage"]),
        but("kexec", &[EPERM], &["kernel"]),
        but("module", &[EPERM], &["kernel"]),
        but("reboot", &[EPERM], &["power"]),
        but("clock", &[EPERM], &["kernel"]),
        but("swap", &[EPERM], &["storage"]),
        refused("ports", &[EPERM]),
        but("accounting", &[EPERM], &["storage"]),
        refused("personality", &[EPERM]),
        refused("terminal", &[EPERM]),
        but("mount", &[EPERM], &["storage"]),
        but("remount", &[EPERM], &["storage"]),
        but("umount", &[EPERM], &["storage"]),
        but("open_tree", &[EPERM], &["storage"]),
        but("move_mount", &[EPERM], &["storage"]),
        but("fsopen", &[EPERM], &["storage"]),
        but("pivot_root", &[EPERM], &["storage"]),
        but("chroot", &[EPERM], &["packages", "kernel", "switch"]),
        but("node", &[EPERM], &["packages", "storage", "kernel"]),
        but("memory file", &[EPERM], &["packages", "storage", "kernel", "system", "switch"]),
        but("names", &[EPERM], &["kernel"]),
        but(
            "setuid",
            &[EPERM],
            &["users", "services", "packages", "network", "storage", "power", "kernel", "system", "switch"],
        ),
        but("socket inet", &[EAFNOSUPPORT], NETWORK),
        but("socket udp", &[EAFNOSUPPORT], NETWORK),
        but("socket raw", &[EAFNOSUPPORT], NETWORK),
        but("socket packet", &[EAFNOSUPPORT], &["network"]),
        but("socket alg", &[EAFNOSUPPORT], &["storage"]),
        refused("socket netlink audit", &[EAFNOSUPPORT, EPROTONOSUPPORT]),
        but("socket netlink", &[EAFNOSUPPORT], &["packages", "network", "storage", "kernel", "system", "switch"]),
        refused("socket", &[EAFNOSUPPORT]),
        // An unprivileged user may speak to the bus, which knows him as one.
        but(
            "system bus",
            &[EACCES, EAFNOSUPPORT, ECONNREFUSED],
            &["observe", "services", "packages", "network", "storage", "power", "kernel", "system", "switch"],
        ),
        but(
            "private socket",
            &[EACCES, EAFNOSUPPORT, ECONNREFUSED],
            &["services", "packages", "network", "storage", "power", "kernel", "system", "switch"],
        ),
        but(
            "abstract socket",
            &[EPERM, EAFNOSUPPORT],
            &["packages", "network", "storage", "kernel", "system", "switch"],
        ),
        but("disk", &[ENOENT], &[]),
        but("kernel memory", &[ENOENT], &[]),
        but("change accounts", &[EROFS], &["users", "packages"]),
        but("change privileges", &[EROFS], &["packages"]),
        but("change logins", &[EROFS], &["packages"]),
        but("change units", &[EROFS], &["services", "packages"]),
        // Nobody changes a mode there; read-only comes first.
        but("change parameters", &[EROFS], &["packages", "kernel"]),
        but("a file of the system", &[EROFS], &["packages", "storage", "kernel", "system", "switch"]),
        refused("inherited descriptors", &[0]),
    ];

    fn rules() -> String {
        let table = |profile: &&str| {
            let tier = if ["observe", "kernel-log"].contains(profile) { "T0" } else { "T2" };
            format!(
                "[[program]]\nnames = [\"in-{profile}\"]\nlowers = true\ntier = \"{tier}\"\nprofile = \"{profile}\"\n\
                 reason = \"Wrong on purpose.\"\noperands = [\"<text>\"]\n"
            )
        };
        PROFILES.iter().map(table).collect()
    }

    fn machine() -> anyhow::Result<Machine> {
        let machine = installed()
            .before_boot(|root| {
                for profile in PROFILES {
                    std::fs::copy(root.join("usr/bin/python3.11"), root.join(format!("usr/local/bin/in-{profile}")))?;
                }
                std::fs::write(root.join("opt/attempts.py"), ATTEMPTS)?;
                std::fs::write(root.join("opt/bomb.py"), BOMB)?;
                Ok(std::fs::write(root.join("etc/countersign/rules.d/99-hostile.toml"), rules())?)
            })
            .lift_protections()
            .boot()?;
        // The launcher runs only once something asked for it.
        machine.run_as(AGENT, ["countersign", "run", "--", "true"])?.ok()?;
        Ok(machine)
    }

    fn attempts(text: &str) -> BTreeMap<String, i32> {
        let line =
            |line: &str| line.split_once('\t').map(|(name, errno)| (name.to_owned(), errno.parse().unwrap_or(-1)));
        text.lines().filter_map(line).collect()
    }

    fn wrong(profile: &str, found: &BTreeMap<String, i32>, plain: &BTreeMap<String, i32>) -> Vec<String> {
        let mut wrong = Vec::new();
        for (name, errno) in found {
            let Some(expected) = EXPECTED.iter().find(|each| name.starts_with(each.attempt)) else {
                wrong.push(format!("{name}: nothing is expected"));
                continue;
            };
            let through = expected.let_through.contains(&profile);
            // What this machine does not have is tried and proves nothing.
            if *errno == ENOENT && plain.get(name) == Some(&ENOENT) {
                continue;
            }
            // What is let through may still fail in the kernel, but not by our answer, unless it is the kernel's as well.
            if through && plain.get(name).is_some_and(|errno| expected.refused.contains(errno)) {
                continue;
            }
            if expected.refused.contains(errno) == through {
                wrong.push(format!("{profile}: {name}: {errno}, through: {through}, refused: {:?}", expected.refused));
            }
        }
        wrong
    }

    #[test]
    fn nothing_gets_out_of_any_profile_that_its_profile_does_not_name() -> anyhow::Result<()> {
        // On a machine of its own, which is broken afterwards.
        let plain = attempts(&machine()?.run(["python3", "/opt/attempts.py"])?.ok()?.stdout);
        let machine = machine()?;
        let bait = "import socket; s = socket.socket(socket.AF_UNIX); s.bind('\\0bait'); s.listen(9); print('up', flush=True); import time; time.sleep(999)";
        let mut listener = machine.spawn_as("root", ["python3", "-c", bait])?;
        promises::until("the bait", || {
            Ok(machine.run(["grep", "-q", "@bait", "/proc/net/unix"])?.success().then_some(()))
        })?;
        let mut all = Vec::new();
        for profile in PROFILES {
            let program = format!("in-{profile}");
            let mut client = ask(&machine, &[&program, "/opt/attempts.py"])?;
            if !["observe", "kernel-log"].contains(&profile) {
                approve_the_waiting(&machine)?;
            }
            let output = client.wait(PATIENCE)?.ok()?;
            let found = attempts(&output.stdout);
            assert!(found.len() >= 240, "{profile}: every attempt was made: {output:?}");
            all.extend(wrong(profile, &found, &plain));
        }
        assert!(all.is_empty(), "{all:#?}");
        assert!(listener.is_running()?);
        machine.run(["countersign", "audit", "verify"])?.ok()?;
        Ok(())
    }

    #[test]
    fn the_same_attempts_get_through_without_the_sandbox() -> anyhow::Result<()> {
        let machine = machine()?;
        let found = attempts(&machine.run(["python3", "/opt/attempts.py"])?.ok()?.stdout);
        for attempt in [
            "environment of launcher",
            "signal to front",
            "log",
            "mode of the policy",
            "unshare mount",
            "memory file",
            "socket packet",
            "system bus",
            "private socket",
            "a file of the system",
            "change accounts",
            "trace launcher",
            "memory of launcher",
            "descriptors of launcher",
            "robbing a descriptor",
            "signal to launcher",
            "a signal by descriptor to launcher",
            "a signal by directory to launcher",
            "owner of a descriptor launcher",
            "owner by structure launcher",
            "owner of a socket launcher",
            "set limit of launcher",
            "priority of launcher",
            "disk priority of launcher",
            "processors of launcher",
            "scheduler of launcher",
            "out-of-memory score of launcher",
            "cgroup of the machine",
            "cgroup of another",
            "cgroup made",
            "cgroup mode",
            "kernel file core pattern",
            "kernel file host name",
            "capability in the bounding set",
            "secure bits",
            "personality",
            "unshare user",
            "socket vsock",
            "socket xdp",
            "socket netlink audit",
            "moving /run/systemd",
            "making /etc/sudoers.d/x",
            "making /etc/ld.so.preload",
            "making /root/.ssh/authorized_keys",
            "changing our unit in /etc",
            "changing our unit in /run",
            "secret shadow",
            "secret shadow by working directory",
        ] {
            assert_eq!(found.get(attempt), Some(&0), "{attempt}: {found:?}");
        }
        Ok(())
    }

    #[test]
    fn a_fork_bomb_meets_its_bound_and_leaves_nothing() -> anyhow::Result<()> {
        let machine = machine()?;
        let output = machine.run_as(AGENT, ["countersign", "run", "--", "in-observe", "/opt/bomb.py"])?.ok()?;
        let (made, errno) = output.stdout.trim().split_once(' ').unwrap_or_default();
        assert!(made.parse::<u32>()? < 64 && errno == "11", "{output:?}");
        assert_eq!(machine.pids_of("in-observe"), Vec::<i32>::new());
        Ok(())
    }
}
