//! Values that are secrets by their own look: tokens of clouds and forges, and JSON web tokens. Data first.

/// What a token begins with, and how many characters follow at least.
const TOKENS: [(&str, usize); 33] = [
    ("AKIA", 12), // AWS: access keys and their relatives
    ("ASIA", 12),
    ("ABIA", 12),
    ("ghp_", 16), // GitHub: personal, OAuth, user, server, refresh
    ("gho_", 16),
    ("ghu_", 16),
    ("ghs_", 16),
    ("ghr_", 16),
    ("github_pat_", 16),
    ("glpat-", 12), // GitLab: personal, deploy, runner, job, trigger, feed
    ("gldt-", 12),
    ("glrt-", 12),
    ("glcbt-", 12),
    ("glptt-", 12),
    ("glft-", 12),
    ("xoxa-", 8), // Slack
    ("xoxb-", 8),
    ("xoxp-", 8),
    ("xoxr-", 8),
    ("xoxs-", 8),
    ("xapp-", 8),
    ("AIza", 30), // Google
    ("ya29.", 16),
    ("sk-", 20),      // OpenAI and others
    ("sk_live_", 10), // Stripe
    ("sk_test_", 10),
    ("rk_live_", 10),
    ("npm_", 30), // package registries
    ("pypi-", 16),
    ("hf_", 24),
    ("hvs.", 20),             // HashiCorp Vault
    ("dop_v1_", 20),          // DigitalOcean
    ("AGE-SECRET-KEY-1", 20), // age
];

/// The length of the token that begins these bytes. `first` says that a name begins here and not only a part of one.
pub(super) fn length(bytes: &[u8], first: bool) -> Option<usize> {
    let known = TOKENS
        .iter()
        .any(|(prefix, least)| bytes.strip_prefix(prefix.as_bytes()).is_some_and(|rest| run(rest, *least) == *least));
    (known || (first && is_web_token(bytes))).then(|| bytes.iter().take_while(|byte| is_token_byte(**byte)).count())
}

/// How many of the first `most` bytes are a token's.
fn run(bytes: &[u8], most: usize) -> usize {
    bytes.iter().take(most).take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')).count()
}

/// `eyJ….….…`: base64 of a JSON object, twice, and a signature that may be empty (RFC 7519).
fn is_web_token(bytes: &[u8]) -> bool {
    let token = bytes.iter().take_while(|byte| **byte != b'=' && is_token_byte(**byte));
    bytes.starts_with(b"eyJ") && token.filter(|byte| **byte == b'.').count() >= 2
}

const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'=')
}
