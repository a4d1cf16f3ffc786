//! Hosts: of what kind this machine is, as far as a rule may ask.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{BadCondition, listed};

/// The most bytes of a distribution's id.
const MAX_ID: usize = 64;

/// One kind of host, or that it is not one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum HostKind {
    /// PID 1 is systemd.
    Systemd,
    /// Services are `OpenRC`'s.
    OpenRc,
    /// The system is an image that is replaced as a whole, or its programs cannot be written.
    Immutable,
    /// It is no such system.
    Mutable,
    /// It shares its kernel with the machine around it.
    Container,
    /// It has a kernel of its own.
    NoContainer,
    /// This distribution, or one that says that it is like it.
    Distribution(String),
}

impl HostKind {
    /// The kind that this word names.
    ///
    /// # Errors
    /// It is no word that `ID=` in os-release(5) may have.
    pub fn parse(word: &str) -> Result<Self, BadCondition> {
        let of_an_id = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        match word {
            "systemd" => Ok(Self::Systemd),
            "openrc" => Ok(Self::OpenRc),
            "immutable" => Ok(Self::Immutable),
            "!immutable" => Ok(Self::Mutable),
            "container" => Ok(Self::Container),
            "!container" => Ok(Self::NoContainer),
            id if (1..=MAX_ID).contains(&id.len()) && id.bytes().all(of_an_id) => Ok(Self::Distribution(id.to_owned())),
            _ => Err(BadCondition::Host),
        }
    }

    const fn is_distribution(&self) -> bool {
        match self {
            Self::Distribution(_) => true,
            Self::Systemd | Self::OpenRc | Self::Immutable | Self::Mutable | Self::Container | Self::NoContainer => {
                false
            }
        }
    }
}

impl fmt::Display for HostKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Systemd => "systemd",
            Self::OpenRc => "openrc",
            Self::Immutable => "immutable",
            Self::Mutable => "!immutable",
            Self::Container => "container",
            Self::NoContainer => "!container",
            Self::Distribution(id) => id,
        })
    }
}

impl TryFrom<String> for HostKind {
    type Error = BadCondition;

    fn try_from(word: String) -> Result<Self, BadCondition> {
        Self::parse(&word)
    }
}

impl From<HostKind> for String {
    fn from(kind: HostKind) -> Self {
        kind.to_string()
    }
}

/// What kinds this host is of. One of which nothing is known is of none, and is not known to be none either.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Host(Vec<HostKind>);

impl Host {
    /// From the text of os-release(5) (`ID` and `ID_LIKE`) and what else was seen of it.
    #[must_use]
    pub fn new(os_release: &str, seen: impl IntoIterator<Item = HostKind>) -> Self {
        let values = os_release.lines().filter_map(|line| line.split_once('='));
        let ids = values.filter(|(name, _)| ["ID", "ID_LIKE"].contains(name));
        let words = ids.flat_map(|(_, value)| value.trim().trim_matches(['"', '\'']).split_ascii_whitespace());
        let distribution = |word| HostKind::parse(word).ok().filter(HostKind::is_distribution);
        Self(words.filter_map(distribution).chain(seen).collect())
    }

    /// Whether it is of all these kinds; of several distributions it need be one.
    #[must_use]
    pub fn fits(&self, kinds: &[HostKind]) -> bool {
        let (distributions, others): (Vec<_>, Vec<_>) = kinds.iter().partition(|kind| kind.is_distribution());
        let is = |kind: &&HostKind| self.0.contains(kind);
        others.iter().all(is) && (distributions.is_empty() || distributions.iter().any(is))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("of no known kind") } else { f.write_str(&listed(&self.0)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kinds(words: &[&str]) -> Vec<HostKind> {
        words.iter().map(|word| HostKind::parse(word).unwrap()).collect()
    }

    #[test]
    fn a_host_is_of_the_kinds_that_it_says_and_no_other() {
        let seen = [HostKind::Systemd, HostKind::Mutable, HostKind::Container];
        let debian = Host::new("NAME=\"Debian\"\nVERSION_ID=\"12\"\nID=debian\n", seen);
        let mint = Host::new("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", [HostKind::OpenRc, HostKind::NoContainer]);
        for (asked, of_debian, of_mint) in [
            (&["debian"][..], true, true),
            (&["fedora", "debian"], true, true),
            (&["ubuntu", "fedora"], false, true),
            (&["systemd"], true, false),
            (&["openrc"], false, true),
            (&["debian", "systemd"], true, false),
            (&["debian", "fedora", "openrc"], false, true),
            (&["!immutable"], true, false),
            (&["immutable"], false, false),
            (&["container"], true, false),
            (&["!container"], false, true),
            (&["container", "!container"], false, false),
            (&["12"], false, false),
            (&[], true, true),
        ] {
            assert_eq!((debian.fits(&kinds(asked)), mint.fits(&kinds(asked))), (of_debian, of_mint), "{asked:?}");
        }
        assert!(!Host::new("ID=systemd", []).fits(&kinds(&["systemd"])), "a name proves no init");
    }

    #[test]
    fn a_host_of_which_nothing_is_known_is_of_no_kind_and_of_no_opposite() {
        assert!(Host::default().fits(&[]));
        for word in ["debian", "systemd", "openrc", "immutable", "!immutable", "container", "!container"] {
            assert!(!Host::default().fits(&kinds(&[word])), "{word}");
        }
    }

    #[test]
    fn a_distribution_is_named_as_os_release_names_it() {
        for word in ["", "Debian", "a b", "!debian", "!systemd", "a\u{202e}", "ä", &"a".repeat(MAX_ID + 1)] {
            assert_eq!(HostKind::parse(word), Err(BadCondition::Host), "{word}");
        }
        assert!(HostKind::parse(&"a".repeat(MAX_ID)).is_ok());
    }

    proptest! {
        #[test]
        fn asking_for_another_kind_of_init_or_place_never_lets_more_pass(
            asked in proptest::collection::vec("[a-c]|systemd|openrc|!?immutable|!?container", 0..4),
            more in "systemd|openrc|!?immutable|!?container",
            like in "[a-c]",
        ) {
            let host = Host::new(&format!("ID={like}"), [HostKind::Systemd, HostKind::Mutable]);
            let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
            let stricter = [asked.as_slice(), &[more.as_str()]].concat();
            prop_assert!(!host.fits(&kinds(&stricter)) || host.fits(&kinds(&asked)));
        }

        #[test]
        fn any_word_is_judged_without_a_panic_and_is_written_as_it_was_read(word in ".{0,70}") {
            if let Ok(kind) = HostKind::parse(&word) {
                prop_assert_eq!(kind.to_string(), word);
            }
        }
    }
}
