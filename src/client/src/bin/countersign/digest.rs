//! `digest`: computes a request's digest again from what the caller was given. Needs no broker, no log and no key.
//!
//! Enters: a receipt, an answer that holds one, or a bare plan, as JSON. Leaves: digest and fingerprint, and whether they
//! are the ones that stand beside the plan. It believes nothing of the file but the plan itself. The digest of a bundle is
//! computed from the bundle, and every step's from its plan: only where each is the one that the bundle names do they agree.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use countersign_core::bundle::Bundle;
use countersign_core::digest::Digest;
use countersign_core::plan::{Plan, VERSION};
use serde_json::{Value, json};

use crate::cli::DigestArgs;
use crate::complaint::Complaint;
use crate::{exit, print};

/// The most bytes that are read: an answer has the plan twice and the beginning of the output.
const MAX_BYTES: u64 = 4 * 1_024 * 1_024;

/// What a file says.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    digest: Digest,
    /// The digest and the fingerprint that stand beside the plan, and the id; nothing is compared where none stands.
    agrees: Option<bool>,
}

pub(crate) fn digest(args: &DigestArgs, json: bool) -> Result<u8, Complaint> {
    let text = read(&args.file)?;
    let value: Value = serde_json::from_slice(&text).map_err(|_| wrong("is not JSON"))?;
    let Found { digest, agrees } = examine(&value)?;
    let fingerprint = digest.fingerprint();
    if json {
        print::json(&json!({ "digest": digest, "fingerprint": fingerprint, "match": agrees }))?;
    } else {
        print::line(&format!("digest       {digest}"))?;
        print::line(&format!("fingerprint  {fingerprint}"))?;
        if let Some(agrees) = agrees {
            print::line(if agrees { "match" } else { "MISMATCH: what stands beside the plan is of something else" })?;
        }
    }
    Ok(if agrees == Some(false) { exit::NO } else { 0 })
}

/// The whole of a file, or of this program's own input for `-`, within the bound.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Complaint> {
    let system = |source| Complaint::System { what: "The file cannot be read", source };
    let mut text = Vec::new();
    let source: Box<dyn Read> = match path {
        path if path == Path::new("-") => Box::new(io::stdin()),
        path => Box::new(File::open(path).map_err(system)?),
    };
    source.take(MAX_BYTES.saturating_add(1)).read_to_end(&mut text).map_err(system)?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > MAX_BYTES {
        return Err(wrong("is larger than any receipt"));
    }
    Ok(text)
}

/// Whether the plan in a receipt is the one of the digest that stands beside it; nothing if there is no whole plan.
pub(crate) fn agrees(receipt: &Value) -> Option<bool> {
    examine(receipt).ok().and_then(|found| found.agrees)
}

/// The receipt, where the answer has one; else what stands beside the plan; else the plan itself.
fn examine(value: &Value) -> Result<Found, Complaint> {
    let beside = value.get("receipt").filter(|receipt| receipt.is_object()).unwrap_or(value);
    if let Some(bundle) = beside.get("bundle").filter(|bundle| bundle.is_object()) {
        return examine_bundle(bundle, beside);
    }
    let plan = beside.get("plan").unwrap_or(beside);
    let plan: Plan = serde_json::from_value(plan.clone()).map_err(|_| wrong("holds no whole plan"))?;
    if plan.version != VERSION {
        return Err(wrong("holds a plan of a version that this program does not know"));
    }
    let digest = plan.digest().map_err(|_| wrong("holds a plan that is larger than any"))?;
    let said = |key: &str, is: String| Some(beside.get("plan").and(beside.get(key))?.as_str() == Some(&is));
    let (id, fingerprint) = (plan.id.to_string(), digest.fingerprint());
    let agrees = [said("digest", digest.to_string()), said("fingerprint", fingerprint), said("id", id)];
    let agrees = agrees.into_iter().flatten().reduce(|all, one| all && one);
    Ok(Found { digest, agrees })
}

/// The bundle, and each plan of its steps, which must be the one that the bundle names in that place.
fn examine_bundle(bundle: &Value, beside: &Value) -> Result<Found, Complaint> {
    let bundle: Bundle = serde_json::from_value(bundle.clone()).map_err(|_| wrong("holds no whole bundle"))?;
    let digest = bundle.digest().map_err(|_| wrong("holds a bundle that this program does not know"))?;
    let steps =
        beside.get("steps").and_then(Value::as_array).ok_or_else(|| wrong("holds no steps beside the bundle"))?;
    let said = |key: &str, is: String| beside.get(key).is_none_or(|said| said.as_str() == Some(&is));
    let whole = said("digest", digest.to_string()) && said("fingerprint", digest.fingerprint());
    let named = said("id", bundle.id.to_string()) && steps.len() == bundle.steps.len();
    let mut agrees = whole && named;
    for (step, named) in steps.iter().zip(&bundle.steps) {
        let found = examine(step)?;
        agrees &= found.digest == *named && found.agrees != Some(false);
    }
    Ok(Found { digest, agrees: Some(agrees) })
}

fn wrong(what: &str) -> Complaint {
    Complaint::usage(format!("The file {what}: give a receipt, or what --json printed."))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plan as it is written in `docs/`: every member, and a digest computed from it by other means.
    const PLAN: &str = include_str!("../../../../../tests/data/plan.json");
    /// `jq --sort-keys --compact-output --join-output . tests/data/plan.json | sha256sum`: the plan is ASCII and has no
    /// numbers but small whole ones, for which that is the canonical form.
    const DIGEST: &str = "c91b17ed0265794327002023b78ebf80be931a9e5167d64a6dd1ae8d2138c2f8";

    fn found(value: Value) -> Option<Option<bool>> {
        examine(&value).ok().map(|found| {
            assert_eq!(found.digest.to_string(), DIGEST);
            found.agrees
        })
    }

    #[test]
    fn the_digest_is_the_one_that_others_compute() {
        let plan: Value = serde_json::from_str(PLAN).unwrap();
        let (id, fingerprint) = (plan["id"].clone(), DIGEST.parse::<Digest>().unwrap().fingerprint());
        assert_eq!(found(plan.clone()), Some(None));
        let receipt = json!({ "id": id, "digest": DIGEST, "fingerprint": fingerprint, "plan": plan, "sentence": "" });
        assert_eq!(found(receipt.clone()), Some(Some(true)));
        assert_eq!(found(json!({ "exit": 0, "plan": null, "receipt": receipt })), Some(Some(true)));
        for key in ["digest", "fingerprint", "id"] {
            let mut other = receipt.clone();
            other[key] = "0".into();
            assert_eq!(found(other), Some(Some(false)), "{key}");
        }
    }

    #[test]
    fn every_member_of_a_plan_is_bound() {
        fn leaves(value: &Value, path: &str, all: &mut Vec<String>) {
            match value {
                Value::Array(members) => {
                    members.iter().enumerate().for_each(|(at, member)| leaves(member, &format!("{path}/{at}"), all))
                }
                Value::Object(members) => {
                    members.iter().for_each(|(key, member)| leaves(member, &format!("{path}/{key}"), all))
                }
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => all.push(path.to_owned()),
            }
        }
        let plan: Value = serde_json::from_str(PLAN).unwrap();
        let mut paths = Vec::new();
        leaves(&plan, "", &mut paths);
        assert!(paths.len() > 30, "{paths:?}");
        for path in paths {
            let mut other = plan.clone();
            let leaf = other.pointer_mut(&path).unwrap();
            *leaf = match &*leaf {
                Value::Number(number) => (number.as_u64().unwrap() + 1).into(),
                Value::String(text) if text.starts_with('T') => "T1".into(),
                Value::String(text) => text.replace(['1', 'e'], "2").replace("/", "/z").into(),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => continue,
            };
            let changed = other != plan;
            let digest = examine(&other).ok().map(|found| found.digest.to_string());
            assert!(!changed || digest.as_deref() != Some(DIGEST), "{path}");
        }
    }

    /// A receipt of a bundle of that plan and of the same under another id.
    fn bundle_receipt() -> Value {
        let plan: Plan = serde_json::from_str(PLAN).unwrap();
        let other = Plan { id: "0".repeat(32).parse().unwrap(), ..plan.clone() };
        let plans = [plan, other].map(|plan| (plan.clone(), plan.digest().unwrap()));
        let (bundle, digest) = Bundle::draw("1".repeat(32).parse().unwrap(), &plans).unwrap();
        let step = |(plan, digest): &(Plan, Digest)| json!({ "id": plan.id, "digest": digest, "plan": plan });
        let steps: Vec<Value> = plans.iter().map(step).collect();
        json!({ "id": bundle.id, "digest": digest, "fingerprint": digest.fingerprint(), "bundle": bundle, "steps": steps })
    }

    #[test]
    fn the_digest_of_a_bundle_follows_from_every_step() {
        let receipt = bundle_receipt();
        let digest = receipt["digest"].as_str().unwrap();
        for sound in [receipt.clone(), json!({ "exit": 0, "receipt": receipt })] {
            let found = examine(&sound).unwrap();
            assert_eq!((found.digest.to_string().as_str(), found.agrees), (digest, Some(true)));
        }
        let agrees = |change: fn(&mut Value)| {
            let mut receipt = bundle_receipt();
            change(&mut receipt);
            examine(&receipt).ok().and_then(|found| found.agrees)
        };
        for change in [
            (|receipt| receipt["digest"] = "0".into()) as fn(&mut Value),
            |receipt| receipt["fingerprint"] = "0".into(),
            |receipt| receipt["id"] = "0".into(),
            |receipt| receipt["bundle"]["tier"] = "T0".into(),
            |receipt| receipt["steps"].as_array_mut().unwrap().swap(0, 1),
            |receipt| drop(receipt["steps"].as_array_mut().unwrap().pop()),
            |receipt| receipt["steps"][1]["plan"]["action"]["argv"][0] = "rm".into(),
            |receipt| receipt["steps"][0]["digest"] = "0".into(),
            |receipt| receipt["bundle"]["steps"].as_array_mut().unwrap().swap(0, 1),
        ] {
            assert_eq!(agrees(change), Some(false));
        }
        assert_eq!(agrees(|receipt| drop(receipt.as_object_mut().unwrap().remove("steps"))), None);
    }

    #[test]
    fn what_is_no_plan_is_refused() {
        let mut more: Value = serde_json::from_str(PLAN).unwrap();
        more["unknown"] = 1.into();
        for value in [more, json!({}), json!([]), json!({ "receipt": null }), json!({ "plan": {} }), json!(1)] {
            assert!(matches!(examine(&value), Err(Complaint::Usage { .. })), "{value}");
        }
    }
}
