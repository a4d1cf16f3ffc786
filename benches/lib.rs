//! What holds for every command, for the benchmarks and the fuzz targets alike.
//!
//! ```text
//!   policy/rules/*.toml ──rules──▶ Rules        tests/data/tiers/*.tsv ──lines──▶ command lines
//!   any words ──laws::hold──▶ nothing, or a panic that says which law was broken
//! ```
//!
//! It reads the repository's own files and never anything else.

#![forbid(unsafe_code)]

pub mod laws;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use countersign_core::argv::Argv;
use countersign_core::classify::{Classification, Origin, RuleFile, Rules, Subject, classify};
use countersign_core::path::{CleanPath, PathError};

/// Why the repository's own files could not be used.
#[derive(Debug)]
pub enum Unusable {
    /// A file or directory could not be read.
    Io(io::Error),
    /// The rules are refused; the message has the place.
    Rules(Box<countersign_core::classify::RulesError>),
    /// The working directory is no path.
    Path(PathError),
}

impl From<io::Error> for Unusable {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The rules that ship, and where commands are supposed to run.
#[derive(Debug)]
pub struct World {
    rules: Rules,
    cwd: CleanPath,
}

impl World {
    /// Reads the rules of this repository, and the text of an administrator's file if there is one.
    ///
    /// # Errors
    /// [`Unusable`], for any file that cannot be read or is refused.
    pub fn read(admin: Option<&str>) -> Result<Self, Unusable> {
        let texts = texts("policy/rules", "toml")?;
        let mut files: Vec<RuleFile<'_>> =
            texts.iter().map(|(name, text)| RuleFile { name, text, origin: Origin::Vendor }).collect();
        files.extend(admin.map(|text| RuleFile { name: "admin.toml", text, origin: Origin::Admin }));
        let rules = Rules::parse(&files).map_err(|error| Unusable::Rules(Box::new(error)))?;
        Ok(Self { rules, cwd: CleanPath::new("/srv/example").map_err(Unusable::Path)? })
    }

    /// The rules.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What the classifier says of a command.
    #[must_use]
    pub fn classify(&self, argv: &Argv) -> Classification {
        classify(&self.rules, &Subject { argv, cwd: &self.cwd, env_names: &[] })
    }
}

/// The command lines of the tables of tiers.
///
/// # Errors
/// [`Unusable`], if the tables cannot be read.
pub fn lines() -> Result<Vec<String>, Unusable> {
    let tables = texts("tests/data/tiers", "tsv")?;
    let of = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.filter_map(|line| line.split('\t').nth(1)).map(str::to_owned).collect()
    };
    Ok(tables.iter().flat_map(|(_, text)| of(text)).collect())
}

/// Names and texts of the files with this ending in a directory of the repository, in order.
///
/// # Errors
/// The directory, or a file in it, cannot be read.
pub fn texts(directory: &str, ending: &str) -> io::Result<Vec<(String, String)>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(directory);
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(root)? {
        paths.push(entry?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|own| own == ending));
    paths.sort();
    paths.into_iter().map(|path| Ok((path.display().to_string(), fs::read_to_string(path)?))).collect()
}
