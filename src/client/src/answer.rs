//! Answers: the broker's dictionaries as JSON values.
//!
//! Enters: a dictionary from the bus. Leaves: [`Fields`], with every key that arrived, so that a newer broker's keys
//! reach the programs that read `--json`. Structures that have names in the interface get them back here.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use zbus::Variant;

use crate::error::ClientError;
use crate::proxy::Answered;

/// The names of the members of a target, `(sss)` on the bus.
const TARGET: [&str; 3] = ["kind", "name", "access"];
/// The names of the members of what stands in the way of a plan, `(ss)` on the bus.
const AGAINST: [&str; 2] = ["code", "sentence"];
/// The names of the members of who approved, `(uss)` on the bus.
const APPROVER: [&str; 3] = ["uid", "user", "kind"];
/// The names of the members of a condition, `(ssss)` on the bus.
const CONDITION: [&str; 4] = ["rule", "role", "check", "found"];

/// An answer, by key.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
#[serde(transparent)]
pub struct Fields(BTreeMap<String, Value>);

impl From<Answered> for Fields {
    fn from(answered: Answered) -> Self {
        let one = |(key, value): (String, zbus::OwnedVariant)| {
            let value = shaped(&key, json(&value));
            (key, value)
        };
        Self(answered.into_iter().map(one).collect())
    }
}

/// A value of that key, with the names of its members where they have some.
fn shaped(key: &str, value: Value) -> Value {
    match key {
        "targets" => named_members(value, &TARGET),
        "against" => named_members(value, &AGAINST),
        "approvers" => named_members(value, &APPROVER),
        "conditions" => named_members(value, &CONDITION),
        "receipt" | "plan" | "bundle" => object(&value),
        "steps" => steps(value),
        _ => value,
    }
}

/// Each step of a bundle is an answer like the whole.
fn steps(value: Value) -> Value {
    let Value::Array(steps) = value else { return value };
    let step = |step: Value| match step {
        Value::Object(members) => members
            .into_iter()
            .map(|(key, value)| {
                let value = shaped(&key, value);
                (key, value)
            })
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => step,
    };
    steps.into_iter().map(step).collect()
}

impl Fields {
    /// The value of a key, if it arrived.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// Adds what the client itself knows of the answer.
    pub fn insert(&mut self, key: &str, value: Value) {
        self.0.insert(key.to_owned(), value);
    }

    /// The text of a key; empty where it did not arrive or is none.
    #[must_use]
    pub fn text(&self, key: &str) -> &str {
        self.get(key).and_then(Value::as_str).unwrap_or("")
    }

    /// The number of a key, if it arrived and is a whole one.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<i64> {
        self.get(key).and_then(Value::as_i64)
    }

    /// The texts of a list.
    #[must_use]
    pub fn list(&self, key: &str) -> Vec<&str> {
        self.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The steps of a bundle, in order; none of a single request.
    #[must_use]
    pub fn steps(&self) -> Vec<Self> {
        let steps = self.get("steps").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object);
        steps.map(|step| Self(step.iter().map(|(key, value)| (key.clone(), value.clone())).collect())).collect()
    }

    /// The text of a key without which the answer is of no use.
    ///
    /// # Errors
    /// It did not arrive.
    pub fn required(&self, key: &str) -> Result<&str, ClientError> {
        self.get(key).and_then(Value::as_str).ok_or_else(|| ClientError::Answer { key: key.to_owned() })
    }
}

/// A value of the bus as JSON. Descriptors have no JSON form and become `null`; bytes become text, what is not UTF-8
/// replaced.
#[must_use]
pub fn json(value: &Variant<'_>) -> Value {
    match value {
        Variant::U8(n) => (*n).into(),
        Variant::Bool(b) => (*b).into(),
        Variant::I16(n) => (*n).into(),
        Variant::U16(n) => (*n).into(),
        Variant::I32(n) => (*n).into(),
        Variant::U32(n) => (*n).into(),
        Variant::I64(n) => (*n).into(),
        Variant::U64(n) => (*n).into(),
        Variant::F64(n) => (*n).into(),
        Variant::Str(text) => text.as_str().into(),
        Variant::Signature(signature) => signature.to_string().into(),
        Variant::ObjectPath(path) => path.as_str().into(),
        Variant::Variant(inner) => json(inner),
        Variant::Array(array) if *array.element_signature() == zbus::signature!("y") => bytes(array),
        Variant::Array(array) => array.inner().iter().map(json).collect(),
        Variant::Dict(dict) => dict.iter().map(|(key, value)| (word(key), json(value))).collect::<Map<_, _>>().into(),
        Variant::Structure(structure) => structure.fields().iter().map(json).collect(),
        Variant::Fd(_) => Value::Null,
    }
}

fn bytes(array: &zbus::Array<'_>) -> Value {
    let bytes: Vec<u8> =
        array.inner().iter().filter_map(|byte| if let Variant::U8(byte) = byte { Some(*byte) } else { None }).collect();
    String::from_utf8_lossy(&bytes).into()
}

fn word(key: &Variant<'_>) -> String {
    let value = json(key);
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Structures on the bus are objects in JSON, as `policy explain` has targets.
fn named_members(value: Value, names: &[&str]) -> Value {
    let Value::Array(structures) = value else { return value };
    structures.into_iter().map(|structure| named(structure, names)).collect()
}

/// A receipt and a plan are JSON in a text; an empty one is none yet.
fn object(value: &Value) -> Value {
    value.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null)
}

fn named(value: Value, names: &[&str]) -> Value {
    let Some(members) = value.as_array().filter(|members| members.len() == names.len()) else { return value };
    names.iter().map(|name| (*name).to_owned()).zip(members.iter().cloned()).collect::<Map<_, _>>().into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::json as js;

    use super::*;

    fn answered(key: &str, value: Variant<'_>) -> Fields {
        Answered::from([(key.to_owned(), value.try_into_owned().unwrap())]).into()
    }

    #[test]
    fn every_sort_of_value_has_its_json() {
        let dict: HashMap<&str, Variant<'_>> = HashMap::from([("a", Variant::from(1_u32))]);
        for (value, expected) in [
            (Variant::from(true), js!(true)),
            (Variant::from(-1_i32), js!(-1)),
            (Variant::from(u64::MAX), js!(u64::MAX)),
            (Variant::from("x"), js!("x")),
            (Variant::from(vec!["x", "y"]), js!(["x", "y"])),
            (Variant::from(vec![0x68_u8, 0xff]), js!("h\u{fffd}")),
            (Variant::from(("a", 2_u8)), js!(["a", 2])),
            (Variant::from(dict), js!({"a": 1})),
        ] {
            assert_eq!(json(&value), expected);
        }
    }

    #[test]
    fn structures_get_their_names_back() {
        for (key, value, expected) in [
            (
                "targets",
                Variant::from(vec![("path", "/etc/x", "write")]),
                js!([{"kind": "path", "name": "/etc/x", "access": "write"}]),
            ),
            ("against", Variant::from(vec![("Held", "So.")]), js!([{"code": "Held", "sentence": "So."}])),
            (
                "approvers",
                Variant::from(vec![(0_u32, "root", "challenge")]),
                js!([{"uid": 0, "user": "root", "kind": "challenge"}]),
            ),
            ("against", Variant::from(vec![("of", "another", "length")]), js!([["of", "another", "length"]])),
        ] {
            assert_eq!(answered(key, value).get(key), Some(&expected));
        }
    }

    #[test]
    fn conditions_get_their_names_back() {
        let fields = answered("conditions", Variant::from(vec![("apt", "soft", "mains-power", "")]));
        let object = js!([{"rule": "apt", "role": "soft", "check": "mains-power", "found": ""}]);
        assert_eq!(fields.get("conditions"), Some(&object));
    }

    #[test]
    fn each_step_of_a_bundle_is_shaped_like_the_whole() {
        let step: HashMap<&str, Variant<'_>> = HashMap::from([
            ("targets", Variant::from(vec![("path", "/etc/x", "write")])),
            ("plan", Variant::from(r#"{"version":1}"#)),
        ]);
        let fields = answered("steps", Variant::from(vec![step]));
        let [step] = <[Fields; 1]>::try_from(fields.steps()).unwrap();
        assert_eq!(step.get("targets"), Some(&js!([{"kind": "path", "name": "/etc/x", "access": "write"}])));
        assert_eq!(step.get("plan"), Some(&js!({"version": 1})));
        assert!(answered("id", Variant::from("x")).steps().is_empty());
    }

    #[test]
    fn a_receipt_is_an_object_again() {
        let some = answered("receipt", Variant::from(r#"{"sentence":"It ran."}"#));
        assert_eq!(some.get("receipt"), Some(&js!({"sentence": "It ran."})));
        assert_eq!(answered("receipt", Variant::from("")).get("receipt"), Some(&Value::Null));
    }

    #[test]
    fn a_missing_key_is_named() {
        let fields = answered("id", Variant::from("0123"));
        assert_eq!(fields.required("id").unwrap(), "0123");
        assert!(matches!(fields.required("digest"), Err(ClientError::Answer { key }) if key == "digest"));
        assert_eq!((fields.text("digest"), fields.number("id"), fields.list("id").len()), ("", None, 0));
    }
}
