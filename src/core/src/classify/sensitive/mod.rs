//! Sensitive places: paths that raise a tier when they are read or written.
//!
//! Enters: an absolute path cleaned by words alone, perhaps with globs. Leaves: the strictest class of place that it
//! is, lies in, or could reach. Never looks anything up: links are the sandbox's business.

mod class;
mod places;

pub(super) use class::Class;
use places::TOPS;

use super::glob;
use crate::tier::{Ruling, Tier};

/// What is done with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Its content is read.
    Read,
    /// It is created, changed or removed.
    Write,
}

/// How far an action reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// The path itself.
    Itself,
    /// Everything below it too.
    Below,
}

/// A sensitive place that a use of a path touches or could touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Touched {
    pub(super) class: Class,
    pub(super) ruling: Ruling,
}

impl Touched {
    /// The ruling of a class. Only a path that is surely in a place of the deny list is denied: `grep -r x /var` could
    /// reach Countersign's state, but the sandbox hides it, and that is no reason never to search there.
    fn new(class: Class, access: Use, sure: bool) -> Option<Self> {
        let ruling = match (class.ruling(access)?, access) {
            (Ruling::Deny, Use::Read) if !sure => Ruling::Tier(Tier::T2),
            (Ruling::Deny, Use::Write) if !sure => Ruling::Tier(Tier::T3),
            (ruling, _) => ruling,
        };
        Some(Self { class, ruling })
    }

    /// What a person is told.
    pub(super) const fn says(&self, access: Use) -> &'static str {
        match self.ruling {
            Ruling::Tier(_) if self.class.is_own() => "Could reach the files of Countersign itself, besides others.",
            Ruling::Tier(_) | Ruling::Deny => self.class.says(access),
        }
    }

    /// The rule that fires.
    pub(super) const fn rule(&self) -> &'static str {
        match self.ruling {
            Ruling::Deny => self.class.rule(),
            Ruling::Tier(_) if self.class.is_own() => "sensitive.own",
            Ruling::Tier(_) => self.class.rule(),
        }
    }
}

/// The strictest place that this use of this path could touch.
pub(super) fn touched(path: &str, wild: bool, access: Use, reach: Reach) -> Option<Touched> {
    let mut strictest: Option<Touched> = None;
    let mut consider = |class: Class, sure: bool| {
        let found = Touched::new(class, access, sure);
        if found.map(|found| found.ruling) > strictest.map(|old| old.ruling) {
            strictest = found;
        }
    };
    let visible = seen_through(path);
    if visible != path {
        consider(Class::Door, true);
    }
    if let Some(class) = by_name(visible, wild) {
        consider(class, true);
    }
    if visible.rfind('/') == Some(0) && !TOP_LEVEL.contains(&visible) {
        consider(Class::Top, true);
    }
    by_place(visible, wild, reach, &mut consider);
    strictest
}

fn by_place(path: &str, wild: bool, reach: Reach, consider: &mut impl FnMut(Class, bool)) {
    let path = alias(path);
    let rest = path.trim_start_matches('/');
    let (top, below) = rest.split_once('/').unwrap_or((rest, ""));
    if is_harmless_device(&path) && !wild {
        return;
    }
    for (name, places) in TOPS {
        let this_top = if wild { glob::could_match(top, name) } else { top == name };
        if !this_top && !top.is_empty() {
            continue;
        }
        if top.is_empty() && reach == Reach::Itself {
            return;
        }
        // Every home has the same places below the name of its user.
        let below = if name == "home" { below.split_once('/').map_or("", |(_, inside)| inside) } else { below };
        for (place, class) in places {
            match lies(place, below, wild) {
                Lies::Within => consider(*class, !wild),
                Lies::Above if reach == Reach::Below => consider(*class, false),
                Lies::Above | Lies::Elsewhere => {}
            }
        }
    }
}

/// Where a path lies, seen from a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lies {
    Within,
    Above,
    Elsewhere,
}

fn lies(place: &str, path: &str, wild: bool) -> Lies {
    if let (false, Some(wanted), Some(given)) = (wild, place.bytes().next(), path.bytes().next())
        && wanted != given
        && wanted != b'*'
    {
        return Lies::Elsewhere;
    }
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    for wanted in place.split('/').filter(|part| !part.is_empty()) {
        match parts.next() {
            None => return Lies::Above,
            Some(part) if wild && glob::is_glob(part) => {
                if !glob::could_match(part, wanted) {
                    return Lies::Elsewhere;
                }
            }
            Some(part) => {
                if !glob::matches(wanted, part) {
                    return Lies::Elsewhere;
                }
            }
        }
    }
    Lies::Within
}

/// Files and directories that are secrets wherever they are.
fn by_name(path: &str, wild: bool) -> Option<Class> {
    const DIRECTORIES: [&str; 6] = [".ssh", ".gnupg", ".aws", ".azure", ".kube", ".vault"];
    let mut parts = path.split('/').filter(|part| !part.is_empty()).rev();
    let last = parts.next()?;
    let glob = |part: &str| wild && glob::is_glob(part);
    let directory = |part: &str| {
        DIRECTORIES.iter().any(|name| if glob(part) { glob::could_match(part, name) } else { *name == part })
    };
    let file = if glob(last) { is_secret_file(last.trim_matches(['*', '?'])) } else { is_secret_file(last) };
    if directory(last) || parts.any(directory) {
        return Some(Class::Secret);
    }
    file.then_some(Class::SecretByName)
}

/// Names and endings that private keys and stored passwords have.
fn is_secret_file(name: &str) -> bool {
    const NAMES: [&str; 16] = [
        "id_rsa",
        "id_dsa",
        "id_ecdsa",
        "id_ed25519",
        ".env",
        ".netrc",
        ".pgpass",
        ".my.cnf",
        ".git-credentials",
        ".npmrc",
        ".pypirc",
        ".htpasswd",
        ".vault-token",
        ".s3cfg",
        ".dockercfg",
        "credentials.json",
    ];
    const ENDINGS: [&str; 9] = ["key", "p12", "pfx", "jks", "keystore", "kdbx", "ppk", "keytab", "ovpn"];
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
    let private_pem = ending == "pem" && (stem.starts_with("privkey") || stem.ends_with("key"));
    ENDINGS.contains(&ending) || private_pem || NAMES.contains(&name) || name.starts_with(".env.")
}

/// `/proc/self/root/etc` is `/etc`, however often.
pub(super) fn seen_through(path: &str) -> &str {
    let mut rest = path;
    while let Some(below) = rest.strip_prefix("/proc/") {
        let Some(inner) = below.split_once('/').and_then(|(_, inner)| inner.strip_prefix("root")) else { return rest };
        match inner {
            "" => return "/",
            _ if inner.starts_with('/') => rest = inner,
            _ => return rest,
        }
    }
    rest
}

/// `/var/run` is `/run`, `/var/lock` is not interesting.
fn alias(path: &str) -> std::borrow::Cow<'_, str> {
    match path.strip_prefix("/var/run") {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("/run{rest}").into(),
        _ => path.into(),
    }
}

fn is_harmless_device(path: &str) -> bool {
    const DEVICES: [&str; 13] = [
        "/dev/null",
        "/dev/zero",
        "/dev/full",
        "/dev/random",
        "/dev/urandom",
        "/dev/stdin",
        "/dev/stdout",
        "/dev/stderr",
        "/dev/fd/0",
        "/dev/fd/1",
        "/dev/fd/2",
        "/dev/shm",
        "/dev/tty",
    ];
    path.starts_with("/dev/") && (DEVICES.contains(&path) || path.starts_with("/dev/shm/"))
}

/// Whether what is below this directory is nothing that anybody keeps.
pub(super) fn is_scratch(path: &str) -> bool {
    // What a shell would find there is below, too.
    ["/tmp/", "/var/tmp/", "/var/cache/"]
        .iter()
        .any(|scratch| path.strip_prefix(scratch).is_some_and(|rest| !rest.is_empty()))
}

/// Whether writing here changes nothing that lasts: the bit bucket and the standard streams.
pub(super) fn is_sink(path: &str) -> bool {
    matches!(path, "/dev/null" | "/dev/stdout" | "/dev/stderr" | "/dev/fd/1" | "/dev/fd/2" | "/dev/full" | "/dev/tty")
}

/// Directories of which removing or re-owning everything means the end of the system.
const TOP_LEVEL: [&str; 30] = [
    "/",
    "/bin",
    "/boot",
    "/boot/efi",
    "/dev",
    "/efi",
    "/etc",
    "/home",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/srv",
    "/sys",
    "/usr",
    "/usr/bin",
    "/usr/lib",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/local",
    "/usr/sbin",
    "/usr/share",
    "/var",
    "/var/lib",
    "/var/log",
];

/// Whether an action on everything below this path would take a top-level system directory with it.
pub(super) fn is_top_level(path: &str) -> bool {
    let path = alias(seen_through(path));
    let bare = match path.rsplit_once('/') {
        Some((parent, "*" | ".*" | "?*" | ".[!.]*" | "{*,.*}")) => {
            if parent.is_empty() {
                "/"
            } else {
                parent
            }
        }
        _ => &*path,
    };
    if !glob::is_glob(bare) {
        return TOP_LEVEL.contains(&bare);
    }
    let same = |top: &str| {
        let mut ours = bare.split('/');
        let mut theirs = top.split('/');
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return true,
                (Some(our), Some(their))
                    if our == their || (glob::is_glob(our) && !their.is_empty() && glob::could_match(our, their)) => {}
                _ => return false,
            }
        }
    };
    bare == "/" || TOP_LEVEL.iter().any(|top| same(top))
}
