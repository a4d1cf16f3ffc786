//! A job that a wrong rule calls a read tries to change the machine, and cannot.
//!
//! The machine runs without the covers of the container it boots in, so that what holds is held by the sandbox.

#[cfg(test)]
mod tests {
    use harness::Machine;
    use harness::users::AGENT;
    use promises::{installed_with, waiting};

    /// Wrong on purpose: an interpreter with any program is called a read.
    const WRONG: &str = r#"
[[program]]
names = ["python3"]
lowers = true
tier = "T0"
profile = "observe"
reason = "Wrong on purpose."
flags = ["-c <text>"]
must_match = ["python3 -c 'print(1)'"]
"#;

    /// Each attempt prints its name and the error it met, or `DONE`. Tracing seizes, because attaching would stop init.
    const ATTEMPTS: &str = r#"
import ctypes, os, socket, subprocess
libc = ctypes.CDLL(None, use_errno=True)
def attempt(name, action):
    try:
        action()
        print(name, "DONE")
    except OSError as error:
        print(name, error.errno)
    except subprocess.CalledProcessError as error:
        print(name, "refused")
def syscall(*words):
    if libc.syscall(*words) < 0:
        raise OSError(ctypes.get_errno(), "")
def inet():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(("127.0.0.1", 9)); s.send(b"x")
print("uid", os.getuid())
for where in ["/etc/made", "/root/made", "/var/lib/made", "/usr/made", "/run/made", "/dev/shm/made", "/home/agent/made"]:
    attempt("create " + where, lambda: open(where, "w"))
    attempt("mkdir " + where, lambda: os.mkdir(where))
    attempt("mknod " + where, lambda: os.mknod(where))
    attempt("symlink " + where, lambda: os.symlink("x", where))
attempt("write", lambda: open("/etc/hostname", "r+"))
attempt("append", lambda: open("/etc/hostname", "a"))
attempt("truncate", lambda: os.truncate("/etc/hostname", 0))
attempt("link", lambda: os.link("/etc/hostname", "/etc/hostname2"))
attempt("chmod", lambda: os.chmod("/etc/hostname", 0o777))
attempt("chmod owned", lambda: os.chmod("/var/tmp/owned", 0o4777))
attempt("chown", lambda: os.chown("/etc/hostname", 1, 1))
attempt("setxattr", lambda: os.setxattr("/var/tmp/owned", "user.x", b"x"))
attempt("setxattr etc", lambda: os.setxattr("/etc/hostname", "user.x", b"x"))
attempt("utime", lambda: os.utime("/var/tmp/owned"))
attempt("mount", lambda: syscall(165, b"none", b"/mnt", b"tmpfs", 0, 0))
attempt("ptrace", lambda: syscall(101, 0x4206, 1, 0, 0))
attempt("kill init", lambda: os.kill(1, 0))
attempt("inet", inet)
attempt("packet", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
attempt("vsock", lambda: socket.socket(40, socket.SOCK_STREAM))
attempt("shadow", lambda: open("/etc/shadow").read())
attempt("private", lambda: socket.socket(socket.AF_UNIX).connect("/run/systemd/private"))
attempt("log", lambda: open("/var/lib/counter" + "sign/audit.db", "rb").read(1))
attempt("stop a unit", lambda: subprocess.run(["busctl", "call", "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "StopUnit", "ss", "victim.service", "replace"], check=True, capture_output=True))
attempt("stop by systemctl", lambda: subprocess.run(["systemctl", "--no-ask-password", "stop", "other.service"], check=True, capture_output=True))
attempt("rename", lambda: os.rename("/etc/hostname", "/etc/hostname3"))
attempt("unlink", lambda: os.unlink("/etc/hostname"))
attempt("setuid", lambda: os.setuid(0))
attempt("unshare", lambda: syscall(272, 0x10000000))
"#;

    const UNITS: [&str; 2] = ["victim.service", "other.service"];

    fn machine() -> anyhow::Result<Machine> {
        let machine = installed_with("rules.d/99-wrong.toml", WRONG).lift_protections().boot()?;
        for unit in UNITS {
            machine.run(["systemd-run", &format!("--unit={unit}"), "sleep", "infinity"])?.ok()?;
        }
        machine.run(["install", "-m", "666", "-o", "_countersign-observe", "/dev/null", "/var/tmp/owned"])?.ok()?;
        Ok(machine)
    }

    #[test]
    fn a_misclassified_job_changes_nothing() -> anyhow::Result<()> {
        let machine = machine()?;
        let output = machine.run_as(AGENT, ["countersign", "run", "--", "python3", "-c", ATTEMPTS])?.ok()?;
        assert!(waiting(&machine)?.is_empty(), "it ran unasked, as the wrong rule says");
        assert!(!output.stdout.contains("uid 0"), "{}", output.stdout);
        let done: Vec<&str> = output.stdout.lines().filter(|line| line.ends_with("DONE")).collect();
        assert!(done.is_empty(), "{done:?}\n{}", output.stdout);
        assert!(output.stdout.lines().count() > 40, "every attempt was made: {}", output.stdout);
        for unit in UNITS {
            machine.run(["systemctl", "is-active", "--quiet", unit])?.ok()?;
        }
        Ok(())
    }

    #[test]
    fn the_same_attempts_succeed_without_the_sandbox() -> anyhow::Result<()> {
        let machine = machine()?;
        let output = machine.run(["python3", "-c", ATTEMPTS])?.ok()?;
        for attempt in
            ["create /etc/made DONE", "chmod DONE", "chown DONE", "inet DONE", "shadow DONE", "stop by systemctl DONE"]
        {
            assert!(output.stdout.contains(attempt), "{attempt}: the attempt itself works: {}", output.stdout);
        }
        Ok(())
    }
}
