//! The front's sandbox from inside: a process that took it, trying what it must not be able to do any more.
//!
//! Confinement cannot be undone, so each test starts this test program again as its subject and reads what it says.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use countersign_core::profile::{CallSet, Socket};
use nix::libc;
use nix::mount::{MsFlags, mount, umount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::kill;
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::sys::time::TimeSpec;
use nix::sys::uio::process_vm_readv;
use nix::time::ClockId;
use nix::unistd::{Gid, Pid, Uid, chroot, setgid, setgroups, sethostname, setuid};
use rustix::fs::{XattrFlags, setxattr};
use rustix::net::{AddressFamily, SocketType, socket};

use crate::capabilities::{Carry, Keep};
use crate::credentials::Credentials;
use crate::front::{FrontLimits, STATE, confine_self};
use crate::seccomp::{self, Refusals, Starts};

/// Says which process the subject attacks; its presence makes this process the subject.
const SUBJECT: &str = "COUNTERSIGN_CONFINE_SUBJECT";
/// Nobody's number on any machine that runs this.
const NOBODY_ELSE: u32 = 64_243;
/// What only the launcher reads.
const LAUNCHERS: &str = "/var/lib/countersign-launcher";
/// What it may read besides, and what lies next to it; all of it belongs to the subject.
const LOOKED_AT: &str = "/var/lib/looked-at";
const BESIDE: &str = "/var/lib/beside";
const LATCH: &str = "/var/lib/countersign-launcher/stopped";

fn errno<T>(result: io::Result<T>) -> i32 {
    result.err().and_then(|error| error.raw_os_error()).unwrap_or(0)
}

/// What the subject tries, by name, with the error number of each; 0 is success. `parent` is a process of root's.
fn attempts(own: &Path, parent: u32) -> Vec<(String, i32)> {
    let start = || Builder::new("/bin/true");
    let of_parent = |name: &str| format!("/proc/{parent}/{name}");
    let mut tried = vec![
        ("write own", errno(fs::write(own.join("file"), "x"))),
        ("rename own", errno(fs::rename(own.join("file"), own.join("other")))),
        ("remove own", errno(fs::remove_file(own.join("other")))),
        ("read configuration", errno(fs::read("/etc/passwd"))),
        ("read process", errno(fs::read("/proc/self/stat"))),
        ("read looked at", errno(fs::read(Path::new(LOOKED_AT).join("file")))),
        ("write looked at", errno(fs::write(Path::new(LOOKED_AT).join("file"), "x"))),
        ("make looked at", errno(fs::write(Path::new(LOOKED_AT).join("new"), "x"))),
        ("read beside", errno(fs::read(Path::new(BESIDE).join("file")))),
        ("thread", errno(std::thread::Builder::new().spawn(|| ()).map(|thread| thread.join().unwrap()))),
        ("local socket", errno(UnixDatagram::unbound())),
        ("read home", errno(fs::read_dir("/root").map(drop))),
        ("read secret", errno(fs::read("/etc/shadow"))),
        ("read launcher's latch", errno(fs::read(LATCH))),
        ("list launcher's directory", errno(fs::read_dir(LAUNCHERS).map(drop))),
        ("write to launcher's directory", errno(fs::write(Path::new(LAUNCHERS).join("x"), "x"))),
        ("write to open directory", errno(fs::write("/tmp/countersign-was-here", "x"))),
        ("write policy", errno(fs::write("/etc/countersign/countersign.toml", "x"))),
        ("write shipped policy", errno(fs::write("/usr/share/countersign/x", "x"))),
        ("write run", errno(fs::write("/run/countersign-was-here", "x"))),
        ("write parameter", errno(fs::write("/proc/sys/kernel/printk", "x"))),
        ("link out", errno(fs::hard_link("/etc/passwd", own.join("passwd")))),
        ("mode", errno(fs::set_permissions("/etc/passwd", fs::Permissions::from_mode(0o666)))),
        ("owner", errno(std::os::unix::fs::chown("/etc/passwd", Some(NOBODY_ELSE), None))),
        ("node", system(mknod(&own.join("node"), SFlag::S_IFCHR, Mode::S_IRWXU, makedev(1, 3)))),
        ("program", errno(start().0.status())),
        ("program instead of self", errno(Err::<(), _>(std::os::unix::process::CommandExt::exec(&mut start().0)))),
        ("signal", system(kill(Pid::from_raw(i32::try_from(parent).unwrap()), None))),
        ("memory", errno(fs::read(of_parent("mem")))),
        ("environment", errno(fs::read(of_parent("environ")))),
        ("descriptors", errno(fs::read_dir(of_parent("fd")).map(drop))),
        ("root of another", errno(fs::read_link(of_parent("root")))),
        ("reading memory", system(process_vm_readv(Pid::from_raw(i32::try_from(parent).unwrap()), &mut [], &[]))),
        ("mount", system(mount(Some("x"), own, Some("tmpfs"), MsFlags::empty(), None::<&str>))),
        ("unmount", system(umount("/proc"))),
        ("namespace of users", system(unshare(CloneFlags::CLONE_NEWUSER))),
        ("namespace of mounts", system(unshare(CloneFlags::CLONE_NEWNS))),
        ("entering a namespace", system(setns(fs::File::open("/proc/self/ns/net").unwrap(), CloneFlags::empty()))),
        ("chroot", system(chroot(own))),
        ("user", system(setuid(Uid::from_raw(0)))),
        ("group", system(setgid(Gid::from_raw(0)))),
        ("groups", system(setgroups(&[Gid::from_raw(0)]))),
        ("name", system(sethostname("x"))),
        ("clock", system(ClockId::CLOCK_REALTIME.set_time(TimeSpec::new(0, 0)))),
    ];
    tried.push(("attribute", system(setxattr(own.join("file"), "user.x", b"x", XattrFlags::empty()))));
    let families = (0..46).filter(|family| *family != libc::AF_UNIX);
    let sockets = families.map(|family| {
        let family_of = AddressFamily::from_raw(u16::try_from(family).unwrap());
        (format!("socket {family}"), system(socket(family_of, SocketType::DGRAM, None)))
    });
    tried.into_iter().map(|(name, errno)| (name.to_owned(), errno)).chain(sockets).collect()
}

/// The error number of a library's result.
fn system<T, E: Into<io::Error>>(result: Result<T, E>) -> i32 {
    errno(result.map_err(Into::into))
}

struct Builder(Command);

impl Builder {
    #[expect(clippy::disallowed_methods, reason = "a test of what cannot be started must try to start it")]
    fn new(program: impl AsRef<std::ffi::OsStr>) -> Self {
        Self(Command::new(program))
    }
}

/// What the subject does when this test program is started again for it; nothing otherwise.
#[test]
fn subject() {
    let Some(parent) = env::var_os(SUBJECT) else { return };
    let machine = FrontLimits::of_the_machine(Credentials { uid: NOBODY_ELSE, gid: NOBODY_ELSE });
    let limits = FrontLimits { look: vec![LOOKED_AT.into()], ..machine };
    // The test harness has threads of its own; this one is confined, and so is whatever it starts.
    for layer in confine_self(&limits).unwrap() {
        println!("layer={}={}", layer.step, layer.gives);
    }
    for (name, errno) in attempts(Path::new(STATE), parent.to_str().unwrap().parse().unwrap()) {
        println!("tried={name}={errno}");
    }
}

/// An installed machine's directories over this one's, in a mount namespace that ends with the subject. `$1` is the user.
const INSTALLED: &str = r#"
set -e
user="$1"; shift
mount -t tmpfs tmpfs /mnt
for d in etc usr/share var/lib; do
  mkdir -p "/mnt/$d/upper" "/mnt/$d/work"
  mount -t overlay overlay -o "lowerdir=/$d,upperdir=/mnt/$d/upper,workdir=/mnt/$d/work" "/$d"
done
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/dbus /run/systemd /etc/countersign /usr/share/countersign
install -d -m 700 -o "$user" /var/lib/countersign
install -d -m 700 /var/lib/countersign-launcher
for d in looked-at beside; do
  install -d -m 755 -o "$user" "/var/lib/$d"
  install -m 644 -o "$user" /dev/null "/var/lib/$d/file"
done
echo latch > /var/lib/countersign-launcher/stopped
exec "$@"
"#;

fn run_subject() -> Vec<(String, String, String)> {
    let test = ["--exact", "tests::subject", "--nocapture", "--test-threads=1"];
    let output = Builder::new("unshare")
        .0
        .args(["--mount", "--propagation", "private", "sh", "-c", INSTALLED, "sh"])
        .arg(NOBODY_ELSE.to_string())
        .arg(env::current_exe().unwrap())
        .args(test)
        .env(SUBJECT, std::process::id().to_string())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = text
        .lines()
        .filter_map(|line| {
            let mut parts = line.splitn(3, '=').map(str::to_owned);
            Some((parts.next()?, parts.next()?, parts.next()?))
        })
        .collect();
    assert!(!lines.is_empty(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    lines
}

/// Everything that the front needs for its work.
const NEEDED: [&str; 8] = [
    "write own",
    "rename own",
    "remove own",
    "read configuration",
    "read process",
    "read looked at",
    "thread",
    "local socket",
];
/// What landlock or the owner of a file refuses.
const BY_PATH: [&str; 18] = [
    "write looked at",
    "make looked at",
    "read beside",
    "read home",
    "read secret",
    "read launcher's latch",
    "list launcher's directory",
    "write to launcher's directory",
    "write to open directory",
    "write policy",
    "write shipped policy",
    "write run",
    "write parameter",
    "link out",
    "memory",
    "environment",
    "descriptors",
    "root of another",
];

#[test]
fn the_front_keeps_what_it_needs_and_nothing_else() {
    let said = run_subject();
    let layers: Vec<&str> =
        said.iter().filter(|(kind, ..)| kind.ends_with("layer")).map(|(_, step, _)| step.as_str()).collect();
    assert_eq!(layers, ["credentials", "capabilities", "no-new-privs", "landlock", "seccomp"]);
    let tried: Vec<(&str, i32)> = said
        .iter()
        .filter(|(kind, ..)| kind.ends_with("tried"))
        .map(|(_, name, errno)| (name.as_str(), errno.parse().unwrap()))
        .collect();
    assert_eq!(tried.len(), NEEDED.len() + BY_PATH.len() + 19 + 45, "{tried:?}");
    let mut wrong = Vec::new();
    for (name, errno) in tried {
        let expected: &[i32] = match name {
            needed if NEEDED.contains(&needed) => &[0],
            place if BY_PATH.contains(&place) => &[libc::EACCES, libc::EPERM, libc::EXDEV],
            socket if socket.starts_with("socket ") => &[libc::EAFNOSUPPORT],
            _ => &[libc::EPERM],
        };
        if !expected.contains(&errno) {
            wrong.push(format!("{name}: {errno}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(!Path::new("/tmp/countersign-was-here").exists());
}

#[test]
fn filters_are_the_same_every_time_and_differ_when_what_they_refuse_does() {
    let compile = |sets: &[CallSet], sockets: &[Socket]| {
        format!("{:?}", seccomp::compile(&Refusals { sets, sockets, starts: Starts::Anything, guarded: &[] }).unwrap())
    };
    let base = compile(&[CallSet::Mounts], &[Socket::Unix]);
    assert_eq!(base, compile(&[CallSet::Mounts], &[Socket::Unix]));
    assert_ne!(base, compile(&[CallSet::Mounts, CallSet::Boot], &[Socket::Unix]));
    assert_ne!(base, compile(&[CallSet::Mounts], &[Socket::Unix, Socket::Inet]));
    assert_ne!(base, compile(&[CallSet::Mounts], &[]));
}

#[test]
fn every_capability_that_a_profile_can_name_is_known() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policy/profiles");
    let texts: Vec<String> =
        fs::read_dir(directory).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
    let files: Vec<_> = texts.iter().map(|text| countersign_core::policy::TextFile { name: "profile", text }).collect();
    let profiles = countersign_core::profile::Profiles::parse(&files, &[]).unwrap();
    for profile in profiles.iter() {
        assert!(Keep::allowed(&profile.capabilities, Carry::Root).is_ok(), "{:?}", profile.name);
        let sets = profile.refused_calls();
        let sockets: Vec<Socket> = profile.sockets.iter().map(|each| each.kind).collect();
        seccomp::compile(&Refusals { sets: &sets, sockets: &sockets, starts: Starts::Anything, guarded: &[] }).unwrap();
    }
}
