//! The first part of the filter, written by hand: what no list can name does not exist, and what no list names is allowed.
//!
//! ```text
//!   foreign architecture ─▶ killed        x32, a younger call, clone3 ─▶ ENOSYS
//!   the number, by halving: not listed ─▶ allowed        listed ─▶ the parts that follow
//! ```
//!
//! A list of refused calls is open at two ends: the kernel's next call, and on x86-64 a second table of calls (x32)
//! whose numbers begin at 2^30. Both are closed here by comparing the number itself. `clone3` takes its flags by
//! pointer, where no filter can look, and goes with them. The halving is for speed alone: the parts that follow compare
//! one number after the other, and the kernel tries every call when a filter is installed.

use nix::libc;
use seccompiler::{BpfProgram, TargetArch, sock_filter};

/// The youngest call that the lists know: `file_setattr` of Linux 6.17. The numbers from 424 on are the same on
/// every architecture.
pub(crate) const YOUNGEST: u32 = 469;

/// `SECCOMP_RET_ERRNO` with `ENOSYS`.
const NO_SUCH_CALL: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs();
/// `clone3`, the same number on every architecture.
const CLONE3: u32 = 435;
/// Where `struct seccomp_data` has the architecture and the number.
const ARCHITECTURE: u32 = 4;
const NUMBER: u32 = 0;
/// The names of architectures in the kernel's audit (linux/audit.h).
const X86_64: u32 = 0xc000_003e;
const AARCH64: u32 = 0xc000_00b7;
const RISCV64: u32 = 0xc000_00f3;

const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const JUMP: u16 = 0x05; // BPF_JMP | BPF_JA
const IF_GREATER: u16 = 0x25; // BPF_JMP | BPF_JGT | BPF_K
const IF_AT_LEAST: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

const fn instruction(code: u16, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

/// The instructions, for these listed calls in rising order. Behind their end stands what looks at listed calls.
/// Nothing if there are more calls than jumps can reach over.
pub(crate) fn program(arch: TargetArch, listed: &[u32]) -> Option<BpfProgram> {
    let architecture = match arch {
        TargetArch::x86_64 => X86_64,
        TargetArch::aarch64 => AARCH64,
        TargetArch::riscv64 => RISCV64,
    };
    let mut whole = vec![
        instruction(LOAD, 0, 0, ARCHITECTURE),
        instruction(IF_EQUAL, 1, 0, architecture),
        instruction(RETURN, 0, 0, libc::SECCOMP_RET_KILL_PROCESS),
        instruction(LOAD, 0, 0, NUMBER),
        instruction(IF_GREATER, 1, 0, YOUNGEST),
        instruction(IF_EQUAL, 0, 1, CLONE3),
        instruction(RETURN, 0, 0, NO_SUCH_CALL),
    ];
    whole.extend(halves(listed)?);
    // Each listed call leaves by a jump to the end, however far that is.
    let length = whole.len();
    for (index, each) in whole.iter_mut().enumerate().filter(|(_, each)| each.code == JUMP) {
        each.k = u32::try_from(length.checked_sub(index)?.checked_sub(1)?).ok()?;
    }
    Some(whole)
}

/// Finds a number among some; leaves by a jump if it is one of them, else allows.
fn halves(listed: &[u32]) -> Option<BpfProgram> {
    match listed {
        [] => Some(vec![instruction(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW)]),
        [one] => Some(vec![
            instruction(IF_EQUAL, 0, 1, *one),
            instruction(JUMP, 0, 0, 0),
            instruction(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
        ]),
        more => {
            let (low, high) = more.split_at(more.len() / 2);
            let (below, above) = (halves(low)?, halves(high)?);
            let over = u8::try_from(below.len()).ok()?;
            let choice = instruction(IF_AT_LEAST, over, 0, *high.first()?);
            Some([vec![choice], below, above].concat())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: u32 = 1;

    /// Runs the program as the kernel would; a call that leaves by the end is [`LISTED`].
    #[expect(clippy::arithmetic_side_effects, reason = "positions in a program of at most 4,096 instructions")]
    fn run(program: &BpfProgram, architecture: u32, number: u32) -> u32 {
        let (mut at, mut value) = (0, 0);
        while let Some(each) = program.get(at) {
            let jump = |taken: bool| usize::from(if taken { each.jt } else { each.jf });
            at += 1;
            match each.code {
                LOAD => value = if each.k == NUMBER { number } else { architecture },
                JUMP => at += usize::try_from(each.k).unwrap(),
                IF_GREATER => at += jump(value > each.k),
                IF_AT_LEAST => at += jump(value >= each.k),
                IF_EQUAL => at += jump(value == each.k),
                RETURN => return each.k,
                other => panic!("{other}"),
            }
        }
        LISTED
    }

    #[test]
    fn every_number_finds_its_place() {
        for listed in
            [&[][..], &[7], &[0, 1, 2, 3], &[10, 20, 30, 40, 50], &(0..120).map(|n| n * 3).collect::<Vec<_>>()]
        {
            let program = program(TargetArch::x86_64, listed).unwrap();
            for number in (0..=YOUNGEST).filter(|number| *number != CLONE3) {
                let expected = if listed.contains(&number) { LISTED } else { libc::SECCOMP_RET_ALLOW };
                assert_eq!(run(&program, X86_64, number), expected, "{number} of {listed:?}");
            }
            for number in [CLONE3, YOUNGEST + 1, 0x4000_0000, 0x4000_0007, u32::MAX] {
                assert_eq!(run(&program, X86_64, number), NO_SUCH_CALL, "{number}");
            }
            for foreign in [0x4000_0003, AARCH64, 0] {
                assert_eq!(run(&program, foreign, 7), libc::SECCOMP_RET_KILL_PROCESS);
            }
        }
    }

    #[test]
    fn more_calls_than_a_jump_reaches_over_are_no_program() {
        assert!(program(TargetArch::x86_64, &(0..400).collect::<Vec<_>>()).is_none());
    }
}
