//! countersign-config: reads the policy from root-owned files, and from nothing that anybody else could have written.
//!
//! ```text
//!   /usr/share/countersign/{rules,profiles,grants.d}/*.toml ──┐  rules, grants: a file of the same name in /etc replaces it
//!   /etc/countersign/{rules.d,profiles.d,grants.d}/*.toml   ──┼─ sources ──▶ Sources ──policy──▶ Policy
//!   /etc/countersign/countersign.toml, countersign.toml.d/  ──┤
//!   /etc/passwd, /etc/group (names to ids)                  ──┘
//! ```
//!
//! Enters: a root directory. Leaves: one [`Policy`], or the first thing that is wrong with its place. All or nothing:
//! it never leaves a file out because it could not be read, never follows a symbolic link below the root, and never
//! asks a name service, which others could answer for.

#![forbid(unsafe_code)]

mod accounts;
mod error;
mod place;
mod sources;

use std::path::Path;

use countersign_core::policy::Policy;

pub use accounts::Accounts;
pub use error::ConfigError;
pub use place::{MAX_FILE_BYTES, MAX_FILES};
pub use sources::{Kind, Source, Sources, checkout, sources, sources_with};

/// Reads and parses the whole policy below `root` (`/` outside of tests).
///
/// The reader needs no privilege: what is checked is who can write the files, not who reads them.
///
/// # Errors
/// The first file or directory that is not right; then there is no policy at all.
pub fn load(root: &Path) -> Result<Policy, ConfigError> {
    sources(root)?.policy()
}

#[cfg(test)]
mod tests;
