//! Short options that carry a secret, by program, because `-p` is a port to one and a password to another. Data first.

/// Where the secret of an option stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the same word only; the bare option asks for it.
    Joined,
    /// In the next word only.
    Next,
    /// In the same word, or in the next.
    Both,
}

/// A program and its options.
#[derive(Debug)]
pub(super) struct Program {
    names: &'static [&'static str],
    /// Whether more may follow the name: `mysqldump`.
    family: bool,
    options: &'static [(&'static str, Place)],
}

/// An option as it was found in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flag {
    /// This option, with its secret behind it in the same word.
    Joined(&'static str),
    /// The next word is the secret.
    Next,
}

static PROGRAMS: [Program; 12] = [
    Program { names: &["mysql", "mariadb"], family: true, options: &[("-p", Place::Joined)] },
    Program { names: &["sshpass"], family: false, options: &[("-p", Place::Both)] },
    Program { names: &["redis-cli"], family: false, options: &[("-a", Place::Next)] },
    Program { names: &["ldap"], family: true, options: &[("-w", Place::Both)] },
    Program {
        names: &["curl"],
        family: false,
        options: &[("-u", Place::Both), ("-U", Place::Both), ("--user", Place::Next), ("--proxy-user", Place::Next)],
    },
    Program { names: &["useradd", "usermod"], family: false, options: &[("-p", Place::Both)] },
    Program { names: &["zip", "unzip"], family: false, options: &[("-P", Place::Both)] },
    Program { names: &["7z", "7za", "7zr"], family: false, options: &[("-p", Place::Joined)] },
    Program { names: &["openssl"], family: false, options: &[("-k", Place::Next), ("-K", Place::Next)] },
    Program { names: &["mongo"], family: true, options: &[("-p", Place::Both)] },
    Program { names: &["ipmitool"], family: false, options: &[("-P", Place::Both)] },
    Program { names: &["smbpasswd"], family: false, options: &[("-w", Place::Both)] },
];

/// The longest name of a program that is looked at.
const MAX_NAME: usize = 32;

/// The program of this name, without directories, if it has such options.
pub(super) fn program(name: &str) -> Option<&'static Program> {
    let is = |program: &&Program| {
        program.names.iter().any(|known| name == *known || (program.family && name.starts_with(known)))
    };
    PROGRAMS.iter().find(is).filter(|_| name.len() <= MAX_NAME)
}

impl Program {
    /// The option that this word is or begins with.
    pub(super) fn flag(&self, word: &str) -> Option<Flag> {
        self.options.iter().find_map(|(option, place)| {
            let rest = word.strip_prefix(option)?;
            match (place, rest.is_empty()) {
                (Place::Joined | Place::Both, false) => Some(Flag::Joined(option)),
                (Place::Next | Place::Both, true) => Some(Flag::Next),
                (Place::Joined, true) | (Place::Next, false) => None,
            }
        })
    }
}
