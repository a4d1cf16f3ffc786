//! A request: one exact action that a proven caller asks for. Immutable from the moment it has an id.
//!
//! There is no method that edits a request (the PackageKit class, CVE-2026-41651); asking for something else makes
//! another request. What the caller says about itself is kept apart from what is proven about it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::argv::Argv;
use crate::caller::Caller;
use crate::classify::{Classification, Rules, Subject, classify};
use crate::digest::Digest;
use crate::environment::Environment;
use crate::hiding;
use crate::path::CleanPath;
use crate::profile::ProfileName;
use crate::redact::Secrets;
use crate::salt::Salt;
use crate::target::Target;
use crate::tier::Tier;

/// The id of a request: 128 random bits, 32 lowercase hexadecimal digits in text. Also a bus object path element.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RequestId(u128);

/// The text was not 32 lowercase hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an id is 32 lowercase hexadecimal digits")]
pub struct NotAnId;

impl RequestId {
    /// An id from 128 random bits.
    #[must_use]
    pub const fn from_random(bits: u128) -> Self {
        Self(bits)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({self})")
    }
}

impl FromStr for RequestId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let plain = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if plain { u128::from_str_radix(text, 16).map(Self).map_err(|_| NotAnId) } else { Err(NotAnId) }
    }
}

impl TryFrom<String> for RequestId {
    type Error = NotAnId;

    fn try_from(text: String) -> Result<Self, NotAnId> {
        text.parse()
    }
}

impl From<RequestId> for String {
    fn from(id: RequestId) -> Self {
        id.to_string()
    }
}

/// The most bytes of a claimed agent name.
pub const MAX_AGENT: usize = 128;
/// The most bytes of a claimed reason.
pub const MAX_REASON: usize = 1_024;
/// The longest time that a caller may ask a job to have. The profile's own limit also holds.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(3_600);

/// What a caller says about itself. Shown as quoted words, never believed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The name that the agent gives itself, at most [`MAX_AGENT`] bytes.
    pub agent: Option<String>,
    /// Why it asks, at most [`MAX_REASON`] bytes.
    pub reason: Option<String>,
}

/// How a caller narrows its own request. Nothing here can widen anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Narrowing {
    /// Refuse if the tier turns out higher.
    pub max_tier: Option<Tier>,
    /// Run in this narrower profile.
    pub profile: Option<ProfileName>,
    /// Refuse if the request changes anything that is not named here.
    pub targets: Option<Vec<String>>,
}

/// The exact action: what would run, where, with what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// The words.
    pub argv: Argv,
    /// The working directory.
    pub cwd: CleanPath,
    /// What the caller adds to the environment.
    pub env: Environment,
    /// SHA-256 of the sealed memory file that becomes stdin; without one stdin is `/dev/null`.
    pub stdin: Option<Digest>,
    /// The time that the job may take, in milliseconds, if the caller bounds it.
    pub timeout_ms: Option<u64>,
}

/// A request of a proven caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    id: RequestId,
    salt: Salt,
    caller: Caller,
    action: Action,
    claims: Claims,
    narrowing: Narrowing,
    secrets: Secrets,
}

/// Why an action or a claim is out of bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The agent's name is too long.
    #[error("the agent name has {0} bytes and {MAX_AGENT} are allowed")]
    AgentTooLong(usize),
    /// The reason is too long.
    #[error("the reason has {0} bytes and {MAX_REASON} are allowed")]
    ReasonTooLong(usize),
    /// The time-out is zero or longer than [`MAX_TIMEOUT`].
    #[error("the time-out must be between 1 ms and one hour")]
    Timeout,
}

impl Request {
    /// A request with its id and its salt; nothing about it changes afterwards.
    ///
    /// # Errors
    /// A claim or the time-out is out of bounds.
    pub fn new(
        id: RequestId,
        salt: Salt,
        caller: Caller,
        action: Action,
        claims: Claims,
        narrowing: Narrowing,
        secrets: Secrets,
    ) -> Result<Self, RequestError> {
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        if length(&claims.agent) > MAX_AGENT {
            return Err(RequestError::AgentTooLong(length(&claims.agent)));
        }
        if length(&claims.reason) > MAX_REASON {
            return Err(RequestError::ReasonTooLong(length(&claims.reason)));
        }
        let longest = u64::try_from(MAX_TIMEOUT.as_millis()).unwrap_or(u64::MAX);
        if action.timeout_ms.is_some_and(|ms| ms == 0 || ms > longest) {
            return Err(RequestError::Timeout);
        }
        Ok(Self { id, salt, caller, action, claims, narrowing, secrets })
    }

    /// Names the risk of this request under these rules.
    #[must_use]
    pub fn classify(self, rules: &Rules) -> Classified {
        let classification = classify_action(rules, &self.action);
        Classified { request: self, classification }
    }

    /// The id.
    #[must_use]
    pub const fn id(&self) -> RequestId {
        self.id
    }

    /// What keeps its digests from being guessed at.
    #[must_use]
    pub const fn salt(&self) -> Salt {
        self.salt
    }

    /// Who asks.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// What is asked for.
    #[must_use]
    pub const fn action(&self) -> &Action {
        &self.action
    }

    /// What the caller says about itself.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }

    /// How the caller narrows the request.
    #[must_use]
    pub const fn narrowing(&self) -> &Narrowing {
        &self.narrowing
    }

    /// The values that the caller named as secret.
    #[must_use]
    pub const fn secrets(&self) -> &Secrets {
        &self.secrets
    }
}

/// Names the risk of an action. The launcher calls the same function on an order that it received.
#[must_use]
pub fn classify_action(rules: &Rules, action: &Action) -> Classification {
    let names: Vec<&str> = action.env.added().keys().map(String::as_str).collect();
    classify(rules, &Subject { argv: &action.argv, cwd: &action.cwd, env_names: &names })
}

/// A request together with what the classifier says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classified {
    request: Request,
    classification: Classification,
}

impl Classified {
    /// The request.
    #[must_use]
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// Tier, profile, targets and evidence.
    #[must_use]
    pub const fn classification(&self) -> &Classification {
        &self.classification
    }

    /// The profile in which it would run: the caller's narrower one, or the classifier's.
    #[must_use]
    pub fn profile(&self) -> &ProfileName {
        self.request.narrowing.profile.as_ref().unwrap_or(&self.classification.profile)
    }

    /// What is acted on.
    #[must_use]
    pub fn targets(&self) -> &[Target] {
        &self.classification.targets
    }

    /// Whether whoever decides still sees what is done, and on what, without the values that the caller named as secret.
    #[must_use]
    pub fn shows_what_matters(&self, rules: &Rules) -> bool {
        hiding::shows_what_matters(&self.request, &self.classification, rules)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_text_and_nothing_else_is_one() {
        let id = RequestId::from_random(0x0123_4567_89ab_cdef);
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "0", "+0000000000000000123456789abcdef", &"A".repeat(32), &"0".repeat(33)] {
            assert_eq!(wrong.parse::<RequestId>(), Err(NotAnId), "{wrong}");
        }
    }
}
