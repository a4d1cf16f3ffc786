//! Spots: where in a text something is wrong, as the line and the column that an editor goes to.
//!
//! Enters: a text, and a byte or the way to a value in it. Leaves: line and column. Every kind of policy file says by this
//! where a mistake is; it must never fail because the text is not what it should be.

use toml::de::{DeTable, DeValue};

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    /// The line, from 1.
    pub line: usize,
    /// The column in bytes, from 1.
    pub column: usize,
}

/// One step on the way to a value in a TOML file.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step<'a> {
    /// Into a table.
    Key(&'a str),
    /// Into an array, from 0.
    Member(usize),
}

impl Spot {
    /// Where the byte of this number is, from 0.
    #[must_use]
    pub fn at_byte(text: &[u8], byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let lines = before.iter().filter(|byte| **byte == b'\n').count();
        let column = before.rsplit(|byte| *byte == b'\n').next().map_or(0, <[u8]>::len);
        Self { line: lines.saturating_add(1), column: column.saturating_add(1) }
    }

    /// Where the reader of a TOML text stopped.
    pub(crate) fn of_toml(text: &str, error: &toml::de::Error) -> Self {
        Self::at_byte(text.as_bytes(), error.span().map_or(0, |span| span.start))
    }

    /// Where the value begins that the steps lead to, or the last one of them that is there.
    pub(crate) fn of_value(text: &str, steps: &[Step<'_>]) -> Self {
        Self::at_byte(text.as_bytes(), start_of(text, steps))
    }
}

/// Every text that stands under this key in a TOML file, alone or in a list, at whatever depth, in the order of the file.
pub(crate) fn texts_under(text: &str, key: &str) -> Vec<(String, Spot)> {
    let mut found = Vec::new();
    if let Ok(table) = DeTable::parse(text) {
        gather(&DeValue::Table(table.into_inner()), 0, key, false, &mut found);
    }
    found.sort_unstable_by_key(|(_, start)| *start);
    found.into_iter().map(|(word, start)| (word, Spot::at_byte(text.as_bytes(), start))).collect()
}

/// `under` if what is looked at stands under the key itself.
fn gather(value: &DeValue<'_>, start: usize, key: &str, under: bool, found: &mut Vec<(String, usize)>) {
    match value {
        DeValue::String(word) if under => found.push((word.to_string(), start)),
        DeValue::Array(members) => {
            members.iter().for_each(|member| gather(member.get_ref(), member.span().start, key, under, found));
        }
        DeValue::Table(table) => {
            for (name, value) in table {
                gather(value.get_ref(), value.span().start, key, name.get_ref() == key, found);
            }
        }
        DeValue::String(_) | DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {}
    }
}

/// What the reader of a TOML text has to say, in words for people who never saw its code.
pub(crate) fn said(error: &toml::de::Error) -> String {
    const PLAINLY: [(&str, &str); 8] = [
        (" as i128", ""),
        ("expected u64", "expected a whole number that is not negative"),
        ("expected u32", "expected a whole number from 0 to 4294967295"),
        ("expected u8", "expected a whole number from 0 to 255"),
        ("expected a sequence", "expected a list"),
        ("invalid type: sequence", "invalid type: list"),
        ("invalid type: map", "invalid type: table"),
        ("unknown variant", "unknown word"),
    ];
    PLAINLY.iter().fold(error.message().to_owned(), |text, (from, to)| text.replace(from, to))
}

/// Where in a text that was read before a value begins; 0 where not even the first step is there.
fn start_of(text: &str, steps: &[Step<'_>]) -> usize {
    let Ok(table) = DeTable::parse(text) else { return 0 };
    let mut start = 0;
    let mut here = DeValue::Table(table.into_inner());
    for step in steps {
        let next = match (step, &here) {
            (Step::Key(key), DeValue::Table(table)) => table.get(*key),
            (Step::Member(index), DeValue::Array(members)) => members.get(*index),
            (Step::Key(_) | Step::Member(_), _) => None,
        };
        let Some(next) = next.cloned() else { return start };
        start = next.span().start;
        here = next.into_inner();
    }
    start
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spot(line: usize, column: usize) -> Spot {
        Spot { line, column }
    }

    #[test]
    fn lines_and_columns_begin_at_one_and_columns_count_bytes() {
        for (text, byte, expected) in [
            ("", 0, spot(1, 1)),
            ("ab", 1, spot(1, 2)),
            ("ab\n", 2, spot(1, 3)),
            ("ab\n", 3, spot(2, 1)),
            ("a\n\nü=x", 5, spot(3, 3)),
            ("ab", 99, spot(1, 3)),
        ] {
            assert_eq!(Spot::at_byte(text.as_bytes(), byte), expected, "{text:?} {byte}");
        }
    }

    #[test]
    fn a_value_is_found_by_its_way_and_what_is_missing_by_what_is_there() {
        use Step::{Key, Member};
        let text = "a = 1\n[b]\nc = [\n  { d = 2 },\n  { d = 3 },\n]\n";
        for (steps, expected) in [
            (&[Key("a")][..], spot(1, 5)),
            (&[Key("b"), Key("c"), Member(1), Key("d")], spot(5, 9)),
            (&[Key("b"), Key("c"), Member(1), Key("e")], spot(5, 3)),
            (&[Key("b"), Key("x")], spot(2, 1)),
            (&[Key("x")], spot(1, 1)),
            (&[Member(0)], spot(1, 1)),
        ] {
            assert_eq!(Spot::of_value(text, steps), expected, "{steps:?}");
        }
        assert_eq!(Spot::of_value("not = [toml", &[Key("not")]), spot(1, 1));
    }

    #[test]
    fn texts_are_found_under_their_key_at_any_depth() {
        let text = "profile = 'a'\n[[p]]\nother = 'b'\nsub = [{ profile = 'c' }]\nprofile = ['d', ['e'], 5]\n";
        let found: Vec<_> = texts_under(text, "profile").into_iter().map(|(word, spot)| (word, spot.line)).collect();
        let expected = [("a", 1), ("c", 4), ("d", 5), ("e", 5)].map(|(word, line)| (word.to_owned(), line));
        assert_eq!(found, expected);
        assert_eq!(texts_under("not = [toml", "not"), []);
    }

    proptest! {
        #[test]
        fn a_spot_is_always_within_the_text(text in "[a-zü\n]{0,40}", byte in 0_usize..60) {
            let Spot { line, column } = Spot::at_byte(text.as_bytes(), byte);
            let length = text.split('\n').nth(line.saturating_sub(1)).map(str::len);
            prop_assert!(line >= 1 && length.is_some_and(|length| (1..=length.saturating_add(1)).contains(&column)));
        }
    }
}
