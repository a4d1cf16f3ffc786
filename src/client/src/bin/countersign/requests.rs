//! `requests`, `show`, `cancel`: what is open, one request in full, and taking one back.

use countersign::{Broker, ClientError, Fields, Prompt};
use countersign_core::code::Code;
use countersign_core::text::{self, shown};
use serde_json::{Value, json};

use crate::agent::Agent;
use crate::cli::{ListArgs, NameArgs};
use crate::complaint::{Complaint, MAX_SENTENCE};
use crate::{print, sheet, words};

/// The most bytes of a command in the list; `show` has the whole.
const MAX_COMMAND: usize = 100;
/// The most bytes of every other column.
const MAX_WORD: usize = 64;
/// What people are shown of one request, in this order: what is verified before what is claimed.
pub(crate) const KEYS: [(&str, &str); 30] = [
    ("id", "id"),
    ("fingerprint", "fingerprint"),
    ("command", "command"),
    ("tier", "tier"),
    ("evidence", "why"),
    ("phase", "phase"),
    ("approvals", "approvals"),
    ("verdict", "verdict"),
    ("user", "user"),
    ("uid", "uid"),
    ("exe", "program"),
    ("pid", "process"),
    ("unit", "unit"),
    ("session", "session"),
    ("agent", "claims to be"),
    ("reason", "claims why"),
    ("profile", "profile"),
    ("may_touch", "may touch"),
    ("targets", "targets"),
    ("conditions", "conditions"),
    ("executable", "executable"),
    ("executable_sha256", "its SHA-256"),
    ("cwd", "directory"),
    ("env", "environment"),
    ("stdin_sha256", "input SHA-256"),
    ("timeout_ms", "time-out in ms"),
    ("digest", "digest"),
    ("ruleset", "ruleset"),
    ("asked", "asked"),
    ("expires", "expires"),
];

pub(crate) async fn list(args: ListArgs, json: bool) -> Result<u8, Complaint> {
    let agent = args.all.then(Agent::start).flatten();
    let prompt = if args.all { Prompt::Allowed } else { Prompt::Never };
    let list = Broker::connect().await?.list(prompt).await?;
    drop(agent);
    if json {
        print::json(&list)?;
    } else {
        list.iter().try_for_each(|fields| print::line(&row(fields)))?;
    }
    Ok(0)
}

/// One request in one line: enough to recognise it and to name it.
fn row(fields: &Fields) -> String {
    let id = fields.text("id");
    let short = id.get(..8).unwrap_or(id);
    let [short, fingerprint, tier, phase, user] =
        [short, fields.text("fingerprint"), fields.text("tier"), &phase(fields), fields.text("user")]
            .map(|text| String::from(shown(text, MAX_WORD)));
    format!(
        "{short:<8}  {fingerprint:<12}  {tier:<2}  {phase:<11}  {user:<10}  {}",
        shown(fields.text("command"), MAX_COMMAND)
    )
}

/// The phase; of what waits for several people also how many of them have approved.
fn phase(fields: &Fields) -> String {
    let phase = fields.text("phase");
    let count = fields.number("approvals").zip(fields.number("approvals_needed"));
    let several = count.filter(|(_, needed)| phase == "waiting" && *needed > 1);
    several.map_or_else(|| phase.to_owned(), |(given, needed)| format!("{phase} {given}/{needed}"))
}

pub(crate) async fn show(args: NameArgs, json: bool) -> Result<u8, Complaint> {
    let broker = Broker::connect().await?;
    let id = id_of(&broker, &args.id).await?;
    let mut seen = broker.show(&id, Prompt::Never).await;
    if is_unseen(&seen)
        && let Some(_agent) = Agent::start()
    {
        seen = broker.show(&id, Prompt::Allowed).await;
    }
    let fields = seen.map_err(|source| about(&id, source))?;
    if json {
        print::json(&fields)?;
        return Ok(0);
    }
    sheet::lines(&fields, &KEYS).iter().try_for_each(|line| print::line(line))?;
    let end = fields.get("receipt").and_then(|receipt| receipt.get("sentence")).and_then(Value::as_str);
    end.map_or(Ok(()), |sentence| print::line(text::sentence(sentence, MAX_SENTENCE).as_str()))?;
    Ok(0)
}

pub(crate) async fn cancel(args: NameArgs, json: bool) -> Result<u8, Complaint> {
    let broker = Broker::connect().await?;
    let id = id_of(&broker, &args.id).await?;
    broker.cancel(&id).await.map_err(|source| about(&id, source))?;
    done(json, &json!({ "id": id, "cancelled": true }), &words::fill("cancelled {id}", &[("id", &id)]))
}

/// The id that a word names, among the requests that may be seen without authenticating.
pub(crate) async fn id_of(broker: &Broker, word: &str) -> Result<String, Complaint> {
    Ok(broker.id_of(word, Prompt::Never).await?)
}

/// Whether a request is not there, or not to be seen without authenticating; which of them is not told.
pub(crate) fn is_unseen(seen: &Result<Fields, ClientError>) -> bool {
    let unseen = |code| matches!(code, Code::NoSuchRequest | Code::AccessDenied);
    matches!(seen, Err(ClientError::Failed(failure)) if unseen(failure.code))
}

/// An error about the request of this id.
pub(crate) fn about(id: &str, source: ClientError) -> Complaint {
    Complaint::Request { id: id.to_owned(), source }
}

/// Says that something is done, to people or to programs.
pub(crate) fn done(json: bool, object: &serde_json::Value, sentence: &str) -> Result<u8, Complaint> {
    if json {
        print::json(object)?
    } else {
        print::line(&words::say(sentence))?
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_one_inert_line() {
        let mut fields = Fields::default();
        for (key, value) in [
            ("id", "00c0ffee000000000000000000000001"),
            ("fingerprint", "7F3A-91C2-D4"),
            ("tier", "T2"),
            ("phase", "waiting"),
            ("user", "agent"),
            ("command", "touch 'a\u{1b}[2J\nb'"),
        ] {
            fields.insert(key, value.into());
        }
        insta::assert_snapshot!(row(&fields), @r"00c0ffee  7F3A-91C2-D4  T2  waiting      agent       touch 'a\u{1B}[2J\nb'");
        fields.insert("approvals", 1.into());
        for (needed, phase) in [(1, "waiting      agent"), (2, "waiting 1/2  agent")] {
            fields.insert("approvals_needed", needed.into());
            assert!(row(&fields).contains(phase), "{}", row(&fields));
        }
        fields.insert("phase", "running".into());
        assert!(row(&fields).contains("running      agent"), "what runs waits for nobody");
    }
}
