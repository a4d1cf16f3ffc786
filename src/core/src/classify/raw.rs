//! Rule files as TOML has them: the fields, their defaults, and nothing else.
//!
//! Enters: text, through serde. Leaves: tables with the place of every word, so that an error can say line and column.

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::asks::RawCheck;
use crate::profile::ProfileName;
use crate::strict::{Table, Word, maybe_word, tables, word};
use crate::tier::Tier;

/// One file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFile {
    #[serde(default)]
    pub(super) program: Vec<Spanned<Table<RawTable>>>,
}

/// A program, or a subcommand of one. See `docs/rules.md` for what each field means.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTable {
    pub(super) names: Spanned<Vec<Spanned<String>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<Spanned<String>>,
    pub(super) tier: Spanned<Word<Tier>>,
    pub(super) reason: Spanned<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) profile: Option<ProfileName>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "maybe_word")]
    pub(super) style: Option<Style>,
    #[serde(default)]
    pub(super) flags: Vec<Spanned<String>>,
    #[serde(default, deserialize_with = "tables")]
    pub(super) flag: Vec<RawFlag>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) operands: Option<Vec<Spanned<String>>>,
    #[serde(default, deserialize_with = "tables")]
    pub(super) form: Vec<RawForm>,
    #[serde(default, deserialize_with = "tables")]
    pub(super) sub: Vec<RawTable>,
    /// The operands mean everything below them, without any flag.
    #[serde(default)]
    pub(super) recursive: bool,
    #[serde(default)]
    pub(super) hosts: Vec<Spanned<String>>,
    /// Checks that are hard and meant for every use.
    #[serde(default)]
    pub(super) checks: Vec<Spanned<String>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) check: Vec<RawCheck>,
    #[serde(default, skip_serializing)]
    pub(super) must_match: Vec<Spanned<String>>,
    #[serde(default, skip_serializing)]
    pub(super) must_not_match: Vec<Spanned<String>>,
    /// Program only: `--help` or `--version` as the only word is a read.
    #[serde(default)]
    pub(super) help: bool,
    /// Program only: the first word may be flags without their hyphen (`tar xf`, `ps aux`).
    #[serde(default)]
    pub(super) bundle: bool,
    /// Program only: names followed by a version (`python3.11`) mean this program too.
    #[serde(default)]
    pub(super) versioned: bool,
    /// Program only: a path `host:path` is on another machine.
    #[serde(default)]
    pub(super) remote: bool,
    /// Program only, administrator's files only: this table replaces what ships instead of adding to it.
    #[serde(default)]
    pub(super) lowers: Option<Spanned<bool>>,
}

/// A flag with an effect of its own.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFlag {
    pub(super) spec: Spanned<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "maybe_word")]
    pub(super) tier: Option<Tier>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) profile: Option<ProfileName>,
    /// Everything below the operands is meant too.
    #[serde(default)]
    pub(super) recursive: bool,
    /// What is found below the operands is removed.
    #[serde(default)]
    pub(super) removes: bool,
}

/// One way to use a program that has a tier of its own.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawForm {
    pub(super) id: Spanned<String>,
    #[serde(deserialize_with = "word")]
    pub(super) tier: Tier,
    pub(super) reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) profile: Option<ProfileName>,
    /// Each entry: flags of which one at least is there.
    #[serde(default)]
    pub(super) has: Vec<Spanned<String>>,
    /// Flags of which none is there.
    #[serde(default)]
    pub(super) lacks: Vec<Spanned<String>>,
    /// Flags whose value is written when the program is used so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) writes: Vec<Spanned<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) operands: Option<Vec<Spanned<String>>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) checks: Vec<Spanned<String>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) check: Vec<RawCheck>,
    #[serde(default, skip_serializing)]
    pub(super) must_match: Vec<Spanned<String>>,
    #[serde(default, skip_serializing)]
    pub(super) must_not_match: Vec<Spanned<String>>,
}

/// How a program reads its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Style {
    /// GNU: flags anywhere, short ones combine, `--long=value`, `--` ends them.
    Getopt,
    /// The same, but the first operand ends the flags: wrappers.
    Posix,
    /// Flags are whole words whatever their hyphens: `find -name`, `ip -br`, `openssl -in`.
    Long,
}
