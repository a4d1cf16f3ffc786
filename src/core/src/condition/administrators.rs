//! Administrators: who could still administrate this machine if one account were gone.
//!
//! Counted is who is known for certain from local files: an account of `/etc/passwd` with a shell that lets it in, which is
//! a member of a group that polkit and sudo take for administrators. Not counted: root, of which nobody without
//! rights can tell whether it has a password, and accounts that only a name service knows.

use super::name::Account;

/// The groups whose members are administrators: Debian's, that of others, and Ubuntu's old one.
const GROUPS: [&str; 3] = ["sudo", "wheel", "admin"];
/// Programs that let nobody in, by the last part of their path.
const CLOSED: [&str; 3] = ["nologin", "false", "true"];

/// The files do not say who is an administrator: one of them is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the accounts of this machine could not be read")]
pub struct Unreadable;

/// Whether an account can go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Administrators {
    /// The account is no administrator.
    NotAmongThem,
    /// It is one, and so many others are.
    Others(usize),
}

struct Line<'a> {
    name: &'a str,
    id: &'a str,
    gid: &'a str,
    may_enter: bool,
}

/// Who is left without this account, by the texts of `/etc/passwd` and `/etc/group`.
///
/// # Errors
/// One of the files has no line that is one.
pub fn administrators_without(account: &Account, passwd: &str, group: &str) -> Result<Administrators, Unreadable> {
    let accounts: Vec<Line<'_>> = passwd.lines().filter_map(account_line).collect();
    let groups: Vec<(&str, &str, &str)> = group.lines().filter_map(group_line).collect();
    if accounts.is_empty() || groups.is_empty() {
        return Err(Unreadable);
    }
    let administrative: Vec<_> = groups.iter().filter(|(name, ..)| GROUPS.contains(name)).collect();
    let is_one = |line: &Line<'_>| {
        let listed = |members: &str| members.split(',').any(|member| member == line.name);
        administrative.iter().any(|(_, gid, members)| listed(members) || *gid == line.gid)
    };
    let own: Vec<&Line<'_>> = accounts.iter().filter(|line| line.name == account.as_str()).collect();
    if !own.iter().any(|line| is_one(line)) {
        return Ok(Administrators::NotAmongThem);
    }
    // Another name for the same account goes with it.
    let same = |line: &Line<'_>| own.iter().any(|mine| mine.id == line.id);
    let others = accounts.iter().filter(|line| line.may_enter && !same(line) && is_one(line));
    Ok(Administrators::Others(others.count()))
}

/// A line of passwd(5).
fn account_line(line: &str) -> Option<Line<'_>> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, password, id, gid, _, _, shell] = fields.as_slice() else { return None };
    let is_local = !name.is_empty() && !name.starts_with(['#', '+', '-']);
    let locked = password.starts_with(['!', '*']);
    let may_enter = !locked && !CLOSED.contains(&shell.rsplit('/').next().unwrap_or_default());
    is_local.then_some(Line { name, id, gid, may_enter })
}

/// Name, id and members of a line of group(5).
fn group_line(line: &str) -> Option<(&str, &str, &str)> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, gid, members] = fields.as_slice() else { return None };
    (!name.is_empty() && !name.starts_with(['#', '+', '-'])).then_some((name, gid, members))
}

#[cfg(test)]
mod tests {
    use super::super::Name as _;
    use super::*;
    use proptest::prelude::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n\
        alice:x:1000:1000::/home/alice:/bin/bash\n\
        alias:x:1000:1000::/home/alice:/bin/bash\n\
        bob:x:1001:1001::/home/bob:/bin/sh\n\
        robot:x:900:900::/nonexistent:/usr/sbin/nologin\n\
        locked:!:1002:1002::/home/locked:/bin/sh\n\
        primary:x:1003:27::/home/primary:/bin/sh\n";

    fn left(account: &str, group: &str) -> Result<Administrators, Unreadable> {
        administrators_without(&Account::parse(account).unwrap(), PASSWD, group)
    }

    #[test]
    fn an_administrator_may_go_where_another_one_stays() {
        use Administrators::{NotAmongThem, Others};
        for (account, group, expected) in [
            ("alice", "sudo:x:2000:alice,bob\n", Others(1)),
            ("alice", "sudo:x:2000:alice\n", Others(0)),
            ("alice", "sudo:x:2000:alice\nwheel:x:10:bob\n", Others(1)),
            ("alice", "wheel:x:10:alice\n", Others(0)),
            ("alice", "admin:x:10:alice\n", Others(0)),
            ("bob", "sudo:x:2000:alice\n", NotAmongThem),
            ("alice", "users:x:100:alice\n", NotAmongThem),
            ("nobody-here", "sudo:x:2000:nobody-here\n", NotAmongThem),
            ("alice", "sudo:x:27:alice\n", Others(1)),
            ("primary", "sudo:x:27:\n", Others(0)),
            ("alice", "#sudo:x:1:alice\nx:x:2:\n", NotAmongThem),
        ] {
            assert_eq!(left(account, group), Ok(expected), "{account} {group}");
        }
    }

    #[test]
    fn who_cannot_come_in_is_no_other_administrator() {
        for other in ["alias", "robot", "locked", "root", "ghost"] {
            let expected = if other == "root" { 1 } else { 0 };
            let group = format!("sudo:x:2000:alice,{other}\n");
            assert_eq!(left("alice", &group), Ok(Administrators::Others(expected)), "{other}");
        }
    }

    #[test]
    fn files_that_say_nothing_say_nothing() {
        let alice = Account::parse("alice").unwrap();
        for (passwd, group) in [("", "sudo:x:27:alice\n"), (PASSWD, ""), ("alice\n", "sudo\n"), (PASSWD, "sudo:x:27\n")]
        {
            assert_eq!(administrators_without(&alice, passwd, group), Err(Unreadable));
        }
    }

    proptest! {
        #[test]
        fn one_more_member_never_leaves_fewer(members in proptest::collection::vec("alice|bob|robot|root|locked", 0..4), more in "bob|robot|root") {
            let group = |members: &[String]| format!("sudo:x:2000:alice,{}\n", members.join(","));
            let (Ok(Administrators::Others(before)), Ok(Administrators::Others(after))) =
                (left("alice", &group(&members)), left("alice", &group(&[members.clone(), vec![more]].concat())))
            else { panic!("alice is one") };
            prop_assert!(after >= before);
        }

        #[test]
        fn any_text_is_read_without_a_panic(passwd in "[a:x0\n]{0,40}", group in "(sudo|[a:,0\n]){0,20}") {
            let left = administrators_without(&Account::parse("a").unwrap(), &passwd, &group);
            prop_assert!(left.is_err() || left == Ok(Administrators::NotAmongThem) || passwd.contains("a:"));
        }
    }
}
