//! Names that announce a secret: `DB_PASSWORD`, `--client-secret`, `accessToken`. Data, and the way to compare.

/// Part of a name that makes it secret wherever it stands in it.
const PARTS: [&str; 15] = [
    "authorization",
    "bearer",
    "cookie",
    "cookies",
    "creds",
    "jwt",
    "otp",
    "passe",
    "passkey",
    "passw",
    "passwo",
    "passwor",
    "psk",
    "pw",
    "totp",
];
/// Ends of a part that make it secret: `PGPASSWORD`, `authtoken`.
const ENDS: [&str; 38] = [
    "accesskey",
    "accountkey",
    "adminpw",
    "apikey",
    "apitoken",
    "authtok",
    "authtoken",
    "bindpw",
    "contrasena",
    "credential",
    "credentials",
    "geheimnis",
    "haslo",
    "heslo",
    "kennwort",
    "masterauth",
    "parola",
    "pass",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "passwords",
    "passwort",
    "presharedkey",
    "privatekey",
    "pwd",
    "rootpw",
    "salasana",
    "secret",
    "secretkey",
    "secrets",
    "senha",
    "sharedkey",
    "signingkey",
    "token",
    "userpw",
    "wachtwoord",
];
/// Words that end like one of them and are none.
const WORDS: [&str; 8] =
    ["bypass", "compass", "encompass", "overpass", "surpass", "trespass", "underpass", "multipass"];
/// Names that are secret where they are quoted, as in JSON: what they stand for elsewhere is too much else.
const QUOTED: [&str; 2] = ["auth", "_auth"];
/// Parameters of an address that are secret there.
const QUERY: [&str; 9] = ["auth", "code", "hmac", "key", "sess", "session", "sessionid", "sid", "sig"];
/// What makes a following `key` secret.
const KEYS: [&str; 23] = [
    "access",
    "account",
    "api",
    "app",
    "application",
    "auth",
    "client",
    "consumer",
    "encryption",
    "functions",
    "hmac",
    "license",
    "master",
    "preshared",
    "private",
    "recovery",
    "secret",
    "shared",
    "signing",
    "storage",
    "subscription",
    "unseal",
    "webhook",
];
/// Two words that make a secret together.
const PAIRS: [(&str, &str); 9] = [
    ("identified", "by"),
    ("totp", "seed"),
    ("otp", "seed"),
    ("seed", "phrase"),
    ("recovery", "code"),
    ("recovery", "codes"),
    ("recovery", "phrase"),
    ("backup", "codes"),
    ("verification", "code"),
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
const DIRECTORIES: [&str; 2] = ["PWD", "OLDPWD"];

/// The longest name that is looked at; a longer one is no name.
const MAX_NAME: usize = 128;

/// Whether a value of this name is a secret.
pub(super) fn is_secret(name: &str) -> bool {
    if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(is_name_byte) {
        return false;
    }
    let parts = parts(name);
    let about = parts.last().is_some_and(|last| ABOUT.contains(&last.as_str()));
    let directory = DIRECTORIES.contains(&name);
    !about && !directory && (parts.iter().any(|part| is_secret_part(part)) || has_key(&parts))
}

/// Whether two names in a row make a secret: `api key`, `private key`.
pub(super) fn are_secret(first: &str, second: &str) -> bool {
    let is = |word: &str, known: &str| word.eq_ignore_ascii_case(known);
    (is(second, "key") && KEYS.iter().any(|key| is(first, key)))
        || PAIRS.iter().any(|(known, follower)| is(first, known) && is(second, follower))
}

/// Whether this is a header whose value is the rest of the line, whatever separates them.
pub(super) fn is_header(name: &str) -> bool {
    parts(name).iter().any(|part| HEADERS.contains(&part.as_str()))
}

pub(super) const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

fn is_secret_part(part: &str) -> bool {
    PARTS.contains(&part) || (ENDS.iter().any(|end| part.ends_with(end)) && !WORDS.contains(&part))
}

/// Whether this is a secret where it is quoted.
pub(super) fn is_secret_quoted(name: &str) -> bool {
    QUOTED.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Whether this parameter of an address is secret.
pub(super) fn is_secret_parameter(name: &str) -> bool {
    QUERY.iter().any(|known| name.eq_ignore_ascii_case(known))
        || name.rsplit(['-', '_']).next().is_some_and(|last| last.eq_ignore_ascii_case("signature"))
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
