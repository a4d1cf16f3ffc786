//! Grants: who may ask, up to which tier, and up to which tier without a human.
//!
//! Names are resolved to ids once, when the policy is loaded; a name that nobody has is an error, because somebody
//! may get it later. Several grants that match one caller add up.

use serde::{Deserialize, Serialize};

use super::TextFile;
use super::budget::{Allowance, Budget};
use crate::caller::{Caller, Gid, Uid};
use crate::profile::ProfileName;
use crate::spot::{Spot, Step, said};
use crate::strict::{Word, table, tables, word};
use crate::tier::Tier;

/// Looks up ids by name; implemented by whoever may read the user database.
pub trait Names {
    /// The id of the user of this name.
    fn uid(&self, user: &str) -> Option<Uid>;
    /// The id of the group of this name.
    fn gid(&self, group: &str) -> Option<Gid>;
    /// Whether it is certain that there is no user of this name; who knows no accounts at all is certain of nothing.
    fn lacks(&self, _user: &str) -> bool {
        false
    }
}

/// Whom a grant is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Holder {
    User(Uid),
    Group(Gid),
}

/// What one grant gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Grant {
    holder: Holder,
    /// The highest tier that may be asked for.
    pub ceiling: Tier,
    /// The highest tier that runs without a human; at most T1.
    pub auto: Tier,
    /// The profiles that may be used; `None` for all.
    pub profiles: Option<Vec<ProfileName>>,
    /// How much of the broker may be used.
    pub budgets: Allowance,
}

/// Every grant in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Grants(Vec<Grant>);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default, deserialize_with = "tables")]
    grant: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    user: Option<String>,
    group: Option<String>,
    uid: Option<Uid>,
    #[serde(deserialize_with = "word")]
    ceiling: Tier,
    auto: Option<Word<Tier>>,
    profiles: Option<Vec<ProfileName>>,
    #[serde(default, deserialize_with = "table")]
    budgets: Allowance,
}

/// Where a grant file is wrong, and what was expected there.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{line}:{column}: {problem}")]
pub struct GrantError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in bytes, from 1.
    pub column: usize,
    /// What is wrong.
    #[source]
    pub problem: GrantProblem,
}

/// What may be wrong in a grant file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantProblem {
    /// It is not TOML, or has a key or a value that it may not have.
    #[error("{0}")]
    Toml(String),
    /// Not exactly one of `user`, `group` and `uid`.
    #[error("a grant names exactly one of user, group and uid")]
    Holder,
    /// Nobody has the name.
    #[error("there is no {kind} of the name {name:?} on this machine")]
    Nobody {
        /// `user` or `group`.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// `auto` passes T1 or the grant's own ceiling.
    #[error("auto may be T0 or T1 and not above the ceiling")]
    Auto,
    /// A budget is larger than any may be.
    #[error("budgets.{} may be at most {}", .0.key(), .0.most())]
    Budget(Budget),
}

/// The problem, and the keys that lead to it from the grant.
type Wrong = (GrantProblem, Vec<&'static str>);

impl Grants {
    /// Reads the files in order.
    ///
    /// # Errors
    /// The first grant that is not right.
    pub fn parse(files: &[TextFile<'_>], names: &dyn Names) -> Result<Self, GrantError> {
        let mut grants = Vec::new();
        for file in files {
            let document: Document = toml::from_str(file.text)
                .map_err(|error| wrong(file, Spot::of_toml(file.text, &error), GrantProblem::Toml(said(&error))))?;
            for (position, entry) in document.grant.into_iter().enumerate() {
                let placed = |(problem, keys): Wrong| {
                    let keys = keys.iter().map(|key| Step::Key(key));
                    let steps: Vec<Step<'_>> =
                        [Step::Key("grant"), Step::Member(position)].into_iter().chain(keys).collect();
                    wrong(file, Spot::of_value(file.text, &steps), problem)
                };
                grants.push(entry.resolve(names).map_err(placed)?);
            }
        }
        Ok(Self(grants))
    }

    /// Everything that this caller's grants give together, or nothing.
    #[must_use]
    pub fn of(&self, caller: &Caller) -> Option<Grant> {
        self.for_ids(caller.uid, &caller.gids)
    }

    /// The same for ids alone, for the launcher, which knows a caller only from the plan.
    #[must_use]
    pub fn for_ids(&self, uid: Uid, gids: &[Gid]) -> Option<Grant> {
        let matching = self.0.iter().filter(|grant| match grant.holder {
            Holder::User(holder) => holder == uid,
            Holder::Group(holder) => gids.contains(&holder),
        });
        matching.cloned().reduce(Grant::and)
    }
}

impl Grant {
    fn and(self, other: Self) -> Self {
        let profiles = match (self.profiles, other.profiles) {
            (Some(mut mine), Some(theirs)) => {
                mine.extend(theirs);
                Some(mine)
            }
            (None, _) | (_, None) => None,
        };
        Self {
            holder: self.holder,
            ceiling: self.ceiling.max(other.ceiling),
            auto: self.auto.max(other.auto),
            profiles,
            budgets: self.budgets.and(&other.budgets),
        }
    }

    /// Whether the grant lets its holder use this profile.
    #[must_use]
    pub fn allows(&self, profile: &ProfileName) -> bool {
        self.profiles.as_ref().is_none_or(|allowed| allowed.contains(profile))
    }
}

impl Entry {
    fn resolve(self, names: &dyn Names) -> Result<Grant, Wrong> {
        let nobody = |kind, name| (GrantProblem::Nobody { kind, name }, vec![kind]);
        let holder = match (self.user, self.group, self.uid) {
            (Some(user), None, None) => match names.uid(&user) {
                Some(uid) => Holder::User(uid),
                None => return Err(nobody("user", user)),
            },
            (None, Some(group), None) => match names.gid(&group) {
                Some(gid) => Holder::Group(gid),
                None => return Err(nobody("group", group)),
            },
            (None, None, Some(uid)) => Holder::User(uid),
            (_, _, _) => return Err((GrantProblem::Holder, vec![])),
        };
        let auto = self.auto.map_or(Tier::T0, |Word(auto)| auto);
        if auto > Tier::T1 || auto > self.ceiling {
            return Err((GrantProblem::Auto, vec!["auto"]));
        }
        if let Some(budget) = self.budgets.out_of_bounds() {
            return Err((GrantProblem::Budget(budget), vec!["budgets", budget.key()]));
        }
        Ok(Grant { holder, ceiling: self.ceiling, auto, profiles: self.profiles, budgets: self.budgets })
    }
}

fn wrong(file: &TextFile<'_>, spot: Spot, problem: GrantProblem) -> GrantError {
    GrantError { file: file.name.to_owned(), line: spot.line, column: spot.column, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct OneOfEach;

    impl Names for OneOfEach {
        fn uid(&self, user: &str) -> Option<Uid> {
            (user == "agent").then(|| Uid::try_from(1000).unwrap())
        }
        fn gid(&self, group: &str) -> Option<Gid> {
            (group == "countersign").then(|| Gid::try_from(900).unwrap())
        }
    }

    fn parse(text: &str) -> Result<Grants, GrantError> {
        Grants::parse(&[TextFile { name: "g.toml", text }], &OneOfEach)
    }

    fn ids(uid: u32, gids: &[u32]) -> (Uid, Vec<Gid>) {
        (Uid::try_from(uid).unwrap(), gids.iter().map(|gid| Gid::try_from(*gid).unwrap()).collect())
    }

    #[test]
    fn a_member_of_the_group_has_a_grant_and_others_have_none() {
        let grants = parse("[[grant]]\ngroup = 'countersign'\nceiling = 'T3'").unwrap();
        let (uid, gids) = ids(1234, &[100, 900]);
        let grant = grants.for_ids(uid, &gids).unwrap();
        assert_eq!((grant.ceiling, grant.auto), (Tier::T3, Tier::T0));
        assert_eq!(grants.for_ids(uid, &ids(0, &[100]).1), None);
        assert_eq!(parse("").unwrap().for_ids(Uid::ROOT, &[]), None);
    }

    #[test]
    fn several_grants_add_up() {
        let grants = parse("[[grant]]\ngroup='countersign'\nceiling='T2'\nprofiles=['observe']\n[[grant]]\nuser='agent'\nceiling='T1'\nauto='T1'\nprofiles=['change']").unwrap();
        let (uid, gids) = ids(1000, &[900]);
        let grant = grants.for_ids(uid, &gids).unwrap();
        assert_eq!((grant.ceiling, grant.auto), (Tier::T2, Tier::T1));
        assert!(
            grant.allows(&ProfileName::observe())
                && grant.allows(&ProfileName::change())
                && !grant.allows(&ProfileName::system())
        );
    }

    #[test]
    fn of_each_budget_the_larger_that_is_said_counts_and_silence_says_nothing() {
        let text = "[[grant]]\ngroup='countersign'\nceiling='T2'\nbudgets = { jobs = 3, waiting = 0 }\n[[grant]]\nuser='agent'\nceiling='T2'\n[grant.budgets]\njobs = 64\nprompts_per_hour = 2";
        let grants = parse(text).unwrap();
        let limits = |gids: &[u32], budget| {
            grants.for_ids(ids(1000, gids).0, &ids(1000, gids).1).unwrap().budgets.limits().of(budget)
        };
        assert_eq!((limits(&[900], Budget::Jobs), limits(&[], Budget::Jobs)), (64, 64));
        assert_eq!((limits(&[900], Budget::PromptsPerHour), limits(&[900], Budget::Waiting)), (2, 0));
        assert_eq!((limits(&[], Budget::Waiting), limits(&[900], Budget::T3PerDay)), (16, 20), "the defaults");
    }

    #[test]
    fn what_is_not_a_grant_is_refused() {
        for text in [
            "[[grant]]\nceiling='T2'",
            "[[grant]]\nuser='agent'\nuid=5\nceiling='T2'",
            "[[grant]]\nuser='nobody-here'\nceiling='T2'",
            "[[grant]]\ngroup='nobody-here'\nceiling='T2'",
            "[[grant]]\nuid=4294967295\nceiling='T2'",
            "[[grant]]\nuid=5\nceiling='T2'\nauto='T2'",
            "[[grant]]\nuid=5\nceiling='T0'\nauto='T1'",
            "[[grant]]\nuid=5\nceiling='T4'",
            "[[grant]]\nuid=5",
            "[[grant]]\nuid=5\nceiling='T2'\nbudget=1",
            "[grant]\nuid=5\nceiling='T2'",
            "[[grant]]\nuid=5\nceiling='T2'\n[grant.budgets]\njobs=65",
            "[[grant]]\nuid=5\nceiling='T2'\n[grant.budgets]\njobs=-1",
            "[[grant]]\nuid=5\nceiling='T2'\n[grant.budgets]\njobs='2'",
            "[[grant]]\nuid=5\nceiling='T2'\n[grant.budgets]\njob=2",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
