//! Steps: a file with the commands of a bundle, read before anything is asked.
//!
//! Enters: JSON, a list of objects. Leaves: asks, in that order. What a step may say is what a command has for itself; a key
//! that is not known is an error that names its line and column, never passed over: who mistypes `max_tier` must not be
//! taken to have set no bound. How many there may be and how long is the broker's to say.

use std::collections::HashMap;
use std::path::Path;

use countersign::Ask;
use countersign::ask::What;
use countersign_core::path::CleanPath;
use serde::Deserialize;

use crate::complaint::Complaint;
use crate::{cli, digest};

/// One step as it stands in the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    argv: Option<Vec<String>>,
    shell: Option<String>,
    cwd: Option<String>,
    #[serde(default)]
    env: HashMap<String, String>,
    timeout: Option<String>,
    #[serde(default)]
    targets: Vec<String>,
    max_tier: Option<String>,
    profile: Option<String>,
}

/// Reads the steps in this file, or in this program's own input for `-`. A step that names no directory, or one that is
/// not absolute, is meant from `from`.
pub(crate) fn read(path: &Path, from: &CleanPath) -> Result<Vec<Ask>, Complaint> {
    parse(&digest::read(path)?, from)
}

fn parse(text: &[u8], from: &CleanPath) -> Result<Vec<Ask>, Complaint> {
    let steps: Vec<Step> = serde_json::from_slice(text)
        .map_err(|error| Complaint::usage(format!("The steps cannot be read: {error}.")))?;
    let numbered = |(number, step): (usize, Step)| step.ask(from).map_err(|why| wrong(number, &why));
    (1..).zip(steps).map(numbered).collect()
}

fn wrong(number: usize, why: &str) -> Complaint {
    Complaint::usage(format!("Step {number} cannot be used: {why}."))
}

impl Step {
    fn ask(self, from: &CleanPath) -> Result<Ask, String> {
        let what = match (self.argv, self.shell) {
            (Some(words), None) => What::Argv(words),
            (None, Some(text)) => What::Shell(text),
            (None, None) | (Some(_), Some(_)) => return Err("give either argv or shell".to_owned()),
        };
        let cwd = match self.cwd.as_deref() {
            Some(absolute) if absolute.starts_with('/') => CleanPath::new(absolute),
            named => from.join(named.unwrap_or(".")),
        };
        let timeout = self.timeout.as_deref().map(cli::duration).transpose()?;
        Ok(Ask {
            env: self.env,
            timeout_ms: timeout.and_then(|timeout| u64::try_from(timeout.as_millis()).ok()),
            targets: self.targets,
            max_tier: self.max_tier,
            profile: self.profile,
            ..Ask::new(what, cwd.map_err(|error| error.to_string())?.as_str().to_owned())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from() -> CleanPath {
        CleanPath::new("/home/agent").unwrap()
    }

    fn refused(text: &str) -> String {
        parse(text.as_bytes(), &from()).unwrap_err().to_string()
    }

    #[test]
    fn steps_are_read_in_order_with_what_each_says() {
        let text = r#"[
            {"argv": ["systemctl", "stop", "web"], "timeout": "90s", "max_tier": "T2"},
            {"shell": "id; id", "cwd": "work", "env": {"LANG": "C"}, "targets": ["/srv/x"], "profile": "observe"},
            {"argv": ["true"], "cwd": "/srv/../etc"}
        ]"#;
        let steps = parse(text.as_bytes(), &from()).unwrap();
        let [first, second, third] = steps.as_slice() else { panic!("{steps:?}") };
        assert!(matches!(&first.what, What::Argv(words) if words.len() == 3));
        assert_eq!(
            (first.timeout_ms, first.max_tier.as_deref(), first.cwd.as_str()),
            (Some(90_000), Some("T2"), "/home/agent")
        );
        assert!(matches!(&second.what, What::Shell(text) if text == "id; id"));
        assert_eq!((second.cwd.as_str(), second.env["LANG"].as_str()), ("/home/agent/work", "C"));
        assert_eq!((second.targets.len(), second.profile.as_deref(), third.cwd.as_str()), (1, Some("observe"), "/etc"));
    }

    #[test]
    fn what_is_not_known_is_named_by_line_and_column() {
        for (text, parts) in [
            ("[{\"argv\": [\"id\"],\n  \"max_teir\": \"T1\"}]", vec!["max_teir", "line 2 column 12"]),
            ("[{\"argv\": \"id\"}]", vec!["line 1 column 14"]),
            ("{\"argv\": [\"id\"]}", vec!["line 1"]),
            ("[{\"argv\": [\"id\"]}] x", vec!["line 1 column"]),
            ("", vec!["line 1 column 0"]),
            ("[{\"argv\": [\"id\"], \"argv\": [\"id\"]}]", vec!["argv", "duplicate"]),
        ] {
            let said = refused(text);
            assert!(parts.iter().all(|part| said.contains(part)), "{text}: {said}");
        }
    }

    #[test]
    fn a_step_that_cannot_be_is_named_by_its_number() {
        for step in [r#"{}"#, r#"{"argv": ["id"], "shell": "id"}"#, r#"{"argv": ["id"], "timeout": "soon"}"#] {
            let said = refused(&format!(r#"[{{"argv": ["true"]}}, {step}]"#));
            assert!(said.contains("Step 2"), "{said}");
        }
    }
}
