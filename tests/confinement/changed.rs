//! What was approved is what runs: a program that is replaced after a human saw it is refused as changed. SEC-12.

#[cfg(test)]
mod tests {
    use harness::{Machine, Process};
    use promises::{PATIENCE, approve_the_waiting, ask, installed, last_entry, the_waiting};

    const CHANGED: i32 = 123;

    /// A machine with a program `tool` that succeeds, a program `other` that fails, and the same as scripts.
    fn machine() -> anyhow::Result<Machine> {
        installed()
            .before_boot(|root| {
                let bin = root.join("usr/local/bin");
                std::fs::copy(root.join("usr/bin/true"), bin.join("tool"))?;
                std::fs::copy(root.join("usr/bin/false"), bin.join("other"))?;
                for (name, text) in [("tool.sh", "#!/bin/sh\nexit 0\n"), ("other.sh", "#!/bin/sh\nexit 1\n")] {
                    std::fs::copy(root.join("usr/bin/true"), bin.join(name))?;
                    std::fs::write(bin.join(name), text)?;
                }
                Ok(())
            })
            .boot()
    }

    /// Asks, lets `meanwhile` happen, approves, and says how the client ended.
    fn approved_after(machine: &Machine, words: &[&str], meanwhile: &[&str]) -> anyhow::Result<harness::Output> {
        let mut client: Process = ask(machine, words)?;
        the_waiting(machine)?;
        machine.run(meanwhile.iter().map(|&word| word.to_owned()))?.ok()?;
        // The approval itself is good: it is what was approved that is no longer there.
        approve_the_waiting(machine).ok();
        client.wait(PATIENCE)
    }

    #[test]
    fn a_program_replaced_after_it_was_asked_for_is_refused_and_the_record_says_so() -> anyhow::Result<()> {
        let machine = machine()?;
        assert_eq!(approved_after(&machine, &["tool"], &["true"])?.code, 0, "as long as nothing changes it runs");
        for (words, meanwhile) in [
            (["tool", "x"], ["mv", "/usr/local/bin/other", "/usr/local/bin/tool"]),
            (["tool.sh", "x"], ["mv", "/usr/local/bin/other.sh", "/usr/local/bin/tool.sh"]),
        ] {
            let refused = approved_after(&machine, &words, &meanwhile)?;
            assert_eq!(refused.code, CHANGED, "{refused:?}");
            assert!(refused.stderr.contains("changed"), "{refused:?}");
            let entry = last_entry(&machine)?;
            assert!(entry["code"] == "Changed" && entry["phase"] == "result", "{entry}");
        }
        machine.run(["countersign", "audit", "verify"])?.ok()?;
        Ok(())
    }

    /// Exchanges two files as fast as the kernel allows, until it is ended.
    const EXCHANGE: &str = r#"
import ctypes
libc = ctypes.CDLL(None)
print("begun", flush=True)
while True:
    libc.renameat2(-100, b"/usr/local/bin/tool", -100, b"/usr/local/bin/other", 2)
"#;

    #[test]
    fn whatever_the_race_the_other_program_never_runs() -> anyhow::Result<()> {
        let machine = machine()?;
        let mut codes = Vec::new();
        for _ in 0..8 {
            let mut client = ask(&machine, &["tool"])?;
            the_waiting(&machine)?;
            let mut racer = machine.spawn_as("root", ["python3", "-c", EXCHANGE])?;
            racer.stdout()?.expect("begun", PATIENCE)?;
            approve_the_waiting(&machine).ok();
            let ended = client.wait(PATIENCE)?;
            codes.push((ended.code, ended.stderr));
            drop(racer);
            // Back to where they were, for the next round.
            let back = "cd /usr/local/bin; cmp -s tool /usr/bin/true || { mv tool x; mv other tool; mv x other; }";
            machine.run(["sh", "-c", back])?.ok()?;
        }
        assert!(codes.iter().all(|(code, _)| [0, CHANGED].contains(code)), "{codes:?}");
        assert!(codes.iter().any(|(code, _)| *code == CHANGED), "the race was a race: {codes:?}");
        Ok(())
    }
}
