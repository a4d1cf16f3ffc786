//! Submission: the dictionary of `Plan` and `Submit` becomes an [`Ask`]. Unknown keys are errors.
//!
//! Enters: values of the right bus types. Leaves: parsed words, paths and names, and descriptors that were looked at.
//! There is no key by which a caller could ask in somebody else's name. A bundle has the keys of the whole outside and those
//! of a command in each step.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use countersign_core::argv::Argv;
use countersign_core::bundle::within_bounds;
use countersign_core::caller::Uid;
use countersign_core::code::{Code, Failure};
use countersign_core::environment::Environment;
use countersign_core::path::CleanPath;
use countersign_core::profile::ProfileName;
use countersign_core::redact::Secrets;
use countersign_core::request::{Action, Claims, Narrowing};
use countersign_core::tier::Tier;
use countersign_core::time::Moment;

use super::dictionary::{Dictionary, Step, Value, plain};
use super::handles;
use crate::ask::{Ask, Asks, DirectoryId, Files, invalid};
use crate::audit::query::Query;
use crate::output::{Sink, Sinks};
use crate::row::Row;

/// The keys that have not been used yet.
struct Keys(BTreeMap<String, Value>);

/// The part of an ask that each command has for itself.
struct Piece {
    action: Action,
    narrowing: Narrowing,
    directory: Option<DirectoryId>,
    stdin: Option<OwnedFd>,
}

/// The part that all commands of a request share.
struct Shared {
    claims: Claims,
    secrets: Secrets,
    sinks: Sinks,
    detached: bool,
    all: bool,
}

impl Dictionary {
    /// Makes the ask, or those of a bundle. Reading and hashing stdin takes its time, so this blocks if there is one.
    ///
    /// # Errors
    /// `InvalidRequest`, naming the key, and the step if it is of one.
    pub(super) fn into_asks(self) -> Result<Asks, Failure> {
        let mut keys = Keys(self.0.map_err(|malformed| invalid(&malformed))?);
        let secrets = Secrets::new(&keys.texts("secrets")?.unwrap_or_default()).map_err(|error| invalid(&error))?;
        // What is wrong with another key is told without them.
        keys.into_asks(secrets.clone()).map_err(|failure| failure.without(&secrets))
    }

    /// Makes a question to the log of it, about this caller unless it says otherwise.
    ///
    /// # Errors
    /// `InvalidRequest`, naming the key.
    pub(super) fn into_query(self, caller: Uid) -> Result<Query, Failure> {
        let mut keys = Keys(self.0.map_err(|malformed| invalid(&malformed))?);
        let all = keys.truth("all")?.unwrap_or(false);
        let uid = keys.number("uid")?.map(|uid| Uid::try_from(u32::try_from(uid).unwrap_or(u32::MAX)));
        let uid = uid.transpose().map_err(|error| invalid(&error))?;
        let entry = keys.number("entry")?;
        let every = Query::default();
        let moment = |number: Option<u64>, otherwise| number.map_or(otherwise, Moment::from_millis);
        let query = Query {
            before: keys.number("before")?.or(entry.map(|entry| entry.saturating_add(1))).unwrap_or(every.before),
            first: entry.unwrap_or(every.first),
            limit: keys.number("limit")?.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(every.limit),
            uid: if all { uid } else { uid.or(Some(caller)) },
            id: keys.text("id")?.map(|id| id.parse()).transpose().map_err(|error| invalid(&error))?,
            tier: keys.text("tier")?,
            verdict: keys.text("verdict")?,
            code: keys.text("code")?,
            since: moment(keys.number("since")?, every.since),
            until: moment(keys.number("until")?, every.until),
        };
        keys.nothing_left()?;
        Ok(query)
    }

    /// Whether a descriptor is among the values, so that looking at it may take time.
    pub(super) fn has_files(&self) -> bool {
        self.0.as_ref().is_ok_and(has_files)
    }
}

impl Keys {
    fn into_asks(mut self, secrets: Secrets) -> Result<Asks, Failure> {
        let keys = &mut self;
        let steps = keys.take("steps", |value| if let Value::Steps(steps) = value { Some(steps) } else { None })?;
        let shared = keys.shared(secrets)?;
        let Some(steps) = steps else {
            let piece = keys.piece()?;
            keys.nothing_left()?;
            return Ok(Row::from(shared.with(piece)));
        };
        if keys.0.contains_key("argv") || keys.0.contains_key("shell") {
            return Err(Failure::new(Code::InvalidRequest, "Give either argv, shell or steps."));
        }
        keys.nothing_left()?;
        let in_step = |number: usize| {
            move |failure: Failure| Failure::new(failure.code, format!("In step {number}: {}", failure.sentence))
        };
        let piece = |(number, step)| piece_of(step).map_err(in_step(number));
        let pieces: Vec<Piece> = (1_usize..).zip(steps).map(piece).collect::<Result<_, _>>()?;
        within_bounds(pieces.iter().map(|piece| piece.action.argv.words())).map_err(|error| invalid(&error))?;
        let asks = pieces.into_iter().map(|piece| Ok(shared.again()?.with(piece)));
        let none = || Failure::new(Code::InvalidRequest, "There is no step.");
        Row::of(asks.collect::<Result<Vec<Ask>, Failure>>()?).ok_or_else(none)
    }
}

fn has_files(values: &BTreeMap<String, Value>) -> bool {
    let file = |value: &Value| match value {
        Value::File(_) => true,
        Value::Steps(steps) => steps.iter().any(|Step(values)| has_files(values)),
        Value::Text(_) | Value::Texts(_) | Value::Named(_) | Value::Number(_) | Value::Truth(_) => false,
    };
    values.values().any(file)
}

fn piece_of(Step(values): Step) -> Result<Piece, Failure> {
    let mut keys = Keys(values);
    let piece = keys.piece()?;
    keys.nothing_left()?;
    Ok(piece)
}

impl Shared {
    fn with(self, piece: Piece) -> Ask {
        let Self { claims, secrets, sinks, detached, all } = self;
        let Piece { action, narrowing, directory, stdin } = piece;
        Ask { action, claims, narrowing, secrets, directory, detached, all, files: Files { stdin, sinks } }
    }

    /// The same for another command.
    fn again(&self) -> Result<Self, Failure> {
        let again = |sink: &Option<Sink>| sink.as_ref().map(Sink::again).transpose();
        let none = |_| Failure::new(Code::OverBudget, "There is no descriptor left: try again when fewer jobs run.");
        let Self { claims, secrets, sinks, detached, all } = self;
        let sinks = Sinks { stdout: again(&sinks.stdout).map_err(none)?, stderr: again(&sinks.stderr).map_err(none)? };
        Ok(Self { claims: claims.clone(), secrets: secrets.clone(), sinks, detached: *detached, all: *all })
    }
}

impl Keys {
    fn piece(&mut self) -> Result<Piece, Failure> {
        let argv = self.command()?;
        let (cwd, directory) = self.cwd()?;
        let stdin = self.file("stdin")?.map(|fd| handles::stdin(&fd)).transpose()?;
        let (stdin_digest, stdin) = stdin.unzip();
        let (env, timeout_ms) = (self.env()?, self.number("timeout_ms")?);
        let narrowing = self.narrowing()?;
        Ok(Piece { action: Action { argv, cwd, env, stdin: stdin_digest, timeout_ms }, narrowing, directory, stdin })
    }

    fn shared(&mut self, secrets: Secrets) -> Result<Shared, Failure> {
        let claims = Claims { agent: self.text("agent")?, reason: self.text("reason")? };
        let sinks = Sinks { stdout: self.sink("stdout")?, stderr: self.sink("stderr")? };
        let detached = self.truth("detach")?.unwrap_or(false);
        let all = self.truth("all")?.unwrap_or(false);
        Ok(Shared { claims, secrets, sinks, detached, all })
    }

    fn command(&mut self) -> Result<Argv, Failure> {
        match (self.texts("argv")?, self.text("shell")?) {
            (Some(words), None) => Argv::new(words).map_err(|error| invalid(&error)),
            (None, Some(text)) => Argv::shell(text).map_err(|error| invalid(&error)),
            (None, None) | (Some(_), Some(_)) => Err(Failure::new(Code::InvalidRequest, "Give either argv or shell.")),
        }
    }

    fn cwd(&mut self) -> Result<(CleanPath, Option<DirectoryId>), Failure> {
        match self.0.remove("cwd") {
            None => Ok((CleanPath::new("/").map_err(|error| invalid(&error))?, None)),
            Some(Value::Text(path)) => Ok((CleanPath::new(&path).map_err(|error| invalid(&error))?, None)),
            Some(Value::File(fd)) => handles::directory(&fd).map(|(path, id)| (path, Some(id))),
            Some(Value::Texts(_) | Value::Named(_) | Value::Number(_) | Value::Truth(_) | Value::Steps(_)) => {
                Err(wrong_type("cwd"))
            }
        }
    }

    fn env(&mut self) -> Result<Environment, Failure> {
        let added = self.take("env", |value| if let Value::Named(named) = value { Some(named) } else { None })?;
        Environment::new(added.unwrap_or_default()).map_err(|error| invalid(&error))
    }

    fn narrowing(&mut self) -> Result<Narrowing, Failure> {
        let max_tier =
            self.text("max_tier")?.map(|text| text.parse::<Tier>()).transpose().map_err(|error| invalid(&error))?;
        let profile =
            self.text("profile")?.map(|text| ProfileName::new(&text)).transpose().map_err(|error| invalid(&error))?;
        Ok(Narrowing { max_tier, profile, targets: self.texts("targets")? })
    }

    fn sink(&mut self, key: &'static str) -> Result<Option<Sink>, Failure> {
        self.file(key)?.map(Sink::new).transpose().map_err(|error| invalid(&error))
    }

    fn text(&mut self, key: &'static str) -> Result<Option<String>, Failure> {
        self.take(key, |value| if let Value::Text(text) = value { Some(text) } else { None })
    }

    fn texts(&mut self, key: &'static str) -> Result<Option<Vec<String>>, Failure> {
        self.take(key, |value| if let Value::Texts(texts) = value { Some(texts) } else { None })
    }

    fn number(&mut self, key: &'static str) -> Result<Option<u64>, Failure> {
        self.take(key, |value| if let Value::Number(number) = value { Some(number) } else { None })
    }

    fn truth(&mut self, key: &'static str) -> Result<Option<bool>, Failure> {
        self.take(key, |value| if let Value::Truth(truth) = value { Some(truth) } else { None })
    }

    fn file(&mut self, key: &'static str) -> Result<Option<OwnedFd>, Failure> {
        self.take(key, |value| if let Value::File(fd) = value { Some(fd) } else { None })
    }

    /// Uses a key up, if it is there; its value must be of the one type.
    fn take<T>(&mut self, key: &'static str, of_type: fn(Value) -> Option<T>) -> Result<Option<T>, Failure> {
        self.0.remove(key).map(|value| of_type(value).ok_or_else(|| wrong_type(key))).transpose()
    }

    fn nothing_left(&self) -> Result<(), Failure> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(key) => {
                Err(Failure::new(Code::InvalidRequest, format!("There is no key {}: leave it out.", plain(key))))
            }
        }
    }
}

fn wrong_type(key: &'static str) -> Failure {
    Failure::new(
        Code::InvalidRequest,
        format!("The value of {key} is not of its type: see the interface's description."),
    )
}

#[cfg(test)]
mod tests;
