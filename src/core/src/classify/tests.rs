//! Tests of the classifier as a whole, with the rules that ship.

use super::*;

pub(super) fn shipped() -> Rules {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policy/rules");
    let mut texts: Vec<(String, String)> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| (path.display().to_string(), std::fs::read_to_string(&path).unwrap()))
        .collect();
    texts.sort();
    let files: Vec<RuleFile<'_>> =
        texts.iter().map(|(name, text)| RuleFile { name, text, origin: Origin::Vendor }).collect();
    match Rules::parse(&files) {
        Ok(rules) => rules,
        Err(wrong) => panic!("{wrong}"),
    }
}

#[test]
fn what_ships_loads() {
    let rules = shipped();
    eprintln!("{} programs, {} examples", rules.programs(), rules.examples_run());
}
