//! Asks as callers write them.

use std::fs::File;

use super::*;

type Made = Result<Ask, Failure>;

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn words(words: &[&str]) -> Value {
    Value::Texts(words.iter().map(|word| (*word).to_owned()).collect())
}

fn make(values: Vec<(&str, Value)>) -> Made {
    Dictionary(Ok(values.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()))
        .into_asks()
        .map(|asks| asks.first)
}

/// The sentence of a refusal, which is always about the request.
fn refused(made: Made) -> String {
    let failure = made.unwrap_err();
    assert_eq!(failure.code, Code::InvalidRequest);
    assert!(failure.sentence.ends_with('.') && failure.sentence.starts_with(char::is_uppercase), "{failure}");
    failure.sentence
}

#[test]
fn the_least_ask_is_a_command() {
    let ask = make(vec![("argv", words(&["id", "-u"]))]).unwrap();
    assert_eq!((ask.action.argv.words().len(), ask.action.cwd.as_str(), ask.detached), (2, "/", false));
    assert!(ask.action.stdin.is_none() && ask.files.stdin.is_none() && ask.narrowing == Narrowing::default());
}

#[test]
fn shell_text_becomes_the_words_that_run_it() {
    let ask = make(vec![("shell", text("id; id"))]).unwrap();
    assert_eq!(ask.action.argv.words(), ["/bin/sh", "-c", "id; id"]);
}

#[test]
fn a_command_is_given_once() {
    refused(make(vec![]));
    refused(make(vec![("argv", words(&["id"])), ("shell", text("id"))]));
    refused(make(vec![("argv", words(&[]))]));
    refused(make(vec![("argv", words(&[""]))]));
    assert!(refused(make(vec![("argv", text("id"))])).contains("argv"));
}

#[test]
fn unknown_keys_are_errors() {
    for key in ["user", "uid", "as", "host", "chroot", "root", "Argv", "argv ", "action"] {
        let sentence = refused(make(vec![("argv", words(&["id"])), (key, text("x"))]));
        assert!(sentence.contains(plain(key).as_str()), "{sentence}");
    }
}

#[test]
fn everything_that_a_caller_may_say_is_taken() {
    let null = || Value::File(File::options().write(true).open("/dev/null").unwrap().into());
    let ask = make(vec![
        ("argv", words(&["id"])),
        ("cwd", text("/etc/../tmp")),
        ("env", Value::Named(BTreeMap::from([("LANG".to_owned(), "C".to_owned())]))),
        ("timeout_ms", Value::Number(5)),
        ("agent", text("a")),
        ("reason", text("r")),
        ("max_tier", text("T1")),
        ("profile", text("observe")),
        ("targets", words(&["/etc/x"])),
        ("secrets", words(&["named"])),
        ("detach", Value::Truth(true)),
        ("stdout", null()),
        ("stderr", null()),
    ])
    .unwrap();
    assert_eq!((ask.action.cwd.as_str(), ask.action.timeout_ms, ask.detached), ("/tmp", Some(5), true));
    assert_eq!(ask.narrowing.max_tier, Some(Tier::T1));
    assert!(ask.files.sinks.stdout.is_some() && ask.files.sinks.stderr.is_some());
}

#[test]
fn every_value_has_its_bounds() {
    for (key, value) in [
        ("cwd", text("etc")),
        ("cwd", Value::Truth(true)),
        ("env", Value::Named(BTreeMap::from([("LD_PRELOAD".to_owned(), "x".to_owned())]))),
        ("max_tier", text("T9")),
        ("profile", text("../x")),
        ("timeout_ms", text("5")),
        ("detach", text("true")),
        ("stdout", text("/etc/x")),
        ("stdout", Value::File(File::open("/dev/null").unwrap().into())),
        ("stdin", Value::File(File::open("/dev/null").unwrap().into())),
        ("stdin", text("x")),
        ("targets", text("x")),
    ] {
        let shown = format!("{key}: {value:?}");
        assert!(make(vec![("argv", words(&["id"])), (key, value)]).is_err(), "{shown}");
    }
}

#[test]
fn what_is_named_as_secret_is_in_no_error() {
    let named = |value: &str, key: &'static str, wrong: Value| {
        make(vec![("argv", words(&["id"])), ("secrets", words(&[value])), (key, wrong)])
    };
    assert!(!named("named", "agent", text("a")).unwrap().secrets.is_empty());
    let env = Value::Named(BTreeMap::from([("NAMED_VALUE".to_owned(), "x".to_owned())]));
    assert!(refused(named("other-value", "env", env)).contains("NAMED_VALUE"));
    let env = Value::Named(BTreeMap::from([("NAMED_VALUE".to_owned(), "x".to_owned())]));
    let sentence = refused(named("NAMED_VALUE", "env", env));
    assert!(!sentence.contains("NAMED_VALUE") && sentence.contains("[REDACTED]"), "{sentence}");
    assert!(refused(named("abc", "agent", text("a"))).contains("4 to 4096 bytes"));
    assert!(refused(make(vec![("argv", words(&["id"])), ("secrets", text("named"))])).contains("secrets"));
}

#[test]
fn a_directory_may_be_passed_open() {
    let etc = Value::File(File::open("/etc").unwrap().into());
    let ask = make(vec![("argv", words(&["id"])), ("cwd", etc)]).unwrap();
    assert_eq!(ask.action.cwd.as_str(), "/etc");
    assert!(ask.directory.is_some());
}

#[test]
fn a_question_is_about_its_caller_unless_it_says_otherwise() {
    let caller = Uid::try_from(1000).unwrap();
    let ask = |values: Vec<(&str, Value)>| {
        let values = values.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        Dictionary(Ok(values)).into_query(caller)
    };
    let own = Query { uid: Some(caller), ..Query::default() };
    assert_eq!(ask(vec![]).unwrap(), own);
    assert_eq!(ask(vec![("all", Value::Truth(false))]).unwrap(), own);
    assert_eq!(ask(vec![("all", Value::Truth(true))]).unwrap(), Query::default());
    let other = ask(vec![("uid", Value::Number(7))]).unwrap();
    assert_eq!(other.uid, Some(Uid::try_from(7).unwrap()));
    let one = ask(vec![("entry", Value::Number(7))]).unwrap();
    assert_eq!((one.first, one.before, one.uid), (7, 8, Some(caller)));
    for wrong in [
        ("uid", Value::Number(u64::from(u32::MAX))),
        ("uid", Value::Number(1 << 32)),
        ("id", text("x")),
        ("limit", text("x")),
        ("argv", words(&["id"])),
        ("all", Value::Number(1)),
    ] {
        let key = wrong.0;
        assert_eq!(ask(vec![wrong]).unwrap_err().code, Code::InvalidRequest, "{key}");
    }
}

fn step(values: Vec<(&str, Value)>) -> Step {
    Step(values.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn make_all(values: Vec<(&str, Value)>) -> Result<Asks, Failure> {
    Dictionary(Ok(values.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())).into_asks()
}

fn steps(count: usize) -> Value {
    Value::Steps((0..count).map(|_| step(vec![("argv", words(&["id"]))])).collect())
}

fn refused_all(values: Vec<(&str, Value)>) -> String {
    refused(make_all(values).map(|asks| asks.first))
}

#[test]
fn a_bundle_has_the_keys_of_the_whole_outside_and_of_a_command_in_each_step() {
    let null = Value::File(File::options().write(true).open("/dev/null").unwrap().into());
    let first = step(vec![("argv", words(&["id"])), ("cwd", text("/etc")), ("max_tier", text("T0"))]);
    let second = step(vec![("shell", text("id")), ("timeout_ms", Value::Number(5)), ("profile", text("observe"))]);
    let asks = make_all(vec![
        ("steps", Value::Steps(vec![first, second])),
        ("reason", text("r")),
        ("agent", text("a")),
        ("detach", Value::Truth(true)),
        ("stdout", null),
    ])
    .unwrap();
    let asks: Vec<Ask> = asks.into_iter().collect();
    let [first, second] = asks.as_slice() else { panic!("{asks:?}") };
    assert_eq!((first.action.cwd.as_str(), first.narrowing.max_tier), ("/etc", Some(Tier::T0)));
    assert_eq!((second.action.timeout_ms, second.action.argv.words().len()), (Some(5), 3));
    for ask in [first, second] {
        assert_eq!((ask.claims.reason.as_deref(), ask.detached), (Some("r"), true));
        assert!(ask.files.sinks.stdout.is_some() && ask.files.sinks.stderr.is_none());
    }
}

#[test]
fn a_bundle_has_two_to_sixteen_steps_and_no_command_beside_them() {
    for (count, fits) in [(0, false), (1, false), (2, true), (16, true), (17, false)] {
        assert_eq!(make_all(vec![("steps", steps(count))]).is_ok(), fits, "{count}");
    }
    for key in ["argv", "shell"] {
        let value = if key == "argv" { words(&["id"]) } else { text("id") };
        assert!(refused_all(vec![("steps", steps(2)), (key, value)]).contains("either argv, shell or steps"));
    }
    for (key, value) in [("cwd", text("/")), ("max_tier", text("T1")), ("step", text("x"))] {
        assert!(refused_all(vec![("steps", steps(2)), (key, value)]).contains(key), "{key}");
    }
    assert!(refused_all(vec![("steps", text("x"))]).contains("steps"));
}

#[test]
fn what_is_wrong_in_a_step_names_the_step() {
    for (key, value) in
        [("reason", text("r")), ("detach", Value::Truth(true)), ("stdout", text("x")), ("sudo", text("x"))]
    {
        let bad = step(vec![("argv", words(&["id"])), (key, value)]);
        let sentence = refused_all(vec![("steps", Value::Steps(vec![step(vec![("argv", words(&["id"]))]), bad]))]);
        assert!(sentence.starts_with("In step 2: ") && sentence.contains(key), "{sentence}");
    }
}

#[test]
fn the_words_of_all_steps_together_are_bounded_at_n_and_n_plus_one() {
    let long = |length: usize| step(vec![("argv", words(&[&"x".repeat(length)]))]);
    let half = countersign_core::bundle::MAX_WORDS_BYTES / 2;
    assert!(make_all(vec![("steps", Value::Steps(vec![long(half - 1), long(half - 1)]))]).is_ok());
    refused_all(vec![("steps", Value::Steps(vec![long(half - 1), long(half)]))]);
}
