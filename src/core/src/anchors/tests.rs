//! The anchors' file, right and wrong, and the names of kept answers.

use super::*;

const KEY: &str = "witness.example.com+5c4a0e3e+BEgxrYdwHkJfQ1hcB1dhfyV8hLkWbIYuzk4bq9G4XGYI";

fn file(key: &str) -> String {
    format!(
        "[[authority]]\nname = \"tsa\"\nurl = \"http://127.0.0.1:3180/\"\nca = \"/etc/countersign/tsa.pem\"\n\
         [[witness]]\nname = \"w\"\nurl = \"https://witness.example.com\"\nkey = \"{key}\"\n"
    )
}

fn key() -> String {
    CosignerKey::of(&crate::note::Name::new("witness.example.com").unwrap(), &[9; 32]).unwrap().to_string()
}

#[test]
fn a_file_names_authorities_and_witnesses() {
    let anchors = Anchors::parse(&file(&key())).unwrap();
    assert_eq!(anchors.names().map(AnchorName::as_str).collect::<Vec<_>>(), ["tsa", "w"]);
    assert_eq!(anchors.authorities[0].ca.as_path().to_str(), Some("/etc/countersign/tsa.pem"));
    assert_eq!(Anchors::parse("").unwrap(), Anchors::default());
}

#[test]
fn what_is_not_understood_is_refused_with_its_place() {
    let good = file(&key());
    for (from, to, says) in [
        ("name = \"tsa\"", "nome = \"tsa\"", "unknown field"),
        ("name = \"tsa\"", "name = \"w\"", "two anchors"),
        ("name = \"tsa\"", "name = \"../etc\"", "a name has"),
        ("name = \"tsa\"", "name = \"\"", "a name has"),
        ("http://127", "ftp://127", "an address"),
        ("http://127.0.0.1:3180/", "http://", "an address"),
        ("http://127.0.0.1:3180/", "http://a b/", "an address"),
        ("\"/etc/countersign/tsa.pem\"", "\"tsa.pem\"", "absolute"),
        ("\"/etc/countersign/tsa.pem\"", "\"/etc/../tsa.pem\"", "no .."),
        ("+", "-", "key"),
    ] {
        let error = Anchors::parse(&good.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(says), "{to}: {error}");
        assert!(error.contains("line") || error.contains("two anchors"), "{error}");
    }
    assert!(Anchors::parse(&file(KEY)).is_err(), "the id of the key is wrong");
}

#[test]
fn there_are_at_most_so_many() {
    let of = |count: usize| {
        (0..count)
            .map(|n| format!("[[authority]]\nname = \"a{n}\"\nurl = \"http://a\"\nca = \"/a\"\n"))
            .collect::<String>()
    };
    assert!(Anchors::parse(&of(MAX_ANCHORS)).is_ok());
    assert!(matches!(Anchors::parse(&of(MAX_ANCHORS + 1)), Err(AnchorsError::TooMany)));
}

#[test]
fn names_of_files_sort_as_sizes_do_and_come_back() {
    assert!(file_name(9, NOTE) < file_name(10, NOTE) && file_name(10, NOTE) < file_name(u64::MAX, NOTE));
    for size in [0, 1, 4_711, u64::MAX] {
        assert_eq!(size_of(&file_name(size, TIMESTAMP), TIMESTAMP), Some(size));
        assert_eq!(size_of(&file_name(size, TIMESTAMP), NOTE), None);
    }
    for name in
        ["1.note", "00000000000000000001note", ".note", "-0000000000000000001.note", "0000000000000000000x.note"]
    {
        assert_eq!(size_of(name, NOTE), None, "{name}");
    }
}
