//! `policy diff`: what other files would change about the policy in force, before they are put in force.
//!
//! ```text
//!   in force (from the broker) ─┐
//!                               ├─▶ settings, grants, profiles, rules by id, and the tiers of every rule's examples
//!   installed, with PATHs ──────┘
//! ```
//!
//! Enters: two sets of files. Leaves: one line for each thing that differs. Where the broker cannot be reached, the
//! installed files are what the others are compared with, which is said. Nothing is decided and nothing changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use countersign::Broker;
use countersign_config::{Accounts, Kind, Source, Sources, sources, sources_with};
use countersign_core::classify::{Origin, Subject, classify, example_argv};
use countersign_core::path::CleanPath;
use countersign_core::policy::Policy;
use countersign_core::text::shown;
use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::DiffArgs;
use crate::complaint::Complaint;
use crate::{exit, print};

/// The most bytes of one value that are shown.
const MAX_SHOWN: usize = 600;
/// The most bytes of a file that is given by its name.
const MAX_FILE: u64 = countersign_config::MAX_FILE_BYTES;

/// One thing that differs.
#[derive(Debug, Serialize, PartialEq, Eq)]
struct Change {
    /// `setting`, `grant`, `profile`, `rule` or `command`.
    what: &'static str,
    /// Its name: the key, the profile, the rule's id, the command.
    name: String,
    /// What it is now; nothing where it is new.
    before: Option<String>,
    /// What it would be; nothing where it would go.
    after: Option<String>,
}

pub(crate) async fn diff(args: &DiffArgs, json: bool) -> Result<u8, Complaint> {
    let candidate = candidate(&args.paths)?;
    let base = match in_force(candidate.accounts()).await {
        Ok(base) => base,
        Err(complaint) if args.paths.is_empty() => return Err(complaint),
        Err(_) => {
            print::error("The broker does not say what is in force: compared with the installed files.")?;
            sources(Path::new("/"))?
        }
    };
    let changes = changes(&base, &candidate)?;
    if json {
        print::json(&json!({ "differs": !changes.is_empty(), "changes": changes }))?;
    } else if changes.is_empty() {
        print::line("nothing")?;
    }
    changes.iter().filter(|_| !json).try_for_each(|change| print::line(&line(change)))?;
    Ok(if changes.is_empty() { 0 } else { exit::NO })
}

async fn in_force(accounts: &Accounts) -> Result<Sources, Complaint> {
    let files = Broker::connect().await?.policy().await?;
    let source = |(kind, origin, path, text): (String, String, String, String)| {
        let origin = if origin == "vendor" { Origin::Vendor } else { Origin::Admin };
        Kind::from_name(&kind).map(|kind| Source { kind, path, text, origin })
    };
    Ok(Sources::of_files(files.into_iter().filter_map(source).collect(), accounts.clone()))
}

fn candidate(paths: &[std::path::PathBuf]) -> Result<Sources, Complaint> {
    let root = Path::new("/");
    match paths {
        [directory] if directory.is_dir() => Ok(sources_with(root, directory)?),
        files => {
            let mut all = sources(root)?;
            for file in files {
                all.put(named(file)?);
            }
            Ok(all)
        }
    }
}

/// A file is of the kind of the directory that it is in, as it would be below `/etc/countersign`.
fn named(path: &Path) -> Result<Source, Complaint> {
    let name = |path: Option<&Path>| {
        path.and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default().to_owned()
    };
    let (file, directory) = (name(Some(path)), name(path.parent()));
    let kind = match (directory.as_str(), file.as_str()) {
        ("rules.d" | "rules", _) => Some(Kind::Rules),
        ("profiles.d" | "profiles", _) => Some(Kind::Profiles),
        ("grants.d", _) => Some(Kind::Grants),
        ("countersign.toml.d", _) | (_, "countersign.toml") => Some(Kind::Settings),
        (_, _) => None,
    };
    let told = shown(&path.display().to_string(), MAX_SHOWN);
    let Some(kind) = kind.filter(|_| file.ends_with(".toml")) else {
        return Err(Complaint::usage(format!(
            "It is not clear what {told} is: name it countersign.toml, or put it into rules.d, profiles.d, grants.d or countersign.toml.d."
        )));
    };
    let system = |source| Complaint::System { what: "A file of the policy cannot be read", source };
    if fs::metadata(path).map_err(system)?.len() > MAX_FILE {
        return Err(Complaint::usage(format!("{told} is larger than {MAX_FILE} bytes.")));
    }
    let text = fs::read_to_string(path).map_err(system)?;
    Ok(Source { kind, path: path.display().to_string(), text, origin: Origin::Admin })
}

fn changes(base: &Sources, candidate: &Sources) -> Result<Vec<Change>, Complaint> {
    let policies = (base.policy()?, candidate.policy()?);
    let both = |of: fn(&Policy) -> BTreeMap<String, String>| (of(&policies.0), of(&policies.1));
    let mut all = Vec::new();
    compare("setting", &both(|policy| leaves(policy.settings())), &mut all);
    compare("grant", &both(grants), &mut all);
    compare("profile", &both(profiles), &mut all);
    compare("rule", &(rules(base), rules(candidate)), &mut all);
    let examples: BTreeSet<String> = [base, candidate].into_iter().flat_map(examples).collect();
    let tiers =
        |policy| examples.iter().filter_map(|example| Some((example.clone(), tier(policy, example)?))).collect();
    compare("command", &(tiers(&policies.0), tiers(&policies.1)), &mut all);
    Ok(all)
}

type Named = BTreeMap<String, String>;

fn compare(what: &'static str, (before, after): &(Named, Named), all: &mut Vec<Change>) {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names {
        let (before, after) = (before.get(name).cloned(), after.get(name).cloned());
        if before != after {
            all.push(Change { what, name: name.clone(), before, after });
        }
    }
}

/// Every value of a structure by the way to it.
fn leaves<T: Serialize>(value: &T) -> Named {
    fn walk(value: &Value, path: &str, all: &mut Named) {
        match value {
            Value::Object(members) => members.iter().for_each(|(key, member)| {
                walk(member, &if path.is_empty() { key.clone() } else { format!("{path}.{key}") }, all);
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                all.insert(path.to_owned(), value.to_string());
            }
        }
    }
    let mut all = Named::new();
    walk(&serde_json::to_value(value).unwrap_or_default(), "", &mut all);
    all
}

/// A grant has no name, so it is its own: one that differs goes, and another comes.
fn grants(policy: &Policy) -> Named {
    let all = serde_json::to_value(policy.grants()).unwrap_or_default();
    all.as_array().into_iter().flatten().map(|grant| (grant.to_string(), "given".to_owned())).collect()
}

fn profiles(policy: &Policy) -> Named {
    let digest = |profile: &countersign_core::profile::Profile| profile.digest().map(|digest| digest.to_string());
    let all = policy.profiles().iter();
    all.filter_map(|profile| Some((profile.name.as_str().to_owned(), digest(profile).ok()?))).collect()
}

/// Every rule by its id, with what it says, examples aside.
fn rules(sources: &Sources) -> Named {
    let mut all = Named::new();
    for source in sources.files().iter().filter(|source| source.kind == Kind::Rules) {
        for program in tables(&source.text) {
            rule(&program, "", &mut all);
        }
    }
    all
}

fn tables(text: &str) -> Vec<Value> {
    let file: Value = toml::from_str(text).unwrap_or_default();
    file.get("program").and_then(Value::as_array).cloned().unwrap_or_default()
}

fn rule(table: &Value, above: &str, all: &mut Named) {
    let first = table.get("names").and_then(|names| names.get(0));
    let own = table.get("id").or(first).and_then(Value::as_str).unwrap_or_default();
    let id = if above.is_empty() { own.to_owned() } else { format!("{above}.{own}") };
    let below = |key: &str| table.get(key).and_then(Value::as_array).into_iter().flatten();
    below("form").chain(below("sub")).for_each(|inner| rule(inner, &id, all));
    let mut says = table.clone();
    if let Some(says) = says.as_object_mut() {
        for key in ["form", "sub", "must_match", "must_not_match"] {
            says.remove(key);
        }
    }
    // A program may have a table in several files, which add up.
    all.entry(id).or_default().push_str(&says.to_string());
}

fn examples(sources: &Sources) -> Vec<String> {
    fn walk(table: &Value, all: &mut Vec<String>) {
        let below = |key: &str| table.get(key).and_then(Value::as_array).into_iter().flatten();
        let own = below("must_match").chain(below("must_not_match"));
        all.extend(own.filter_map(Value::as_str).map(str::to_owned));
        below("form").chain(below("sub")).for_each(|inner| walk(inner, all));
    }
    let mut all = Vec::new();
    for source in sources.files().iter().filter(|source| source.kind == Kind::Rules) {
        tables(&source.text).iter().for_each(|program| walk(program, &mut all));
    }
    all
}

fn tier(policy: &Policy, example: &str) -> Option<String> {
    let (argv, cwd) = (example_argv(example)?, CleanPath::new("/").ok()?);
    let found = classify(policy.rules(), &Subject { argv: &argv, cwd: &cwd, env_names: &[] });
    Some(format!("{} {}", found.ruling.name(), found.profile.as_str()))
}

fn line(Change { what, name, before, after }: &Change) -> String {
    let name = shown(name, MAX_SHOWN);
    let values = matches!(*what, "setting" | "command");
    match (before, after) {
        (Some(before), Some(after)) if values => {
            format!("{what:<8} {name}: {} -> {}", shown(before, MAX_SHOWN), shown(after, MAX_SHOWN))
        }
        (Some(_), Some(_)) => format!("{what:<8} {name}: changed"),
        (None, _) => format!("{what:<8} {name}: added"),
        (Some(_), None) => format!("{what:<8} {name}: removed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROB: &str = "[[program]]\nnames = [\"frob\"]\ntier = \"T0\"\nreason = \"Frobs.\"\nmust_match = [\"frob\"]\nmust_not_match = [\"frob x\"]\n";
    const OBSERVE: &str = include_str!("../../../../../policy/profiles/observe.toml");
    const CHANGE: &str = include_str!("../../../../../policy/profiles/change.toml");
    const SYSTEM: &str = include_str!("../../../../../policy/profiles/system.toml");

    fn file(kind: Kind, path: &str, text: &str) -> Source {
        Source { kind, path: path.to_owned(), text: text.to_owned(), origin: Origin::Vendor }
    }

    fn base() -> Sources {
        let profiles = [("observe", OBSERVE), ("change", CHANGE), ("system", SYSTEM)];
        let mut files = vec![file(Kind::Rules, "rules/a.toml", FROB)];
        files.extend(profiles.map(|(name, text)| file(Kind::Profiles, &format!("profiles/{name}.toml"), text)));
        Sources::of_files(files, Accounts::default())
    }

    fn told(put: &[(Kind, &str, &str)]) -> Vec<String> {
        let mut candidate = base();
        put.iter().for_each(|(kind, path, text)| candidate.put(file(*kind, path, text)));
        changes(&base(), &candidate).unwrap().iter().map(line).collect()
    }

    #[test]
    fn the_same_files_change_nothing_and_comments_neither() {
        assert!(told(&[]).is_empty());
        assert!(told(&[(Kind::Rules, "rules/a.toml", &format!("# more words\n{FROB}"))]).is_empty());
    }

    #[test]
    fn each_thing_that_differs_is_told_with_the_commands_whose_tier_changes() {
        let lines = told(&[
            (Kind::Settings, "countersign.toml", "mode = 'open'"),
            (Kind::Settings, "countersign.toml.d/a.toml", "approval.expiry_s = 5"),
            (Kind::Grants, "grants.d/a.toml", "[[grant]]\nuid = 7\nceiling = 'T1'"),
            (Kind::Rules, "rules/a.toml", &FROB.replace("T0", "T2").replace("frob x", "other")),
            (Kind::Rules, "rules/b.toml", &FROB.replace("frob", "nob").replace("Frobs", "Nobs")),
        ]);
        for expected in [
            "setting  mode: \\\"guarded\\\" -> \\\"open\\\"",
            "setting  expiry_s: 600 -> 5",
            "rule     frob: changed",
            "rule     nob: added",
            "command  frob: T0 observe -> T2 system",
            "command  nob: T2 system -> T0 observe",
        ] {
            let expected = expected.replace('\\', "");
            assert!(lines.contains(&expected), "{expected} in {lines:#?}");
        }
        assert!(lines.iter().any(|line| line.starts_with("grant") && line.ends_with(": added")), "{lines:#?}");
    }

    #[test]
    fn a_file_is_of_the_kind_of_its_directory() {
        let directory = tempfile::tempdir().unwrap();
        for (path, kind) in [
            ("rules.d/a.toml", Some(Kind::Rules)),
            ("profiles.d/a.toml", Some(Kind::Profiles)),
            ("grants.d/a.toml", Some(Kind::Grants)),
            ("countersign.toml.d/a.toml", Some(Kind::Settings)),
            ("else/countersign.toml", Some(Kind::Settings)),
            ("else/a.toml", None),
            ("rules.d/a.txt", None),
        ] {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
            assert_eq!(named(&path).ok().map(|source| source.kind), kind, "{path:?}");
        }
    }
}
