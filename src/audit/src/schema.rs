//! The database's tables, and the triggers that let the log only ever grow. SEC-10.
//!
//! The triggers stop mistakes and other people's programs; somebody who may write the file can drop them, and is
//! found by the chain. A database whose schema is not exactly this one is refused.

use rusqlite::{Connection, Transaction};

use crate::base::Base;
use crate::error::StoreError;

/// Marks the file as a log of ours: `CSGN` as a number.
const APPLICATION_ID: i32 = 0x4353_474e;
/// The version of the tables.
const SCHEMA_VERSION: i32 = 1;

/// Every object of the schema by name, in the order in which they are made.
const OBJECTS: [(&str, &str); 17] = [
    ("entries", "CREATE TABLE entries (seq INTEGER PRIMARY KEY, hash BLOB NOT NULL, body BLOB NOT NULL) STRICT"),
    (
        "head",
        "CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, hash BLOB NOT NULL) STRICT",
    ),
    (
        "base",
        "CREATE TABLE base (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, hash BLOB NOT NULL, \
         peaks BLOB NOT NULL, note TEXT NOT NULL) STRICT",
    ),
    (
        "subtrees",
        "CREATE TABLE subtrees (level INTEGER NOT NULL, place INTEGER NOT NULL, hash BLOB NOT NULL, \
         PRIMARY KEY (level, place)) STRICT, WITHOUT ROWID",
    ),
    (
        "checkpoints",
        "CREATE TABLE checkpoints (number INTEGER PRIMARY KEY, size INTEGER NOT NULL, note TEXT NOT NULL) STRICT",
    ),
    ("openings", "CREATE TABLE openings (seq INTEGER PRIMARY KEY, salt BLOB NOT NULL) STRICT"),
    (
        "entries_grow_at_the_end",
        "CREATE TRIGGER entries_grow_at_the_end BEFORE INSERT ON entries \
         WHEN NEW.seq IS NOT (SELECT coalesce((SELECT max(seq) FROM entries), (SELECT seq FROM base)) + 1) \
         BEGIN SELECT RAISE(ABORT, 'an entry is only added at the end'); END",
    ),
    (
        "entries_never_change",
        "CREATE TRIGGER entries_never_change BEFORE UPDATE ON entries \
         BEGIN SELECT RAISE(ABORT, 'an entry never changes'); END",
    ),
    (
        "entries_never_go",
        "CREATE TRIGGER entries_never_go BEFORE DELETE ON entries \
         BEGIN SELECT RAISE(ABORT, 'an entry is never removed'); END",
    ),
    (
        "head_only_advances",
        "CREATE TRIGGER head_only_advances BEFORE UPDATE ON head WHEN NEW.seq <= OLD.seq \
         BEGIN SELECT RAISE(ABORT, 'the head only advances'); END",
    ),
    (
        "head_never_goes",
        "CREATE TRIGGER head_never_goes BEFORE DELETE ON head \
         BEGIN SELECT RAISE(ABORT, 'the head is never removed'); END",
    ),
    (
        "base_never_changes",
        "CREATE TRIGGER base_never_changes BEFORE UPDATE ON base \
         BEGIN SELECT RAISE(ABORT, 'what a segment continues never changes'); END",
    ),
    (
        "base_never_goes",
        "CREATE TRIGGER base_never_goes BEFORE DELETE ON base \
         BEGIN SELECT RAISE(ABORT, 'what a segment continues is never removed'); END",
    ),
    (
        "subtrees_never_change",
        "CREATE TRIGGER subtrees_never_change BEFORE UPDATE ON subtrees \
         BEGIN SELECT RAISE(ABORT, 'a subtree never changes'); END",
    ),
    (
        "checkpoints_never_change",
        "CREATE TRIGGER checkpoints_never_change BEFORE UPDATE ON checkpoints \
         BEGIN SELECT RAISE(ABORT, 'a checkpoint never changes'); END",
    ),
    (
        "checkpoints_never_go",
        "CREATE TRIGGER checkpoints_never_go BEFORE DELETE ON checkpoints \
         BEGIN SELECT RAISE(ABORT, 'a checkpoint is never removed'); END",
    ),
    (
        "openings_never_change",
        "CREATE TRIGGER openings_never_change BEFORE UPDATE ON openings \
         BEGIN SELECT RAISE(ABORT, 'an opening never changes'); END",
    ),
];

/// Makes the tables of an empty database that goes on from there.
pub(crate) fn create(transaction: &Transaction<'_>, base: &Base) -> Result<(), StoreError> {
    for (_, sql) in OBJECTS {
        transaction.execute(sql, [])?;
    }
    base.write(transaction)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    Ok(())
}

/// Whether nothing was ever put into this database.
pub(crate) fn is_blank(connection: &Connection) -> Result<bool, StoreError> {
    let objects: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(objects == 0)
}

/// The first thing in which a schema is another than this one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) expected: String,
    pub(crate) found: String,
}

/// Whether the schema is exactly this one.
pub(crate) fn is_ours(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(difference(connection)?.is_none())
}

/// In what the schema is another, if it is.
pub(crate) fn difference(connection: &Connection) -> rusqlite::Result<Option<Difference>> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    for (pragma, ours) in [("application_id", APPLICATION_ID), ("user_version", SCHEMA_VERSION)] {
        let found = number(pragma)?;
        if found != ours {
            return Ok(Some(Difference { expected: format!("{pragma} {ours}"), found: found.to_string() }));
        }
    }
    let mut statement = connection.prepare("SELECT name, sql FROM sqlite_schema ORDER BY rowid")?;
    let found = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?)))?;
    let found: Vec<_> = found.collect::<Result<_, _>>()?;
    let ours = OBJECTS.map(|(name, sql)| (name.to_owned(), Some(sql.to_owned())));
    let at = |objects: &[(String, Option<String>)], place: usize| match objects.get(place) {
        Some((name, sql)) => format!("{name} ({})", sql.as_deref().unwrap_or("without words")),
        None => "nothing more".to_owned(),
    };
    let place = (0..=found.len().max(ours.len())).find(|place| found.get(*place) != ours.get(*place));
    Ok(place.map(|place| Difference { expected: at(&ours, place), found: at(&found, place) }))
}
