//! Redaction: secrets leave a text before it is stored, shown or sent anywhere. SEC-9.
//!
//! Enters: words of a command, or any other text, of any length. Leaves: the same with [`MARKER`] where a secret
//! stood. One pass over the text; running it again changes nothing; where the end of a secret is in doubt, more is
//! taken and not less. The one exception is text for a shell, where a value ends where the shell ends it and a command
//! substitution is never taken: otherwise a "secret" would be the place to hide a command from whoever approves it.

mod flags;
mod names;
mod scan;
mod tokens;

use scan::{Reading, Scan};

/// What stands where a secret stood.
pub const MARKER: &str = "[REDACTED]";

/// Programs that run a text given after an option that ends in `c`, `e` or `r`.
const INTERPRETERS: [&str; 20] = [
    "ash", "bash", "busybox", "dash", "fish", "flock", "ksh", "lua", "mksh", "node", "perl", "php", "python", "ruby",
    "runuser", "script", "sh", "su", "toybox", "zsh",
];
/// Programs that hand all of their words to a shell.
const FORWARDERS: [&str; 4] = ["eval", "parallel", "ssh", "watch"];

/// Takes the secrets out of a text that is no shell's: a reason, a path, an error, a program's output.
#[must_use]
pub fn text(text: &str) -> String {
    Scan::new(text, Reading::Prose).run()
}

/// Takes the secrets out of the words of a command.
#[must_use]
pub fn words(words: &[String]) -> Vec<String> {
    let mut command = Command::default();
    words.iter().map(|word| command.word(word)).collect()
}

/// What the words so far say about the next one.
#[derive(Default)]
struct Command {
    program: Option<&'static flags::Program>,
    interpreter: bool,
    next: Next,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Next {
    #[default]
    Anything,
    Secret,
    /// This and every later word may be run by a shell or an interpreter.
    Code,
}

impl Command {
    fn word(&mut self, word: &str) -> String {
        match self.next {
            Next::Anything => {}
            Next::Code => return Scan::new(word, Reading::Shell).run(),
            Next::Secret => {
                self.next = Next::Anything;
                return MARKER.to_owned();
            }
        }
        if let Some(flag) = self.program.and_then(|program| program.flag(word)) {
            match flag {
                flags::Flag::Joined(flag) => return format!("{flag}{MARKER}"),
                flags::Flag::Next => self.next = Next::Secret,
            }
            return word.to_owned();
        }
        let shown = match assignment(word) {
            Some(name) => format!("{name}={MARKER}"),
            None => text(word),
        };
        self.learn(&shown);
        shown
    }

    fn learn(&mut self, word: &str) {
        let base = word.rsplit('/').next().unwrap_or(word);
        let bare = base.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        self.interpreter |= INTERPRETERS.contains(&bare);
        self.program = flags::program(base).or(self.program);
        let Some(flag) = word.strip_prefix('-') else {
            if FORWARDERS.contains(&bare) {
                self.next = Next::Code;
            }
            return;
        };
        if names::is_secret(flag.strip_prefix('-').unwrap_or(flag)) {
            self.next = Next::Secret;
        } else if self.interpreter && flag.ends_with(['c', 'e', 'r']) && flag.bytes().all(|b| b.is_ascii_alphanumeric())
        {
            self.next = Next::Code;
        }
    }
}

/// The part before `=` of a word that is a secret's assignment, so that all of the rest is its value.
fn assignment(word: &str) -> Option<&str> {
    let (name, value) = word.split_once('=')?;
    (!value.is_empty() && names::is_secret(name.trim_start_matches('-'))).then_some(name)
}

#[cfg(test)]
mod tests;
