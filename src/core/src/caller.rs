//! Who asks: facts about a caller that the kernel and the bus vouch for, apart from what the caller claims.
//!
//! In the front only `bus/identity.rs` builds a [`Caller`], and only from a message's sender.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A user id. Never `u32::MAX`, which the kernel reads as "no change" (CVE-2019-14287).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Uid(u32);

/// A group id. Never `u32::MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Gid(u32);

/// The number is not an id, or the text is not a unique bus name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAnIdentity {
    /// `u32::MAX` names nobody.
    #[error("4294967295 is not the id of anybody")]
    Reserved,
    /// A unique bus name begins with a colon and has at most 255 bytes.
    #[error("that is not a unique bus name")]
    BusName,
}

macro_rules! id {
    ($name:ident) => {
        impl $name {
            /// The id as a number.
            #[must_use]
            pub const fn get(self) -> u32 {
                self.0
            }
        }

        impl TryFrom<u32> for $name {
            type Error = NotAnIdentity;

            fn try_from(id: u32) -> Result<Self, NotAnIdentity> {
                if id == u32::MAX { Err(NotAnIdentity::Reserved) } else { Ok(Self(id)) }
            }
        }

        impl From<$name> for u32 {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(Uid);
id!(Gid);

impl Uid {
    /// The superuser.
    pub const ROOT: Self = Self(0);
}

/// A unique name on the bus, for instance `:1.42`. It is never reused while the bus lives.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BusName(String);

impl BusName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for BusName {
    type Error = NotAnIdentity;

    fn try_from(name: String) -> Result<Self, NotAnIdentity> {
        let well_formed = name.strip_prefix(':').is_some_and(|rest| {
            !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        });
        if well_formed && name.len() <= 255 { Ok(Self(name)) } else { Err(NotAnIdentity::BusName) }
    }
}

impl From<BusName> for String {
    fn from(name: BusName) -> Self {
        name.0
    }
}

impl fmt::Display for BusName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A proven caller. The pid and what hangs on it serve display and the log, never a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caller {
    /// The user, from the bus daemon's credentials of the connection.
    pub uid: Uid,
    /// The primary and supplementary groups, from the same credentials.
    pub gids: Vec<Gid>,
    /// The connection. It is also the polkit subject.
    pub bus_name: BusName,
    /// The user's name when it was looked up; empty if the uid has none.
    pub user: String,
    /// The process that opened the connection.
    pub pid: u32,
    /// That process's start time in clock ticks since boot, to tell a reused pid.
    #[serde(with = "crate::digest::decimal")]
    pub start_time: u64,
    /// Its executable, if it could be read.
    pub exe: Option<String>,
    /// Its systemd unit, if any.
    pub unit: Option<String>,
    /// Its login session, if any.
    pub session: Option<String>,
    /// The uid that logged in at first, if the kernel kept one.
    pub login_uid: Option<Uid>,
    /// Its label, if a security module gave it one.
    pub security_label: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserved_id_is_nobody() {
        assert_eq!(Uid::try_from(u32::MAX), Err(NotAnIdentity::Reserved));
        assert_eq!(Gid::try_from(u32::MAX), Err(NotAnIdentity::Reserved));
        assert_eq!(Uid::try_from(u32::MAX - 1).map(Uid::get), Ok(u32::MAX - 1));
        assert!(serde_json::from_str::<Uid>("4294967295").is_err());
    }

    #[test]
    fn only_unique_names_are_bus_names() {
        for good in [":1.42", ":1.0", ":a-b_c.9"] {
            assert!(BusName::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for bad in ["", ":", "org.example", ":1 2", ":1.\u{202e}2"] {
            assert!(BusName::try_from(bad.to_owned()).is_err(), "{bad}");
        }
        assert!(BusName::try_from(format!(":{}", "1".repeat(254))).is_ok());
        assert!(BusName::try_from(format!(":{}", "1".repeat(255))).is_err());
    }
}
