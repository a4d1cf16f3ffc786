//! `policy check`: read every policy file and say what is there, or what is wrong first. `policy test`: try every
//! example in the rule files, and say how many there are and which come out wrong.

use std::path::Path;

use countersign_config::{ConfigError, Kind, Sources, checkout, sources};
use countersign_core::classify::{RuleFile, Rules, RulesError, Tested};
use countersign_core::policy::Policy;
use countersign_core::text::{sentence, shown};
use serde_json::json;

use crate::cli::RulesArgs;
use crate::complaint::{Complaint, MAX_SENTENCE};
use crate::{exit, print};

pub(crate) fn check(args: &RulesArgs, json: bool) -> Result<u8, Complaint> {
    match read(args) {
        Ok((sources, policy)) => sound(&sources, &policy, json),
        Err(error) => wrong(error, json),
    }
}

/// The installed policy, or the rules and profiles of a directory.
pub(crate) fn read(args: &RulesArgs) -> Result<(Sources, Policy), ConfigError> {
    let sources = files(args)?;
    let policy = sources.policy()?;
    Ok((sources, policy))
}

fn files(args: &RulesArgs) -> Result<Sources, ConfigError> {
    match &args.rules {
        Some(directory) => checkout(directory),
        None => sources(Path::new("/")),
    }
}

fn sound(sources: &Sources, policy: &Policy, json: bool) -> Result<u8, Complaint> {
    let mode = policy.settings().mode.name();
    let ruleset = ruleset(policy);
    let (programs, examples) = (policy.rules().programs(), policy.rules().examples_run());
    if json {
        let file = |source: &countersign_config::Source| json!({ "path": source.path, "kind": source.kind.name(), "origin": source.origin_name() });
        let files: Vec<_> = sources.files().iter().map(file).collect();
        print::json(
            &json!({ "ok": true, "files": files, "programs": programs, "examples": examples, "mode": mode, "ruleset": ruleset }),
        )?;
        return Ok(0);
    }
    for source in sources.files() {
        print::line(&format!(
            "{:<8}  {:<6}  {}",
            source.kind.name(),
            source.origin_name(),
            shown(&source.path, MAX_SENTENCE)
        ))?;
    }
    let files = sources.files().len();
    print::line(&format!(
        "ok: {files} files, {programs} programs, {examples} examples, mode {mode}, ruleset {ruleset}"
    ))?;
    Ok(0)
}

/// Tries every example, also where the policy as a whole would be refused because of one.
pub(crate) fn test(args: &RulesArgs, json: bool) -> Result<u8, Complaint> {
    let sources = files(args)?;
    let of_rules = sources.files().iter().filter(|source| source.kind == Kind::Rules);
    let files: Vec<RuleFile<'_>> =
        of_rules.map(|source| RuleFile { name: &source.path, text: &source.text, origin: source.origin }).collect();
    let tested = match Rules::test(&files) {
        Ok(tested) => tested,
        Err(error) => return wrong(ConfigError::Policy(error.into()), json),
    };
    let failed: Vec<&RulesError> = tested.iter().flat_map(|file| &file.failed).collect();
    for error in &failed {
        print::error(sentence(&error.to_string(), MAX_SENTENCE).as_str())?;
    }
    if json {
        print::json(&report(&tested, &failed))?
    } else {
        counts(&tested, failed.len())?
    }
    Ok(if failed.is_empty() { 0 } else { exit::NO })
}

fn report(tested: &[Tested], failed: &[&RulesError]) -> serde_json::Value {
    let file = |tested: &Tested| json!({ "path": tested.file, "programs": tested.programs, "examples": tested.examples, "failed": tested.failed.len() });
    let wrong = |error: &&RulesError| json!({ "path": error.file, "line": error.line, "column": error.column, "sentence": error.problem.to_string() });
    let examples: usize = tested.iter().map(|file| file.examples).sum();
    json!({
        "ok": failed.is_empty(),
        "files": tested.iter().map(file).collect::<Vec<_>>(),
        "examples": examples,
        "failed": failed.iter().map(wrong).collect::<Vec<_>>(),
    })
}

fn counts(tested: &[Tested], failed: usize) -> Result<(), Complaint> {
    for Tested { file, programs, examples, failed } in tested {
        let failed = if failed.is_empty() { String::new() } else { format!(", {} wrong", failed.len()) };
        print::line(&format!("{examples:>5} examples  {programs:>4} programs  {}{failed}", shown(file, MAX_SENTENCE)))?;
    }
    let examples: usize = tested.iter().map(|file| file.examples).sum();
    let word = if failed == 0 { "ok" } else { "wrong" };
    print::line(&format!("{word}: {examples} examples in {} files, {failed} wrong", tested.len()))
}

fn wrong(error: ConfigError, json: bool) -> Result<u8, Complaint> {
    print::error(sentence(&error.in_one_line(), MAX_SENTENCE).as_str())?;
    if json {
        let complaint = Complaint::from(error);
        let mut object = complaint.object();
        if let Some(members) = object.as_object_mut() {
            members.insert("ok".to_owned(), false.into());
        }
        print::json(&object)?;
    }
    Ok(exit::NO)
}

/// Version and digest, as on the bus.
pub(crate) fn ruleset(policy: &Policy) -> String {
    format!("{}:{}", policy.ruleset().version, policy.ruleset().digest)
}

#[cfg(test)]
mod tests {
    use countersign_core::classify::Origin;

    use super::*;

    const FROB: &str = r#"
[[program]]
names = ["frob"]
tier = "T0"
reason = "Frobs."
must_match = ["frob", "frob"]
must_not_match = ["frob x"]
"#;

    /// A policy of one file of rules.
    fn policy_of(rules: &str) -> (tempfile::TempDir, RulesArgs) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("rules")).unwrap();
        std::fs::write(directory.path().join("rules/a.toml"), rules).unwrap();
        let args = RulesArgs { rules: Some(directory.path().to_owned()) };
        (directory, args)
    }

    #[test]
    fn rules_whose_examples_come_out_right_pass_both() {
        let (_directory, args) = policy_of(FROB);
        assert_eq!(test(&args, false).unwrap(), 0);
        assert_eq!(test(&args, true).unwrap(), 0);
        assert_eq!(read(&args).map(|(_, policy)| policy.rules().examples_run()).unwrap(), 3);
    }

    #[test]
    fn every_wrong_example_is_told_and_the_status_is_1() {
        let wrong = FROB.replace("\"frob\"]\nmust", "\"frob y\"]\nmust").replace("frob x", "frob");
        let (directory, args) = policy_of(&wrong);
        assert_eq!((test(&args, false).unwrap(), check(&args, false).unwrap()), (exit::NO, exit::NO));
        let file = RuleFile { name: "a.toml", text: &wrong, origin: Origin::Vendor };
        let tested = Rules::test(&[file]).unwrap();
        let failed: Vec<&RulesError> = tested.iter().flat_map(|file| &file.failed).collect();
        let report = report(&tested, &failed);
        let places: Vec<_> = failed.iter().map(|error| (error.line, error.column)).collect();
        assert_eq!(places, [(6, 23), (7, 19)]);
        assert_eq!((&report["ok"], &report["examples"]), (&json!(false), &json!(3)));
        assert_eq!(report["files"][0], json!({ "path": "a.toml", "programs": 1, "examples": 3, "failed": 2 }));
        assert_eq!((&report["failed"][0]["line"], &report["failed"][1]["column"]), (&json!(6), &json!(19)));
        drop(directory);
    }

    #[test]
    fn what_is_no_rule_file_is_a_mistake_of_both() {
        let (_directory, args) = policy_of("[[program]]\nfrob = 1\n");
        assert_eq!((test(&args, true).unwrap(), check(&args, true).unwrap()), (exit::NO, exit::NO));
    }
}
