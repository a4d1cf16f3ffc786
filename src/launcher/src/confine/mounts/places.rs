//! The places of a profile's sets that exist on this machine, and opening them without being led astray.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use countersign_core::path::CleanPath;
use countersign_core::profile::Place;
use rustix::fs::{CWD, Dir, Mode, OFlags, ResolveFlags, open, openat2};
use rustix::io::Errno;

use super::{MountError, failed};
use crate::walk::{Trust, walk};

/// Opens a place without following a link that others than root can change; nothing where there is no such place.
///
/// A place that only such a link leads to is left alone: following it would let whoever made the link choose what is
/// covered.
pub(super) fn find(path: &CleanPath) -> Result<Option<OwnedFd>, MountError> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat2(CWD, path.as_str(), flags, Mode::empty(), ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS) {
        Ok(found) => Ok(Some(found)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(Errno::LOOP) => Ok(walk(path, Trust::RootsLinks).ok().map(|found| found.fd)),
        Err(errno) => Err(failed("opening", path.as_str())(errno)),
    }
}

/// Those of the paths at which something is. What is looked at later is found anew, for it may lie in another mount then;
/// what is not there now, on most machines the most of them, needs no second look.
pub(super) fn there(paths: &[CleanPath]) -> Result<Vec<CleanPath>, MountError> {
    let mut found = Vec::new();
    for path in paths {
        if find(path)?.is_some() {
            found.push(path.clone());
        }
    }
    Ok(found)
}

/// The paths of the places, with patterns written out.
pub(super) fn existing<'a>(places: impl Iterator<Item = &'a Place>) -> Result<Vec<CleanPath>, MountError> {
    let mut found = Vec::new();
    let mut listings = Listings::new();
    for place in places {
        expand(place.pattern, &mut listings, &mut found)?;
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// What is in a directory that a pattern asks for; many patterns ask for the same one.
type Listings = BTreeMap<String, Vec<String>>;

/// Writes out the `*` of a pattern; a pattern without one is itself, there or not.
fn expand(pattern: &str, listings: &mut Listings, found: &mut Vec<CleanPath>) -> Result<(), MountError> {
    let Some(star) = pattern.find('*') else {
        found.extend(CleanPath::new(pattern));
        return Ok(());
    };
    let (before, after) = pattern.split_at(star);
    let after = after.trim_start_matches('*');
    let (directory, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let (suffix, rest) = after.find('/').map_or((after, ""), |slash| after.split_at(slash));
    let directory = if directory.is_empty() { "/" } else { directory };
    let matches = |name: &&String| name.strip_prefix(prefix).is_some_and(|rest| rest.strip_suffix(suffix).is_some());
    let matching: Vec<String> = match listings.get(directory) {
        Some(names) => names.iter().filter(matches).cloned().collect(),
        None => {
            let names = names(directory)?;
            let matching = names.iter().filter(matches).cloned().collect();
            listings.insert(directory.to_owned(), names);
            matching
        }
    };
    let directory = directory.trim_end_matches('/');
    matching.iter().try_for_each(|name| expand(&format!("{directory}/{name}{rest}"), listings, found))
}

/// The names in a directory; none where there is no such directory. A name that is not text has no place in a pattern.
fn names(directory: &str) -> Result<Vec<String>, MountError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = match open(directory, flags, Mode::empty()) {
        Ok(opened) => opened,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(Vec::new()),
        Err(errno) => return Err(failed("listing", directory)(errno)),
    };
    let mut names = Vec::new();
    for entry in Dir::new(opened).map_err(failed("listing", directory))? {
        let entry = entry.map_err(failed("listing", directory))?;
        if let Ok(name) = entry.file_name().to_str()
            && name != "."
            && name != ".."
        {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(pattern: &str) -> Vec<String> {
        let mut found = Vec::new();
        expand(pattern, &mut Listings::new(), &mut found).unwrap();
        found.into_iter().map(String::from).collect()
    }

    #[test]
    fn a_star_stands_for_any_part_of_one_name() {
        assert_eq!(expanded("/etc/hostna*"), ["/etc/hostname"]);
        assert_eq!(expanded("/etc/h*name"), ["/etc/hostname"]);
        assert_eq!(expanded("/e*c/hostname"), ["/etc/hostname"]);
        assert_eq!(expanded("/no/such/*/x"), Vec::<String>::new());
        assert_eq!(expanded("/not/there"), ["/not/there"]);
        assert!(expanded("/etc/*").contains(&"/etc/passwd".to_owned()));
        assert!(!expanded("/etc/*").iter().any(|path| path.matches('/').count() > 2));
    }
}
