//! Accounts: names to ids from `/etc/passwd` and `/etc/group` alone, as text.
//!
//! No name service is asked: its answers may come from the network or from whoever runs it. A grant by name
//! therefore needs a local account; a grant for any other uid says `uid =`.

use std::collections::BTreeMap;

use countersign_core::caller::{Gid, Uid};
use countersign_core::policy::Names;

/// The accounts of this machine, by name. Where a name stands twice the first line counts, as in the C library.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts {
    users: BTreeMap<String, Uid>,
    groups: BTreeMap<String, Gid>,
}

impl Accounts {
    /// Reads the two files' texts (passwd(5), group(5)). A line that is not an account is passed over: its name is
    /// then unknown, and a grant for it is an error.
    #[must_use]
    pub fn parse(passwd: &str, group: &str) -> Self {
        Self { users: ids(passwd), groups: ids(group) }
    }

    /// The name of the user with this id, if there is one.
    #[must_use]
    pub fn user_name(&self, uid: Uid) -> Option<&str> {
        self.users.iter().find(|(_, id)| **id == uid).map(|(name, _)| name.as_str())
    }
}

impl Names for Accounts {
    fn uid(&self, user: &str) -> Option<Uid> {
        self.users.get(user).copied()
    }

    fn gid(&self, group: &str) -> Option<Gid> {
        self.groups.get(group).copied()
    }

    fn lacks(&self, user: &str) -> bool {
        !self.users.is_empty() && !self.users.contains_key(user)
    }
}

/// Both files have the name first and the id third.
fn ids<T: TryFrom<u32>>(text: &str) -> BTreeMap<String, T> {
    let mut ids = BTreeMap::new();
    for (name, id) in text.lines().filter_map(account) {
        if let Ok(id) = T::try_from(id) {
            ids.entry(name.to_owned()).or_insert(id);
        }
    }
    ids
}

fn account(line: &str) -> Option<(&str, u32)> {
    let mut fields = line.split(':');
    let name = fields.next().filter(|name| !name.is_empty() && !name.starts_with(['#', '+', '-']))?;
    let id = fields.nth(1)?;
    // `parse` alone would take a leading plus sign.
    let digits = !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
    Some((name, id.parse().ok().filter(|_| digits)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/bash\nagent:x:1000:1000:,,,:/home/agent:/bin/sh\nagent:x:0:0::/:/bin/sh\n";
    const GROUP: &str = "root:x:0:\ncountersign:x:900:agent,other\n";

    #[test]
    fn names_lead_to_ids_and_the_first_line_counts() {
        let accounts = Accounts::parse(PASSWD, GROUP);
        assert_eq!(accounts.uid("agent").map(Uid::get), Some(1000));
        assert_eq!(accounts.gid("countersign").map(Gid::get), Some(900));
        assert_eq!(accounts.user_name(Uid::ROOT), Some("root"));
        assert!(accounts.lacks("nobody-here") && !accounts.lacks("agent"));
        assert!(!Accounts::default().lacks("nobody-here"), "nothing is known");
    }

    #[test]
    fn what_is_not_an_account_names_nobody() {
        for line in [
            "",
            ":x:1:",
            "a",
            "a:x",
            "a:x:",
            "a:x:+1:",
            "a:x:-1:",
            "a:x: 1:",
            "a:x:1x:",
            "a:x:4294967295:",
            "a:x:4294967296:",
            "#a:x:1:",
            "+a:x:1:",
            "+::1:",
        ] {
            let accounts = Accounts::parse(line, line);
            assert_eq!((accounts.uid("a"), accounts.gid("a"), accounts.uid("")), (None, None, None), "{line}");
        }
        assert_eq!(Accounts::parse(PASSWD, GROUP).uid("nobody-here"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,200}") {
            let accounts = Accounts::parse(&text, &text);
            prop_assert!(accounts.users.values().all(|uid| uid.get() != u32::MAX));
        }
    }
}
