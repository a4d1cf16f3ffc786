//! Words: the sentences of this program in the language of whoever reads them.
//!
//! Enters: an English sentence, and where it has places for values, those. Leaves: the same in German or French where
//! LC_ALL, LC_MESSAGES or LANG say so and `po/` has it, else as it came. What programs read is never translated.

use std::collections::BTreeMap;
use std::sync::OnceLock;

/// The catalogues; the same files become what polkit's dialogs are translated with.
const CATALOGUES: [(&str, &str); 2] =
    [("de", include_str!("../../../../../po/de.po")), ("fr", include_str!("../../../../../po/fr.po"))];

/// What each code means, for where the sentence beside it is not translated.
const CODES: [(&str, &str); 27] = [
    ("InvalidRequest", "The request is not valid."),
    ("AccessDenied", "You may not do that."),
    ("Denied", "Policy denies it."),
    ("ModeCeiling", "The server's mode does not allow it."),
    ("NeedsApproval", "A human must approve it."),
    ("Refused", "A human refused it."),
    ("Expired", "Its time is over."),
    ("Changed", "What would run, or the policy, has changed."),
    ("Stopped", "The broker is stopped."),
    ("Held", "The broker is on hold."),
    ("OverBudget", "A limit is reached."),
    ("NoApprover", "Nobody who could approve can be asked."),
    ("Cancelled", "The request was taken back."),
    ("AuditUnavailable", "The record cannot be written or read."),
    ("SandboxUnavailable", "The sandbox cannot be enforced."),
    ("LaunchFailed", "The program could not be started."),
    ("Internal", "Something failed that should not."),
    ("WrongDigest", "The digest is missing or is not that of the request."),
    ("AlreadyDecided", "Somebody decided on it before."),
    ("SelfApproval", "Who asked may not approve."),
    ("NoSuchRequest", "There is no such request."),
    ("PolicyInvalid", "The policy's files are not right."),
    ("Void", "A step before it failed."),
    ("Unmet", "The machine is not as a rule asks."),
    ("Drift", "It ran well, and the machine is not as a rule expects after it."),
    ("Silenced", "It is not answered for a while."),
    ("Unreachable", "The broker cannot be reached."),
];

/// Sentences by their English form.
type Catalogue = BTreeMap<String, String>;

/// The sentence in the reader's language.
pub(crate) fn say(sentence: &str) -> String {
    catalogue().get(sentence).cloned().unwrap_or_else(|| sentence.to_owned())
}

/// The same with every `{name}` replaced. Values are inert already.
pub(crate) fn fill(sentence: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(say(sentence), |said, (name, value)| said.replace(&format!("{{{name}}}"), value))
}

/// A sentence of the broker's: translated, or after a translation of what its code means.
pub(crate) fn explained(code: &str, sentence: &str) -> String {
    told(catalogue(), code, sentence)
}

fn told(catalogue: &Catalogue, code: &str, sentence: &str) -> String {
    let meaning = CODES.iter().find(|(name, _)| *name == code).and_then(|(_, meaning)| catalogue.get(*meaning));
    match (catalogue.get(sentence), meaning) {
        (Some(translated), _) => translated.clone(),
        (None, Some(meaning)) => format!("{meaning} [{sentence}]"),
        (None, None) => sentence.to_owned(),
    }
}

fn catalogue() -> &'static Catalogue {
    static READ: OnceLock<Catalogue> = OnceLock::new();
    READ.get_or_init(|| {
        let said = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(|name| std::env::var(name).ok());
        text_of(said.collect()).map(parse).unwrap_or_default()
    })
}

/// The first variable that says anything counts (locale(7)).
fn text_of(said: Vec<String>) -> Option<&'static str> {
    let locale = said.into_iter().find(|value| !value.is_empty())?;
    let language = locale.split(['_', '.', '@']).next().unwrap_or_default().to_owned();
    CATALOGUES.iter().find(|(name, _)| *name == language).map(|(_, text)| *text)
}

/// Reads a catalogue (the form of gettext, without plurals and contexts); the header has no English form and is none.
fn parse(text: &str) -> Catalogue {
    let mut all = Catalogue::new();
    let mut entry = (String::new(), String::new());
    let mut translated = false;
    for line in text.lines().chain([""]) {
        let rest = match (line.strip_prefix("msgid "), line.strip_prefix("msgstr ")) {
            (Some(rest), _) => {
                translated = false;
                rest
            }
            (None, Some(rest)) => {
                translated = true;
                rest
            }
            (None, None) => line,
        };
        match rest.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            Some(words) if translated => entry.1.push_str(&plain(words)),
            Some(words) => entry.0.push_str(&plain(words)),
            None => {
                let (english, said) = std::mem::take(&mut entry);
                if !english.is_empty() {
                    all.insert(english, said);
                }
            }
        }
    }
    all
}

fn plain(words: &str) -> String {
    words.replace(r"\n", "\n").replace(r#"\""#, "\"").replace(r"\\", r"\")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use countersign_core::caller::Uid;
    use countersign_core::code::Code;
    use countersign_core::text::{Steering, dialog_messages};

    use super::*;

    const POLICY: &str = include_str!("../../../../../polkit/org.countersign.policy");
    /// Every file of this program, where a sentence must stand that a catalogue has.
    const SOURCES: [&str; 8] = [
        include_str!("clear.rs"),
        include_str!("control.rs"),
        include_str!("decide.rs"),
        include_str!("ended.rs"),
        include_str!("requests.rs"),
        include_str!("run.rs"),
        include_str!("status.rs"),
        include_str!("words.rs"),
    ];

    /// What polkit shows.
    fn of_dialogs() -> BTreeSet<String> {
        let acts = [Steering::Hold, Steering::Resume, Steering::ClearTaint(Uid::ROOT), Steering::Reload];
        let tagged = ["description", "message"].into_iter().flat_map(|tag| {
            let begin = format!("<{tag} gettext-domain=\"countersign\">");
            POLICY.split(&begin).skip(1).filter_map(|rest| rest.split("</").next()).collect::<Vec<_>>()
        });
        let all = tagged.chain(acts.map(Steering::message)).map(str::to_owned);
        all.chain(dialog_messages()).collect()
    }

    fn places(text: &str) -> BTreeSet<&str> {
        let dollars = text.split("$(").skip(1).filter_map(|rest| rest.split(')').next());
        let braces = text.split('{').skip(1).filter_map(|rest| rest.split('}').next());
        dollars.chain(braces).collect()
    }

    #[test]
    fn every_message_has_both_translations_with_the_same_places() {
        let mut needed = of_dialogs();
        assert_eq!(needed.len(), 16 + 4 + 8 + 4, "each action has a description and a message of its own");
        needed.extend(CODES.map(|(_, meaning)| meaning.to_owned()));
        for (language, text) in CATALOGUES {
            let catalogue = parse(text);
            for english in &needed {
                assert!(catalogue.contains_key(english), "{language} lacks {english:?}");
            }
            for (english, said) in &catalogue {
                assert!(!said.is_empty() && said != english, "{language}: {english:?}");
                assert_eq!(places(said), places(english), "{language}: {english:?}");
                assert_eq!(said.lines().count(), english.lines().count(), "{language}: {english:?}");
                let stands = SOURCES.iter().any(|source| source.contains(&format!("\"{english}\"")));
                assert!(needed.contains(english) || stands, "{language}: nobody says {english:?}");
            }
        }
        let [german, french] = CATALOGUES.map(|(_, text)| parse(text).into_keys().collect::<BTreeSet<_>>());
        assert_eq!(german, french);
    }

    #[test]
    fn every_code_has_a_meaning() {
        for code in Code::ALL.map(Code::name).into_iter().chain(["Unreachable"]) {
            assert!(CODES.iter().any(|(name, _)| *name == code), "{code}");
        }
    }

    #[test]
    fn the_first_variable_that_says_anything_counts() {
        let language = |said: &[&str]| {
            text_of(said.iter().map(|value| (*value).to_owned()).collect()).map(|text| text.contains("Language: de"))
        };
        assert_eq!(language(&["", "de_AT.UTF-8", "fr_FR"]), Some(true));
        assert_eq!(language(&["fr@euro"]), Some(false));
        for none in [&["C", "de_DE"][..], &["en_GB"], &["den"], &[]] {
            assert_eq!(language(none), None, "{none:?}");
        }
    }

    #[test]
    fn what_is_not_translated_stands_after_the_meaning_of_its_code() {
        let german = parse(CATALOGUES[0].1);
        assert_eq!(told(&german, "Held", "Odd."), "Der Vermittler ist angehalten. [Odd.]");
        assert_eq!(told(&german, "", "resumed"), "fortgesetzt");
        assert_eq!(told(&Catalogue::new(), "Held", "Odd."), "Odd.");
    }
}
