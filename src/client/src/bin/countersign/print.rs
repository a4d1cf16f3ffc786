//! Printing: the only place that writes to stdout and stderr.
//!
//! Enters: text that is already inert, and values. Leaves: lines. JSON leaves as ASCII, so that not even a program
//! that shows it raw lets a terminal obey it. Every write can fail, and says so instead of panicking.

use std::io::{self, Write as _};

use serde::Serialize;

use crate::complaint::Complaint;

/// One line on stdout.
pub(crate) fn line(text: &str) -> Result<(), Complaint> {
    Ok(writeln!(io::stdout().lock(), "{text}")?)
}

/// One line on stderr, as this program's.
pub(crate) fn error(sentence: &str) -> Result<(), Complaint> {
    Ok(writeln!(io::stderr().lock(), "countersign: {sentence}")?)
}

/// A value on stdout, as one line of JSON.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<(), Complaint> {
    line(&ascii(value)?)
}

/// A value as one line of JSON in ASCII.
pub(crate) fn ascii<T: Serialize>(value: &T) -> Result<String, Complaint> {
    let text = serde_json::to_string(value).map_err(io::Error::from)?;
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Ok(text);
    }
    Ok(text.chars().map(escaped).collect())
}

/// Outside of strings JSON has no character that this changes, and inside them this is how any may be written.
fn escaped(character: char) -> String {
    if matches!(character, ' '..='~') {
        return character.to_string();
    }
    let mut units = [0; 2];
    character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        let text = ascii(&"a\u{1b}[2J\u{7f}\u{9b}\u{202e}é\u{1f600}").unwrap();
        assert_eq!(text, r#""a\u001b[2J\u007f\u009b\u202e\u00e9\ud83d\ude00""#);
    }

    proptest! {
        #[test]
        fn json_in_ascii_says_the_same(text in any::<String>()) {
            let shown = ascii(&text).unwrap();
            prop_assert!(shown.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            prop_assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
        }
    }
}
