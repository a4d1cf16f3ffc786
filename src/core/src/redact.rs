//! (interface first)
/// x
pub const MARKER: &str = "[REDACTED]";
/// x
#[must_use]
pub fn text(text: &str) -> String {
    text.to_owned()
}
/// x
#[must_use]
pub fn words(words: &[String]) -> Vec<String> {
    words.to_vec()
}
