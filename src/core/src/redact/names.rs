//! Names that announce a secret: `DB_PASSWORD`, `--client-secret`, `accessToken`. Data, and the way to compare.

/// Part of a name that makes it secret wherever it stands in it.
const PARTS: [&str; 12] =
    ["authorization", "bearer", "cookie", "creds", "jwt", "otp", "pass", "psk", "pwd", "totp", "passkey", "pw"];
/// Ends of a part that make it secret: `PGPASSWORD`, `authtoken`.
const ENDS: [&str; 13] = [
    "accesskey",
    "apikey",
    "credential",
    "credentials",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "passwords",
    "privatekey",
    "secret",
    "secretkey",
    "token",
];
/// What makes a following `key` secret.
const KEYS: [&str; 13] = [
    "access",
    "account",
    "api",
    "app",
    "auth",
    "client",
    "encryption",
    "master",
    "private",
    "secret",
    "shared",
    "signing",
    "storage",
];
/// Last parts that tell of something about a secret: where it is, how long it lasts.
const ABOUT: [&str; 42] = [
    "age",
    "algorithm",
    "command",
    "count",
    "days",
    "dir",
    "enabled",
    "endpoint",
    "env",
    "expiration",
    "expires",
    "expiry",
    "fd",
    "file",
    "format",
    "generator",
    "helper",
    "hint",
    "host",
    "len",
    "length",
    "limit",
    "manager",
    "max",
    "min",
    "mode",
    "name",
    "names",
    "path",
    "policy",
    "port",
    "prompt",
    "required",
    "service",
    "size",
    "stdin",
    "ttl",
    "type",
    "uri",
    "url",
    "user",
    "username",
];
/// Headers whose value is the rest of the line.
const HEADERS: [&str; 3] = ["authorization", "cookie", "set-cookie"];
/// The shell's own variables for directories.
const DIRECTORIES: [&str; 2] = ["pwd", "oldpwd"];

/// The longest name that is looked at; a longer one is no name.
const MAX_NAME: usize = 128;

/// Whether a value of this name is a secret.
pub(super) fn is_secret(name: &str) -> bool {
    if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(is_name_byte) {
        return false;
    }
    let parts = parts(name);
    let about = parts.last().is_some_and(|last| ABOUT.contains(&last.as_str()));
    let directory = DIRECTORIES.contains(&name.to_ascii_lowercase().as_str());
    !about && !directory && (parts.iter().any(|part| is_secret_part(part)) || has_key(&parts))
}

/// Whether two names in a row make a secret: `api key`, `private key`.
pub(super) fn are_secret(first: &str, second: &str) -> bool {
    second.eq_ignore_ascii_case("key") && KEYS.iter().any(|key| first.eq_ignore_ascii_case(key))
}

/// Whether this is a header whose value is the rest of the line, whatever separates them.
pub(super) fn is_header(name: &str) -> bool {
    parts(name).iter().any(|part| HEADERS.contains(&part.as_str()))
}

pub(super) const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

fn is_secret_part(part: &str) -> bool {
    PARTS.contains(&part) || ENDS.iter().any(|end| part.ends_with(end))
}

fn has_key(parts: &[String]) -> bool {
    let mut pairs = parts.iter().zip(parts.iter().skip(1));
    pairs.any(|(first, second)| second == "key" && KEYS.contains(&first.as_str()))
}

/// The words that make up a name, in lower case and without numbers at their end: `accessToken2` is access, token.
fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut small = false;
    for c in name.chars() {
        if matches!(c, '_' | '-' | '.') || (small && c.is_ascii_uppercase()) {
            parts.push(String::new());
        }
        if let Some(part) = parts.last_mut().filter(|_| c.is_ascii_alphanumeric()) {
            part.push(c.to_ascii_lowercase());
        }
        small = c.is_ascii_lowercase() || c.is_ascii_digit();
    }
    let bare = parts.iter().map(|part| part.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned());
    bare.filter(|part| !part.is_empty()).collect()
}
