//! How a request ended, as an exit status.
//!
//! Enters: the answer of `Result`. Leaves: the command's own status where it came to its own end, and otherwise one
//! of this program's, with the sentence that says why.

use countersign::{ClientError, Fields};
use countersign_core::code::Code;

use crate::exit;

/// The status with which `run` ends, and what is to be said where it is not the command's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending {
    /// The exit status.
    pub(crate) status: u8,
    /// Why, where the command did not come to its own end.
    pub(crate) sentence: Option<String>,
}

/// Reads an answer: `ended` is there if something ran, with `status` or `signal`; `code` if it did not run as asked.
pub(crate) fn of(result: &Fields) -> Result<Ending, ClientError> {
    let sentence = || Some(result.text("sentence").to_owned()).filter(|sentence| !sentence.is_empty());
    let number = |key: &str| result.number(key).ok_or_else(|| missing(key));
    let ours =
        |status, otherwise: &str| Ok(Ending { status, sentence: sentence().or_else(|| Some(otherwise.to_owned())) });
    match result.text("ended") {
        "exited" if drifted(result) => ours(exit::DRIFT, "The machine is not as a rule expects after the command."),
        "exited" => Ok(own(u8::try_from(number("status")?).map_err(|_| missing("status"))?)),
        "signalled" => Ok(own(exit::of_signal(number("signal")?))),
        "timed-out" => ours(exit::ENDED, "The job was ended because its time was over."),
        "cancelled" => ours(exit::ENDED, "The job was ended because the request was cancelled."),
        "output-limit" => ours(exit::ENDED, "The job was ended because it wrote more than its profile allows."),
        "stopped" => ours(exit::STOPPED, "The job was ended because the broker was stopped."),
        "not-confined" => ours(exit::NOT_RUN, "The job could not be confined, so it did not begin."),
        "interrupted" => ours(exit::BROKEN, "The broker failed while the job ran, and ended it."),
        "" => {
            let code = Code::from_name(result.text("code")).ok_or_else(|| missing("code"))?;
            ours(exit::of(code), &format!("It did not run ({code})."))
        }
        _ => Err(missing("ended")),
    }
}

/// Whether the command ended well and a rule expected more than that. Its own status is 0 then.
fn drifted(result: &Fields) -> bool {
    Code::from_name(result.text("code")) == Some(Code::Drift)
}

const fn own(status: u8) -> Ending {
    Ending { status, sentence: None }
}

fn missing(key: &str) -> ClientError {
    ClientError::Answer { key: key.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn fields(pairs: &[(&str, Value)]) -> Fields {
        let mut fields = Fields::default();
        for (key, value) in pairs {
            fields.insert(key, value.clone());
        }
        fields
    }

    #[test]
    fn a_command_that_came_to_its_own_end_has_its_own_status_and_nothing_is_said() {
        for (ended, key, number, status) in [
            ("exited", "status", 0, 0),
            ("exited", "status", 7, 7),
            ("exited", "status", 255, 255),
            ("signalled", "signal", 15, 143),
            ("signalled", "signal", 9, 137),
        ] {
            let result = fields(&[("ended", json!(ended)), (key, json!(number)), ("sentence", json!("It ran."))]);
            assert_eq!(of(&result).unwrap(), Ending { status, sentence: None }, "{ended} {number}");
        }
    }

    #[test]
    fn a_command_that_ended_well_on_a_machine_that_drifted_has_a_status_of_ours() {
        let result = |code: &str| fields(&[("ended", json!("exited")), ("status", json!(0)), ("code", json!(code))]);
        let ending = of(&result("Drift")).unwrap();
        assert_eq!(ending.status, 119);
        assert!(ending.sentence.is_some_and(|sentence| sentence.ends_with('.')));
        assert_eq!(of(&result("")).unwrap(), Ending { status: 0, sentence: None });
    }

    #[test]
    fn an_end_that_the_broker_made_has_one_of_ours_and_says_why() {
        for (ended, status) in [
            ("timed-out", 124),
            ("cancelled", 124),
            ("output-limit", 124),
            ("stopped", 125),
            ("not-confined", 126),
            ("interrupted", 127),
        ] {
            let ending = of(&fields(&[("ended", json!(ended)), ("code", json!("Expired"))])).unwrap();
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
            fields(&[("code", json!("Odd"))]),
            fields(&[("ended", json!("somehow"))]),
            fields(&[("ended", json!("exited"))]),
            fields(&[("ended", json!("exited")), ("status", json!(256))]),
            fields(&[("ended", json!("exited")), ("status", json!(-1))]),
            fields(&[("ended", json!("signalled")), ("status", json!(0))]),
        ] {
            assert!(matches!(of(&result), Err(ClientError::Answer { .. })), "{result:?}");
        }
    }
}
