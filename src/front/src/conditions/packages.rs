//! Packages: whether dpkg has one installed, by its own list. The list is replaced as a whole, so it is never half written.

use std::path::Path;

use countersign_core::condition::{Found, Package, is_installed};

use super::read_text;

/// The longest list that is read; one of all of Debian is longer than any machine's and not that long.
const MAX_LIST: u64 = 64 * 1_024 * 1_024;

pub(super) fn is_present(list: &Path, package: &Package) -> Result<(), Found> {
    if is_installed(&read_text(list, MAX_LIST)?, package) { Ok(()) } else { Err(Found::NoPackage) }
}
