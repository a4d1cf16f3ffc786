//! Checks: what a rule may ask of the moment, and how it writes that.
//!
//! A check about a unit, a package or an account may be about each one that the command names. The name then comes as
//! a type of its own and never as text that is put into other text; where it cannot be told, the check does not hold.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::BadCondition;
use super::name::{Account, Name, Package, Unit};
use crate::digest::Digest;
use crate::path::CleanPath;
use crate::target::TargetKind;

/// One check of the moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Check {
    /// No process holds the locks of dpkg's database.
    NoDpkgLock,
    /// The machine does not run on a battery.
    MainsPower,
    /// The file system that holds a path has at least so much room for users.
    Free {
        /// How much, in KiB.
        kib: u64,
        /// Where.
        path: CleanPath,
    },
    /// A file has this content.
    Content {
        /// SHA-256 of it.
        sha256: Digest,
        /// Which file.
        path: CleanPath,
    },
    /// A unit of systemd is active.
    UnitActive(Named<Unit>),
    /// A unit of systemd is active, or is of the kind that ends by itself and ended well.
    UnitStarted(Named<Unit>),
    /// dpkg has installed a package.
    PackagePresent(Named<Package>),
    /// Somebody else could still administrate this machine if this account were gone.
    NotLastAdministrator(Named<Account>),
}

/// What a check is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named<T> {
    /// This one.
    This(T),
    /// In a rule: each that the command names. In a request: it could not be told which.
    Each,
}

impl<T: Name> Named<T> {
    fn parse(words: &str) -> Option<Self> {
        if words == T::EACH { Some(Self::Each) } else { T::parse(words).map(Self::This) }
    }
}

impl<T: Name> fmt::Display for Named<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::This(name) => name.fmt(f),
            Self::Each => f.write_str(T::EACH),
        }
    }
}

impl Check {
    /// The check that these words name, for instance `no-dpkg-lock`, `free 64M /var` or `unit-active <unit>`.
    ///
    /// # Errors
    /// They name none.
    pub fn parse(words: &str) -> Result<Self, BadCondition> {
        let (check, rest) = words.split_once(' ').unwrap_or((words, ""));
        let found = match check {
            "no-dpkg-lock" if words == check => Some(Self::NoDpkgLock),
            "mains-power" if words == check => Some(Self::MainsPower),
            "free" => free(rest),
            "sha256" => content(rest),
            "unit-active" => Named::parse(rest).map(Self::UnitActive),
            "unit-started" => Named::parse(rest).map(Self::UnitStarted),
            "package-present" => Named::parse(rest).map(Self::PackagePresent),
            "not-last-administrator" => Named::parse(rest).map(Self::NotLastAdministrator),
            _ => None,
        };
        found.ok_or(BadCondition::Check)
    }

    /// Whether it can be told what this is about; in a request a check of which it cannot never holds.
    #[must_use]
    pub const fn is_told(&self) -> bool {
        match self {
            Self::UnitActive(Named::Each)
            | Self::UnitStarted(Named::Each)
            | Self::PackagePresent(Named::Each)
            | Self::NotLastAdministrator(Named::Each) => false,
            Self::NoDpkgLock
            | Self::MainsPower
            | Self::Free { .. }
            | Self::Content { .. }
            | Self::UnitActive(Named::This(_))
            | Self::UnitStarted(Named::This(_))
            | Self::PackagePresent(Named::This(_))
            | Self::NotLastAdministrator(Named::This(_)) => true,
        }
    }

    /// This check for a command that names these things, each with its kind; one of which the name cannot be told is
    /// without it. Where one such, or none at all, is there, what is left is a check that never holds.
    #[must_use]
    pub fn about(&self, named: &[(TargetKind, Option<&str>)]) -> Vec<Self> {
        match self {
            Self::UnitActive(Named::Each) => each(Self::UnitActive, named),
            Self::UnitStarted(Named::Each) => each(Self::UnitStarted, named),
            Self::PackagePresent(Named::Each) => each(Self::PackagePresent, named),
            Self::NotLastAdministrator(Named::Each) => each(Self::NotLastAdministrator, named),
            Self::NoDpkgLock
            | Self::MainsPower
            | Self::Free { .. }
            | Self::Content { .. }
            | Self::UnitActive(Named::This(_))
            | Self::UnitStarted(Named::This(_))
            | Self::PackagePresent(Named::This(_))
            | Self::NotLastAdministrator(Named::This(_)) => vec![self.clone()],
        }
    }
}

fn each<T: Name>(check: fn(Named<T>) -> Check, named: &[(TargetKind, Option<&str>)]) -> Vec<Check> {
    let of_kind = named.iter().filter(|(kind, _)| *kind == T::KIND);
    let names: Option<Vec<T>> = of_kind.map(|(_, word)| word.and_then(T::parse)).collect();
    match names {
        Some(names) if !names.is_empty() => names.into_iter().map(|name| check(Named::This(name))).collect(),
        Some(_) | None => vec![check(Named::Each)],
    }
}

fn free(words: &str) -> Option<Check> {
    let (size, path) = words.split_once(' ')?;
    Some(Check::Free { kib: kib(size)?, path: CleanPath::new(path).ok()? })
}

fn content(words: &str) -> Option<Check> {
    let (sha256, path) = words.split_once(' ')?;
    Some(Check::Content { sha256: sha256.parse().ok()?, path: CleanPath::new(path).ok()? })
}

/// A size in KiB from digits and one of K, M, G (powers of 1,024).
fn kib(size: &str) -> Option<u64> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let of = |letter, times| {
        let number = size.strip_suffix(letter).filter(|text| digits(text))?;
        number.parse::<u64>().ok()?.checked_mul(times)
    };
    of('K', 1).or_else(|| of('M', 1_024)).or_else(|| of('G', 1_048_576)).filter(|kib| *kib > 0)
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDpkgLock => f.write_str("no-dpkg-lock"),
            Self::MainsPower => f.write_str("mains-power"),
            Self::Free { kib, path } => write!(f, "free {kib}K {path}"),
            Self::Content { sha256, path } => write!(f, "sha256 {sha256} {path}"),
            Self::UnitActive(unit) => write!(f, "unit-active {unit}"),
            Self::UnitStarted(unit) => write!(f, "unit-started {unit}"),
            Self::PackagePresent(package) => write!(f, "package-present {package}"),
            Self::NotLastAdministrator(account) => write!(f, "not-last-administrator {account}"),
        }
    }
}

impl TryFrom<String> for Check {
    type Error = BadCondition;

    fn try_from(words: String) -> Result<Self, BadCondition> {
        Self::parse(&words)
    }
}

impl From<Check> for String {
    fn from(check: Check) -> Self {
        check.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unit(name: &str) -> Named<Unit> {
        Named::This(Unit::parse(name).unwrap())
    }

    #[test]
    fn a_check_is_one_of_those_that_are_written_down() {
        let free = |kib, path| Ok(Check::Free { kib, path: CleanPath::new(path).unwrap() });
        let zeros = "0".repeat(64);
        let user = Named::This(Account::parse("alice").unwrap());
        let package = Named::This(Package::parse("nginx").unwrap());
        for (words, check) in [
            ("no-dpkg-lock", Ok(Check::NoDpkgLock)),
            ("mains-power", Ok(Check::MainsPower)),
            ("free 1K /", free(1, "/")),
            ("free 64M /var", free(65_536, "/var")),
            ("free 2G /srv/a b", free(2_097_152, "/srv/a b")),
            ("free 17592186044415G /", free(17_592_186_044_415 * 1_048_576, "/")),
            ("unit-active nginx", Ok(Check::UnitActive(unit("nginx.service")))),
            ("unit-active <unit>", Ok(Check::UnitActive(Named::Each))),
            ("unit-started backup.timer", Ok(Check::UnitStarted(unit("backup.timer")))),
            ("package-present nginx", Ok(Check::PackagePresent(package))),
            ("package-present <package>", Ok(Check::PackagePresent(Named::Each))),
            ("not-last-administrator alice", Ok(Check::NotLastAdministrator(user))),
            (
                &format!("sha256 {zeros} /etc/a b"),
                Ok(Check::Content { sha256: Digest::ZERO, path: CleanPath::new("/etc/a b").unwrap() }),
            ),
        ] {
            assert_eq!(Check::parse(words), check, "{words}");
        }
    }

    #[test]
    fn what_is_nearly_a_check_is_none() {
        let short = format!("sha256 {} /x", "0".repeat(63));
        let relative = format!("sha256 {} x", "0".repeat(64));
        for words in [
            "free 17592186044416G /",
            "free 0M /",
            "free +1M /",
            "free 1 /",
            "free M /",
            "free 1M var",
            "free 1M",
            "no-dpkg-lock ",
            "mains-power now",
            "",
            "unit-active",
            "unit-active ",
            "unit-active <user>",
            "unit-active a b",
            "unit-active php*",
            "unit-active <unit>.service",
            "package-present <unit>",
            "not-last-administrator -r",
            "sha256 /x",
            &short,
            &relative,
            "true",
        ] {
            assert_eq!(Check::parse(words), Err(BadCondition::Check), "{words}");
        }
    }

    #[test]
    fn a_check_about_what_the_command_names_is_about_each_of_them_or_never_holds() {
        use TargetKind::{Package, Unit};
        let of = |check: &str, named: &[(TargetKind, Option<&str>)]| {
            let checks = Check::parse(check).unwrap().about(named);
            checks.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let active = "unit-active <unit>";
        let two = [(Unit, Some("a")), (Package, Some("x*")), (Unit, Some("b.timer"))];
        assert_eq!(of(active, &two), ["unit-active a.service", "unit-active b.timer"]);
        assert_eq!(of(active, &[]), [active], "none is named");
        assert_eq!(of(active, &[(Package, Some("nginx"))]), [active], "something else is named");
        assert_eq!(of(active, &[(Unit, Some("a")), (Unit, None)]), [active], "one of them cannot be told");
        assert_eq!(of(active, &[(Unit, Some("a")), (Unit, Some("--now"))]), [active], "an option is no unit");
        assert_eq!(of("unit-active b", &two), ["unit-active b.service"], "the rule's own name is not the command's");
        assert_eq!(of("no-dpkg-lock", &two), ["no-dpkg-lock"]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(kib in 1_u64..=u64::MAX, path in "(/[a-z]{1,8}){1,4}", name in "[a-z]{2,9}") {
            let path = CleanPath::new(&path).unwrap();
            for check in [
                Check::Free { kib, path: path.clone() },
                Check::Content { sha256: Digest::of(name.as_bytes()), path },
                Check::UnitStarted(unit(&name)),
                Check::PackagePresent(Named::This(Package::parse(&name).unwrap())),
            ] {
                prop_assert_eq!(Check::parse(&check.to_string()), Ok(check));
            }
        }

        #[test]
        fn any_words_are_judged_without_a_panic(words in ".{0,64}") {
            drop(Check::parse(&words));
        }

        #[test]
        fn whatever_a_command_names_no_check_about_it_is_lost(names in proptest::collection::vec(proptest::option::of("[a-z*/-]{0,6}"), 0..5)) {
            let named: Vec<_> = names.iter().map(|name| (TargetKind::Unit, name.as_deref())).collect();
            let checks = Check::UnitActive(Named::Each).about(&named);
            let all = checks.iter().all(Check::is_told);
            prop_assert!(!checks.is_empty() && (all && checks.len() == names.len() || checks == [Check::UnitActive(Named::Each)]));
        }
    }
}
