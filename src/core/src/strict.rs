//! Strict: in a policy file a table stands where a table belongs, and a word where a word does.
//!
//! serde by itself takes a list for a table, its members by position, and a table for a word. Neither is what somebody
//! meant, so the readers of policy files name these functions and types where a field is a table or a word.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{Error as Plain, MapAccessDeserializer, StrDeserializer};
use serde::de::{Deserialize, Deserializer, Error, IntoDeserializer as _, MapAccess, Visitor};
use serde::{Serialize, Serializer};

/// A table, and no list in its place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Table<T>(pub(crate) T);

/// One of a few words, and nothing else in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word<T>(pub(crate) T);

/// For a field that is a table.
pub(crate) fn table<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Table::deserialize(deserializer).map(|Table(table)| table)
}

/// For a field that is a list of tables.
pub(crate) fn tables<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let tables = Vec::<Table<T>>::deserialize(deserializer)?;
    Ok(tables.into_iter().map(|Table(table)| table).collect())
}

/// For a field that is a word.
pub(crate) fn word<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Word::deserialize(deserializer).map(|Word(word)| word)
}

/// For a field that is a word and may be left out.
pub(crate) fn maybe_word<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    word(deserializer).map(Some)
}

/// For a field that is a list of words.
pub(crate) fn words<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let words = Vec::<Word<T>>::deserialize(deserializer)?;
    Ok(words.into_iter().map(|Word(word)| word).collect())
}

impl<T: Serialize> Serialize for Word<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Table<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Tables(PhantomData))
    }
}

struct Tables<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Tables<T> {
    type Value = Table<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Table<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Table)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Words(PhantomData))
    }
}

struct Words<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Words<T> {
    type Value = Word<T>;

    /// What the word itself would say of one that it does not know.
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unknown: StrDeserializer<'_, Plain> = "".into_deserializer();
        let said = T::deserialize(unknown).err().map(|error| error.to_string()).unwrap_or_default();
        f.write_str(said.split_once(", expected ").map_or("a word in quotes", |(_, expected)| expected))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Word<T>, E> {
        T::deserialize(text.into_deserializer()).map(Word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Mode;

    #[derive(Debug, PartialEq, Eq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        one: Table<Inner>,
        #[serde(default, deserialize_with = "tables")]
        many: Vec<Inner>,
        #[serde(default, deserialize_with = "words")]
        modes: Vec<Mode>,
    }

    #[derive(Debug, PartialEq, Eq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[serde(default, deserialize_with = "maybe_word")]
        mode: Option<Mode>,
    }

    fn read(text: &str) -> Result<File, String> {
        toml::from_str(text).map_err(|error: toml::de::Error| {
            let at = error.span().map_or(0, |span| span.start);
            format!("{at}: {}", error.message())
        })
    }

    #[test]
    fn tables_and_words_are_taken() {
        let inner = |mode| Inner { mode };
        let file = read("one = { mode = 'open' }\nmodes = ['guarded']\n[[many]]\n[[many]]\nmode = 'readonly'").unwrap();
        assert_eq!(file.one, Table(inner(Some(Mode::Open))));
        assert_eq!((file.many, file.modes), (vec![inner(None), inner(Some(Mode::Readonly))], vec![Mode::Guarded]));
    }

    #[test]
    fn nothing_is_taken_for_a_table_or_a_word_that_is_none_and_the_place_is_told() {
        let words = "expected one of `open`, `guarded`, `readonly`";
        for (text, at, says) in [
            ("one = ['open']", 6, "expected a table"),
            ("one = []", 6, "expected a table"),
            ("one = 'open'", 6, "expected a table"),
            ("one = {}\nmany = [['open']]", 17, "expected a table"),
            ("one = {}\nmany = {}", 16, "expected a sequence"),
            ("one = { mode = { open = {} } }", 15, words),
            ("one = { mode = ['open'] }", 15, words),
            ("one = { mode = 1 }", 15, words),
            ("one = { mode = 'Open' }", 15, words),
            ("one = {}\nmodes = ['open', 2]", 26, words),
            ("one = { mod = 'open' }", 8, "unknown field `mod`"),
        ] {
            let said = read(text).unwrap_err();
            assert!(said.starts_with(&format!("{at}: ")) && said.contains(says), "{text}: {said}");
        }
    }
}
