//! Names: the units, packages and accounts that a check may be about, in a form that can be nothing else.
//!
//! Enters: a word of a rule, or of a command. Leaves: a name that is safe to look for, or nothing: a pattern, a path, an
//! option and an empty word name no single thing.

use std::fmt;

use crate::target::TargetKind;

/// The longest name of a unit (systemd.unit(5)).
const MAX_UNIT: usize = 255;
/// The longest name of a package that is looked for.
const MAX_PACKAGE: usize = 255;
/// The longest name of an account (`LOGIN_NAME_MAX` less its terminator).
const MAX_ACCOUNT: usize = 255;

/// What systemd calls its types of units.
const TYPES: [&str; 11] =
    ["service", "socket", "target", "timer", "path", "mount", "automount", "swap", "slice", "scope", "device"];

/// Something that a check is about and a command may name.
pub trait Name: Sized + fmt::Display + Clone {
    /// Which targets of a command are such things.
    const KIND: TargetKind;
    /// How a rule writes "each that the command names".
    const EACH: &'static str;

    /// The name that this word is.
    fn parse(word: &str) -> Option<Self>;
}

/// A unit of systemd, with its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit(String);

/// A package of Debian: its name, and its architecture if it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package(String);

/// A user's login name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account(String);

impl Name for Unit {
    const KIND: TargetKind = TargetKind::Unit;
    const EACH: &'static str = "<unit>";

    /// As `systemctl` reads it: without a type it is a service. A pattern, a path and a template without its instance
    /// are none.
    fn parse(word: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
        let typed = word.rsplit_once('.').filter(|(_, kind)| TYPES.contains(kind)).map(|(stem, _)| stem);
        let stem = typed.unwrap_or(word);
        let name = if typed.is_some() { word.to_owned() } else { format!("{word}.service") };
        let begins = stem.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let whole = begins && !stem.ends_with('@') && name.len() <= MAX_UNIT && name.bytes().all(plain);
        // The root of all slices and of all mounts is called `-`.
        (whole || ["-.slice", "-.mount"].contains(&word)).then_some(Self(name))
    }
}

impl Name for Package {
    const KIND: TargetKind = TargetKind::Package;
    const EACH: &'static str = "<package>";

    /// As `apt` reads it: what it says of the version is not part of the name; a name that ends in `-` is one to remove.
    fn parse(word: &str) -> Option<Self> {
        let name = word.split(['=', '/']).next().unwrap_or_default();
        let (own, architecture) = name.split_once(':').map_or((name, None), |(own, rest)| (own, Some(rest)));
        let small = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let of_name = |byte: u8| small(byte) || b"+.-".contains(&byte);
        let begins = |text: &str| text.bytes().next().is_some_and(small);
        let fits = begins(own)
            && (2..=MAX_PACKAGE).contains(&name.len())
            && own.bytes().all(of_name)
            && !own.ends_with('-')
            && architecture.is_none_or(|text| begins(text) && text.bytes().all(|byte| small(byte) || byte == b'-'));
        fits.then(|| Self(name.to_owned()))
    }
}

impl Name for Account {
    const KIND: TargetKind = TargetKind::User;
    const EACH: &'static str = "<user>";

    fn parse(word: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-@$".contains(&byte);
        let fits = (1..=MAX_ACCOUNT).contains(&word.len()) && !word.starts_with('-') && word.bytes().all(plain);
        fits.then(|| Self(word.to_owned()))
    }
}

macro_rules! shown {
    ($($name:ident),*) => {$(
        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}
shown!(Unit, Package, Account);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read<T: Name>(word: &str) -> Option<String> {
        T::parse(word).map(|name| name.to_string())
    }

    #[test]
    fn a_unit_is_one_unit_of_a_type() {
        for (word, unit) in [
            ("nginx", Some("nginx.service")),
            ("nginx.service", Some("nginx.service")),
            ("apt-daily.timer", Some("apt-daily.timer")),
            ("getty@tty1", Some("getty@tty1.service")),
            ("a.b", Some("a.b.service")),
            ("dev-disk\\x2duuid.device", Some("dev-disk\\x2duuid.device")),
            ("-.slice", Some("-.slice")),
            ("", None),
            (".service", None),
            ("-H", None),
            ("-.service", None),
            ("--now", None),
            ("getty@", None),
            ("getty@.service", None),
            ("php*", None),
            ("a?", None),
            ("[ab]", None),
            ("/srv/data", None),
            ("a b", None),
            ("a\u{202e}", None),
        ] {
            assert_eq!(read::<Unit>(word).as_deref(), unit, "{word}");
        }
        assert!(Unit::parse(&"a".repeat(MAX_UNIT - ".service".len())).is_some());
        assert!(Unit::parse(&"a".repeat(MAX_UNIT + 1 - ".service".len())).is_none());
    }

    #[test]
    fn a_package_is_one_that_is_to_be_there() {
        for (word, package) in [
            ("nginx", Some("nginx")),
            ("g++", Some("g++")),
            ("libc6:amd64", Some("libc6:amd64")),
            ("nginx=1.22.1-9", Some("nginx")),
            ("nginx:i386/bookworm-backports", Some("nginx:i386")),
            ("nginx-", None),
            ("n", None),
            ("", None),
            ("Nginx", None),
            ("./x.deb", None),
            ("nginx*", None),
            ("-y", None),
            ("a:", None),
            ("=1", None),
        ] {
            assert_eq!(read::<Package>(word).as_deref(), package, "{word}");
        }
        assert!(Package::parse(&"a".repeat(MAX_PACKAGE)).is_some());
        assert!(Package::parse(&"a".repeat(MAX_PACKAGE + 1)).is_none());
    }

    #[test]
    fn an_account_is_a_login_name() {
        for (word, fits) in [
            ("alice", true),
            ("_apt", true),
            ("host$", true),
            ("a.b-c@example", true),
            ("", false),
            ("-r", false),
            ("a:b", false),
            ("a,b", false),
            ("a*", false),
            ("ä", false),
        ] {
            assert_eq!(read::<Account>(word).is_some(), fits, "{word}");
        }
        assert!(Account::parse(&"a".repeat(MAX_ACCOUNT)).is_some());
        assert!(Account::parse(&"a".repeat(MAX_ACCOUNT + 1)).is_none());
    }

    proptest! {
        #[test]
        fn whatever_the_word_a_name_is_never_an_option_a_path_or_a_pattern(word in ".{0,40}") {
            for name in [read::<Unit>(&word), read::<Package>(&word), read::<Account>(&word)].into_iter().flatten() {
                let odd = |c: char| c == '/' || "*?[] \t\n\"'<>".contains(c) || !c.is_ascii() || c.is_ascii_control();
                prop_assert!(!name.is_empty() && !name.contains(odd), "{name}");
                prop_assert!(!name.starts_with('-') || name.starts_with("-."), "{name}");
            }
        }

        #[test]
        fn a_name_is_read_back_as_itself(word in "[a-z0-9@.:+-]{1,20}") {
            for again in [Unit::parse(&word).map(|unit| Unit::parse(unit.as_str()) == Some(unit)),
                Package::parse(&word).map(|package| Package::parse(package.as_str()) == Some(package)),
                Account::parse(&word).map(|account| Account::parse(account.as_str()) == Some(account))].into_iter().flatten() {
                prop_assert!(again, "{word}");
            }
        }
    }
}
