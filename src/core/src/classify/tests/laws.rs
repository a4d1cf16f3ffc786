//! Laws that hold for every command: total, deterministic, never lower by wrapping, by adding a rule or by order.

use proptest::prelude::*;

use super::*;

/// Words that mean something to the rules, so that random commands reach deep into them.
const PIECES: [&str; 60] = [
    "ls",
    "cat",
    "rm",
    "cp",
    "find",
    "sudo",
    "env",
    "sh",
    "-c",
    "nice",
    "timeout",
    "5",
    "xargs",
    "systemctl",
    "restart",
    "status",
    "nginx",
    "tar",
    "-t",
    "-x",
    "-f",
    "-r",
    "-rf",
    "--",
    "-n",
    "--help",
    "--version",
    "-exec",
    ";",
    "{}",
    "+",
    "-delete",
    "/",
    "/etc/shadow",
    "/etc/hosts",
    "/tmp/x",
    "../..",
    "*",
    "/etc/*",
    "A=b",
    "PATH=x",
    "dd",
    "of=/dev/sda",
    "if=/dev/zero",
    "mkfs.ext4",
    "/dev/sdb",
    "python3",
    "-e",
    "awk",
    "{print $1}",
    "sed",
    "s/a/b/",
    "git",
    "apt",
    "install",
    "journalctl",
    "-u",
    "watch",
    "-x",
    "reboot",
];

fn word() -> impl Strategy<Value = String> {
    prop_oneof![8 => proptest::sample::select(&PIECES[..]).prop_map(str::to_owned), 1 => "[^\\x00]{0,12}", 1 => "-{0,2}[a-zA-Z=]{1,6}"]
}

/// A command whose first word is a program and not an option or an assignment of whatever stands before it.
fn command() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(word(), 1..10).prop_map(|mut words| {
        if words[0].is_empty() || words[0].starts_with('-') || words[0].contains('=') {
            words[0] = "ls".to_owned();
        }
        words
    })
}

fn quoted(words: &[String]) -> String {
    words.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect::<Vec<_>>().join(" ")
}

fn with<'a>(before: &[&'a str], inner: &'a [String], after: &[&'a str]) -> Argv {
    let all: Vec<&str> =
        before.iter().copied().chain(inner.iter().map(String::as_str)).chain(after.iter().copied()).collect();
    words(&all)
}

/// Every way to run a command through another that the rules know.
fn wrapped(inner: &[String]) -> Vec<Argv> {
    let mut all: Vec<Argv> = [
        &["env"][..],
        &["env", "-i"],
        &["env", "--bogus"],
        &["nice", "-n", "5"],
        &["ionice", "-c2"],
        &["timeout", "-k", "5", "10s"],
        &["time"],
        &["nohup"],
        &["setsid"],
        &["stdbuf", "-oL"],
        &["flock", "/tmp/l"],
        &["watch", "-x"],
        &["xargs", "-n1"],
        &["sudo"],
        &["sudo", "-u", "bob", "A=b"],
        &["doas", "-n"],
        &["pkexec"],
        &["runuser", "-u", "bob", "--"],
        &["chroot", "/mnt"],
        &["busybox"],
        &["command"],
        &["exec"],
    ]
    .into_iter()
    .map(|before| with(before, inner, &[]))
    .collect();
    let text = quoted(inner);
    for shell in [
        &["sh", "-c"][..],
        &["bash", "-ec"],
        &["su", "-c"],
        &["watch"],
        &["eval"],
        &["flock", "/tmp/l", "-c"],
        &["env", "-S"],
    ] {
        all.push(with(shell, std::slice::from_ref(&text), &[]));
    }
    if !inner.iter().any(|word| word == ";" || word == "+") {
        all.push(with(&["find", ".", "-exec"], inner, &[";"]));
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::default())]

    #[test]
    fn classifying_is_total_and_deterministic(argv in command(), cwd in "(/[a-z.]{0,6}){1,4}") {
        let (argv, cwd) = (words(&argv), CleanPath::new(&cwd).unwrap());
        let subject = Subject { argv: &argv, cwd: &cwd, env_names: &[] };
        prop_assert_eq!(classify(shipped(), &subject), classify(shipped(), &subject));
    }

    #[test]
    fn any_text_at_all_is_classified(text in "[^\\x00]{1,200}") {
        prop_assert!(rule(&Argv::shell(text.clone()).unwrap()) == rule(&Argv::shell(text).unwrap()));
    }

    #[test]
    fn wrapping_never_lowers(inner in command()) {
        let alone = rule(&words(&inner)).ruling;
        for outer in wrapped(&inner) {
            let found = rule(&outer).ruling;
            prop_assert!(found >= alone, "{:?} is {:?} and {:?} is {:?}", inner, alone, outer, found);
        }
    }

    #[test]
    fn the_strictest_wins_in_any_order(commands in proptest::collection::vec(command(), 1..5)) {
        let texts: Vec<String> = commands.iter().map(|words| quoted(words)).collect();
        let strictest = texts.iter().map(|text| rule(&Argv::shell(text.clone()).unwrap()).ruling).max().unwrap();
        for joint in ["; ", " && ", " || ", " | ", "\n"] {
            let forwards = rule(&Argv::shell(texts.join(joint)).unwrap()).ruling;
            let backwards = rule(&Argv::shell(texts.iter().rev().cloned().collect::<Vec<_>>().join(joint)).unwrap()).ruling;
            prop_assert_eq!(forwards, strictest, "{:?}", texts);
            prop_assert_eq!(backwards, strictest, "{:?}", texts);
        }
    }

    #[test]
    fn quoting_otherwise_changes_nothing(words_in in proptest::collection::vec("[a-z/.-]{1,8}", 1..6)) {
        let reserved = ["do", "if", "fi", "in", "for", "case", "then", "else", "elif", "esac", "done"];
        prop_assume!(!reserved.contains(&words_in[0].as_str()));
        let plain = rule(&Argv::shell(words_in.join(" ")).unwrap()).ruling;
        for quote in ["'", "\""] {
            let text: Vec<String> = words_in.iter().map(|word| format!("{quote}{word}{quote}")).collect();
            prop_assert_eq!(rule(&Argv::shell(text.join(" ")).unwrap()).ruling, plain);
        }
        let text: Vec<String> = words_in.iter().map(|word| word.chars().map(|c| format!("\\{c}")).collect()).collect();
        prop_assert_eq!(rule(&Argv::shell(text.join(" ")).unwrap()).ruling, plain);
    }

    #[test]
    fn the_order_of_flags_changes_nothing(mut flags in proptest::sample::subsequence(vec!["-r", "-f", "-v", "--one-file-system", "-i", "/srv/x", "/etc/x"], 1..7), seed in 0..5_usize) {
        let one = rule(&with(&["rm"], &[], &flags)).ruling;
        let turns = seed.min(flags.len());
        flags.rotate_left(turns);
        prop_assert_eq!(rule(&with(&["rm"], &[], &flags)).ruling, one);
        flags.reverse();
        prop_assert_eq!(rule(&with(&["rm"], &[], &flags)).ruling, one);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn adding_a_rule_never_lowers(
        program in proptest::sample::select(&PIECES[..]),
        tier in proptest::sample::select(vec!["T0", "T1", "T2", "T3"]),
        operands in proptest::sample::select(vec!["", "operands = [\"[<text>...]\"]\n", "operands = [\"<read>...\"]\n", "operands = []\n"]),
        style in proptest::sample::select(vec!["getopt", "posix", "long"]),
        commands in proptest::collection::vec(command(), 40),
    ) {
        prop_assume!(!program.contains('/') && !program.contains('"'));
        let table = format!("[[program]]\nnames = [\"{program}\"]\ntier = \"{tier}\"\nreason = \"x\"\nstyle = \"{style}\"\nflags = [\"-r\", \"-f <text>\"]\n{operands}");
        let more = with_admin(Some(&table)).unwrap();
        for argv in commands.iter().map(|command| words(command)) {
            prop_assert!(rule_in(&more, &argv).ruling >= rule(&argv).ruling, "{:?} {:?}", table, argv);
        }
    }
}
