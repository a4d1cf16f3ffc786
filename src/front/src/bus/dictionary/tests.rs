//! Dictionaries as hostile callers would write them.

use std::collections::HashMap;

use zbus::Variant;
use zbus::message::Message;

use super::*;

/// What the bus library makes of a message with this body.
fn read<B: serde::Serialize + zbus::DynamicType>(body: &B) -> Result<BTreeMap<String, Value>, Malformed> {
    let message = Message::method_call("/a", "Submit").build(body).unwrap();
    let body = message.body();
    body.deserialize::<Dictionary>().unwrap().0
}

fn one(key: &str, value: Variant<'_>) -> Result<BTreeMap<String, Value>, Malformed> {
    read(&HashMap::from([(key, value)]))
}

#[test]
fn every_type_that_a_request_has_is_read() {
    let fd = std::fs::File::open("/dev/null").unwrap();
    let named: HashMap<&str, &str> = HashMap::from([("a", "b")]);
    for (value, shape) in [
        (Variant::from("x"), "Text"),
        (Variant::from(vec!["x"]), "Texts"),
        (Variant::from(named), "Named"),
        (Variant::from(1_u64), "Number"),
        (Variant::from(1_u32), "Number"),
        (Variant::from(true), "Truth"),
        (Variant::Fd((&fd).into()), "File"),
    ] {
        let values = one("k", value).unwrap();
        assert!(format!("{:?}", values["k"]).starts_with(shape), "{values:?}");
    }
}

#[test]
fn every_other_type_is_an_error_that_names_the_key() {
    for value in [
        Variant::from(1_i32),
        Variant::from(1_u8),
        Variant::from(1.5_f64),
        Variant::from(vec![1_u8]),
        Variant::from(("x", "y")),
        Variant::from(vec![vec!["x"]]),
        Variant::Variant(Box::new(Variant::from("x"))),
    ] {
        let signature = value.value_signature().to_string();
        assert_eq!(one("k\u{202e}", value).unwrap_err(), Malformed::Value("k?".to_owned()), "{signature}");
    }
}

#[test]
fn elements_and_keys_have_bounds_at_n_and_n_plus_one() {
    assert!(one("argv", Variant::from(vec![""; MAX_ELEMENTS])).is_ok());
    assert!(one("argv", Variant::from(vec![""; MAX_ELEMENTS + 1])).is_err());
    let keys = |count: usize| (0..count).map(|at| (format!("k{at}"), Variant::from("x"))).collect::<HashMap<_, _>>();
    assert!(read(&keys(MAX_KEYS)).is_ok());
    assert_eq!(read(&keys(MAX_KEYS + 1)).unwrap_err(), Malformed::TooMany);
}

#[test]
fn what_follows_an_error_is_not_looked_at() {
    let values = vec![("a", Variant::from(1_i32)), ("b", Variant::from(vec!["x"; 100_000]))];
    // A vector of entries has the wire form of a dictionary but keeps order and duplicates.
    #[derive(serde::Serialize, zbus::Type)]
    #[zbus(signature = "a{sv}")]
    struct Entries<'a>(#[serde(serialize_with = "entries")] Vec<(&'a str, Variant<'a>)>);
    fn entries<S: serde::Serializer>(values: &[(&str, Variant<'_>)], serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = serializer.serialize_map(Some(values.len()))?;
        values.iter().try_for_each(|(key, value)| map.serialize_entry(key, value))?;
        map.end()
    }
    assert_eq!(read(&Entries(values)).unwrap_err(), Malformed::Value("a".to_owned()));
    let twice = vec![("a", Variant::from("1")), ("a", Variant::from("2"))];
    assert_eq!(read(&Entries(twice)).unwrap_err(), Malformed::Twice("a".to_owned()));
}

#[test]
fn a_key_is_repeated_inert_and_short() {
    assert_eq!(plain("argv_2"), "argv_2");
    assert_eq!(plain("\u{1b}[2J\n"), "??2J?");
    assert_eq!(plain(&"a".repeat(1_000)).len(), MAX_SHOWN);
}

/// Dictionaries of one key each.
fn steps(count: usize) -> Variant<'static> {
    Variant::from(vec![HashMap::from([("shell", Variant::from("id"))]); count])
}

#[test]
fn steps_are_read_one_deep_and_as_many_as_a_bundle_has() {
    let Value::Steps(read_back) = one("steps", steps(MOST)).unwrap().remove("steps").unwrap() else {
        panic!("no steps")
    };
    assert_eq!(read_back.len(), MOST);
    assert!(read_back.iter().all(|Step(values)| values.contains_key("shell")));
    assert_eq!(one("steps", steps(MOST + 1)).unwrap_err(), Malformed::Value("steps".to_owned()));
    let bad = [
        Variant::from(vec![HashMap::from([("steps", steps(2))]); 2]),
        Variant::from(vec![HashMap::from([("k", 1_u8)])]),
    ];
    for value in bad {
        assert_eq!(
            one("steps", value).unwrap_err(),
            Malformed::Value("steps".to_owned()),
            "nothing deeper, no other type"
        );
    }
}
