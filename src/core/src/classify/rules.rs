//! Rules: what somebody else read from files becomes one immutable, indexed set.
//!
//! Enters: the text of vendor and administrator files. Leaves: [`Rules`], or an error with file, line and column.
//! An administrator's table adds to what ships and can only raise, unless it says `lowers = true`; a vendor's file
//! cannot say that. Every example in every file is tried before the set exists. SEC-3.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::examples;
use super::kind::BadNotation;
use super::raw::{RawFile, RawTable};
use super::table::{self, Node};
use crate::condition::BadCondition;
use crate::digest::{Digest, NotCanonical};
use crate::path::CleanPath;
use crate::spot::{Spot, said};
use crate::strict::Table;
use crate::tier::Tier;

/// Changes when the same rule files are to be read in another way.
const ENGINE: u32 = 1;
/// The most tables that may speak of one program; more must be merged into one.
const MAX_TABLES: usize = 16;

/// One file of rules as somebody else read it.
#[derive(Debug, Clone, Copy)]
pub struct RuleFile<'a> {
    /// The file's name, for errors.
    pub name: &'a str,
    /// Its content.
    pub text: &'a str,
    /// Who answers for it.
    pub origin: Origin,
}

/// Who answers for a file of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// It ships with Countersign.
    Vendor,
    /// It is the machine's own, from `rules.d`. Only here may a table say `lowers = true`.
    Admin,
}

/// Every rule in force: compiled and immutable. Share it behind an `Arc`.
#[derive(Debug)]
pub struct Rules {
    programs: HashMap<Box<str>, Entry>,
    digest: Digest,
    examples: usize,
}

/// What is known of one program's name.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// The table that ships.
    pub(super) shipped: Option<Arc<Node>>,
    /// The tables of administrators that replace it.
    pub(super) lowering: Vec<Arc<Node>>,
    /// The tables of administrators that add to it.
    pub(super) raising: Vec<Arc<Node>>,
    versioned: bool,
}

/// Where a file of rules is wrong, and what was expected there.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{line}:{column}: {problem}")]
pub struct RulesError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in bytes, from 1.
    pub column: usize,
    /// What is wrong.
    #[source]
    pub problem: Problem,
}

/// What may be wrong in a file of rules.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// Not TOML, an unknown field, or a value of another type.
    #[error("{0}")]
    Toml(String),
    /// An operand or a flag is written wrongly.
    #[error(transparent)]
    Notation(#[from] BadNotation),
    /// A kind of host or a check that nobody knows.
    #[error(transparent)]
    Condition(#[from] BadCondition),
    /// A form speaks of a flag that neither its table nor one above has.
    #[error("no flag {0} is known here: list it in `flags` first")]
    UnknownFlag(String),
    /// The same name twice.
    #[error("`{0}` is there twice: one table speaks for a program, a subcommand or a flag")]
    Duplicate(String),
    /// A flag with an effect needs both.
    #[error("a flag has both a tier and a reason, or neither")]
    TierWithoutReason,
    /// A field that only a program may have.
    #[error("only a program, not a subcommand, may say help, bundle, versioned, remote or lowers")]
    ProgramOnly,
    /// Lowering is the administrator's.
    #[error("only a file of the administrator in rules.d may say lowers = true")]
    LowersInVendor,
    /// Too deep or too many.
    #[error("too much for one program: at most 6 levels of subcommands, 32 forms and 16 tables")]
    TooLarge,
    /// No name, or an empty one, or a path.
    #[error("a table has at least one name, and no name is empty or has a slash")]
    NoName,
    /// No reason, or more than a line.
    #[error("the reason is a sentence on one line")]
    NoReason,
    /// What ships must show itself.
    #[error("a table that ships needs at least one must_match, and where it can be T0 also one must_not_match")]
    NoExample,
    /// An example does not come out as it must.
    #[error(transparent)]
    Example(Box<FailedExample>),
    /// The tables cannot be hashed.
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
}

/// An example that does not come out as it must.
#[derive(Debug, thiserror::Error)]
#[error("the example {example:?} must {must} {rule} at {tier}, and comes out as {ruling} by {rules}")]
pub struct FailedExample {
    /// The command line.
    pub example: String,
    /// `match` or `not match`.
    pub must: &'static str,
    /// The rule.
    pub rule: String,
    /// The rule's tier.
    pub tier: Tier,
    /// What the command line was ruled.
    pub ruling: &'static str,
    /// The rules that fired.
    pub rules: String,
}

/// What became of a file's examples.
#[derive(Debug)]
pub struct Tested {
    /// The file.
    pub file: String,
    /// The names of programs that it speaks of.
    pub programs: usize,
    /// How many examples it has.
    pub examples: usize,
    /// Those that came out wrong, in the order of the file.
    pub failed: Vec<RulesError>,
}

/// Everything that was read, with and without the administrator's files: what ships must stand by itself.
struct Both<'a> {
    sources: Vec<Source<'a>>,
    all: Rules,
    /// Nothing where there are no files of an administrator.
    shipped: Option<Rules>,
}

impl<'a> Both<'a> {
    fn read(files: &'a [RuleFile<'a>]) -> Result<Self, RulesError> {
        let mut sources = Vec::new();
        for file in files {
            read(file, &mut sources)?;
        }
        let all = Rules::assemble(sources.iter())?;
        let vendor = || sources.iter().filter(|source| source.file.origin == Origin::Vendor);
        let alone = vendor().count() == sources.len();
        let shipped = if alone { None } else { Some(Rules::assemble(vendor())?) };
        Ok(Self { sources, all, shipped })
    }

    /// The rules by which a table's examples are judged.
    fn judging(&self, source: &Source<'_>) -> &Rules {
        match source.file.origin {
            Origin::Vendor => self.shipped.as_ref().unwrap_or(&self.all),
            Origin::Admin => &self.all,
        }
    }
}

/// A table and where it came from.
pub(super) struct Source<'a> {
    pub(super) file: &'a RuleFile<'a>,
    pub(super) span: Range<usize>,
    pub(super) table: RawTable,
}

impl Rules {
    /// Reads and checks files of rules, in any order, and tries every example.
    ///
    /// # Errors
    /// [`RulesError`]: the first thing that is wrong, with its place.
    pub fn parse(files: &[RuleFile<'_>]) -> Result<Self, RulesError> {
        let both = Both::read(files)?;
        let mut tried = 0_usize;
        for source in &both.sources {
            tried = tried.saturating_add(examples::run(both.judging(source), source, Err)?);
        }
        let mut rules = both.all;
        rules.examples = tried;
        Ok(rules)
    }

    /// Tries every example of these files and goes on where one comes out wrong: what a file's author wants to see.
    ///
    /// # Errors
    /// [`RulesError`]: a file that cannot be read as rules at all.
    pub fn test(files: &[RuleFile<'_>]) -> Result<Vec<Tested>, RulesError> {
        let both = Both::read(files)?;
        let test = |file: &RuleFile<'_>| {
            let mut tested = Tested { file: file.name.to_owned(), programs: 0, examples: 0, failed: Vec::new() };
            for source in both.sources.iter().filter(|source| std::ptr::eq(source.file, file)) {
                let kept = |bad| {
                    tested.failed.push(bad);
                    Ok::<(), std::convert::Infallible>(())
                };
                let Ok(tried) = examples::run(both.judging(source), source, kept);
                tested.examples = tested.examples.saturating_add(tried);
                tested.programs = tested.programs.saturating_add(source.table.names.get_ref().len());
            }
            tested
        };
        Ok(files.iter().map(test).collect())
    }

    /// SHA-256 over the rules in force, whatever the order and the comments of their files.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The files whose content a rule asks for, without repetition.
    #[must_use]
    pub fn files_looked_at(&self) -> Vec<CleanPath> {
        let tables =
            self.programs.values().flat_map(|entry| entry.defining().chain(entry.raising.iter().map(AsRef::as_ref)));
        let mut files: Vec<CleanPath> = tables.flat_map(Node::files_looked_at).collect();
        files.sort_unstable();
        files.dedup();
        files
    }

    /// How many examples were tried when the rules were read.
    #[must_use]
    pub const fn examples_run(&self) -> usize {
        self.examples
    }

    /// The programs that are known by name.
    #[must_use]
    pub fn programs(&self) -> usize {
        self.programs.len()
    }

    /// What is known of a program's name, and the name under which it is known.
    pub(super) fn lookup(&self, name: &str) -> Option<(&str, &Entry)> {
        let found = self.programs.get_key_value(name).or_else(|| {
            let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
            self.programs.get_key_value(bare).filter(|(_, entry)| entry.versioned)
        });
        found.map(|(name, entry)| (&**name, entry))
    }

    fn assemble<'s>(sources: impl Iterator<Item = &'s Source<'s>>) -> Result<Self, RulesError> {
        let mut programs: HashMap<Box<str>, Entry> = HashMap::new();
        let mut digests = Vec::new();
        for source in sources {
            let wrong = |(problem, span): table::Wrong| error(source.file, &span, problem);
            let whole = |problem: Problem| error(source.file, &source.span, problem);
            let admin = source.file.origin == Origin::Admin;
            digests.push(Digest::of_canonical(&(admin, &source.table)).map_err(|bad| whole(bad.into()))?.to_string());
            let node = table::compile(&source.table).map_err(wrong)?;
            for name in source.table.names.get_ref() {
                let entry = programs.entry(name.get_ref().as_str().into()).or_default();
                entry.versioned |= source.table.versioned;
                let lowers = source.table.lowers.as_ref().is_some_and(|lowers| *lowers.get_ref());
                let problem = entry.add(name.get_ref(), Arc::clone(&node), admin, lowers).err();
                if let Some(problem) = problem {
                    return Err(error(source.file, &name.span(), problem));
                }
            }
        }
        digests.sort_unstable();
        let digest = Digest::of(format!("{ENGINE}\n{}", digests.join("\n")).as_bytes());
        Ok(Self { programs, digest, examples: 0 })
    }
}

impl Entry {
    fn add(&mut self, name: &str, node: Arc<Node>, admin: bool, lowers: bool) -> Result<(), Problem> {
        if self.lowering.len().saturating_add(self.raising.len()) >= MAX_TABLES {
            return Err(Problem::TooLarge);
        }
        match (admin, lowers) {
            (false, true) => return Err(Problem::LowersInVendor),
            (false, false) if self.shipped.is_some() => return Err(Problem::Duplicate(name.to_owned())),
            (false, false) => self.shipped = Some(node),
            (true, true) => self.lowering.push(node),
            (true, false) => self.raising.push(node),
        }
        Ok(())
    }

    /// The tables that say what the program's words mean: the administrator's replacement, else what ships.
    pub(super) fn defining(&self) -> impl Iterator<Item = &Node> {
        let shipped = if self.lowering.is_empty() { self.shipped.as_ref() } else { None };
        self.lowering.iter().chain(shipped).map(AsRef::as_ref)
    }
}

fn read<'a>(file: &'a RuleFile<'a>, sources: &mut Vec<Source<'a>>) -> Result<(), RulesError> {
    let parsed: RawFile = toml::from_str(file.text).map_err(|bad| {
        let span = bad.span().unwrap_or(0..0);
        error(file, &span, Problem::Toml(said(&bad)))
    })?;
    for table in parsed.program {
        let span = table.span();
        let Table(table) = table.into_inner();
        check_fields(&table, file.origin, true).map_err(|(problem, span)| error(file, &span, problem))?;
        sources.push(Source { file, span, table });
    }
    Ok(())
}

/// What serde cannot say about a table and those below it.
fn check_fields(table: &RawTable, origin: Origin, top: bool) -> Result<(), table::Wrong> {
    let (names, reason) = (table.names.get_ref(), table.reason.get_ref());
    let Some(span) = names.first().map(toml::Spanned::span) else { return Err((Problem::NoName, table.names.span())) };
    let bad_name = |name: &&toml::Spanned<String>| name.get_ref().is_empty() || name.get_ref().contains('/');
    if let Some(bad) = names.iter().find(bad_name) {
        return Err((Problem::NoName, bad.span()));
    }
    if reason.is_empty() || reason.contains('\n') {
        return Err((Problem::NoReason, table.reason.span()));
    }
    if !top && (table.help || table.bundle || table.versioned || table.remote || table.lowers.is_some()) {
        return Err((Problem::ProgramOnly, span));
    }
    if let Some(lowers) = table.lowers.as_ref().filter(|lowers| origin == Origin::Vendor && *lowers.get_ref()) {
        return Err((Problem::LowersInVendor, lowers.span()));
    }
    if top && origin == Origin::Vendor && !examples::are_enough(table) {
        return Err((Problem::NoExample, span));
    }
    table.sub.iter().try_for_each(|sub| check_fields(sub, origin, false))
}

/// An error at a place in a file.
pub(super) fn error(file: &RuleFile<'_>, span: &Range<usize>, problem: Problem) -> RulesError {
    let Spot { line, column } = Spot::at_byte(file.text.as_bytes(), span.start);
    RulesError { file: file.name.to_owned(), line, column, problem }
}
