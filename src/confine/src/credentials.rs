//! Step `credentials`: groups, then group, then user; read back. Nothing of the old identity stays reachable.

use nix::errno::Errno;
use nix::unistd::{Gid, Uid, getgroups, getresgid, getresuid, setgroups, setresgid, setresuid};

use crate::{ConfineError, Layer, layer};

/// Who a process becomes. It keeps no other group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credentials {
    /// Real, effective and saved user.
    pub uid: u32,
    /// Real, effective and saved group.
    pub gid: u32,
}

/// Becomes the given user and group for good.
///
/// Permitted capabilities outlive the change of user, for the next step to take away what shall not remain.
///
/// # Errors
/// The call that failed, or that the kernel shows another identity.
pub fn take(credentials: Credentials) -> Result<Layer, ConfineError> {
    let (uid, gid) = (Uid::from_raw(credentials.uid), Gid::from_raw(credentials.gid));
    check("prctl(PR_SET_KEEPCAPS)", nix::sys::prctl::set_keepcaps(true))?;
    check("setgroups", setgroups(&[]))?;
    check("setresgid", setresgid(gid, gid, gid))?;
    check("setresuid", setresuid(uid, uid, uid))?;
    read_back(uid, gid)
}

fn read_back(uid: Uid, gid: Gid) -> Result<Layer, ConfineError> {
    let users = check("getresuid", getresuid())?;
    let own = check("getresgid", getresgid())?;
    let groups = check("getgroups", getgroups())?;
    let same_user = [users.real, users.effective, users.saved].iter().all(|id| *id == uid);
    let same_group = [own.real, own.effective, own.saved].iter().all(|id| *id == gid);
    if same_user && same_group && groups.is_empty() {
        Ok(layer("credentials", format!("uid {uid}, gid {gid}, no other group")))
    } else {
        Err(ConfineError::CredentialsDiffer)
    }
}

fn check<T>(call: &'static str, result: Result<T, Errno>) -> Result<T, ConfineError> {
    result.map_err(|errno| ConfineError::Credentials { call, errno })
}
