//! Tests of the classifier as a whole, with the rules that ship.

mod asks;
mod commands;
mod files;
mod laws;
mod limits;
mod sandboxes;
mod tables;
mod text;

use super::*;
use crate::tier::Tier;

const T0: Ruling = Ruling::Tier(Tier::T0);
const T1: Ruling = Ruling::Tier(Tier::T1);
const T2: Ruling = Ruling::Tier(Tier::T2);
const T3: Ruling = Ruling::Tier(Tier::T3);

/// The texts of the rules that ship, by file name.
fn texts() -> Vec<(String, String)> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policy/rules");
    let paths = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let rules = paths.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    let mut texts: Vec<_> =
        rules.map(|path| (path.display().to_string(), std::fs::read_to_string(path).unwrap())).collect();
    texts.sort();
    texts
}

/// The rules that ship, and an administrator's file besides.
fn with_admin(admin: Option<&str>) -> Result<Rules, RulesError> {
    let texts = texts();
    let mut files: Vec<RuleFile<'_>> =
        texts.iter().map(|(name, text)| RuleFile { name, text, origin: Origin::Vendor }).collect();
    files.extend(admin.map(|text| RuleFile { name: "admin.toml", text, origin: Origin::Admin }));
    Rules::parse(&files)
}

/// The rules that ship, read once.
fn shipped() -> &'static Rules {
    static RULES: std::sync::LazyLock<Rules> = std::sync::LazyLock::new(|| match with_admin(None) {
        Ok(rules) => rules,
        Err(wrong) => panic!("{wrong}"),
    });
    &RULES
}

fn words<S: AsRef<str>>(words: &[S]) -> Argv {
    Argv::new(words.iter().map(|word| word.as_ref().to_owned()).collect()).unwrap()
}

fn rule_in(rules: &Rules, argv: &Argv) -> Classification {
    classify(rules, &Subject { argv, cwd: &CleanPath::new("/srv/example").unwrap(), env_names: &[] })
}

fn rule(argv: &Argv) -> Classification {
    rule_in(shipped(), argv)
}

/// A command line as examples write it: plain words, or text for a shell.
fn line(text: &str) -> Classification {
    rule(&examples::argv(text).unwrap())
}
