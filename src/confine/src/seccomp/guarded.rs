//! Processes that no job may end, stop or slow down: the broker's own, and PID 1.
//!
//! Root needs no capability to signal what runs as root, and no domain closes in a job that may signal others. So the
//! calls that take a process by number are refused for these numbers, in every way to write them; the calls that reach a
//! process by a descriptor or by a structure in memory, which a filter cannot look into, are refused altogether.

use nix::libc;
use seccompiler::{BackendError, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, SeccompCondition};

/// `kill` for every process that the caller may signal.
const EVERYBODY: i32 = -1;
/// Owner of a descriptor's signals by a structure (fcntl(2)), and by the requests of sockets (ioctl_pipe(2), socket(7)).
const F_SETOWN_EX: i32 = 15;
const FIOSETOWN: i32 = 0x8901;
const SIOCSPGRP: i32 = 0x8902;
/// The kinds of `setpriority` and `ioprio_set` that name one process.
const PRIO_PROCESS: i32 = 0;
const IOPRIO_WHO_PROCESS: i32 = 1;

/// The calls that take a process as their first argument and do something to it.
const FIRST: [i64; 9] = [
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_tgkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_pidfd_open,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_setscheduler,
    libc::SYS_sched_setattr,
];

/// Refused whatever its arguments are: the descriptor may have come from anywhere, from `/proc` or from another job.
pub(super) const BY_DESCRIPTOR: i64 = libc::SYS_pidfd_send_signal;

type Refused = (i64, Vec<SeccompCondition>);

/// What is refused for these processes; nothing where there are none.
pub(super) fn rules(guarded: &[i32]) -> Result<Vec<Refused>, BackendError> {
    if guarded.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = vec![
        (libc::SYS_kill, vec![is(0, EVERYBODY)?]),
        (libc::SYS_fcntl, vec![is(1, F_SETOWN_EX)?]),
        (libc::SYS_ioctl, vec![is(1, FIOSETOWN)?]),
        (libc::SYS_ioctl, vec![is(1, SIOCSPGRP)?]),
    ];
    for pid in guarded {
        for call in FIRST {
            found.push((call, vec![is(0, *pid)?]));
        }
        for number in [*pid, pid.wrapping_neg()] {
            found.push((libc::SYS_fcntl, vec![is(1, libc::F_SETOWN)?, is(2, number)?]));
        }
        // The process group of the same number.
        found.push((libc::SYS_kill, vec![is(0, pid.wrapping_neg())?]));
        found.push((libc::SYS_sched_setparam, vec![is(0, *pid)?]));
        found.push((libc::SYS_setpriority, vec![is(0, PRIO_PROCESS)?, is(1, *pid)?]));
        found.push((libc::SYS_ioprio_set, vec![is(0, IOPRIO_WHO_PROCESS)?, is(1, *pid)?]));
    }
    Ok(found)
}

/// The argument is this number, in the 32 bits that the kernel looks at.
fn is(argument: u8, number: i32) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, Dword, Eq, u64::from(number.cast_unsigned()))
}
