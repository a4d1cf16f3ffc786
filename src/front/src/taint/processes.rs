//! Whose processes there are, as one look through `/proc` says it, and whether the look can be believed.
//!
//! A look is not one moment: a process may begin behind it and its parent end before it. Numbers of new processes grow,
//! and the look goes in the order of the numbers, so it meets the children of what it passed. What vanishes while it is
//! looked at makes the look unsure, and so does a `/proc` that hides the processes of others.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;

use countersign_core::caller::Uid;

/// What one look saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Look {
    /// Everybody who has a process.
    Sure(HashSet<Uid>),
    /// Not everything could be seen.
    Unsure,
}

/// Looks through this directory.
pub(super) fn look(proc: &Path) -> Look {
    // The first process belongs to root; where it is hidden, others are.
    if owners(&proc.join("1")).is_err() {
        return Look::Unsure;
    }
    every(proc).map_or(Look::Unsure, Look::Sure)
}

fn every(proc: &Path) -> io::Result<HashSet<Uid>> {
    let mut seen = HashSet::new();
    for entry in fs::read_dir(proc)? {
        let entry = entry?;
        let is_process = entry.file_name().to_str().is_some_and(|name| name.bytes().all(|b| b.is_ascii_digit()));
        if is_process {
            seen.extend(owners(&entry.path())?);
        }
    }
    Ok(seen)
}

/// The real, effective, saved and file system user of a process.
fn owners(process: &Path) -> io::Result<Vec<Uid>> {
    let status = fs::read_to_string(process.join("status"))?;
    let ids = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
    let ids = ids.split_ascii_whitespace().map(|id| id.parse().ok().and_then(|id: u32| Uid::try_from(id).ok()));
    let ids: Option<Vec<Uid>> = ids.collect();
    ids.filter(|ids| ids.len() == 4).ok_or_else(|| io::Error::other("it does not say whose it is"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uids(ids: &[u32]) -> HashSet<Uid> {
        ids.iter().map(|id| Uid::try_from(*id).unwrap()).collect()
    }

    fn process(proc: &Path, pid: &str, uid: &str) {
        fs::create_dir_all(proc.join(pid)).unwrap();
        fs::write(proc.join(pid).join("status"), format!("Name:\tx\nUid:\t{uid}\nGid:\t9\t9\t9\t9\n")).unwrap();
    }

    #[test]
    fn every_id_of_every_process_is_seen() {
        let proc = tempfile::tempdir().unwrap();
        process(proc.path(), "1", "0\t0\t0\t0");
        process(proc.path(), "77", "1000\t0\t1001\t1002");
        fs::create_dir(proc.path().join("self-not")).unwrap();
        assert_eq!(look(proc.path()), Look::Sure(uids(&[0, 1000, 1001, 1002])));
    }

    #[test]
    fn what_cannot_be_seen_makes_the_look_unsure() {
        let proc = tempfile::tempdir().unwrap();
        assert_eq!(look(proc.path()), Look::Unsure, "no first process");
        process(proc.path(), "1", "0\t0\t0\t0");
        assert_eq!(look(proc.path()), Look::Sure(uids(&[0])));
        fs::create_dir(proc.path().join("9")).unwrap();
        assert_eq!(look(proc.path()), Look::Unsure, "it vanished meanwhile");
        for wrong in ["", "0\t0\t0", "x\t0\t0\t0", "4294967295\t0\t0\t0"] {
            process(proc.path(), "9", wrong);
            assert_eq!(look(proc.path()), Look::Unsure, "{wrong}");
        }
    }

    #[test]
    fn the_real_thing_has_us_in_it() {
        let Look::Sure(seen) = (0..50).map(|_| look(Path::new("/proc"))).find(|look| *look != Look::Unsure).unwrap()
        else {
            unreachable!()
        };
        assert!(seen.contains(&Uid::try_from(rustix::process::getuid().as_raw()).unwrap()));
    }
}
