//! The witness: holds the log's key, and remembers what it signed last. SEC-10.
//!
//! ```text
//!   front ─ Sign { base, head, proof } ─▶ does head contain what was signed last? ─no─▶ Rewritten
//!                                           │ yes
//!                                           ▼
//!                               head on the disk ─▶ signature ─▶ note
//! ```
//!
//! Enters: heads of a tree from a front that is not trusted. Leaves: signatures, each over a log that begins with every
//! log that was signed before. The head is on the disk before its signature exists, so that no crash lets two logs be
//! signed; the same head may be signed again, for a front that did not hear the answer. The key never leaves.

mod key;

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use countersign_core::checkpoint::Checkpoint;
use countersign_core::message::{Handover, Unsigned};
use countersign_core::note::{BadName, NotAKey, NotANote, SigningKey};
use countersign_core::policy::Settings;
use countersign_core::tree::{Proof, TreeHead, verify_consistency};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::durable::{make_directory, replace};

/// What was signed last, in the launcher's directory.
const SIGNED: &str = "signed.json";
/// Every change of the key, in the launcher's directory.
const HANDOVERS: &str = "handovers.json";
/// The public key, for everybody to read.
const PUBLIC: &str = "audit-key";
/// The most bytes of a file of ours.
const MAX_FILE: u64 = 128 * 1_024;

/// Where key and memory are, and both once they could be read.
#[derive(Debug)]
pub(crate) struct Witness {
    directory: PathBuf,
    notices: PathBuf,
    credential: PathBuf,
    /// Nothing while the files cannot be read; every request to sign tries again.
    ready: Option<Ready>,
}

#[derive(Debug)]
struct Ready {
    key: SigningKey,
    signed: TreeHead,
}

/// Why the witness cannot work now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WitnessError {
    /// A file.
    #[error("the witness cannot use {name}")]
    File {
        /// Its name.
        name: &'static str,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// Somebody else may have read or put it there. It is not used, and nobody but root can say whether it may be again.
    #[error(
        "{name} must be a file of root's that nobody else may read: if nobody did, chown it to root and chmod it to 600; if \
         somebody may have, change it with `countersign audit rotate-key`"
    )]
    NotPrivate {
        /// Its name.
        name: &'static str,
    },
    /// There was a key, for something was signed; another one in its place would be a log that nobody can tie to the old.
    #[error(
        "the log was signed before, and its key is gone: put signing-key or the credential back, or begin with a new key \
         as countersignd(8) says in CHECKPOINTS"
    )]
    KeyGone,
    /// The key is none.
    #[error("the log's key cannot be read")]
    Key(#[from] NotAKey),
    /// The log cannot be named after the machine.
    #[error("the log cannot be named after the machine: set audit.origin")]
    Name(#[from] BadName),
    /// What was signed last cannot be read. Signing anything could sign a second history.
    #[error("what was signed last cannot be read")]
    Memory(#[source] serde_json::Error),
    /// A checkpoint cannot be written as a note.
    #[error("the checkpoint is no note")]
    Note(#[from] NotANote),
}

impl Witness {
    /// The machine's. Key and memory are read, or made, when they are first needed.
    pub(crate) fn of_the_machine() -> Self {
        Self::below(
            Path::new("/var/lib/countersign-launcher"),
            Path::new("/run/countersign"),
            Path::new("/run/credentials/countersignd.service"),
        )
    }

    fn below(directory: &Path, notices: &Path, credentials: &Path) -> Self {
        let credential = credentials.join(key::CREDENTIAL);
        Self { directory: directory.to_owned(), notices: notices.to_owned(), credential, ready: None }
    }

    /// Reads key and memory, makes the key if there is none, and tells everybody its public half.
    ///
    /// # Errors
    /// [`WitnessError`]; a later call may work.
    pub(crate) fn prepare(&mut self, settings: &Settings) -> Result<(), WitnessError> {
        if self.ready.is_some() {
            return Ok(());
        }
        make_directory(&self.directory, 0o700).map_err(failed("its directory"))?;
        let key = key::read_or_make(&self.directory, &self.credential, settings, self.handovers().last())?;
        let public = format!("{}\n", key.verifier());
        make_directory(&self.notices, 0o755).map_err(failed("the directory of notices"))?;
        replace(&self.notices, PUBLIC, public.as_bytes(), 0o644).map_err(failed(PUBLIC))?;
        let signed = match read(&self.directory.join(SIGNED)).map_err(failed(SIGNED))? {
            Some(text) => serde_json::from_slice(&text).map_err(WitnessError::Memory)?,
            None => TreeHead::empty(),
        };
        self.ready = Some(Ready { key, signed });
        Ok(())
    }

    /// Every change of the key, oldest first. A list that cannot be read is none: checkpoints then miss a link, which
    /// their verifier says.
    pub(crate) fn handovers(&self) -> Vec<Handover> {
        let text = read(&self.directory.join(HANDOVERS)).ok().flatten().unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Signs a head that contains what was signed before.
    ///
    /// # Errors
    /// [`Unsigned`].
    pub(crate) fn sign(
        &mut self,
        settings: &Settings,
        base: u64,
        head: TreeHead,
        proof: &Proof,
    ) -> Result<String, Unsigned> {
        let unavailable = |error: WitnessError| {
            crate::complain(&error);
            Unsigned::Unavailable
        };
        self.prepare(settings).map_err(unavailable)?;
        let ready = self.ready.as_mut().ok_or(Unsigned::Unavailable)?;
        contains(&ready.signed, base, &head, proof)?;
        if ready.signed != head {
            remember(&self.directory, &head).map_err(unavailable)?;
            ready.signed = head;
        }
        let checkpoint = Checkpoint::new(ready.key.verifier().name().clone(), head);
        let note = checkpoint.sign(&ready.key).map_err(|error| unavailable(error.into()))?;
        Ok(note.to_string())
    }
}

/// Whether `head` is the log that was signed last, or that log and more. What cannot be shown is not so.
fn contains(signed: &TreeHead, base: u64, head: &TreeHead, proof: &Proof) -> Result<(), Unsigned> {
    let rewritten = Unsigned::Rewritten { signed: *signed };
    if head.size < signed.size || (head.size == signed.size && head.root != signed.root) {
        return Err(rewritten);
    }
    if base != signed.size {
        return Err(Unsigned::Base { signed: *signed });
    }
    verify_consistency(signed, head, proof).map_err(|_| rewritten)
}

fn remember(directory: &Path, head: &TreeHead) -> Result<(), WitnessError> {
    let text = serde_json::to_vec(head).map_err(WitnessError::Memory)?;
    replace(directory, SIGNED, &text, 0o600).map_err(failed(SIGNED))
}

/// The whole of a small file; nothing if there is none.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    all_of(file).map(Some)
}

fn all_of(file: File) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut text)?;
    Ok(text)
}

/// The same for a secret: a file of the launcher's own user, which is root, that nobody else may read or write. What is
/// looked at is what was opened.
fn read_private(directory: &Path, name: &'static str) -> Result<Option<Vec<u8>>, WitnessError> {
    // A pipe in its place keeps nobody waiting.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::open(directory.join(name), flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP) => return Err(WitnessError::NotPrivate { name }),
        Err(errno) => return Err(failed(name)(errno.into())),
    };
    let found = file.metadata().map_err(failed(name))?;
    if !found.is_file() || found.uid() != rustix::process::geteuid().as_raw() || found.mode() & 0o077 != 0 {
        return Err(WitnessError::NotPrivate { name });
    }
    all_of(file).map(Some).map_err(failed(name))
}

/// Whether there is such a file, whatever is in it.
fn exists(path: &Path) -> io::Result<bool> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn failed(name: &'static str) -> impl FnOnce(io::Error) -> WitnessError {
    move |source| WitnessError::File { name, source }
}

#[cfg(test)]
mod tests;
