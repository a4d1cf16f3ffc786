//! Places: the files that a sandbox protects or hides, in named sets with a reason on each line.
//!
//! A pattern is an absolute path in which `*` stands for any part of one name. A place that does not exist on a
//! machine is passed over there.

use serde::{Deserialize, Serialize};

/// A file or a directory with everything below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The path, with `*` for any part of one name.
    pub pattern: &'static str,
    /// Why it is in its set.
    pub why: &'static str,
}

/// A named set of places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlaceSet {
    /// Who exists, and with which password.
    Accounts,
    /// What says who may do what.
    Authority,
    /// What the next boot and the kernel obey.
    Boot,
    /// What PID 1 and the schedulers run.
    Units,
    /// What says who may approve.
    Approval,
    /// Countersign's own files that a job may look at and never change.
    Own,
    /// Countersign's own files that are no job's business.
    OwnSecrets,
    /// Password hashes and private keys.
    Secrets,
    /// Sockets through which a container engine would do anything for its caller.
    Containers,
    /// Sockets through which PID 1 and other services would do anything for root.
    Bus,
    /// What a reader of the kernel's messages must not reach.
    KernelLog,
}

const fn place(pattern: &'static str, why: &'static str) -> Place {
    Place { pattern, why }
}

const ACCOUNTS: &[Place] = &[
    place("/etc/passwd", "who exists"),
    place("/etc/passwd-", "its predecessor, which tools restore"),
    place("/etc/group", "who belongs to which group"),
    place("/etc/group-", "its predecessor, which tools restore"),
    place("/etc/shadow", "who can log in with which password"),
    place("/etc/shadow-", "its predecessor, which tools restore"),
    place("/etc/gshadow", "group passwords"),
    place("/etc/gshadow-", "its predecessor, which tools restore"),
    place("/etc/subuid", "which ids a user may take"),
    place("/etc/subgid", "which ids a group may take"),
];

const AUTHORITY: &[Place] = &[
    place("/etc/sudoers", "who becomes root"),
    place("/etc/sudoers.d", "who becomes root"),
    place("/etc/doas.conf", "who becomes root"),
    place("/etc/polkit-1", "who may ask services for what"),
    place("/usr/share/polkit-1", "who may ask services for what"),
    place("/etc/pam.d", "how everybody proves who they are"),
    place("/etc/pam.conf", "how everybody proves who they are"),
    place("/etc/security", "what the modules of PAM obey"),
    place("/etc/nsswitch.conf", "where names of users are looked up"),
    place("/etc/dbus-1", "who may talk to which service"),
    place("/usr/share/dbus-1", "which services the bus starts, and as whom"),
    place("/etc/ssh", "how the machine is entered, and its host keys"),
    place("/root/.ssh", "whose key opens root's account"),
    place("/home/*/.ssh", "whose key opens a user's account"),
    place("/etc/ld.so.preload", "a library in every process"),
    place("/etc/ld.so.conf", "where every process finds its libraries"),
    place("/etc/ld.so.conf.d", "where every process finds its libraries"),
    place("/etc/security-policy", "policy of other guards"),
    place("/etc/apparmor", "policy of other guards"),
    place("/etc/apparmor.d", "policy of other guards"),
    place("/etc/selinux", "policy of other guards"),
    place("/etc/audit", "what the kernel's audit writes down"),
];

const BOOT: &[Place] = &[
    place("/boot", "the kernel, its first file system and the boot loader"),
    place("/efi", "the boot loader"),
    place("/lib/modules", "code that the kernel loads"),
    place("/usr/lib/modules", "code that the kernel loads"),
    place("/etc/modules", "code that the kernel loads at boot"),
    place("/etc/modules-load.d", "code that the kernel loads at boot"),
    place("/etc/modprobe.d", "what loading a module runs"),
    place("/etc/sysctl.conf", "kernel parameters"),
    place("/etc/sysctl.d", "kernel parameters"),
    place("/etc/default/grub", "kernel parameters"),
    place("/etc/default/grub.d", "kernel parameters"),
    place("/etc/grub.d", "what makes the boot menu"),
    place("/etc/initramfs-tools", "what goes into the first file system"),
    place("/etc/dracut.conf.d", "what goes into the first file system"),
    place("/etc/fstab", "what is mounted at boot"),
    place("/etc/crypttab", "what is decrypted at boot"),
    place("/etc/udev", "what a new device runs"),
    place("/usr/lib/udev", "what a new device runs"),
    place("/proc/sys", "kernel parameters"),
    place("/proc/sysrq-trigger", "the kernel's emergency keys"),
    place("/sys/kernel", "the kernel's own switches"),
    place("/sys/firmware", "variables of the firmware"),
    place("/sys/power", "sleep and hibernation"),
    place("/sys/module", "parameters of what the kernel loaded"),
    place("/proc/bus", "the registers of devices"),
];

const UNITS: &[Place] = &[
    place("/etc/systemd", "what PID 1 runs"),
    place("/usr/lib/systemd", "what PID 1 runs"),
    place("/usr/local/lib/systemd", "what PID 1 runs"),
    place("/run/systemd/system", "what PID 1 runs until the next boot"),
    place("/run/systemd/transient", "what PID 1 runs until it ends"),
    place("/run/systemd/system.control", "what PID 1 runs until the next boot"),
    place("/run/systemd/system.attached", "what PID 1 runs until the next boot"),
    place("/run/systemd/generator", "what generators made for PID 1"),
    place("/run/systemd/generator.early", "what generators made for PID 1"),
    place("/run/systemd/generator.late", "what generators made for PID 1"),
    place("/etc/init.d", "what old scripts start at boot"),
    place("/etc/rc.local", "what runs at boot"),
    place("/etc/crontab", "what cron runs"),
    place("/etc/cron.d", "what cron runs"),
    place("/etc/cron.hourly", "what cron runs"),
    place("/etc/cron.daily", "what cron runs"),
    place("/etc/cron.weekly", "what cron runs"),
    place("/etc/cron.monthly", "what cron runs"),
    place("/var/spool/cron", "what cron runs for users"),
    place("/var/spool/at", "what at runs for users"),
    place("/etc/profile", "what every login shell runs"),
    place("/etc/profile.d", "what every login shell runs"),
    place("/etc/environment", "the environment of every login"),
];

const APPROVAL: &[Place] = &[
    place("/etc/polkit-1", "who may ask services for what"),
    place("/usr/share/polkit-1", "who may ask services for what"),
];

const OWN: &[Place] = &[
    place("/etc/countersign", "Countersign's policy"),
    place("/usr/share/countersign", "Countersign's shipped policy"),
    place("/usr/libexec/countersign", "Countersign's programs"),
    place("/usr/bin/countersign", "Countersign's client"),
    place("/run/countersign", "the notice of the kill switch"),
    place("/usr/lib/systemd/system/countersignd.service", "Countersign's unit"),
    place("/usr/lib/systemd/system/dbus-org.countersign.Broker1.service", "the name by which the bus starts it"),
    place("/usr/lib/systemd/system-generators/countersign-latch-generator", "what keeps Countersign stopped"),
    place("/etc/systemd/system/countersignd.service", "another unit in its place"),
    place("/etc/systemd/system/countersignd.service.d", "changes to Countersign's unit"),
    place("/run/systemd/system/countersignd.service.d", "changes to Countersign's unit until the next boot"),
    place("/usr/share/dbus-1/system.d/org.countersign.Broker1.conf", "who may talk to Countersign"),
    place("/usr/share/dbus-1/system-services/org.countersign.Broker1.service", "how Countersign is started"),
    place("/usr/share/polkit-1/actions/org.countersign.policy", "who approves"),
    place("/sys/fs/cgroup", "which job a process belongs to and ends with"),
];

const OWN_SECRETS: &[Place] = &[
    place("/var/lib/countersign", "the audit log"),
    place("/var/lib/countersign-launcher", "the latch, the signing key and the witness"),
    place("/etc/countersign/keys", "keys"),
    place("/run/credentials/countersignd.service", "the signing key, where systemd hands it over"),
    place("/etc/credstore/countersign-signing-key", "the signing key, before systemd hands it over"),
    place("/etc/credstore.encrypted/countersign-signing-key", "the signing key, before systemd hands it over"),
];

const SECRETS: &[Place] = &[
    place("/etc/shadow", "password hashes"),
    place("/etc/shadow-", "password hashes"),
    place("/etc/gshadow", "group password hashes"),
    place("/etc/gshadow-", "group password hashes"),
    place("/etc/security/opasswd", "old password hashes"),
    place("/etc/sudoers", "a map of who may do what, which an attacker wants first"),
    place("/etc/sudoers.d", "a map of who may do what, which an attacker wants first"),
    place("/etc/ssh/ssh_host_*_key", "the machine's identity"),
    place("/root/.ssh", "private keys"),
    place("/root/.gnupg", "private keys"),
    place("/root/.aws", "cloud credentials"),
    place("/root/.kube", "cluster credentials"),
    place("/root/.docker", "registry credentials"),
    place("/root/.netrc", "passwords"),
    place("/root/.pgpass", "passwords"),
    place("/root/.my.cnf", "passwords"),
    place("/root/.git-credentials", "passwords"),
    place("/root/.bash_history", "passwords typed on a command line"),
    place("/home/*/.ssh", "private keys"),
    place("/home/*/.gnupg", "private keys"),
    place("/home/*/.aws", "cloud credentials"),
    place("/home/*/.kube", "cluster credentials"),
    place("/home/*/.docker", "registry credentials"),
    place("/home/*/.netrc", "passwords"),
    place("/home/*/.pgpass", "passwords"),
    place("/home/*/.my.cnf", "passwords"),
    place("/home/*/.git-credentials", "passwords"),
    place("/home/*/.config/gh", "tokens"),
    place("/home/*/.bash_history", "passwords typed on a command line"),
    place("/etc/ssl/private", "private keys of services"),
    place("/etc/pki/tls/private", "private keys of services"),
    place("/etc/letsencrypt/live", "private keys of services"),
    place("/etc/letsencrypt/archive", "private keys of services"),
    place("/etc/letsencrypt/accounts", "account keys"),
    place("/etc/wireguard", "private keys of tunnels"),
    place("/etc/openvpn", "private keys of tunnels"),
    place("/etc/ipsec.secrets", "private keys of tunnels"),
    place("/etc/krb5.keytab", "the machine's Kerberos key"),
    place("/etc/NetworkManager/system-connections", "passwords of networks"),
    place("/etc/wpa_supplicant", "passwords of networks"),
    place("/etc/ppp/chap-secrets", "passwords of networks"),
    place("/etc/ppp/pap-secrets", "passwords of networks"),
    place("/etc/mysql/debian.cnf", "the database's maintenance password"),
    place("/etc/credstore", "credentials of services"),
    place("/etc/credstore.encrypted", "credentials of services"),
    place("/run/credentials", "credentials of running services"),
    place("/var/lib/systemd/credential.secret", "the key of all credentials"),
    place("/var/lib/systemd/random-seed", "tomorrow's randomness"),
    place("/var/lib/private", "state of services that chose to be private"),
    place("/proc/kcore", "the kernel's memory"),
];

const CONTAINERS: &[Place] = &[
    place("/run/docker.sock", "root for whoever may write to it"),
    place("/run/containerd", "root for whoever may write to it"),
    place("/run/crio", "root for whoever may write to it"),
    place("/run/podman", "root for whoever may write to it"),
    place("/run/libvirt", "root for whoever may write to it"),
    place("/run/lxd.socket", "root for whoever may write to it"),
    place("/var/snap/lxd/common/lxd/unix.socket", "root for whoever may write to it"),
    place("/run/snapd.socket", "root for whoever may write to it"),
];

const BUS: &[Place] = &[
    place("/run/dbus/system_bus_socket", "PID 1 starts anything for root"),
    place("/run/systemd/private", "PID 1 starts anything for root"),
    place("/run/systemd/notify", "a false report to PID 1"),
    place("/run/systemd/io.system.ManagedOOM", "says what is killed when memory is short"),
    place("/run/systemd/userdb", "says who users are"),
    place("/run/udev/control", "steers the device manager"),
];

const KERNEL_LOG: &[Place] = &[
    place("/proc/kmsg", "whoever reads there takes the messages away"),
    place("/proc/kallsyms", "where the kernel's functions are"),
];

impl PlaceSet {
    /// The places of the set.
    #[must_use]
    pub const fn places(self) -> &'static [Place] {
        match self {
            Self::Accounts => ACCOUNTS,
            Self::Authority => AUTHORITY,
            Self::Boot => BOOT,
            Self::Units => UNITS,
            Self::Approval => APPROVAL,
            Self::Own => OWN,
            Self::OwnSecrets => OWN_SECRETS,
            Self::Secrets => SECRETS,
            Self::Containers => CONTAINERS,
            Self::Bus => BUS,
            Self::KernelLog => KERNEL_LOG,
        }
    }

    /// What the set holds, for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Authority => "privileges and logins",
            Self::Boot => "boot and kernel settings",
            Self::Units => "system units and schedules",
            Self::Approval => "who approves",
            Self::Own => "Countersign itself",
            Self::OwnSecrets => "Countersign's records",
            Self::Secrets => "passwords and private keys",
            Self::Containers => "container engines",
            Self::Bus => "the system bus",
            Self::KernelLog => "the kernel's addresses",
        }
    }
}
