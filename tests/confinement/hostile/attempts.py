# Each attempt prints its name and the error number it met, or 0. The words are split so that this file names no place of
# the broker in one piece.
import ctypes, fcntl, os, socket, struct, sys
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

# The cgroup: out of one's own, another's death, the programs that the kernel starts.
tree = "/sys/fs/cgroup/unified" if os.path.exists("/sys/fs/cgroup/unified") else "/sys/fs/cgroup"
own = tree + next(line[3:].strip() for line in open("/proc/self/cgroup") if line.startswith("0::"))
def write(path, text):
    with open(path, "w") as f: f.write(text)
attempt("cgroup of the unit", lambda: write(os.path.dirname(own) + "/cgroup.procs", "0"))
attempt("cgroup of the machine", lambda: write(tree + "/cgroup.procs", "0"))
attempt("cgroup of another", lambda: write(tree + "/init.scope/cgroup.procs", "0"))
attempt("cgroup made", lambda: os.mkdir(own + "/inner"))
attempt("cgroup frozen", lambda: write(own + "/cgroup.freeze", "0"))
attempt("cgroup mode", lambda: os.chmod(own + "/cgroup.procs", 0o666))
for old in ["memory", "pids", "systemd", "cpu"]:
    if os.path.exists(f"/sys/fs/cgroup/{old}/tasks"):
        attempt(f"cgroup old {old}", lambda: write(f"/sys/fs/cgroup/{old}/tasks", "0"))
        if os.path.exists(f"/sys/fs/cgroup/{old}/release_agent"):
            attempt(f"release agent {old}", lambda: open(f"/sys/fs/cgroup/{old}/release_agent", "r+"))
# Files of the kernel. They are opened and nothing is written.
for name, path in [("core pattern", "/proc/sys/kernel/core_pattern"), ("module loader", "/proc/sys/kernel/modprobe"), ("host name", "/proc/sys/kernel/hostname"), ("emergency keys", "/proc/sysrq-trigger"), ("uevent helper", "/sys/kernel/uevent_helper"), ("uevent", "/sys/devices/virtual/mem/null/uevent"), ("device attribute", "/sys/module/kernel/parameters/panic"), ("parameter of a module", "/sys/module/printk/parameters/time"), ("binary formats", "/proc/sys/fs/binfmt_misc/register"), ("interrupts", "/proc/irq/default_smp_affinity"), ("slab", "/proc/slabinfo"), ("trace", "/sys/kernel/tracing/trace"), ("debug", "/sys/kernel/debug/x"), ("namespaces limit", "/proc/sys/user/max_user_namespaces"), ("bus", "/proc/bus/pci/00/00.0")]:
    attempt(f"kernel file {name}", lambda: open(path, "r+"))
# What may be done to a process besides tracing and signals.
for name, pid in [("init", 1), ("launcher", launcher), ("front", front)]:
    attempt(f"limit of {name}", lambda: call(302, pid, 7, 0, ctypes.create_string_buffer(16)))
    class Rlimit(ctypes.Structure):
        _fields_ = [("soft", ctypes.c_ulong), ("hard", ctypes.c_ulong)]
    limit = Rlimit(2**64 - 1, 2**64 - 1)
    attempt(f"set limit of {name}", lambda: call(302, pid, 1, ctypes.byref(limit), 0))
    attempt(f"out-of-memory score of {name}", lambda: open(f"/proc/{pid}/oom_score_adj", "r+"))
    attempt(f"name of {name}", lambda: open(f"/proc/{pid}/comm", "r+"))
    attempt(f"core filter of {name}", lambda: open(f"/proc/{pid}/coredump_filter", "r+"))
    attempt(f"memory map of {name}", lambda: open(f"/proc/{pid}/maps").read(1))
    attempt(f"stack of {name}", lambda: open(f"/proc/{pid}/stack").read(1))
    attempt(f"call of {name}", lambda: open(f"/proc/{pid}/syscall").read(1))
    attempt(f"clearing of {name}", lambda: open(f"/proc/{pid}/clear_refs", "w"))
    attempt(f"binary of {name}", lambda: os.readlink(f"/proc/{pid}/exe"))
    attempt(f"priority of {name}", lambda: os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, pid)))
    attempt(f"processors of {name}", lambda: os.sched_setaffinity(pid, os.sched_getaffinity(pid)))
    attempt(f"scheduler of {name}", lambda: os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0)))
    attempt(f"disk priority of {name}", lambda: call(251, 1, pid, 0))
    attempt(f"pages of {name}", lambda: call(256, pid, 64, 0, 0))
    attempt(f"comparing with {name}", lambda: call(312, os.getpid(), pid, 0, 0, 0))
    attempt(f"a signal by descriptor to {name}", lambda: call(424, os.pidfd_open(pid), 0, 0, 0))
    attempt(f"a signal by directory to {name}", lambda: call(424, os.open(f"/proc/{pid}", os.O_RDONLY | os.O_DIRECTORY), 0, 0, 0))
    attempt(f"a queued signal to {name}", lambda: call(129, pid, 0, ctypes.create_string_buffer(128)))
    # A signal without a call that names one: whoever owns a descriptor gets it. No input comes, so none is sent.
    attempt(f"owner of a descriptor {name}", lambda: fcntl.fcntl(0, fcntl.F_SETOWN, pid))
    attempt(f"owner by structure {name}", lambda: fcntl.fcntl(0, 15, struct.pack("ii", 1, pid)))
    attempt(f"owner of a socket {name}", lambda: fcntl.ioctl(socket.socketpair()[0], 0x8902, struct.pack("i", pid)))
attempt("a signal to everybody", lambda: call(62, -1, 0))
attempt("advice for memory", lambda: call(440, os.pidfd_open(launcher), 0, 0, 4, 0))
attempt("freeing memory", lambda: call(448, os.pidfd_open(launcher), 0))
# Becoming more.
attempt("secure bits", lambda: call(157, 28, 0x2f, 0, 0, 0))
attempt("new privileges again", lambda: call(157, 38, 0, 0, 0, 0))
attempt("capability in the bounding set", lambda: call(157, 23, 21, 0, 0, 0) if libc.syscall(157, 23, 21, 0, 0, 0) == 1 else (_ for _ in ()).throw(OSError(1, "")))
attempt("memory layout", lambda: call(157, 35, 13, 0, 0, 0))
attempt("system log", lambda: call(103, 5, 0, 0))
attempt("hang up", lambda: call(153))
attempt("file by handle name", lambda: call(304, -100, 0, 0))
attempt("watching for permission", lambda: call(300, 4, 0))
attempt("freezing a file system", lambda: fcntl.ioctl(os.open("/", os.O_RDONLY), 0xc0045877, 0))
def undeletable():
    f = os.open("/etc/hostname", os.O_RDONLY)
    for flags in (0x10, 0):
        fcntl.ioctl(f, 0x40086602, struct.pack("l", flags))
attempt("undeletable", undeletable)
attempt("ioctl of 64 bits", lambda: call(16, 0, 0x5412 | (1 << 32), b"x"))
attempt("a call of the other table", lambda: call(0x40000000 + 165, 0, 0, 0, 0, 0))
attempt("a call of the future", lambda: call(999))
for name, protocol in [("audit", 9), ("xfrm", 6), ("uevent", 15), ("connector", 11), ("crypto", 21), ("generic", 16), ("scsi", 18)]:
    attempt(f"socket netlink {name}", lambda: socket.socket(16, 3, protocol))
for name, family, kind, protocol in [("can", 29, 3, 1), ("tipc", 30, 1, 0), ("xdp", 44, 3, 0), ("key", 15, 3, 2), ("rds", 21, 5, 0), ("smc", 43, 1, 0), ("kcm", 41, 5, 0), ("qrtr", 42, 2, 0), ("nfc", 39, 5, 0), ("ax25", 3, 5, 0), ("x25", 9, 5, 0), ("ipx", 4, 2, 0), ("llc", 26, 1, 0), ("caif", 37, 5, 0), ("phonet", 35, 2, 0), ("pppox", 24, 1, 0)]:
    attempt(f"socket {name}", lambda: socket.socket(family, kind, protocol))
# Around the covers: what lies above a protected place is moved away, and another put there.
def away(path):
    os.rename(path, path + ".away"); os.rename(path + ".away", path)
for path in ["/etc", "/usr", "/usr/share", "/usr/lib", "/usr/lib/systemd", "/usr/libexec", "/var", "/var/lib", "/root", "/home", "/run", "/run/systemd", "/boot", "/etc/systemd", "/usr/lib/systemd/system", "/var/spool", "/usr/bin"]:
    if os.path.isdir(path):
        attempt(f"moving {path}", lambda: away(path))
def make(path):
    existed = os.path.lexists(path); open(path, "a").close()
    if not existed: os.unlink(path)
for path in ["/etc/ld.so.preload", "/etc/sudoers.d/x", "/etc/polkit-1/rules.d/x.rules", "/etc/pam.d/x", "/etc/profile.d/x.sh", "/etc/dbus-1/system.d/x.conf", "/etc/security/x", "/etc/ld.so.conf.d/x.conf", "/root/.ssh/authorized_keys", "/usr/lib/systemd/system-generators/x", "/etc/cron.daily/x", "/etc/cron.d/x", "/etc/systemd/system/x.service", "/run/systemd/system/x.service", "/etc/modprobe.d/x.conf", "/etc/sysctl.d/x.conf", "/usr/lib/udev/rules.d/x.rules"]:
    if os.path.isdir(os.path.dirname(path)):
        attempt(f"making {path}", lambda: make(path))
for place in ["/etc", "/run"]:
    attempt(f"changing our unit in {place}", lambda: make(f"{place}/systemd/system/counter" + "signd.service.d/x.conf"))
for name, path in [("shadow", "/etc/shadow"), ("gshadow", "/etc/gshadow"), ("host key", "/etc/ssh/ssh_host_ed25519_key"), ("root's keys", "/root/.ssh/id"), ("log through the launcher", f"/proc/{launcher}/root/etc/hostname"), ("log through the working directory", f"/proc/{launcher}/cwd/etc/hostname"), ("kernel's memory", "/proc/kcore"), ("random seed", "/var/lib/systemd/random-seed"), ("shadow by another way", "/proc/self/root/etc/shadow"), ("shadow of a thread", "/proc/thread-self/root/etc/shadow"), ("shadow by working directory", "/proc/self/cwd/../../etc/shadow")]:
    attempt(f"secret {name}", lambda: os.close(os.open(path, os.O_RDONLY)))
