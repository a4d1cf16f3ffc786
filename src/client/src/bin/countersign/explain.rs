//! `policy explain`: the tier of a command and why, from the rules alone. Nothing is asked of the broker, and nothing
//! runs.
//!
//! ```text
//!   words, or JSON lines ──Question──▶ Argv, CleanPath ──classify──▶ Explained ──▶ text, or JSON lines
//! ```

use std::io::{self, BufReader, BufWriter, Write as _};

use countersign_core::argv::Argv;
use countersign_core::classify::{Classification, Evidence, RuleId, Rules, Subject, classify};
use countersign_core::code::{Code, Failure};
use countersign_core::path::CleanPath;
use countersign_core::profile::ProfileName;
use countersign_core::target::Target;
use countersign_core::text::{shown, shown_argv};
use countersign_core::tier::Ruling;
use serde::{Deserialize, Serialize};

use crate::cli::ExplainArgs;
use crate::complaint::Complaint;
use crate::lines::{self, Line, MAX_LINE};
use crate::{check, print, run};

/// The most bytes of a command or a reason that are shown to people.
const MAX_SHOWN: usize = 2_048;

/// One line of a batch.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    argv: Option<Vec<String>>,
    shell: Option<String>,
    cwd: Option<String>,
}

/// What the classifier says, for programs.
#[derive(Debug, Serialize)]
struct Explained<'a> {
    argv: &'a [String],
    tier: Ruling,
    rules: &'a [RuleId],
    profile: &'a ProfileName,
    targets: &'a [Target],
    evidence: &'a [Evidence],
}

/// A line that was not understood; the lines after it are.
#[derive(Debug, Serialize)]
struct Wrong {
    error: Failure,
}

pub(crate) fn explain(args: &ExplainArgs, json: bool) -> Result<u8, Complaint> {
    let (_, policy) = check::read(&args.rules)?;
    let cwd = run::directory(args.cwd.as_deref())?;
    if args.batch {
        let input = BufReader::with_capacity(64 * 1_024, io::stdin());
        return batch(policy.rules(), &cwd, input, io::stdout().lock()).map(|()| 0);
    }
    let argv = match &args.shell {
        Some(text) => Argv::shell(text.clone()),
        None => Argv::new(args.words.clone()),
    };
    let argv = argv.map_err(|error| Complaint::usage(format!("This is no command: {error}.")))?;
    let classification = of(policy.rules(), &argv, &cwd);
    if json {
        print::json(&explained(&argv, &classification))?;
    } else {
        text(&argv, &classification).iter().try_for_each(|line| print::line(line))?;
    }
    Ok(0)
}

fn of(rules: &Rules, argv: &Argv, cwd: &CleanPath) -> Classification {
    classify(rules, &Subject { argv, cwd, env_names: &[] })
}

fn explained<'a>(argv: &'a Argv, classification: &'a Classification) -> Explained<'a> {
    Explained {
        argv: argv.words(),
        tier: classification.ruling,
        rules: classification.rules.as_slice(),
        profile: &classification.profile,
        targets: classification.targets.as_slice(),
        evidence: classification.evidence.as_slice(),
    }
}

/// One answer per line, in order; written out whenever no further line is at hand, so that a program may converse.
fn batch(
    rules: &Rules,
    cwd: &CleanPath,
    mut input: BufReader<impl io::Read>,
    output: impl io::Write,
) -> Result<(), Complaint> {
    let mut output = BufWriter::with_capacity(64 * 1_024, output);
    let mut line = Vec::new();
    loop {
        let answer = match lines::next(&mut input, &mut line)? {
            Line::End => break,
            Line::TooLong => Err(invalid(format!("The line has more than {MAX_LINE} bytes."))),
            Line::Whole => question(&line, cwd),
        };
        let text = match answer {
            Ok((argv, cwd)) => print::ascii(&explained(&argv, &of(rules, &argv, &cwd)))?,
            Err(error) => print::ascii(&Wrong { error })?,
        };
        writeln!(output, "{text}")?;
        if input.buffer().is_empty() {
            output.flush()?;
        }
    }
    Ok(output.flush()?)
}

fn question(line: &[u8], cwd: &CleanPath) -> Result<(Argv, CleanPath), Failure> {
    let question: Question = serde_json::from_slice(line)
        .map_err(|error| invalid(format!("The line is not understood: {}.", shown(&error.to_string(), 300))))?;
    let argv = match (question.argv, question.shell) {
        (Some(words), None) => Argv::new(words),
        (None, Some(text)) => Argv::shell(text),
        (Some(_), Some(_)) | (None, None) => return Err(invalid("A line has either argv or shell.".to_owned())),
    };
    let argv = argv.map_err(|error| invalid(format!("This is no command: {error}.")))?;
    let cwd = question
        .cwd
        .map_or_else(|| Ok(cwd.clone()), |text| cwd.join(&text))
        .map_err(|error| invalid(format!("The working directory cannot be used: {error}.")))?;
    Ok((argv, cwd))
}

fn invalid(sentence: String) -> Failure {
    Failure::new(Code::InvalidRequest, sentence)
}

/// The same for people.
fn text(argv: &Argv, classification: &Classification) -> Vec<String> {
    let tier = classification.ruling.tier().map_or("never", countersign_core::tier::Tier::word);
    let mut lines = vec![
        format!("{} ({tier})  {}", classification.ruling.name(), shown_argv(argv, MAX_SHOWN)),
        format!("  profile  {}", classification.profile.as_str()),
    ];
    for Target { kind, name, access } in &classification.targets {
        let word = |value: serde_json::Result<serde_json::Value>| {
            value.ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
        };
        let (kind, access) = (word(serde_json::to_value(kind)), word(serde_json::to_value(access)));
        lines.push(format!("  target   {access} {kind} {}", shown(name, MAX_SHOWN)));
    }
    for Evidence { rule, words, says, depth: _ } in &classification.evidence {
        let words =
            if words.is_empty() { String::new() } else { format!("  [{}]", shown(&words.join(" "), MAX_SHOWN)) };
        lines.push(format!("  why      {}: {}{words}", shown(&rule.0, 200), shown(says, MAX_SHOWN)));
    }
    lines
}
