//! `policy check`: read every policy file and say what is there, or what is wrong first.

use std::path::Path;

use countersign_config::{ConfigError, Kind, Sources, checkout, sources};
use countersign_core::classify::Origin;
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
    let sources = match &args.rules {
        Some(directory) => checkout(directory)?,
        None => sources(Path::new("/"))?,
    };
    let policy = sources.policy()?;
    Ok((sources, policy))
}

fn sound(sources: &Sources, policy: &Policy, json: bool) -> Result<u8, Complaint> {
    let mode = policy.settings().mode.name();
    let ruleset = ruleset(policy);
    if json {
        let file = |source: &countersign_config::Source| json!({ "path": source.path, "kind": kind(source.kind), "origin": origin(source.origin) });
        let files: Vec<_> = sources.files().iter().map(file).collect();
        print::json(&json!({ "ok": true, "files": files, "mode": mode, "ruleset": ruleset }))?;
        return Ok(0);
    }
    for source in sources.files() {
        print::line(&format!(
            "{:<8}  {:<6}  {}",
            kind(source.kind),
            origin(source.origin),
            shown(&source.path, MAX_SENTENCE)
        ))?;
    }
    print::line(&format!("ok: {} files, mode {mode}, ruleset {ruleset}", sources.files().len()))?;
    Ok(0)
}

fn wrong(error: ConfigError, json: bool) -> Result<u8, Complaint> {
    // The message of a syntax error has several lines, with the place marked under the line; each is kept.
    for line in error.to_string().lines() {
        print::error(sentence(line, MAX_SENTENCE).as_str())?;
    }
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

const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Settings => "settings",
        Kind::Grants => "grants",
        Kind::Rules => "rules",
        Kind::Profiles => "profiles",
    }
}

const fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Vendor => "vendor",
        Origin::Admin => "admin",
    }
}
