//! Values that are secrets by their own look: tokens of clouds and forges, keys in base64, and JSON web tokens. Data
//! first.

/// What a token may be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    /// Letters, digits, `-`, `_`, `.` and `=`.
    Token,
    /// Those of a token, `+` and `/`, also over several lines.
    Base64,
    /// Those of a path. What it begins with stays, because it names a host.
    Path,
}

/// What a token begins with, how many characters follow at least, and which.
const TOKENS: [(&str, usize, Made); 129] = [
    ("AKIA", 12, Made::Token), // AWS: access keys and their relatives
    ("ASIA", 12, Made::Token),
    ("ABIA", 12, Made::Token),
    ("ACCA", 16, Made::Token),
    ("LTAI", 16, Made::Token), // Alibaba
    ("ghp_", 16, Made::Token), // GitHub: personal, OAuth, user, server, refresh
    ("gho_", 16, Made::Token),
    ("ghu_", 16, Made::Token),
    ("ghs_", 16, Made::Token),
    ("ghr_", 16, Made::Token),
    ("github_pat_", 16, Made::Token),
    ("glpat-", 12, Made::Token), // GitLab: personal, deploy, runner, job, trigger, feed and others
    ("gldt-", 12, Made::Token),
    ("glrt-", 12, Made::Token),
    ("glcbt-", 12, Made::Token),
    ("glptt-", 12, Made::Token),
    ("glft-", 12, Made::Token),
    ("glsoat-", 12, Made::Token),
    ("glimt-", 12, Made::Token),
    ("glagent-", 12, Made::Token),
    ("gloas-", 12, Made::Token),
    ("xoxa-", 8, Made::Token), // Slack
    ("xoxb-", 8, Made::Token),
    ("xoxc-", 8, Made::Token),
    ("xoxd-", 8, Made::Token),
    ("xoxe-", 8, Made::Token),
    ("xoxe.", 8, Made::Token),
    ("xoxp-", 8, Made::Token),
    ("xoxr-", 8, Made::Token),
    ("xoxs-", 8, Made::Token),
    ("xapp-", 8, Made::Token),
    ("hooks.slack.com/services/", 16, Made::Path),
    ("discord.com/api/webhooks/", 16, Made::Path),
    ("discordapp.com/api/webhooks/", 16, Made::Path),
    ("AIza", 30, Made::Token), // Google
    ("ya29.", 16, Made::Token),
    ("GOCSPX-", 16, Made::Token),
    ("sk-", 20, Made::Token),      // OpenAI, Anthropic and others
    ("sk_live_", 10, Made::Token), // Stripe
    ("sk_test_", 10, Made::Token),
    ("rk_live_", 10, Made::Token),
    ("rk_test_", 10, Made::Token),
    ("whsec_", 16, Made::Token),
    ("npm_", 30, Made::Token), // package registries
    ("pypi-", 16, Made::Token),
    ("rubygems_", 30, Made::Token),
    ("dckr_pat_", 16, Made::Token),
    ("dckr_oat_", 16, Made::Token),
    ("hf_", 24, Made::Token),
    ("hvs.", 20, Made::Token), // HashiCorp Vault
    ("hvb.", 20, Made::Token),
    ("dop_v1_", 20, Made::Token), // DigitalOcean
    ("doo_v1_", 20, Made::Token),
    ("dor_v1_", 20, Made::Token),
    ("dapi", 32, Made::Token),   // Databricks
    ("shpat_", 24, Made::Token), // Shopify
    ("shpss_", 24, Made::Token),
    ("shpca_", 24, Made::Token),
    ("SG.", 16, Made::Token), // SendGrid
    ("tskey-", 16, Made::Token),
    ("glsa_", 24, Made::Token), // Grafana
    ("lin_api_", 24, Made::Token),
    ("ATATT3", 20, Made::Token), // Atlassian
    ("ATCTT3", 20, Made::Token),
    ("NRAK-", 20, Made::Token), // New Relic
    ("pul-", 32, Made::Token),
    ("sntrys_", 24, Made::Token),
    ("PMAK-", 24, Made::Token),
    ("EAACEdEose0cBA", 8, Made::Token),
    ("secret_", 40, Made::Token),
    ("figd_", 24, Made::Token),
    ("sq0csp-", 20, Made::Token),
    ("sq0atp-", 16, Made::Token),
    ("sq0idp-", 16, Made::Token),
    ("nfp_", 24, Made::Token),
    ("sbp_", 24, Made::Token),
    ("pscale_tkn_", 20, Made::Token),
    ("pscale_pw_", 20, Made::Token),
    ("r8_", 30, Made::Token),
    ("gsk_", 30, Made::Token),
    ("xai-", 30, Made::Token),
    ("pplx-", 30, Made::Token),
    ("nvapi-", 30, Made::Token),
    ("AKID", 20, Made::Token),
    ("AKCp", 30, Made::Token),
    ("cmVmdGtuO", 20, Made::Token),
    ("ops_eyJ", 30, Made::Token),
    ("bkua_", 20, Made::Token),
    ("dt0c01.", 20, Made::Token),
    ("pat-na1-", 20, Made::Token),
    ("pat-eu1-", 20, Made::Token),
    ("rpa_", 24, Made::Token),
    ("shppa_", 24, Made::Token),
    ("xkeysib-", 30, Made::Token),
    ("xsmtpsib-", 30, Made::Token),
    ("phx_", 24, Made::Token),
    ("phc_", 24, Made::Token),
    ("sntryu_", 24, Made::Token),
    ("sqp_", 24, Made::Token),
    ("squ_", 24, Made::Token),
    ("sqa_", 24, Made::Token),
    ("ATBB", 24, Made::Token),
    ("CCIPAT_", 20, Made::Token),
    ("dp.pt.", 24, Made::Token),
    ("dp.st.", 24, Made::Token),
    ("waka_", 24, Made::Token),
    ("glffct-", 12, Made::Token),
    ("gho-", 30, Made::Token),
    ("fo1_", 30, Made::Token),
    ("FlyV1", 20, Made::Token),
    ("tfp_", 24, Made::Token),
    ("ory_", 24, Made::Token),
    ("sgp_", 24, Made::Token),
    ("ctp_", 24, Made::Token),
    ("lin_oauth_", 24, Made::Token),
    ("outlook.office.com/webhook/", 16, Made::Path), // addresses that let whoever knows them write
    ("webhook.office.com/webhookb2/", 16, Made::Path),
    ("hooks.zapier.com/hooks/catch/", 8, Made::Path),
    ("open.feishu.cn/open-apis/bot/v2/hook/", 16, Made::Path),
    ("maker.ifttt.com/trigger/", 16, Made::Path),
    ("hc-ping.com/", 16, Made::Path),
    ("AGE-SECRET-KEY-1", 20, Made::Token),      // age
    ("LS0tLS1CRUdJTiBSU0Eg", 16, Made::Base64), // private keys in PEM form: RSA, PKCS #8, EC, DSA, OpenSSH, encrypted, PGP
    ("LS0tLS1CRUdJTiBQUklW", 16, Made::Base64),
    ("LS0tLS1CRUdJTiBFQyBQ", 16, Made::Base64),
    ("LS0tLS1CRUdJTiBEU0Eg", 16, Made::Base64),
    ("LS0tLS1CRUdJTiBPUEVO", 16, Made::Base64),
    ("LS0tLS1CRUdJTiBFTkNS", 16, Made::Base64),
    ("LS0tLS1CRUdJTiBQR1Ag", 16, Made::Base64),
];

/// What any of them begins with, so that most places in a text cost one look.
const FIRST: &[u8] = b"ACEFGLNPSbcdfghlmnoprstwxy";

/// A line of base64 that is shorter belongs to a key no more, but for the end of its last line.
const SHORTEST_LINE: usize = 40;

/// The token that begins these bytes, as what of it stays and where it ends. `first` says that a name begins here and
/// not only a part of one.
pub(super) fn token(bytes: &[u8], first: bool) -> Option<(usize, usize)> {
    let possible = bytes.first().is_some_and(|byte| FIRST.contains(byte));
    let known = TOKENS.iter().take_while(|_| possible).find_map(|(prefix, least, made)| {
        let rest = bytes.strip_prefix(prefix.as_bytes())?;
        let body = rest.iter().take(*least).take_while(|byte| made.begins_with(**byte)).count();
        (body == *least).then(|| match made {
            Made::Token => (0, run(bytes, is_token_byte)),
            Made::Base64 => (0, lines(bytes)),
            Made::Path => (prefix.len(), run(bytes, |byte| is_token_byte(byte) || matches!(byte, b'/' | b'@'))),
        })
    });
    known.or_else(|| first.then(|| of_shape(bytes)).flatten())
}

impl Made {
    const fn begins_with(self, byte: u8) -> bool {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        match self {
            Self::Token => plain,
            Self::Base64 => plain || matches!(byte, b'+' | b'/' | b'=' | b'\n'),
            Self::Path => plain || byte == b'/',
        }
    }
}

fn run(bytes: &[u8], of: impl Fn(u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| of(**byte)).count()
}

/// The length of a key in base64: its first line, and all whole lines that follow.
fn lines(bytes: &[u8]) -> usize {
    let mut end = run(bytes, is_base64);
    while let Some([b'\n', rest @ ..]) = bytes.get(end..) {
        match run(rest, is_base64) {
            SHORTEST_LINE.. => end = end.saturating_add(1).saturating_add(run(rest, is_base64)),
            _ => break,
        }
    }
    end
}

/// Tokens that are known by their shape and not by how they begin.
fn of_shape(bytes: &[u8]) -> Option<(usize, usize)> {
    if is_object(bytes) || is_account(bytes) {
        return Some((0, run(bytes, |byte| is_token_byte(byte) || byte == b':')));
    }
    if is_web_token(bytes) || is_dotted(bytes) || is_of_digits(bytes, b"SK", 32) || is_of_digits(bytes, b"key-", 32) {
        return Some((0, run(bytes, is_token_byte)));
    }
    telegram(bytes)
}

/// `eyJ….….…`: base64 of a JSON object, twice, and a signature that may be empty (RFC 7519).
fn is_web_token(bytes: &[u8]) -> bool {
    let token = bytes.iter().take_while(|byte| **byte != b'=' && is_token_byte(**byte));
    bytes.starts_with(b"eyJ") && token.filter(|byte| **byte == b'.').count() >= 2
}

/// `eyJ…`, long and not in parts: base64 of a JSON object, as tunnels and agents are given.
fn is_object(bytes: &[u8]) -> bool {
    const SHORTEST: usize = 48;
    bytes.starts_with(b"eyJ") && run(bytes.get(..SHORTEST).unwrap_or(bytes), is_token_byte) == SHORTEST
}

/// Twilio's: an account, a colon, and what proves it, each of 32 hexadecimal digits.
fn is_account(bytes: &[u8]) -> bool {
    let after = bytes.get(34..).and_then(|rest| rest.strip_prefix(b":"));
    is_of_digits(bytes, b"AC", 32) && after.is_some_and(|rest| is_of_digits(rest, b"", 32))
}

/// What `crypt` and directories make of a password (`$6$salt$hash`, `{SSHA}hash`): whoever has it can try passwords at
/// leisure.
pub(super) fn hash(bytes: &[u8]) -> Option<usize> {
    const LONGEST_SCHEME: usize = 12;
    const SHORTEST: usize = 20;
    let made = |byte: u8| byte.is_ascii_alphanumeric() || b"./$=,+*".contains(&byte);
    let (close, least) = match bytes.first()? {
        b'$' => (b'$', 1),
        b'{' => (b'}', 3),
        _ => return None,
    };
    let name = run(bytes.get(1..LONGEST_SCHEME)?, |byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let begin = name.saturating_add(1);
    let upper = close == b'$' || bytes.get(1..begin)?.iter().all(|byte| !byte.is_ascii_lowercase());
    let length = run(bytes.get(begin.saturating_add(1)..)?, made);
    let is = name >= least && upper && bytes.get(begin) == Some(&close) && length >= SHORTEST;
    is.then(|| begin.saturating_add(1).saturating_add(length))
}

/// Discord's: the bot's number in base64, a time of six characters, and at least 27 more, with dots between.
fn is_dotted(bytes: &[u8]) -> bool {
    const LONGEST: usize = 128;
    if !matches!(bytes, [b'M' | b'N' | b'O', ..]) {
        return false;
    }
    let bytes = bytes.get(..LONGEST).unwrap_or(bytes);
    let mut parts = bytes.split(|byte| *byte == b'.');
    let mut length = || parts.next().map_or(0, |part| run(part, |byte| is_token_byte(byte) && byte != b'='));
    (23..=28).contains(&length()) && length() == 6 && length() >= 27
}

/// A prefix and this many hexadecimal digits or small letters, and nothing more.
fn is_of_digits(bytes: &[u8], prefix: &[u8], digits: usize) -> bool {
    let rest = bytes.strip_prefix(prefix).unwrap_or_default();
    run(rest.get(..digits.saturating_add(1)).unwrap_or(rest), |b| b.is_ascii_lowercase() || b.is_ascii_digit())
        == digits
}

/// Telegram's: the bot's number, a colon, 35 characters; in an address `bot` stands before it.
fn telegram(bytes: &[u8]) -> Option<(usize, usize)> {
    const LEAST: usize = 32;
    let number = bytes.strip_prefix(b"bot").unwrap_or(bytes);
    let before = bytes.len().saturating_sub(number.len());
    let digits = run(number.get(..12).unwrap_or(number), |byte| byte.is_ascii_digit());
    let Some([b':', secret @ ..]) = number.get(digits..) else { return None };
    let length = run(secret, |byte| is_token_byte(byte) && !matches!(byte, b'.' | b'='));
    let begin = before.saturating_add(digits).saturating_add(1);
    ((8..=10).contains(&digits) && length >= LEAST).then(|| (begin, begin.saturating_add(length)))
}

const fn is_base64(byte: u8) -> bool {
    is_token_byte(byte) || matches!(byte, b'+' | b'/')
}

const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_is_looked_for() {
        for (prefix, least, _) in TOKENS {
            let whole = format!("{prefix}{}", "a".repeat(least));
            assert_eq!(token(whole.as_bytes(), true).map(|(_, end)| end), Some(whole.len()), "{prefix}");
            let short = whole.len() - 1;
            assert!(token(&whole.as_bytes()[..short], false).is_none_or(|(_, end)| end < whole.len()), "{prefix}");
        }
    }
}
