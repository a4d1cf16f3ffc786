//! Rule files: what loads, what is refused and where, and what an administrator's file can do.

use super::*;

const GOOD: &str = r#"
[[program]]
names = ["frob"]
tier = "T0"
reason = "Frobs."
flags = ["-n --number <number>"]
operands = ["[<read>...]"]
must_match = ["frob -n 5 x"]
must_not_match = ["frob --other"]
"#;

fn vendor(text: &str) -> Result<Rules, RulesError> {
    Rules::parse(&[RuleFile { name: "a.toml", text, origin: Origin::Vendor }])
}

fn admin(text: &str) -> Rules {
    match with_admin(Some(text)) {
        Ok(rules) => rules,
        Err(wrong) => panic!("{wrong}"),
    }
}

#[test]
fn what_ships_loads_and_tries_its_examples() {
    assert!(shipped().programs() > 60);
    assert!(shipped().examples_run() > 300);
    assert_eq!(vendor(GOOD).unwrap().examples_run(), 2);
}

#[test]
fn errors_say_file_line_column_and_expectation() {
    for (from, to, line, column, says) in [
        ("tier = \"T0\"", "tier = \"T9\"", 4, 8, "T0"),
        ("reason", "raeson", 5, 1, "unknown field"),
        ("-n --number <number>", "-n --number <nmber>", 6, 10, "`nmber` is not a kind"),
        ("[<read>...]", "[<read>", 7, 13, "is not an operand"),
        ("frob -n 5 x", "frob -n x x", 8, 15, "must match frob at T0, and comes out as T2"),
        ("frob --other", "frob x", 9, 19, "must not match frob at T0"),
        ("names = [\"frob\"]", "names = [\"/bin/frob\"]", 3, 10, "has a slash"),
        ("tier = \"T0\"", "lowers = true\ntier = \"T0\"", 4, 10, "lowers"),
        ("must_match = [\"frob -n 5 x\"]\n", "", 3, 10, "at least one must_match"),
        (
            "flags = [",
            "form = [{ id = \"x\", tier = \"T0\", reason = \"x\", has = [\"-z\"] }]\nflags = [",
            6,
            55,
            "no flag -z",
        ),
        ("flags = [\"-n", "flags = [\"-n\", \"-n", 6, 16, "`-n` is there twice"),
    ] {
        let wrong = vendor(&GOOD.replace(from, to)).unwrap_err();
        let message = wrong.to_string();
        assert_eq!((wrong.file.as_str(), wrong.line, wrong.column), ("a.toml", line, column), "{message}");
        assert!(message.contains(says), "{message}");
    }
    assert!(vendor(&format!("{GOOD}{GOOD}")).unwrap_err().to_string().contains("twice"));
}

#[test]
fn the_digest_is_of_what_is_in_force() {
    let one = vendor(GOOD).unwrap().digest();
    assert_eq!(vendor(&format!("# comment\n{GOOD}")).unwrap().digest(), one);
    assert_ne!(vendor(&GOOD.replace("T0", "T1")).map(|rules| rules.digest()).ok(), Some(one));
    assert_ne!(vendor(&GOOD.replace("--number", "--count")).unwrap().digest(), one);
    let admin = RuleFile {
        name: "b.toml",
        text: "[[program]]\nnames = [\"x\"]\ntier = \"T2\"\nreason = \"x\"",
        origin: Origin::Admin,
    };
    let vendor = RuleFile { name: "a.toml", text: GOOD, origin: Origin::Vendor };
    let both = Rules::parse(&[vendor, admin]).unwrap().digest();
    assert_ne!(both, one);
    assert_eq!(Rules::parse(&[admin, vendor]).unwrap().digest(), both);
}

#[test]
fn an_administrator_raises_what_matches_and_nothing_else() {
    let rules = admin(
        r#"
[[program]]
names = ["systemctl"]
tier = "T2"
reason = "Controls services."
sub = [{ names = ["restart", "status"], tier = "T3", reason = "Ours.", operands = ["<=postgresql>"] }]
"#,
    );
    for (text, ruling) in [
        ("systemctl restart postgresql", T3),
        ("systemctl status postgresql", T3),
        ("systemctl -n 5 status postgresql", T3),
        ("systemctl --type service status postgresql", T3),
        ("systemctl restart nginx", T2),
        ("systemctl status nginx", T0),
        ("systemctl", T0),
        ("sudo systemctl restart postgresql", T3),
    ] {
        assert_eq!(rule_in(&rules, &examples::argv(text).unwrap()).ruling, ruling, "{text}");
    }
}

#[test]
fn only_lowers_lowers() {
    let table = "[[program]]\nnames = [\"python3\"]\ntier = \"T0\"\nreason = \"For a test.\"\nstyle = \"posix\"\nflags = [\"-c <text>\"]\noperands = [\"[<text>...]\"]\n";
    let argv = words(&["python3", "-c", "open('/etc/x', 'w')"]);
    assert_eq!(rule_in(&admin(table), &argv).ruling, T2);
    let lowered = rule_in(&admin(&format!("{table}lowers = true\n")), &argv);
    assert_eq!((lowered.ruling, lowered.profile.as_str()), (T0, "observe"));
}

#[test]
fn nothing_lowers_a_privilege_tool_or_the_deny_list() {
    let rules = admin(
        "[[program]]\nnames = [\"sudo\", \"rm\"]\ntier = \"T0\"\nreason = \"x\"\nlowers = true\nstyle = \"long\"\noperands = [\"[<text>...]\"]\nflags = [\"-rf\"]\n",
    );
    assert_eq!(rule_in(&rules, &words(&["sudo", "id"])).ruling, T2);
    assert_eq!(rule_in(&rules, &words(&["rm", "-rf", "/srv/x"])).ruling, T0);
    assert_eq!(rule_in(&rules, &words(&["rm", "-rf", "/"])).ruling, Ruling::Deny);
}

#[test]
fn sixteen_tables_may_speak_of_one_program() {
    let tables = |count: usize| "[[program]]\nnames = [\"ls\"]\ntier = \"T2\"\nreason = \"x\"\n".repeat(count);
    assert!(with_admin(Some(&tables(16))).is_ok());
    assert!(with_admin(Some(&tables(17))).is_err());
}

#[test]
fn both_manuals_name_every_field_kind_and_rule_of_the_engine() {
    let page = include_str!("../../../../../docs/man/countersign-rules.5").replace('\\', "");
    for manual in [page.as_str(), include_str!("../../../../../docs/rules.md")] {
        let refused = vendor("[[program]]\nx = 1").unwrap_err().to_string();
        for field in refused.split('`').skip(3).step_by(2) {
            assert!(manual.contains(field), "no field {field}");
        }
        let kinds = BadNotation::UnknownKind(String::new()).to_string();
        let (_, kinds) = kinds.split_once(": ").unwrap();
        for kind in kinds.split([' ', ',']).take_while(|kind| *kind != "or") {
            assert!(manual.contains(kind) && (kind.is_empty() || kind::Kind::named(kind).is_some()), "no kind {kind}");
        }
        let sources = [
            include_str!("../define.rs"),
            include_str!("../operand.rs"),
            include_str!("../wrap.rs"),
            include_str!("../weigh.rs"),
        ];
        let named = sources.concat();
        for rule in named.split('"').filter(|text| {
            text.bytes().all(|b| b.is_ascii_lowercase() || b"-.".contains(&b)) && text.contains(['-', '.'])
        }) {
            let privileges = wrap::is_privilege_tool(rule) || rule.starts_with(['.', '-']);
            assert!(privileges || manual.contains(rule), "no rule {rule}");
        }
    }
}

/// The rules that ship, and those of one program more.
fn with_program(table: &str) -> impl Fn(&str) -> Ruling {
    let rules = admin(&format!("[[program]]\nreason = \"x\"\nlowers = true\n{table}"));
    move |command| rule_in(&rules, &examples::argv(command).unwrap()).ruling
}

#[test]
fn a_form_says_which_flags_it_writes() {
    let table = r#"names = ["pack"]
tier = "T2"
flags = ["-x", "-c", "-f <read>", "-C <meta>"]
operands = ["[<read>...]"]
form = [
  { id = "create", tier = "T1", reason = "x", has = ["-c"], writes = ["-f"] },
  { id = "extract", tier = "T1", reason = "x", has = ["-x", "-C"], writes = ["-C"] },
]"#;
    let ruled = with_program(table);
    for (command, ruling) in [
        ("pack -c -f /srv/a -C /etc x", T1),
        ("pack -cf /etc/shadow x", T3),
        ("pack -x -f /srv/a -C /srv/b", T1),
        ("pack -x -f /srv/a -C /root/.ssh", T3),
        ("pack -x -f /srv/a -C /etc", T2),
        ("pack -x -f /etc/shadow -C /srv/b", T2),
        ("pack -f /srv/a", T2),
    ] {
        assert_eq!(ruled(command), ruling, "{command}");
    }
    let unknown =
        GOOD.replace("operands", "form = [{ id = \"x\", tier = \"T0\", reason = \"x\", writes = [\"-z\"] }]\noperands");
    assert!(vendor(&unknown).unwrap_err().to_string().contains("no flag -z"));
}

#[test]
fn what_follows_begins_in_the_directory_that_a_flag_names() {
    let table = r#"names = ["within"]
tier = "T0"
style = "posix"
flags = ["-C <directory>", "-f <read>"]
form = [{ id = "run", tier = "T0", reason = "x", operands = ["[<command>]"] }]"#;
    let ruled = with_program(table);
    for (command, ruling) in [
        ("within -C /etc cat hosts", T0),
        ("within -C /etc cat shadow", T2),
        ("within -C / -C etc cat shadow", T2),
        ("within -C /srv cat /etc/shadow", T2),
        ("within -C /etc -f shadow", T2),
        ("within -f ../../etc/shadow -C /srv", T2),
        ("within -C '*' cat x", T0),
        ("sh -c 'within -C * cat x'", T2),
        ("within -C /etc within -C .. cat etc/shadow", T2),
    ] {
        assert_eq!(ruled(command), ruling, "{command}");
    }
}

#[test]
fn what_find_hands_on_may_be_anything_below_where_it_begins() {
    let table = r#"names = ["seek"]
tier = "T0"
style = "long"
flags = ["-name <text>", "-run -rundir <command;>"]
operands = ["[<meta>...]"]"#;
    let ruled = with_program(table);
    for (command, ruling) in [
        ("seek /srv -name x -run cat '{}' +", T0),
        ("seek -run cat '{}' ';'", T0),
        ("seek /etc -run cat '{}' ';'", T2),
        ("seek /srv / -run cat '{}' ';'", T2),
        ("seek /srv /srv/../etc -run head -n1 x '{}' ';'", T2),
        ("seek /srv -run cat /etc/shadow ';'", T2),
        ("seek /srv -run sh -c 'cat {}' ';'", T2),
        ("seek /srv -rundir cat shadow ';'", T2),
        ("seek /srv -run touch '{}' ';'", T2),
        ("seek /srv -run touch /srv/x ';'", T1),
        ("seek /etc -run touch '{}' ';'", T3),
        ("seek /srv -run rm '{}' +", T3),
        ("seek /tmp -run rm '{}' +", T2),
        ("seek /tmp / -run rm '{}' +", T3),
        ("seek /srv -run seek /etc -run cat '{}' ';'", T2),
    ] {
        assert_eq!(ruled(command), ruling, "{command}");
    }
    let starts = |count: usize| ruled(&format!("seek {}-run cat '{{}}' ';'", "/srv/a ".repeat(count)));
    assert_eq!((starts(16), starts(17)), (T0, T2));
}
