//! The first filter, written by hand: what no list can name does not exist.
//!
//! A list of refused calls is open at two ends: the kernel's next call, and on x86-64 a second table of calls (x32)
//! whose numbers begin at 2^30. Both are closed here by comparing the number itself. `clone3` takes its flags by
//! pointer, where no filter can look, and goes with them.

use nix::libc;
use seccompiler::{BpfProgram, sock_filter};

/// The youngest call that the lists know: `file_setattr` of Linux 6.17. The numbers from 424 on are the same on
/// every architecture.
pub(crate) const YOUNGEST: u32 = 469;

/// `SECCOMP_RET_ERRNO` with `ENOSYS`.
const NO_SUCH_CALL: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs();
/// `clone3`, the same number on every architecture.
const CLONE3: u32 = 435;

const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const JUMP_IF_GREATER: u16 = 0x25; // BPF_JMP | BPF_JGT | BPF_K
const JUMP_IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

/// The instructions. The foreign architecture itself is refused by the other filters, which check it first.
pub(crate) fn program() -> BpfProgram {
    let instruction = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    vec![
        instruction(LOAD, 0, 0, 0),
        instruction(JUMP_IF_GREATER, 1, 0, YOUNGEST),
        instruction(JUMP_IF_EQUAL, 0, 1, CLONE3),
        instruction(RETURN, 0, 0, NO_SUCH_CALL),
        instruction(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]
}
