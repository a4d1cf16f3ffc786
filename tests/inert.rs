//! Promise: words of a caller are inert wherever people read them. SEC-16.
//!
//! One table of words that would deceive, in every place where a caller may put words, read on every medium: the polkit
//! dialog as a real terminal agent shows it, the queue, the command line, the log and the journal.

#[cfg(test)]
mod tests {
    use harness::users::{ADMIN, ADMIN_PASSWORD, AGENT};
    use harness::{Answer, Machine};
    use promises::{PATIENCE, installed, the_waiting};

    /// What deceives, and how it must look instead; the long one is cut instead.
    const WORDS: [(&str, &str, &str); 11] = [
        ("escape sequences", "a\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31mb", r"a\u{1B}[2J\u{1B}]0;title\u{7}\u{9B}31mb"),
        ("bidirectional", "a\u{202e}fdp\u{2066}b\u{200f}c", r"a\u{202E}fdp\u{2066}b\u{200F}c"),
        ("zero width", "a\u{200b}b\u{feff}c\u{e0041}d", r"a\u{200B}b\u{FEFF}c\u{E0041}d"),
        ("line breaks", "a\nDecided by root: yes\r\nYour PIN: b", r"a\nDecided by root: yes\u{D}\nYour PIN: b"),
        ("names of the dialog's own", "$(tier) $(command) $(user)", "$(tier) $(command) $(user)"),
        (
            "controls of both sorts",
            "a\u{1}\u{8}\u{c}\u{e}\u{1f}\u{7f}\u{80}\u{85}\u{8d}\u{90}\u{9d}\u{9f}b",
            r"a\u{1}\u{8}\u{C}\u{E}\u{1F}\u{7F}\u{80}\u{85}\u{8D}\u{90}\u{9D}\u{9F}b",
        ),
        (
            "every other direction",
            "a\u{202a}\u{202b}\u{202c}\u{202d}\u{2067}\u{2068}\u{2069}\u{200e}\u{61c}b",
            r"a\u{202A}\u{202B}\u{202C}\u{202D}\u{2067}\u{2068}\u{2069}\u{200E}\u{61C}b",
        ),
        (
            "what is not seen",
            "a\u{ad}\u{34f}\u{180e}\u{200c}\u{200d}\u{2028}\u{2029}\u{2060}b",
            r"a\u{AD}\u{34F}\u{180E}\u{200C}\u{200D}\u{2028}\u{2029}\u{2060}b",
        ),
        (
            "what looks like a blank or changes its neighbour",
            "a\u{2800}\u{3164}\u{fe0f}\u{ffa0}\u{fff9}\u{e0101}b",
            r"a\u{2800}\u{3164}\u{FE0F}\u{FFA0}\u{FFF9}\u{E0101}b",
        ),
        ("a pile of marks", "e\u{301}\u{302}\u{303}\u{304}\u{305}x", "e\u{301}\u{302}\\u{303}\\u{304}\\u{305}x"),
        ("very long", "", ""),
    ];
    /// What pkttyagent itself sends to the terminal.
    const OF_THE_AGENT: [&str; 2] = ["\u{1b}[1;31m", "\u{1b}[0m"];
    /// More than a dialog, or any line of a list, may have of it.
    const LONG: usize = 60_000;

    struct Asked {
        word: String,
        client: harness::Process,
        id: String,
    }

    /// A request with these words as an argument, as the reason, as the agent's name and as the directory.
    fn asked(machine: &Machine, word: &str) -> anyhow::Result<Asked> {
        let (argument, claim) =
            if word.is_empty() { ("x".repeat(LONG), "y".repeat(120)) } else { (word.to_owned(), word.to_owned()) };
        let directory = format!("/srv/{}", if word.is_empty() { "z".repeat(200) } else { word.to_owned() });
        machine.run(["mkdir", "-p", "-m", "755", &directory])?.ok()?;
        let words = [
            "countersign",
            "run",
            "--reason",
            &claim,
            "--agent",
            &claim,
            "--cwd",
            &directory,
            "--",
            "touch",
            "--",
            &argument,
        ];
        let client = machine.spawn_as(AGENT, words)?;
        let id = the_waiting(machine)?;
        Ok(Asked { word: argument, client, id })
    }

    /// Every medium by its name, with what it showed.
    fn media(machine: &Machine, asked: &mut Asked) -> anyhow::Result<Vec<(&'static str, String)>> {
        let said = |words: &[&str]| machine.run(words.iter().copied()).map(|output| output.stdout + &output.stderr);
        let mut media = vec![
            ("the queue", said(&["countersign", "requests"])?),
            ("show", said(&["countersign", "show", &asked.id])?),
            ("show --json", said(&["countersign", "show", "--json", &asked.id])?),
            ("requests --json", said(&["countersign", "requests", "--json"])?),
            ("plan", {
                let output =
                    machine.run_as(AGENT, ["countersign", "plan", "--", "touch", "--", asked.word.as_str()])?;
                output.stdout + &output.stderr
            }),
            ("policy explain", said(&["countersign", "policy", "explain", "--", "touch", "--", &asked.word])?),
        ];
        let reason: String = asked.word.chars().take(200).collect();
        let words = ["countersign", "refuse", &asked.id, "--reason", &reason];
        let mut attended = machine.command(ADMIN, words)?.attended()?;
        // What no dialog can show whole is looked at first, which takes an authentication of its own.
        for _ in 0..if asked.word.len() == LONG { 2 } else { 1 } {
            attended.dialog()?;
            attended.answer(Answer::Password(ADMIN_PASSWORD))?;
        }
        let (output, screen) = attended.wait()?;
        output.ok()?;
        media.push((
            "the dialog on pkttyagent's screen",
            OF_THE_AGENT.iter().fold(screen, |text, own| text.replace(own, "")),
        ));
        let refused = asked.client.wait(PATIENCE)?;
        media.push(("the caller's refusal", refused.stdout + &refused.stderr));
        media.push(("the log", said(&["countersign", "audit", "list"])?));
        let last =
            machine.run(["sh", "-c", "countersign audit list | tail -n 1 | { read -r seq rest; echo $seq; }"])?.ok()?;
        media.push(("an entry", said(&["countersign", "audit", "show", last.stdout.trim()])?));
        media.push(("the log --json", said(&["countersign", "audit", "list", "--json"])?));
        media.push(("the journal", machine.journal("countersignd.service")?));
        let fields = ["journalctl", "--no-pager", "--output=export", "--unit", "countersignd"];
        let ours: Vec<String> = machine
            .run(fields)?
            .stdout
            .lines()
            .filter(|line| line.starts_with("COUNTERSIGN_"))
            .map(str::to_owned)
            .collect();
        media.push(("the journal's fields", ours.join("\n")));
        Ok(media)
    }

    fn acts(c: char) -> bool {
        let moves = matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        let hides = matches!(c, '\u{ad}' | '\u{34f}' | '\u{180b}'..='\u{180e}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
        moves || hides || (c.is_control() && !matches!(c, '\n' | '\r'))
    }

    #[test]
    fn no_word_of_a_caller_acts_on_any_medium() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        for (class, word, shown) in WORDS {
            let mut asked = asked(&machine, word)?;
            let id = asked.id.clone();
            for (medium, text) in media(&machine, &mut asked)? {
                assert!(!text.contains(acts), "{class} on {medium}: {:?}", text.chars().find(|c| acts(*c)));
                let forged = |line: &str| {
                    let line = line.trim_start();
                    line.starts_with("Decided by root") || line.starts_with("Your PIN: b")
                };
                assert!(!text.lines().any(forged), "{class} on {medium}: {text}");
                let tells =
                    matches!(medium, "the queue" | "show" | "the dialog on pkttyagent's screen" | "plan" | "the log");
                assert!(!tells || text.contains(shown), "{class} on {medium} is shown as {shown}: {text}");
                if word.is_empty() && medium == "the dialog on pkttyagent's screen" {
                    assert!(
                        text.contains("bytes hidden]") && text.contains(&format!("countersign show {id}")),
                        "{text}"
                    );
                    assert!(text.len() < 12_000, "{class} on {medium}: {} bytes", text.len());
                }
                if word.is_empty() && matches!(medium, "the queue" | "the log") {
                    let longest = text.lines().map(str::len).max().unwrap_or(0);
                    assert!(longest < 4_000, "{class} on {medium}: a line of {longest} bytes");
                }
                if word.is_empty() && medium == "show" {
                    assert!(text.contains(&asked.word), "whoever decides can read all of it");
                }
            }
        }
        Ok(())
    }
}
