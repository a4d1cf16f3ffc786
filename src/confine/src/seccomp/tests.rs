//! Every refused call and every rule about arguments, of every shipped profile and of the front, put to the very program
//! that the kernel gets: instruction by instruction, as the kernel would.

use std::collections::BTreeSet;
use std::path::Path;

use countersign_core::policy::TextFile;
use countersign_core::profile::{Profile, Profiles};
use nix::libc;

use super::*;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;
const X86_64: u32 = 0xc000_003e;
const AARCH64: u32 = 0xc000_00b7;
const CLONE3: i64 = 435;

const fn errno(number: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | number.unsigned_abs()
}

/// A call as the kernel shows it to a filter (`struct seccomp_data`): number, architecture, arguments.
#[derive(Debug, Clone, Copy)]
struct Call {
    number: i64,
    architecture: u32,
    arguments: [u64; 6],
}

impl Call {
    fn new(number: i64, arguments: &[u64]) -> Self {
        let mut all = [0; 6];
        all[..arguments.len()].copy_from_slice(arguments);
        Self { number, architecture: X86_64, arguments: all }
    }

    #[expect(clippy::arithmetic_side_effects, reason = "the offset is at least 16 where 16 is taken away")]
    fn word(self, offset: u32) -> u32 {
        match offset {
            0 => u32::try_from(self.number).unwrap(),
            4 => self.architecture,
            16.. => {
                let argument = self.arguments[usize::try_from((offset - 16) / 8).unwrap()];
                let half = if offset.is_multiple_of(8) { argument } else { argument >> 32 };
                u32::try_from(half & 0xffff_ffff).unwrap()
            }
            other => panic!("nothing is at {other}"),
        }
    }
}

/// Runs the program as the kernel would.
#[expect(clippy::arithmetic_side_effects, reason = "positions in a program of at most 4,096 instructions")]
fn answer(filters: &Filters, call: Call) -> u32 {
    let (mut at, mut value) = (0, 0_u32);
    loop {
        let each = &filters.program[at];
        let jump = |taken: bool| usize::from(if taken { each.jt } else { each.jf });
        at += 1;
        match each.code {
            0x20 => value = call.word(each.k),
            0x54 => value &= each.k,
            0x05 => at += usize::try_from(each.k).unwrap(),
            0x15 => at += jump(value == each.k),
            0x25 => at += jump(value > each.k),
            0x35 => at += jump(value >= each.k),
            0x06 => return each.k,
            other => panic!("an instruction that the test does not know: {other:#x}"),
        }
    }
}

fn shipped() -> Profiles {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policy/profiles");
    let read = |entry: std::io::Result<std::fs::DirEntry>| std::fs::read_to_string(entry.unwrap().path()).unwrap();
    let texts: Vec<String> = std::fs::read_dir(directory).unwrap().map(read).collect();
    let files: Vec<TextFile<'_>> = texts.iter().map(|text| TextFile { name: "profile", text }).collect();
    Profiles::parse(&files, &[]).unwrap()
}

fn sockets(profile: &Profile) -> Vec<Socket> {
    profile.sockets.iter().map(|each| each.kind).collect()
}

fn compiled(profile: &Profile, arch: TargetArch) -> Filters {
    let refusals =
        Refusals { sets: &profile.refused_calls(), sockets: &sockets(profile), starts: Starts::Anything, guarded: &[] };
    compile_for(arch, &refusals).unwrap()
}

/// A call that is refused with some arguments and not with others: the set, the call, which it refuses, which it lets be.
type LookedAt = (CallSet, i64, Vec<Vec<u64>>, Vec<Vec<u64>>);

/// Every such call.
fn looked_at() -> Vec<LookedAt> {
    let namespaces = [0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000];
    let one = |values: &[u64]| values.iter().map(|value| vec![*value]).collect::<Vec<_>>();
    let with_threads: Vec<u64> = namespaces.iter().map(|flag| flag | 0x3d_0f00).collect();
    let mut all = vec![
        (
            CallSet::Namespaces,
            libc::SYS_unshare,
            one(&[&namespaces[..], &[0x80]].concat()),
            one(&[0, 0x200, 0x400, 0x4_0000]),
        ),
        (
            CallSet::Namespaces,
            libc::SYS_clone,
            one(&[&namespaces[..], &with_threads].concat()),
            one(&[17, 0x3d_0f00, 0x4111]),
        ),
        (CallSet::Personality, libc::SYS_personality, one(&[8, 0x4_0000, 0x20_0000]), one(&[0, 0xffff_ffff])),
        (
            CallSet::Terminals,
            libc::SYS_ioctl,
            vec![vec![0, 0x5412], vec![0, 0x541c], vec![0, 0x5423], vec![0, 0xffff_ffff_0000_5412]],
            vec![vec![0, 0x5401], vec![0, 0x5413], vec![0x5412, 0]],
        ),
        (CallSet::KernelLog, libc::SYS_syslog, one(&[4, 5, 6, 7, 8]), one(&[0, 1, 2, 3, 9, 10])),
        (
            CallSet::Processes,
            libc::SYS_prlimit64,
            vec![vec![1, 7, 0x1000], vec![4_711, 7, 0x1000], vec![4_711, 7, 1 << 40]],
            vec![vec![0, 7, 0x1000], vec![4_711, 7, 0, 0x1000]],
        ),
        (
            CallSet::Nodes,
            libc::SYS_mknodat,
            vec![vec![0, 0, 0o020_600], vec![0, 0, 0o060_600]],
            vec![vec![0, 0, 0o010_600], vec![0, 0, 0o100_600], vec![0, 0, 0o140_600], vec![0, 0, 0o600]],
        ),
    ];
    #[cfg(target_arch = "x86_64")]
    all.push((
        CallSet::Nodes,
        libc::SYS_mknod,
        vec![vec![0, 0o020_600], vec![0, 0o060_600]],
        vec![vec![0, 0o010_600], vec![0, 0o100_600], vec![0, 0o600]],
    ));
    all
}

#[test]
fn every_call_of_a_refused_set_is_not_permitted_and_every_other_is() {
    for profile in shipped().iter() {
        let filters = compiled(profile, TargetArch::x86_64);
        let mut fired = BTreeSet::from([libc::SYS_socket]);
        for (set, calls) in calls::WHOLE {
            let expected = if profile.allows(*set) { ALLOW } else { errno(libc::EPERM) };
            for call in *calls {
                let found = answer(&filters, Call::new(*call, &[]));
                assert_eq!(found, expected, "{:?} {set:?} {call}", profile.name);
                fired.insert(*call);
            }
        }
        for (set, call, refused, left) in looked_at() {
            let expected = if profile.allows(set) { ALLOW } else { errno(libc::EPERM) };
            for arguments in refused {
                let found = answer(&filters, Call::new(call, &arguments));
                assert_eq!(found, expected, "{:?} {set:?} {call} {arguments:x?}", profile.name);
            }
            for arguments in left {
                let found = answer(&filters, Call::new(call, &arguments));
                assert_eq!(found, ALLOW, "{:?} {set:?} {call} {arguments:x?}", profile.name);
            }
            fired.insert(call);
        }
        for number in (0..=i64::from(guard::YOUNGEST)).filter(|number| !fired.contains(number)) {
            let expected = if number == CLONE3 { errno(libc::ENOSYS) } else { ALLOW };
            assert_eq!(answer(&filters, Call::new(number, &[u64::MAX; 6])), expected, "{:?} {number}", profile.name);
        }
        let refused = calls::refused(&Refusals {
            sets: &profile.refused_calls(),
            sockets: &[],
            starts: Starts::Anything,
            guarded: &[],
        });
        assert!(refused.unwrap().keys().all(|call| fired.contains(call)), "{:?}: every rule was fired", profile.name);
    }
}

#[test]
fn every_set_has_a_rule_that_was_fired() {
    let whole = calls::WHOLE.iter().filter(|(_, calls)| !calls.is_empty()).map(|(set, _)| *set);
    let sets: BTreeSet<CallSet> = whole.chain(looked_at().into_iter().map(|each| each.0)).collect();
    assert_eq!(sets, BTreeSet::from(CallSet::ALL));
}

#[test]
fn every_kind_of_socket_that_a_profile_does_not_name_does_not_exist() {
    let netlink = [(libc::NETLINK_ROUTE, Socket::NetlinkRoute), (libc::NETLINK_SOCK_DIAG, Socket::NetlinkDiagnosis)];
    let named = [
        (libc::AF_UNIX, Socket::Unix),
        (libc::AF_INET, Socket::Inet),
        (libc::AF_INET6, Socket::Inet6),
        (libc::AF_PACKET, Socket::Packet),
        (libc::AF_ALG, Socket::KernelCrypto),
    ];
    for profile in shipped().iter() {
        let filters = compiled(profile, TargetArch::x86_64);
        let kinds = sockets(profile);
        for family in 0..64 {
            for protocol in 0..32 {
                let one = netlink.iter().any(|(number, kind)| *number == protocol && kinds.contains(kind));
                let allowed = if family == libc::AF_NETLINK {
                    kinds.contains(&Socket::Netlink) || one
                } else {
                    named.iter().any(|(number, kind)| *number == family && kinds.contains(kind))
                };
                let expected = if allowed { ALLOW } else { errno(libc::EAFNOSUPPORT) };
                let arguments = [u64::from(family.unsigned_abs()), 3, u64::from(protocol.unsigned_abs())];
                let found = answer(&filters, Call::new(libc::SYS_socket, &arguments));
                assert_eq!(found, expected, "{:?} family {family} protocol {protocol}", profile.name);
            }
        }
    }
}

#[test]
fn another_architecture_is_killed_and_another_table_of_calls_does_not_exist() {
    for profile in shipped().iter() {
        let filters = compiled(profile, TargetArch::x86_64);
        for architecture in [0, 0x4000_0003, AARCH64] {
            let call = Call { architecture, ..Call::new(1, &[]) };
            assert_eq!(answer(&filters, call), KILL, "{:?}", profile.name);
        }
        for number in [0x4000_0000, 0x4000_0000 + 165, i64::from(guard::YOUNGEST) + 1, 4_000] {
            assert_eq!(answer(&filters, Call::new(number, &[])), errno(libc::ENOSYS), "{:?} {number}", profile.name);
        }
    }
}

#[test]
fn every_profile_compiles_for_both_architectures() {
    for profile in shipped().iter() {
        let filters = compiled(profile, TargetArch::aarch64);
        assert!(filters.program.len() <= 4_096, "{:?}", profile.name);
        let own = Call { architecture: AARCH64, ..Call::new(CLONE3, &[]) };
        assert_eq!(answer(&filters, own), errno(libc::ENOSYS), "{:?}", profile.name);
        assert_eq!(answer(&filters, Call::new(CLONE3, &[])), KILL, "{:?}", profile.name);
        // From 424 on a number means the same call everywhere: what refuses it here refuses it there.
        let io_uring = Call { architecture: AARCH64, ..Call::new(libc::SYS_io_uring_setup, &[]) };
        assert_eq!(answer(&filters, io_uring), errno(libc::EPERM), "{:?}", profile.name);
    }
}

#[test]
fn the_front_starts_signals_and_reaches_nothing() {
    let refusals = crate::front::REFUSALS;
    let filters = compile_for(TargetArch::x86_64, &refusals).unwrap();
    let refused = errno(libc::EPERM);
    for call in calls::STARTING.iter().chain(calls::SIGNALLING) {
        assert_eq!(answer(&filters, Call::new(*call, &[])), refused, "{call}");
    }
    for (set, calls) in calls::WHOLE {
        let expected = if refusals.sets.contains(set) { refused } else { ALLOW };
        for call in *calls {
            assert_eq!(answer(&filters, Call::new(*call, &[])), expected, "{set:?} {call}");
        }
    }
    assert_eq!(
        CallSet::ALL.into_iter().filter(|set| !refusals.sets.contains(set)).collect::<Vec<_>>(),
        [CallSet::MemoryFiles]
    );
    let thread = u64::from(libc::CLONE_THREAD.unsigned_abs());
    assert_eq!(answer(&filters, Call::new(libc::SYS_clone, &[thread])), ALLOW);
    assert_eq!(answer(&filters, Call::new(libc::SYS_clone, &[17])), refused);
    assert_eq!(answer(&filters, Call::new(libc::SYS_clone, &[thread | 0x1000_0000])), refused);
    for family in (0..64).filter(|family| *family != libc::AF_UNIX) {
        let found = answer(&filters, Call::new(libc::SYS_socket, &[u64::from(family.unsigned_abs()), 1, 0]));
        assert_eq!(found, errno(libc::EAFNOSUPPORT), "{family}");
    }
}
