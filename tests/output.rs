//! Promise: output of any size, whole and hashed, in bounded memory, and no reader stalls anybody else. SEC-9, SEC-15.
//!
//! How fast it is, and ten gibibytes of it, is `cargo bench -p benches --bench output`.

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use harness::users::AGENT;
    use promises::pour::{self, GROWS_BY_LESS, Memory, Reader, bytes};
    use promises::{last_entry, until};

    /// More than any buffer on its way, little enough for a busy host.
    const MIB: u64 = 192;
    /// A read that nobody hinders takes a fraction of this.
    const AT_ONCE: Duration = Duration::from_secs(5);

    #[test]
    fn much_output_is_hashed_whole_in_bounded_memory() -> anyhow::Result<()> {
        let machine = pour::machine(MIB)?;
        let (_, hash) = pour::plainly(&machine, MIB)?;
        pour::pour(&machine, 1, Reader::None)?;
        for reader in [Reader::None, Reader::Pipe, Reader::File] {
            let before = Memory::of_the_broker(&machine)?;
            Memory::forget_the_peak(&machine)?;
            let poured = pour::pour(&machine, MIB, reader)?;
            let grown = Memory::of_the_broker(&machine)?.peak.saturating_sub(before.now);
            assert_eq!((&poured.recorded, poured.length), (&hash, bytes(MIB)), "{reader:?}");
            assert!(poured.read.is_none_or(|read| read == hash), "{reader:?}: every byte arrived");
            assert!(grown < GROWS_BY_LESS, "{reader:?}: {grown} KiB more");
        }
        Ok(())
    }

    #[test]
    fn the_cap_ends_the_job_at_one_byte_more() -> anyhow::Result<()> {
        let machine = pour::machine(4)?;
        assert_eq!(pour::pour(&machine, 4, Reader::Pipe)?.length, bytes(4));
        let more = ["countersign", "run", "--", "pour", "if=/dev/zero", "bs=1M", "count=1000", "status=none"];
        let ended = machine.run_as(AGENT, more)?;
        assert_eq!(ended.code, 124, "{}", ended.stderr);
        assert_eq!(last_entry(&machine)?["ended"], "output-limit");
        Ok(())
    }

    #[test]
    fn readers_that_do_not_read_stall_nobody_else() -> anyhow::Result<()> {
        let machine = pour::machine(1_024)?;
        let job = "countersign run -- pour if=/dev/zero bs=1M count=1000 status=none";
        let mut stuck = Vec::new();
        for _ in 0..3 {
            stuck.push(machine.spawn_as(AGENT, ["bash", "-c", &format!("{job} | sleep 3333")])?);
        }
        let jobs = || machine.processes().iter().filter(|process| process.command.starts_with("pour if=")).count();
        until("three jobs", || Ok((jobs() == 3).then_some(())))?;
        for _ in 0..5 {
            let other = machine.run_as(AGENT, ["countersign", "run", "--", "id"])?.ok()?;
            assert!(other.duration < AT_ONCE, "{other:?}");
        }
        drop(stuck);
        until("the end of their jobs", || Ok((jobs() == 0).then_some(())))?;
        Ok(())
    }

    #[test]
    fn a_reader_that_has_gone_ends_no_job_and_the_record_is_whole() -> anyhow::Result<()> {
        let machine = pour::machine(MIB)?;
        let (_, hash) = pour::plainly(&machine, MIB)?;
        let job = format!("countersign run -- pour if=/dev/zero bs=1M count={MIB} status=none");
        machine.run_as(AGENT, ["bash", "-c", &format!("{job} | true; exit ${{PIPESTATUS[0]}}")])?.ok()?;
        let entry = last_entry(&machine)?;
        assert_eq!(entry["stdout"]["sha256"], hash.as_str(), "{entry}");
        assert_eq!(entry["stdout"]["truncated"], true, "{entry}");
        Ok(())
    }
}
