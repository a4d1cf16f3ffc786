//! Step `seccomp`: a filter over system calls, compiled once from data, installed last; read back.
//!
//! ```text
//!   1. guard     a foreign architecture: killed; another table of calls, or a call younger than this list: it does not
//!                exist (ENOSYS); a call that nothing below names: allowed
//!   2. sockets   a kind that is not allowed: this machine does not have it (EAFNOSUPPORT)
//!   3. refused   everything in the refused sets: not permitted (EPERM)
//! ```
//!
//! Each part hands on what it allows, so that the three are one program: the kernel translates it once, and a call is
//! looked at by one filter. The guard also makes `clone3` vanish, so that the C library falls back to `clone`, whose flags a filter can see.

mod calls;
mod chain;
mod guard;
mod guarded;
mod sockets;

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::digest::Digest;
use countersign_core::profile::{CallSet, Socket};
use rustix::thread::SecureComputingMode;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, SeccompRule, TargetArch};

use crate::{ConfineError, Layer, layer};

/// The rules of one filter: by number of the call, the conditions of which any one suffices; none means always.
pub(crate) type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// What a process may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Starts {
    /// Threads, processes and programs.
    Anything,
    /// Threads of its own only.
    Threads,
}

/// What the filters refuse.
#[derive(Debug, Clone, Copy)]
pub struct Refusals<'a> {
    /// The sets of calls.
    pub sets: &'a [CallSet],
    /// The kinds of socket that are *not* refused.
    pub sockets: &'a [Socket],
    /// What may be started.
    pub starts: Starts,
    /// Processes that must not be signalled, limited or slowed down, by number.
    pub guarded: &'a [i32],
}

/// Compiled filters, ready to be installed any number of times.
#[derive(Debug, Clone)]
pub struct Filters {
    program: BpfProgram,
    calls: usize,
    digest: Digest,
}

/// Compiles the filters.
///
/// # Errors
/// The architecture is not one that the filters are written for, or a filter is too large.
pub fn compile(refusals: &Refusals<'_>) -> Result<Filters, ConfineError> {
    compile_for(TargetArch::try_from(std::env::consts::ARCH).map_err(ConfineError::Compile)?, refusals)
}

/// Compiles them for a kernel of this architecture.
fn compile_for(arch: TargetArch, refusals: &Refusals<'_>) -> Result<Filters, ConfineError> {
    let refused = calls::refused(refusals).map_err(ConfineError::Compile)?;
    let kinds = sockets::others_than(refusals.sockets).map_err(ConfineError::Compile)?;
    let counted = refused.len();
    let listed: BTreeSet<u32> =
        kinds.keys().chain(refused.keys()).filter_map(|call| u32::try_from(*call).ok()).collect();
    let listed: Vec<u32> = listed.into_iter().collect();
    let guard = guard::program(arch, &listed).ok_or(ConfineError::TooLong)?;
    let kinds = program(kinds, nix::libc::EAFNOSUPPORT, arch)?;
    let refused = program(refused, nix::libc::EPERM, arch)?;
    let program = chain::chain(guard, &[kinds, refused]).ok_or(ConfineError::TooLong)?;
    let digest = digest(&program);
    Ok(Filters { program, calls: counted, digest })
}

/// Installs the filters on this thread for good. Needs `no_new_privs`.
///
/// # Errors
/// The kernel refused, or shows no filter afterwards.
pub fn install(filters: &Filters) -> Result<Layer, ConfineError> {
    seccompiler::apply_filter(&filters.program).map_err(ConfineError::Seccomp)?;
    match rustix::thread::secure_computing_mode() {
        Ok(SecureComputingMode::Filter) => Ok(layer("seccomp", filters.words())),
        Ok(_) | Err(_) => Err(ConfineError::NotFiltered),
    }
}

/// What the filters answer with, as the kernel names it where it tells what it has.
const ACTIONS: [&str; 3] = ["kill_process", "errno", "allow"];

/// Whether the kernel takes filters and has every answer that they give. Nothing is installed.
#[must_use]
pub fn is_offered() -> bool {
    let has = |text: String| ACTIONS.iter().all(|action| text.split_whitespace().any(|word| word == *action));
    let known = std::fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail").is_ok_and(has);
    known && rustix::thread::secure_computing_mode().is_ok()
}

impl Filters {
    fn words(&self) -> String {
        format!(
            "one filter, {} calls refused or looked at, {} instructions, sha256 {}",
            self.calls,
            self.program.len(),
            self.digest
        )
    }
}

fn program(rules: Rules, errno: i32, arch: TargetArch) -> Result<BpfProgram, ConfineError> {
    let refuse = SeccompAction::Errno(errno.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch).map_err(ConfineError::Compile)?;
    filter.try_into().map_err(ConfineError::Compile)
}

/// Over the instructions as the kernel gets them.
fn digest(program: &BpfProgram) -> Digest {
    let mut bytes = Vec::new();
    for instruction in program {
        bytes.extend_from_slice(&instruction.code.to_le_bytes());
        bytes.extend_from_slice(&[instruction.jt, instruction.jf]);
        bytes.extend_from_slice(&instruction.k.to_le_bytes());
    }
    Digest::of(&bytes)
}

#[cfg(test)]
mod tests;
