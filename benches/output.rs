//! What output costs: ten gibibytes through the broker, beside the same through a pipe into `sha256sum`.
//!
//! Enters: the installed product on a booted machine, so it wants root and built binaries (`COUNTERSIGN_BINARIES`, or
//! `target/release`); a number on the command line is another amount, in MiB. Leaves: a table, and exit status 1 if a hash
//! is wrong, the throughput is less than half of `sha256sum`'s, or memory grew by 16 MiB.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use promises::pour::{self, GROWS_BY_LESS, Memory, Poured, Reader, bytes};

/// Ten gibibytes.
const MIB: u64 = 10 * 1_024;
/// It may take that many times as long as without the broker.
const SLOWER: u32 = 2;

fn main() -> Result<ExitCode> {
    let mib = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(MIB);
    let machine = pour::machine(mib)?;
    // The first request of a broker needs memory of its own.
    pour::pour(&machine, 1, Reader::None)?;
    let (plain, hash) = pour::plainly(&machine, mib)?;
    println!("{:<24} {:>8.1?} {:>6.0} MiB/s", "pipe, sha256sum", plain, speed(mib, plain));
    let mut good = true;
    for (name, reader) in [("broker, no descriptor", Reader::None), ("broker, sha256sum", Reader::Pipe)] {
        let before = Memory::of_the_broker(&machine)?.now;
        Memory::forget_the_peak(&machine)?;
        let poured = pour::pour(&machine, mib, reader)?;
        let grown = Memory::of_the_broker(&machine)?.peak.saturating_sub(before);
        let kept = whole(&poured, mib, &hash) && poured.took <= plain.saturating_mul(SLOWER) && grown < GROWS_BY_LESS;
        let (took, verdict) = (poured.took, if kept { "ok" } else { "PASSED" });
        println!("{name:<24} {took:>8.1?} {:>6.0} MiB/s  {grown:>6} KiB more memory  {verdict}", speed(mib, took));
        good &= kept;
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether the record and the reader have every byte.
fn whole(poured: &Poured, mib: u64, hash: &str) -> bool {
    poured.length == bytes(mib) && poured.recorded == hash && poured.read.as_deref().is_none_or(|read| read == hash)
}

#[expect(clippy::cast_precision_loss, reason = "for a table that shows whole mebibytes")]
fn speed(mib: u64, took: Duration) -> f64 {
    mib as f64 / took.as_secs_f64()
}
