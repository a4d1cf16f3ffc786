//! Digests: the one number that ties what was shown, approved, recorded and run.
//!
//! A digest is SHA-256 over canonical JSON (RFC 8785). Canonical numbers are IEEE doubles, so a count that may
//! pass 2^53 (inode, size, nanoseconds) is written as decimal text with [`decimal`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest; 64 lowercase hexadecimal digits in text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// A value could not be written as canonical JSON.
#[derive(Debug, thiserror::Error)]
#[error("the value has no canonical JSON form")]
pub struct NotCanonical(#[source] serde_json::Error);

/// The text was not 64 lowercase hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a digest is 64 lowercase hexadecimal digits")]
pub struct NotADigest;

/// The canonical JSON (RFC 8785) of a value, as UTF-8 bytes.
///
/// # Errors
/// A map with keys that are not text, or a number that JSON cannot carry.
pub fn canonical<T: Serialize>(value: &T) -> Result<Vec<u8>, NotCanonical> {
    serde_json_canonicalizer::to_vec(value).map_err(NotCanonical)
}

impl Digest {
    /// 64 zeros: the predecessor of the first record of a log.
    pub const ZERO: Self = Self([0; 32]);

    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of a value's canonical JSON.
    ///
    /// # Errors
    /// The value has no canonical form.
    pub fn of_canonical<T: Serialize>(value: &T) -> Result<Self, NotCanonical> {
        canonical(value).map(|bytes| Self::of(&bytes))
    }

    /// A digest from the 32 bytes that a hasher elsewhere computed.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 40 bits in a form that people compare, for instance `7F3A-91C2-D4`.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let [a, b, c, d, e, ..] = self.0;
        format!("{a:02X}{b:02X}-{c:02X}{d:02X}-{e:02X}")
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let mut bytes = [0_u8; 32];
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(NotADigest);
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let &[high, low] = pair else { return Err(NotADigest) };
            *byte = (nibble(high)? << 4) | nibble(low)?;
        }
        Ok(Self(bytes))
    }
}

const fn nibble(digit: u8) -> Result<u8, NotADigest> {
    match digit {
        b'0'..=b'9' => Ok(digit.saturating_sub(b'0')),
        b'a'..=b'f' => Ok(digit.saturating_sub(b'a').saturating_add(10)),
        _ => Err(NotADigest),
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <std::borrow::Cow<'de, str>>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Serde form of a 64-bit number as decimal text, so that no canonical number loses a bit.
pub mod decimal {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes the number as decimal text.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    /// Reads the number from decimal text, in the one way in which it is written.
    ///
    /// # Errors
    /// The text is not such a number.
    pub fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let digits = text.strip_prefix('-').unwrap_or(&text);
        if text != "0" && digits.starts_with(['0', '+']) {
            return Err(serde::de::Error::custom("a number is written without a sign or zeros before it"));
        }
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_abc_is_the_published_one() {
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Digest::of(b"abc").to_string(), text);
        assert_eq!(text.parse(), Ok(Digest::of(b"abc")));
        assert_eq!(Digest::of(b"abc").fingerprint(), "BA78-16BF-8F");
    }

    #[test]
    fn wrong_text_is_no_digest() {
        let good = Digest::ZERO.to_string();
        for wrong in [
            good.to_uppercase().replace('0', "A"),
            format!("{good}0"),
            good.replacen('0', "", 1),
            good.replacen('0', "g", 1),
        ] {
            assert_eq!(wrong.parse::<Digest>(), Err(NotADigest), "{wrong}");
        }
    }

    #[test]
    fn canonical_sorts_keys_and_keeps_every_bit_of_decimals() {
        #[derive(Serialize, Deserialize, PartialEq, Debug)]
        struct Sample {
            b: u32,
            #[serde(with = "decimal")]
            a: u64,
        }
        let sample = Sample { b: 1, a: u64::MAX };
        let bytes = canonical(&sample).unwrap();
        assert_eq!(bytes, br#"{"a":"18446744073709551615","b":1}"#);
        assert_eq!(serde_json::from_slice::<Sample>(&bytes).unwrap(), sample);
        assert_eq!(serde_json::from_str::<Sample>(r#"{"a":"0","b":1}"#).unwrap(), Sample { b: 1, a: 0 });
        for wrong in ["", "01", "00", "+1", "-0", "-1", " 1", "1.0", "18446744073709551616"] {
            assert!(serde_json::from_str::<Sample>(&format!(r#"{{"a":"{wrong}","b":1}}"#)).is_err(), "{wrong}");
        }
    }
}
