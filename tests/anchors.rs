//! Promise: checkpoints are kept outside of the machine, and what is kept finds a log that was written anew. SEC-7, SEC-10.
//!
//! A real authority (`openssl ts` behind HTTP) and a witness that was written from the specifications alone, both on the
//! machine's own loopback.

#[cfg(test)]
mod tests {
    use harness::users::AGENT;
    use harness::{Machine, Process};
    use promises::{installed, until};
    use serde_json::Value;

    const AUTHORITY: &str = include_str!("data/anchors/authority.py");
    const WITNESS: &str = include_str!("data/anchors/witness.py");
    const ANSWERS: &str = "/var/lib/private/countersign-anchor";

    /// A machine with some entries, whose anchors run; the processes live as long as they are held.
    fn anchored() -> anyhow::Result<(Machine, [Process; 2])> {
        let machine = installed().boot()?;
        reads(&machine, 3)?;
        let key = machine.run(["cat", "/run/countersign/audit-key"])?.ok()?.stdout;
        let start = |script: &str, port: &str, of: &str, output: &str| {
            let redirected = format!("exec python3 -c \"$@\" > {output} 2>&1");
            machine.spawn_as("root", ["sh", "-c", &redirected, "sh", script, port, of])
        };
        let authority = start(AUTHORITY, "3180", "/run/authority", "/run/authority-says")?;
        let witness = start(WITNESS, "3181", key.trim(), "/run/witness-key")?;
        for (file, says) in [("/run/authority-says", "ready"), ("/run/witness-key", "+")] {
            until(file, || Ok((machine.run(["grep", "-qF", says, file])?.code == 0).then_some(())))?;
        }
        let witness_key = machine.run(["cat", "/run/witness-key"])?.ok()?.stdout;
        let config = format!(
            "[[authority]]\nname = \"tsa\"\nurl = \"http://127.0.0.1:3180/\"\nca = \"/etc/countersign/tsa.pem\"\n\n\
             [[witness]]\nname = \"friend\"\nurl = \"http://127.0.0.1:3181\"\nkey = \"{}\"\n",
            witness_key.trim()
        );
        machine.run(["install", "-m", "644", "/run/authority/ca.pem", "/etc/countersign/tsa.pem"])?.ok()?;
        write(&machine, "/etc/countersign/anchor.toml", &config)?;
        Ok((machine, [authority, witness]))
    }

    fn write(machine: &Machine, path: &str, text: &str) -> anyhow::Result<()> {
        machine.run(["sh", "-c", "printf %s \"$2\" > \"$1\"", "sh", path, text])?.ok().map(drop)
    }

    fn reads(machine: &Machine, count: usize) -> anyhow::Result<()> {
        for _ in 0..count {
            machine.run_as(AGENT, ["countersign", "run", "--", "cat", "/etc/os-release"])?.ok()?;
        }
        Ok(())
    }

    fn anchor(machine: &Machine) -> anyhow::Result<()> {
        let done = machine.run(["systemctl", "start", "countersign-anchor.service"])?;
        let journal = machine.run(["journalctl", "-u", "countersign-anchor", "-o", "cat"])?.stdout;
        anyhow::ensure!(done.code == 0, "{done:?} {journal}");
        Ok(())
    }

    fn verified(machine: &Machine, words: &[&str]) -> anyhow::Result<(i32, Value)> {
        let output = machine.run(["countersign", "--json", "audit", "verify"].iter().chain(words).copied())?;
        Ok((output.code, serde_json::from_str(&output.stdout).map_err(|error| anyhow::anyhow!("{error} {output:?}"))?))
    }

    #[test]
    fn what_anchors_kept_vouches_for_the_log() -> anyhow::Result<()> {
        let (machine, _anchors) = anchored()?;
        let (status, said) = verified(&machine, &[])?;
        assert_eq!((status, &said["anchors"][0]["answers"]), (0, &Value::from(0)), "what is not there is said: {said}");
        anchor(&machine)?;
        reads(&machine, 5)?;
        anchor(&machine)?;
        let (status, said) = verified(&machine, &[])?;
        assert_eq!((status, &said["outcome"]), (0, &Value::from("verified")), "{said}");
        for (at, name) in ["tsa", "friend"].iter().enumerate() {
            let vouched = &said["anchors"][at];
            assert_eq!((&vouched["anchor"], &vouched["answers"]), (&Value::from(*name), &Value::from(2)), "{said}");
            assert!(vouched["time"].is_string() && vouched["wrong"].is_null(), "{said}");
        }
        Ok(())
    }

    #[test]
    fn a_log_that_was_cut_after_it_was_anchored_is_found() -> anyhow::Result<()> {
        let (machine, _anchors) = anchored()?;
        let before = "/root/before.db";
        let copy = "import sqlite3, sys; a, b = map(sqlite3.connect, sys.argv[1:]); a.backup(b); b.close()";
        machine.run(["python3", "-c", copy, "/var/lib/countersign/audit.db", before])?.ok()?;
        reads(&machine, 2)?;
        anchor(&machine)?;
        let (status, said) = verified(&machine, &["--anchors", ANSWERS, before])?;
        assert_eq!((status, &said["rule"]), (1, &Value::from("checkpoint")), "{said}");
        Ok(())
    }

    #[test]
    fn an_answer_that_is_not_genuine_is_named() -> anyhow::Result<()> {
        let (machine, _anchors) = anchored()?;
        anchor(&machine)?;
        for name in ["tsa", "friend"] {
            let script = format!("set -e; cd {ANSWERS}/{name}; f=$(ls *.note); cp $f /root/kept; sed -i '1s/./x/' $f");
            machine.run(["sh", "-c", &script])?.ok()?;
            let (status, said) = verified(&machine, &[])?;
            assert_eq!(status, 1, "{said}");
            assert!(said.to_string().contains("is not genuine"), "{said}");
            machine
                .run(["sh", "-c", &format!("cp /root/kept {ANSWERS}/{name}/$(ls {ANSWERS}/{name} | grep note)")])?
                .ok()?;
        }
        assert_eq!(verified(&machine, &[])?.0, 0);
        Ok(())
    }

    #[test]
    fn a_reply_that_does_not_verify_is_not_kept() -> anyhow::Result<()> {
        let (machine, _anchors) = anchored()?;
        // A CA that signed nothing.
        machine
            .run([
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-keyout",
                "/root/k",
                "-out",
                "/etc/countersign/tsa.pem",
                "-subj",
                "/CN=Other",
            ])?
            .ok()?;
        machine.run(["chmod", "644", "/etc/countersign/tsa.pem"])?.ok()?;
        assert_ne!(machine.run(["systemctl", "start", "countersign-anchor.service"])?.code, 0);
        let journal = machine.run(["journalctl", "-u", "countersign-anchor", "-o", "cat"])?.stdout;
        assert!(journal.contains("the time-stamp of tsa does not verify"), "{journal}");
        let kept = machine.run(["find", ANSWERS, "-name", "*.tsr", "-o", "-name", "*.unverified"])?.ok()?.stdout;
        assert_eq!(kept, "");
        assert!(
            machine.run(["sh", "-c", &format!("ls {ANSWERS}/friend/*.note")])?.code == 0,
            "the witness was asked all the same"
        );
        Ok(())
    }

    #[test]
    fn the_anchor_may_ask_for_checkpoints_and_for_nothing_else() -> anyhow::Result<()> {
        let (machine, _anchors) = anchored()?;
        let call = |member: &str, rest: &[&str]| {
            let (interface, member) = member.rsplit_once('.').unwrap_or_default();
            let words = [
                "setpriv",
                "--reuid=65533",
                "--regid=65533",
                "--groups",
                "_countersign-anchor",
                "busctl",
                "call",
                "org.countersign.Broker1",
                "/org/countersign/Broker1",
                interface,
                member,
            ];
            machine.run(words.iter().chain(rest).copied())
        };
        call("org.countersign.Broker1.Audit.Checkpoint", &[])?.ok()?;
        for (member, rest) in [
            ("org.countersign.Broker1.Submit", &["a{sv}", "1", "argv", "as", "1", "id"][..]),
            ("org.countersign.Broker1.Stop", &["s", "x"]),
            ("org.countersign.Broker1.Audit.Head", &[]),
            ("org.countersign.Broker1.Approvals.List", &[]),
        ] {
            let refused = call(member, rest)?;
            assert_ne!(refused.code, 0, "{member}");
            assert!(refused.stderr.contains("denied"), "{member}: {refused:?}");
        }
        Ok(())
    }
}
