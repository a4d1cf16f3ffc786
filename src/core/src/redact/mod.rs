//! Redaction: secrets leave a text before it is stored, shown or sent anywhere. SEC-9.
//!
//! Enters: words of a command, or any other text, of any length. Leaves: the same with [`MARKER`] where a secret
//! stood. What looks like a secret is found by its name, its place or its form, what a caller names as one by its value
//! ([`Secrets`]). One pass over the text; running it again changes nothing; where the end of a secret is in doubt, more is
//! taken and not less. The one exception is text for a shell, where a value ends where the shell ends it and a command
//! substitution is never taken: otherwise a "secret" would be the place to hide a command from whoever approves it.

mod command;
mod exact;
mod names;
mod programs;
mod scan;
mod shell;
mod tokens;

use command::Command;
pub use exact::{MAX_SECRET, MAX_SECRETS, MIN_SECRET, Secrets, SecretsError};
use scan::{Reading, Scan};

/// What stands where a secret stood.
pub const MARKER: &str = "[REDACTED]";

/// How often a text for a shell is gone through until nothing more is found; a text that is still not done goes whole.
const ROUNDS: usize = 8;

/// Takes the secrets out of a text that is no shell's: a reason, a path, an error, a program's output.
#[must_use]
pub fn text(text: &str) -> String {
    Scan::new(text, Reading::Prose).run()
}

/// Takes the secrets out of the words of a command.
#[must_use]
pub fn words(words: &[String]) -> Vec<String> {
    words_after(words.iter())
}

fn words_after<W: AsRef<str>>(words: impl Iterator<Item = W>) -> Vec<String> {
    let mut command = Command::default();
    words.map(|word| command.word(word.as_ref())).collect()
}

/// Takes the secrets out of a text that a shell may run. What is taken from one place may show a secret in another,
/// since a shell's quotation marks are only understood together.
fn shell(text: &str) -> String {
    let mut shown = text.to_owned();
    for _ in 0..ROUNDS {
        let next = Scan::new(&shell::hide(&shown), Reading::Shell).run();
        if next == shown {
            return shown;
        }
        shown = next;
    }
    MARKER.to_owned()
}

#[cfg(test)]
mod tests;
