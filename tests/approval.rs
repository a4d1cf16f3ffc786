//! Promise: what changes the machine waits for a human, runs exactly what the human saw, and only on a real yes.

#[cfg(test)]
mod tests {
    use harness::users::{ADMIN, ADMIN_PASSWORD, AGENT, AGENT_PASSWORD, STRANGER};
    use harness::{Answer, Machine};
    use promises::{PATIENCE, approve_the_waiting, ask, installed, installed_with, log, the_waiting, until, waiting};

    #[test]
    fn a_change_waits_is_listed_and_runs_as_root_when_approved() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        let mut client = ask(&machine, &["touch", "/etc/x"])?;
        let id = the_waiting(&machine)?;
        assert!(!machine.exists("/etc/x")?, "nothing ran yet");
        let shown = machine.run(["countersign", "show", &id])?.ok()?;
        assert!(shown.stdout.contains("touch /etc/x"), "{shown:?}");
        let screen = approve_the_waiting(&machine)?;
        assert!(screen.contains("touch /etc/x"), "the dialog shows the command: {screen}");
        client.wait(PATIENCE)?.ok()?;
        assert_eq!(machine.run(["stat", "-c", "%U:%G", "/etc/x"])?.ok()?.stdout, "root:root\n");
        assert!(waiting(&machine)?.is_empty());
        Ok(())
    }

    #[test]
    fn a_wrong_password_approves_nothing_and_the_request_stays() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        let mut client = ask(&machine, &["touch", "/etc/x"])?;
        let id = the_waiting(&machine)?;
        let (output, screen) = machine.run_with_agent(ADMIN, "not the password", ["countersign", "approve", &id])?;
        assert_eq!(output.code, 121, "{output:?} {screen}");
        assert!(client.is_running()? && !machine.exists("/etc/x")?);
        assert_eq!(the_waiting(&machine)?, id);
        approve_the_waiting(&machine)?;
        client.wait(PATIENCE)?.ok()?;
        assert!(machine.exists("/etc/x")?);
        Ok(())
    }

    #[test]
    fn the_callers_own_password_is_not_an_administrators() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        let (output, screen) =
            machine.run_with_agent(AGENT, AGENT_PASSWORD, ["countersign", "run", "--", "touch", "/etc/x"])?;
        assert_eq!(output.code, 123, "{output:?} {screen}");
        assert!(screen.contains("admin") && !machine.exists("/etc/x")?, "{screen}");
        Ok(())
    }

    #[test]
    fn in_place_the_dialog_opens_in_the_callers_session() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        let (output, screen) =
            machine.run_with_agent(AGENT, ADMIN_PASSWORD, ["countersign", "run", "--", "sh", "-c", "exit 7"])?;
        assert_eq!(output.code, 7, "{output:?} {screen}");
        assert!(screen.contains("sh -c 'exit 7'"), "{screen}");
        Ok(())
    }

    #[test]
    fn the_commands_status_comes_back_after_a_queued_approval() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        for (script, status) in [("exit 7", 7), ("kill -TERM $$", 143), ("exit 0", 0)] {
            let mut client = ask(&machine, &["sh", "-c", script])?;
            approve_the_waiting(&machine)?;
            assert_eq!(client.wait(PATIENCE)?.code, status, "{script}");
        }
        Ok(())
    }

    #[test]
    fn a_refusal_runs_nothing_and_says_who_refused() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        let mut client = ask(&machine, &["touch", "/etc/x"])?;
        let id = the_waiting(&machine)?;
        machine.run(["countersign", "refuse", &id, "--reason", "not today"])?.ok()?;
        let output = client.wait(PATIENCE)?;
        assert_eq!(output.code, 123, "{output:?}");
        assert!(output.stderr.contains("not today") && !machine.exists("/etc/x")?, "{output:?}");
        Ok(())
    }

    #[test]
    fn an_approval_of_another_digest_is_refused() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        let mut client = ask(&machine, &["touch", "/etc/x"])?;
        let id = the_waiting(&machine)?;
        let wrong = "0".repeat(64);
        let output = machine.run(["countersign", "approve", &id, "--digest", &wrong, "--json"])?;
        assert_eq!(output.code, 123, "{output:?}");
        assert!(output.stdout.contains("WrongDigest"), "{output:?}");
        assert!(client.is_running()? && !machine.exists("/etc/x")?);
        Ok(())
    }

    /// The code with which root's approval is refused.
    fn code_of_approving(machine: &Machine, words: &[&str]) -> anyhow::Result<String> {
        let all = ["countersign", "approve", "--json"].iter().chain(words).copied();
        let output = machine.run(all)?;
        let answer: serde_json::Value = serde_json::from_str(&output.stdout)?;
        assert_ne!(output.code, 0, "{words:?}: {output:?}");
        Ok(answer["code"].as_str().unwrap_or_default().to_owned())
    }

    /// The same request again is a new one, and an approval of that one counts.
    fn ask_again(machine: &Machine) -> anyhow::Result<()> {
        machine.run(["rm", "-f", "/etc/x"])?.ok()?;
        let mut client = ask(machine, &["touch", "/etc/x"])?;
        approve_the_waiting(machine)?;
        client.wait(PATIENCE)?.ok()?;
        assert!(machine.exists("/etc/x")?);
        Ok(())
    }

    #[test]
    fn an_approval_that_comes_wrong_is_refused_with_a_code_of_its_own_and_the_request_can_be_asked_again()
    -> anyhow::Result<()> {
        let machine = installed().boot()?;
        let settings =
            |text: &str| machine.run(["sh", "-c", &format!("echo '{text}' > /etc/countersign/countersign.toml")]);
        let mut client = ask(&machine, &["touch", "/etc/x"])?;
        let id = the_waiting(&machine)?;
        assert_eq!(code_of_approving(&machine, &[&id, "--digest", &"0".repeat(64)])?, "WrongDigest");
        machine.run(["countersign", "approve", &id])?.ok()?;
        client.wait(PATIENCE)?.ok()?;
        assert_eq!(code_of_approving(&machine, &[&id])?, "AlreadyDecided", "a second time");
        ask_again(&machine)?;
        let mut client = ask(&machine, &["touch", "/etc/x"])?;
        let id = the_waiting(&machine)?;
        machine.run(["countersign", "refuse", &id])?.ok()?;
        assert_eq!(client.wait(PATIENCE)?.code, 123);
        assert_eq!(code_of_approving(&machine, &[&id])?, "AlreadyDecided", "after a refusal");
        ask_again(&machine)?;

        let mut client = ask(&machine, &["touch", "/etc/x"])?;
        let id = the_waiting(&machine)?;
        settings("approval.expiry_s = 50")?.ok()?;
        machine.run(["systemctl", "reload", "countersignd"])?.ok()?;
        assert_eq!(client.wait(PATIENCE)?.code, 123);
        assert_eq!(code_of_approving(&machine, &[&id])?, "Changed", "after a reload");
        ask_again(&machine)?;
        machine.run(["rm", "/etc/x"])?.ok()?;
        settings("approval.expiry_s = 2")?.ok()?;
        machine.run(["systemctl", "reload", "countersignd"])?.ok()?;

        let mut client = ask(&machine, &["touch", "/etc/x"])?;
        let id = the_waiting(&machine)?;
        assert_eq!(client.wait(PATIENCE)?.code, 123);
        assert_eq!(code_of_approving(&machine, &[&id])?, "Expired");
        settings("approval.expiry_s = 60")?.ok()?;
        machine.run(["systemctl", "reload", "countersignd"])?.ok()?;
        ask_again(&machine)?;

        machine.run(["rm", "-f", "/etc/x"])?.ok()?;
        machine.run_as(AGENT, ["countersign", "run", "--no-wait", "--", "touch", "/etc/x"])?.ok()?;
        let id = the_waiting(&machine)?;
        machine.run(["systemctl", "restart", "countersignd"])?.ok()?;
        assert_eq!(code_of_approving(&machine, &[&id])?, "NoSuchRequest", "after a restart");
        assert!(!machine.exists("/etc/x")?, "none of them ran");
        ask_again(&machine)?;
        Ok(())
    }

    /// pkttyagent waits in a read and looks up only after a key, so what polkit is told is looked at as well.
    #[test]
    fn a_dialog_closes_with_its_request_and_with_who_was_asked() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        let told = ["busctl", "monitor", "--match=member='CancelCheckAuthorization'"];
        let mut polkit = machine.spawn_as("root", told)?;
        polkit.stderr()?.expect("Monitoring", PATIENCE)?;
        for (end, words) in [
            ("taken back", &["countersign", "cancel"][..]),
            ("decided elsewhere", &["countersign", "refuse"]),
            ("its administrator left", &["pkill", "--exact", "--uid", ADMIN, "countersign"]),
            ("stopped", &["countersign", "stop", "--reason"]),
        ] {
            let client = ask(&machine, &["touch", "/etc/x"])?;
            let id = the_waiting(&machine)?;
            let mut attended = machine.command(ADMIN, ["countersign", "approve", &id])?.attended()?;
            attended.dialog()?;
            let named = (words[0] != "pkill").then_some(id.as_str());
            machine.run(words.iter().copied().chain(named))?.ok()?;
            polkit.stdout()?.expect("CancelCheckAuthorization", PATIENCE)?;
            let (output, screen) = attended.wait()?;
            assert!(output.code != 0 && !screen.contains("COMPLETE"), "{end}: {output:?} {screen}");
            client.kill()?;
        }
        assert!(!machine.exists("/etc/x")?);
        Ok(())
    }

    #[test]
    fn who_asked_cannot_approve_where_the_policy_wants_another() -> anyhow::Result<()> {
        let machine = installed_with("countersign.toml", "approval.approver_differs = 'always'\n").boot()?;
        machine.run(["gpasswd", "--add", ADMIN, "countersign"])?.ok()?;
        let mut own = machine.spawn_as(ADMIN, ["countersign", "run", "--queue", "--", "touch", "/etc/y"])?;
        let id = the_waiting(&machine)?;
        let words = ["countersign", "approve", "--json", &id];
        let (refused, screen) = machine.run_with_agent(ADMIN, ADMIN_PASSWORD, words)?;
        assert!(refused.code == 123 && refused.stdout.contains("SelfApproval"), "{refused:?} {screen}");
        assert!(own.is_running()? && !machine.exists("/etc/y")?, "it goes on waiting for somebody else");
        machine.run(["countersign", "approve", &id])?.ok()?;
        own.wait(PATIENCE)?.ok()?;
        Ok(())
    }

    #[test]
    fn a_request_dies_with_its_caller() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        let client = ask(&machine, &["touch", "/etc/x"])?;
        let id = the_waiting(&machine)?;
        client.kill()?;
        until("the request to go", || Ok(waiting(&machine)?.is_empty().then_some(())))?;
        let late = machine.run(["countersign", "approve", &id])?;
        assert_ne!(late.code, 0, "{late:?}");
        assert!(!machine.exists("/etc/x")?);
        assert!(log(&machine)?.iter().any(|entry| entry["id"] == id.as_str() && entry["code"] == "Cancelled"));
        Ok(())
    }

    #[test]
    fn a_closed_dialog_is_a_no() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        let mut attended = machine.command(AGENT, ["countersign", "run", "--", "touch", "/etc/x"])?.attended()?;
        attended.dialog()?;
        attended.answer(Answer::Interrupt)?;
        let (output, screen) = attended.wait()?;
        assert_ne!(output.code, 0, "{output:?} {screen}");
        assert!(!machine.exists("/etc/x")?);
        Ok(())
    }

    #[test]
    fn who_did_not_wait_comes_back_for_the_result() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        let submitted =
            machine.run_as(AGENT, ["countersign", "run", "--no-wait", "--json", "--", "touch", "/etc/x"])?;
        let id = the_waiting(&machine)?;
        assert!(submitted.stdout.contains(&id), "{submitted:?}");
        approve_the_waiting(&machine)?;
        until("the file", || Ok(machine.exists("/etc/x")?.then_some(())))?;
        let shown = machine.run_as(AGENT, ["countersign", "show", &id, "--json"])?.ok()?;
        assert!(shown.stdout.contains(&id), "{shown:?}");
        Ok(())
    }

    #[test]
    fn who_decides_on_a_long_command_has_seen_all_of_it() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        let long = format!("/srv/{}", "long-".repeat(2_000));
        let mut client = ask(&machine, &["sh", "-c", &format!("exit 3; : {long}")])?;
        let id = the_waiting(&machine)?;
        let words = ["countersign", "approve", &id];
        let unnamed = ["busctl", "--json=short", "call", "org.countersign.Broker1", "/org/countersign/Broker1"];
        let approve = ["org.countersign.Broker1.Approvals", "Approve", "ss", &id, ""];
        let blind = machine.run(unnamed.iter().chain(&approve).copied())?;
        assert!(blind.code != 0 && blind.stderr.contains("name its digest"), "{blind:?}");
        let mut attended = machine.command(ADMIN, words)?.attended()?;
        let first = attended.dialog()?;
        assert!(first.contains("org.countersign.inspect"), "to look at it comes first: {first}");
        attended.answer(Answer::Password(ADMIN_PASSWORD))?;
        let second = attended.dialog()?;
        assert!(second.contains("This is not the whole command"), "{second}");
        attended.answer(Answer::Password(ADMIN_PASSWORD))?;
        let (output, screen) = attended.wait()?;
        assert!(output.ok()?.stdout.contains(&long), "all of it was shown: {screen}");
        assert_eq!(client.wait(PATIENCE)?.code, 3);
        Ok(())
    }

    #[test]
    fn another_user_neither_sees_nor_touches_a_request() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        machine.run(["gpasswd", "--add", STRANGER, "countersign"])?.ok()?;
        let mut client = ask(&machine, &["touch", "/etc/x"])?;
        let id = the_waiting(&machine)?;
        let listed = machine.run_as(STRANGER, ["countersign", "requests", "--json"])?.ok()?;
        assert!(!listed.stdout.contains(&id), "{listed:?}");
        for words in [["show"].as_slice(), &["cancel"], &["approve"], &["refuse"]] {
            let output = machine.run_as(STRANGER, ["countersign"].iter().chain(words).copied().chain([id.as_str()]))?;
            assert_ne!(output.code, 0, "{words:?}: {output:?}");
            assert!(!output.stdout.contains("/etc/x"), "{words:?}: {output:?}");
        }
        assert!(client.is_running()? && !machine.exists("/etc/x")?);
        machine.run_as(AGENT, ["countersign", "cancel", &id])?.ok()?;
        assert_eq!(client.wait(PATIENCE)?.code, 123);
        Ok(())
    }
}
