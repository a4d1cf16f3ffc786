//! Operands: what a word does, by its kind. Paths are cleaned by words alone and compared with sensitive places.
//!
//! Enters: a kind and its words. Leaves: findings and targets. A file that is written is T1 only where its path can be
//! said exactly; where it cannot, it is T2.

use std::rc::Rc;

use super::kind::{Kind, Thing, Word};
use super::sensitive::{self, Reach, Touched, Use};
use super::weigh::{Examiner, Part, Scene};
use super::{deny, expression};
use crate::path::CleanPath;
use crate::target::{Access, TargetKind};
use crate::tier::{Ruling, Tier};

/// What a change of everything below a path is made to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reaches {
    /// What the path is made to hold: the path says it.
    Named,
    /// Whatever is there already: nobody can say what.
    Existing,
}

/// What `bash` does not take for a file.
fn opens_connection(path: &str) -> bool {
    path.starts_with("/dev/tcp/") || path.starts_with("/dev/udp/")
}

/// Whether a program that knows other machines takes the word for a path on one: a colon before any slash.
fn is_elsewhere(word: &str, part: &Part<'_>) -> bool {
    part.remote && word.split_once(':').is_some_and(|(host, _)| !host.is_empty() && !host.contains('/'))
}

impl Examiner<'_> {
    /// Weighs words of one kind. All kinds but commands and shell text have one word.
    pub(super) fn weigh(&mut self, kind: &Kind, words: &[Word<'_>], part: &Part<'_>) {
        let Some(word) = words.first() else { return };
        if kind.is_code() && words.iter().any(|word| part.scene.found_by(word).is_some()) {
            let says = "Puts the names of files into code, where they can do anything.";
            self.fire("code", Ruling::Tier(Tier::T2), says, vec![&word.text], part.scene.depth);
        }
        match kind {
            Kind::Text | Kind::Number | Kind::Format | Kind::Key | Kind::Choice(_) => {}
            Kind::Assignment => self.environment([word.text.split('=').next().unwrap_or_default()], part.scene.depth),
            Kind::Read => self.read(word, part),
            Kind::Meta | Kind::Directory => self.look(word, part),
            Kind::Write => self.change(word, Reaches::Named, part),
            Kind::Attributes => self.change(word, Reaches::Existing, part),
            Kind::Remove => self.remove(word, &[&word.text], part),
            Kind::Mode => self.mode(&word.text, part),
            Kind::Script => self.script(word, part),
            Kind::Thing(thing) => self.thing(*thing, word, part),
            Kind::Awk if expression::is_plain_awk(&word.text) => {}
            Kind::Sed if expression::is_plain_sed(&word.text) => {}
            Kind::Awk | Kind::Sed | Kind::Code => self.code(&word.text, part.scene),
            Kind::Shell => self.shell_words(words, part.scene),
            Kind::Command | Kind::CommandUntil => self.inner(words, part.scene),
        }
    }

    fn thing(&mut self, thing: Thing, word: &Word<'_>, part: &Part<'_>) {
        self.findings.target(thing.target(), &word.text, part.access());
    }

    /// The absolute path that a word means, if it can be said.
    fn place(word: &Word<'_>, part: &Part<'_>) -> Option<CleanPath> {
        match part.scene.cwd.as_ref().filter(|_| part.scene.settled) {
            Some(cwd) => cwd.join(&word.text).ok(),
            None => CleanPath::new(&word.text).ok(),
        }
    }

    /// A word that may be any path below some others.
    fn anywhere_below(&mut self, starts: &[CleanPath], access: Use, part: &Part<'_>) {
        for start in starts {
            let word = Word { text: start.as_str().into(), wild: true };
            self.touch(start, &word, access, &Part { reach: Reach::Below, ..*part });
            let access = if access == Use::Read { Access::Read } else { Access::Write };
            self.findings.target(TargetKind::Path, start.as_str(), access);
        }
    }

    fn look(&mut self, word: &Word<'_>, part: &Part<'_>) {
        if is_elsewhere(&word.text, part) {
            return self.connects(word, part.scene.depth);
        }
        if part.scene.found_by(word).is_some() {
            return;
        }
        if let Some(path) = Self::place(word, part) {
            self.findings.target(TargetKind::Path, path.as_str(), Access::Read);
        }
    }

    pub(super) fn read(&mut self, word: &Word<'_>, part: &Part<'_>) {
        if is_elsewhere(&word.text, part) {
            return self.connects(word, part.scene.depth);
        }
        if word.text.contains("://") || opens_connection(&word.text) {
            let says = "Reads from the network.";
            self.fire("network.url", Ruling::Tier(Tier::T2), says, vec![&word.text], part.scene.depth);
        }
        if let Some(starts) = part.scene.found_by(word) {
            return self.anywhere_below(&starts, Use::Read, part);
        }
        let Some(path) = Self::place(word, part) else {
            let says = "Reads a path that cannot be told, because the working directory may have changed.";
            return self.fire("path.unknown", Ruling::Tier(Tier::T2), says, vec![&word.text], part.scene.depth);
        };
        self.touch(&path, word, Use::Read, part);
        self.findings.target(TargetKind::Path, path.as_str(), Access::Read);
    }

    fn connects(&mut self, word: &Word<'_>, depth: u16) {
        let says = "Opens a connection to another machine.";
        self.fire("network.url", Ruling::Tier(Tier::T2), says, vec![&word.text], depth);
    }

    /// The rules of sensitive places.
    fn touch(&mut self, path: &CleanPath, word: &Word<'_>, access: Use, part: &Part<'_>) -> Option<Touched> {
        if word.wild && !self.spend_glob() {
            let says = "More paths with globs than are compared with sensitive places.";
            self.fire("limit.globs", Ruling::Deny, says, vec![&word.text], part.scene.depth);
            return None;
        }
        let found = sensitive::touched(path.as_str(), word.wild, access, part.reach)?;
        self.fire(found.rule(), found.ruling, found.says(access), vec![&word.text], part.scene.depth);
        Some(found)
    }

    /// A path that is written, with everything below it if the program is told so.
    pub(super) fn write(&mut self, word: &Word<'_>, part: &Part<'_>) {
        self.change(word, Reaches::Named, part);
    }

    fn change(&mut self, word: &Word<'_>, reaches: Reaches, part: &Part<'_>) {
        let depth = part.scene.depth;
        let path = Self::place(word, part);
        self.findings.count_write();
        if opens_connection(&word.text) || is_elsewhere(&word.text, part) {
            return self.connects(word, depth);
        }
        if let Some(starts) = part.scene.found_by(word) {
            self.inexact(vec![&word.text], depth);
            return self.anywhere_below(&starts, Use::Write, part);
        }
        if path.as_ref().is_some_and(|path| sensitive::is_sink(path.as_str())) {
            return;
        }
        if part.base < Tier::T1 {
            self.fire("write-file", Ruling::Tier(Tier::T1), "Creates or changes a file.", vec![&word.text], depth);
        }
        let Some(path) = path else { return self.inexact(vec![&word.text], depth) };
        let hit = deny::write(path.as_str(), word.wild);
        self.deny(hit, vec![&word.text], depth);
        let touched = self.touch(&path, word, Use::Write, part);
        let holds = || sensitive::touched(path.as_str(), word.wild, Use::Write, Reach::Below).is_some();
        if part.base < Tier::T2 && touched.is_none() && holds() {
            let says = "Writes to a directory that holds sensitive places.";
            self.fire("write.directory", Ruling::Tier(Tier::T2), says, vec![&word.text], depth);
        }
        let room = self.findings.target(TargetKind::Path, path.as_str(), Access::Write);
        let exact = room && !word.wild && (part.reach == Reach::Itself || reaches == Reaches::Named);
        if !exact && part.base < Tier::T2 {
            self.inexact(vec![&word.text], depth);
        }
    }

    /// What is written cannot be said exactly, so it is not T1.
    pub(super) fn inexact(&mut self, words: Vec<&str>, depth: u16) {
        let says = "What is written cannot be said exactly.";
        self.fire("write.inexact", Ruling::Tier(Tier::T2), says, words, depth);
    }

    fn remove(&mut self, word: &Word<'_>, shown: &[&str], part: &Part<'_>) {
        let found = part.scene.found_by(word);
        let wide = word.wild || part.reach == Reach::Below || found.is_some();
        let kept = || match &found {
            Some(starts) => !starts.iter().all(|start| sensitive::is_scratch(&format!("{start}/{{}}"))),
            None => !Self::place(word, part).is_some_and(|path| sensitive::is_scratch(path.as_str())),
        };
        if wide && kept() {
            let says = "Removes more than one named file, for good.";
            self.fire("remove.many", Ruling::Tier(Tier::T3), says, shown.to_vec(), part.scene.depth);
        }
        self.write(word, &Part { base: part.base.max(Tier::T2), ..*part });
    }

    /// A flag removes everything that is found below some paths.
    pub(super) fn removed(&mut self, below: &Rc<[CleanPath]>, flag: &[&str], part: &Part<'_>) {
        let scene = Scene { found: Some(Rc::clone(below)), ..part.scene.clone() };
        let found = Word { text: "{}".into(), wild: false };
        self.remove(&found, flag, &Part { scene: &scene, ..*part });
    }

    /// A script that is run: it is read, and what it does is not known.
    fn script(&mut self, word: &Word<'_>, part: &Part<'_>) {
        self.read(word, part);
        let says = "Runs a script whose content is not looked at.";
        self.fire("script", Ruling::Tier(Tier::T2), says, vec![&word.text], part.scene.depth);
    }

    /// A permission mode: what gives a program its owner's rights, or everybody the right to write, is not small.
    fn mode(&mut self, text: &str, part: &Part<'_>) {
        let octal = u32::from_str_radix(text, 8).ok();
        let adds = |clause: &str| clause.split(['+', '=']).nth(1).unwrap_or_default().to_owned();
        let symbolic = |wanted: fn(&str, &str) -> bool| {
            octal.is_none()
                && text
                    .split(',')
                    .any(|clause| wanted(clause.split(['+', '-', '=']).next().unwrap_or_default(), &adds(clause)))
        };
        let privileged = octal.is_some_and(|mode| mode & 0o6000 != 0) || symbolic(|_, rights| rights.contains('s'));
        let for_all = |who: &str, rights: &str| rights.contains('w') && (who.contains(['o', 'a']) || who.is_empty());
        let open = octal.is_some_and(|mode| mode & 0o002 != 0) || symbolic(for_all);
        if privileged {
            let says = "Lets whoever runs the file act as its owner.";
            self.fire("mode.privileged", Ruling::Tier(Tier::T3), says, vec![text], part.scene.depth);
        } else if open {
            let says = "Lets every user of the machine write to it.";
            self.fire("mode.open", Ruling::Tier(Tier::T2), says, vec![text], part.scene.depth);
        }
    }
}
