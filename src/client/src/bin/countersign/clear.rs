//! `clear`: an operator at the machine lets the broker start again. SEC-8.
//!
//! ```text
//!   root on a terminal ─▶ write cleared.json ─▶ remove the latch ─▶ remove the note ─▶ systemctl daemon-reload
//! ```
//!
//! Not a method on the bus: whoever reaches only the bus can stop the broker and never start it. The order is such
//! that a clearing that was interrupted leaves the broker stopped; the note of who cleared it is on disk before
//! anything else, and the next start makes it the log's first entry.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal as _, Write as _, stdin};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use countersign::stopped::NOTE;
use countersign_core::message::StopNote;
use countersign_core::time::Moment;
use serde_json::json;

use crate::cli::ClearArgs;
use crate::complaint::Complaint;
use crate::requests::done;

/// The launcher's directory, below the root.
const DIRECTORY: &str = "var/lib/countersign-launcher";
/// The latch, in that directory.
const LATCH: &str = "stopped";
/// Who cleared it, in that directory.
const CLEARED: &str = "cleared.json";
/// The unit, and what its generator masks.
const UNIT: &str = "countersignd.service";

pub(crate) fn clear(args: &ClearArgs, json: bool) -> Result<u8, Complaint> {
    if !rustix::process::geteuid().is_root() {
        return Err(Complaint::NotAllowed { sentence: "Only root clears a stop: log in at the machine and use sudo." });
    }
    if !stdin().is_terminal() {
        return Err(Complaint::NotAllowed {
            sentence: "A stop is cleared by an operator on a terminal, and this is none.",
        });
    }
    if args.reason.trim().is_empty() {
        return Err(Complaint::usage("Say why it is safe to go on: --reason must not be empty."));
    }
    let note = StopNote { time: now(), who: operator(), why: args.reason.clone() };
    if !release(Path::new("/"), &note)? {
        return done(json, &json!({ "cleared": false }), "The broker is not stopped: there is nothing to clear.");
    }
    systemctl(&["daemon-reload"])?;
    // A unit that never failed cannot be reset, which is well.
    drop(systemctl(&["reset-failed", UNIT]));
    done(json, &json!({ "cleared": true }), "Cleared: the broker starts with the next call.")
}

/// Removes latch and note below `root`, after writing down who did; false where there is no latch.
fn release(root: &Path, cleared: &StopNote) -> Result<bool, Complaint> {
    let directory = root.join(DIRECTORY);
    let latch = directory.join(LATCH);
    let note = root.join(NOTE);
    if !is_there(&latch)? && !is_there(&note)? {
        return Ok(false);
    }
    write(&directory, cleared).map_err(|source| Complaint::System {
        what: "Who clears it cannot be written down, so it stays stopped",
        source,
    })?;
    remove(&latch)?;
    sync(&directory).map_err(|source| Complaint::System { what: "The latch's directory cannot be synced", source })?;
    remove(&note)?;
    Ok(true)
}

/// What cannot be looked at counts as there.
fn is_there(path: &Path) -> Result<bool, Complaint> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(source) => Err(Complaint::System { what: "The latch cannot be looked at", source }),
    }
}

/// Complete and durable before it has its name.
fn write(directory: &Path, cleared: &StopNote) -> io::Result<()> {
    let unfinished = directory.join(format!("{CLEARED}.new"));
    remove_if_there(&unfinished)?;
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    file.write_all(&serde_json::to_vec(cleared)?)?;
    file.sync_all()?;
    std::fs::rename(&unfinished, directory.join(CLEARED))?;
    sync(directory)
}

/// Makes what happened in a directory durable.
pub(crate) fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn remove(path: &Path) -> Result<(), Complaint> {
    remove_if_there(path).map_err(|source| Complaint::System { what: "The latch cannot be removed", source })
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "PID 1 must forget the generator's mask, and systemctl is how root tells it"
)]
fn systemctl(words: &[&str]) -> Result<(), Complaint> {
    let status = Command::new("/usr/bin/systemctl").args(words).stdin(Stdio::null()).stderr(Stdio::null()).status();
    let failed = |source| Complaint::System {
        what: "The latch is removed, but systemctl daemon-reload failed: run it by hand",
        source,
    };
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed(io::Error::other(status.to_string()))),
        Err(source) => Err(failed(source)),
    }
}

/// Root, and who logged in at first if the kernel kept it.
pub(crate) fn operator() -> String {
    let login = std::fs::read_to_string("/proc/self/loginuid").unwrap_or_default();
    match login.trim().parse::<u32>() {
        Ok(uid) if uid != u32::MAX => format!("root (logged in as uid {uid})"),
        Ok(_) | Err(_) => "root".to_owned(),
    }
}

/// The wall clock.
pub(crate) fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note() -> StopNote {
        StopNote { time: Moment::from_millis(1), who: "root".to_owned(), why: "looked at it".to_owned() }
    }

    fn stopped() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for path in [format!("{DIRECTORY}/{LATCH}"), NOTE.to_owned()] {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "{}").unwrap();
        }
        root
    }

    #[test]
    fn clearing_removes_latch_and_note_and_keeps_who_and_why() {
        let root = stopped();
        assert!(release(root.path(), &note()).unwrap());
        let kept = std::fs::read(root.path().join(DIRECTORY).join(CLEARED)).unwrap();
        assert_eq!(serde_json::from_slice::<StopNote>(&kept).unwrap(), note());
        assert!(
            !is_there(&root.path().join(DIRECTORY).join(LATCH)).unwrap() && !is_there(&root.path().join(NOTE)).unwrap()
        );
        assert!(!release(root.path(), &note()).unwrap(), "a second time there is nothing to clear");
    }

    #[test]
    fn what_cannot_be_written_down_is_not_cleared() {
        let root = stopped();
        std::fs::create_dir(root.path().join(DIRECTORY).join(CLEARED)).unwrap();
        assert!(release(root.path(), &note()).is_err());
        assert!(is_there(&root.path().join(DIRECTORY).join(LATCH)).unwrap(), "it stays stopped");
    }

    #[test]
    fn a_latch_alone_and_a_note_alone_are_cleared_too() {
        for kept in [format!("{DIRECTORY}/{LATCH}"), NOTE.to_owned()] {
            let root = stopped();
            for path in [format!("{DIRECTORY}/{LATCH}"), NOTE.to_owned()].iter().filter(|path| **path != kept) {
                std::fs::remove_file(root.path().join(path)).unwrap();
            }
            assert!(release(root.path(), &note()).unwrap(), "{kept}");
        }
    }

    #[test]
    fn a_dangling_link_in_place_of_the_latch_counts_as_engaged() {
        let root = stopped();
        let latch = root.path().join(DIRECTORY).join(LATCH);
        std::fs::remove_file(&latch).unwrap();
        std::os::unix::fs::symlink("/nowhere", &latch).unwrap();
        assert!(release(root.path(), &note()).unwrap() && !is_there(&latch).unwrap());
    }
}
