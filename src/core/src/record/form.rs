//! The canonical form, checked byte by byte: one pass, nothing copied.
//!
//! Enters: bytes. Leaves: whether they are JSON in the form of RFC 8785 as far as a record uses it: no blanks, members
//! sorted and each there once, strings with the shortest escapes, whole numbers only, and nothing empty: no `null`, no
//! `[]`, no `{}`. Whether the members are a record's is another question.

use crate::record::MAX_NUMBER;

/// The deepest nesting that a record has, and some.
const MAX_DEPTH: u32 = 8;

/// Whether these bytes are in the form.
pub(super) fn is_canonical(bytes: &[u8]) -> bool {
    let whole = std::str::from_utf8(bytes).is_ok();
    whole && value(bytes, MAX_DEPTH).is_some_and(<[u8]>::is_empty)
}

/// What follows one value; nothing if it is none.
fn value(rest: &[u8], depth: u32) -> Option<&[u8]> {
    let (first, after) = rest.split_first()?;
    match first {
        b'"' => string(after).map(|(_, after)| after),
        b'{' => object(after, depth.checked_sub(1)?),
        b'[' => list(after, depth.checked_sub(1)?),
        b't' => after.strip_prefix(b"rue"),
        b'f' => after.strip_prefix(b"alse"),
        b'-' => number(after).and_then(|(number, after)| (number != 0).then_some(after)),
        _ => number(rest).map(|(_, after)| after),
    }
}

/// What follows an object that is already open.
fn object(mut rest: &[u8], depth: u32) -> Option<&[u8]> {
    let mut last: &[u8] = b"";
    loop {
        let (name, after) = string(rest.strip_prefix(b"\"")?)?;
        // Names of plain characters sort as bytes as they do as UTF-16. A record has no others.
        let plain = name.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'));
        if !plain || name <= last {
            return None;
        }
        last = name;
        let (next, after) = value(after.strip_prefix(b":")?, depth)?.split_first()?;
        match next {
            b',' => rest = after,
            b'}' => return Some(after),
            _ => return None,
        }
    }
}

/// What follows a list that is already open.
fn list(mut rest: &[u8], depth: u32) -> Option<&[u8]> {
    loop {
        let (next, after) = value(rest, depth)?.split_first()?;
        match next {
            b',' => rest = after,
            b']' => return Some(after),
            _ => return None,
        }
    }
}

/// A string that is already open: what is between the quotes, and what follows.
fn string(open: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = open;
    loop {
        let plain = rest.iter().position(|byte| matches!(byte, 0..=0x1f | b'"' | b'\\'))?;
        let (first, after) = rest.split_at_checked(plain)?.1.split_first()?;
        match first {
            b'"' => {
                return Some((
                    open.split_at_checked(open.len().checked_sub(rest.len())?.checked_add(plain)?)?.0,
                    after,
                ));
            }
            b'\\' => rest = escape(after)?,
            _ => return None,
        }
    }
}

/// What follows an escape, if there is no shorter way to write that character.
fn escape(rest: &[u8]) -> Option<&[u8]> {
    match rest {
        [b'b' | b't' | b'n' | b'f' | b'r' | b'"' | b'\\', after @ ..] => Some(after),
        [b'u', b'0', b'0', b'0', b'0'..=b'7' | b'b' | b'e' | b'f', after @ ..] => Some(after),
        [b'u', b'0', b'0', b'1', b'0'..=b'9' | b'a'..=b'f', after @ ..] => Some(after),
        _ => None,
    }
}

/// A whole number without a sign, and what follows.
fn number(rest: &[u8]) -> Option<(u64, &[u8])> {
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, after) = rest.split_at_checked(digits)?;
    let leading = digits.first()? == &b'0' && digits.len() > 1;
    let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (!leading && number <= MAX_NUMBER).then_some((number, after))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::digest::canonical;

    const GOOD: [&str; 12] = [
        r#""""#,
        "0",
        "-1",
        "9007199254740991",
        "-9007199254740991",
        "true",
        "false",
        r#"{"a":1}"#,
        r#"{"a":1,"b":[1,"x",{"c":true}]}"#,
        r#""\b\t\n\f\r\"\\\u0000\u0007\u000b\u000e\u001f/é\u0010""#,
        "\"\u{7f}\u{2028}😀\"",
        "[[[[[[[[1]]]]]]]]",
    ];
    const BAD: [&str; 45] = [
        "",
        " 1",
        "1 ",
        "01",
        "-0",
        "-",
        "+1",
        "1.0",
        "1e3",
        "9007199254740992",
        "99999999999999999999",
        "null",
        "[]",
        "{}",
        "[1,]",
        "[1",
        "[,1]",
        "[1 ,2]",
        "tru",
        "nul",
        r#"{"a": 1}"#,
        r#"{"b":1,"a":1}"#,
        r#"{"a":1,"a":1}"#,
        r#"{"":1}"#,
        r#"{"A":1}"#,
        r#"{"é":1}"#,
        r#"{"a":1,}"#,
        r#"{"a"}"#,
        r#"{"a":1"#,
        r#"{a:1}"#,
        r#"{"a":null}"#,
        "\"a",
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
        "[[[[[[[[[1]]]]]]]]]",
        "1]",
    ];

    #[test]
    fn each_way_to_write_it_otherwise_is_refused() {
        for good in GOOD {
            assert!(is_canonical(good.as_bytes()), "{good}");
        }
        for bad in BAD {
            assert!(!is_canonical(bad.as_bytes()), "{bad}");
        }
        assert!(!is_canonical(b"\"\xff\"") && !is_canonical(b"\"\xed\xa0\x80\""));
    }

    proptest! {
        /// Another program's opinion: what it would write in the same way is in the form, everything else is not.
        #[test]
        fn it_agrees_with_the_library(text in r#"[\[\]{}:,"\\a-cu0-9tfn .-]{0,24}"#) {
            let parsed: Option<serde_json::Value> = serde_json::from_str(&text).ok();
            if let Some(written) = parsed.as_ref().and_then(|value| canonical(value).ok()) {
                prop_assert!(!is_canonical(text.as_bytes()) || written == text.as_bytes());
            } else {
                prop_assert!(!is_canonical(text.as_bytes()));
            }
        }

        #[test]
        fn every_text_and_number_that_the_library_writes_is_in_the_form(text in any::<String>(), number in 0..=MAX_NUMBER) {
            let value = serde_json::json!({"a": number, "b": [text.clone(), {"c": text}]});
            prop_assert!(is_canonical(&canonical(&value).unwrap()));
        }
    }
}
