//! `policy explain`: the tier of a command and why, from the rules alone. Nothing is asked of the broker, and nothing
//! runs.
//!
//! ```text
//!   words, or JSON lines ──Question──▶ Argv, CleanPath ──classify──▶ Explained ──▶ text, or JSON lines
//! ```

use std::io::{self, BufReader, BufWriter, Write as _};

use countersign_core::argv::Argv;
use countersign_core::classify::{Classification, Evidence, Need, RuleId, Rules, Subject, classify};
use countersign_core::code::{Code, Failure};
use countersign_core::path::CleanPath;
use countersign_core::profile::ProfileName;
use countersign_core::target::Target;
use countersign_core::text::{sentence, shown, shown_argv};
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
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    needs: &'a [Need],
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
        needs: classification.needs.as_slice(),
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
        .map_err(|error| invalid(format!("The line is not understood: {}.", sentence(&error.to_string(), 300))))?;
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
    lines.extend(classification.needs.iter().flat_map(asked));
    lines.push("  why".to_owned());
    lines.extend(classification.evidence.iter().map(branch));
    if classification.omitted > 0 {
        lines.push(format!("    and {} more that are no stricter", classification.omitted));
    }
    lines
}

/// What a rule asks of the host and of the moment.
fn asked(Need { rule, hosts, conditions }: &Need) -> Vec<String> {
    let hosts = hosts.iter().map(|kind| format!("host {kind}"));
    let checks = conditions.iter().map(|condition| format!("{} {}", condition.role, condition.check));
    let line = |asked: String| format!("  asks     {} ({rule})", shown(&asked, MAX_SHOWN));
    hosts.chain(checks).map(line).collect()
}

/// A finding, as deep in the tree as its words are in wrappers and shells.
fn branch(evidence: &Evidence) -> String {
    let Evidence { rule, ruling, words, says, depth, offset } = evidence;
    let indent = usize::from(*depth).saturating_mul(2).saturating_add(4);
    let words = if words.is_empty() { String::new() } else { format!("  [{}]", shown(&words.join(" "), MAX_SHOWN)) };
    let place = offset.map_or_else(String::new, |byte| format!("  (byte {byte})"));
    let (rule, says) = (shown(rule.as_str(), 200), sentence(says, MAX_SHOWN));
    format!("{:indent$}{:<4}  {rule}: {says}{words}{place}", "", ruling.name())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use countersign_core::classify::{Origin, RuleFile};
    use serde_json::Value;

    use super::*;

    fn answers(input: &[u8]) -> Vec<Value> {
        let rules = Rules::parse(&[]).unwrap();
        let mut output = Vec::new();
        batch(&rules, &CleanPath::new("/").unwrap(), BufReader::new(input), &mut output).unwrap();
        output
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }

    #[test]
    fn every_line_has_its_answer_and_a_malformed_one_does_not_end_the_rest() {
        let lines: [&[u8]; 10] = [
            br#"{"argv":["no-such-program"]}"#,
            b"nonsense",
            b"",
            br#"{"argv":["a"],"shell":"b"}"#,
            br#"{"argv":[]}"#,
            br#"{"argv":["a"],"unknown":1}"#,
            br#"{"argv":["a"],"cwd":"a\u0000b"}"#,
            b"{\"argv\":[\"\xff\"]}",
            br#"{}"#,
            br#"{"shell":"no-such-program","cwd":"/tmp"}"#,
        ];
        let answers = answers(&lines.join(&b'\n'));
        assert_eq!(answers.len(), lines.len());
        for (line, answer) in answers.iter().enumerate() {
            let understood = matches!(line, 0 | 9);
            assert_eq!(answer["error"]["code"].as_str(), (!understood).then_some("InvalidRequest"), "{line}: {answer}");
            assert_eq!(answer["tier"].is_string(), understood, "{line}: {answer}");
        }
        for key in ["tier", "rules", "profile", "evidence", "targets"] {
            assert!(answers[0].get(key).is_some(), "{key}");
        }
        assert_eq!(answers[9]["argv"], serde_json::json!(["/bin/sh", "-c", "no-such-program"]));
    }

    #[test]
    fn a_line_that_is_too_long_is_answered_and_passed_over() {
        let mut input = vec![b' '; MAX_LINE + 1];
        input.extend_from_slice(b"\n{\"argv\":[\"no-such-program\"]}\n");
        let answers = answers(&input);
        assert_eq!(
            (answers[0]["error"]["code"].as_str(), answers[1]["tier"].as_str(), answers.len()),
            (Some("InvalidRequest"), Some("T2"), 2)
        );
    }

    /// Hands out one line per read, and only when every line before it has been answered.
    struct Converse {
        lines: std::vec::IntoIter<&'static [u8]>,
        read: usize,
        written: Rc<RefCell<Vec<u8>>>,
    }

    impl io::Read for Converse {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let answered = self.written.borrow().iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(answered, self.read, "every line so far is answered before the next is waited for");
            let line = self.lines.next().unwrap_or_default();
            self.read = self.read.saturating_add(usize::from(!line.is_empty()));
            buffer[..line.len()].copy_from_slice(line);
            Ok(line.len())
        }
    }

    struct Shared(Rc<RefCell<Vec<u8>>>);

    impl io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_program_may_ask_one_line_at_a_time() {
        let written = Rc::new(RefCell::new(Vec::new()));
        let lines: Vec<&'static [u8]> = vec![b"{\"argv\":[\"a\"]}\n", b"{\"argv\":[\"b\"]}\n", b"x\n"];
        let input = Converse { lines: lines.into_iter(), read: 0, written: Rc::clone(&written) };
        batch(&Rules::parse(&[]).unwrap(), &CleanPath::new("/").unwrap(), BufReader::new(input), Shared(written))
            .unwrap();
    }

    #[test]
    fn people_see_the_tree_of_what_was_unwrapped() {
        const RULES: &str = r#"
[[program]]
names = ["nice"]
tier = "T0"
reason = "Runs a program with another priority."
operands = ["<command>"]
style = "posix"
hosts = ["debian"]
checks = ["no-dpkg-lock"]
must_match = ["nice true"]
must_not_match = ["nice frob"]
[[program]]
names = ["sh"]
tier = "T2"
reason = "Runs a shell."
form = [{ id = "text", tier = "T0", reason = "Runs shell text.", has = ["-c"] }]
flags = ["-c <shell>"]
must_match = ["sh"]
must_not_match = ["sh -c true"]
[[program]]
names = ["true"]
tier = "T0"
reason = "Does nothing."
must_match = ["true"]
must_not_match = ["true x"]
"#;
        let file = RuleFile { name: "a.toml", text: RULES, origin: Origin::Vendor };
        let rules = Rules::parse(&[file]).unwrap_or_else(|wrong| panic!("{wrong}"));
        let argv = ["nice", "sh", "-c", "true; $y"].map(str::to_owned).to_vec();
        let argv = Argv::new(argv).unwrap();
        let lines = text(&argv, &of(&rules, &argv, &CleanPath::new("/").unwrap())).join("\n");
        insta::assert_snapshot!(lines, @r"
        T2 (stateful)  nice sh -c 'true; $y'
          profile  system
          asks     host debian (nice)
          asks     hard no-dpkg-lock (nice)
          why
            T0    nice: Runs a program with another priority.  [nice sh -c true; $y]
              T0    sh.text: Runs shell text.  [sh -c true; $y]
                T0    true: Does nothing.  [true]
                T2    shell.opaque: Shell text that is not understood from this byte on.  [$y]  (byte 6)
                  T0    true: Does nothing.  [true]
        ");
    }

    #[test]
    fn people_read_the_same_inert() {
        let argv = Argv::new(vec!["no-such-program".to_owned(), "a\u{1b}[2Jb\n".to_owned()]).unwrap();
        let classification = of(&Rules::parse(&[]).unwrap(), &argv, &CleanPath::new("/").unwrap());
        let lines = text(&argv, &classification);
        assert!(
            lines[0].starts_with("T2 (stateful)  no-such-program ")
                && lines.iter().all(|line| !line.contains(['\u{1b}', '\n'])),
            "{lines:?}"
        );
    }
}
