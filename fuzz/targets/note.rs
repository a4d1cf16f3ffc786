//! Any bytes as a signed note, as a checkpoint, as a key and as evidence.
//!
//! Enters: bytes. Leaves: nothing, or a crash: something was read that is not written again in the same bytes, or a key
//! that nobody holds is said to have signed.

#![no_main]

use std::sync::LazyLock;

use countersign_core::checkpoint::Checkpoint;
use countersign_core::digest::Digest;
use countersign_core::evidence::Evidence;
use countersign_core::note::{Name, Note, SigningKey, VerifierKey};
use libfuzzer_sys::fuzz_target;

static KEY: LazyLock<VerifierKey> = LazyLock::new(|| {
    SigningKey::from_seed(Name::new("log").expect("it is a name"), &[0x5a; 32]).verifier().clone()
});

fuzz_target!(|bytes: &[u8]| {
    if let Ok(note) = Note::parse(bytes) {
        assert_eq!(note.to_string().as_bytes(), bytes);
        assert!(note.verify(std::slice::from_ref(&*KEY)).is_err());
    }
    if let Ok(evidence) = Evidence::parse(bytes) {
        assert_eq!(evidence.to_string().as_bytes(), bytes);
        assert!(evidence.check(&Digest::ZERO, std::slice::from_ref(&*KEY)).is_err());
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert_eq!(checkpoint.to_string(), text);
        drop(checkpoint.next_key());
    }
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert_eq!(key.to_string(), text);
    }
});
