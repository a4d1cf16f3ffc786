//! Promise: the known vulnerability classes of this job are each held by a test. Needs no machine: where another file shows
//! a class, its test is named here and not repeated; what only looks at the shipped files is here. SECURITY.md has the
//! same classes for readers.

#[cfg(test)]
mod tests {
    use std::path::Path;

    use anyhow::{Context, Result, ensure};

    /// A class as SECURITY.md names it, and the tests that fail if it comes back.
    const HELD: &[(&str, &[&str])] = &[
        (
            "CVE-2021-4034",
            &[
                "src/core/src/argv.rs::nothing_and_an_empty_program_are_refused",
                "tests/history.rs::nothing_is_installed_with_rights_of_its_own",
            ],
        ),
        ("CVE-2011-1485", &["src/front/src/bus/tests.rs::a_caller_is_who_the_bus_says_and_gets_its_result"]),
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
            ],
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
}
