//! What an outcome says of each layer is what the kernel says of the running job: read from outside, line by line.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use countersign_core::message::CancelCause;
use countersign_core::profile::Profile;

use crate::driver::{Launcher, Ran, shell};

/// The profiles that a shell may be put in; every other is made of the same steps.
const PROFILES: [&str; 3] = ["observe", "change", "system"];

/// The kernel's names, in its order (linux/capability.h).
const CAPABILITIES: &str = "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP \
    LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT \
    SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE \
    AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF \
    CHECKPOINT_RESTORE";

/// What the kernel shows of a process.
struct Shown {
    pid: u32,
    status: String,
    stat: Vec<String>,
    limits: String,
    mounts: String,
    cgroup: String,
    network: String,
    oom: String,
    descriptors: Vec<String>,
}

impl Shown {
    fn of(pid: u32) -> Self {
        let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap();
        let link = |name: &str| fs::read_link(format!("/proc/{pid}/{name}")).unwrap().display().to_string();
        let stat = read("stat");
        let (_, after) = stat.rsplit_once(')').unwrap();
        let mut descriptors: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        descriptors.sort();
        Self {
            pid,
            status: read("status"),
            stat: after.split_whitespace().map(str::to_owned).collect(),
            limits: read("limits"),
            mounts: read("mountinfo"),
            cgroup: read("cgroup"),
            network: link("ns/net"),
            oom: read("oom_score_adj"),
            descriptors,
        }
    }

    fn status(&self, key: &str) -> Vec<&str> {
        let line = self.status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("no {key}")).split_whitespace().collect()
    }

    fn capabilities(&self, key: &str) -> BTreeSet<&'static str> {
        let bits = u64::from_str_radix(self.status(key).first().unwrap(), 16).unwrap();
        CAPABILITIES
            .split_whitespace()
            .enumerate()
            .filter(|(bit, _)| bits & (1 << bit) != 0)
            .map(|each| each.1)
            .collect()
    }

    /// The attributes of the topmost mount at the root.
    fn root(&self) -> BTreeSet<&str> {
        let mut words = self.mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let root = words.rfind(|words| words.get(4) == Some(&"/")).unwrap();
        root[5].split(',').filter(|word| ["ro", "nosuid", "nodev"].contains(word)).collect()
    }
}

/// A job that stays, as the kernel shows it and as its outcome tells of it.
fn both(launcher: &mut Launcher, profile: &'static str) -> (Shown, Ran) {
    let own = launcher.pid();
    let running = launcher.start_job(&shell(profile, "exec sleep 60")).unwrap();
    let sleeps = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "sleep\n");
    let pid = (0..500).find_map(|_| {
        std::thread::sleep(Duration::from_millis(10));
        launcher.processes().into_iter().find(|pid| *pid != own && sleeps(pid))
    });
    let shown = Shown::of(pid.unwrap_or_else(|| panic!("{profile}: nothing runs")));
    launcher.cancel(running.id, CancelCause::OutputLimit);
    (shown, launcher.wait(running))
}

#[test]
fn each_layer_is_what_the_kernel_shows_of_the_running_job() {
    let mut launcher = Launcher::start();
    let outside = fs::read_link("/proc/self/ns/net").unwrap().display().to_string();
    for profile in PROFILES {
        let (shown, ran) = both(&mut launcher, profile);
        begun(&shown, &ran);
        limited(&shown, &ran, profile);
        seen(&shown, &ran, &outside, profile);
        let defined = launcher.policy.profiles().iter().find(|each| each.name.as_str() == profile).unwrap();
        empowered(&shown, &ran, defined);
    }
}

fn begun(shown: &Shown, ran: &Ran) {
    let told = |step: &str| ran.layer(step).to_owned();
    let name = told("cgroup").split(',').next().unwrap().to_owned();
    assert!(shown.cgroup.lines().any(|line| line.starts_with("0::") && line.ends_with(&format!("/{name}"))));

    let session = format!("own session and process group {}, no terminal", shown.pid);
    assert_eq!(told("session"), session);
    assert_eq!(
        (&*shown.stat[2], &*shown.stat[3], &*shown.stat[4]),
        (&*shown.pid.to_string(), &*shown.pid.to_string(), "0")
    );

    assert_eq!(shown.descriptors, ["0", "1", "2"]);
    assert_eq!(told("descriptors"), "open are 0 1 2 and no other");
    assert_eq!(told("stdio"), "stdin a device; stdout a pipe; stderr a pipe");
}

fn limited(shown: &Shown, ran: &Ran, profile: &str) {
    let told = |step: &str| ran.layer(step).to_owned();
    let limit = |name: &str| -> Vec<&str> {
        let line = shown.limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().take(2).collect()
    };
    let files = limit("Max open files");
    assert_eq!(limit("Max core file size"), ["0", "0"]);
    let limits = told("limits");
    let expected = format!(
        "no core files, {} to {} open files, umask {}",
        files[0],
        files[1],
        shown.status("Umask")[0].replacen('0', "", 1)
    );
    assert!(limits.starts_with(&expected), "{limits}: {expected}");
    assert!(limits.ends_with(&format!("out of memory score {}", shown.oom.trim())), "{limits}");
    if let Some(data) = limits.split(", ").find_map(|part| part.strip_suffix(" MiB of data per process")) {
        let bytes = (data.parse::<u64>().unwrap() << 20).to_string();
        assert_eq!(limit("Max data size"), [&*bytes, &*bytes], "{profile}");
    }
}

fn seen(shown: &Shown, ran: &Ran, outside: &str, profile: &str) {
    let told = |step: &str| ran.layer(step).to_owned();
    let words = [("ro", "read-only"), ("nodev", "no devices"), ("nosuid", "no set-id")];
    let root: Vec<&str> = words.iter().filter(|(flag, _)| shown.root().contains(flag)).map(|each| each.1).collect();
    let root = if root.is_empty() { "writable".to_owned() } else { root.join(", ") };
    assert!(told("mounts").contains(&format!("; {root} at the root;")), "{profile}: {}: {root}", told("mounts"));

    let network = told("network");
    assert!(network.ends_with(&format!(", {}", shown.network)), "{network}");
    assert_eq!(network.starts_with("own and empty"), shown.network != outside, "{network}");
}

fn empowered(shown: &Shown, ran: &Ran, defined: &Profile) {
    let told = |step: &str| ran.layer(step).to_owned();
    let profile = &defined.name;
    let [uid, gid] = ["Uid", "Gid"].map(|key| shown.status(key));
    assert!(uid.iter().all(|id| *id == uid[0]) && gid.iter().all(|id| *id == gid[0]), "{profile:?}");
    assert!(shown.status("Groups").is_empty(), "{profile:?}");
    assert_eq!(told("credentials"), format!("uid {}, gid {}, no other group", uid[0], gid[0]));

    let capabilities = told("capabilities");
    let named: BTreeSet<&str> = capabilities.split(" (").next().unwrap().split(' ').collect();
    let named = if capabilities == "none in any set" { BTreeSet::new() } else { named };
    for set in ["CapEff", "CapPrm", "CapBnd"] {
        assert_eq!(shown.capabilities(set), named, "{profile:?} {set}");
    }
    let carried = if uid[0] == "0" { BTreeSet::new() } else { named.clone() };
    for set in ["CapAmb", "CapInh"] {
        assert_eq!(shown.capabilities(set), carried, "{profile:?} {set}");
    }
    assert!(named.iter().all(|name| defined.capabilities.iter().any(|each| each.name.name() == *name)));

    assert_eq!((told("no-new-privs").as_str(), shown.status("NoNewPrivs")), ("set", vec!["1"]));
    assert_eq!((shown.status("Seccomp"), shown.status("Seccomp_filters")), (vec!["2"], vec!["1"]), "{profile:?}");
    assert!(told("seccomp").starts_with("one filter, "));
}
