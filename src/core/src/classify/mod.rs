//! (scaffold of the interface only, to be replaced whole by the classifier)
use serde::{Deserialize, Serialize};

use crate::argv::Argv;
use crate::digest::Digest;
use crate::path::CleanPath;
use crate::profile::ProfileName;
use crate::target::Target;
use crate::tier::{Ruling, Tier};

/// x
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RuleId(pub String);
/// x
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin { /// x
    Vendor, /// x
    Admin }
/// x
#[derive(Debug, Clone, Copy)]
pub struct RuleFile<'a> { /// x
    pub name: &'a str, /// x
    pub text: &'a str, /// x
    pub origin: Origin }
/// x
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct RulesError;
/// x
#[derive(Debug)]
pub struct Rules;
/// x
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> { /// x
    pub argv: &'a Argv, /// x
    pub cwd: &'a CleanPath, /// x
    pub env_names: &'a [&'a str] }
/// x
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence { /// x
    pub rule: RuleId, /// x
    pub words: Vec<String>, /// x
    pub says: String, /// x
    pub depth: u16 }
/// x
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Classification { /// x
    pub ruling: Ruling, /// x
    pub profile: ProfileName, /// x
    pub targets: Vec<Target>, /// x
    pub rules: Vec<RuleId>, /// x
    pub evidence: Vec<Evidence> }
impl Rules {
    /// x
    pub fn parse(_files: &[RuleFile<'_>]) -> Result<Self, RulesError> { Ok(Self) }
    /// x
    pub fn digest(&self) -> Digest { Digest::ZERO }
}
/// x
pub fn classify(_rules: &Rules, _subject: &Subject<'_>) -> Classification {
    Classification { ruling: Ruling::Tier(Tier::T2), profile: ProfileName::system(), targets: vec![], rules: vec![], evidence: vec![] }
}
