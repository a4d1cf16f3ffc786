//! What rules ask of the host and of the moment, and of which words of a command.

use super::*;
use crate::condition::Role;

/// Every condition of a command line, as `rule role check`, and before it the kinds of host.
fn asked_by(classification: &Classification) -> Vec<String> {
    let mut asked = Vec::new();
    for Need { rule, hosts, conditions } in &classification.needs {
        asked.extend(hosts.iter().map(|kind| format!("{rule} host {kind}")));
        asked.extend(conditions.iter().map(|condition| format!("{rule} {} {}", condition.role, condition.check)));
    }
    asked
}

fn asked(text: &str) -> Vec<String> {
    asked_by(&line(text))
}

const TABLE: &str = r#"
[[program]]
names = ["frob"]
lowers = true
tier = "T2"
reason = "Frobs."
flags = ["-n --dry-run", "-u --unit <unit>"]
hosts = ["debian", "!immutable"]
checks = ["no-dpkg-lock"]
must_match = ["frob"]
[[program.sub]]
names = ["up"]
tier = "T2"
reason = "Frobs up."
operands = ["[<unit>...]"]
check = [
  { spec = "unit-active <unit>", role = "after", lacks = ["-n"] },
  { spec = "mains-power", role = "soft", has = ["-n"] },
]
form = [{ id = "all", tier = "T2", reason = "Frobs all.", operands = ["<=all>"], checks = ["free 1G /srv"], must_match = ["frob up all"] }]
must_match = ["frob up a"]
"#;

/// What an administrator's table asks, beside what ships.
fn asked_with(table: &str, text: &str) -> Vec<String> {
    let rules = with_admin(Some(table)).unwrap_or_else(|wrong| panic!("{wrong}"));
    asked_by(&rule_in(&rules, &examples::argv(text).unwrap()))
}

#[test]
fn a_subcommand_asks_what_its_program_asks_and_more() {
    let frob = ["frob host debian", "frob host !immutable", "frob hard no-dpkg-lock"];
    let with = |more: &[&'static str]| [&frob[..], more].concat();
    for (text, expected) in [
        ("frob", with(&[])),
        ("frob up a b.timer", with(&["frob.up after unit-active a.service", "frob.up after unit-active b.timer"])),
        ("frob up -n a", with(&["frob.up soft mains-power"])),
        ("frob up all", with(&["frob.up after unit-active all.service", "frob.up hard free 1048576K /srv"])),
        ("frob up --unit=x", with(&["frob.up after unit-active x.service"])),
        ("frob up -ux a", with(&["frob.up after unit-active a.service", "frob.up after unit-active x.service"])),
        ("frob up -u x", with(&["frob.up after unit-active x.service"])),
        ("frob up 'a*'", with(&["frob.up after unit-active <unit>"])),
        ("frob up", with(&["frob.up after unit-active <unit>"])),
        ("frob up --frobnicate a", with(&["frob.up after unit-active a.service"])),
        ("nice frob up a", with(&["frob.up after unit-active a.service"])),
        (
            "sh -c 'frob up a && frob up b'",
            with(&["frob.up after unit-active a.service", "frob.up after unit-active b.service"]),
        ),
        ("sh -c 'frob up a*'", with(&["frob.up after unit-active <unit>"])),
    ] {
        let mut asked = asked_with(TABLE, text);
        let mut expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
        asked.sort();
        expected.sort();
        assert_eq!(asked, expected, "{text}");
    }
}

#[test]
fn an_administrators_addition_asks_where_it_matches_and_not_elsewhere() {
    let table = r#"
[[program]]
names = ["systemctl"]
tier = "T0"
reason = "Ours."
[[program.sub]]
names = ["stop"]
tier = "T2"
reason = "Ours."
operands = ["<=postgresql>"]
checks = ["unit-active backup.timer"]
"#;
    let ours = "systemctl.stop hard unit-active backup.timer".to_owned();
    assert!(asked_with(table, "systemctl stop postgresql").contains(&ours));
    assert!(!asked_with(table, "systemctl stop nginx").contains(&ours));
    assert!(
        asked_with(table, "systemctl stop postgresql").contains(&"systemctl host systemd".to_owned()),
        "what ships stays"
    );
}

#[test]
fn what_ships_asks_for_what_would_go_wrong() {
    for (text, wanted) in [
        ("apt-get install -y nginx", "apt-get.install hard no-dpkg-lock"),
        ("apt-get install -y nginx", "apt-get host debian"),
        ("apt upgrade", "apt.upgrade soft mains-power"),
        ("dpkg -i x.deb", "dpkg hard no-dpkg-lock"),
        ("systemctl start nginx", "systemctl.start after unit-started nginx.service"),
        ("systemctl status nginx", "systemctl host systemd"),
        ("systemctl reload nginx", "systemctl.reload hard unit-active nginx.service"),
        ("userdel alice", "userdel hard not-last-administrator alice"),
        ("userdel -r alice", "userdel hard not-last-administrator alice"),
        ("deluser alice sudo", "deluser hard not-last-administrator alice"),
        ("gpasswd -d alice sudo", "gpasswd hard not-last-administrator alice"),
        ("gpasswd --delete=alice wheel", "gpasswd hard not-last-administrator alice"),
        ("usermod -L alice", "usermod hard not-last-administrator alice"),
        ("passwd -l alice", "passwd hard not-last-administrator alice"),
        ("sudo userdel alice", "userdel hard not-last-administrator alice"),
    ] {
        assert!(asked(text).iter().any(|asked| asked == wanted), "{text}: {:?}", asked(text));
    }
    for (text, unwanted) in [
        ("apt-get clean", "free"),
        ("apt-get clean", "no-dpkg-lock"),
        ("systemctl start --no-block nginx", "unit-started"),
        ("systemctl --user start app", "unit-started"),
        ("systemctl -H web1 start nginx", "unit-started"),
        ("deluser alice video", "administrator"),
        ("deluser --group dev", "administrator"),
        ("gpasswd -d alice video", "administrator"),
        ("gpasswd -a alice sudo", "administrator"),
        ("passwd alice", "administrator"),
        ("cat /etc/hosts", ""),
        ("touch /srv/x", ""),
    ] {
        assert!(!asked(text).iter().any(|asked| asked.contains(unwanted)), "{text}: {:?}", asked(text));
    }
}

#[test]
fn so_many_conditions_are_looked_at_and_one_more_is_denied() {
    let units =
        |count: usize| format!("frob up {}", (0..count).map(|unit| format!("u{unit}")).collect::<Vec<_>>().join(" "));
    let rules = with_admin(Some(TABLE)).unwrap_or_else(|wrong| panic!("{wrong}"));
    // Two rules and the one check of the program are counted too.
    let most = findings::MAX_CONDITIONS - 3;
    for (count, denied) in [(most, false), (most + 1, true), (500, true)] {
        let found = rule_in(&rules, &examples::argv(&units(count)).unwrap());
        assert_eq!(found.ruling == Ruling::Deny, denied, "{count}: {:?}", found.rules);
        assert_eq!(found.rules.iter().any(|rule| rule.as_str() == "limit.conditions"), denied, "{count}");
        let conditions: usize = found.needs.iter().map(|need| need.conditions.len()).sum();
        assert_eq!(conditions.min(most + 1), count.min(most) + 1, "{count}");
    }
}

#[test]
fn a_condition_that_nobody_knows_refuses_the_load_and_says_where() {
    let table = |field: &str| format!("[[program]]\nnames = [\"frob\"]\ntier = \"T2\"\nreason = \"Frobs.\"\n{field}\n");
    for (field, place, says) in [
        ("hosts = [\"Debian\"]", (5, 10), "a kind of host is"),
        ("checks = [\"no-dpkg-lock\", \"frob\"]", (5, 27), "a check is"),
        ("check = [{ spec = \"frob\" }]", (5, 19), "a check is"),
        ("check = [{ spec = \"mains-power\", has = [\"-x\"] }]", (5, 41), "no flag -x is known"),
        ("check = [{ spec = \"mains-power\", role = \"sofd\" }]", (5, 41), "unknown word `sofd`"),
        ("check = [{ spec = \"mains-power\", hard = true }]", (5, 34), "unknown field"),
    ] {
        let wrong = with_admin(Some(&table(field))).unwrap_err();
        assert_eq!((wrong.line, wrong.column), place, "{field}: {wrong}");
        assert!(wrong.to_string().contains(says), "{field}: {wrong}");
    }
}

#[test]
fn the_files_whose_content_is_asked_for_are_known_before_anything_is_asked() {
    let zeros = "0".repeat(64);
    let table = TABLE.replace("free 1G /srv", &format!("sha256 {zeros} /usr/local/bin/frob"));
    let rules = with_admin(Some(&table)).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!(rules.files_looked_at(), [CleanPath::new("/usr/local/bin/frob").unwrap()]);
    assert_eq!(shipped().files_looked_at(), []);
}

#[test]
fn what_rules_ask_is_handed_on_as_it_is_written() {
    let classification = line("systemctl start nginx");
    let json = serde_json::to_value(&classification.needs).unwrap();
    assert_eq!(json[1]["conditions"][0], serde_json::json!({ "check": "unit-started nginx.service", "role": "after" }));
    let again: Vec<Need> = serde_json::from_value(json).unwrap();
    assert_eq!(again, classification.needs);
    assert_eq!(again[1].conditions[0].role, Role::After);
}
