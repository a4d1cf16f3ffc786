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
    Dictionary(Ok(values.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())).into_ask()
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
