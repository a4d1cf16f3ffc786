//! The second filter: kinds of socket.

use countersign_core::profile::Socket;
use nix::libc;
use seccompiler::{
    BackendError, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, SeccompCmpOp::Ne, SeccompCondition, SeccompRule,
};

use super::Rules;

/// Refuses every `socket` that is not of one of these kinds.
pub(super) fn others_than(kinds: &[Socket]) -> Result<Rules, BackendError> {
    let family = |op, value: i32| SeccompCondition::new(0, Dword, op, u64::from(value.unsigned_abs()));
    let protocol = |op, value: i32| SeccompCondition::new(2, Dword, op, u64::from(value.unsigned_abs()));
    let mut families: Vec<i32> = kinds.iter().map(|kind| family_of(*kind)).collect();
    families.sort_unstable();
    families.dedup();
    // No family is allowed: an empty rule would be an error, and no condition at all means always.
    let foreign: Vec<SeccompCondition> =
        families.iter().map(|value| family(Ne, *value)).collect::<Result<_, BackendError>>()?;
    let mut rules = if foreign.is_empty() { vec![] } else { vec![SeccompRule::new(foreign)?] };
    let protocols: Vec<i32> = kinds.iter().filter_map(|kind| netlink_protocol(*kind)).collect();
    if !protocols.is_empty() && !kinds.contains(&Socket::Netlink) {
        let mut other = vec![family(Eq, libc::AF_NETLINK)?];
        for value in protocols {
            other.push(protocol(Ne, value)?);
        }
        rules.push(SeccompRule::new(other)?);
    }
    Ok(Rules::from([(libc::SYS_socket, rules)]))
}

const fn family_of(kind: Socket) -> i32 {
    match kind {
        Socket::Unix => libc::AF_UNIX,
        Socket::Inet => libc::AF_INET,
        Socket::Inet6 => libc::AF_INET6,
        Socket::Netlink | Socket::NetlinkRoute | Socket::NetlinkDiagnosis => libc::AF_NETLINK,
        Socket::Packet => libc::AF_PACKET,
        Socket::KernelCrypto => libc::AF_ALG,
    }
}

const fn netlink_protocol(kind: Socket) -> Option<i32> {
    match kind {
        Socket::NetlinkRoute => Some(libc::NETLINK_ROUTE),
        Socket::NetlinkDiagnosis => Some(libc::NETLINK_SOCK_DIAG),
        Socket::Unix | Socket::Inet | Socket::Inet6 | Socket::Netlink | Socket::Packet | Socket::KernelCrypto => None,
    }
}
