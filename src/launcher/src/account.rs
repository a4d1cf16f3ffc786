//! Accounts of jobs: a name's ids and home, from the text of `/etc/passwd` and from no name service.

use countersign_core::caller::{Gid, Uid};

/// The account that a job runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    /// The name.
    pub(crate) name: String,
    /// The user.
    pub(crate) uid: Uid,
    /// The user's own group.
    pub(crate) gid: Gid,
    /// The home directory.
    pub(crate) home: String,
}

/// The first account of this name (passwd(5)).
pub(crate) fn find(passwd: &str, name: &str) -> Option<Account> {
    passwd.lines().find_map(|line| account(line).filter(|account| account.name == name))
}

fn account(line: &str) -> Option<Account> {
    let [name, _, uid, gid, _, home, _] = line.split(':').collect::<Vec<_>>().try_into().ok()?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u32>().ok()).flatten();
    Some(Account {
        name: name.to_owned(),
        uid: Uid::try_from(digits(uid)?).ok()?,
        gid: Gid::try_from(digits(gid)?).ok()?,
        home: home.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n_countersign-observe:x:991:990:jobs:/:/usr/sbin/nologin\n";

    #[test]
    fn a_name_leads_to_its_ids_and_home() {
        let found = find(PASSWD, "_countersign-observe").unwrap();
        assert_eq!((found.uid.get(), found.gid.get(), found.home.as_str()), (991, 990, "/"));
        assert_eq!(find(PASSWD, "root").unwrap().uid, Uid::ROOT);
    }

    #[test]
    fn what_is_not_an_account_is_nobody() {
        for line in
            ["", "a", "a:x:1:1::/", "a:x:+1:1::/:", "a:x::1::/:", "a:x:4294967295:1::/:", "a:x:1:1::/::", "b:x:1:1::/:"]
        {
            assert_eq!(find(line, "a"), None, "{line}");
        }
        assert!(find("a:x:1:1::/:", "a").is_some());
    }
}
