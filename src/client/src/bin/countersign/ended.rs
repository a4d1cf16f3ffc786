//! How a request ended, as an exit status.
//!
//! Enters: the answer of `Result`. Leaves: the command's own status where it came to its own end, and otherwise one
//! of this program's, with the sentence that says why.

use countersign::{ClientError, Fields};
use countersign_core::code::Code;
use countersign_core::outcome::Ended;
use serde_json::Value;

use crate::exit;

/// The status with which `run` ends, and what is to be said where it is not the command's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending {
    /// The exit status.
    pub(crate) status: u8,
    /// Why, where the command did not come to its own end.
    pub(crate) sentence: Option<String>,
}

/// Reads an answer: `ended` is there if something ran, `code` if it did not run as asked.
pub(crate) fn of(result: &Fields) -> Result<Ending, ClientError> {
    let sentence = || Some(result.text("sentence").to_owned()).filter(|sentence| !sentence.is_empty());
    if let Some(ended) = result.get("ended").filter(|value| !value.is_null() && value.as_str() != Some("")) {
        let ended: Ended = serde_json::from_value(ended.clone()).map_err(|_| missing("ended"))?;
        let (status, ours) = status(&ended);
        return Ok(Ending { status, sentence: ours.map(|ours| sentence().unwrap_or_else(|| ours.to_owned())) });
    }
    let code = result.get("code").and_then(Value::as_str).and_then(Code::from_name).ok_or_else(|| missing("code"))?;
    Ok(Ending { status: exit::of(code), sentence: sentence().or_else(|| Some(format!("It did not run ({code})."))) })
}

fn missing(key: &str) -> ClientError {
    ClientError::Answer { key: key.to_owned() }
}

/// The status, and a sentence where the end was not the command's own.
fn status(ended: &Ended) -> (u8, Option<&'static str>) {
    match ended {
        Ended::Exited(status) => (*status, None),
        Ended::Signalled(signal) => (exit::of_signal(i64::from(*signal)), None),
        Ended::TimedOut => (exit::ENDED, Some("The job was ended because its time was over.")),
        Ended::Cancelled => (exit::ENDED, Some("The job was ended because the request was cancelled.")),
        Ended::OutputLimit => (exit::ENDED, Some("The job was ended because it wrote more than its profile allows.")),
        Ended::Stopped => (exit::STOPPED, Some("The job was ended because the broker was stopped.")),
        Ended::NotConfined { .. } => (exit::NOT_RUN, Some("The job could not be confined, so it did not begin.")),
        Ended::Interrupted => (exit::BROKEN, Some("The broker failed while the job ran, and ended it.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(pairs: &[(&str, Value)]) -> Fields {
        let mut fields = Fields::default();
        for (key, value) in pairs {
            fields.insert(key, value.clone());
        }
        fields
    }

    #[test]
    fn a_command_that_came_to_its_own_end_has_its_own_status_and_nothing_is_said() {
        for (ended, status) in [
            (json!({"exited": 0}), 0),
            (json!({"exited": 7}), 7),
            (json!({"exited": 255}), 255),
            (json!({"signalled": 15}), 143),
            (json!({"signalled": 9}), 137),
        ] {
            let result = fields(&[("ended", ended.clone()), ("sentence", json!("It ran."))]);
            assert_eq!(of(&result).unwrap(), Ending { status, sentence: None }, "{ended}");
        }
    }

    #[test]
    fn an_end_that_the_broker_made_has_one_of_ours_and_says_why() {
        for (ended, status) in [
            (json!("timed-out"), 124),
            (json!("cancelled"), 124),
            (json!("output-limit"), 124),
            (json!("stopped"), 125),
            (json!({"not-confined": {"step": "landlock", "errno": 38}}), 126),
            (json!("interrupted"), 127),
        ] {
            let ending = of(&fields(&[("ended", ended.clone())])).unwrap();
            assert_eq!(ending.status, status, "{ended}");
            assert!(ending.sentence.is_some_and(|sentence| sentence.ends_with('.')), "{ended}");
        }
    }

    #[test]
    fn what_did_not_run_has_its_codes_status_and_the_brokers_sentence() {
        for code in Code::ALL {
            let result = fields(&[("code", json!(code.name())), ("sentence", json!("Not today."))]);
            assert_eq!(
                of(&result).unwrap(),
                Ending { status: exit::of(code), sentence: Some("Not today.".to_owned()) }
            );
        }
    }

    #[test]
    fn an_answer_that_says_nothing_is_never_a_success() {
        for result in [
            fields(&[]),
            fields(&[("code", json!(""))]),
            fields(&[("ended", json!("somehow"))]),
            fields(&[("code", json!("Odd"))]),
        ] {
            assert!(matches!(of(&result), Err(ClientError::Answer { .. })), "{result:?}");
        }
    }
}
