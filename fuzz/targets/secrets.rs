//! Any text as prose, as words and as text for a shell, from which secrets go; the first line is one that is named.
//!
//! Enters: bytes. Leaves: nothing, or a crash: it did not come to an end, a word was lost, or something of what was named is
//! left, at first or when what was hidden comes by again. That hiding twice is hiding once is held for pieces of what is looked for
//! (`src/core/src/redact/tests.rs`); of any bytes at all it is not true: what is shortened may then read as the begin of a key.

#![no_main]

use countersign_core::redact::Secrets;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let (first, rest) = text.split_once('\n').unwrap_or(("", &text));
    let named = Secrets::new(&[first.to_owned()]).ok();
    let secrets = named.clone().unwrap_or_default();
    let once = secrets.text(rest);
    let twice = secrets.text(&once);
    let shell = ["sh", "-c", rest].map(str::to_owned);
    let words: Vec<String> = rest.split('\n').map(str::to_owned).collect();
    for words in [&shell[..], &words] {
        let once = secrets.words(words);
        let twice = secrets.words(&once);
        assert_eq!((once.len(), twice.len()), (words.len(), words.len()));
        assert!(named.is_none() || once.iter().chain(&twice).all(|word| !word.contains(first)));
    }
    assert!(named.is_none() || (!once.contains(first) && !twice.contains(first)));
});
