//! Promise: the known vulnerability classes of this job are each held by a test. Where another file shows a class, its test is
//! named here and not repeated; what none of them shows is here. SECURITY.md has the same classes for readers.

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::{Duration, Instant};

    use anyhow::{Context, Result, ensure};
    use harness::users::AGENT;
    use harness::{Machine, Output};
    use promises::{PATIENCE, approve_the_waiting, ask, installed, log, the_waiting, until};
    use serde_json::{Value, json};

    /// A class as SECURITY.md names it, and the tests that fail if it comes back.
    const HELD: &[(&str, &[&str])] = &[
        (
            "CVE-2021-4034",
            &[
                "src/core/src/argv.rs::nothing_and_an_empty_program_are_refused",
                "tests/history.rs::nothing_is_installed_with_rights_of_its_own",
            ],
        ),
        (
            "CVE-2011-1485",
            &[
                "src/front/src/bus/tests.rs::a_caller_is_who_the_bus_says_and_gets_its_result",
                "tests/history.rs::polkit_is_asked_about_the_sender_by_its_bus_name_and_about_nobody_else",
            ],
        ),
        (
            "a daemon that authorises itself",
            &[
                "tests/history.rs::polkit_is_asked_about_the_sender_by_its_bus_name_and_about_nobody_else",
                "tests/approval.rs::the_callers_own_password_is_not_an_administrators",
                "tests/polkit.rs::a_polkit_that_lies_about_types_is_not_believed",
            ],
        ),
        (
            "CVE-2021-3560",
            &[
                "tests/faults.rs::clients_that_are_killed_at_any_moment_leave_nothing_but_complete_records",
                "src/front/src/pipeline/tests/killed.rs::a_thousand_times_at_whatever_comes_next",
            ],
        ),
        (
            "CVE-2026-41651",
            &[
                "tests/confinement/changed.rs::whatever_the_race_the_other_program_never_runs",
                "tests/approval.rs::an_approval_of_another_digest_is_refused",
            ],
        ),
        ("CVE-2025-6019", &["tests/history.rs::no_action_is_allowed_without_a_password_or_remembered"]),
        (
            "CVE-2025-8067",
            &[
                "src/front/src/bus/handles.rs::what_could_still_change_is_no_stdin",
                "src/front/src/bus/handles.rs::only_a_directory_is_a_working_directory",
                "tests/history.rs::few_descriptors_keep_nobody_waiting",
            ],
        ),
        (
            "CVE-2025-32463",
            &[
                "tests/history.rs::nothing_below_a_callers_directory_is_looked_up_before_the_program_runs",
                "tests/history.rs::nobody_can_ask_for_another_host_root_or_user",
            ],
        ),
        ("living off the land", &["tests/history.rs::programs_that_lead_elsewhere_are_never_small"]),
        ("slow matching", &["tests/history.rs::the_worst_that_fits_is_classified_in_no_time"]),
        ("escape through PID 1", &["tests/history.rs::a_narrow_job_has_nothing_started_by_pid_1"]),
        (
            "self-update inside a job",
            &["tests/history.rs::a_job_that_restarts_the_broker_ends_by_itself_and_one_that_stops_it_does_not"],
        ),
        ("CVE-2019-14287", &["src/core/src/caller.rs::the_reserved_id_is_nobody"]),
        (
            "CVE-2021-23239",
            &[
                "src/launcher/src/walk/tests.rs::a_link_that_others_could_have_put_there_is_not_followed_to_what_will_be_written",
            ],
        ),
        (
            "CVE-2026-35535",
            &["src/launcher/tests/launcher/enforced.rs::each_layer_is_what_the_kernel_shows_of_the_running_job"],
        ),
        (
            "path checked, other file run",
            &[
                "src/launcher/tests/launcher/pinning.rs::a_program_that_another_is_renamed_over_runs_as_approved_or_not_at_all",
            ],
        ),
        (
            "environment",
            &[
                "src/core/src/environment.rs::what_loaders_and_interpreters_obey_is_refused_by_name",
                "src/launcher/tests/launcher/running.rs::the_environment_is_built_from_nothing",
            ],
        ),
        (
            "CVE-2024-21626",
            &[
                "src/launcher/tests/launcher/running.rs::a_job_has_three_descriptors_and_default_signals_and_its_own_session",
            ],
        ),
        (
            "CVE-2005-4890",
            &["tests/confinement/hostile.rs::nothing_gets_out_of_any_profile_that_its_profile_does_not_name"],
        ),
        ("prompt text", &["tests/inert.rs::no_word_of_a_caller_acts_on_any_medium"]),
        ("CVE-2014-8156", &["tests/access.rs::a_stranger_is_refused_by_the_bus_itself"]),
        (
            "approval fatigue",
            &[
                "src/front/src/pipeline/tests/gates.rs::a_thousand_requests_of_one_user_open_as_many_dialogs_as_its_budget_and_no_more",
                "tests/gates.rs::what_was_refused_three_times_asks_nobody_also_after_a_restart",
            ],
        ),
        ("kill switch undone by activation", &["tests/kill_switch.rs::stopping_the_unit_ends_every_job_and_stays"]),
        (
            "a grandchild that outlives its job",
            &["tests/kill_switch.rs::a_grandchild_that_holds_stdout_keeps_no_call_waiting"],
        ),
        (
            "verifier blind to edits",
            &[
                "tests/audit.rs::every_edited_byte_of_an_entry_is_found_and_named",
                "src/audit/src/tests/forged.rs::every_edited_field_of_every_entry_is_found_and_located_by_both",
            ],
        ),
    ];

    fn read(path: &str) -> Result<String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
        std::fs::read_to_string(&path).with_context(|| path.display().to_string())
    }

    #[test]
    fn every_class_has_its_tests_and_stands_in_the_page_for_readers() -> Result<()> {
        let page = read("SECURITY.md")?;
        for (class, tests) in HELD {
            ensure!(page.contains(class), "SECURITY.md does not name {class}");
            for test in *tests {
                let (file, name) = test.split_once("::").with_context(|| (*test).to_owned())?;
                ensure!(read(file)?.contains(&format!("fn {name}(")), "{class}: there is no {test}");
            }
        }
        Ok(())
    }

    #[test]
    fn no_action_is_allowed_without_a_password_or_remembered() -> Result<()> {
        let policy = read("polkit/org.countersign.policy")?;
        let defaults: Vec<&str> = policy.lines().map(str::trim).filter(|line| line.starts_with("<allow_")).collect();
        ensure!(defaults.len() >= 24, "three for each action: {defaults:?}");
        for default in defaults {
            ensure!(default.contains(">auth_admin<"), "{default}");
        }
        Ok(())
    }

    #[test]
    fn nothing_is_installed_with_rights_of_its_own() -> Result<()> {
        let makefile = read("Makefile")?;
        let installs: Vec<&str> =
            makefile.lines().map(str::trim).filter(|line| line.starts_with("install -")).collect();
        ensure!(installs.len() > 20, "the lines were found");
        for line in installs {
            let mode = line.split(" -m ").nth(1).and_then(|rest| rest.split(' ').next());
            ensure!(mode.is_none_or(|mode| ["755", "644"].contains(&mode)), "{line}");
        }
        ensure!(!makefile.contains("setcap") && !makefile.contains("chmod u+s"), "rights are given afterwards");
        Ok(())
    }

    #[test]
    fn polkit_is_asked_about_the_sender_by_its_bus_name_and_about_nobody_else() -> Result<()> {
        let machine = installed().boot()?;
        let words = ["busctl", "monitor", "--json=short", "--match=member='CheckAuthorization'"];
        let mut heard = machine.spawn_as("root", words)?;
        heard.stderr()?.expect("Monitoring", PATIENCE)?;
        let client = ask(&machine, &["touch", "/etc/x"])?;
        let id = the_waiting(&machine)?;
        let line = heard.stdout()?.expect("org.countersign.approve", PATIENCE)?;
        client.kill()?;
        until("its record", || Ok(log(&machine)?.iter().any(|entry| entry["id"] == id.as_str()).then_some(())))?;
        let entries = log(&machine)?;
        let of_it = entries.iter().find(|entry| entry["id"] == id.as_str()).context("a record")?;
        let asker = of_it["caller"]["bus_name"].as_str().context("a name")?.to_owned();
        let call = line.lines().last().unwrap_or_default();
        ensure!(call.contains("system-bus-name") && call.contains(&format!("\"{asker}\"")), "{asker}: {call}");
        ensure!(!call.contains("unix-process") && !call.contains("unix-session"), "{call}");
        Ok(())
    }

    /// As a caller would lay them out for whoever looks them up: what names of users, loaders and interpreters obey.
    const BAIT: &str = "mkdir -p /srv/bait/etc /srv/bait/lib /srv/bait/proc && cd /srv/bait && cp /etc/passwd /etc/nsswitch.conf etc/ && \
        echo 'passwd: bait' > etc/nsswitch.conf && touch lib/libnss_bait.so.2 libnss_files.so.2 etc/ld.so.preload locale.alias && \
        chown -R agent /srv/bait";

    /// The calls of the launcher, and of its children before they become the program; and those of the programs.
    fn before_and_after_exec(trace: &str) -> (Vec<&str>, Vec<&str>) {
        let mut programs = std::collections::BTreeSet::new();
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for line in trace.lines() {
            let pid = line.strip_prefix("[pid ").and_then(|rest| rest.split(']').next()).unwrap_or("launcher").trim();
            if programs.contains(pid) {
                theirs.push(line)
            } else {
                ours.push(line)
            }
            if line.contains("exec") && line.trim_end().ends_with("= 0") {
                programs.insert(pid);
            }
        }
        (ours, theirs)
    }

    #[test]
    fn nothing_below_a_callers_directory_is_looked_up_before_the_program_runs() -> Result<()> {
        let machine = installed().boot()?;
        machine.run(["sh", "-ec", BAIT])?.ok()?;
        machine.run_as(AGENT, ["countersign", "run", "--", "true"])?.ok()?;
        let launcher = "/usr/libexec/countersign/countersign-launcher";
        let pid = machine.run(["pgrep", "--full", "--exact", launcher])?.ok()?.stdout;
        let words = ["strace", "-f", "-y", "-s", "300", "-e", "trace=%file,execve,execveat", "-p", pid.trim()];
        let mut strace = machine.spawn_as("root", words)?;
        strace.stderr()?.expect("attached", PATIENCE)?;
        for program in [&["id", "-un"][..], &["ls", "."]] {
            let words = ["sh", "-c", "cd /srv/bait && exec countersign run -- \"$@\"", "sh"].iter().chain(program);
            machine.run_as(AGENT, words.copied())?.ok()?;
        }
        let trace = strace.kill_and_collect(0)?.stderr;
        let (ours, theirs) = before_and_after_exec(&trace);
        ensure!(theirs.iter().any(|line| line.contains("/srv/bait")), "what a program looks up is seen: {trace}");
        ensure!(ours.iter().any(|line| line.contains("bait")), "and that the directory itself is opened: {trace}");
        for line in ours {
            let relative = line.split("</srv/bait>, \"").skip(1).any(|rest| !rest.starts_with(['/', '"', '.']));
            ensure!(!relative && !line.contains("\"/srv/bait/") && !line.contains("libnss"), "{line}");
        }
        Ok(())
    }

    #[test]
    fn nobody_can_ask_for_another_host_root_or_user() -> Result<()> {
        let machine = installed().boot()?;
        for option in ["--host", "--chroot", "--root", "--user", "--uid", "--group", "--machine", "--as"] {
            let output = machine.run_as(AGENT, ["countersign", "run", option, "x", "--", "id"])?;
            ensure!(output.code == 120, "{option}: {output:?}");
        }
        let submit =
            ["busctl", "call", "org.countersign.Broker1", "/org/countersign/Broker1", "org.countersign.Broker1"];
        for key in ["host", "chroot", "root", "user", "uid", "group", "machine", "subject", "caller", "pid"] {
            let words = ["Submit", "a{sv}", "2", "argv", "as", "1", "id", key, "s", "root"];
            let output = machine.run_as(AGENT, submit.iter().chain(&words).copied())?;
            ensure!(output.code != 0 && output.stderr.contains(key), "{key}: {output:?}");
        }
        ensure!(!log(&machine)?.iter().any(|entry| entry["phase"] == "intent"));
        Ok(())
    }

    #[test]
    fn few_descriptors_keep_nobody_waiting() -> Result<()> {
        const FEW: &str = "[Service]\nLimitNOFILE=64\n";
        const CLIENTS: usize = 24;
        let machine = installed().before_boot(|root| {
            let directory = root.join("etc/systemd/system/countersignd.service.d");
            std::fs::create_dir_all(&directory)?;
            Ok(std::fs::write(directory.join("few.conf"), FEW)?)
        });
        let machine = machine.boot()?;
        machine.run_as(AGENT, ["countersign", "run", "--", "id"])?.ok()?;
        let words = ["countersign", "run", "--json", "--", "sleep", "0.5"];
        let clients = (0..CLIENTS).map(|_| machine.spawn_as(AGENT, words)).collect::<Result<Vec<_>>>()?;
        let ended = clients.into_iter().map(|mut client| client.wait(PATIENCE)).collect::<Result<Vec<Output>>>()?;
        let ran = ended.iter().filter(|output| output.code == 0).count();
        ensure!(ran > 0 && ran < CLIENTS, "{ran} of {CLIENTS}: the limit was reached, and some were served");
        for output in ended.iter().filter(|output| output.code != 0) {
            ensure!((120..=127).contains(&output.code), "whoever was not served was told: {output:?}");
        }
        machine.run_as(AGENT, ["countersign", "run", "--", "id"])?.ok().context("and it goes on")?;
        for most in ["4", "8", "12", "16"] {
            let limit = format!("--nofile={most}");
            let begun = Instant::now();
            machine.run_as(AGENT, ["prlimit", &limit, "countersign", "run", "--", "id"])?;
            ensure!(begun.elapsed() < Duration::from_secs(10), "a caller with {most} descriptors is not kept waiting");
        }
        Ok(())
    }

    #[test]
    fn a_narrow_job_has_nothing_started_by_pid_1() -> Result<()> {
        const UNIT: &str = "[Service]\nType=oneshot\nExecStart=touch /etc/escaped\n";
        let machine = installed().boot()?;
        machine.write("/etc/systemd/system/escape.service", UNIT)?;
        machine.run(["systemctl", "daemon-reload"])?.ok()?;
        let start = "busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager \
                     StartUnit ss escape.service replace";
        for script in [
            "systemctl start escape.service",
            "systemd-run --wait touch /etc/escaped",
            start,
            "SYSTEMCTL_FORCE_BUS=1 systemctl start escape.service",
        ] {
            for profile in ["observe", "change"] {
                // Not understood, so that no rule names a profile of its own, in which these two do not lie.
                let opaque = format!(": $(true); {script}");
                let words = ["countersign", "run", "--profile", profile, "--", "sh", "-c", &opaque];
                let mut client = machine.spawn_as(AGENT, words)?;
                approve_the_waiting(&machine)?;
                let output = client.wait(PATIENCE)?;
                ensure!(output.code != 0 && !machine.exists("/etc/escaped")?, "{profile}: {script}: {output:?}");
            }
            // One of them does not wait for the end.
            machine.run(["sh", "-c", script])?.ok().context(script)?;
            until("what root itself can", || Ok(machine.exists("/etc/escaped")?.then_some(())))?;
            machine.run(["rm", "/etc/escaped"])?.ok()?;
        }
        Ok(())
    }

    /// A script that nobody looks into, as one that a package brings.
    fn with_a_script(machine: &Machine, script: &str) -> Result<harness::Process> {
        machine.write("/srv/upgrade", format!("#!/bin/sh\ntouch /srv/begun\n{script}\n"))?;
        machine.run(["sh", "-c", "chmod 755 /srv/upgrade; rm -f /srv/begun"])?.ok()?;
        let client = ask(machine, &["/srv/upgrade"])?;
        approve_the_waiting(machine)?;
        until("the job", || Ok(machine.exists("/srv/begun")?.then_some(())))?;
        Ok(client)
    }

    #[test]
    fn a_job_that_restarts_the_broker_ends_by_itself_and_one_that_stops_it_does_not() -> Result<()> {
        let machine = installed().boot()?;
        let main = || Ok(machine.run(["systemctl", "show", "--value", "-p", "MainPID", "countersignd"])?.ok()?.stdout);
        machine.run_as(AGENT, ["countersign", "run", "--", "id"])?.ok().context("it is started by its first call")?;
        let before: Result<String> = main();
        let before = before?;
        let script = "systemctl restart --no-block countersignd; sleep 2; touch /srv/survived; exit 3";
        let mut client = with_a_script(&machine, script)?;
        ensure!(client.wait(PATIENCE)?.code == 3, "its caller has its status");
        ensure!(machine.exists("/srv/survived")?);
        until("another broker", || {
            let now: Result<String> = main();
            let now = now?;
            Ok((now != before && now.trim() != "0").then_some(()))
        })?;
        let entries = log(&machine)?;
        let result = entries.iter().rfind(|entry| entry["phase"] == "result").context("a result")?;
        ensure!(result["ended"] == json!({ "exited": 3 }), "{result}");
        machine.run_as(AGENT, ["countersign", "run", "--", "id"])?.ok()?;

        let mut client =
            with_a_script(&machine, "systemctl stop --no-block countersignd; sleep 2; touch /srv/after-stop")?;
        ensure!(client.wait(PATIENCE)?.code != 0);
        std::thread::sleep(Duration::from_secs(3));
        ensure!(!machine.exists("/srv/after-stop")?, "a stop ends it");
        ensure!(machine.exists("/run/countersign/stopped")?, "and it stays stopped");
        Ok(())
    }

    /// What the installed classifier says of each line.
    fn explained(machine: &Machine, lines: &str) -> Result<(Vec<Value>, Duration)> {
        let words = ["countersign", "policy", "explain", "--batch", "--cwd", "/"];
        let output = machine.command(AGENT, words)?.stdin(lines).run()?.ok()?;
        let read = |line: &str| serde_json::from_str(line).with_context(|| line.to_owned());
        Ok((output.stdout.lines().map(read).collect::<Result<_>>()?, output.duration))
    }

    /// Programs by which others got a shell, a file or a connection that they should not have had, each as it is used for
    /// that.
    #[test]
    fn programs_that_lead_elsewhere_are_never_small() -> Result<()> {
        let lines = include_str!("data/lolbins.jsonl");
        let (explained, _) = explained(&installed().boot()?, lines)?;
        ensure!(explained.len() == lines.lines().count() && explained.len() > 250);
        for said in explained {
            let tier = said["tier"].as_str().unwrap_or_default();
            ensure!(["T2", "T3", "deny"].contains(&tier), "{tier}: {}", said["argv"]);
        }
        Ok(())
    }

    /// The most that a command may have, of what makes matching slow; a peer took 162 s for a quarter of it.
    #[test]
    fn the_worst_that_fits_is_classified_in_no_time() -> Result<()> {
        const MOST: usize = 65_000;
        const UNITS: [&str; 17] = [
            "../", "a/", "*", "[a", "{a,", "$(", "'\"", "a;", "\\", "${x", "f(){ ", "a|", "<<x\n", "(a*)*", "`", "&&",
            "x=",
        ];
        let words = |words: &[&str], times| json!({ "argv": words.repeat(times) });
        let mut cases: Vec<Value> = ["sudo", "nice", "env", "find -name x", "xargs -I {} sh -c", "ls -l"]
            .iter()
            .map(|line| line.split(' ').collect::<Vec<_>>())
            .map(|line| words(&line, 1_000 / line.len()))
            .collect();
        for unit in UNITS {
            let text = unit.repeat(MOST / unit.len());
            cases.extend(["cat", "awk", "sed", "grep", "systemctl"].map(|program| json!({ "argv": [program, text] })));
            cases.push(json!({ "shell": text }));
        }
        let lines: String = cases.iter().map(|case| format!("{case}\n")).collect();
        let machine = installed().boot()?;
        let (one, least) = explained(&machine, "{\"argv\":[\"id\"]}\n")?;
        let (all, took) = explained(&machine, &lines)?;
        ensure!(one.len() == 1 && all.len() == cases.len(), "each has an answer");
        let for_all = took.saturating_sub(least);
        println!("{} cases of {MOST} bytes: {for_all:?}", cases.len());
        // A hundred of them; what is not linear takes a minute for one.
        ensure!(for_all < Duration::from_secs(10), "{for_all:?}");
        Ok(())
    }
}
