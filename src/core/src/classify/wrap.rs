//! Wrappers: commands, shell text and code inside a command, and the environment they get.
//!
//! Enters: the inner words or text. Leaves: findings one level deeper. A wrapper adds to what is inside, never takes
//! away. Every descent is counted in levels and in bytes, and passing a bound is a denial.

use super::findings::Finding;
use super::kind::Word;
use super::sensitive::Reach;
use super::shell::{self, Joint, Simple};
use super::weigh::{Examiner, Part, Scene};
use super::{MAX_DEPTH, expression, opaque};
use crate::path::CleanPath;
use crate::profile::ProfileName;
use crate::tier::{Ruling, Tier};

/// Programs that run others as another user, with other rights or in another system: at least T2 however spelled,
/// whatever a table says. `machinectl` is not here because most of it reads; its `shell` is T2 by its table.
const PRIVILEGE_TOOLS: [&str; 23] = [
    "sudo",
    "sudo-rs",
    "sudoedit",
    "doas",
    "pkexec",
    "su",
    "su-rs",
    "run0",
    "runuser",
    "setpriv",
    "systemd-run",
    "nsenter",
    "unshare",
    "chroot",
    "capsh",
    "sg",
    "newgrp",
    "gosu",
    "su-exec",
    "setuidgid",
    "firejail",
    "bwrap",
    "systemd-nspawn",
];

/// Environment names that no program takes for more than language, time zone and terminal.
const HARMLESS: [&str; 9] =
    ["LANG", "LANGUAGE", "TZ", "TERM", "COLUMNS", "LINES", "NO_COLOR", "CLICOLOR", "DEBIAN_FRONTEND"];

/// What a person is told of a text beyond the bounds.
const TOO_MUCH: &str = "More shell text or code, or more words in it, than are read.";

/// Whether this is a privilege tool.
pub(super) fn is_privilege_tool(name: &str) -> bool {
    PRIVILEGE_TOOLS.contains(&name)
}

impl Examiner<'_> {
    /// Names that are put into the environment.
    pub(super) fn environment<'n>(&mut self, names: impl IntoIterator<Item = &'n str>, depth: u16) {
        for name in names {
            if !HARMLESS.contains(&name) && !name.starts_with("LC_") {
                let says = "Sets an environment variable that programs or loaders may obey.";
                self.fire("environment", Ruling::Tier(Tier::T2), says, vec![name], depth);
            }
        }
    }

    /// A command inside a command.
    pub(super) fn inner(&mut self, words: &[Word<'_>], scene: &Scene) {
        self.command(words, &Scene { depth: scene.depth.saturating_add(1), searched: true, ..scene.clone() });
    }

    /// Words that a program joins with blanks and hands to a shell.
    pub(super) fn shell_words(&mut self, words: &[Word<'_>], scene: &Scene) {
        match words {
            [only] => self.shell(&only.text, scene),
            many => {
                let text: Vec<&str> = many.iter().map(|word| &*word.text).collect();
                self.shell(&text.join(" "), scene);
            }
        }
    }

    /// Shell text.
    fn shell(&mut self, text: &str, scene: &Scene) {
        let depth = scene.depth.saturating_add(1);
        if depth > MAX_DEPTH {
            return self.fire(
                "limit.nesting",
                Ruling::Deny,
                "More than 64 wrappers and shells inside each other.",
                vec![text],
                depth,
            );
        }
        let script = shell::parse(text);
        let words = script.commands.iter().map(|command| command.words.len()).sum();
        if script.too_long || !self.spend(text.len(), words) {
            return self.fire("limit.text", Ruling::Deny, TOO_MUCH, vec![text], depth);
        }
        let mut here = Scene { depth, doubted: false, searched: false, ..scene.clone() };
        let mut moved = false;
        for command in &script.commands {
            match changed_directory(command) {
                Some(target) => {
                    self.fire(
                        "shell.cd",
                        Ruling::Tier(Tier::T0),
                        "Changes the shell's own directory.",
                        vec!["cd", target],
                        depth,
                    );
                    here.cwd = moved_to(here.cwd, target);
                    moved = true;
                }
                None => self.simple(command, &here),
            }
            // What follows runs there for certain only if it runs because the change succeeded.
            here.settled &= !moved || command.then == Joint::And;
        }
        if let Some(offset) = script.stop {
            self.opaque_shell(text, offset, &Scene { depth, ..scene.clone() });
        }
    }

    fn opaque_shell(&mut self, text: &str, offset: usize, scene: &Scene) {
        let says = "Shell text that is not understood from this byte on.";
        let rest = text.get(offset..).unwrap_or_default();
        let finding = Finding {
            rule: "shell.opaque",
            ruling: Ruling::Tier(Tier::T2),
            profile: &ProfileName::system(),
            says,
            words: vec![rest],
            depth: scene.depth,
            offset: Some(offset),
        };
        self.findings.add(&finding);
        self.scan(text, scene);
    }

    /// Code in a language that is not understood.
    pub(super) fn code(&mut self, text: &str, scene: &Scene) {
        if !self.spend(text.len(), 0) {
            return self.fire("limit.text", Ruling::Deny, TOO_MUCH, vec![text], scene.depth);
        }
        self.fire("code", Ruling::Tier(Tier::T2), "Runs code that is not understood.", vec![text], scene.depth);
        self.scan(text, scene);
    }

    fn scan(&mut self, text: &str, scene: &Scene) {
        let Some(found) = opaque::scan(self.rules, text, scene.cwd.as_ref()) else {
            return self.fire("limit.text", Ruling::Deny, TOO_MUCH, vec![text], scene.depth);
        };
        self.deny(found.denied, vec![text], scene.depth);
        if expression::destroys_data(text) {
            let says = "Seems to drop or empty what a database holds.";
            self.fire("code.destroys", Ruling::Tier(Tier::T3), says, vec![text], scene.depth);
        }
        self.raise_to(found.strictest, &[Word::literal(text)], scene.depth);
        let inside = Scene {
            depth: scene.depth.saturating_add(1),
            doubted: true,
            searched: false,
            settled: false,
            ..scene.clone()
        };
        for rough in found.commands {
            let part = Part { base: Tier::T2, reach: Reach::Itself, remote: false, scene: &inside };
            for file in &rough.written {
                self.write(file, &part);
            }
            self.command(&rough.words, &inside);
        }
    }

    fn simple(&mut self, command: &Simple<'_>, scene: &Scene) {
        for assignment in &command.assignments {
            self.environment([assignment.text.split('=').next().unwrap_or_default()], scene.depth);
        }
        for redirection in &command.redirections {
            let part = Part { base: Tier::T0, reach: Reach::Itself, remote: false, scene };
            if redirection.writes { self.write(&redirection.path, &part) } else { self.read(&redirection.path, &part) }
        }
        let empties = matches!(command.words.as_slice(), [])
            || matches!(command.words.as_slice(), [only] if matches!(&*only.text, ":" | "true"));
        if empties && let Some(file) = command.redirections.iter().find(|file| file.writes) {
            let says = "Empties a file: nothing is written to it.";
            self.fire("write.empty", Ruling::Tier(Tier::T2), says, vec![&file.path.text], scene.depth);
        }
        self.command(&command.words, scene);
    }
}

/// Where a change of directory leads.
pub(super) fn moved_to(cwd: Option<CleanPath>, target: &str) -> Option<CleanPath> {
    match cwd {
        Some(cwd) => cwd.join(target).ok(),
        None => CleanPath::new(target).ok(),
    }
}

/// The directory of a plain `cd DIRECTORY`.
fn changed_directory<'c>(command: &'c Simple<'_>) -> Option<&'c str> {
    let [cd, target] = command.words.as_slice() else { return None };
    let plain = *cd.text == *"cd" && !target.wild && !target.text.is_empty() && !target.text.starts_with('-');
    let alone = command.assignments.is_empty()
        && command.redirections.is_empty()
        && matches!(command.then, Joint::And | Joint::Sequence | Joint::End);
    let sound = CleanPath::new("/").and_then(|root| root.join(&target.text)).is_ok();
    (plain && alone && sound).then_some(&*target.text)
}
