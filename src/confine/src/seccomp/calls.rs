//! The third filter as data: which calls make up a set, and why they are refused.
//!
//! Calls that libraries have no name for yet are given by number; from 424 on a number means the same call on every
//! architecture.

use countersign_core::profile::CallSet;
use nix::libc;
use seccompiler::{
    BackendError, SeccompCmpArgLen::Dword, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, SeccompCmpOp::MaskedEq,
    SeccompCmpOp::Ne, SeccompCondition, SeccompRule,
};

use super::{Refusals, Rules, Starts, guarded};

/// Attributes by directory descriptor, since Linux 6.13.
const SETXATTRAT: i64 = 463;
const REMOVEXATTRAT: i64 = 466;
/// `open_tree` that changes attributes, since Linux 6.15.
const OPEN_TREE_ATTR: i64 = 467;
/// File system attributes such as "immutable", since Linux 6.17.
const FILE_SETATTR: i64 = 469;

/// The flags of `clone` and `unshare` that make a namespace.
const NAMESPACES: [i32; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];
/// The flag of `unshare` for a time namespace; in `clone` these bits are the signal of a child's end.
const CLONE_NEWTIME: i32 = 0x80;
/// What `syslog` does besides reading: read and clear, clear, console off, console on, console level (syslog(2)).
const LOG_CHANGES: [u64; 5] = [4, 5, 6, 7, 8];
/// Asks which execution domain is in force and changes nothing.
const PERSONALITY_QUERY: u64 = 0xffff_ffff;

/// The calls that are refused whatever their arguments are.
pub(super) const WHOLE: &[(CallSet, &[i64])] = &[
    (CallSet::Modules, &[libc::SYS_init_module, libc::SYS_finit_module, libc::SYS_delete_module]),
    (CallSet::Boot, &[libc::SYS_reboot]),
    (CallSet::Kexec, &[libc::SYS_kexec_load, libc::SYS_kexec_file_load]),
    (CallSet::KernelPrograms, &[libc::SYS_bpf, libc::SYS_perf_event_open]),
    (CallSet::PageFaults, &[libc::SYS_userfaultfd]),
    (
        CallSet::Processes,
        &[
            libc::SYS_ptrace,
            libc::SYS_process_vm_readv,
            libc::SYS_process_vm_writev,
            libc::SYS_process_madvise,
            libc::SYS_pidfd_getfd,
            libc::SYS_kcmp,
        ],
    ),
    (CallSet::Keys, &[libc::SYS_add_key, libc::SYS_request_key, libc::SYS_keyctl]),
    (CallSet::Handles, &[libc::SYS_open_by_handle_at]),
    (CallSet::IoUring, &[libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register]),
    (
        CallSet::Mounts,
        &[
            libc::SYS_mount,
            libc::SYS_umount2,
            libc::SYS_pivot_root,
            libc::SYS_open_tree,
            libc::SYS_move_mount,
            libc::SYS_fsopen,
            libc::SYS_fsconfig,
            libc::SYS_fsmount,
            libc::SYS_fspick,
            libc::SYS_mount_setattr,
            OPEN_TREE_ATTR,
        ],
    ),
    (CallSet::Chroot, &[libc::SYS_chroot]),
    (CallSet::Namespaces, &[libc::SYS_setns]),
    (CallSet::Swap, &[libc::SYS_swapon, libc::SYS_swapoff]),
    (CallSet::Ports, PORTS),
    (CallSet::Accounting, &[libc::SYS_acct, libc::SYS_quotactl, libc::SYS_quotactl_fd]),
    (CallSet::Clock, &[libc::SYS_settimeofday, libc::SYS_clock_settime]),
    (CallSet::Names, &[libc::SYS_sethostname, libc::SYS_setdomainname]),
    (CallSet::MemoryFiles, &[libc::SYS_memfd_create, libc::SYS_memfd_secret]),
    (
        CallSet::Attributes,
        &[
            libc::SYS_setxattr,
            libc::SYS_lsetxattr,
            libc::SYS_fsetxattr,
            libc::SYS_removexattr,
            libc::SYS_lremovexattr,
            libc::SYS_fremovexattr,
            SETXATTRAT,
            REMOVEXATTRAT,
            FILE_SETATTR,
        ],
    ),
    // Not `capset`: capabilities can only be given up, and `ip` ends itself when it cannot.
    (
        CallSet::Credentials,
        &[
            libc::SYS_setuid,
            libc::SYS_setgid,
            libc::SYS_setreuid,
            libc::SYS_setregid,
            libc::SYS_setresuid,
            libc::SYS_setresgid,
            libc::SYS_setfsuid,
            libc::SYS_setfsgid,
            libc::SYS_setgroups,
        ],
    ),
];

#[cfg(target_arch = "x86_64")]
const PORTS: &[i64] = &[libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt];
#[cfg(not(target_arch = "x86_64"))]
const PORTS: &[i64] = &[];

/// Starting processes and programs, and signalling others: what a server of messages never does.
#[cfg(target_arch = "x86_64")]
pub(super) const STARTING: &[i64] = &[libc::SYS_execve, libc::SYS_execveat, libc::SYS_fork, libc::SYS_vfork];
#[cfg(not(target_arch = "x86_64"))]
pub(super) const STARTING: &[i64] = &[libc::SYS_execve, libc::SYS_execveat];
pub(super) const SIGNALLING: &[i64] = &[libc::SYS_kill, libc::SYS_pidfd_send_signal, libc::SYS_rt_sigqueueinfo];

/// All rules of the refused sets together.
pub(super) fn refused(refusals: &Refusals<'_>) -> Result<Rules, BackendError> {
    let mut rules = Rules::new();
    for set in refusals.sets {
        for (call, conditions) in looked_at(*set)? {
            rules.entry(call).or_default().push(SeccompRule::new(conditions)?);
        }
    }
    if refusals.starts == Starts::Threads {
        let process = flags_are(0, libc::CLONE_THREAD, 0)?;
        rules.entry(libc::SYS_clone).or_default().push(SeccompRule::new(vec![process])?);
        rules.extend(STARTING.iter().chain(SIGNALLING).map(|call| (*call, vec![])));
    }
    for (call, conditions) in guarded::rules(refusals.guarded)? {
        rules.entry(call).or_default().push(SeccompRule::new(conditions)?);
    }
    if !refusals.guarded.is_empty() {
        rules.insert(guarded::BY_DESCRIPTOR, vec![]);
    }
    // Last, because no condition at all means always and must not be narrowed by one.
    let whole = WHOLE.iter().filter(|(set, _)| refusals.sets.contains(set));
    rules.extend(whole.flat_map(|(_, calls)| calls.iter()).map(|call| (*call, vec![])));
    Ok(rules)
}

/// The calls that are refused with certain arguments.
fn looked_at(set: CallSet) -> Result<Vec<(i64, Vec<SeccompCondition>)>, BackendError> {
    match set {
        CallSet::Namespaces => {
            let mut found = vec![(libc::SYS_unshare, vec![flag(0, CLONE_NEWTIME)?])];
            for each in NAMESPACES {
                found.push((libc::SYS_unshare, vec![flag(0, each)?]));
                found.push((libc::SYS_clone, vec![flag(0, each)?]));
            }
            Ok(found)
        }
        CallSet::Personality => Ok(vec![(
            libc::SYS_personality,
            vec![SeccompCondition::new(0, Dword, Ne, 0)?, SeccompCondition::new(0, Dword, Ne, PERSONALITY_QUERY)?],
        )]),
        CallSet::Terminals => [libc::TIOCSTI, libc::TIOCLINUX, libc::TIOCSETD]
            .into_iter()
            .map(|request| Ok((libc::SYS_ioctl, vec![SeccompCondition::new(1, Dword, Eq, request)?])))
            .collect(),
        CallSet::KernelLog => LOG_CHANGES
            .into_iter()
            .map(|action| Ok((libc::SYS_syslog, vec![SeccompCondition::new(0, Dword, Eq, action)?])))
            .collect(),
        // `mknod` also makes pipes and plain files, which stay allowed.
        CallSet::Nodes => {
            let mut found = Vec::new();
            for kind in [libc::S_IFCHR, libc::S_IFBLK] {
                let masked = |argument| {
                    SeccompCondition::new(argument, Dword, MaskedEq(u64::from(libc::S_IFMT)), u64::from(kind))
                };
                #[cfg(target_arch = "x86_64")]
                found.push((libc::SYS_mknod, vec![masked(1)?]));
                found.push((libc::SYS_mknodat, vec![masked(2)?]));
            }
            Ok(found)
        }
        // A limit of zero on the files that another writes, or on its time, ends it. Looking is no harm.
        CallSet::Processes => {
            let other = SeccompCondition::new(0, Dword, Ne, 0)?;
            let sets = SeccompCondition::new(2, Qword, Ne, 0)?;
            Ok(vec![(libc::SYS_prlimit64, vec![other, sets])])
        }
        CallSet::Modules
        | CallSet::Boot
        | CallSet::Kexec
        | CallSet::KernelPrograms
        | CallSet::PageFaults
        | CallSet::Keys
        | CallSet::Handles
        | CallSet::IoUring
        | CallSet::Mounts
        | CallSet::Chroot
        | CallSet::Swap
        | CallSet::Ports
        | CallSet::Accounting
        | CallSet::Clock
        | CallSet::Names
        | CallSet::MemoryFiles
        | CallSet::Attributes
        | CallSet::Credentials => Ok(vec![]),
    }
}

/// The bit is set in the argument.
fn flag(argument: u8, bit: i32) -> Result<SeccompCondition, BackendError> {
    flags_are(argument, bit, bit)
}

fn flags_are(argument: u8, mask: i32, value: i32) -> Result<SeccompCondition, BackendError> {
    let wide = |flags: i32| u64::from(flags.unsigned_abs());
    SeccompCondition::new(argument, Dword, MaskedEq(wide(mask)), wide(value))
}
