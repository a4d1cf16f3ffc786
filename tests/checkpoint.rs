//! Promise: what a caller keeps of the log proves to anybody what was in it, other people's programs read it, and nobody
//! gets another history signed. SEC-10.

#[cfg(test)]
mod tests {
    use anyhow::{Context, Result, anyhow};
    use harness::Machine;
    use harness::users::AGENT;
    use promises::{PATIENCE, approve_the_waiting, ask, installed, log, until};
    use serde_json::Value;
    use signed_note::{StandardVerifier, VerifierList};

    const STATE: &str = "/var/lib/countersign-launcher";

    fn read(machine: &Machine, file: &str) -> Result<()> {
        machine.run_as(AGENT, ["countersign", "run", "--", "cat", file])?.ok()?;
        Ok(())
    }

    fn checkpoint(machine: &Machine) -> Result<String> {
        Ok(machine.run_as(AGENT, ["countersign", "audit", "checkpoint"])?.ok()?.stdout)
    }

    fn key(machine: &Machine) -> Result<String> {
        Ok(machine.run_as(AGENT, ["countersign", "audit", "key"])?.ok()?.stdout.trim_end().to_owned())
    }

    /// What other people's programs make of a checkpoint: how many entries, if the key has signed it.
    fn accepted(note: &str, key: &str) -> Result<u64> {
        let verifier = StandardVerifier::new(key).map_err(|error| anyhow!("{error}"))?;
        let note = signed_note::Note::from_bytes(note.as_bytes()).map_err(|error| anyhow!("{error}"))?;
        note.verify(&VerifierList::new(vec![Box::new(verifier)])).map_err(|error| anyhow!("{error}"))?;
        let checkpoint = tlog_tiles::Checkpoint::from_bytes(note.text()).map_err(|error| anyhow!("{error}"))?;
        Ok(checkpoint.size())
    }

    fn state(machine: &Machine) -> Result<String> {
        let status = machine.run(["countersign", "status", "--json"])?.ok()?.stdout;
        let status: Value = serde_json::from_str(&status)?;
        Ok(status["state"].as_str().unwrap_or_default().to_owned())
    }

    fn notices(machine: &Machine) -> Result<String> {
        Ok(machine.run(["countersign", "status"])?.ok()?.stdout)
    }

    fn journal(machine: &Machine) -> Result<String> {
        Ok(machine.run(["journalctl", "--no-pager", "-u", "countersignd"])?.ok()?.stdout)
    }

    /// Waits until people are told that the log is not signed, which is soon after a start.
    fn unsigned(machine: &Machine) -> Result<()> {
        until("a notice", || Ok(notices(machine).ok().filter(|said| said.contains("The log is not signed now"))))?;
        assert_ne!(machine.run_as(AGENT, ["countersign", "audit", "checkpoint"])?.code, 0);
        Ok(())
    }

    fn clear(machine: &Machine) -> Result<()> {
        let mut terminal = machine.spawn_pty_as("root", ["countersign", "clear", "--reason", "the key is changed"])?;
        terminal.wait(PATIENCE)?.ok()?;
        Ok(())
    }

    #[test]
    fn a_receipt_is_proven_without_the_broker_and_other_programs_accept_the_checkpoint() -> Result<()> {
        let machine = installed().boot()?;
        let receipt = "countersign run --json -- cat /etc/hostname > /tmp/receipt";
        machine.run_as(AGENT, ["sh", "-c", receipt])?.ok()?;
        read(&machine, "/etc/hosts")?;
        machine.run_as(AGENT, ["sh", "-c", "countersign audit prove /tmp/receipt > /tmp/receipt.tlog-proof"])?.ok()?;
        let (note, key) = (checkpoint(&machine)?, key(&machine)?);
        let entries = u64::try_from(log(&machine)?.len())?;
        assert_eq!(accepted(&note, &key)?, entries);
        assert!(accepted(&note.replacen(&format!("\n{entries}\n"), &format!("\n{}\n", entries - 1), 1), &key).is_err());
        machine.run(["systemctl", "stop", "countersignd"])?.ok()?;
        let check = ["countersign", "audit", "prove", "--check", "/tmp/receipt.tlog-proof", "--key", &key];
        let proven = machine.run_as(AGENT, check.iter().chain(&["/tmp/receipt"]).copied())?.ok()?.stdout;
        assert!(proven.starts_with("proven: entry "), "{proven}");
        let hash = "0".repeat(64);
        let another = machine.run_as(AGENT, check.iter().chain(&[hash.as_str()]).copied())?;
        assert_eq!((another.code, another.stdout.starts_with("NOT PROVEN")), (1, true), "{another:?}");
        Ok(())
    }

    /// The second verifier, which was made from the format's description alone.
    const VERIFIER: &str = include_str!("../docs/verify.py");

    #[test]
    fn a_caller_proves_what_was_recorded_of_its_request_and_not_of_another_with_nothing_but_the_key() -> Result<()> {
        let machine = installed().boot()?;
        let receipt = "countersign run --json -- cat /etc/hostname > /tmp/receipt";
        machine.run_as(AGENT, ["sh", "-c", receipt])?.ok()?;
        let answer: Value = serde_json::from_str(&machine.read("tmp/receipt")?)?;
        let id = answer["id"].as_str().context("an id")?;
        machine.run_as(AGENT, ["sh", "-c", &format!("countersign audit prove {id} > /tmp/proof")])?.ok()?;
        let other = machine.run_as(AGENT, ["countersign", "run", "--json", "--", "cat", "/etc/hosts"])?.ok()?.stdout;
        let other = serde_json::from_str::<Value>(&other)?["id"].as_str().context("an id")?.to_owned();
        let key = key(&machine)?;
        machine.run(["systemctl", "stop", "countersignd"])?.ok()?;
        let check = |subject: Option<&str>| {
            let words = ["countersign", "audit", "prove", "--check", "/tmp/proof", "--key", &key];
            machine.run_as(AGENT, words.into_iter().chain(subject))
        };
        let said = check(None)?.ok()?.stdout;
        let digest = answer["digest"].as_str().context("a digest")?;
        assert!(said.contains("exited 0") && said.contains(digest), "{said}");
        for (subject, code) in [(id, 0), ("/tmp/receipt", 0), (other.as_str(), 1)] {
            assert_eq!(check(Some(subject))?.code, code, "{subject}");
        }
        // The receipt of something else that claims to be this.
        let forged = "s,/etc/hostname,/etc/hostnamf,";
        machine
            .run(["sh", "-c", &format!("sed '{forged}' /tmp/receipt > /tmp/forged && chmod a+r /tmp/forged")])?
            .ok()?;
        let refused = check(Some("/tmp/forged"))?;
        assert!(refused.code == 1 && refused.stdout.contains("the plan in the receipt"), "{refused:?}");
        // Another program, with another's words for the same thing.
        machine.write("root/verify.py", VERIFIER)?;
        machine.write("root/key", &key)?;
        let python = ["python3", "/root/verify.py", "--proof", "/tmp/proof", "/root/key"];
        let proven = machine.run(python)?.ok()?.stdout;
        assert!(proven.contains(digest) && proven.contains(id), "{proven}");
        machine.run(["sed", "-i", "s/^index .*/index 0/", "/tmp/proof"])?.ok()?;
        assert_eq!((machine.run(python)?.code, check(None)?.code), (1, 1));
        Ok(())
    }

    #[test]
    fn a_caller_sees_its_own_records_and_administrators_those_of_others() -> Result<()> {
        let machine = installed().boot()?;
        read(&machine, "/etc/hosts")?;
        assert_ne!(machine.run(["countersign", "run", "--", "cat", "/etc/hostname"])?.code, 0, "root has no grant");
        let mine = |user: &str| -> Result<Vec<Value>> {
            let output = machine.run_as(user, ["countersign", "audit", "mine", "--json", "-n", "300"])?.ok()?;
            Ok(output.stdout.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
        };
        let whole = log(&machine)?;
        let of = |uid: u64| whole.iter().filter(|entry| entry["caller"]["uid"] == uid).cloned().collect::<Vec<_>>();
        let uid = machine.run(["id", "-u", AGENT])?.ok()?.stdout.trim().parse()?;
        assert_eq!((mine(AGENT)?, mine("root")?), (of(uid), of(0)));
        assert!(of(uid).len() == 2 && of(0).len() == 1, "an intent and a result, and a refusal");
        let query = |user: &str, keys: &[&str]| {
            let call = ["busctl", "call", "org.countersign.Broker1", "/org/countersign/Broker1"];
            let method = ["org.countersign.Broker1.Audit", "Query", "a{sv}"];
            machine.run_as(user, call.iter().chain(&method).chain(keys).copied())
        };
        let (all, root, wrong) = (["1", "all", "b", "true"], ["1", "uid", "t", "0"], ["1", "argv", "s", "x"]);
        for keys in [&all, &root] {
            let refused = query(AGENT, keys)?;
            assert!(refused.code != 0 && refused.stderr.contains("administrators"), "{refused:?}");
            query("root", keys)?.ok()?;
        }
        assert!(query("root", &all)?.ok()?.stdout.contains(&format!("\\\"uid\\\":{uid}")), "everybody's");
        assert!(query(AGENT, &wrong)?.stderr.contains("argv"));
        assert_ne!(query(harness::users::STRANGER, &["0"])?.code, 0);
        let (asked, screen) = machine.run_with_agent(
            harness::users::ADMIN,
            harness::users::ADMIN_PASSWORD,
            ["busctl", "--allow-interactive-authorization=yes", "call", "org.countersign.Broker1"]
                .into_iter()
                .chain(["/org/countersign/Broker1", "org.countersign.Broker1.Audit", "Query", "a{sv}"])
                .chain(all),
        )?;
        assert!(asked.code == 0 && asked.stdout.contains("/etc/hosts"), "{asked:?} {screen}");
        Ok(())
    }

    #[test]
    fn the_key_is_roots_alone_and_a_proof_is_for_whoever_may_call() -> Result<()> {
        let machine = installed().boot()?;
        checkpoint(&machine)?;
        let modes =
            machine.run(["stat", "-c", "%a %U", STATE, &format!("{STATE}/signing-key"), "/run/countersign/audit-key"]);
        assert_eq!(modes?.ok()?.stdout, "700 root\n600 root\n644 root\n");
        for user in [AGENT, "_countersign"] {
            assert_ne!(machine.run_as(user, ["cat", &format!("{STATE}/signing-key")])?.code, 0, "{user}");
        }
        for (entry, code) in [("1", 0), ("0", 120), ("999999", 120)] {
            assert_eq!(machine.run_as(AGENT, ["countersign", "audit", "prove", entry])?.code, code, "{entry}");
        }
        let stranger = machine.run_as(harness::users::STRANGER, ["countersign", "audit", "checkpoint"])?;
        assert_ne!(stranger.code, 0, "who may not call the broker asks it nothing");
        Ok(())
    }

    #[test]
    fn a_log_that_was_rewritten_is_not_signed_and_the_state_says_so() -> Result<()> {
        let machine = installed().boot()?;
        read(&machine, "/etc/hosts")?;
        let signed = accepted(&checkpoint(&machine)?, &key(&machine)?)?;
        // With the front's own account: the log begins anew, as if nothing had been.
        machine.run_as("_countersign", ["sh", "-c", "rm /var/lib/countersign/audit.db*"])?.ok()?;
        machine.run(["systemctl", "kill", "--signal=KILL", "countersignd"])?.ok()?;
        until("amber", || Ok(state(&machine).ok().filter(|state| state == "amber")))?;
        assert!(u64::try_from(log(&machine)?.len())? < signed);
        let refused = machine.run_as(AGENT, ["countersign", "audit", "checkpoint", "--json"])?;
        let said: Value = serde_json::from_str(&refused.stdout).with_context(|| format!("{refused:?}"))?;
        assert_eq!(said["code"], "AuditUnavailable", "{said}");
        assert!(journal(&machine)?.contains("does not contain what was signed last"));
        unsigned(&machine)?;
        for _ in 0..2 {
            let resumed = machine.run(["countersign", "resume", "--reason", "it looks well"])?;
            assert!(resumed.code != 0 && resumed.stderr.contains("CHECKPOINTS"), "{resumed:?}");
            assert_eq!(state(&machine)?, "amber");
            unsigned(&machine)?;
        }
        read(&machine, "/etc/hosts")?;
        // Root says, as the manual has it, that the log that was signed is lost.
        machine.run(["systemctl", "stop", "countersignd"])?.ok()?;
        machine.run(["mv", &format!("{STATE}/signed.json"), "/root/signed.json"])?.ok()?;
        clear(&machine)?;
        checkpoint(&machine)?;
        assert_eq!(state(&machine)?, "green");
        assert!(!notices(&machine)?.contains("not signed"));
        Ok(())
    }

    #[test]
    fn a_key_that_is_gone_or_not_roots_alone_signs_nothing_and_people_are_told() -> Result<()> {
        let machine = installed().boot()?;
        checkpoint(&machine)?;
        let (old, signing) = (key(&machine)?, format!("{STATE}/signing-key"));
        machine.run(["mv", &signing, "/root/signing-key"])?.ok()?;
        machine.run(["systemctl", "restart", "countersignd"])?.ok()?;
        unsigned(&machine)?;
        assert_ne!(machine.run(["test", "-e", &signing])?.code, 0, "no other key is made");
        assert!(journal(&machine)?.contains("its key is gone"));
        // What is found instead of it is looked at anew each time.
        machine.run(["install", "-m", "644", "/root/signing-key", &signing])?.ok()?;
        unsigned(&machine)?;
        assert!(journal(&machine)?.contains("nobody else may read"));
        machine.run(["chmod", "600", &signing])?.ok()?;
        checkpoint(&machine)?;
        assert!(key(&machine)? == old && !notices(&machine)?.contains("not signed"));
        // Root begins with a new key, as the manual has it.
        machine.run(["systemctl", "stop", "countersignd"])?.ok()?;
        machine.run(["sh", "-c", &format!("mkdir /root/lost; mv {STATE}/sign* /root/lost")])?.ok()?;
        clear(&machine)?;
        checkpoint(&machine)?;
        let new = key(&machine)?;
        assert_ne!(new, old);
        for (keys, code) in [(format!("{old}\n{new}\n"), 0), (format!("{old}\n"), 1)] {
            machine.write("root/keys", &keys)?;
            assert_eq!(machine.run(["countersign", "audit", "verify", "--key", "/root/keys"])?.code, code, "{keys}");
        }
        Ok(())
    }

    #[test]
    fn a_new_key_is_named_by_the_old_one_and_recorded() -> Result<()> {
        let machine = installed().boot()?;
        read(&machine, "/etc/hosts")?;
        let (note, old) = (checkpoint(&machine)?, key(&machine)?);
        let rotate = ["countersign", "audit", "rotate-key", "--reason", "once a year"];
        assert_ne!(machine.run(rotate)?.code, 0, "not while the broker runs");
        machine.run(["systemctl", "stop", "countersignd"])?.ok()?;
        assert_ne!(machine.run_as(AGENT, rotate)?.code, 0, "not anybody");
        let new = machine.run(rotate)?.ok()?.stdout.trim_end().to_owned();
        clear(&machine)?;
        machine.run(["systemctl", "start", "countersignd"])?.ok()?;
        let after = checkpoint(&machine)?;
        assert_eq!(key(&machine)?, new);
        assert_ne!(old, new);
        assert!(accepted(&after, &new)? > accepted(&note, &old)?);
        assert!(accepted(&after, &old).is_err());
        let entry = log(&machine)?.into_iter().find(|entry| entry["phase"] == "rotate");
        let entry = entry.context("the change is recorded")?;
        assert!(entry["why"].as_str().is_some_and(|why| why.contains("once a year")), "{entry}");
        Ok(())
    }
    #[test]
    fn a_key_that_systemd_hands_over_is_the_one_that_signs() -> Result<()> {
        // A key that is published with the tests of Go's sumdb/note, and its public half.
        const SECRET: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
        const PUBLIC: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let hand_over = |root: &std::path::Path| -> Result<()> {
            std::fs::create_dir_all(root.join("etc/credstore"))?;
            Ok(std::fs::write(root.join("etc/credstore/countersign-signing-key"), format!("{SECRET}\n"))?)
        };
        let machine = installed().before_boot(hand_over).boot()?;
        let note = checkpoint(&machine)?;
        assert_eq!(key(&machine)?, PUBLIC);
        assert!(accepted(&note, PUBLIC)? > 0);
        assert_ne!(machine.run(["test", "-e", &format!("{STATE}/signing-key")])?.code, 0, "no other key is made");
        for place in ["/run/credentials/countersignd.service", "/etc/credstore"] {
            let file = format!("{place}/countersign-signing-key");
            machine.run(["cat", &file])?.ok()?;
            let mut job = ask(&machine, &["sh", "-c", "eval \"$0\"", &format!("id -u; cat {file}")])?;
            approve_the_waiting(&machine)?;
            let output = job.wait(PATIENCE)?;
            assert_ne!(output.code, 0, "{output:?}");
            assert_eq!(output.stdout, "0\n", "a job that is root and approved does not see the key");
        }
        Ok(())
    }
}
