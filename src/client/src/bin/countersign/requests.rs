//! `requests`, `show`, `cancel`: what is open, one request in full, and taking one back.

use countersign::{Broker, ClientError, Fields};
use countersign_core::text::shown;
use serde_json::json;

use crate::cli::NameArgs;
use crate::complaint::Complaint;
use crate::{print, sheet};

/// The most bytes of a command in the list; `show` has the whole.
const MAX_COMMAND: usize = 100;
/// The most bytes of every other column.
const MAX_WORD: usize = 64;
/// What people are shown of one request, in this order.
pub(crate) const KEYS: [(&str, &str); 27] = [
    ("id", "id"),
    ("fingerprint", "fingerprint"),
    ("command", "command"),
    ("tier", "tier"),
    ("evidence", "why"),
    ("phase", "phase"),
    ("verdict", "verdict"),
    ("sentence", "meaning"),
    ("code", "code"),
    ("ended", "ended"),
    ("user", "user"),
    ("uid", "uid"),
    ("caller", "caller"),
    ("exe", "program"),
    ("unit", "unit"),
    ("session", "session"),
    ("agent", "claims to be"),
    ("reason", "claims why"),
    ("profile", "profile"),
    ("may_touch", "may touch"),
    ("targets", "targets"),
    ("cwd", "directory"),
    ("env", "environment"),
    ("rules", "rules"),
    ("digest", "digest"),
    ("ruleset", "ruleset"),
    ("expires", "expires"),
];

pub(crate) async fn list(json: bool) -> Result<u8, Complaint> {
    let list = Broker::connect().await?.list().await?;
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
        [short, fields.text("fingerprint"), fields.text("tier"), fields.text("phase"), fields.text("user")]
            .map(|text| String::from(shown(text, MAX_WORD)));
    format!(
        "{short:<8}  {fingerprint:<12}  {tier:<2}  {phase:<9}  {user:<10}  {}",
        shown(fields.text("command"), MAX_COMMAND)
    )
}

pub(crate) async fn show(args: NameArgs, json: bool) -> Result<u8, Complaint> {
    let broker = Broker::connect().await?;
    let id = broker.id_of(&args.id).await?;
    let fields = broker.show(&id).await.map_err(|source| about(&id, source))?;
    if json {
        print::json(&fields)?;
    } else {
        sheet::lines(&fields, &KEYS).iter().try_for_each(|line| print::line(line))?;
    }
    Ok(0)
}

pub(crate) async fn cancel(args: NameArgs, json: bool) -> Result<u8, Complaint> {
    let broker = Broker::connect().await?;
    let id = broker.id_of(&args.id).await?;
    broker.cancel(&id).await.map_err(|source| about(&id, source))?;
    done(json, &json!({ "id": id, "cancelled": true }), &format!("cancelled {id}"))
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
        print::line(sentence)?
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
        insta::assert_snapshot!(row(&fields), @r"00c0ffee  7F3A-91C2-D4  T2  waiting    agent       touch 'a\u{1B}[2J\nb'");
    }
}
