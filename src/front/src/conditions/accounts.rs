//! Accounts: whether somebody else could still administrate this machine, by its local users and groups as they are now.

use std::path::PathBuf;

use countersign_core::condition::{Account, Administrators, Found, administrators_without};

use super::read_text;

/// The longest list of users or groups that is read.
const MAX_LIST: u64 = 16 * 1_024 * 1_024;

pub(super) fn others_remain([users, groups]: &[PathBuf; 2], account: &Account) -> Result<(), Found> {
    let (users, groups) = (read_text(users, MAX_LIST)?, read_text(groups, MAX_LIST)?);
    match administrators_without(account, &users, &groups) {
        Ok(Administrators::NotAmongThem | Administrators::Others(1..)) => Ok(()),
        Ok(Administrators::Others(0)) => Err(Found::Alone),
        Err(_) => Err(Found::Unknown),
    }
}
