//! Sources: which files make up a policy, and in which order.
//!
//! Enters: a root directory. Leaves: every text with its place and origin, ready to be parsed, so that a check can
//! name what was read even where parsing fails.

use std::collections::BTreeMap;
use std::path::Path;

use countersign_core::classify::{Origin, RuleFile};
use countersign_core::policy::{self, Policy, TextFile};

use crate::accounts::Accounts;
use crate::error::ConfigError;
use crate::place::{MAX_FILE_BYTES, Place, Trust};

/// The administrator's directory, below the root.
const ADMIN: &str = "etc/countersign";
/// The vendor's directory, below the root.
const VENDOR: &str = "usr/share/countersign";
/// The most bytes of the account files, which grow with the machine's users and not with the policy.
const MAX_ACCOUNT_BYTES: u64 = 16 * 1_024 * 1_024;

/// What a source is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `countersign.toml` and its drop-ins.
    Settings,
    /// Who may ask for what.
    Grants,
    /// The classifier's rules.
    Rules,
    /// The sandboxes.
    Profiles,
}

/// One file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What it is read as.
    pub kind: Kind,
    /// Where it is.
    pub path: String,
    /// Its whole text.
    pub text: String,
    /// Whose it is.
    pub origin: Origin,
}

/// Everything that makes up a policy, read but not yet parsed.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    files: Vec<Source>,
    accounts: Accounts,
}

/// Reads every file of the policy below `root`, in the order in which they apply.
///
/// # Errors
/// The first file or directory that could not be read or that others could have written.
pub fn sources(root: &Path) -> Result<Sources, ConfigError> {
    let root = Place::root(root, Trust::RootOnly)?;
    let admin = root.below(ADMIN)?;
    gather(&root, admin.as_ref())
}

/// Reads the vendor's files below `root` and, in the place of the administrator's directory, one of somebody's own. Nothing
/// may be decided by what this returns.
///
/// # Errors
/// The first file or directory that could not be read.
pub fn sources_with(root: &Path, admin: &Path) -> Result<Sources, ConfigError> {
    let (root, admin) = (Place::root(root, Trust::RootOnly)?, Place::root(admin, Trust::Anybody)?);
    gather(&root, Some(&admin))
}

fn gather(root: &Place, admin: Option<&Place>) -> Result<Sources, ConfigError> {
    let vendor = root.below(VENDOR)?;
    let mut files = settings(admin)?;
    for (kind, vendors, admins) in [(Kind::Grants, "grants.d", "grants.d"), (Kind::Rules, "rules", "rules.d")] {
        let mut found = directory(vendor.as_ref(), vendors, kind, Origin::Vendor)?;
        found.extend(directory(admin, admins, kind, Origin::Admin)?);
        files.extend(found.into_values());
    }
    // A vendor's profile stays beside an administrator's of the same name, which must not be wider.
    files.extend(directory(vendor.as_ref(), "profiles", Kind::Profiles, Origin::Vendor)?.into_values());
    files.extend(directory(admin, "profiles.d", Kind::Profiles, Origin::Admin)?.into_values());
    Ok(Sources { files, accounts: accounts(root)? })
}

/// Reads `rules/*.toml` and `profiles/*.toml` of somebody's own directory, as vendor files and without grants, to try
/// them out. Anybody may have written them: nothing may be decided by what this returns.
///
/// # Errors
/// The first file or directory that could not be read.
pub fn checkout(directory_of_policy: &Path) -> Result<Sources, ConfigError> {
    let root = Place::root(directory_of_policy, Trust::Anybody)?;
    let rules = directory(Some(&root), "rules", Kind::Rules, Origin::Vendor)?;
    let profiles = directory(Some(&root), "profiles", Kind::Profiles, Origin::Vendor)?;
    Ok(Sources { files: rules.into_values().chain(profiles.into_values()).collect(), accounts: Accounts::default() })
}

impl Kind {
    /// The kind's name, on the bus and for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Grants => "grants",
            Self::Rules => "rules",
            Self::Profiles => "profiles",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Settings, Self::Grants, Self::Rules, Self::Profiles].into_iter().find(|kind| kind.name() == name)
    }
}

impl Source {
    /// Whose it is, in one word.
    #[must_use]
    pub const fn origin_name(&self) -> &'static str {
        match self.origin {
            Origin::Vendor => "vendor",
            Origin::Admin => "admin",
        }
    }

    /// By what it is sorted and replaced: the main file of the settings comes before its drop-ins.
    fn place(&self) -> (usize, bool, &str) {
        let order = match self.kind {
            Kind::Settings => 0,
            Kind::Grants => 1,
            Kind::Rules => 2,
            Kind::Profiles if self.origin == Origin::Vendor => 3,
            Kind::Profiles => 4,
        };
        let path = Path::new(&self.path);
        let dropped_in = path.parent().is_some_and(|parent| parent.ends_with("countersign.toml.d"));
        (order, dropped_in, path.file_name().and_then(|name| name.to_str()).unwrap_or_default())
    }
}

impl Sources {
    /// Files that somebody else read, in the order in which they apply.
    #[must_use]
    pub const fn of_files(files: Vec<Source>, accounts: Accounts) -> Self {
        Self { files, accounts }
    }

    /// Puts a file in the place of the one of its name and kind, or beside the others of its kind.
    pub fn put(&mut self, source: Source) {
        self.files.retain(|other| other.place() != source.place());
        self.files.push(source);
        self.files.sort_by(|a, b| a.place().cmp(&b.place()));
    }

    /// Every file, in the order in which it applies.
    #[must_use]
    pub fn files(&self) -> &[Source] {
        &self.files
    }

    /// The accounts by which names in grants are resolved.
    #[must_use]
    pub const fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Parses the whole.
    ///
    /// # Errors
    /// The first mistake, with file, line and column.
    pub fn policy(&self) -> Result<Policy, ConfigError> {
        let rules: Vec<RuleFile<'_>> = self
            .of(Kind::Rules)
            .map(|source| RuleFile { name: &source.path, text: &source.text, origin: source.origin })
            .collect();
        let [settings, grants] = [Kind::Settings, Kind::Grants].map(|kind| self.of(kind).map(text).collect::<Vec<_>>());
        let [profiles, own_profiles] = [Origin::Vendor, Origin::Admin].map(|origin| {
            self.of(Kind::Profiles).filter(|source| source.origin == origin).map(text).collect::<Vec<_>>()
        });
        let sources = policy::Sources {
            settings: &settings,
            grants: &grants,
            rules: &rules,
            profiles: &profiles,
            own_profiles: &own_profiles,
        };
        Ok(Policy::parse(&sources, &self.accounts)?)
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = &Source> {
        self.files.iter().filter(move |source| source.kind == kind)
    }
}

fn text(source: &Source) -> TextFile<'_> {
    TextFile { name: &source.path, text: &source.text }
}

fn settings(admin: Option<&Place>) -> Result<Vec<Source>, ConfigError> {
    let Some(admin) = admin else { return Ok(Vec::new()) };
    let name = "countersign.toml";
    let main = admin.read(name, MAX_FILE_BYTES)?;
    let main = main.map(|text| Source { kind: Kind::Settings, path: admin.path_of(name), text, origin: Origin::Admin });
    let dropped_in = directory(Some(admin), "countersign.toml.d", Kind::Settings, Origin::Admin)?;
    Ok(main.into_iter().chain(dropped_in.into_values()).collect())
}

/// The files of one directory by name, so that later ones can replace earlier ones of the same name.
fn directory(
    parent: Option<&Place>,
    name: &str,
    kind: Kind,
    origin: Origin,
) -> Result<BTreeMap<String, Source>, ConfigError> {
    let Some(parent) = parent else { return Ok(BTreeMap::new()) };
    let Some(place) = parent.below(name)? else { return Ok(BTreeMap::new()) };
    let mut files = BTreeMap::new();
    for name in place.toml_names()? {
        // A file that vanished between the listing and the opening is as if it had vanished before.
        if let Some(text) = place.read(&name, MAX_FILE_BYTES)? {
            files.insert(name.clone(), Source { kind, path: place.path_of(&name), text, origin });
        }
    }
    Ok(files)
}

fn accounts(root: &Place) -> Result<Accounts, ConfigError> {
    let Some(etc) = root.below("etc")? else { return Ok(Accounts::default()) };
    let text = |name| etc.read(name, MAX_ACCOUNT_BYTES).map(Option::unwrap_or_default);
    Ok(Accounts::parse(&text("passwd")?, &text("group")?))
}
