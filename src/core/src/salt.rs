//! A salt: what keeps a digest from being an oracle for guesses.
//!
//! Each request gets one. It is bound into the plan and into the record's commitment, is given to the caller with the
//! receipt, and is not in the log: who has only the log cannot try short secrets against the digests in it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// 128 random bits; 32 lowercase hexadecimal digits in text.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Salt([u8; 16]);

/// The text was not 32 lowercase hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a salt is 32 lowercase hexadecimal digits")]
pub struct NotASalt;

impl Salt {
    /// A salt from 128 random bits.
    #[must_use]
    pub const fn from_random(bits: [u8; 16]) -> Self {
        Self(bits)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// Without the salt itself: what is printed for debugging ends up in logs.
impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt")
    }
}

impl FromStr for Salt {
    type Err = NotASalt;

    fn from_str(text: &str) -> Result<Self, NotASalt> {
        let plain = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let bits = u128::from_str_radix(text, 16).ok().filter(|_| plain).ok_or(NotASalt)?;
        Ok(Self(bits.to_be_bytes()))
    }
}

impl TryFrom<String> for Salt {
    type Error = NotASalt;

    fn try_from(text: String) -> Result<Self, NotASalt> {
        text.parse()
    }
}

impl From<Salt> for String {
    fn from(salt: Salt) -> Self {
        salt.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_salt_survives_text_and_nothing_else_is_one() {
        let salt = Salt::from_random(std::array::from_fn(|at| u8::try_from(at).unwrap()));
        assert_eq!(salt.to_string(), "000102030405060708090a0b0c0d0e0f");
        assert_eq!(salt.to_string().parse(), Ok(salt));
        for wrong in ["", "0", "+00102030405060708090a0b0c0d0e0f", &"A".repeat(32), &"0".repeat(33)] {
            assert_eq!(wrong.parse::<Salt>(), Err(NotASalt), "{wrong}");
        }
        assert_eq!(format!("{salt:?}"), "Salt");
    }
}
