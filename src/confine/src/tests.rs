//! The front's sandbox from inside: a process that took it, trying what it must not be able to do any more.
//!
//! Confinement cannot be undone, so each test starts this test program again as its subject and reads what it says.

use std::io;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use countersign_core::profile::{CallSet, Socket};
use nix::libc;

use crate::capabilities::{Carry, Keep};
use crate::credentials::Credentials;
use crate::front::{FrontLimits, confine_self};
use crate::seccomp::{self, Refusals, Starts};

/// Says which directory the subject may use; its presence makes this process the subject.
const SUBJECT: &str = "COUNTERSIGN_CONFINE_SUBJECT";
/// Nobody's number on any machine that runs this.
const NOBODY_ELSE: u32 = 64_243;

fn errno<T>(result: io::Result<T>) -> i32 {
    result.err().and_then(|error| error.raw_os_error()).unwrap_or(0)
}

/// What the subject tries, by name, with the error number of each; 0 is success.
fn attempts(own: &Path) -> Vec<(&'static str, i32)> {
    let start = || Builder::new("/bin/true");
    vec![
        ("write own", errno(fs::write(own.join("file"), "x"))),
        ("rename own", errno(fs::rename(own.join("file"), own.join("other")))),
        ("remove own", errno(fs::remove_file(own.join("other")))),
        ("read configuration", errno(fs::read("/etc/passwd"))),
        ("read process", errno(fs::read("/proc/self/stat"))),
        ("thread", errno(std::thread::Builder::new().spawn(|| ()).map(|thread| thread.join().unwrap()))),
        ("local socket", errno(UnixDatagram::unbound())),
        ("read home", errno(fs::read_dir("/root").map(drop))),
        ("write elsewhere", errno(fs::write("/etc/countersign-was-here", "x"))),
        ("write to open directory", errno(fs::write("/tmp/countersign-was-here", "x"))),
        ("network", errno(UdpSocket::bind("127.0.0.1:0"))),
        ("program", errno(start().0.status())),
    ]
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
    let Some(own) = env::var_os(SUBJECT).map(PathBuf::from) else { return };
    let limits = FrontLimits {
        credentials: Credentials { uid: NOBODY_ELSE, gid: NOBODY_ELSE },
        write: vec![own.clone()],
        read: vec!["/etc".into(), "/usr".into(), "/proc".into()],
    };
    // The test harness has threads of its own; this one is confined, and so is whatever it starts.
    for layer in confine_self(&limits).unwrap() {
        println!("layer={}={}", layer.step, layer.gives);
    }
    for (name, errno) in attempts(&own) {
        println!("tried={name}={errno}");
    }
}

fn run_subject() -> Vec<(String, String, String)> {
    let own = env::temp_dir().join(format!("countersign-confine-{}", std::process::id()));
    fs::create_dir_all(&own).unwrap();
    fs::set_permissions(&own, fs::Permissions::from_mode(0o777)).unwrap();
    let output = Builder::new(env::current_exe().unwrap())
        .0
        .args(["--exact", "tests::subject", "--nocapture", "--test-threads=1"])
        .env(SUBJECT, &own)
        .output()
        .unwrap();
    fs::remove_dir_all(&own).unwrap();
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

#[test]
fn the_front_keeps_what_it_needs_and_nothing_else() {
    let said = run_subject();
    let layers: Vec<&str> =
        said.iter().filter(|(kind, ..)| kind.ends_with("layer")).map(|(_, step, _)| step.as_str()).collect();
    assert_eq!(layers, ["credentials", "capabilities", "no-new-privs", "landlock", "seccomp"]);
    let tried = |name: &str| {
        let found = said.iter().find(|(kind, what, _)| kind.ends_with("tried") && what == name);
        found.unwrap_or_else(|| panic!("{name} was not tried: {said:?}")).2.parse::<i32>().unwrap()
    };
    for name in
        ["write own", "rename own", "remove own", "read configuration", "read process", "thread", "local socket"]
    {
        assert_eq!(tried(name), 0, "{name}");
    }
    for (name, errnos) in [
        ("read home", [libc::EACCES, libc::EPERM]),
        ("write elsewhere", [libc::EACCES, libc::EROFS]),
        ("write to open directory", [libc::EACCES, libc::EROFS]),
        ("network", [libc::EAFNOSUPPORT, libc::EAFNOSUPPORT]),
        ("program", [libc::EPERM, libc::EPERM]),
    ] {
        assert!(errnos.contains(&tried(name)), "{name}: {}", tried(name));
    }
}

#[test]
fn filters_are_the_same_every_time_and_differ_when_what_they_refuse_does() {
    let compile = |sets: &[CallSet], sockets: &[Socket]| {
        format!("{:?}", seccomp::compile(&Refusals { sets, sockets, starts: Starts::Anything }).unwrap())
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
        seccomp::compile(&Refusals { sets: &sets, sockets: &sockets, starts: Starts::Anything }).unwrap();
    }
}
