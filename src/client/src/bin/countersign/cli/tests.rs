//! Tests of the words: what is taken, what is refused, and that help and manual say all of it.

use clap::CommandFactory as _;

use super::*;

fn parse(words: &[&str]) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(["countersign"].iter().chain(words))
}

fn run_args(words: &[&str]) -> RunArgs {
    let Command::Run(args) = parse(words).unwrap().command else { panic!("{words:?} is not run") };
    args
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn the_words_after_the_dashes_are_the_commands_own() {
    let args = run_args(&["run", "--reason", "r", "--", "ls", "--json", "--reason", "x", "--", "-l"]);
    assert_eq!(args.ask.words, ["ls", "--json", "--reason", "x", "--", "-l"]);
    assert_eq!(args.ask.reason.as_deref(), Some("r"));
    assert!(!parse(&["run", "--", "ls", "--json"]).unwrap().json);
    assert!(parse(&["run", "--json", "--", "ls"]).unwrap().json && parse(&["--json", "run", "--", "ls"]).unwrap().json);
}

#[test]
fn what_makes_no_sense_is_refused() {
    for words in [
        &["run"][..],
        &["run", "ls"],
        &["run", "--shell", "ls", "--", "ls"],
        &["run", "--tier-max", "T4", "--", "ls"],
        &["run", "--tier-max", "t1", "--", "ls"],
        &["run", "--env", "X", "--", "ls"],
        &["run", "--env", "=x", "--", "ls"],
        &["run", "--timeout", "0", "--", "ls"],
        &["plan", "--no-wait", "--", "ls"],
        &["run", "--all", "--", "ls"],
        &["approve"],
        &["clear"],
        &["audit"],
        &["audit", "show", "x"],
        &["audit", "verify", "a", "--db", "b"],
        &["policy", "explain"],
        &["policy", "explain", "--batch", "--", "ls"],
        &["policy", "explain", "--batch", "--shell", "ls"],
        &["frobnicate"],
        &[],
    ] {
        assert!(parse(words).is_err(), "{words:?}");
    }
}

#[test]
fn everything_that_narrows_is_taken() {
    let args = run_args(&[
        "run",
        "--tier-max",
        "T1",
        "--profile",
        "observe",
        "--target",
        "/etc/a",
        "--target",
        "/etc/b",
        "--agent",
        "bot",
        "--cwd",
        "sub",
        "--env",
        "LANG=C",
        "--env",
        "TZ=a=b",
        "--stdin",
        "-",
        "--queue",
        "--timeout",
        "90s",
        "--shell",
        "id | wc",
    ]);
    assert_eq!(
        (args.ask.tier_max, args.ask.profile.as_deref(), args.queue, args.no_wait),
        (Some(Tier::T1), Some("observe"), true, false)
    );
    assert_eq!(args.ask.targets, ["/etc/a", "/etc/b"]);
    assert_eq!(args.ask.env, [("LANG".to_owned(), "C".to_owned()), ("TZ".to_owned(), "a=b".to_owned())]);
    assert_eq!((args.ask.timeout, args.ask.shell.as_deref()), (Some(Duration::from_secs(90)), Some("id | wc")));
}

#[test]
fn a_time_is_digits_and_a_unit_and_bounded_at_both_ends() {
    for (text, millis) in [
        ("1ms", 1),
        ("2", 2_000),
        ("30s", 30_000),
        ("5m", 300_000),
        ("1h", 3_600_000),
        ("3600", 3_600_000),
        ("3600000ms", 3_600_000),
    ] {
        assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
    }
    for text in [
        "",
        "0",
        "0ms",
        "s",
        "-1s",
        "1.5s",
        "1d",
        "1 s",
        "3601",
        "3600001ms",
        "2h",
        "99999999999999999999",
        "1s2s",
        "١s",
    ] {
        assert!(duration(text).is_err(), "{text}");
    }
}

/// Every command with the words that lead to it, the program itself first.
fn commands() -> Vec<(String, clap::Command)> {
    fn below(command: &clap::Command, path: &str) -> Vec<(String, clap::Command)> {
        let named = command.get_subcommands().filter(|command| command.get_name() != "help");
        let all = named.flat_map(|command| below(command, &format!("{path} {}", command.get_name())));
        std::iter::once((path.to_owned(), command.clone())).chain(all).collect()
    }
    let mut program = Cli::command();
    program.build();
    below(&program, "countersign")
}

#[test]
fn help_says_what_it_said() {
    let mut all = String::new();
    for (path, mut command) in commands() {
        all.push_str(&format!("==== {path}\n{}\n", command.render_help()));
    }
    insta::assert_snapshot!("help", all);
}

#[test]
fn the_manual_names_every_command_and_option() {
    let manual = include_str!("../../../../../../docs/man/countersign.1").replace('\\', "");
    for (path, command) in commands().into_iter().skip(1) {
        let words = path.trim_start_matches("countersign ");
        assert!(manual.contains(words), "countersign(1) lacks the command {words}");
        for option in command.get_arguments().filter_map(clap::Arg::get_long) {
            assert!(manual.contains(&format!("--{option}")), "countersign(1) lacks --{option} of {words}");
        }
    }
}
