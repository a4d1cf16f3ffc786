//! Digests: the one number that ties what was shown, approved, recorded and run.
//!
//! A digest is SHA-256 over canonical JSON (RFC 8785). Canonical numbers are IEEE doubles, so a whole number beyond
//! [`MAX_EXACT`] is refused instead of rounded, and a count that may pass it (inode, size, nanoseconds) is written as
//! decimal text with [`decimal`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest; 64 lowercase hexadecimal digits in text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// The largest whole number, and the negative of the smallest, that canonical JSON carries exactly: 2^53 - 1.
pub const MAX_EXACT: u64 = (1 << 53) - 1;

/// Why a value could not be written as canonical JSON.
#[derive(Debug, thiserror::Error)]
pub enum NotCanonical {
    /// It has no JSON form at all.
    #[error("the value has no canonical JSON form")]
    Form(#[from] serde_json::Error),
    /// A whole number is beyond [`MAX_EXACT`]: as the double that RFC 8785 makes of it, it could be another one.
    #[error("the number {0} is beyond 2^53 - 1 and has no canonical form of its own")]
    Inexact(serde_json::Number),
}

/// The text was not 64 lowercase hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a digest is 64 lowercase hexadecimal digits")]
pub struct NotADigest;

/// The canonical JSON (RFC 8785) of a value, as UTF-8 bytes.
///
/// # Errors
/// A map with keys that are not text, or a whole number beyond [`MAX_EXACT`].
pub fn canonical<T: Serialize>(value: &T) -> Result<Vec<u8>, NotCanonical> {
    let value = serde_json::to_value(value)?;
    exact(&value)?;
    Ok(serde_json_canonicalizer::to_vec(&value)?)
}

/// Passes where every whole number is what its double is.
fn exact(value: &Value) -> Result<(), NotCanonical> {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
        Value::Number(number) => {
            let size = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            if size.is_some_and(|size| size > MAX_EXACT) { Err(NotCanonical::Inexact(number.clone())) } else { Ok(()) }
        }
        Value::Array(members) => members.iter().try_for_each(exact),
        Value::Object(members) => members.values().try_for_each(exact),
    }
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
        let digits: &[u8; 64] = text.as_bytes().try_into().map_err(|_| NotADigest)?;
        let (mut bytes, mut wrong) = ([0_u8; 32], 0);
        // Without a branch that hangs on a digit: they are random, and a log has millions of them.
        for (byte, &[high, low]) in bytes.iter_mut().zip(digits.as_chunks::<2>().0) {
            let (high, low) = (nibble(high), nibble(low));
            wrong |= high | low;
            *byte = (high << 4) | low;
        }
        if wrong > 0xf { Err(NotADigest) } else { Ok(Self(bytes)) }
    }
}

/// What a digit stands for; more than 15 if it is none.
fn nibble(digit: u8) -> u8 {
    const NIBBLES: [u8; 256] = nibbles();
    NIBBLES.get(usize::from(digit)).copied().unwrap_or(NONE)
}

/// No hexadecimal digit.
const NONE: u8 = 0xff;

const fn nibbles() -> [u8; 256] {
    let mut table = [NONE; 256];
    let mut digits: &[u8] = b"0123456789abcdef";
    let mut value = 0;
    while let [digit, rest @ ..] = digits {
        let (_, from) = table.split_at_mut(*digit as usize);
        if let [entry, ..] = from {
            *entry = value;
        }
        value = value.saturating_add(1);
        digits = rest;
    }
    table
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

    /// Input and output of one of the published tests.
    macro_rules! vector {
        ($name:literal) => {
            (
                include_str!(concat!("../../../tests/data/rfc8785/input/", $name, ".json")),
                include_str!(concat!("../../../tests/data/rfc8785/output/", $name, ".json")),
            )
        };
    }

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

    /// The published test data, see `tests/data/rfc8785/README.md`.
    const VECTORS: [(&str, &str); 6] = [
        vector!("arrays"),
        vector!("french"),
        vector!("structures"),
        vector!("unicode"),
        vector!("values"),
        vector!("weird"),
    ];

    #[test]
    fn the_published_vectors_come_out_byte_for_byte_and_stay_what_they_are() {
        for (input, output) in VECTORS {
            let value: Value = serde_json::from_str(input).unwrap();
            assert_eq!(String::from_utf8(canonical(&value).unwrap()).unwrap(), output);
            let again: Value = serde_json::from_str(output).unwrap();
            assert_eq!(canonical(&again).unwrap(), output.as_bytes(), "canonical of canonical is itself");
        }
    }

    /// The samples of RFC 8785, appendix B: the bits of a double, and how it is written.
    #[test]
    fn the_published_numbers_are_written_as_published() {
        for (bits, text) in [
            (0x0000_0000_0000_0000_u64, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0xc340_0000_0000_0000, "-9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0x41b3_de43_5555_5554, "333333333.33333325"),
            (0x41b3_de43_5555_5555, "333333333.3333333"),
            (0x41b3_de43_5555_5556, "333333333.3333334"),
            (0x41b3_de43_5555_5557, "333333333.33333343"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ] {
            let written = canonical(&f64::from_bits(bits)).unwrap();
            assert_eq!(String::from_utf8(written).unwrap(), text, "{bits:016x}");
        }
    }

    #[test]
    fn a_whole_number_is_exact_or_refused() {
        let exact = i64::try_from(MAX_EXACT).unwrap();
        for number in [exact, -exact, 0] {
            assert_eq!(canonical(&number).unwrap(), number.to_string().as_bytes());
        }
        for beyond in [exact + 1, -exact - 1, i64::MAX, i64::MIN] {
            let nested = serde_json::json!({ "a": [{ "b": beyond }] });
            assert!(matches!(canonical(&nested), Err(NotCanonical::Inexact(_))), "{beyond}");
        }
        assert!(canonical(&u64::MAX).is_err());
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
