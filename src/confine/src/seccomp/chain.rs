//! Several filters as one program: where one would allow a call, the next one is asked.

use nix::libc;
use seccompiler::{BpfProgram, sock_filter};

/// The most instructions that the kernel takes in one filter (`BPF_MAXINSNS`).
const MOST: usize = 4_096;

const JUMP: u16 = 0x05; // BPF_JMP | BPF_JA
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

/// One program: the first as it is, whose end leads to the rest, of which it allows what all allow and otherwise answers
/// as the first that does not. Nothing if it were longer than the kernel takes.
pub(crate) fn chain(first: BpfProgram, programs: &[BpfProgram]) -> Option<BpfProgram> {
    let mut whole = first;
    let last = programs.len().checked_sub(1)?;
    for (position, program) in programs.iter().enumerate() {
        for (index, instruction) in program.iter().enumerate() {
            let allows = instruction.code == RETURN && instruction.k == libc::SECCOMP_RET_ALLOW;
            if position < last && allows {
                // To the first instruction behind this program; a jump counts from the one that follows it.
                let rest = program.len().checked_sub(index)?.checked_sub(1)?;
                whole.push(sock_filter { code: JUMP, jt: 0, jf: 0, k: u32::try_from(rest).ok()? });
            } else {
                whole.push(instruction.clone());
            }
        }
    }
    (whole.len() <= MOST).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSE: u32 = libc::SECCOMP_RET_ERRNO | 1;

    fn returning(k: u32) -> sock_filter {
        sock_filter { code: RETURN, jt: 0, jf: 0, k }
    }

    #[test]
    fn what_one_allows_the_next_is_asked() {
        let jump = sock_filter { code: 0x15, jt: 1, jf: 0, k: 7 };
        let first = vec![jump.clone(), returning(libc::SECCOMP_RET_ALLOW), returning(REFUSE)];
        let second = vec![returning(REFUSE), returning(libc::SECCOMP_RET_ALLOW)];
        let chained = chain(vec![returning(7)], &[first, second]).unwrap();
        let plain = |program: &[sock_filter]| -> Vec<_> { program.iter().map(|i| (i.code, i.jt, i.jf, i.k)).collect() };
        let expected = [
            returning(7),
            jump,
            sock_filter { code: JUMP, jt: 0, jf: 0, k: 1 },
            returning(REFUSE),
            returning(REFUSE),
            returning(libc::SECCOMP_RET_ALLOW),
        ];
        assert_eq!(plain(&chained), plain(&expected));
    }

    #[test]
    fn a_program_is_as_long_as_the_kernel_takes_and_no_longer() {
        let of = |length| vec![returning(REFUSE); length];
        assert_eq!(chain(of(96), &[of(1_000), of(3_000)]).unwrap().len(), MOST);
        assert!(chain(of(96), &[of(1_000), of(3_001)]).is_none());
        assert!(chain(of(1), &[]).is_none());
    }
}
