//! Keys of notes: a name, and an Ed25519 key (RFC 8032) whose id is the begin of a hash over name and key.
//!
//! ```text
//!   verifier key   name+key id+base64(1 ‖ public key)                 for everybody
//!   signing key    PRIVATE+KEY+name+key id+base64(1 ‖ seed)           for its owner alone
//!   key id         the first 4 bytes of SHA-256(name ‖ LF ‖ 1 ‖ public key), as 8 hexadecimal digits
//! ```
//!
//! These are the forms of Go's `golang.org/x/mod/sumdb/note`, which other tools read too. A secret never has a `Display`.

use std::fmt;
use std::str::FromStr;

use base64ct::{Base64, Encoding as _};
use ed25519_dalek::Signer as _;
use sha2::{Digest as _, Sha256};

/// The most bytes of a name.
pub const MAX_NAME: usize = 255;
/// The byte that says Ed25519, in ids and encoded keys.
const ED25519: u8 = 1;
/// What an encoded signing key begins with.
const PRIVATE: &str = "PRIVATE+KEY+";

/// The name of a key and of the log that it signs for; best a URL without its scheme.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Empty, longer than [`MAX_NAME`] bytes, or with a blank, a control character or a plus in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name has from 1 to {MAX_NAME} bytes, and no blank, control character or plus")]
pub struct BadName;

impl Name {
    /// The name.
    ///
    /// # Errors
    /// [`BadName`].
    pub fn new(text: &str) -> Result<Self, BadName> {
        let odd = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        if (1..=MAX_NAME).contains(&text.len()) && !text.contains(odd) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadName)
        }
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Name {
    type Error = BadName;

    fn try_from(text: String) -> Result<Self, BadName> {
        Self::new(&text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

/// Why a text is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAKey {
    /// Not name, key id and key, joined with pluses.
    #[error("a key is written name+id+base64, and a secret one begins with {PRIVATE}")]
    Form,
    /// The name is none.
    #[error(transparent)]
    Name(#[from] BadName),
    /// A key of another kind: a log signs with one, a witness with another.
    #[error("the key is not of the kind that is needed here")]
    Kind,
    /// The id is not the one of this name and key.
    #[error("the key's id is not the one of its name and key")]
    Id,
}

/// The public half: what verifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: Name,
    id: [u8; 4],
    key: ed25519_dalek::VerifyingKey,
}

impl VerifierKey {
    fn new(name: Name, key: ed25519_dalek::VerifyingKey) -> Self {
        let hash = Sha256::new_with_prefix(name.as_str()).chain_update([b'\n', ED25519]).chain_update(key.as_bytes());
        let [a, b, c, d, ..] = <[u8; 32]>::from(hash.finalize());
        Self { name, id: [a, b, c, d], key }
    }

    /// The key's name.
    #[must_use]
    pub const fn name(&self) -> &Name {
        &self.name
    }

    /// The key's id.
    #[must_use]
    pub const fn id(&self) -> [u8; 4] {
        self.id
    }

    /// Whether this is its signature over these bytes. Signatures that hold for more than one text do not hold.
    pub(super) fn verifies(&self, bytes: &[u8], signature: &[u8]) -> bool {
        let signature = ed25519_dalek::Signature::from_slice(signature);
        signature.is_ok_and(|signature| self.key.verify_strict(bytes, &signature).is_ok())
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{:08x}+{}", self.name, u32::from_be_bytes(self.id), encoded_key(self.key.as_bytes()))
    }
}

impl FromStr for VerifierKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let (name, id, bytes) = parts(text, ED25519)?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(&bytes).map_err(|_| NotAKey::Form)?;
        let key = Self::new(name, key);
        if key.id == id { Ok(key) } else { Err(NotAKey::Id) }
    }
}

/// Both halves: what signs. Its memory is wiped when it goes.
pub struct SigningKey {
    secret: ed25519_dalek::SigningKey,
    verifier: VerifierKey,
}

impl SigningKey {
    /// The key of this name from 32 bytes that nobody else can know or guess.
    #[must_use]
    pub fn from_seed(name: Name, seed: &[u8; 32]) -> Self {
        let secret = ed25519_dalek::SigningKey::from_bytes(seed);
        let verifier = VerifierKey::new(name, secret.verifying_key());
        Self { secret, verifier }
    }

    /// Reads a signing key in its encoded form, without a line break.
    ///
    /// # Errors
    /// [`NotAKey`].
    pub fn decode(text: &str) -> Result<Self, NotAKey> {
        let (name, id, seed) = parts(text.strip_prefix(PRIVATE).ok_or(NotAKey::Form)?, ED25519)?;
        let key = Self::from_seed(name, &seed);
        if key.verifier.id == id { Ok(key) } else { Err(NotAKey::Id) }
    }

    /// The encoded form. Whoever has it can sign.
    #[must_use]
    pub fn encode(&self) -> String {
        let (name, id) = (&self.verifier.name, u32::from_be_bytes(self.verifier.id));
        format!("{PRIVATE}{name}+{id:08x}+{}", encoded_key(self.secret.as_bytes()))
    }

    /// The public half.
    #[must_use]
    pub const fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    pub(super) fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.secret.sign(bytes).to_bytes().to_vec()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.verifier)
    }
}

/// Name, id and the 32 bytes of an encoded key of the wanted kind.
pub(super) fn parts(text: &str, wanted: u8) -> Result<(Name, [u8; 4], [u8; 32]), NotAKey> {
    let (name, rest) = text.split_once('+').ok_or(NotAKey::Form)?;
    let (id, key) = rest.split_once('+').ok_or(NotAKey::Form)?;
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if id.len() != 8 || !id.bytes().all(digit) {
        return Err(NotAKey::Form);
    }
    let id = u32::from_str_radix(id, 16).map_err(|_| NotAKey::Form)?.to_be_bytes();
    let bytes = decoded(key).ok_or(NotAKey::Form)?;
    let (kind, key) = bytes.split_first().ok_or(NotAKey::Form)?;
    if *kind != wanted {
        return Err(NotAKey::Kind);
    }
    Ok((Name::new(name)?, id, key.try_into().map_err(|_| NotAKey::Form)?))
}

fn encoded_key(bytes: &[u8; 32]) -> String {
    encoded(&[[ED25519].as_slice(), bytes].concat())
}

/// Base 64 as in RFC 4648 section 4, with padding.
pub(crate) fn encoded(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}

/// The bytes of a text in base 64; nothing if it is not the one spelling that they have.
pub(crate) fn decoded(text: &str) -> Option<Vec<u8>> {
    Base64::decode_vec(text).ok()
}
