//! The dictionary of a request as it comes off the bus: bounded while it is read, so that a message of any size
//! costs no more than the largest sound one. SEC-15.
//!
//! Only the few types that a request uses are read at all; at the first key, type or count that no request has, the
//! reading stops and the rest of the message is never looked at.

use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::OwnedFd;

use countersign_core::bundle::MOST;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use zbus::{Signature, Type};

/// The most elements of an array.
const MAX_ELEMENTS: usize = 1_024;
/// The most keys of the dictionary: more than a request can have.
const MAX_KEYS: usize = 32;
/// The most bytes of a key that an error repeats.
const MAX_SHOWN: usize = 64;

/// A value of one of the types that a request uses.
#[derive(Debug)]
pub(super) enum Value {
    /// `s`
    Text(String),
    /// `as`
    Texts(Vec<String>),
    /// `a{ss}`
    Named(BTreeMap<String, String>),
    /// `t` or `u`
    Number(u64),
    /// `b`
    Truth(bool),
    /// `h`
    File(OwnedFd),
    /// `aa{sv}`
    Steps(Vec<Step>),
}

/// The dictionary of one step of a bundle, in which there are no steps.
#[derive(Debug)]
pub(super) struct Step(pub(super) BTreeMap<String, Value>);

/// Values by their keys, or what is wrong with them.
pub(super) type Values = Result<BTreeMap<String, Value>, Malformed>;

/// What is wrong with a dictionary before its content is looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    /// A value is of no type that a request uses, or too long.
    #[error("the value of {0} is not of a type that a request has, or has too many elements")]
    Value(String),
    /// A key comes twice.
    #[error("the key {0} comes twice")]
    Twice(String),
    /// More keys than a request can have.
    #[error("there are more keys than a request has")]
    TooMany,
    /// Not even a dictionary.
    #[error("the request cannot be read")]
    Unreadable,
}

/// The argument of `Plan` and `Submit`. What is wrong with it is told by the broker, not by the bus library.
#[derive(Debug, Type)]
#[zbus(signature = "a{sv}")]
pub(crate) struct Dictionary(pub(super) Values);

impl<'de> Deserialize<'de> for Dictionary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Keys(Nested::Allowed)).map(Self)
    }
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Reading stopped inside of it, so nothing behind it can be read either.
        deserializer.deserialize_map(Keys(Nested::Forbidden))?.map(Self).map_err(Error::custom)
    }
}

impl Type for Step {
    const SIGNATURE: &'static Signature = Dictionary::SIGNATURE;
}

/// Whether a dictionary may hold others, so that none is read deeper than a request goes.
#[derive(Debug, Clone, Copy)]
enum Nested {
    Allowed,
    Forbidden,
}

struct Keys(Nested);

impl<'de> Visitor<'de> for Keys {
    type Value = Values;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a dictionary")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values = BTreeMap::new();
        loop {
            let key = match map.next_key::<&str>() {
                Ok(Some(key)) => key,
                Ok(None) => return Ok(Ok(values)),
                Err(_) => return Ok(Err(Malformed::Unreadable)),
            };
            let Ok(value) = map.next_value_seed(OneValue(self.0)) else { return Ok(Err(Malformed::Value(plain(key)))) };
            if values.len() >= MAX_KEYS {
                return Ok(Err(Malformed::TooMany));
            }
            if values.insert(key.to_owned(), value).is_some() {
                return Ok(Err(Malformed::Twice(plain(key))));
            }
        }
    }
}

/// A key fit for a sentence: bounded, and only characters that cannot do harm.
pub(super) fn plain(key: &str) -> String {
    key.chars().take(MAX_SHOWN).map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '?' }).collect()
}

struct OneValue(Nested);

impl<'de> DeserializeSeed<'de> for OneValue {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        // The form in which zbus reads a variant: its signature, then its value.
        deserializer.deserialize_struct("Variant", &["signature", "value"], self)
    }
}

impl<'de> Visitor<'de> for OneValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that a request has")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Value, A::Error> {
        let none = || Error::invalid_length(1, &"two parts");
        let signature: Signature = parts.next_element()?.ok_or_else(none)?;
        match signature.to_string().as_str() {
            "s" => parts.next_element()?.map(Value::Text),
            "as" => parts.next_element::<Texts>()?.map(|Texts(texts)| Value::Texts(texts)),
            "a{ss}" => parts.next_element::<Named>()?.map(|Named(named)| Value::Named(named)),
            "t" => parts.next_element()?.map(Value::Number),
            "u" => parts.next_element::<u32>()?.map(|number| Value::Number(number.into())),
            "b" => parts.next_element()?.map(Value::Truth),
            "h" => parts.next_element::<zbus::OwnedFd>()?.map(|fd| Value::File(fd.into())),
            "aa{sv}" => match self.0 {
                Nested::Allowed => parts.next_element::<Steps>()?.map(|Steps(steps)| Value::Steps(steps)),
                Nested::Forbidden => return Err(Error::custom("a step has no steps")),
            },
            _ => return Err(Error::custom("no request has such a value")),
        }
        .ok_or_else(none)
    }
}

struct Texts(Vec<String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements;
        impl<'de> Visitor<'de> for Elements {
            type Value = Texts;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "at most {MAX_ELEMENTS} strings")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Texts, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = elements.next_element()? {
                    if texts.len() >= MAX_ELEMENTS {
                        return Err(Error::invalid_length(texts.len(), &self));
                    }
                    texts.push(text);
                }
                Ok(Texts(texts))
            }
        }
        deserializer.deserialize_seq(Elements)
    }
}

struct Steps(Vec<Step>);

impl<'de> Deserialize<'de> for Steps {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements;
        impl<'de> Visitor<'de> for Elements {
            type Value = Steps;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "at most {MOST} steps")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Steps, A::Error> {
                let mut steps = Vec::new();
                while let Some(step) = elements.next_element()? {
                    if steps.len() >= MOST {
                        return Err(Error::invalid_length(steps.len(), &self));
                    }
                    steps.push(step);
                }
                Ok(Steps(steps))
            }
        }
        deserializer.deserialize_seq(Elements)
    }
}

struct Named(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Named;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "at most {MAX_ELEMENTS} names, each once")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Named, A::Error> {
                let mut named = BTreeMap::new();
                while let Some((name, value)) = entries.next_entry()? {
                    if named.len() >= MAX_ELEMENTS || named.insert(name, value).is_some() {
                        return Err(Error::invalid_length(named.len(), &self));
                    }
                }
                Ok(Named(named))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

#[cfg(test)]
mod tests;
