//! The reader holds exactly to the record's types, whatever stands in any place of any record.

#![expect(clippy::arithmetic_side_effects, reason = "a test may count, and panics anyway")]

use proptest::prelude::*;

use super::*;
use crate::digest::canonical;
use crate::record::tests::samples;

const GOOD: [&str; 4] =
    [r#""""#, r#""\b\t\n\f\r\"\\\u0000\u0007\u000b\u000e\u001f/é\u0010""#, "\"\u{7f}\u{2028}😀\"", r#""a""#];
const BAD: [&str; 15] = [
    "",
    "\"",
    "\"a",
    "a",
    "\"\t\"",
    r#""\/""#,
    r#""\u0041""#,
    r#""\u0008""#,
    r#""\u000A""#,
    r#""\u000a""#,
    r#""\u001F""#,
    r#""\u00e9""#,
    r#""\ud83d\ude00""#,
    r#""\x""#,
    r#""\"#,
];

#[test]
fn each_way_to_write_a_text_otherwise_is_refused() {
    for good in GOOD {
        assert_eq!(value(good.as_bytes(), &Shape::Text), Some(&b""[..]), "{good}");
    }
    for bad in BAD {
        assert_eq!(value(bad.as_bytes(), &Shape::Text), None, "{bad}");
    }
}

#[test]
fn each_shape_takes_n_and_refuses_n_plus_one() {
    let words = Shape::Word(&["a", "b"]);
    let list = Shape::List(&Shape::Number(9));
    let (hex, name) = (Shape::Hex(2), Shape::Name);
    let good: [(&Shape, &str); 15] = [
        (&Shape::Number(255), "255"),
        (&Shape::Number(255), "0"),
        (&Shape::Number(MAX_NUMBER), "9007199254740991"),
        (&Shape::Signed, "-2147483648"),
        (&Shape::Signed, "2147483647"),
        (&Shape::Signed, "0"),
        (&Shape::Flag, "true"),
        (&Shape::Flag, "false"),
        (&Shape::Decimal, r#""18446744073709551615""#),
        (&Shape::Decimal, r#""0""#),
        (&Shape::Present, r#""a""#),
        (&words, r#""b""#),
        (&list, "[1,9]"),
        (&hex, r#""0f""#),
        (&name, r#""a-1""#),
    ];
    for (shape, text) in good {
        assert_eq!(value(text.as_bytes(), shape), Some(&b""[..]), "{text}");
    }
    let bad: [(&Shape, &str); 30] = [
        (&Shape::Number(255), "256"),
        (&Shape::Number(255), "01"),
        (&Shape::Number(255), "+1"),
        (&Shape::Number(255), "-1"),
        (&Shape::Number(255), "\"1\""),
        (&Shape::Number(u64::MAX), "9007199254740992"),
        (&Shape::Number(u64::MAX), "99999999999999999999"),
        (&Shape::Signed, "-2147483649"),
        (&Shape::Signed, "2147483648"),
        (&Shape::Signed, "-0"),
        (&Shape::Signed, "-"),
        (&Shape::Flag, "null"),
        (&Shape::Flag, "tru"),
        (&Shape::Decimal, r#""18446744073709551616""#),
        (&Shape::Decimal, r#""01""#),
        (&Shape::Decimal, r#""+1""#),
        (&Shape::Decimal, r#""""#),
        (&Shape::Decimal, "1"),
        (&Shape::Present, r#""""#),
        (&words, r#""c""#),
        (&words, r#""""#),
        (&list, "[]"),
        (&list, "[1,]"),
        (&list, "[1 ,2]"),
        (&list, "[10]"),
        (&list, "1"),
        (&hex, r#""0F""#),
        (&hex, r#""0ff""#),
        (&name, r#""1a""#),
        (&name, r#""""#),
    ];
    for (shape, text) in bad {
        assert_ne!(value(text.as_bytes(), shape), Some(&b""[..]), "{text}");
    }
}

#[test]
fn every_phase_and_kind_has_the_name_that_is_written() {
    for (name, phase) in PHASES {
        assert_eq!(serde_json::to_value(phase).unwrap().as_str().map(str::as_bytes), Some(name));
        assert_eq!(serde_json::to_value(phase.kind()).unwrap().as_str(), Some(phase.kind().name()));
    }
}

/// The definition: the members are a record's, and writing them again gives the same bytes.
fn is_a_record(body: &[u8]) -> bool {
    let Ok(record) = serde_json::from_slice::<crate::record::Record>(body) else { return false };
    let sound = record.v == VERSION && record.phase.kind() == record.kind;
    sound && canonical(&record).is_ok_and(|written| written == body)
}

fn agree(body: &[u8]) -> Result<(), TestCaseError> {
    let (glance, expected) = (look(body), is_a_record(body));
    prop_assert_eq!(glance.is_some(), expected, "{}", String::from_utf8_lossy(body));
    let parsed = crate::record::Record::parse(body).ok();
    prop_assert_eq!(glance, parsed.map(|record| Glance::from(&record)));
    Ok(())
}

/// Every place of a value in a record, as a path of steps.
fn places(value: &serde_json::Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        serde_json::Value::Object(members) => {
            members.iter().for_each(|(name, value)| places(value, &format!("{at}/{name}"), found));
        }
        serde_json::Value::Array(values) => {
            values.iter().enumerate().for_each(|(n, value)| places(value, &format!("{at}/{n}"), found));
        }
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => {}
    }
}

/// What is put into each place in turn.
fn others() -> Vec<serde_json::Value> {
    let max = u64::from(u32::MAX);
    let numbers = [0, 1, 2, 255, 256, max - 1, max, max + 1, MAX_NUMBER, MAX_NUMBER + 1].map(serde_json::Value::from);
    let (hex, id) = ("0".repeat(64), "0".repeat(32));
    let texts = ["", "a", "T0", "deny", "start", "request", "clean", "T4", "\n", "12", "cancelled", "é", &hex, &id];
    let more = serde_json::json!([
        null, true, -1, -2_147_483_648_i64, -2_147_483_649_i64, 1.5, [], [1], ["a"], {}, {"a": 1},
        {"exited": 255}, {"exited": 256}, {"signalled": -9}, {"exited": 1, "signalled": 1},
        {"not-confined": {"errno": 1, "step": "x"}}, {"not-confined": [1, "x"]}, {"not-confined": {"errno": 1}},
        {"cancelled": null}, [1, "x", true], {"digest": hex, "version": 1}, [1, hex],
    ]);
    let more = more.as_array().cloned().unwrap_or_default();
    numbers.into_iter().chain(texts.map(serde_json::Value::from)).chain(more).collect()
}

#[test]
fn it_takes_exactly_the_records_whatever_stands_in_any_place() {
    let (mut taken, others) = (0, others());
    for (turn, body) in samples().into_iter().enumerate() {
        let record: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let mut all = Vec::new();
        places(&record, "", &mut all);
        for (number, at) in all.into_iter().enumerate() {
            // The samples have most members in common: a third of the values for each is all of them for most.
            for other in others.iter().skip((turn + number) % 3).step_by(3) {
                let mut changed = record.clone();
                changed.pointer_mut(&at).unwrap().clone_from(other);
                if let Ok(changed) = canonical(&changed) {
                    agree(&changed).unwrap();
                    taken += usize::from(look(&changed).is_some());
                }
            }
            let (parent, name) = at.rsplit_once('/').unwrap_or_default();
            let mut without = record.clone();
            if let Some(members) = without.pointer_mut(parent).and_then(serde_json::Value::as_object_mut) {
                members.remove(name);
                agree(&canonical(&without).unwrap()).unwrap();
                if let Some(members) = without.pointer_mut(parent).and_then(serde_json::Value::as_object_mut) {
                    members.insert(format!("{name}x"), 1.into());
                }
                agree(&canonical(&without).unwrap()).unwrap();
            }
        }
    }
    assert!(taken > 300, "both sides are tried: {taken}");
}

#[test]
fn a_record_as_a_list_or_with_more_behind_it_is_none() {
    for body in samples() {
        assert!(look(&body).is_some());
        let record: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let values: Vec<_> = record.as_object().unwrap().values().collect();
        assert!(look(&canonical(&values).unwrap()).is_none());
        for more in [&b" "[..], b"1", b"{}", b"\n"] {
            assert!(look(&[&body, more].concat()).is_none());
        }
    }
}

proptest! {
    #[test]
    fn it_takes_exactly_the_records_among_damaged_bytes(
        sample in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        length in 0_usize..4,
        put in r#"[\[\]{}:,"\\a-cu0-9tfn .-]{0,4}"#,
    ) {
        let samples = samples();
        let mut body = sample.get(&samples).clone();
        let begin = at.index(body.len());
        let end = (begin + length).min(body.len());
        body.splice(begin..end, put.into_bytes());
        agree(&body)?;
    }

    #[test]
    fn any_text_is_taken_as_the_library_writes_it(text in any::<String>()) {
        let written = canonical(&text).unwrap();
        prop_assert_eq!(value(&written, &Shape::Text), Some(&b""[..]));
    }
}
