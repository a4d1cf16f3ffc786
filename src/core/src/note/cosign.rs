//! Cosignatures (<https://c2sp.org/tlog-cosignature>, version 1): a witness says that it saw a checkpoint, when, and that
//! the log it had seen before only grew.
//!
//! ```text
//!   signed:      cosignature/v1 LF time SECONDS LF text of the note
//!   signature:   8 bytes of the time, big-endian ‖ 64 bytes of Ed25519
//!   key:         name+key id+base64(4 ‖ public key)
//! ```
//!
//! Enters: a note and a witness's key. Leaves: when the witness saw it. Only verifies: this project is nobody's witness but
//! its own log's.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use super::key::parts;
use super::{Name, NotAKey, NotVerified, Note, encoded};

/// The byte that says cosignature, in ids and encoded keys.
const COSIGNATURE: u8 = 4;

/// The public key of a witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CosignerKey {
    name: Name,
    id: [u8; 4],
    key: ed25519_dalek::VerifyingKey,
}

impl CosignerKey {
    /// The key of this name from the 32 bytes of its public half.
    ///
    /// # Errors
    /// The bytes are no public key.
    pub fn of(name: &Name, public: &[u8; 32]) -> Result<Self, NotAKey> {
        let key = ed25519_dalek::VerifyingKey::from_bytes(public).map_err(|_| NotAKey::Form)?;
        let text = Sha256::new_with_prefix(name.as_str()).chain_update([b'\n', COSIGNATURE]);
        let [a, b, c, d, ..] = <[u8; 32]>::from(text.chain_update(key.as_bytes()).finalize());
        Ok(Self { name: name.clone(), id: [a, b, c, d], key })
    }

    /// The witness's name.
    #[must_use]
    pub const fn name(&self) -> &Name {
        &self.name
    }

    /// When this witness saw the note, in seconds since 1970: the latest time, if it says so several times.
    ///
    /// # Errors
    /// It has not signed the note, or a signature that claims to be its is not.
    pub fn saw(&self, note: &Note) -> Result<u64, NotVerified> {
        let claimed = note.signatures().iter().filter(|line| *line.name() == self.name && line.key_id() == self.id);
        let times = claimed.map(|line| self.time(note.text(), line.bytes()));
        let wrong = || NotVerified::Wrong { name: self.name.clone() };
        let times: Vec<u64> = times.collect::<Option<_>>().ok_or_else(wrong)?;
        times.into_iter().max().ok_or(NotVerified::Unknown)
    }

    fn time(&self, text: &str, signature: &[u8]) -> Option<u64> {
        let (time, signature) = signature.split_first_chunk::<8>()?;
        let time = u64::from_be_bytes(*time);
        let signature = ed25519_dalek::Signature::from_slice(signature).ok()?;
        let signed = format!("cosignature/v1\ntime {time}\n{text}");
        self.key.verify_strict(signed.as_bytes(), &signature).ok().map(|()| time)
    }
}

impl fmt::Display for CosignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = encoded(&[[COSIGNATURE].as_slice(), self.key.as_bytes()].concat());
        write!(f, "{}+{:08x}+{key}", self.name, u32::from_be_bytes(self.id))
    }
}

impl FromStr for CosignerKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let (name, id, bytes) = parts(text, COSIGNATURE)?;
        let key = Self::of(&name, &bytes)?;
        if key.id == id { Ok(key) } else { Err(NotAKey::Id) }
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey as Secret};

    use super::*;

    const TEXT: &str = "log.example\n4711\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    fn secret() -> Secret {
        Secret::from_bytes(&[7; 32])
    }

    fn key(name: &str) -> CosignerKey {
        CosignerKey::of(&Name::new(name).unwrap(), secret().verifying_key().as_bytes()).unwrap()
    }

    /// A cosignature made from the specification's words, not from the code above.
    fn line(key: &CosignerKey, time: u64, text: &str) -> String {
        let signed =
            [b"cosignature/v1\ntime ".as_slice(), time.to_string().as_bytes(), b"\n", text.as_bytes()].concat();
        let signature = secret().sign(&signed).to_bytes();
        let blob = [key.id.as_slice(), &time.to_be_bytes(), &signature].concat();
        format!("\u{2014} {} {}\n", key.name, encoded(&blob))
    }

    fn note(lines: &[String]) -> Note {
        Note::parse(format!("{TEXT}\n{}", lines.concat()).as_bytes()).unwrap()
    }

    #[test]
    fn a_witness_says_when_it_saw_it() {
        let key = key("witness.example");
        assert_eq!(key.saw(&note(&[line(&key, 1_795_000_000, TEXT)])), Ok(1_795_000_000));
        assert_eq!(key.saw(&note(&[line(&key, 5, TEXT), line(&key, 9, TEXT)])), Ok(9));
    }

    #[test]
    fn what_it_did_not_sign_does_not_count() {
        let (ours, other) = (key("witness.example"), key("other.example"));
        assert_eq!(ours.saw(&note(&[line(&other, 5, TEXT)])), Err(NotVerified::Unknown));
        let wrong = Err(NotVerified::Wrong { name: ours.name.clone() });
        assert_eq!(ours.saw(&note(&[line(&ours, 5, "log.example\n1\n")])), wrong);
        assert_eq!(
            ours.saw(&note(&[line(&ours, 5, TEXT), line(&ours, 6, "x\n")])),
            wrong,
            "one good line is not enough"
        );
        let mut postdated = note(&[line(&ours, 5, TEXT)]);
        postdated.signatures[0].bytes[7] = 6;
        assert_eq!(ours.saw(&postdated), wrong, "the time is signed too");
    }

    #[test]
    fn keys_read_and_write_and_are_of_their_kind() {
        let text = key("witness.example").to_string();
        assert_eq!(text.parse::<CosignerKey>().unwrap().to_string(), text);
        assert_eq!(text.parse::<super::super::VerifierKey>(), Err(NotAKey::Kind));
        let log = super::super::SigningKey::from_seed(Name::new("log.example").unwrap(), &[7; 32]);
        assert_eq!(log.verifier().to_string().parse::<CosignerKey>(), Err(NotAKey::Kind));
        assert_eq!(text.replacen("witness", "witless", 1).parse::<CosignerKey>(), Err(NotAKey::Id));
    }
}
