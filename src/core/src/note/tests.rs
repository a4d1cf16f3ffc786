//! Notes against the published ones of Go's `sumdb/note`, and against whoever bends them.

use proptest::prelude::*;

use super::*;

/// Keys, text and signatures of `note_test.go` in <https://pkg.go.dev/golang.org/x/mod/sumdb/note>.
const PETER_SECRET: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const ENOCH: &str = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
const TEXT: &str =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const PETER_LINE: &str =
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const ENOCH_LINE: &str =
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";

/// The key of Go's public checksum database.
const SUM_DATABASE: &str = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";

fn note(parts: &[&str]) -> Note {
    Note::parse(parts.concat().as_bytes()).unwrap()
}

fn keys(texts: &[&str]) -> Vec<VerifierKey> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn names<'a>(found: &[&'a VerifierKey]) -> Vec<&'a str> {
    found.iter().map(|key| key.name().as_str()).collect()
}

#[test]
fn published_keys_read_and_write() {
    let secret = SigningKey::decode(PETER_SECRET).unwrap();
    assert_eq!(secret.encode(), PETER_SECRET);
    assert_eq!(secret.verifier().to_string(), PETER);
    assert_eq!(format!("{secret:?}"), format!("SigningKey({PETER})"), "no secret in what is printed for debugging");
    for key in [PETER, ENOCH, SUM_DATABASE] {
        assert_eq!(key.parse::<VerifierKey>().unwrap().to_string(), key);
    }
}

#[test]
fn published_note_is_signed_to_the_byte() {
    let secret = SigningKey::decode(PETER_SECRET).unwrap();
    assert_eq!(Note::sign(TEXT, &[&secret]).unwrap().to_string(), [TEXT, "\n", PETER_LINE].concat());
}

#[test]
fn known_keys_verify_and_unknown_ones_are_ignored() {
    let both = note(&[TEXT, "\n", PETER_LINE, ENOCH_LINE]);
    assert_eq!(both.text(), TEXT);
    assert_eq!(both.to_string(), [TEXT, "\n", PETER_LINE, ENOCH_LINE].concat());
    assert_eq!(names(&both.verify(&keys(&[PETER])).unwrap()), ["PeterNeumann"]);
    assert_eq!(names(&both.verify(&keys(&[PETER, ENOCH])).unwrap()), ["PeterNeumann", "EnochRoot"]);
    assert_eq!(both.verify(&[]), Err(NotVerified::Unknown));
    assert_eq!(both.verify(&keys(&[SUM_DATABASE])), Err(NotVerified::Unknown));
    let misnamed = note(&[TEXT, "\n", &PETER_LINE.replace("PeterNeumann", "CarmenSandiego")]);
    assert_eq!(misnamed.verify(&keys(&[PETER])), Err(NotVerified::Unknown));
    let other_id = note(&[TEXT, "\n", &PETER_LINE.replace("x08g", "xxxx")]);
    assert_eq!(other_id.verify(&keys(&[PETER])), Err(NotVerified::Unknown));
}

#[test]
fn a_wrong_signature_of_a_known_key_spoils_the_whole_note() {
    let other_text = TEXT.replace("answer", "reply");
    let line = PETER_LINE.replace("BwJnAM=", "BwJnAQ=");
    for parts in [
        &[&*other_text, "\n", PETER_LINE] as &[&str],
        &[TEXT, "\n", ENOCH_LINE, &line],
        &[TEXT, "\n", PETER_LINE, &line],
    ] {
        let wrong = note(parts).verify(&keys(&[PETER, ENOCH])).unwrap_err();
        assert!(matches!(wrong, NotVerified::Wrong { .. }), "{parts:?}");
    }
}

#[test]
fn the_last_empty_line_separates_the_text() {
    let secret = SigningKey::decode(PETER_SECRET).unwrap();
    for text in ["one\n\ntwo\n\nthree\n", "\n", "one\n\n"] {
        let signed = Note::sign(text, &[&secret]).unwrap().to_string();
        let read = Note::parse(signed.as_bytes()).unwrap();
        assert_eq!(read.text(), text);
        read.verify(&keys(&[PETER])).unwrap();
    }
}

#[test]
fn what_is_not_a_note_is_refused() {
    for (bytes, why) in [
        (TEXT.to_owned(), NotANote::Form),
        (String::new(), NotANote::Form),
        ("\n\n".to_owned(), NotANote::Form),
        ([TEXT, "\n"].concat(), NotANote::Form),
        (["\n", TEXT].concat(), NotANote::Form),
        ([TEXT, "\n\n"].concat(), NotANote::Form),
        ([TEXT, "\n", PETER_LINE.trim_end()].concat(), NotANote::Form),
        ([TEXT, PETER_LINE].concat(), NotANote::Form),
        ([TEXT.trim_end(), "\n\n\n", PETER_LINE].concat().replace("\n\n\n", "\n\r\n"), NotANote::NotText),
        (["\u{1}", TEXT, "\n", PETER_LINE].concat(), NotANote::NotText),
        ([TEXT, "\n", "— Bad Name ", "x08go/Y=\n"].concat(), NotANote::Signature),
        ([TEXT, "\n", &PETER_LINE.replace('—', "-")].concat(), NotANote::Signature),
        ([TEXT, "\n", &PETER_LINE.replace("Neumann ", "Neumann  ")].concat(), NotANote::Signature),
        ([TEXT, "\n", &PETER_LINE.replace("AM=", "AM")].concat(), NotANote::Signature),
        ([TEXT, "\n", &PETER_LINE.replace("AM=", "AN=")].concat(), NotANote::Signature),
        ([TEXT, "\n— PeterNeumann x08gow==\n"].concat(), NotANote::Signature),
        ([TEXT, "\n", PETER_LINE, "x"].concat(), NotANote::Form),
    ] {
        assert_eq!(Note::parse(bytes.as_bytes()), Err(why), "{bytes:?}");
    }
    assert_eq!(Note::parse(&[&[0xff], TEXT.as_bytes(), b"\n", PETER_LINE.as_bytes()].concat()), Err(NotANote::NotText));
}

#[test]
fn a_note_is_bounded() {
    let many = |count| Note::parse([TEXT, "\n", &PETER_LINE.repeat(count)].concat().as_bytes());
    assert_eq!(many(MAX_SIGNATURES).unwrap().signatures().len(), MAX_SIGNATURES);
    assert_eq!(many(MAX_SIGNATURES + 1), Err(NotANote::Signatures));
    let long = |length: usize| {
        let text = "x".repeat(length.saturating_sub(PETER_LINE.len() + 2));
        Note::parse([&text, "\n\n", PETER_LINE].concat().as_bytes())
    };
    assert!(long(MAX_NOTE).is_ok());
    assert_eq!(long(MAX_NOTE + 1), Err(NotANote::TooLong));
    let secret = SigningKey::decode(PETER_SECRET).unwrap();
    assert_eq!(Note::sign(TEXT, &[]), Err(NotANote::Signatures));
    for (text, why) in [("abc", NotANote::Form), ("a\tb\n", NotANote::NotText), ("", NotANote::Form)] {
        assert_eq!(Note::sign(text, &[&secret]), Err(why));
    }
}

#[test]
fn what_is_not_a_key_is_refused() {
    for (text, why) in [
        ("PeterNeumann", NotAKey::Form),
        ("PeterNeumann+c74f20a3", NotAKey::Form),
        ("PeterNeumann+c74f20a+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", NotAKey::Form),
        ("PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", NotAKey::Form),
        ("PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", NotAKey::Id),
        ("PeterNewmann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", NotAKey::Id),
        ("PeterNeumann+c74f20a3+Ahpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", NotAKey::Kind),
        ("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10==", NotAKey::Form),
        ("PeterNeumann+c74f20a3+", NotAKey::Form),
        ("Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", NotAKey::Name(BadName)),
        ("+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", NotAKey::Name(BadName)),
    ] {
        assert_eq!(text.parse::<VerifierKey>(), Err(why), "{text}");
    }
    for text in [PETER, "PRIVATE+KEY+", &PETER_SECRET.replace("a3", "a4"), &PETER_SECRET.replace("Neu", "New")] {
        assert!(SigningKey::decode(text).is_err(), "{text}");
    }
}

#[test]
fn a_name_is_bounded() {
    assert!(Name::new(&"x".repeat(MAX_NAME)).is_ok());
    for text in
        [String::new(), "x".repeat(MAX_NAME + 1), "a b".into(), "a+b".into(), "a\u{a0}b".into(), "a\u{7f}".into()]
    {
        assert_eq!(Name::new(&text), Err(BadName), "{text:?}");
    }
}

proptest! {
    #[test]
    fn any_text_is_signed_and_read_again(lines in prop::collection::vec("[^\\x00-\\x1f]{0,20}", 1..6), seed: [u8; 32]) {
        let text = lines.join("\n") + "\n";
        let key = SigningKey::from_seed(Name::new("log.example/x").unwrap(), &seed);
        let signed = Note::sign(&text, &[&key]).unwrap();
        let read = Note::parse(signed.to_string().as_bytes()).unwrap();
        prop_assert_eq!(&read, &signed);
        prop_assert_eq!(read.verify(std::slice::from_ref(key.verifier())).unwrap(), vec![key.verifier()]);
        let again = SigningKey::decode(&key.encode()).unwrap();
        prop_assert_eq!(again.verifier(), key.verifier());
    }

    #[test]
    fn no_flipped_bit_verifies(at in any::<prop::sample::Index>(), bit in 0_u32..8) {
        let mut bytes = [TEXT, "\n", PETER_LINE].concat().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8.checked_shl(bit).unwrap();
        let verified = Note::parse(&bytes).map(|note| note.verify(&keys(&[PETER])).is_ok());
        prop_assert!(verified != Ok(true));
    }

    #[test]
    fn any_bytes_are_read_or_refused_and_what_is_read_is_written_again(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(note) = Note::parse(&bytes) {
            prop_assert_eq!(note.to_string().into_bytes(), bytes);
        }
    }
}
