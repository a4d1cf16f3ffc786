//! The deny list: what is never done, in any mode, with any approval. SEC-1.
//!
//! Enters: a program's name and its words, or words of which nothing is understood. Leaves: the entry that they hit.
//! It reads words more loosely than any program would, so that no spelling escapes it, and knows nothing of rules, so
//! that no rule can weaken it. Paths on the list are in `sensitive.rs`; patterns of whole texts in `opaque.rs`.

use super::kind::Word;
use super::{glob, sensitive};
use crate::path::CleanPath;

/// An entry of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) rule: &'static str,
    pub(super) says: &'static str,
}

const REMOVE_ROOT: Hit = Hit { rule: "deny.rm-root", says: "Removes the root or a top-level directory of the system." };
const OWN_ROOT: Hit = Hit {
    rule: "deny.chmod-root",
    says: "Changes owner or rights of everything below a top-level directory of the system.",
};
const WIPE_DISK: Hit =
    Hit { rule: "deny.wipe-disk", says: "Overwrites a whole disk that is taken to hold the running system." };
const STOP_GUARD: Hit =
    Hit { rule: "deny.stop-guard", says: "Stops, disables or edits Countersign or polkit from inside." };
const REMOVE_GUARD: Hit = Hit { rule: "deny.remove-guard", says: "Removes Countersign or polkit from inside." };
const OWN_CONTROL: Hit = Hit { rule: "deny.own-control", says: "Uses Countersign's own controls from inside a job." };
const OWN_STATE: Hit =
    Hit { rule: "deny.own-state", says: "Touches the keys, the state or the audit trail of Countersign." };
const LOCKDOWN: Hit = Hit { rule: "deny.lockdown", says: "Turns off what protects the kernel." };
pub(super) const FORK_BOMB: Hit = Hit { rule: "deny.fork-bomb", says: "Starts copies of itself without end." };

/// What an entry looks for. One program belongs to one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Remove,
    Rights,
    Find,
    Format,
    Overwrite,
    Wipe,
    Services,
    Signals,
    Packages,
    Own,
    Kernel,
}

const FAMILIES: usize = 11;

/// Every program that the list speaks of, in alphabetical order.
const PROGRAMS: [(&str, Family); 67] = [
    ("apt", Family::Packages),
    ("apt-get", Family::Packages),
    ("aptitude", Family::Packages),
    ("badblocks", Family::Wipe),
    ("blkdiscard", Family::Format),
    ("chattr", Family::Rights),
    ("chcon", Family::Rights),
    ("chgrp", Family::Rights),
    ("chkconfig", Family::Services),
    ("chmod", Family::Rights),
    ("chown", Family::Rights),
    ("countersign", Family::Own),
    ("countersign-launcher", Family::Own),
    ("countersignd", Family::Own),
    ("cp", Family::Overwrite),
    ("cryptsetup", Family::Wipe),
    ("dc3dd", Family::Overwrite),
    ("dcfldd", Family::Overwrite),
    ("dd", Family::Overwrite),
    ("ddrescue", Family::Overwrite),
    ("dnf", Family::Packages),
    ("dpkg", Family::Packages),
    ("find", Family::Find),
    ("grubby", Family::Kernel),
    ("hdparm", Family::Wipe),
    ("initctl", Family::Services),
    ("install", Family::Overwrite),
    ("invoke-rc.d", Family::Services),
    ("kexec", Family::Kernel),
    ("killall", Family::Signals),
    ("killall5", Family::Signals),
    ("mdadm", Family::Wipe),
    ("microdnf", Family::Packages),
    ("mkdosfs", Family::Format),
    ("mke2fs", Family::Format),
    ("mkfs", Family::Format),
    ("mkntfs", Family::Format),
    ("mkswap", Family::Format),
    ("mokutil", Family::Kernel),
    ("mv", Family::Overwrite),
    ("nvme", Family::Wipe),
    ("pacman", Family::Packages),
    ("parted", Family::Wipe),
    ("pkill", Family::Signals),
    ("pvcreate", Family::Format),
    ("rc-service", Family::Services),
    ("rc-update", Family::Services),
    ("rm", Family::Remove),
    ("rmdir", Family::Remove),
    ("rpm", Family::Packages),
    ("scrub", Family::Format),
    ("service", Family::Services),
    ("setfacl", Family::Rights),
    ("sfdisk", Family::Wipe),
    ("sg_format", Family::Wipe),
    ("sgdisk", Family::Wipe),
    ("shred", Family::Format),
    ("skill", Family::Signals),
    ("srm", Family::Remove),
    ("systemctl", Family::Services),
    ("tee", Family::Overwrite),
    ("update-rc.d", Family::Services),
    ("wipe", Family::Format),
    ("wipefs", Family::Wipe),
    ("yum", Family::Packages),
    ("zpool", Family::Wipe),
    ("zypper", Family::Packages),
];

fn family(name: &str) -> Option<Family> {
    if name.starts_with("mkfs.") {
        return Some(Family::Format);
    }
    // This is asked of every word: the first byte leaves few to compare.
    let first = name.bytes().next()?;
    let begins = |known: &str| known.bytes().next().unwrap_or_default();
    let from = PROGRAMS.partition_point(|(known, _)| begins(known) < first);
    let mut near = PROGRAMS.iter().skip(from).take_while(|(known, _)| begins(known) == first);
    near.find(|(known, _)| *known == name).map(|(_, family)| *family)
}

/// Whether this program with these words is on the list.
pub(super) fn command(name: &str, words: &[Word<'_>], cwd: Option<&CleanPath>) -> Option<Hit> {
    check(family(name)?, name, words, cwd)
}

/// Whether these words could put some program among them on the list. Each family is looked at once, from its first
/// program on: what a later one would hit, the first hits too.
pub(super) fn anywhere(words: &[Word<'_>], cwd: Option<&CleanPath>) -> Option<Hit> {
    let mut met = [false; FAMILIES];
    for (at, word) in words.iter().enumerate() {
        let name = word.text.rsplit('/').next().unwrap_or_default();
        let Some(family) = family(name) else { continue };
        let Some(met) = met.get_mut(family as usize) else { continue };
        if std::mem::replace(met, true) {
            continue;
        }
        let rest = words.get(at.saturating_add(1)..).unwrap_or_default();
        if let Some(hit) = check(family, name, rest, cwd) {
            return Some(hit);
        }
    }
    None
}

fn check(family: Family, name: &str, words: &[Word<'_>], cwd: Option<&CleanPath>) -> Option<Hit> {
    let any = |wanted: &dyn Fn(&str) -> bool| words.iter().any(|word| wanted(&word.text));
    let top = || {
        words.iter().any(|word| {
            is_operand(&word.text)
                && is_short(&word.text)
                && resolved(&word.text, cwd).is_some_and(|path| sensitive::is_top_level(&path))
        })
    };
    let disk = || any(&|text| is_system_disk(text));
    match family {
        Family::Remove => (any(&is_recursive) && top()).then_some(REMOVE_ROOT),
        Family::Rights => (any(&is_recursive) && top()).then_some(OWN_ROOT),
        Family::Find => (top() && !any(&is_test) && any(&removes)).then_some(REMOVE_ROOT),
        Family::Format => disk().then_some(WIPE_DISK),
        Family::Overwrite => overwrites(name, words).then_some(WIPE_DISK),
        Family::Wipe => (disk() && any(&|text| wipes(name, text))).then_some(WIPE_DISK),
        Family::Services => (any(&is_guard) && any(&ends_service)).then_some(STOP_GUARD),
        Family::Signals => any(&|text| text.contains("countersign") || text.contains("polkit")).then_some(STOP_GUARD),
        Family::Packages => (any(&is_guard) && any(&removes_package)).then_some(REMOVE_GUARD),
        Family::Own => (name != "countersign" || any(&controls)).then_some(OWN_CONTROL),
        Family::Kernel => {
            any(&|text| text == "--disable-validation" || text.contains("lockdown=none")).then_some(LOCKDOWN)
        }
    }
}

/// Whether a text names what is never touched.
pub(super) fn named(text: &str) -> Option<Hit> {
    if text.contains("/var/lib/countersign") {
        Some(OWN_STATE)
    } else if text.contains("/sys/kernel/security/lockdown") {
        Some(LOCKDOWN)
    } else {
        None
    }
}

/// Whether writing to this path is on the list.
pub(super) fn write(path: &str, wild: bool) -> Option<Hit> {
    let any = wild && SYSTEM_DISKS.iter().any(|disk| glob::matches(path, disk));
    (any || is_system_disk(path)).then_some(WIPE_DISK)
}

/// Whether the word could be a directory of at most two levels once it is cleaned: anything else need not be looked at.
fn is_short(text: &str) -> bool {
    let slashes = text.bytes().filter(|byte| *byte == b'/').count();
    slashes <= 4 || ["..", "//", "/./", "/proc/"].iter().any(|part| text.contains(part))
}

fn resolved(text: &str, cwd: Option<&CleanPath>) -> Option<String> {
    let text = if let Some(rest) = text.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/')) {
        format!("/root{rest}")
    } else {
        text.to_owned()
    };
    let path = match cwd {
        Some(cwd) => cwd.join(&text),
        None => CleanPath::new(&text),
    };
    path.ok().map(|path| path.as_str().to_owned())
}

fn is_operand(text: &str) -> bool {
    !text.starts_with('-') && (text.contains(['/', '*', '?', '[', '~']) || text.starts_with('.'))
}

/// `-r`, `-R`, `-Rf`, `--recursive` and its abbreviations.
fn is_recursive(text: &str) -> bool {
    match text.strip_prefix("--") {
        Some(long) => long.starts_with('r'),
        None => text.starts_with('-') && text.contains(['r', 'R']),
    }
}

/// A test or a limit of `find`: with one, it does not mean everything.
fn is_test(text: &str) -> bool {
    const ACTIONS: [&str; 14] = [
        "-delete",
        "-depth",
        "-d",
        "-xdev",
        "-mount",
        "-print",
        "-print0",
        "-exec",
        "-execdir",
        "-ok",
        "-okdir",
        "-noleaf",
        "-follow",
        "-mindepth",
    ];
    text.starts_with('-')
        && text.len() > 2
        && !ACTIONS.contains(&text)
        && !text.trim_start_matches('-').starts_with(['r', 'R', 'f'])
}

fn removes(text: &str) -> bool {
    text == "-delete" || matches!(text.rsplit('/').next(), Some("rm" | "unlink" | "shred"))
}

/// The first disk of a machine is taken to be the one that it runs from. Any other device is T3.
const SYSTEM_DISKS: [&str; 7] =
    ["/dev/sda", "/dev/vda", "/dev/xvda", "/dev/hda", "/dev/nvme0n1", "/dev/nvme0", "/dev/mmcblk0"];

fn is_system_disk(text: &str) -> bool {
    let path = text.split_once('=').map_or(text, |(_, value)| value);
    path.starts_with("/")
        && path.contains("dev")
        && CleanPath::new(path).is_ok_and(|path| SYSTEM_DISKS.contains(&sensitive::seen_through(path.as_str())))
}

/// Whether the program writes to the disk among its words: `of=`, or the last operand.
fn overwrites(name: &str, words: &[Word<'_>]) -> bool {
    let last = words.iter().rfind(|word| !word.text.starts_with('-'));
    match name {
        "dd" | "dc3dd" | "dcfldd" => {
            words.iter().any(|word| word.text.starts_with("of=") && is_system_disk(&word.text))
        }
        "tee" => words.iter().any(|word| is_system_disk(&word.text)),
        _ => last.is_some_and(|word| is_system_disk(&word.text)),
    }
}

fn wipes(name: &str, text: &str) -> bool {
    let short = |letters: &[char]| text.starts_with('-') && !text.starts_with("--") && text.contains(letters);
    match name {
        "wipefs" => short(&['a', 'o']) || text.starts_with("--a") || text.starts_with("--o"),
        "sgdisk" => short(&['Z', 'z', 'o']) || text.starts_with("--zap") || text.starts_with("--clear"),
        "sfdisk" => text.starts_with("--delete") || text.starts_with("--wipe"),
        "parted" => matches!(text, "mklabel" | "mktable" | "rm"),
        "hdparm" => text.starts_with("--security-erase") || text.starts_with("--trim-sector"),
        "nvme" => matches!(text, "format" | "sanitize" | "write-zeroes" | "delete-ns"),
        "cryptsetup" => matches!(text, "luksFormat" | "erase" | "luksErase" | "reencrypt"),
        "badblocks" => short(&['w']),
        "mdadm" => text.starts_with("--zero") || text.starts_with("--create") || short(&['C']),
        "zpool" => matches!(text, "create" | "labelclear"),
        _ => true,
    }
}

/// A unit or a package that guards the machine.
fn is_guard(text: &str) -> bool {
    let name = text.rsplit('/').next().unwrap_or_default();
    name.contains("countersign")
        || name.starts_with("polkit")
        || name == "policykit-1"
        || (glob::is_glob(name) && glob::matches(name, "countersignd.service"))
}

fn ends_service(text: &str) -> bool {
    const VERBS: [&str; 14] = [
        "stop",
        "disable",
        "mask",
        "kill",
        "edit",
        "revert",
        "set-property",
        "freeze",
        "link",
        "clean",
        "remove",
        "force-stop",
        "off",
        "del",
    ];
    VERBS.contains(&text)
}

fn removes_package(text: &str) -> bool {
    const VERBS: [&str; 11] = ["remove", "purge", "autoremove", "erase", "-r", "-P", "-e", "-R", "-Rs", "-Rns", "rm"];
    VERBS.contains(&text) || text.starts_with("--remove") || text.starts_with("--purge") || text.starts_with("--erase")
}

/// What a job may not ask of the broker that runs it.
fn controls(text: &str) -> bool {
    matches!(text, "approve" | "refuse" | "clear" | "stop" | "hold" | "resume")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_is_found_and_no_other() {
        assert!(PROGRAMS.is_sorted_by(|(one, _), (other, _)| one < other));
        for (name, wanted) in PROGRAMS {
            assert_eq!(family(name), Some(wanted), "{name}");
            assert_eq!(family(&format!("{name}x")), None, "{name}x");
        }
        for name in ["", "a", "~", "zz", "\u{fc}"] {
            assert_eq!(family(name), None, "{name}");
        }
    }
}
