//! The log's key: handed over by systemd as a credential, or made here once and kept.
//!
//! The key that was made here is used only while it is root's alone; of the credential systemd sees to that, whose mode also
//! tells of the service's own user. A key is made only where nothing was signed yet.
//!
//! Its name is fixed when it is made: the name is part of the key's id, and a machine that is renamed keeps its log.

use std::path::Path;

use countersign_core::checkpoint::Checkpoint;
use countersign_core::message::Handover;
use countersign_core::note::{BadName, Name, NotAKey, Note, SigningKey};
use countersign_core::policy::Settings;
use rustix::rand::{GetRandomFlags, getrandom};

use super::{HANDOVERS, SIGNED, WitnessError, exists, failed, read, read_private};
use crate::durable::replace;

/// The name of the systemd credential.
pub(super) const CREDENTIAL: &str = "countersign-signing-key";
/// The key that was made here, in the launcher's directory.
const KEY: &str = "signing-key";
/// The key that follows it, beside it.
const NEXT: &str = "signing-key.next";
/// What the name ends with that is made of the machine's.
const SUFFIX: &str = "/countersign";

/// The credential if there is one, else the key of this directory, which is made if there is none and nothing was
/// signed. `last` is the last change of the key.
pub(super) fn read_or_make(
    directory: &Path,
    credential: &Path,
    settings: &Settings,
    last: Option<&Handover>,
) -> Result<SigningKey, WitnessError> {
    if let Some(text) = read(credential).map_err(failed(CREDENTIAL))? {
        return Ok(decode(&text)?);
    }
    take_the_next(directory, last)?;
    if let Some(text) = read_private(directory, KEY)? {
        return Ok(decode(&text)?);
    }
    for name in [SIGNED, HANDOVERS] {
        if exists(&directory.join(name)).map_err(failed(name))? {
            return Err(WitnessError::KeyGone);
        }
    }
    make(directory, settings)
}

fn make(directory: &Path, settings: &Settings) -> Result<SigningKey, WitnessError> {
    let name = settings.origin.clone().map_or_else(name_of_the_machine, Ok)?;
    let key = SigningKey::from_seed(name, &seed().map_err(failed("the kernel's random numbers"))?);
    replace(directory, KEY, format!("{}\n", key.encode()).as_bytes(), 0o600).map_err(failed(KEY))?;
    Ok(key)
}

/// Puts the next key in the old one's place, if the old one has named it. One that was not named is passed over: its
/// change was interrupted.
fn take_the_next(directory: &Path, last: Option<&Handover>) -> Result<(), WitnessError> {
    let next = directory.join(NEXT);
    let Some(text) = read_private(directory, NEXT)? else { return Ok(()) };
    let note = last.and_then(|handover| Note::parse(handover.note.as_bytes()).ok());
    let named = note.and_then(|note| Checkpoint::parse(note.text()).ok()).and_then(|checkpoint| checkpoint.next_key());
    if named.as_ref() == Some(decode(&text)?.verifier()) {
        std::fs::rename(&next, directory.join(KEY)).map_err(failed(NEXT))?;
        std::fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed(NEXT))?;
    }
    Ok(())
}

/// The encoded key, with or without the line break that editors add.
fn decode(text: &[u8]) -> Result<SigningKey, NotAKey> {
    let text = std::str::from_utf8(text).map_err(|_| NotAKey::Form)?;
    SigningKey::decode(text.strip_suffix('\n').unwrap_or(text))
}

fn seed() -> std::io::Result<[u8; 32]> {
    let mut seed = [0_u8; 32];
    // Up to 256 bytes come whole or not at all, once the kernel's pool is ready, for which this waits.
    let got = getrandom(&mut seed, GetRandomFlags::empty())?;
    if got == seed.len() { Ok(seed) } else { Err(std::io::ErrorKind::UnexpectedEof.into()) }
}

fn name_of_the_machine() -> Result<Name, BadName> {
    let uname = rustix::system::uname();
    named_after(&uname.nodename().to_string_lossy())
}

/// The host's name, with a dash for what a name cannot have.
fn named_after(host: &str) -> Result<Name, BadName> {
    let plain = |c: char| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '-' };
    let host: String = host.chars().map(plain).take(64).collect();
    Name::new(&format!("{}{SUFFIX}", if host.is_empty() { "localhost" } else { &host }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_named_after_the_machine() {
        for (host, name) in [
            ("web1.example.com", "web1.example.com/countersign"),
            ("", "localhost/countersign"),
            ("a b+c\u{7f}ü", "a-b-c--/countersign"),
        ] {
            assert_eq!(named_after(host).unwrap().as_str(), name);
        }
        assert_eq!(named_after(&"x".repeat(64)).unwrap().as_str().len(), 64 + SUFFIX.len());
    }

    #[test]
    fn two_seeds_differ() {
        assert_ne!(seed().unwrap(), seed().unwrap());
    }
}
