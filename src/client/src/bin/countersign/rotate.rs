//! `audit rotate-key`: root changes the log's key while the broker is stopped. SEC-10.
//!
//! ```text
//!   next key on the disk ─▶ the old key signs a checkpoint that names it ─▶ on the disk ─▶ the launcher takes it at its start
//! ```
//!
//! Not a method on the bus: whoever reaches only the bus cannot change whom auditors believe. A change that was interrupted
//! is none: the launcher takes a key only once the old one has named it.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use countersign_core::checkpoint::Checkpoint;
use countersign_core::message::{Handover, StopNote};
use countersign_core::note::SigningKey;
use countersign_core::tree::TreeHead;
use rustix::rand::{GetRandomFlags, getrandom};
use serde_json::json;

use crate::clear::{now, operator, sync};
use crate::cli::RotateKeyArgs;
use crate::complaint::Complaint;
use crate::requests::done;

/// The launcher's directory.
const DIRECTORY: &str = "/var/lib/countersign-launcher";
/// The stop latch, in that directory.
const LATCH: &str = "stopped";
/// The key so far, the key from here on, the changes, and what was signed last, in that directory.
const KEY: &str = "signing-key";
const NEXT: &str = "signing-key.next";
const HANDOVERS: &str = "handovers.json";
const SIGNED: &str = "signed.json";

pub(crate) fn rotate(args: &RotateKeyArgs, json: bool) -> Result<u8, Complaint> {
    if !rustix::process::geteuid().is_root() {
        return Err(Complaint::NotAllowed { sentence: "Only root changes the log's key." });
    }
    if args.reason.trim().is_empty() {
        return Err(Complaint::usage("Say why the key is changed: --reason must not be empty."));
    }
    let directory = Path::new(DIRECTORY);
    if !directory.join(LATCH).exists() {
        return Err(Complaint::usage(
            "The broker is not stopped: stop it with `systemctl stop countersignd`, and clear it afterwards.",
        ));
    }
    let by = StopNote { time: now(), who: operator(), why: args.reason.clone() };
    let (old, new) = match (&args.old, &args.new) {
        (Some(old), Some(new)) => (old.clone(), new.clone()),
        (Some(_), None) | (None, Some(_)) | (None, None) => (directory.join(KEY), directory.join(NEXT)),
    };
    let handover = change(directory, &old, &new, by)?;
    let public = handover.1.verifier().to_string();
    done(json, &json!({ "key": public, "handover": handover.0.note }), &public)
}

/// Makes the next key and has the old one name it.
fn change(directory: &Path, old: &Path, new: &Path, by: StopNote) -> Result<(Handover, SigningKey), Complaint> {
    let old =
        read_key(old)?.ok_or_else(|| Complaint::usage("There is no key yet: the launcher makes it at its start."))?;
    let name = old.verifier().name().clone();
    let next = match read_key(new)? {
        Some(next) => next,
        None => {
            let next = SigningKey::from_seed(name.clone(), &seed().map_err(failed("No random numbers"))?);
            write(new, format!("{}\n", next.encode()).as_bytes()).map_err(failed("The next key cannot be written"))?;
            next
        }
    };
    if *next.verifier().name() != name || next.verifier() == old.verifier() {
        return Err(Complaint::usage(
            "The next key is the old one, or of another log: its name must be the old key's.",
        ));
    }
    let head = match read(&directory.join(SIGNED)).map_err(failed("What was signed last cannot be read"))? {
        Some(text) => parsed(&text, "What was signed last cannot be read")?,
        None => TreeHead::empty(),
    };
    let note = Checkpoint::handover(name, head, next.verifier()).sign(&old);
    let note = note.map_err(|error| Complaint::usage(format!("The change cannot be signed: {error}.")))?.to_string();
    let handover = Handover { note, old: old.verifier().to_string(), by };
    let path = directory.join(HANDOVERS);
    let mut all: Vec<Handover> = match read(&path).map_err(failed("The earlier changes cannot be read"))? {
        Some(text) => parsed(&text, "The earlier changes cannot be read")?,
        None => Vec::new(),
    };
    all.push(handover.clone());
    let text = serde_json::to_vec(&all).map_err(io::Error::from)?;
    write(&path, &text).map_err(failed("The change cannot be written down"))?;
    Ok((handover, next))
}

fn read_key(path: &Path) -> Result<Option<SigningKey>, Complaint> {
    let Some(text) = read(path).map_err(failed("A key cannot be read"))? else { return Ok(None) };
    let key = SigningKey::decode(String::from_utf8_lossy(&text).trim_end());
    key.map(Some).map_err(|error| Complaint::usage(format!("{} is no key: {error}.", path.display())))
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Complete and durable before it has its name, and nobody's but root's.
fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let directory = path.parent().ok_or(ErrorKind::InvalidInput)?;
    let unfinished = path.with_added_extension("new");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    sync(directory)
}

fn seed() -> io::Result<[u8; 32]> {
    let mut seed = [0_u8; 32];
    let got = getrandom(&mut seed, GetRandomFlags::empty())?;
    if got == seed.len() { Ok(seed) } else { Err(ErrorKind::UnexpectedEof.into()) }
}

fn parsed<T: serde::de::DeserializeOwned>(text: &[u8], what: &'static str) -> Result<T, Complaint> {
    serde_json::from_slice(text).map_err(|error| failed(what)(error.into()))
}

fn failed(what: &'static str) -> impl FnOnce(io::Error) -> Complaint {
    move |source| Complaint::System { what, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    use countersign_core::note::{Name, Note};
    use countersign_core::time::Moment;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(Name::new("web1/countersign").unwrap(), &[seed; 32])
    }

    fn by() -> StopNote {
        StopNote { time: Moment::from_millis(1), who: "root".to_owned(), why: "yearly".to_owned() }
    }

    fn state() -> tempfile::TempDir {
        let state = tempfile::tempdir().unwrap();
        fs::write(state.path().join(KEY), format!("{}\n", key(1).encode())).unwrap();
        state
    }

    fn rotated(state: &Path) -> Result<(Handover, SigningKey), Complaint> {
        change(state, &state.join(KEY), &state.join(NEXT), by())
    }

    #[test]
    fn the_old_key_names_the_next_over_what_was_signed_last() {
        let state = state();
        let head = TreeHead { size: 7, ..TreeHead::empty() };
        fs::write(state.path().join(SIGNED), serde_json::to_vec(&head).unwrap()).unwrap();
        let (handover, next) = rotated(state.path()).unwrap();
        let note = Note::parse(handover.note.as_bytes()).unwrap();
        note.verify(std::slice::from_ref(key(1).verifier())).unwrap();
        let checkpoint = Checkpoint::parse(note.text()).unwrap();
        assert_eq!((checkpoint.head, checkpoint.next_key().as_ref()), (head, Some(next.verifier())));
        assert_eq!(handover.old, key(1).verifier().to_string());
        for name in [NEXT, HANDOVERS] {
            let mode = fs::metadata(state.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        let kept: Vec<Handover> = serde_json::from_slice(&fs::read(state.path().join(HANDOVERS)).unwrap()).unwrap();
        assert_eq!(kept, [handover]);
        let old = fs::read_to_string(state.path().join(KEY)).unwrap();
        assert_eq!(old.trim_end(), key(1).encode(), "the launcher takes the next key, not this program");
    }

    #[test]
    fn what_is_no_change_is_refused() {
        let empty = tempfile::tempdir().unwrap();
        assert!(rotated(empty.path()).is_err(), "no key yet");
        for next in
            [key(1).encode(), SigningKey::from_seed(Name::new("web2").unwrap(), &[2; 32]).encode(), "x".to_owned()]
        {
            let state = state();
            fs::write(state.path().join(NEXT), next).unwrap();
            assert!(rotated(state.path()).is_err());
            assert!(!state.path().join(HANDOVERS).exists());
        }
        for file in [SIGNED, HANDOVERS] {
            let state = state();
            fs::write(state.path().join(file), "{").unwrap();
            assert!(rotated(state.path()).is_err(), "{file}");
        }
    }
}
