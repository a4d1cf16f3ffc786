//! The commitment: what a record hides, bound to it all the same.
//!
//! ```text
//!   commitment = SHA-256(salt ‖ canonical JSON of { agent, argv, cwd, env, reason, stdin })
//! ```
//!
//! Whoever has the salt (the caller in its receipt, the log's owner in the table of openings) and the words can show
//! that they are the ones. Whoever has only the record learns nothing: 128 random bits stand before every guess.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Record;
use crate::digest::{Digest, canonical};
use crate::request::Request;
use crate::salt::Salt;

/// What a caller asked for, unredacted.
#[derive(Debug, Serialize)]
pub struct Hidden<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a str>,
    argv: &'a [String],
    cwd: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    env: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stdin: Option<Digest>,
}

impl<'a> Hidden<'a> {
    /// The unredacted words of a request.
    #[must_use]
    pub fn of(request: &'a Request) -> Self {
        let (action, claims) = (request.action(), request.claims());
        Self {
            agent: claims.agent.as_deref(),
            argv: action.argv.words(),
            cwd: action.cwd.as_str(),
            env: action.env.added(),
            reason: claims.reason.as_deref(),
            stdin: action.stdin,
        }
    }

    /// Whether the record does not show all of it.
    pub(super) fn is_hidden_in(&self, record: &Record) -> bool {
        let shown = self.agent == record.agent.as_deref()
            && self.argv == record.argv.as_slice()
            && Some(self.cwd) == record.cwd.as_deref()
            && self.reason == record.reason.as_deref();
        !shown || !self.env.is_empty() || self.stdin.is_some()
    }

    /// The commitment to it. Nothing if it has no canonical form, which no words of a request lack.
    #[must_use]
    pub fn commitment(&self, salt: Salt) -> Option<Digest> {
        let words = canonical(self).ok()?;
        Some(Digest::of(&[salt.bytes().as_slice(), &words].concat()))
    }
}
