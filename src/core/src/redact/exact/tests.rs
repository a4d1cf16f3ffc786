//! What a caller names is nowhere, in no form and no part of it; and what it may not name.

use proptest::prelude::*;

use super::*;

fn secrets(values: &[&str]) -> Secrets {
    let owned: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
    Secrets::new(&owned).unwrap()
}

fn refused(values: &[String]) -> SecretsError {
    Secrets::new(values).unwrap_err()
}

#[test]
fn a_value_is_hidden_in_every_form_in_which_people_write_it() {
    let hides = secrets(&["it's \"1\" of $a&b"]);
    for (text, shown) in [
        ("it's \"1\" of $a&b", "[REDACTED]"),
        ("xit's \"1\" of $a&by", "x[REDACTED]y"),
        (r#"{"x":"it's \"1\" of $a&b"}"#, r#"{"x":"[REDACTED]"}"#),
        (r#"echo 'it'\''s "1" of $a&b'"#, "echo '[REDACTED]'"),
        (r#"echo "it's \"1\" of \$a&b""#, "echo \"[REDACTED]\""),
        ("?x=it%27s%20%221%22%20of%20%24a%26b&y=1", "?x=[REDACTED]&y=1"),
        ("it's \"1\" of", "it's \"1\" of"),
    ] {
        assert_eq!(hides.hidden_in(text), shown, "{text}");
    }
}

#[test]
fn of_values_that_lie_over_each_other_no_part_is_left() {
    let hides = secrets(&["abcd", "cdef", "abcdefgh", "aaaa"]);
    for (text, shown) in [
        ("xabcdefx", "x[REDACTED]x"),
        ("xabcdefghx", "x[REDACTED]x"),
        ("xaaaaaaax", "x[REDACTED]x"),
        ("abcdabcd", "[REDACTED]"),
        ("abcd cdef", "[REDACTED] [REDACTED]"),
        ("aaabcdé", "aa[REDACTED]é"),
        ("abc aaa", "abc aaa"),
    ] {
        assert_eq!(hides.hidden_in(text), shown, "{text}");
    }
}

#[test]
fn where_a_text_was_cut_no_beginning_of_a_value_is_left() {
    let hides = secrets(&["Zq7-secret-Zq7", "émile"]);
    for (text, shown) in [
        ("out: Zq7-sec", "out: [REDACTED]"),
        ("out: Z", "out: [REDACTED]"),
        ("out: Zq7-secret-Zq7-sec", "out: [REDACTED]"),
        ("out: Zq7-secret-Zq7 and ém", "out: [REDACTED] and [REDACTED]"),
        ("out: done", "out: done"),
        ("", ""),
    ] {
        assert_eq!(hides.hidden_in_beginning(text), shown, "{text}");
    }
    assert_eq!(hides.hidden_in("out: Zq7-sec"), "out: Zq7-sec", "what was not cut is what it is");
}

#[test]
fn what_may_be_named_is_bounded_at_n_and_n_plus_one() {
    let value = |length: usize| "x".repeat(length);
    assert!(Secrets::new(&vec![value(8); MAX_SECRETS]).is_ok());
    assert_eq!(refused(&vec![value(8); MAX_SECRETS + 1]), SecretsError::TooMany(MAX_SECRETS + 1));
    assert!(Secrets::new(&[value(MIN_SECRET), value(MAX_SECRET)]).is_ok());
    assert_eq!(refused(&[value(8), value(MIN_SECRET - 1)]), SecretsError::Length(2));
    assert_eq!(refused(&[value(MAX_SECRET + 1)]), SecretsError::Length(1));
    assert_eq!(refused(&[String::new()]), SecretsError::Length(1));
}

#[test]
fn nothing_that_lies_over_the_marker_may_be_named() {
    for value in ["REDACTED", "[REDACTED]", "x[REDACTED]y", "DACT", "]abc", "abc[", "TED]abc", "abc[RED"] {
        assert_eq!(refused(&[value.to_owned()]), SecretsError::Marker(1), "{value}");
    }
    assert!(Secrets::new(&["abc]def".to_owned(), "ab[cd".to_owned(), "RED.".to_owned()]).is_ok());
}

#[test]
fn no_value_can_be_read_from_it_or_from_an_error() {
    assert_eq!(format!("{:?}", secrets(&["hunter22"])), "Secrets(some)");
    assert!(!refused(&["[REDACTED]hunter22".to_owned()]).to_string().contains("hunter22"));
}

#[test]
fn values_that_are_named_and_values_that_look_secret_are_hidden_together() {
    let hides = secrets(&["plain-word"]);
    assert_eq!(hides.text("plain-word password=x2 y"), "[REDACTED] password=[REDACTED] y");
    let words = ["mysql", "-px", "plain-word"].map(str::to_owned);
    assert_eq!(hides.words(&words), ["mysql", "-p[REDACTED]", "[REDACTED]"]);
    let none = Secrets::default();
    assert!(none.is_empty() && none.text("plain-word") == "plain-word");
}

#[test]
fn time_grows_with_the_text_and_not_faster() {
    let hides = secrets(&["a".repeat(MAX_SECRET).as_str(), "abababab", "b".repeat(MAX_SECRET).as_str()]);
    for piece in ["a", "ab", "aab", "b"] {
        let text = piece.repeat(1_000_000 / piece.len());
        let begin = std::time::Instant::now();
        assert!(hides.hidden_in_beginning(&text).len() <= text.len() + MARKER.len());
        assert!(begin.elapsed().as_secs() < 5, "{piece} {:?}", begin.elapsed());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn hiding_twice_is_hiding_once_and_no_end_is_left(
        values in proptest::collection::vec("[ab'\"$é%\\\\ ]{4,9}", 1..4),
        pieces in proptest::collection::vec("[ab'\"$é%\\\\ ]{0,6}", 0..8),
        order in proptest::collection::vec(0_usize..4, 0..8),
    ) {
        let hides = Secrets::new(&values);
        prop_assume!(hides.is_ok());
        let hides = hides.unwrap();
        let mut text = pieces.concat();
        for at in order {
            text.push_str(values.get(at).map_or("-", String::as_str));
        }
        for shown in [hides.hidden_in(&text), hides.text(&text), hides.hidden_in_beginning(&text)] {
            prop_assert!(values.iter().all(|value| !shown.contains(value.as_str())), "{}", shown);
        }
        let once = hides.text(&text);
        prop_assert_eq!(hides.text(&once), once);
        let (once, words) = (hides.hidden_in(&text), [text]);
        prop_assert_eq!(hides.hidden_in(&once), once);
        let once = hides.words(&words);
        prop_assert_eq!(hides.words(&once), once);
    }
}
