//! HTTP: one request, one bounded answer, one deadline.

use std::time::Duration;

use countersign_core::anchors::{AnchorName, Url};
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

use crate::error::AnchorError;

/// How long an anchor may take, from the look-up of its name to the last byte.
const DEADLINE: Duration = Duration::from_secs(30);
/// The most bytes of an answer: a time-stamp with its certificates has some thousands.
const MAX_ANSWER: u64 = 256 * 1_024;

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status, success or not.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: Vec<u8>,
}

/// The way out of the machine.
#[derive(Debug)]
pub(crate) struct Http(Agent);

impl Http {
    /// The certificates that are believed for https are the machine's (package ca-certificates).
    pub(crate) fn new() -> Self {
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let config = Agent::config_builder()
            .timeout_global(Some(DEADLINE))
            .http_status_as_error(false)
            .max_redirects(0)
            .tls_config(tls)
            .user_agent(concat!("countersign-anchor/", env!("CARGO_PKG_VERSION")));
        Self(config.build().into())
    }

    /// Sends one request with this body.
    pub(crate) fn post(
        &self,
        name: &AnchorName,
        url: &Url,
        path: &str,
        kind: &str,
        body: &[u8],
    ) -> Result<Answer, AnchorError> {
        let address =
            format!("{}{path}", if path.is_empty() { url.as_str() } else { url.as_str().trim_end_matches('/') });
        let failed = |source: ureq::Error| AnchorError::Asked {
            name: name.as_str().to_owned(),
            url: url.as_str().to_owned(),
            source: Box::new(source),
        };
        let mut answer = self.0.post(&address).content_type(kind).send(body).map_err(failed)?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(MAX_ANSWER).read_to_vec().map_err(failed)?;
        Ok(Answer { status, body })
    }
}

/// The failure that this status is.
pub(crate) fn refused(name: &AnchorName, url: &Url, status: u16) -> AnchorError {
    AnchorError::Status { name: name.as_str().to_owned(), url: url.as_str().to_owned(), status }
}
