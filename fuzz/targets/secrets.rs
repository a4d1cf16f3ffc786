//! Any text as prose, as words and as text for a shell, from which secrets go; the first line is one that is named.
//!
//! Enters: bytes. Leaves: nothing, or a crash: hiding twice hid more than once, or something of what was named is left.

#![no_main]

use countersign_core::redact::Secrets;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let (first, rest) = text.split_once('\n').unwrap_or(("", &text));
    let named = Secrets::new(&[first.to_owned()]).ok();
    let secrets = named.clone().unwrap_or_default();
    let once = secrets.text(rest);
    assert_eq!(secrets.text(&once), once);
    let shell = ["sh", "-c", rest].map(str::to_owned);
    let words: Vec<String> = rest.split('\n').map(str::to_owned).collect();
    for words in [&shell[..], &words] {
        let once = secrets.words(words);
        assert_eq!(secrets.words(&once), once);
        assert!(named.is_none() || once.iter().all(|word| !word.contains(first)));
    }
    assert!(named.is_none() || !once.contains(first));
});
