//! A job that writes as much as it is told to, and what that costs.
//!
//! What enters: how much, and who reads it; what leaves: how long it took, what the record says was written, and how the
//! memory of the broker grew. The job is `dd` under a name of its own, which an administrator's rule calls a read, in
//! an administrator's profile that is `observe` with a higher cap.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::Machine;
use harness::users::AGENT;

use crate::{installed, last_entry};

/// How long one pouring may take: ten gibibytes on a slow and busy host.
const PATIENCE: Duration = Duration::from_secs(300);

const RULE: &str = "[[program]]\nnames = [\"pour\"]\nlowers = true\ntier = \"T0\"\nprofile = \"pour\"\n\
                    reason = \"Writes zeros, for measuring.\"\noperands = [\"<text>...\"]\n";

/// By how much less the memory of front and launcher together may grow, in KiB, whatever is poured.
pub const GROWS_BY_LESS: u64 = 16 * 1_024;

/// Who reads what is poured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// Nobody: the caller passed no descriptor and gets the preview.
    None,
    /// `sha256sum` at the other end of the caller's pipe.
    Pipe,
    /// A file that the caller opened.
    File,
}

/// What a pouring was.
#[derive(Debug, Clone)]
pub struct Poured {
    /// As the reader saw it, from the first word of the command to the reader's end.
    pub took: Duration,
    /// SHA-256 of standard output, as the record has it, in hexadecimal.
    pub recorded: String,
    /// Its length, as the record has it.
    pub length: u64,
    /// SHA-256 of what reached the reader, if there was one.
    pub read: Option<String>,
}

/// A machine in which `pour` may write `mib` mebibytes and no more.
///
/// # Errors
/// It did not boot.
pub fn machine(mib: u64) -> Result<Machine> {
    installed()
        .before_boot(move |root| {
            std::fs::copy(root.join("usr/bin/dd"), root.join("usr/local/bin/pour"))?;
            std::fs::write(root.join("etc/countersign/rules.d/99-pour.toml"), RULE)?;
            let shipped = std::fs::read_to_string(root.join("usr/share/countersign/profiles/observe.toml"))?;
            let raised = shipped
                .replace("name = \"observe\"\n", "name = \"pour\"\n")
                .replace("within = [\"system\"]\n", "")
                .replace("seconds = 30\n", "seconds = 600\n")
                .replace("output_mib = 64\n", &format!("output_mib = {mib}\n"));
            ensure!(raised != shipped, "the profile has limits");
            Ok(std::fs::write(root.join("etc/countersign/profiles.d/pour.toml"), raised)?)
        })
        .boot()
}

/// Pours through the broker.
///
/// # Errors
/// The job did not end well, or the record does not say what it wrote.
pub fn pour(machine: &Machine, mib: u64, reader: Reader) -> Result<Poured> {
    let job = format!("countersign run {} -- pour if=/dev/zero bs=1M count={mib} status=none", options(reader));
    let line = match reader {
        Reader::None => format!("{job} >/dev/null"),
        Reader::Pipe => format!("set -o pipefail; {job} 2>/dev/null | sha256sum"),
        Reader::File => format!("{job} 2>/dev/null >poured && sha256sum poured; rm poured"),
    };
    let (took, said) = timed(machine, &line)?;
    let entry = last_entry(machine)?;
    let stream = entry.get("stdout").context("no standard output in the record")?;
    let hash = |text: &str| text.split_whitespace().next().map(str::to_owned);
    Ok(Poured {
        took,
        recorded: stream
            .get("sha256")
            .and_then(serde_json::Value::as_str)
            .map(str::to_owned)
            .with_context(|| stream.to_string())?,
        length: stream.get("length").and_then(serde_json::Value::as_u64).context("a length")?,
        read: hash(&said),
    })
}

const fn options(reader: Reader) -> &'static str {
    match reader {
        Reader::None => "--json",
        Reader::Pipe | Reader::File => "",
    }
}

/// The same without the broker: the writer, a pipe, and `sha256sum`. How long it took, and the hash.
///
/// # Errors
/// It failed.
pub fn plainly(machine: &Machine, mib: u64) -> Result<(Duration, String)> {
    let line = format!("set -o pipefail; dd if=/dev/zero bs=1M count={mib} status=none | sha256sum");
    let (took, said) = timed(machine, &line)?;
    Ok((took, said.split_whitespace().next().unwrap_or_default().to_owned()))
}

fn timed(machine: &Machine, line: &str) -> Result<(Duration, String)> {
    let begun = Instant::now();
    let output = machine.command(AGENT, ["bash", "-c", line])?.deadline(PATIENCE).run()?.ok()?;
    Ok((begun.elapsed(), output.stdout))
}

/// The resident memory of front and launcher together, in KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Now.
    pub now: u64,
    /// At most, since the last [`Memory::forget_the_peak`].
    pub peak: u64,
}

impl Memory {
    /// Begins a new measurement of the peak.
    ///
    /// # Errors
    /// The broker does not run.
    pub fn forget_the_peak(machine: &Machine) -> Result<()> {
        for pid in broker(machine)? {
            std::fs::write(format!("/proc/{pid}/clear_refs"), "5").context("clear_refs")?;
        }
        Ok(())
    }

    /// What the kernel says.
    ///
    /// # Errors
    /// The broker does not run.
    pub fn of_the_broker(machine: &Machine) -> Result<Self> {
        let mut memory = Self { now: 0, peak: 0 };
        for pid in broker(machine)? {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
            let field = |name: &str| -> Result<u64> {
                let line = status.lines().find_map(|line| line.strip_prefix(name)).context("a field of memory")?;
                Ok(line.trim().trim_end_matches(" kB").parse()?)
            };
            memory.now = memory.now.saturating_add(field("VmRSS:")?);
            memory.peak = memory.peak.saturating_add(field("VmHWM:")?);
        }
        Ok(memory)
    }
}

/// Front and launcher, as the host numbers them.
fn broker(machine: &Machine) -> Result<Vec<i32>> {
    let pids = machine.pids_of("/usr/libexec/countersign/countersign");
    ensure!(pids.len() == 2, "front and launcher run: {pids:?}");
    Ok(pids)
}

/// A number of bytes as the record writes it.
#[must_use]
pub const fn bytes(mib: u64) -> u64 {
    mib.saturating_mul(1_024 * 1_024)
}
