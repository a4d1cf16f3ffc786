//! Whatever may be wrong in a policy file is said with its place and what was expected, and nothing is read then.
//!
//! The mistakes are data (`tests/data/mistakes`), because the promises try them on a booted machine as well.

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    mistake: Vec<Mistake>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mistake {
    /// The whole file, or empty for an edit of the shipped `observe` under the name `look`.
    #[serde(default)]
    text: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    /// Line and column.
    at: String,
    /// The beginning of what is said after the place.
    says: String,
}

/// The files of the table and where a file of that kind is.
const KINDS: [(&str, &[&str]); 4] = [
    ("settings", &[MAIN, "etc/countersign/countersign.toml.d/x.toml"]),
    ("grants", &["etc/countersign/grants.d/x.toml"]),
    ("rules", &["etc/countersign/rules.d/x.toml"]),
    ("profiles", &["etc/countersign/profiles.d/x.toml"]),
];
/// A stranger's guess is as likely as any of these, so there are many.
const AT_LEAST: usize = 40;

fn mistakes(kind: &str) -> Vec<Mistake> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/data/mistakes/{kind}.toml"));
    let table: Table = toml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    table.mistake
}

fn shipped(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policy/profiles").join(name)).unwrap()
}

/// A machine on which everything is right, and the profile of which a mistake may be an edit.
fn sound() -> (Tree, String) {
    let tree = Tree::new();
    for name in ["observe.toml", "system.toml"] {
        tree.write(&format!("usr/share/countersign/profiles/{name}"), shipped(name));
    }
    let look = shipped("observe.toml").replacen("name = \"observe\"", "name = \"look\"", 1);
    tree.write("etc/countersign/profiles.d/x.toml", &look);
    assert!(tree.load().is_ok());
    (tree, look)
}

#[test]
fn every_mistake_in_every_kind_of_file_is_told_with_its_place_and_what_was_expected() {
    for (kind, places) in KINDS {
        let mistakes = mistakes(kind);
        assert!(mistakes.len() >= AT_LEAST, "{kind}");
        for place in places {
            let (tree, look) = sound();
            for Mistake { text, from, to, at, says } in &mistakes {
                let text = if from.is_empty() { text.clone() } else { look.replacen(from, to, 1) };
                assert_ne!(text, look, "{from}");
                let path = tree.write(place, &text);
                let error = tree.load().err().unwrap_or_else(|| panic!("{place}: {text}"));
                let begins = format!("{}:{at}: {says}", path.display());
                assert!(error.to_string().starts_with(&begins), "{text}\n{error}\n{begins}");
                assert!(error.in_one_line().starts_with(&begins), "{text}\n{error}");
            }
        }
    }
}

/// An earlier file says `readonly`: what a later one may have meant is not guessed, and nothing at all is loaded.
#[test]
fn a_mistyped_mode_is_never_taken_for_another() {
    let mut guesses: Vec<String> = ["open", "guarded", "readonly"]
        .iter()
        .flat_map(|mode| {
            let (upper, mut cut, mut swapped) =
                (mode.to_uppercase(), (*mode).to_owned(), mode.chars().collect::<Vec<_>>());
            cut.pop();
            swapped.swap(1, 2);
            let swapped: String = swapped.into_iter().collect();
            [upper, cut, swapped, format!("{mode}s"), format!(" {mode}"), format!("{mode}\\u0000")]
        })
        .collect();
    guesses.extend(["", "0", "T0", "none", "default", "gu\u{430}rded"].map(str::to_owned));
    for guess in guesses {
        let (tree, _) = sound();
        tree.write(MAIN, "mode = 'readonly'\n");
        tree.write("etc/countersign/countersign.toml.d/99-last.toml", format!("mode = \"{guess}\"\n"));
        let error = tree.load().err().unwrap_or_else(|| panic!("{guess:?} is a mode"));
        assert!(error.to_string().contains("99-last.toml:1:8: unknown word"), "{guess:?}: {error}");
    }
}
