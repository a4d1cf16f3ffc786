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

    const PROFILES: [&str; 11] = [
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
    ];

    /// Each attempt prints its name and the error number, or 0. Where success would do harm the arguments are wrong, so
    /// that the kernel's own answer tells that the call was let through.
    const ATTEMPTS: &str = r#"
import ctypes, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def attempt(name, action):
    try:
        action()
        print(name, 0, sep="\t")
    except OSError as error:
        print(name, error.errno, sep="\t")
def call(*words):
    ctypes.set_errno(0)
    if libc.syscall(*words) < 0:
        raise OSError(ctypes.get_errno(), "")
descriptors = sorted(int(n) for n in os.listdir("/proc/self/fd"))
print("inherited descriptors", 0 if descriptors == [0, 1, 2, 3] else descriptors[-1], sep="\t")
def pid_of(what):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = open(f"/proc/{pid}/cmdline").read().split("\0")
        except OSError:
            continue
        if words[0].endswith("/" + what):
            return int(pid)
front, launcher = pid_of("countersignd"), pid_of("countersign-launcher")
def unix(kind, where):
    s = socket.socket(socket.AF_UNIX, kind); s.connect(where)
for name, pid in [("init", 1), ("launcher", launcher), ("front", front)]:
    attempt(f"trace {name}", lambda: call(101, 0x4206, pid, 0, 0))
    attempt(f"memory of {name}", lambda: open(f"/proc/{pid}/mem", "rb"))
    attempt(f"environment of {name}", lambda: open(f"/proc/{pid}/environ", "rb").read(1))
    attempt(f"descriptors of {name}", lambda: os.readlink(f"/proc/{pid}/fd/0"))
    attempt(f"root of {name}", lambda: os.stat(f"/proc/{pid}/root/etc"))
    attempt(f"namespace of {name}", lambda: os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY))
    attempt(f"signal to {name}", lambda: os.kill(pid, 0))
attempt("robbing a descriptor", lambda: call(438, os.pidfd_open(launcher), 3, 0))
attempt("reading memory", lambda: call(310, 1, 0, 0, 0, 0, 0))
for name, path in [("log", "/var/lib/counter" + "sign/audit.db"), ("latch", "/var/lib/counter" + "sign-launcher/x"), ("log by another way", "/proc/self/root/var/lib/counter" + "sign/audit.db")]:
    attempt(f"{name}", lambda: open(path, "rb"))
for name, path in [("policy", "/etc/counter" + "sign/counter" + "sign.toml"), ("rules", "/usr/share/counter" + "sign/rules/10-reads.toml"), ("launcher", "/usr/libexec/counter" + "sign/counter" + "sign-launcher"), ("unit", "/usr/lib/systemd/system/counter" + "signd.service"), ("bus policy", "/usr/share/dbus-1/system.d/org.counter" + "sign.Broker1.conf"), ("notice", "/run/counter" + "sign")]:
    attempt(f"mode of the {name}", lambda: os.chmod(path, 0o666))
    attempt(f"owner of the {name}", lambda: os.chown(path, 1, 1))
    attempt(f"time of the {name}", lambda: os.utime(path))
attempt("write the policy", lambda: open("/etc/counter" + "sign/counter" + "sign.toml", "r+"))
attempt("add a rule", lambda: open("/etc/counter" + "sign/rules.d/x.toml", "w"))
attempt("move the policy", lambda: os.rename("/etc/counter" + "sign", "/etc/elsewhere"))
attempt("move the launcher", lambda: os.rename("/usr/libexec/counter" + "sign/counter" + "sign-launcher", "/usr/libexec/x"))
attempt("replace the client", lambda: os.rename("/etc/hostname", "/usr/bin/counter" + "sign"))
attempt("link to a secret", lambda: os.link("/etc/shadow", f"/etc/shadow.{os.getpid()}"))
for name, flags in [("user", 0x10000000), ("mount", 0x20000), ("net", 0x40000000), ("pid", 0x20000000), ("time", 0x80)]:
    attempt(f"unshare {name}", lambda: call(272, flags))
attempt("clone user", lambda: call(56, 0x10000011, 0, 0, 0, 0))
attempt("clone3", lambda: call(435, 0, 0))
attempt("setns", lambda: call(308, 0, 0))
attempt("handle", lambda: call(304, -1, 0, 0))
attempt("io_uring", lambda: call(425, 1, 0))
attempt("userfaultfd", lambda: call(323, 0xffff))
attempt("bpf", lambda: call(321, 999, 0, 0))
attempt("perf", lambda: call(298, 0, 0, 0, 0, 0))
attempt("keys", lambda: call(250, 999, 0))
attempt("kexec", lambda: call(246, 0, 99, 0, 1 << 20))
attempt("module", lambda: call(313, -1, b"", 0))
attempt("reboot", lambda: call(169, 0, 0, 0, 0))
attempt("clock", lambda: call(227, 0, 0))
attempt("swap", lambda: call(167, b"/no/such/file", 0))
attempt("ports", lambda: call(172, 99))
attempt("accounting", lambda: call(179, 0x80000100, 0, 0, 0))
attempt("personality", lambda: call(135, 0x0040000))
attempt("terminal", lambda: call(16, 0, 0x5412, b"x"))
attempt("mount", lambda: call(165, b"x", b"/no/such/place", b"tmpfs", 0, 0))
attempt("remount", lambda: call(165, 0, b"/no/such/place", 0, 0x1020, 0))
attempt("umount", lambda: call(166, b"/no/such/place", 2))
attempt("open_tree", lambda: call(428, -100, b"/no/such/place", 1))
attempt("move_mount", lambda: call(429, -100, b"/no/such/place", -100, b"/", 0))
attempt("fsopen", lambda: call(430, b"nosuchfs", 0))
attempt("mount_setattr", lambda: call(442, -100, b"/no/such/place", 0, 0, 0))
attempt("pivot_root", lambda: call(155, b"/no/such/place", b"/"))
attempt("chroot", lambda: call(161, b"/no/such/place"))
attempt("node", lambda: os.mknod("/no/such/place/b", 0o60600, os.makedev(8, 0)))
attempt("memory file", lambda: os.memfd_create("x"))
attempt("names", lambda: call(170, b"x", 9999))
attempt("setuid", lambda: os.setuid(0))
for name, family, kind, protocol in [("inet", 2, 1, 0), ("udp", 2, 2, 0), ("raw", 2, 3, 1), ("inet6", 10, 2, 0), ("packet", 17, 3, 0), ("vsock", 40, 1, 0), ("alg", 38, 5, 0), ("netlink filter", 16, 3, 12), ("bluetooth", 31, 3, 1)]:
    attempt(f"socket {name}", lambda: socket.socket(family, kind, protocol))
attempt("system bus", lambda: unix(socket.SOCK_STREAM, "/run/dbus/system_bus_socket"))
attempt("private socket", lambda: unix(socket.SOCK_STREAM, "/run/systemd/private"))
attempt("abstract socket", lambda: unix(socket.SOCK_STREAM, "\0bait"))
attempt("disk", lambda: os.open("/dev/vda", os.O_RDONLY))
attempt("kernel memory", lambda: open("/dev/mem", "rb"))
for name, path in [("accounts", "/etc/passwd"), ("privileges", "/etc/sudoers.d"), ("logins", "/etc/pam.d/login"), ("units", "/etc/systemd/system"), ("parameters", "/proc/sys/kernel/printk")]:
    attempt(f"change {name}", lambda: os.chmod(path, os.stat(path).st_mode & 0o7777))
attempt("a file of the system", lambda: open("/opt/made", "w"))
"#;

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
    const EBUSY: i32 = 16;
    const EROFS: i32 = 30;
    const ENOSYS: i32 = 38;
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

    /// Jobs that may signal others: they hold the capability, and no domain closes them in.
    const SIGNAL: &[&str] = &["packages", "network", "storage", "system"];
    const NETWORK: &[&str] = &["packages", "network", "storage", "system"];

    /// By the beginning of the attempt's name; the first that fits.
    const EXPECTED: &[Expected] = &[
        but("signal to", &[EPERM], SIGNAL),
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
        but("chroot", &[EPERM], &["packages", "kernel"]),
        but("node", &[EPERM], &["packages", "storage", "kernel"]),
        but("memory file", &[EPERM], &["packages", "storage", "kernel", "system"]),
        but("names", &[EPERM], &["kernel"]),
        but("setuid", &[EPERM], &["users", "services", "packages", "network", "storage", "power", "kernel", "system"]),
        but("socket inet", &[EAFNOSUPPORT], NETWORK),
        but("socket udp", &[EAFNOSUPPORT], NETWORK),
        but("socket raw", &[EAFNOSUPPORT], NETWORK),
        but("socket packet", &[EAFNOSUPPORT], &["network"]),
        but("socket alg", &[EAFNOSUPPORT], &["storage"]),
        but("socket netlink", &[EAFNOSUPPORT], &["packages", "network", "storage", "kernel", "system"]),
        refused("socket", &[EAFNOSUPPORT]),
        // An unprivileged user may speak to the bus, which knows him as one.
        but(
            "system bus",
            &[EACCES, EAFNOSUPPORT, ECONNREFUSED],
            &["observe", "services", "packages", "network", "storage", "power", "kernel", "system"],
        ),
        but(
            "private socket",
            &[EACCES, EAFNOSUPPORT, ECONNREFUSED],
            &["services", "packages", "network", "storage", "power", "kernel", "system"],
        ),
        but("abstract socket", &[EPERM, EAFNOSUPPORT], &["packages", "network", "storage", "kernel", "system"]),
        but("disk", &[ENOENT], &[]),
        but("kernel memory", &[ENOENT], &[]),
        but("change accounts", &[EROFS], &["users", "packages"]),
        but("change privileges", &[EROFS], &["packages"]),
        but("change logins", &[EROFS], &["packages"]),
        but("change units", &[EROFS], &["services", "packages"]),
        // Nobody changes a mode there; read-only comes first.
        but("change parameters", &[EROFS], &["packages", "kernel"]),
        but("a file of the system", &[EROFS], &["packages", "storage", "kernel", "system"]),
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
            assert!(found.len() >= 100, "{profile}: every attempt was made: {output:?}");
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
