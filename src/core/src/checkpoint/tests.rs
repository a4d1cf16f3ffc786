//! Checkpoints in their one spelling, and the keys that they name.

use super::*;

/// The example of <https://c2sp.org/tlog-checkpoint>.
const EXAMPLE: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

fn key(name: &str, seed: u8) -> SigningKey {
    SigningKey::from_seed(Name::new(name).unwrap(), &[seed; 32])
}

#[test]
fn the_published_example_reads_and_writes() {
    let read = Checkpoint::parse(EXAMPLE).unwrap();
    assert_eq!((read.origin.as_str(), read.head.size), ("example.com/behind-the-sofa", 20_852_163));
    assert_eq!(read.head.root.to_string(), "0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62");
    assert_eq!(read.to_string(), EXAMPLE);
    assert_eq!(Checkpoint::new(read.origin.clone(), read.head).to_string(), EXAMPLE);
}

#[test]
fn another_spelling_is_refused() {
    let bend = |from: &str, to: &str| EXAMPLE.replacen(from, to, 1);
    for (text, why) in [
        (String::new(), NotACheckpoint::Lines),
        (EXAMPLE.trim_end().to_owned(), NotACheckpoint::Lines),
        (bend("20852163\n", ""), NotACheckpoint::Lines),
        ("a\n1\n".to_owned(), NotACheckpoint::Lines),
        (bend("example.com", "example com"), NotACheckpoint::Origin),
        (["\n", EXAMPLE].concat(), NotACheckpoint::Lines),
        (bend("20852163", "020852163"), NotACheckpoint::Size),
        (bend("20852163", "+20852163"), NotACheckpoint::Size),
        (bend("20852163", "-1"), NotACheckpoint::Size),
        (bend("20852163", "18446744073709551616"), NotACheckpoint::Size),
        (bend("q2I=", "q2I"), NotACheckpoint::Root),
        (bend("q2I=", "q2J="), NotACheckpoint::Root),
        (bend("CsUY", ""), NotACheckpoint::Root),
        ([EXAMPLE, "\n"].concat(), NotACheckpoint::Lines),
        ([EXAMPLE, "more\n\nmore\n"].concat(), NotACheckpoint::Lines),
    ] {
        assert_eq!(Checkpoint::parse(&text), Err(why), "{text:?}");
    }
    assert_eq!(Checkpoint::parse(&bend("20852163", "18446744073709551615")).unwrap().head.size, u64::MAX);
}

#[test]
fn extension_lines_are_kept_and_bounded() {
    let with = |count: usize| [EXAMPLE, &"more\n".repeat(count)].concat();
    let read = Checkpoint::parse(&with(MAX_EXTENSIONS)).unwrap();
    assert_eq!(read.extensions().len(), MAX_EXTENSIONS);
    assert_eq!(read.to_string(), with(MAX_EXTENSIONS));
    assert_eq!(Checkpoint::parse(&with(MAX_EXTENSIONS + 1)), Err(NotACheckpoint::Lines));
}

#[test]
fn a_handover_names_the_next_key_of_the_same_log_only() {
    let (old, new, foreign) = (key("web1/countersign", 1), key("web1/countersign", 2), key("web2/countersign", 3));
    let origin = old.verifier().name().clone();
    let handover = Checkpoint::handover(origin.clone(), TreeHead::empty(), new.verifier());
    let note = handover.sign(&old).unwrap();
    note.verify(std::slice::from_ref(old.verifier())).unwrap();
    assert!(note.verify(std::slice::from_ref(new.verifier())).is_err());
    let read = Checkpoint::parse(note.text()).unwrap();
    assert_eq!(read, handover);
    assert_eq!(read.next_key().as_ref(), Some(new.verifier()));
    assert_eq!(Checkpoint::new(origin.clone(), TreeHead::empty()).next_key(), None);
    assert_eq!(Checkpoint::handover(origin, TreeHead::empty(), foreign.verifier()).next_key(), None);
}
